"""What was read of a customer before the locks, and isn't so any more when it is used: erased, merged, somebody new."""

import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from service.app import KEEPERS
from service.customers import records
from service.customers import usecases as customers
from service.customers.rules import Customer, CustomerErased, Standing
from service.kernel.errors import NotFound
from service.kernel.ids import from_wire
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points import holding
from service.points import usecases as points
from service.points.facts import Accepted
from service.purchases import usecases as purchases
from service.purchases.returning import RefundReport, report_refund
from service.purchases.usecases import PURCHASES, PurchaseOutcome
from service.tiers import usecases as tiers
from tests.concurrency.office import erase, interrupted, merge, outside
from tests.concurrency.till import draft
from tests.shop import Shop
from tests.stories.test_records import redeem

OF_PURCHASE = "FROM claim AS k"
OF_HOLD = "FROM hold AS h"
NOTHING = {"available": 0, "pending": 0, "held": 0, "debt": 0}


def uuid_of(hold_id: str) -> UUID:
    found = from_wire("hold", hold_id)
    assert found is not None
    return found


def refunding(shop: Shop) -> Callable[[Db], Awaitable[Any]]:
    report = RefundReport(id="r-1", amount=500)
    return lambda db: report_refund(
        db, program=shop.program, purchase_id="o-1", report=report, randomness=7, entropy=random.getrandbits(62)
    )


def confirming(shop: Shop) -> Callable[[Db], Awaitable[Any]]:
    return lambda db: purchases.confirm(db, program=shop.program, purchase_id="o-1", entropy=random.getrandbits(62))


def capturing(shop: Shop, hold_id: str) -> Callable[[Db], Awaitable[Any]]:
    return lambda db: holding.capture(
        db,
        program=shop.program,
        hold_id=uuid_of(hold_id),
        following=tiers.following(shop.program),
        entropy=random.getrandbits(62),
    )


def releasing(shop: Shop, hold_id: str) -> Callable[[Db], Awaitable[Any]]:
    return lambda db: holding.release(
        db,
        program=shop.program,
        hold_id=uuid_of(hold_id),
        following=tiers.following(shop.program),
        entropy=random.getrandbits(62),
    )


def reading(shop: Shop, hold_id: str) -> Callable[[Db], Awaitable[Any]]:
    return lambda db: holding.read_hold(db, program_id=shop.program.id, hold_id=uuid_of(hold_id))


@pytest.mark.parametrize("comes_back", [False, True], ids=["gone", "somebody new"])
@pytest.mark.parametrize("verb", [refunding, confirming, capturing, releasing])
async def test_what_is_asked_for_one_who_is_erased_at_that_moment_is_gone_and_not_for_who_comes_with_the_id_then(
    shop: Shop, verb: Callable[..., Callable[[Db], Awaitable[Any]]], *, comes_back: bool
) -> None:
    await shop.buy(id="o-1", total=1_000)
    held = await redeem(shop, "c-42", 4)
    of_hold = verb in {capturing, releasing}

    async def meanwhile() -> None:
        assert (await erase(shop, "c-42")).status == 200
        if comes_back:
            await shop.buy(id="o-2", total=3_000)

    work = verb(shop, held) if of_hold else verb(shop)
    with pytest.raises(CustomerErased):
        await interrupted(shop, work, OF_HOLD if of_hold else OF_PURCHASE, meanwhile)
    if comes_back:
        assert await shop.balance("c-42") == NOTHING | {"available": 30}


async def test_a_redemption_that_is_read_while_its_customer_is_erased_is_gone(shop: Shop) -> None:
    await shop.buy(total=1_000)
    work = reading(shop, await redeem(shop, "c-42", 4))
    with pytest.raises(CustomerErased):
        await interrupted(shop, work, OF_HOLD, partial(erase, shop, "c-42"))


@pytest.mark.parametrize("verb", [refunding, confirming, capturing, releasing])
async def test_what_is_asked_for_one_who_goes_into_another_at_that_moment_is_done_there(
    shop: Shop, verb: Callable[..., Callable[[Db], Awaitable[Any]]]
) -> None:
    await shop.buy(id="o-1", total=1_000)
    await shop.buy(customer_id="other", total=1_000)
    held, of_hold = await redeem(shop, "c-42", 4), verb in {capturing, releasing}
    work = verb(shop, held) if of_hold else verb(shop)
    await interrupted(shop, work, OF_HOLD if of_hold else OF_PURCHASE, partial(merge, shop, "c-42", "other"))
    after = {refunding: (11, 4), confirming: (16, 4), capturing: (16, 0), releasing: (20, 0)}[verb]
    assert await shop.balance("c-42") == NOTHING | dict(zip(("available", "held"), after, strict=True))


async def test_an_erasure_that_runs_again_after_it_was_committed_leaves_alone_who_has_the_id_since(shop: Shop) -> None:
    await shop.buy(total=1_000)
    assert shop.database is not None
    done = list[Customer]()

    async def work(db: Db) -> Customer:
        return await records.erase(
            db,
            program_id=shop.program.id,
            customer_id="c-42",
            keepers=KEEPERS,
            entropy=random.getrandbits(62),
            earlier=done,
        )

    done.append(await transact(shop.database.connection, work))
    await shop.buy(total=3_000)
    assert await transact(shop.database.connection, work) == done[0]
    assert await shop.balance("c-42") == NOTHING | {"available": 30}


async def guest_of(shop: Shop) -> None:
    """Let a guest's record be another customer's."""
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=1_000)
    assert (await merge(shop, "guest", "c-42")).status == 200


def asking_balance(shop: Shop) -> Callable[[Db], Awaitable[Any]]:
    async def work(db: Db) -> Any:
        (standing,) = await points.balances(db, program_id=shop.program.id, customer_ids=["guest"])
        return standing

    return work


def asking_record(shop: Shop) -> Callable[[Db], Awaitable[Any]]:
    async def work(db: Db) -> Any:
        found, _ = await customers.get(db, program_id=shop.program.id, customer_id="guest")
        return found

    return work


async def test_a_guest_whose_customer_is_erased_while_the_balance_is_read_is_not_there(shop: Shop) -> None:
    await guest_of(shop)
    found = await outside(shop, asking_balance(shop), "AS is_due", partial(erase, shop, "c-42"))
    assert isinstance(found, NotFound)


@pytest.mark.parametrize(("ask", "words"), [(asking_balance, "AS is_due"), (asking_record, "FROM customer AS")])
async def test_a_guest_whose_customer_goes_into_another_is_read_as_one_of_the_two(
    shop: Shop, ask: Callable[[Shop], Callable[[Db], Awaitable[Any]]], words: str
) -> None:
    await guest_of(shop)
    await shop.buy(customer_id="other", total=5_000)
    found = await outside(shop, ask(shop), words, partial(merge, shop, "c-42", "other"))
    name = found.customer_id if isinstance(found, Standing) else found.external_id
    assert (name, found.balance.available) in {("c-42", 20), ("other", 70)}


async def test_a_record_is_read_with_its_id_also_where_it_is_being_erased(shop: Shop) -> None:
    await guest_of(shop)
    found = await outside(shop, asking_record(shop), "FROM customer AS", partial(erase, shop, "guest"))
    assert found.external_id == "c-42"


@pytest.mark.parametrize("total", [0, 1_000], ids=["no points", "points"])
@pytest.mark.parametrize("ends", [erase, partial(merge, into="other")], ids=["erased", "merged"])
async def test_a_purchase_at_once_of_a_guest_whose_customer_ends_meanwhile_is_not_booked_there(
    shop: Shop, owner: Db, ends: Callable[[Shop, str], Awaitable[object]], total: int
) -> None:
    await guest_of(shop)
    await shop.buy(customer_id="other", total=5_000)
    bought = draft(customer_id="guest", total=total)

    async def meanwhile() -> None:
        await ends(shop, "c-42")

    async def at_once(db: Db) -> Sequence[PurchaseOutcome]:
        return await PURCHASES.report(
            db, program=shop.program, drafts=[bought], entropy=random.getrandbits(62), lock=False
        )

    (outcome,) = await outside(shop, at_once, "c.* FROM customer AS c", meanwhile)
    assert isinstance(outcome, Accepted)
    was_erased = ends is erase
    after = {"available": total // 100 + (0 if was_erased else 70)}
    assert await shop.balance("guest") == NOTHING | after
    gone = await owner.fetchval(
        "SELECT count(*) FROM purchase AS p INNER JOIN customer AS c USING (program_id)"
        " WHERE program_id = $1 AND p.external_id = $2 AND c.id = p.customer_id AND c.erased_at IS NOT NULL",
        shop.program.id, bought.id,
    )  # fmt: skip
    assert gone == 0
