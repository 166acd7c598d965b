"""Vouchers: how codes are written and read, until when they are valid, what they are worth for an order."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.errors import Refusal
from service.platform.http.body import decode
from service.rewards.rules import Money, NewReward, Terms, VoucherTerms, checked, terms_of
from service.rewards.vouchers import (
    CODE_BITS,
    Order,
    Unredeemable,
    Voucher,
    code_of,
    discount,
    read_code,
    refusal_of,
    shown,
    unredeemable,
    valid_until,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PERCENT = {"kind": "percent_off", "basis_points": 1250}
AMOUNT = {"kind": "amount_off", "amount": 1000, "currency": "EUR"}
bits = st.integers(0, 2**CODE_BITS - 1)


def terms(gives: dict[str, Any] = PERCENT, **voucher: Any) -> Terms:
    """Make terms as they come over the wire."""
    body = {"name": "Less", "gives": gives, "points": 1, "voucher": voucher}
    return checked(terms_of(decode(msgspec.json.encode(body), NewReward)))


def issued(
    of: Terms, *, uses: int = 1, used: int = 0, ends: datetime | None = None, cancelled: datetime | None = None
) -> Voucher:
    """Make a voucher."""
    return Voucher(UUID(int=1), "X", True, UUID(int=2), 1, 1, uses, used, NOW, ends, cancelled, of)  # noqa: FBT003


@given(bits)
def test_a_code_holds_60_bits_in_characters_that_do_not_look_alike(number: int) -> None:
    code = code_of(number)
    assert len(code) == 12
    assert not set(code) & set("ILOU")
    assert code.isascii()
    assert code == code.upper()
    assert code.isalnum()
    assert code_of(number | 1 << CODE_BITS) == code, "further bits don't matter"


@given(bits, bits)
def test_other_bits_make_another_code(one: int, other: int) -> None:
    assert (code_of(one) == code_of(other)) == (one == other)


def test_a_code_is_shown_in_groups_of_four() -> None:
    assert shown(code_of(0)) == "0000-0000-0000"
    assert shown(code_of(2**60 - 1)) == "ZZZZ-ZZZZ-ZZZZ"
    assert shown(code_of(1 << 40)) == "0001-0000-0000"


@given(bits, st.randoms(use_true_random=False))
def test_a_code_is_read_however_it_is_typed(number: int, random: Any) -> None:
    look_alikes = {"0": "0oO", "1": "1iIlL"}
    typed = ""
    for character in shown(code_of(number)):
        spellings = look_alikes.get(character, character.lower() + character.upper())
        typed += random.choice(["", "-", " "]) + random.choice(spellings)
    assert read_code(typed) == code_of(number)


@pytest.mark.parametrize(
    "text", ["", "-", "0000-0000-000", "0000-0000-00000", "0000-0000-000U", "0000_0000_0000", "ß" * 6]
)
def test_what_can_be_no_code_is_none(text: str) -> None:
    assert read_code(text) is None


@pytest.mark.parametrize(
    ("days", "zone", "ends"),
    [
        (0, "UTC", datetime(2026, 11, 22, tzinfo=UTC)),
        (30, "UTC", datetime(2026, 12, 22, tzinfo=UTC)),
        (1, "Europe/Berlin", datetime(2026, 11, 22, 23, tzinfo=UTC)),
        (1, "Pacific/Auckland", datetime(2026, 11, 23, 11, tzinfo=UTC)),
        (180, "Europe/Berlin", datetime(2027, 5, 20, 22, tzinfo=UTC)),
    ],
)
def test_the_last_day_is_whole_in_the_programs_time_zone(days: int, zone: str, ends: datetime) -> None:
    """As Voucherify's months (worked_examples.md, Points): what ends with a day ends where the next begins."""
    assert valid_until(VoucherTerms(days_valid=days), NOW, zone) == ends


def test_without_days_a_voucher_is_valid_for_ever() -> None:
    assert valid_until(VoucherTerms(), NOW, "UTC") is None


@pytest.mark.parametrize(
    ("its", "amount", "worth"),
    [
        (terms(AMOUNT), 5000, 1000),
        (terms(AMOUNT), 999, 999),
        (terms(AMOUNT), 0, 0),
        (terms(AMOUNT, maximum_discount={"amount": 700, "currency": "EUR"}), 5000, 700),
        (terms(), 8000, 1000),
        (terms(), 7999, 999),  # 999.875
        (terms(), 7, 0),
        (terms({"kind": "percent_off", "basis_points": 10_000}), 10**12, 10**12),
        (terms(maximum_discount={"amount": 1500, "currency": "EUR"}), 100_000, 1500),
    ],
)
def test_a_discount_is_rounded_down_and_at_most_its_maximum_and_the_order(its: Terms, amount: int, worth: int) -> None:
    assert discount(its, Order(amount, "EUR")) == Money(worth, "EUR")


@pytest.mark.parametrize(
    "gives",
    [
        {"kind": "free_product", "sku": "TEA-1"},
        {"kind": "service_trial", "service": "premium", "days": 30},
        {"kind": "experience", "description": "a tour"},
        {"kind": "event_ticket", "event": "Concert"},
        {"kind": "gift", "description": "a mug"},
    ],
    ids=lambda gives: gives["kind"],
)
def test_what_is_no_discount_takes_nothing_off(gives: dict[str, Any]) -> None:
    assert discount(terms(gives), Order(5000, "EUR")) is None


@given(st.integers(0, 10**12), st.integers(1, 10_000), st.integers(1, 10**12))
def test_no_discount_is_more_than_the_order_or_its_maximum(amount: int, basis_points: int, greatest: int) -> None:
    its = terms(
        {"kind": "percent_off", "basis_points": basis_points}, maximum_discount={"amount": greatest, "currency": "EUR"}
    )
    worth = discount(its, Order(amount, "EUR"))
    assert worth is not None
    assert 0 <= worth.amount <= min(amount, greatest)
    assert worth.amount in {amount * basis_points // 10_000, greatest}


def test_a_voucher_is_redeemed_as_often_as_it_may_be_until_it_ends() -> None:
    its, moment = terms(), timedelta(microseconds=1)
    assert unredeemable(issued(its, uses=2, used=1), now=NOW, order=None) is None
    assert unredeemable(issued(its, uses=2, used=2), now=NOW, order=None) is Unredeemable.USED_UP
    assert unredeemable(issued(its, ends=NOW + moment), now=NOW, order=None) is None
    assert unredeemable(issued(its, ends=NOW), now=NOW, order=None) is Unredeemable.EXPIRED
    assert unredeemable(issued(its, ends=NOW, cancelled=NOW, used=1), now=NOW, order=None) is Unredeemable.CANCELLED


MINIMUM = {"minimum_order": {"amount": 2000, "currency": "EUR"}}


@pytest.mark.parametrize(
    ("its", "order", "reason"),
    [
        (terms(), Order(1, "JPY"), None),
        (terms(AMOUNT), Order(1, "EUR"), None),
        (terms(AMOUNT), Order(1, "USD"), Unredeemable.OTHER_CURRENCY),
        (terms(maximum_discount={"amount": 1, "currency": "EUR"}), Order(1, "USD"), Unredeemable.OTHER_CURRENCY),
        (terms(**MINIMUM), Order(9999, "USD"), Unredeemable.OTHER_CURRENCY),
        (terms(**MINIMUM), Order(2000, "EUR"), None),
        (terms(**MINIMUM), Order(1999, "EUR"), Unredeemable.BELOW_MINIMUM_ORDER),
        (terms(categories=["tea"]), Order(1, "EUR"), Unredeemable.OTHER_CATEGORIES),
        (terms(categories=["tea"]), Order(1, "EUR", frozenset({"coffee", "Tea"})), Unredeemable.OTHER_CATEGORIES),
        (terms(categories=["tea", "mugs"]), Order(1, "EUR", frozenset({"coffee", "mugs"})), None),
    ],
)
def test_a_voucher_is_held_against_the_order(its: Terms, order: Order, reason: Unredeemable | None) -> None:
    assert unredeemable(issued(its), now=NOW, order=order) is reason
    assert unredeemable(issued(its), now=NOW, order=None) is None


def test_each_reason_has_a_refusal_that_is_a_conflict() -> None:
    for reason in Unredeemable:
        refusal = refusal_of(reason)
        assert isinstance(refusal, Refusal)
        assert refusal.kind.value == "conflict"
        assert refusal is not refusal_of(reason), "one that is raised is nobody else's"
