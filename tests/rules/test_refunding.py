"""Refunds by examples: those of the contract, those that others published, and what is refused."""

from collections.abc import Sequence

import pytest

from service.earning.effects import base_line
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.platform.http.body import decode
from service.programs.rules import BaseRule, EarnRate
from service.purchases.refunding import (
    EarnedLine,
    ItemReturn,
    Minimum,
    Refundable,
    Refunded,
    RefundExceedsPurchase,
    RefundRequest,
    Returned,
    Reversal,
    refund,
)
from service.purchases.rules import Item
from tests.rules.earning import bought
from tests.rules.refund_histories import after, by_amount, by_items, refunds


def reversals(answers: Sequence[Returned]) -> list[int]:
    return [answer.reversed_points for answer in answers]


def test_the_contract_refunds_50_00_of_129_90_and_takes_50_of_129_points() -> None:
    """The shapes of `POST /v1/purchases/{id}/refunds`."""
    purchase = Refundable(12_990, [Item("1", 12_500, 2)], [EarnedLine("base", 129)])
    (answer,) = refunds(purchase, by_amount(5000))
    assert (answer.amount, answer.reversals) == (5000, [Reversal("base", 50)])
    (answer,) = refunds(purchase, by_items(("1", 1)))
    assert (answer.amount, answer.reversed_points) == (6250, 129 - 66)


def test_nobull_100_points_for_100_dollars_and_75_back_leave_25() -> None:
    """NOBULL, "Refunds & Tier Status", example of a partial refund."""
    (answer,) = refunds(Refundable(10_000, [], [EarnedLine("base", 100)]), by_amount(7500))
    assert answer.reversed_points == 100 - 25


def test_bon_products_of_40_60_and_20_the_second_and_then_the_third_come_back() -> None:
    """BON Loyalty, "Points refund and deduction policy for refunded orders", a point for each dollar."""
    items = [Item("x", 4000), Item("y", 6000), Item("z", 2000)]
    purchase = Refundable(12_000, items, [EarnedLine("base", 120)])
    assert reversals(refunds(purchase, by_items(("y", 1)), by_items(("z", 1)))) == [60, 20]
    assert reversals(refunds(purchase, by_amount(6000), by_amount(2000))) == [60, 20]


def test_appstle_two_items_of_10_dollars_come_back_one_by_one() -> None:
    """Appstle, "Refunds and returns": 20 points, 10 after the first, 0 after the second."""
    purchase = Refundable(2000, [Item("a", 1000), Item("b", 1000)], [EarnedLine("base", 20)])
    assert reversals(refunds(purchase, by_items(("a", 1)), by_items(("b", 1)))) == [10, 10]


def test_mage_500_points_for_100_dollars_20_and_30_come_back() -> None:
    """Mage Loyalty, "How refunds affect points", multiple partial refunds; amount-only refunds are the same."""
    purchase = Refundable(10_000, [Item("a", 2000), Item("b", 8000, 8)], [EarnedLine("base", 500)])
    assert reversals(refunds(purchase, by_items(("a", 1)), by_items(("b", 3)))) == [100, 150]
    assert reversals(refunds(purchase, by_amount(2000), by_amount(3000))) == [100, 150]


def test_square_10_points_of_105_00_keep_their_share_and_a_promotion_of_6_its_own() -> None:
    """Square: 1 point per 10.00, fractions dropped; a promotion of 1.5 on 4 points makes 6 of them, 2 on top.

    What is kept is a share of what was earned: 9 of the 10, though 100.00 alone would have earned 10.
    """
    line = base_line(BaseRule(rates={"USD": EarnRate(points=1, amount=1000)}), 1, bought("USD", 10_500))
    purchase = Refundable(10_500, [], [EarnedLine(line.rule, line.points)])
    assert line.points == 10
    assert reversals(refunds(purchase, by_amount(500), by_amount(10_000))) == [1, 9]
    promoted = Refundable(4000, [], [EarnedLine("base", 4), EarnedLine("promotion", 2)])
    half, rest = refunds(promoted, by_amount(2000), by_amount(2000))
    assert half.reversals == rest.reversals == [Reversal("base", 2), Reversal("promotion", 1)]


def test_pieces_of_an_item_are_worth_its_amount_together_whatever_the_steps() -> None:
    purchase = Refundable(1000, [Item("a", 1000, 3)], [])
    one = by_items(("a", 1))
    assert [answer.amount for answer in refunds(purchase, one, one, one)] == [333, 333, 334]
    assert [answer.amount for answer in refunds(purchase, by_items(("a", 2)), one)] == [666, 334]


def test_items_that_come_to_more_than_the_total_give_no_more_than_it() -> None:
    purchase = Refundable(8000, [Item("a", 6000), Item("b", 4000)], [EarnedLine("base", 80)], captured=200)
    first, second = refunds(purchase, by_items(("a", 1)), by_items(("b", 1)))
    assert (first.amount, first.reversed_points, first.restored) == (6000, 60, 150)
    assert (second.amount, second.reversed_points, second.restored) == (2000, 20, 50)


def test_what_items_do_not_name_stays_until_it_is_refunded_by_amount() -> None:
    """Shipping of 5.00 is paid for, and keeps its share, until it is refunded too."""
    purchase = Refundable(2500, [Item("a", 2000)], [EarnedLine("base", 25)], captured=50)
    goods, shipping = refunds(purchase, by_items(("a", 1)), by_amount(500))
    assert (goods.amount, goods.reversed_points, goods.restored) == (2000, 20, 40)
    assert (shipping.amount, shipping.reversed_points, shipping.restored) == (500, 5, 10)


def test_pieces_may_come_back_after_all_the_money_did() -> None:
    purchase = Refundable(2000, [Item("a", 2000, 2)], [EarnedLine("base", 20)], captured=50)
    money, goods = refunds(purchase, by_amount(2000), by_items(("a", 2)))
    assert (money.amount, money.reversed_points, money.restored) == (2000, 20, 50)
    assert (goods.amount, goods.reversals, goods.restored) == (0, [], 0)


TWO_ITEMS = Refundable(
    20_000,
    [Item("tea", 10_000, 2), Item("cup", 10_000)],
    [EarnedLine("base", 200), EarnedLine("tea", 100, ("tea",))],
)


@pytest.mark.parametrize(
    ("history", "base", "tea"),
    [
        ([by_items(("cup", 1))], 100, 100),
        ([by_items(("tea", 1))], 150, 50),
        ([by_amount(5000)], 150, 75),
        # What is left of the money, 50.00 of 100.00, is left of the tea alone.
        ([by_items(("cup", 1)), by_amount(5000)], 50, 50),
        ([by_amount(5000), by_items(("cup", 1))], 50, 50),
        # The amount lies on one piece of tea and the cup, 75.00 of 150.00; half of the tea is there.
        ([by_items(("tea", 1)), by_amount(7500)], 75, 25),
        ([by_amount(7500), by_items(("tea", 1))], 75, 25),
        ([by_amount(5000), by_items(("tea", 2))], 50, 0),
    ],
)
def test_a_rule_on_items_shrinks_by_their_share_and_every_rule_by_amounts(
    history: list[RefundRequest], base: int, tea: int
) -> None:
    state = after(TWO_ITEMS, history)
    kept = {line.rule: line.points - state.reversed_points.get(line.rule, 0) for line in TWO_ITEMS.lines}
    assert kept == {"base": base, "tea": tea}


def test_items_that_cost_nothing_count_by_their_pieces() -> None:
    purchase = Refundable(1000, [Item("a", 1000), Item("gift", 0, 3)], [EarnedLine("survey", 30, ("gift",))])
    first, second = refunds(purchase, by_items(("gift", 1)), by_items(("a", 1)))
    assert (first.amount, first.reversed_points) == (0, 10)
    assert (second.amount, second.reversed_points) == (1000, 20)


def test_a_purchase_that_points_paid_goes_back_by_the_amounts_of_its_items() -> None:
    purchase = Refundable(0, [Item("a", 3000, 3), Item("b", 1000)], [EarnedLine("visit", 10)], captured=401)
    one, rest = refunds(purchase, by_items(("a", 1)), by_amount(0))
    assert (one.amount, one.reversed_points, one.restored) == (0, 3, 100)
    assert (rest.amount, rest.reversed_points, rest.restored) == (0, 7, 301)
    by_item = refunds(purchase, by_items(("a", 3)), by_items(("b", 1)))
    assert [answer.restored for answer in by_item] == [300, 101]


def test_a_purchase_of_nothing_but_free_pieces_goes_back_by_pieces() -> None:
    purchase = Refundable(0, [Item("a", 0, 3), Item("b", 0)], [EarnedLine("visit", 4)], captured=9)
    answers = refunds(purchase, by_items(("a", 2)), by_items(("a", 1), ("b", 1)))
    assert [(answer.reversed_points, answer.restored) for answer in answers] == [(2, 4), (2, 5)]


def bonus(minimum: Minimum, items: tuple[str, ...] | None = None) -> Refundable:
    return Refundable(
        10_000,
        [Item("tea", 6000, 6), Item("cup", 4000)],
        [EarnedLine("base", 100), EarnedLine("bonus", 500, items, minimum)],
    )


@pytest.mark.parametrize(
    ("purchase", "first", "second"),
    [
        # At the minimum the bonus keeps its share, a cent below it goes.
        (bonus(Minimum(5000)), by_amount(5000), by_amount(1)),
        # On items: 50.00 of tea are asked for; the cup doesn't matter.
        (bonus(Minimum(5000, ("tea",)), ("tea",)), by_items(("tea", 1), ("cup", 1)), by_items(("tea", 1))),
        # Tea gives the bonus, the order has the minimum.
        (bonus(Minimum(5000), ("tea",)), by_items(("cup", 1), ("tea", 1)), by_items(("tea", 1))),
        # The rule counted 80.00 of the 100.00, and 40.00 of that are left of 50.00.
        (bonus(Minimum(4000, counted=8000)), by_amount(5000), by_amount(1)),
    ],
)
def test_a_bonus_goes_whole_once_too_little_is_left_of_what_it_asked_for(
    purchase: Refundable, first: RefundRequest, second: RefundRequest
) -> None:
    enough, too_little = refunds(purchase, first, second)
    assert 0 < enough.after.reversed_points.get("bonus", 0) < 500
    assert too_little.after.reversed_points["bonus"] == 500


def test_a_bonus_whose_minimum_was_never_there_goes_only_with_a_return() -> None:
    purchase = bonus(Minimum(9000, ("tea",)), ("tea",))
    (cup,) = refunds(purchase, by_items(("cup", 1)))
    assert "bonus" not in cup.after.reversed_points


def test_rules_that_gave_nothing_give_nothing_back() -> None:
    (answer,) = refunds(Refundable(1000, [], [EarnedLine("none", 0), EarnedLine("base", 10)]), by_amount(1000))
    assert answer.reversals == [Reversal("base", 10)]
    assert answer.after.reversed_points == {"base": 10}


def test_what_was_taken_under_another_reckoning_is_never_given_back_by_a_refund() -> None:
    before = Refunded(by_amount=100, reversed_points={"base": 9}, restored=40)
    answer = refund(Refundable(1000, [], [EarnedLine("base", 10)], captured=50), by_amount(100), before)
    assert (answer.reversals, answer.restored, answer.after.reversed_points) == ([], 0, {"base": 9})


def test_a_rule_has_one_line() -> None:
    with pytest.raises(ValueError, match="one line"):
        Refundable(1000, [], [EarnedLine("base", 1), EarnedLine("base", 2)])


@pytest.mark.parametrize(
    ("before", "request_", "pointer", "reason"),
    [
        ([], RefundRequest(), "/amount", "missing"),
        ([], RefundRequest(amount=1, items=[ItemReturn("tea", 1)]), "/items", "contradictory"),
        ([], by_amount(0), "/amount", "out_of_range"),
        ([], by_items(("cup", 1), ("tea", 1), ("cup", 1)), "/items/2/id", "duplicate"),
        ([], by_items(("cup", 1), ("pot", 1)), "/items/1/id", "unknown_item"),
        ([], by_amount(20_001), "/amount", "refund_exceeds_purchase"),
        ([by_items(("cup", 1))], by_amount(10_001), "/amount", "refund_exceeds_purchase"),
        ([by_amount(20_000)], by_amount(1), "/amount", "refund_exceeds_purchase"),
        ([], by_items(("cup", 1), ("tea", 3)), "/items/1/quantity", "refund_exceeds_purchase"),
        ([by_items(("tea", 1))], by_items(("tea", 2)), "/items/0/quantity", "refund_exceeds_purchase"),
    ],
)
def test_a_refund_that_can_not_be_is_refused_with_a_pointer(
    before: list[RefundRequest], request_: RefundRequest, pointer: str, reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        refund(TWO_ITEMS, request_, after(TWO_ITEMS, before))
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)
    assert (refused.value.code == "refund_exceeds_purchase") == (reason == "refund_exceeds_purchase")


@pytest.mark.parametrize("first", [by_amount(0), by_items(("a", 1))])
def test_a_total_of_0_is_returned_once(first: RefundRequest) -> None:
    purchase = Refundable(0, [Item("a", 1000)], [], captured=100)
    with pytest.raises(RefundExceedsPurchase) as refused:
        refunds(purchase, first, by_amount(0))
    assert refused.value.pointer == "/amount"
    with pytest.raises(RefundExceedsPurchase):
        refunds(purchase, by_amount(1))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"amount":-1}', "/amount"),
        (b'{"amount":1000000000001}', "/amount"),
        (b'{"amount":1.5}', "/amount"),
        (b'{"items":[]}', "/items"),
        (b'{"items":[{"id":"a"}]}', "/items/0/quantity"),
        (b'{"items":[{"id":"a","quantity":0}]}', "/items/0/quantity"),
        (b'{"items":[{"id":"","quantity":1}]}', "/items/0/id"),
    ],
)
def test_a_body_out_of_bounds_is_refused(body: bytes, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode(body, RefundRequest)
    assert refused.value.pointer == pointer


def test_whole_numbers_stay_whole_at_the_bounds() -> None:
    """The quotient is 666,666,666,664.999999999999: a float holds it as 666,666,666,665."""
    share, rest, points = 666_666_666_667, 333_333_333_333, BOUND - 3
    purchase = Refundable(BOUND, [Item("a", BOUND)], [EarnedLine("base", points)], captured=points)
    (answer,) = refunds(purchase, by_amount(rest))
    assert points - answer.reversed_points == 666_666_666_664
    (answer,) = refunds(purchase, by_amount(share))
    assert answer.restored == 666_666_666_664
    pieces = Refundable(BOUND, [Item("a", BOUND - 7, 10**6)], [])
    assert refunds(pieces, by_items(("a", 999_999)))[0].amount == (BOUND - 7) * 999_999 // 10**6
