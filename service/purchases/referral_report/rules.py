"""The report of referrals: what was asked for, what was booked, and what that comes to. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import asdict

from service.earning.rules import Limit
from service.kernel.periods import start_of_day
from service.kernel.rounding import Rounding, divide
from service.kernel.shares import Share, apart, rate
from service.kernel.spans import span_of
from service.points.rules import worth
from service.programs.rules import PointValue, ProgramSettings
from service.purchases.referral_report.figures import (
    OfferReferrals,
    RefereeGroup,
    ReferralCost,
    ReferralReport,
    Referrals,
    ReferralsAtLimit,
    ReferralsByReason,
    ReferralsStanding,
    Retained,
    Retention,
    SideCost,
    Spend,
    Sum,
    VoucherCost,
)
from service.referrals.rules import ReferralReason, ReferralState
from service.rewards.rules import Money

WINDOWS: Final = ((30, 60), (60, 90))
"""Between which days behind their first purchase customers are looked for again."""
ENOUGH: Final = 100
"""How many customers each of two groups must have, so that what sets them apart isn't mostly chance."""
_HUNDRED: Final = 100
_SIDES: Final = ("referrer", "referee")


class Asked(msgspec.Struct, frozen=True):
    """The days of the program that a report is of, `to` not among them, and the same as moments; one offer or all."""

    first: date
    to: date
    since: datetime
    until: datetime
    offer: str | None


class Claims(msgspec.Struct, frozen=True):
    """Claims of one offer that stand alike: how many, how many were qualified and rewarded ever, and what they gave."""

    offer: str
    state: ReferralState
    reason: ReferralReason | None
    limit: Limit | None
    claims: int
    qualified: int
    rewarded: int
    referrer_points: int
    referee_points: int


class Vouchers(msgspec.Struct, frozen=True):
    """Vouchers of one reward at one version that an offer gave, and what one is worth, where that is known."""

    offer: str
    value: Money | None
    issued: int
    cancelled: int


class Counted(msgspec.Struct, frozen=True):
    """What a part of the customers did: `days` since their enrolment, all together; `spent` less returns, by currency.

    `again` are, for each window, those who bought again of those whose window is over.
    """

    customers: int = 0
    days: int = 0
    bought: int = 0
    purchases: int = 0
    again: Sequence[Share] = (Share(0, 0), Share(0, 0))
    spent: Mapping[str, int] = {}


class Booked(msgspec.Struct, frozen=True):
    """All that a report is made from, at one moment.

    `clicks` are by the offers of codes (None: customers' own codes), `taken_back` points by offer and side, `parts` by
    `referees`, `others` and `ended`.
    """

    now: datetime
    clicks: Mapping[str | None, int]
    claims: Sequence[Claims]
    taken_back: Mapping[tuple[str, str], int]
    vouchers: Sequence[Vouchers]
    parts: Mapping[str, Counted]


def asked_for(first: str | None, to: str | None, offer: str | None, *, today: date, zone: ZoneInfo) -> Asked:
    """Read the days that are asked for: without them, the 365 days up to today, which is among them. Raises Invalid."""
    span = span_of(first, to, until=today + timedelta(days=1))
    return Asked(span.first, span.to, start_of_day(span.first, zone), start_of_day(span.to, zone), offer)


def report(asked: Asked, booked: Booked, settings: ProgramSettings) -> ReferralReport:
    """Make the report of what was booked."""
    value, only = settings.point_value, asked.offer
    offers = {each.offer for each in booked.claims} | {each for each in booked.clicks if each is not None}
    named = sorted(offers if only is None else {only})
    clicks = sum(booked.clicks.values()) if only is None else booked.clicks.get(only)
    referees, others, ended = (booked.parts.get(each, Counted()) for each in ("referees", "others", "ended"))
    return ReferralReport(
        from_=asked.first,
        to=asked.to,
        made_at=booked.now.astimezone(UTC),
        offer=only,
        currency=settings.currency,
        total=_referrals(booked, named, clicks, value),
        by_offer=[
            OfferReferrals(offer=each, **asdict(_referrals(booked, [each], booked.clicks.get(each), value)))
            for each in named
        ],
        referees=_group(referees),
        others=_group(others),
        ended=_group(ended),
        retention=[
            _retention(window, one, other)
            for window, one, other in zip(WINDOWS, referees.again, others.again, strict=True)
        ],
        enough=min(referees.customers, others.customers) >= ENOUGH,
    )


def _referrals(booked: Booked, offers: Sequence[str], clicks: int | None, value: PointValue) -> Referrals:
    """Tell what became of some offers' claims."""
    claims = [each for each in booked.claims if each.offer in offers]
    signed_up, qualified = sum(each.claims for each in claims), sum(each.qualified for each in claims)
    rewarded = sum(each.rewarded for each in claims)
    standing = {state.value: sum(each.claims for each in claims if each.state is state) for state in ReferralState}
    return Referrals(
        clicks=clicks,
        signed_up=signed_up,
        qualified=qualified,
        rewarded=rewarded,
        standing=ReferralsStanding(**standing),
        refused=_by_reason(claims, ReferralState.REFUSED),
        reversed=_by_reason(claims, ReferralState.REVERSED),
        limits=_by_limit(claims),
        signed_up_of_clicks=rate(signed_up, clicks or 0),
        qualified_of_signed_up=rate(qualified, signed_up),
        rewarded_of_qualified=rate(rewarded, qualified),
        rewarded_of_signed_up=rate(rewarded, signed_up),
        cost=_cost(booked, claims, offers, value),
    )


def _by_reason(claims: Sequence[Claims], state: ReferralState) -> list[ReferralsByReason]:
    counts = dict.fromkeys(ReferralReason, 0)
    for each in claims:
        if each.state is state and each.reason is not None:
            counts[each.reason] += each.claims
    return [ReferralsByReason(reason, count) for reason, count in counts.items() if count]


def _by_limit(claims: Sequence[Claims]) -> list[ReferralsAtLimit]:
    counts = dict[Limit, int]()
    for each in claims:
        if each.limit is not None:
            counts[each.limit] = counts.get(each.limit, 0) + each.claims
    in_order = sorted(counts.items(), key=lambda item: (-item[1], msgspec.json.encode(item[0])))
    return [ReferralsAtLimit(limit, count) for limit, count in in_order]


def _cost(booked: Booked, claims: Sequence[Claims], offers: Sequence[str], value: PointValue) -> ReferralCost:
    given = (sum(each.referrer_points for each in claims), sum(each.referee_points for each in claims))
    sides = list[SideCost]()
    for side, points in zip(_SIDES, given, strict=True):
        back = sum(booked.taken_back.get((offer, side), 0) for offer in offers)
        sides.append(SideCost(points, back))
    net = sum(each.given - each.reversed for each in sides)
    vouchers = [each for each in booked.vouchers if each.offer in offers]
    return ReferralCost(sides[0], sides[1], net, worth(net, value), _voucher_cost(vouchers))


def _voucher_cost(vouchers: Sequence[Vouchers]) -> VoucherCost:
    sums, unknown = dict[str, int](), 0
    for each in vouchers:
        kept = each.issued - each.cancelled
        if each.value is None:
            unknown += kept
        else:
            sums[each.value.currency] = sums.get(each.value.currency, 0) + kept * each.value.amount
    return VoucherCost(
        sum(each.issued for each in vouchers),
        sum(each.cancelled for each in vouchers),
        [Sum(currency, amount) for currency, amount in sorted(sums.items())],
        unknown,
    )


def _group(counted: Counted) -> RefereeGroup:
    of = counted.customers
    return RefereeGroup(
        customers=of,
        mean_days=_mean(counted.days, of),
        bought=counted.bought,
        bought_rate=rate(counted.bought, of),
        purchases=counted.purchases,
        purchases_of_hundred=_mean(counted.purchases * _HUNDRED, of),
        spend=[Spend(currency, amount, _mean(amount, of) or 0) for currency, amount in sorted(counted.spent.items())],
    )


def _mean(total: int, of: int) -> int | None:
    """Return the mean, rounded half up; None of nobody."""
    return divide(total, of, Rounding.HALF_UP) if of else None


def _retention(window: tuple[int, int], one: Share, other: Share) -> Retention:
    return Retention(
        from_days=window[0],
        to_days=window[1],
        referees=Retained(one.of, one.many, one.rate),
        others=Retained(other.of, other.many, other.rate),
        difference=apart(one, other),
        enough=min(one.of, other.of) >= ENOUGH,
    )
