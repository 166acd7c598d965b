"""Two transactions on the same rows: who waits, who wins, and what each is answered."""

import asyncio

import msgspec
import pytest

from service.platform.statements import Db, RowsMissing
from service.points.facts import Accepted
from service.purchases.rules import PurchaseConflict
from service.purchases.usecases import PurchaseDraft, PurchaseOutcome
from tests.concurrency.till import Till, draft, waits_for
from tests.shop import Shop

Tills = tuple[Till, Till, Till]


def _available(outcome: PurchaseOutcome) -> int:
    assert isinstance(outcome, Accepted)
    return outcome.answer.balance.available


async def test_the_second_booking_of_a_customer_waits_for_the_first_and_adds_to_it(
    tills: Tills, shop: Shop, owner: Db
) -> None:
    first, second, _ = tills
    await shop.buy()
    (booked,) = await first.begin(draft())
    waiting = second.beginning(draft())
    await waits_for(owner, second.pid, first.pid)
    await first.end()
    (after,) = await waiting
    await second.end()
    assert (_available(booked), _available(after)) == (258, 387)
    assert (await shop.balance("c-42"))["available"] == 387


async def test_a_booking_that_waited_for_one_that_was_rolled_back_knows_nothing_of_it(
    tills: Tills, shop: Shop, owner: Db
) -> None:
    first, second, _ = tills
    await shop.buy()
    await first.begin(draft())
    waiting = second.beginning(draft())
    await waits_for(owner, second.pid, first.pid)
    await first.end(commit=False)
    (after,) = await waiting
    await second.end()
    assert _available(after) == 258


async def test_a_purchase_that_was_booked_while_its_repetition_waited_makes_that_begin_again_and_answers_alike(
    tills: Tills, shop: Shop, owner: Db
) -> None:
    """The claim was looked up with the snapshot from before the wait, so only the write can meet it."""
    first, second, _ = tills
    await shop.buy()
    report = draft(id="order-1")
    (booked,) = await first.begin(report)
    waiting = second.beginning(draft(id="order-1"))
    await waits_for(owner, second.pid, first.pid)
    await first.end()
    with pytest.raises(RowsMissing):
        await waiting
    await second.end(commit=False)
    (again,) = await second.begin(draft(id="order-1"))
    await second.end()
    assert isinstance(booked, Accepted)
    assert isinstance(again, Accepted)
    assert again.replayed
    assert msgspec.json.encode(again.answer) == msgspec.json.encode(booked.answer)


@pytest.mark.parametrize("wins", [True, False])
async def test_one_id_for_two_customers_at_once_is_decided_by_who_commits(
    tills: Tills, shop: Shop, owner: Db, *, wins: bool
) -> None:
    """They lock different customers, so that they meet at the claim alone."""
    first, second, _ = tills
    await shop.buy(customer_id="a")
    await shop.buy(customer_id="b")
    await first.begin(draft(id="order-1", customer_id="a"))
    waiting = second.beginning(draft(id="order-1", customer_id="b"))
    await waits_for(owner, second.pid, first.pid)
    await first.end(commit=wins)
    if wins:
        with pytest.raises(RowsMissing):
            await waiting
        await second.end(commit=False)
        (refused,) = await second.begin(draft(id="order-1", customer_id="b"))
        assert isinstance(refused, PurchaseConflict)
    else:
        assert _available((await waiting)[0]) == 258
    await second.end()
    balances = [(await shop.balance(customer_id))["available"] for customer_id in "ab"]
    assert balances == ([258, 129] if wins else [129, 258])


@pytest.mark.parametrize("wins", [True, False])
async def test_a_customer_whom_two_bookings_would_enrol_is_enrolled_once(
    tills: Tills, shop: Shop, owner: Db, *, wins: bool
) -> None:
    first, second, _ = tills
    await first.begin(draft(customer_id="new"))
    report = draft(customer_id="new")
    waiting = second.beginning(report)
    await waits_for(owner, second.pid, first.pid)
    await first.end(commit=wins)
    if wins:
        with pytest.raises(RowsMissing):
            await waiting
        await second.end(commit=False)
        assert _available((await second.begin(report))[0]) == 258
    else:
        assert _available((await waiting)[0]) == 129
    await second.end()
    assert (await shop.balance("new"))["available"] == (258 if wins else 129)
    enrolled = await owner.fetchval(
        "SELECT count(*) FROM outbox WHERE program_id = $1 AND type = 'customer.enrolled'", shop.program.id
    )
    assert enrolled == 1


async def test_a_quote_does_not_wait_for_a_booking_and_no_booking_for_a_quote(tills: Tills, shop: Shop) -> None:
    first, _, _ = tills
    await shop.buy()
    await first.begin(draft())
    quote = await shop.post(
        "/v1/purchases?dry_run=true",
        {
            "id": "q",
            "customer_id": "c-42",
            "occurred_at": "2026-01-02T10:00:00Z",
            "currency": "EUR",
            "total": 100,
        },
    )
    assert (quote.status, quote.body["balance"]["available"]) == (200, 130)
    await first.end()


async def test_ids_follow_the_order_of_the_bookings_though_the_later_one_began_first(
    tills: Tills, shop: Shop, owner: Db
) -> None:
    """The time of the ids is read after the locks were had."""
    first, second, _ = tills
    await shop.buy()
    await second.db.execute("BEGIN")
    await second.db.execute("SELECT now()")
    await first.begin(draft(id="order-1"))
    await second.db.execute("ROLLBACK")
    waiting = second.beginning(draft(id="order-2"))
    await waits_for(owner, second.pid, first.pid)
    await first.end()
    await waiting
    await second.end()
    history = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    assert [each["cause"]["id"] for each in history][:2] == ["order-2", "order-1"]


@pytest.mark.parametrize("meet_at", ["id", "customer_id"])
async def test_ids_and_newcomers_are_taken_in_one_order_whatever_order_they_are_reported_in(
    tills: Tills, owner: Db, shop: Shop, meet_at: str
) -> None:
    """The first stops at `m`, held by another, and has `a` only. Had the second `z` by now, they would be a circle."""
    first, second, other = tills
    for customer_id in ("of-first", "of-second", "of-other"):
        if meet_at == "id":
            await shop.buy(customer_id=customer_id)

    def facts(names: str, customer_id: str) -> list[PurchaseDraft]:
        if meet_at == "id":
            return [draft(id=name, customer_id=customer_id) for name in names]
        return [draft(customer_id=name) for name in names]

    await other.begin(*facts("m", "of-other"))
    leading = first.beginning(*facts("amz", "of-first"))
    await waits_for(owner, first.pid, other.pid)
    following = second.beginning(*facts("za", "of-second"))
    await waits_for(owner, second.pid, first.pid)
    await other.end(commit=False)
    assert [_available(outcome) > 0 for outcome in await leading] == [True] * 3
    await first.end()
    with pytest.raises(RowsMissing):
        await following
    await second.end(commit=False)


@pytest.mark.parametrize("change", [{}, {"total": 0}], ids=["points", "no points"])
async def test_a_booking_at_once_that_was_overtaken_at_a_customer_writes_nothing(
    tills: Tills, shop: Shop, owner: Db, change: dict[str, int]
) -> None:
    """Whatever the other one changed, also a purchase that earned nothing, was not known when it was decided."""
    first, second, _ = tills
    await shop.buy()
    await first.begin(draft(**change))
    overtaken = draft(id="overtaken")
    waiting = asyncio.create_task(second.at_once(draft(customer_id="beside"), overtaken))
    await waits_for(owner, second.pid, first.pid)
    await first.end()
    with pytest.raises(RowsMissing):
        await waiting
    assert not second.db.is_in_transaction()
    assert (await shop.get("/v1/purchases/overtaken")).status == 404
    assert (await shop.get("/v1/customers/beside/balance")).status == 404
    points = 129 * (2 if change else 3)
    assert _available((await second.at_once(overtaken))[0]) == points
    assert (await shop.balance("c-42"))["available"] == points


async def test_a_booking_at_once_waits_for_one_that_is_rolled_back_and_is_booked(
    tills: Tills, shop: Shop, owner: Db
) -> None:
    first, second, _ = tills
    await shop.buy()
    await first.begin(draft())
    waiting = asyncio.create_task(second.at_once(draft()))
    await waits_for(owner, second.pid, first.pid)
    await first.end(commit=False)
    assert _available((await waiting)[0]) == 258
    assert (await shop.balance("c-42"))["available"] == 258


async def test_a_booking_at_once_does_not_take_an_id_that_somebody_takes_meanwhile(
    tills: Tills, shop: Shop, owner: Db
) -> None:
    first, second, _ = tills
    await shop.buy(customer_id="a")
    await shop.buy(customer_id="b")
    await first.begin(draft(id="order-1", customer_id="a"))
    waiting = asyncio.create_task(second.at_once(draft(id="order-1", customer_id="b"), draft(customer_id="b")))
    await waits_for(owner, second.pid, first.pid)
    await first.end()
    with pytest.raises(RowsMissing):
        await waiting
    assert [(await shop.balance(customer_id))["available"] for customer_id in "ab"] == [258, 129]
    assert isinstance((await second.at_once(draft(id="order-1", customer_id="b")))[0], PurchaseConflict)


async def test_a_booking_at_once_takes_known_customers_before_new_ones_as_one_with_locks_does(
    tills: Tills, shop: Shop, owner: Db
) -> None:
    """Else each of the two could hold the customer that the other one waits for."""
    first, second, _ = tills
    await shop.buy(customer_id="known")
    await first.begin(draft(customer_id="known"))
    waiting = asyncio.create_task(second.at_once(draft(customer_id="new"), draft(customer_id="known")))
    await waits_for(owner, second.pid, first.pid)
    assert _available((await first.book(draft(customer_id="new")))[0]) == 129
    await first.end()
    with pytest.raises(RowsMissing):
        await waiting
    assert [(await shop.balance(customer_id))["available"] for customer_id in ("known", "new")] == [258, 129]
