"""Refunds in any number, of both kinds and in any order, against the slow model and by what must always hold."""

from random import Random

import msgspec
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.purchases.refunding import (
    EarnedLine,
    Refundable,
    Refunded,
    RefundExceedsPurchase,
    RefundRequest,
    refund,
    restorable,
)
from tests.rules.refund_histories import (
    Model,
    after,
    amounts,
    by_amount,
    by_items,
    histories,
    is_refunded_whole,
    purchases,
    refunds,
    requests,
)


@given(histories())
def test_every_refund_comes_to_what_the_model_says(drawn: tuple[Refundable, list[RefundRequest]]) -> None:
    purchase, history = drawn
    for step, answer in enumerate(refunds(purchase, *history), start=1):
        model = Model(purchase, history[:step])
        assert answer.after.amount == model.refunded
        assert answer.after.restored == model.restored()
        for line in purchase.lines:
            assert line.points - answer.after.reversed_points.get(line.rule, 0) == model.kept(line)


@given(histories())
def test_each_refund_is_the_difference_that_it_makes(drawn: tuple[Refundable, list[RefundRequest]]) -> None:
    purchase, history = drawn
    before = Refunded()
    for answer in refunds(purchase, *history):
        assert answer.amount == answer.after.amount - before.amount >= 0
        assert answer.restored == answer.after.restored - before.restored >= 0
        gone = {
            rule: points - before.reversed_points.get(rule, 0) for rule, points in answer.after.reversed_points.items()
        }
        assert {each.rule: each.points for each in answer.reversals} == {
            rule: points for rule, points in gone.items() if points
        }
        assert all(each.points > 0 for each in answer.reversals)
        assert answer.reversed_points == sum(gone.values())
        before = answer.after


@given(histories())
def test_never_more_is_reversed_than_earned_nor_restored_than_captured_nor_refunded_than_paid(
    drawn: tuple[Refundable, list[RefundRequest]],
) -> None:
    purchase, history = drawn
    state = after(purchase, history)
    earned = {line.rule: line.points for line in purchase.lines}
    assert all(0 < points <= earned[rule] for rule, points in state.reversed_points.items())
    assert 0 <= state.restored <= purchase.captured
    assert 0 <= state.amount <= purchase.total
    quantities = {item.id: item.quantity for item in purchase.items}
    assert all(0 < pieces <= quantities[item_id] for item_id, pieces in state.quantities.items())


@given(histories())
def test_after_any_split_the_refund_of_the_rest_reverses_and_restores_all(
    drawn: tuple[Refundable, list[RefundRequest]],
) -> None:
    purchase, history = drawn
    if not is_refunded_whole(purchase, after(purchase, history)):
        history.append(by_amount(purchase.total - after(purchase, history).amount))
    answers = refunds(purchase, *history)
    assert sum(answer.amount for answer in answers) == purchase.total
    assert sum(answer.restored for answer in answers) == purchase.captured
    assert sum(answer.reversed_points for answer in answers) == sum(line.points for line in purchase.lines)
    for line in purchase.lines:
        taken = [each.points for answer in answers for each in answer.reversals if each.rule == line.rule]
        assert sum(taken) == line.points


@given(histories())
def test_while_something_is_left_no_more_is_given_back_than_its_share(
    drawn: tuple[Refundable, list[RefundRequest]],
) -> None:
    purchase, history = drawn
    state = after(purchase, history)
    if purchase.total and not is_refunded_whole(purchase, state):
        assert state.restored * purchase.total <= purchase.captured * state.amount


@given(histories())
def test_items_that_came_back_whole_keep_no_points(drawn: tuple[Refundable, list[RefundRequest]]) -> None:
    purchase, history = drawn
    state = after(purchase, history)
    left = {item.id: item.quantity - state.quantities.get(item.id, 0) for item in purchase.items}
    if left and not any(left.values()):
        for line in purchase.lines:
            if line.items is not None and set(line.items) & left.keys():
                assert state.reversed_points.get(line.rule, 0) == line.points


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_refunds_changes_nothing_where_all_are_accepted(
    drawn: tuple[Refundable, list[RefundRequest]], random: Random
) -> None:
    purchase, history = drawn
    shuffled = history.copy()
    random.shuffle(shuffled)
    try:
        other = after(purchase, shuffled)
    except RefundExceedsPurchase:  # an amount after items that took all: of these, one order is refused
        reject()
    assert other == after(purchase, history)


@given(histories(), st.data())
def test_one_refund_or_two_of_its_parts_are_the_same(
    drawn: tuple[Refundable, list[RefundRequest]], data: st.DataObject
) -> None:
    purchase, history = drawn
    assume(history)
    *earlier, last = history
    if last.items is None:
        whole = last.amount or 0
        assume(whole > 1)
        part = data.draw(st.integers(1, whole - 1))
        parts = [by_amount(part), by_amount(whole - part)]
    else:
        pieces = [each for each in last.items if each.quantity > 1]
        assume(pieces)
        chosen = data.draw(st.sampled_from(pieces))
        part = data.draw(st.integers(1, chosen.quantity - 1))
        rest = [(each.id, each.quantity - (part if each is chosen else 0)) for each in last.items]
        parts = [by_items((chosen.id, part)), by_items(*rest)]
    assert after(purchase, [*earlier, *parts]) == after(purchase, history)


@given(histories())
def test_rules_on_single_items_shrink_together_as_one_rule_on_the_whole(
    drawn: tuple[Refundable, list[RefundRequest]],
) -> None:
    """A point for each minor unit, given item by item or for the total, is the same where the items are the total."""
    drawn_purchase, history = drawn
    items = [item for item in drawn_purchase.items if item.amount]
    assume(items and sum(item.amount for item in items) <= BOUND)
    total = sum(item.amount for item in items)
    lines = [EarnedLine(item.id, item.amount, (item.id,)) for item in items]
    purchase = Refundable(total, drawn_purchase.items, [EarnedLine("whole", total), *lines])
    state = Refunded()
    for request in history:
        try:
            state = refund(purchase, request, state).after
        except Invalid:
            continue
    kept = {line.rule: line.points - state.reversed_points.get(line.rule, 0) for line in purchase.lines}
    whole = kept.pop("whole")
    assert whole == total - state.amount
    assert whole - len(items) < sum(kept.values()) <= whole


@given(purchases(), st.data())
def test_refused_is_what_is_more_than_is_left_and_nothing_else(purchase: Refundable, data: st.DataObject) -> None:
    state = Refunded()
    for request in data.draw(st.lists(requests(purchase), max_size=6)):
        left = {item.id: item.quantity - state.quantities.get(item.id, 0) for item in purchase.items}
        if request.items is not None:
            too_much = any(each.quantity > left[each.id] for each in request.items)
        elif purchase.total == 0:
            too_much = request.amount != 0 or is_refunded_whole(purchase, state)
        else:
            too_much = request.amount == 0 or (request.amount or 0) > purchase.total - state.amount
        if too_much:
            with pytest.raises(Invalid):
                refund(purchase, request, state)
        else:
            state = refund(purchase, request, state).after


@given(histories(), amounts)
def test_points_captured_later_are_due_as_if_they_had_been_captured_before(
    drawn: tuple[Refundable, list[RefundRequest]], later: int
) -> None:
    purchase, history = drawn
    more = msgspec.structs.replace(purchase, captured=purchase.captured + later)
    state = after(purchase, history)
    assert restorable(purchase, state) == 0
    assert restorable(more, state) == after(more, history).restored - state.restored


@given(histories())
def test_what_was_refunded_is_stored_and_read_back(drawn: tuple[Refundable, list[RefundRequest]]) -> None:
    purchase, history = drawn
    state = after(purchase, history)
    assert msgspec.json.decode(msgspec.json.encode(state), type=Refunded) == state
