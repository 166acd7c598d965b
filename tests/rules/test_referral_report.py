"""What a report of referrals makes of numbers: days asked for, sums, rates, what is too few to tell."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from service.earning.rules import Every, Limit, Scope
from service.kernel.errors import Invalid
from service.kernel.shares import Share, apart
from service.programs.rules import PointValue, ProgramSettings
from service.purchases.referral_report.figures import ReferralReport
from service.purchases.referral_report.rules import Asked, Booked, Claims, Counted, Vouchers, asked_for, report
from service.referrals.rules import ReferralReason, ReferralState
from service.rewards.rules import Money

TODAY = date(2026, 7, 15)
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
NOTHING = Booked(NOW, {}, (), {}, (), {})


def asked(first: str | None = None, to: str | None = None, offer: str | None = None) -> Asked:
    return asked_for(first, to, offer, today=TODAY, zone=BERLIN)


def made(booked: Booked, offer: str | None = None, **settings: Any) -> ReferralReport:
    return report(asked(offer=offer), booked, ProgramSettings(**settings))


def claims(state: ReferralState = ReferralState.SIGNED_UP, number: int = 1, **more: Any) -> Claims:
    plain = Claims("friends", state, None, None, number, 0, 0, 0, 0)
    return msgspec.structs.replace(plain, **more)


def test_days_begin_in_the_programs_time_zone_and_the_last_one_is_not_among_them() -> None:
    found = asked("2026-01-01", "2026-07-01")
    assert (found.first, found.to) == (date(2026, 1, 1), date(2026, 7, 1))
    assert (found.since, found.until) == (
        datetime(2025, 12, 31, 23, tzinfo=UTC),
        datetime(2026, 6, 30, 22, tzinfo=UTC),
    )


def test_nothing_asked_for_is_the_365_days_up_to_today() -> None:
    found = asked()
    assert (found.first, found.to) == (date(2025, 7, 16), date(2026, 7, 16))
    assert asked(to="2026-01-01").first == date(2025, 1, 1)
    assert asked(first="2026-07-15").to == date(2026, 7, 16)
    assert asked(to="1970-02-01").first == date(1970, 1, 2)


@pytest.mark.parametrize(
    ("first", "to", "pointer", "reason"),
    [
        ("2026-13-01", None, "?from", "invalid_format"),
        ("20260101", None, "?from", "invalid_format"),
        ("2026-W01-1", None, "?from", "invalid_format"),
        ("", None, "?from", "invalid_format"),
        ("\u0662\u0660\u0662\u0666-01-01", None, "?from", "invalid_format"),
        (None, "2026-02-30", "?to", "invalid_format"),
        (None, "0000-01-01", "?to", "invalid_format"),
        (None, "1970-01-02", "?to", "out_of_range"),
        ("0001-01-01", "2026-01-01", "?from", "out_of_range"),
        ("1969-12-31", "1970-02-01", "?from", "out_of_range"),
        ("2026-01-01", "2026-01-01", "?from", "out_of_range"),
        ("2026-01-02", "2026-01-01", "?from", "out_of_range"),
        ("2026-07-16", None, "?from", "out_of_range"),
        ("2016-01-01", "2026-07-01", "?from", "out_of_range"),
        ("2026-01-01", "9999-12-31", "?from", "out_of_range"),
    ],
)
def test_days_that_make_no_period_are_refused_where_they_stand(
    first: str | None, to: str | None, pointer: str, reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        asked(first, to)
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)


def test_of_nothing_all_is_nothing_and_no_rate_is_told() -> None:
    found = msgspec.to_builtins(made(NOTHING))
    total, group = found["total"], found["referees"]
    assert (total["clicks"], total["signed_up"], set(total["standing"].values())) == (0, 0, {0})
    assert {total[name] for name in total if "_of_" in name} == {None}
    assert total["cost"] == {
        "referrers": {"given": 0, "reversed": 0},
        "referees": {"given": 0, "reversed": 0},
        "points": 0,
        "worth": 0,
        "vouchers": {"issued": 0, "cancelled": 0, "worth": [], "unvalued": 0},
    }
    assert found["by_offer"] == []
    assert group == {
        "customers": 0,
        "mean_days": None,
        "bought": 0,
        "bought_rate": None,
        "purchases": 0,
        "purchases_of_hundred": None,
        "spend": [],
    }
    nobody = {"customers": 0, "again": 0, "rate": None}
    assert found["retention"][0] == {
        "from_days": 30,
        "to_days": 60,
        "referees": nobody,
        "others": nobody,
        "difference": None,
        "enough": False,
    }
    assert (found["enough"], found["currency"], found["from"]) == (False, "EUR", "2025-07-16")


def test_claims_are_counted_where_they_stand_and_by_what_they_ever_were() -> None:
    limit = Limit(every=Every.MONTH, scope=Scope.CUSTOMER, times=3)
    rows = [
        claims(ReferralState.SIGNED_UP, 5),
        claims(ReferralState.REWARDED, 3, qualified=3, rewarded=3, referrer_points=1_500, referee_points=600),
        claims(
            ReferralState.REVERSED,
            1,
            reason=ReferralReason.RETURNED,
            qualified=1,
            rewarded=1,
            referrer_points=500,
            referee_points=200,
        ),
        claims(ReferralState.REFUSED, 2, reason=ReferralReason.LIMIT, limit=limit, qualified=2),
        claims(ReferralState.REFUSED, 1, reason=ReferralReason.CHEATING, qualified=1),
        claims(ReferralState.EXPIRED, 4, offer="other"),
    ]
    back = {("friends", "referrer"): 500, ("friends", "referee"): 150}
    found = made(Booked(NOW, {None: 30, "other": 2}, rows, back, (), {}), point_value=PointValue(points=3, amount=2))
    total, (friends, other) = found.total, found.by_offer
    assert (total.clicks, total.signed_up, total.qualified, total.rewarded) == (32, 16, 7, 4)
    assert (total.standing.signed_up, total.standing.rewarded, total.standing.refused) == (5, 3, 3)
    assert (total.standing.expired, total.standing.reversed) == (4, 1)
    assert [(each.reason, each.referrals) for each in total.refused] == [
        (ReferralReason.CHEATING, 1),
        (ReferralReason.LIMIT, 2),
    ]
    assert [(each.reason, each.referrals) for each in total.reversed] == [(ReferralReason.RETURNED, 1)]
    assert [(each.limit, each.referrals) for each in total.limits] == [(limit, 2)]
    assert (total.signed_up_of_clicks, total.qualified_of_signed_up) == (5_000, 4_375)
    assert (total.rewarded_of_qualified, total.rewarded_of_signed_up) == (5_714, 2_500)
    assert (total.cost.referrers.given, total.cost.referrers.reversed) == (2_000, 500)
    assert (total.cost.points, total.cost.worth) == (2_150, 1_433)
    assert (friends.offer, friends.clicks, friends.signed_up, friends.cost.points) == ("friends", None, 12, 2_150)
    assert (other.offer, other.clicks, other.signed_up, other.signed_up_of_clicks) == ("other", 2, 4, 20_000)
    only = made(Booked(NOW, {None: 30, "other": 2}, rows, back, (), {}), offer="other")
    assert (only.total.clicks, only.total.signed_up, [each.offer for each in only.by_offer]) == (2, 4, ["other"])


def test_vouchers_cost_what_their_rewards_are_worth_where_that_is_known() -> None:
    vouchers = [
        Vouchers("friends", Money(500, "EUR"), 5, 1),
        Vouchers("friends", Money(700, "EUR"), 1, 0),
        Vouchers("friends", Money(900, "USD"), 1, 1),
        Vouchers("friends", None, 4, 2),
        Vouchers("other", Money(1, "EUR"), 1, 0),
    ]
    cost = made(Booked(NOW, {}, [claims()], {}, vouchers, {})).total.cost.vouchers
    assert (cost.issued, cost.cancelled, cost.unvalued) == (11, 4, 2)
    assert [(each.currency, each.amount) for each in cost.worth] == [("EUR", 2_700), ("USD", 0)]


def test_means_are_of_all_customers_of_a_group_and_rounded_half_up() -> None:
    part = Counted(8, 12, 5, 9, spent={"USD": 100, "EUR": 4})
    group = made(Booked(NOW, {}, (), {}, (), {"others": part})).others
    assert (group.mean_days, group.bought_rate, group.purchases_of_hundred) == (2, 6_250, 113)
    assert [(each.currency, each.amount, each.per_customer) for each in group.spend] == [
        ("EUR", 4, 1),
        ("USD", 100, 13),
    ]


@pytest.mark.parametrize(("others", "enough"), [(99, False), (100, True)])
def test_groups_of_less_than_a_hundred_are_too_few_to_tell_them_apart(others: int, *, enough: bool) -> None:
    referees, rest = Share(60, 100), Share(30, others)
    parts = {
        "referees": Counted(500, again=(referees, Share(0, 0))),
        "others": Counted(others, again=(rest, Share(0, 0))),
    }
    found = made(Booked(NOW, {}, (), {}, (), parts))
    first, second = found.retention
    assert (found.enough, first.enough, second.enough) == (enough, enough, False)
    assert (first.referees.customers, first.referees.again, first.referees.rate) == (100, 60, 6_000)
    assert first.difference == apart(referees, rest)
    assert second.difference is None
