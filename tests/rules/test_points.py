"""How points move between buckets."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from service.customers.rules import Balance, Customer, newcomer
from service.kernel.amounts import BOUND
from service.kernel.ids import IdSource
from service.points.account import Account
from service.points.rules import (
    Bucket,
    Cause,
    GreatestShareExceeded,
    check_redeemable,
    check_share,
    most_payable,
    moved,
    worth,
)
from service.programs.rules import PointValue

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
COUNTED = {Bucket.AVAILABLE, Bucket.PENDING, Bucket.HELD}

amounts = st.integers(1, BOUND)
balances = st.builds(Balance, amounts, amounts, amounts, amounts)


def total(balance: Balance) -> int:
    """Return the points that a customer has, debt taken off."""
    return balance.available + balance.pending + balance.held - balance.debt


def credited(customer: Customer, points: int) -> Account:
    account = Account(customer, NOW, IdSource(NOW, 1))
    account.grant(
        points,
        transfer_id=account.ids.next(),
        cause=Cause("purchase", "order-1"),
        rule="base",
        rule_version=4,
        occurred_at=NOW,
    )
    return account


def customer_with(available: int, debt: int, version: int) -> Customer:
    customer = newcomer(7, "c-1", NOW)
    return msgspec.structs.replace(customer, balance=Balance(available=available, debt=debt), version=version)


customers = st.builds(customer_with, st.just(0), amounts, st.integers(0, 10**6)) | st.builds(
    customer_with, st.integers(0, BOUND), st.just(0), st.integers(0, 10**6)
)


@given(balances, st.sampled_from(Bucket), st.sampled_from(Bucket), amounts)
def test_a_movement_takes_from_one_bucket_what_it_gives_to_another(
    before: Balance, source: Bucket, target: Bucket, points: int
) -> None:
    after = moved(before, source, target, points)
    inside = COUNTED | {Bucket.DEBT}
    assert total(after) - total(before) == points * ((target in inside) - (source in inside))
    assert moved(after, target, source, points) == before


def test_debt_grows_by_what_leaves_it_and_shrinks_by_what_comes_in() -> None:
    assert moved(Balance(debt=5), Bucket.DEBT, Bucket.REVERSED, 3) == Balance(debt=8)
    assert moved(Balance(available=5, debt=5), Bucket.AVAILABLE, Bucket.DEBT, 3) == Balance(available=2, debt=2)


@given(customers)
def test_no_points_book_nothing(customer: Customer) -> None:
    booked = credited(customer, 0)
    assert (booked.closed(), booked.transfers, booked.granted) == (customer, [], {})


@given(customers, amounts)
def test_points_earned_repay_debt_first_and_the_rest_is_a_lot(customer: Customer, points: int) -> None:
    booked = credited(customer, points)
    repaid = min(points, customer.balance.debt)
    after = booked.customer.balance
    assert after.debt == customer.balance.debt - repaid
    assert after.available == customer.balance.available + points - repaid
    assert after.debt == 0 or after.available == 0
    (lot,) = booked.granted.values()
    assert (lot.granted, lot.remaining) == (points, points - repaid)
    assert lot.id == booked.transfers[0].id
    assert lot.available_at == NOW < lot.expires_at


@given(customers, amounts)
def test_each_transfer_leads_from_the_balance_before_it_to_the_one_it_states(customer: Customer, points: int) -> None:
    booked = credited(customer, points)
    balance = customer.balance
    for step, transfer in enumerate(booked.transfers, start=1):
        balance = moved(balance, transfer.source, transfer.target, transfer.points)
        assert (transfer.after, transfer.version) == (balance, customer.version + step)
        assert transfer.points > 0
    assert (booked.customer.balance, booked.customer.version) == (balance, customer.version + len(booked.transfers))
    assert all(one.id < other.id for one, other in pairwise(booked.transfers))


@given(amounts, st.lists(st.integers(0, BOUND), max_size=20))
def test_whatever_is_earned_in_whatever_parts_the_sum_is_the_same(debt: int, parts: Sequence[int]) -> None:
    customer = customer_with(0, debt, 0)
    remaining = 0
    for points in parts:
        booked = credited(customer, points)
        customer = booked.customer
        remaining += sum(lot.remaining for lot in booked.granted.values())
    assert total(customer.balance) == sum(parts) - debt
    assert customer.balance.available == remaining


values = st.builds(
    PointValue,
    points=st.integers(1, 10**4),
    amount=st.integers(1, 10**4),
    minimum=st.integers(1, 100),
    step=st.integers(1, 100),
    greatest_share=st.integers(1, 10_000),
)


@given(st.integers(0, BOUND), values)
def test_the_most_points_that_pay_are_worth_the_share_and_one_more_is_worth_more(total: int, value: PointValue) -> None:
    assert value.greatest_share is not None
    share, most = total * value.greatest_share // 10_000, most_payable(total, value)
    assert most is not None
    assert worth(most, value) <= share < worth(most + 1, value)


@given(st.integers(1, BOUND), st.integers(-BOUND, BOUND), values)
def test_what_is_refused_names_the_most_that_would_not_be(points: int, left: int, value: PointValue) -> None:
    try:
        check_share(points, value, left)
    except GreatestShareExceeded as refused:
        assert points > left
        possible = int("".join(each for each in refused.detail if each.isdigit()))
        if possible:
            check_redeemable(possible, value)
            check_share(possible, value, left)
        next_one = -(-max(value.minimum, possible + 1) // value.step) * value.step
        assert next_one > left
    else:
        assert points <= left
