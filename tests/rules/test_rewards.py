"""Rewards: what terms may be, what a change comes to, and who can have one now."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.errors import Invalid
from service.platform.http.body import decode
from service.rewards.rules import (
    CodeSource,
    Hindrance,
    NewReward,
    Reward,
    RewardChange,
    RewardStatus,
    StockTaken,
    WhyNot,
    changed,
    checked,
    hindrance,
    refusal_of,
    stock_of,
    terms_of,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GIFT = {"kind": "gift", "description": "a mug"}
BODY: dict[str, Any] = {"name": "Mug", "gives": GIFT, "points": 100}


def new(**changes: Any) -> NewReward:
    """Decode a reward as it comes over the wire; a change to `...` leaves the field out."""
    body = {name: value for name, value in (BODY | changes).items() if value is not ...}
    return decode(msgspec.json.encode(body), NewReward)


def reward(*, taken: int = 0, **changes: Any) -> Reward:
    """Make a reward that is there."""
    made = new(**changes)
    return Reward(UUID(int=1), 1, made.status, made.codes, stock_of(made), taken, NOW, checked(terms_of(made)))


def why(
    it: Reward, *, now: datetime = NOW, had: int = 0, points: int | None = 100, is_of_tier: bool = True
) -> WhyNot | None:
    """Tell why not."""
    found = hindrance(it, now=now, had=had, points=points, is_of_tier=is_of_tier)
    return None if found is None else found.why


KINDS = (
    {"kind": "amount_off", "amount": 1000, "currency": "EUR"},
    {"kind": "percent_off", "basis_points": 10_000},
    {"kind": "free_product", "sku": "TEA-1"},
    {"kind": "service_trial", "service": "premium", "days": 30},
    {"kind": "experience", "description": "a tasting", "place": "Bonn"},
    {"kind": "event_ticket", "event": "Concert", "starts_at": "2026-12-24T20:00:00+01:00"},
    {"kind": "gift", "description": "a mug"},
)


@pytest.mark.parametrize("gives", KINDS, ids=lambda gives: gives["kind"])
def test_each_kind_of_the_glossary_has_the_fields_that_it_needs(gives: dict[str, Any]) -> None:
    assert checked(terms_of(new(gives=gives))).gives == new(gives=gives).gives
    needed = next(name for name in gives if name != "kind")
    with pytest.raises(Invalid) as refused:
        new(gives={name: value for name, value in gives.items() if name != needed})
    assert refused.value.pointer == f"/gives/{needed}"


@pytest.mark.parametrize(
    ("change", "pointer", "reason"),
    [
        ({"name": ""}, "/name", "out_of_range"),
        ({"points": 0}, "/points", "out_of_range"),
        ({"points": 10**12 + 1}, "/points", "out_of_range"),
        ({"points": ...}, "/points", "missing"),
        ({"gives": {"description": "x"}}, "/gives/kind", "missing"),
        ({"gives": {"kind": "car"}}, "/gives/kind", "invalid_format"),
        ({"gives": GIFT | {"sku": ""}}, "/gives/sku", "out_of_range"),
        ({"gives": {"kind": "percent_off", "basis_points": 10_001}}, "/gives/basis_points", "out_of_range"),
        ({"gives": {"kind": "amount_off", "amount": 1, "currency": "XAU"}}, "/gives/currency", "unknown_currency"),
        ({"value": {"amount": 0, "currency": "EUR"}}, "/value/amount", "out_of_range"),
        ({"value": {"amount": 1, "currency": "XTS"}}, "/value/currency", "unknown_currency"),
        ({"stock": -1}, "/stock", "out_of_range"),
        ({"stock": 5, "codes": "third_party"}, "/stock", "not_allowed"),
        ({"limit_per_customer": 0}, "/limit_per_customer", "out_of_range"),
        ({"valid_from": "2026-01-01T00:00:00"}, "/valid_from", "naive_time"),
        ({"valid_from": "0001-01-01T00:00:00+01:00"}, "/valid_from", "out_of_range"),
        ({"valid_until": "9999-12-31T23:59:59-01:00"}, "/valid_until", "out_of_range"),
        (
            {"valid_from": "2026-01-01T00:00:00Z", "valid_until": "2026-01-01T01:00:00+01:00"},
            "/valid_until",
            "out_of_range",
        ),
        ({"voucher": {"uses": 0}}, "/voucher/uses", "out_of_range"),
        ({"voucher": {"days_valid": -1}}, "/voucher/days_valid", "out_of_range"),
        ({"voucher": {"categories": ["a", "b", "a"]}}, "/voucher/categories/2", "duplicate"),
        (
            {"voucher": {"minimum_order": {"amount": 1, "currency": "XXX"}}},
            "/voucher/minimum_order/currency",
            "unknown_currency",
        ),
        (
            {
                "gives": {"kind": "amount_off", "amount": 1, "currency": "EUR"},
                "voucher": {"minimum_order": {"amount": 1, "currency": "USD"}},
            },
            "/voucher/minimum_order/currency",
            "other_currency",
        ),
        (
            {
                "voucher": {
                    "minimum_order": {"amount": 1, "currency": "USD"},
                    "maximum_discount": {"amount": 1, "currency": "EUR"},
                }
            },
            "/voucher/maximum_discount/currency",
            "other_currency",
        ),
        ({"nope": 1}, "/nope", "unknown_field"),
    ],
)
def test_a_reward_that_contradicts_itself_is_refused_with_a_pointer(
    change: dict[str, Any], pointer: str, reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        reward(**change)
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)


def test_a_reward_can_be_had_by_who_has_the_points() -> None:
    assert why(reward()) is None
    assert hindrance(reward(), now=NOW, had=0, points=70, is_of_tier=True) == Hindrance(WhyNot.NOT_ENOUGH_POINTS, 30)
    assert hindrance(reward(), now=NOW, had=0, points=0, is_of_tier=True) == Hindrance(WhyNot.NOT_ENOUGH_POINTS, 100)
    assert why(reward(), points=None) is None, "a gift of a campaign asks for none"


def test_the_last_piece_can_be_had_and_then_none() -> None:
    assert why(reward(taken=4, stock=5)) is None
    assert why(reward(taken=5, stock=5)) is WhyNot.OUT_OF_STOCK
    assert why(reward(stock=0)) is WhyNot.OUT_OF_STOCK
    assert why(reward(taken=10**12)) is None, "without a stock it is endless"
    assert why(reward(codes="third_party")) is WhyNot.OUT_OF_STOCK, "no code is loaded yet"


def test_a_customer_has_as_many_as_one_may_and_no_more() -> None:
    assert why(reward(limit_per_customer=2), had=1) is None
    assert why(reward(limit_per_customer=2), had=2) is WhyNot.LIMIT_REACHED
    assert why(reward(), had=10**6) is None


def test_a_reward_can_be_had_from_its_first_moment_to_before_its_last() -> None:
    period: dict[str, Any] = {"valid_from": "2026-11-21T13:00:00+01:00", "valid_until": "2026-11-22T12:00:00Z"}
    moment, its = timedelta(microseconds=1), reward(**period)
    assert why(its, now=NOW - moment) is WhyNot.NOT_YET
    assert why(its, now=NOW) is None
    assert why(its, now=NOW + timedelta(days=1) - moment) is None
    assert why(its, now=NOW + timedelta(days=1)) is WhyNot.OVER


def test_drafts_archived_ones_and_those_of_a_tier_cannot_be_had() -> None:
    assert why(reward(status="draft")) is WhyNot.DRAFT
    assert why(reward(status="archived")) is WhyNot.ARCHIVED
    assert why(reward(minimum_tier="gold")) is None
    assert why(reward(minimum_tier="gold"), is_of_tier=False) is WhyNot.TIER_TOO_LOW
    refusal = refusal_of(WhyNot.TIER_TOO_LOW, reward(minimum_tier="gold").terms)
    assert (refusal.code, refusal.detail) == (
        "reward_tier_too_low",
        "This reward asks for at least the tier gold.",
    )


@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "status": st.sampled_from(["draft", "active", "archived"]),
            "stock": st.integers(0, 3),
            "limit_per_customer": st.integers(1, 3),
        },
    ),
    had=st.integers(0, 3),
    points=st.integers(0, 200),
    is_of_tier=st.booleans(),
)
def test_points_are_missing_only_where_nothing_else_is(
    *, changes: dict[str, Any], had: int, points: int, is_of_tier: bool
) -> None:
    its = reward(**changes)
    with_points = hindrance(its, now=NOW, had=had, points=points, is_of_tier=is_of_tier)
    without = hindrance(its, now=NOW, had=had, points=None, is_of_tier=is_of_tier)
    if without is not None:
        assert with_points == without
    else:
        missing = 100 - points
        assert with_points == (Hindrance(WhyNot.NOT_ENOUGH_POINTS, missing) if missing > 0 else None)


def change(**given: Any) -> RewardChange:
    """Decode a change."""
    return decode(msgspec.json.encode(given), RewardChange)


def test_other_terms_make_a_version_and_what_is_left_out_stays() -> None:
    before = reward(value={"amount": 500, "currency": "EUR"}, voucher={"uses": 3, "days_valid": 5})
    after = changed(before, change(points=200, value=None, voucher={"uses": 2}))
    assert (after.version, after.terms.points, after.terms.value, after.terms.name) == (2, 200, None, "Mug")
    assert (after.terms.voucher.uses, after.terms.voucher.days_valid) == (2, None), "replaced whole"
    assert changed(after, change(points=200)) == after
    assert changed(after, change()) == after


def test_status_and_stock_stand_beside_the_terms_and_make_no_version() -> None:
    after = changed(reward(stock=5, taken=2), change(status="archived", stock=None))
    assert (after.version, after.status, after.stock) == (1, RewardStatus.ARCHIVED, None)
    assert changed(after, change(stock=2)).stock == 2


def test_a_stock_is_not_below_what_is_taken_and_not_set_for_loaded_codes() -> None:
    with pytest.raises(StockTaken):
        changed(reward(stock=5, taken=2), change(stock=1))
    loaded = reward(codes="third_party")
    assert loaded.codes is CodeSource.THIRD_PARTY
    with pytest.raises(Invalid) as refused:
        changed(loaded, change(stock=10))
    assert refused.value.pointer == "/stock"
    with pytest.raises(Invalid):
        changed(loaded, change(stock=None))


def test_a_change_is_held_against_what_stays() -> None:
    before = reward(valid_until="2026-12-01T00:00:00Z")
    with pytest.raises(Invalid) as refused:
        changed(before, change(valid_from="2026-12-02T00:00:00Z"))
    assert refused.value.pointer == "/valid_until"
