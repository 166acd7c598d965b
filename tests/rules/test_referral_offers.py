"""What a marketer may say in a referral offer, and what is pointed at."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.kernel.ids import to_wire
from service.programs.definitions import check_content, check_id
from service.referrals.defining import REFERRAL_OFFERS
from service.referrals.offers import FOLLOWED_ONLY, Ask, ByPurchases, ReferralOfferContent, checked
from tests.rules.referrals import CLAIMED, offer, program

REWARD = {"kind": "reward", "reward_id": to_wire("rwd", UUID(int=1))}
POINTS = {"kind": "points", "points": 500}
FULL: dict[str, Any] = {
    "referrer": POINTS,
    "referee": REWARD,
    "qualification": {"kind": "purchase", "number": 2, "minimum": {"EUR": 2_000, "KWD": 1}},
    "claim_days": 365,
    "window_days": 1,
    "waiting_days": 0,
    "minimum_tier": "gold",
    "campaign": "Summer 2031",
    "priority": 1_000,
    "limits": [
        {"every": "month", "times": 3},
        {"every": "month", "scope": "all", "points": BOUND},
        {"every": "life", "times": 10**9, "points": BOUND},
    ],
    "steps": [{"number": 10_000, "points": BOUND - 500}, {"number": 1, "points": 1}],
    "cheating": {"scores": {"same_email": 0}, "review_from": 1_000, "refuse_from": 1_000},
    "ask": {"purchases": [], "tiers": False, "activities": ["survey"], "days": 90},
    "ends_at": "2031-09-01T00:00:00+02:00",
}


def test_an_offer_may_say_all_that_there_is() -> None:
    assert checked(offer(**FULL)) == offer(**FULL)


def test_what_is_left_out_is_what_fits_most() -> None:
    its = checked(offer())
    assert its == msgspec.structs.replace(FOLLOWED_ONLY, name=its.name, ask=Ask())
    assert (its.referrer, its.referee, its.qualification) == (None, None, ByPurchases(1, {}))
    assert (its.claim_days, its.window_days, its.waiting_days, its.priority) == (30, 30, 14, 0)
    assert (its.minimum_tier, its.campaign, its.ends_at, its.limits, its.steps) == (None, None, None, (), ())
    assert (its.cheating.review_from, its.cheating.refuse_from) == (50, 100)
    assert its.cheating.review_from <= its.cheating.scores.same_device < its.cheating.refuse_from
    assert (its.ask.purchases, its.ask.tiers, its.ask.days) == ((2, 5, 10), True, 14)


TOO_LITTLE = {"every": "life", "points": 8}


@pytest.mark.parametrize(
    ("content", "pointer", "reason"),
    [
        ({"referrer": {"kind": "reward", "reward_id": "7"}}, "/referrer/reward_id", "invalid_format"),
        ({"referee": {"kind": "reward", "reward_id": "rwd_"}}, "/referee/reward_id", "invalid_format"),
        ({"referee": {"kind": "reward", "reward_id": to_wire("vch", UUID(int=1))}}, "/referee/reward_id", None),
        ({"referee": {"kind": "reward", "reward_id": ""}}, "/referee/reward_id", "invalid_format"),
        ({"qualification": {"kind": "purchase", "minimum": {"EUR": 1, "XAU": 1}}}, "/qualification/minimum/XAU", None),
        ({"qualification": {"kind": "purchase", "minimum": {"EUX": 1}}}, "/qualification/minimum/EUX", None),
        ({"qualification": {"kind": "spend", "amounts": {"QQQ": 1}}}, "/qualification/amounts/QQQ", "unknown_currency"),
        ({"steps": [{"number": 2, "points": 1}, {"number": 2, "points": 2}]}, "/steps/1/number", "duplicate"),
        ({"cheating": {"review_from": 60, "refuse_from": 59}}, "/cheating/refuse_from", "out_of_range"),
        ({"cheating": {"review_from": 101}}, "/cheating/refuse_from", "out_of_range"),
        ({"limits": [{"every": "day"}]}, "/limits/0", "missing"),
        (
            {
                "referrer": {"kind": "points", "points": 5},
                "steps": [{"number": 2, "points": 4}],
                "limits": [TOO_LITTLE],
            },
            "/limits/0/points",
            "out_of_range",
        ),
        ({"limits": [{"every": "day", "times": 1}, {"every": "fact", "points": 1}]}, "/limits/1/every", "exclusive"),
        ({"limits": [{"every": "day", "times": 1}, {"every": "day", "points": 1}]}, "/limits/1", "duplicate"),
    ],
)
def test_what_makes_no_sense_is_pointed_at(content: dict[str, Any], pointer: str, reason: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        checked(offer(**content))
    assert refused.value.pointer == pointer
    assert reason is None or refused.value.reason == reason


def test_a_step_and_the_prize_are_together_no_more_points_than_a_booking_holds() -> None:
    with pytest.raises(Invalid) as refused:
        checked(offer(referrer=POINTS, steps=[{"number": 2, "points": 1}, {"number": 3, "points": BOUND - 499}]))
    assert (refused.value.pointer, refused.value.reason) == ("/steps/1/points", "out_of_range")
    checked(offer(referrer=REWARD, steps=[{"number": 3, "points": BOUND}]))


def test_the_name_of_what_is_offered_without_any_offer_is_taken() -> None:
    with pytest.raises(Invalid) as refused:
        check_id(REFERRAL_OFFERS, "default")
    assert (refused.value.pointer, refused.value.reason) == ("/id", "reserved")
    check_id(REFERRAL_OFFERS, "defaults")


def test_an_offer_ends_after_it_begins() -> None:
    for moment in ("2026-11-01T13:00:00+01:00", "0001-01-01T00:00:00+01:00"):
        with pytest.raises(Invalid) as refused:
            check_content(REFERRAL_OFFERS, "friends", offer(ends_at=moment), program(), moment=CLAIMED)
        assert (refused.value.pointer, refused.value.reason) == ("/ends_at", "out_of_range")
    kept = check_content(REFERRAL_OFFERS, "friends", offer(**FULL), program(), moment=CLAIMED)
    assert kept.ends_at is not None
    assert kept.ends_at.isoformat() == "2031-08-31T22:00:00+00:00"


HOSTILE: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    10**13,
    2**70,
    "",
    "x",
    "EUR",
    "\x00",
    "gold\n",
    [],
    [[]],
    {},
    {"kind": "x"},
]
hostile = st.sampled_from(HOSTILE) | st.dictionaries(
    st.sampled_from(["kind", "points", "reward_id", "number", "minimum", "amounts", "every", "times", "EUR", "eur"]),
    st.sampled_from([*HOSTILE, "points", "reward", "purchase", "spend", "activity", "day", "fact"]),
)
fields = [*ReferralOfferContent.__struct_fields__, "kind", "state"]


def parent_of(pointer: str, content: dict[str, Any]) -> Any:
    """Give what holds the place at which a pointer points."""
    place: Any = content
    for part in pointer.split("/")[1:-1]:
        place = place[int(part) if part.isdigit() else part]
    return place


def fault_of(its: ReferralOfferContent) -> Invalid | None:
    try:
        checked(its)
    except Invalid as refused:
        return refused
    return None


@given(st.dictionaries(st.sampled_from(fields), hostile | st.lists(hostile, max_size=3), max_size=3))
def test_whatever_is_sent_is_an_offer_or_refused(content: Mapping[str, Any]) -> None:
    sent = {"name": "an offer", **content}
    try:
        its = msgspec.convert(sent, ReferralOfferContent, strict=True)
    except msgspec.ValidationError:
        return
    fault = fault_of(its)
    if fault is None:
        assert msgspec.json.decode(msgspec.json.encode(its), type=ReferralOfferContent) == its
    else:
        assert parent_of(fault.pointer, sent), fault.pointer
