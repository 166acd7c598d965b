"""What was read of a customer before the locks, and isn't so any more when it is used: erased, merged, somebody new."""

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from service.customers.rules import CustomerErased
from service.kernel.ids import from_wire
from service.platform.statements import Db
from service.points import usecases as points
from service.purchases import usecases as purchases
from service.purchases.returning import RefundReport, report_refund
from tests.concurrency.office import erase, interrupted, merge
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
    return lambda db: purchases.confirm(
        db, program_id=shop.program.id, purchase_id="o-1", entropy=random.getrandbits(62)
    )


def capturing(shop: Shop, hold_id: str) -> Callable[[Db], Awaitable[Any]]:
    return lambda db: points.capture(db, program=shop.program, hold_id=uuid_of(hold_id), entropy=random.getrandbits(62))


def releasing(shop: Shop, hold_id: str) -> Callable[[Db], Awaitable[Any]]:
    return lambda db: points.release(db, program=shop.program, hold_id=uuid_of(hold_id), entropy=random.getrandbits(62))


def reading(shop: Shop, hold_id: str) -> Callable[[Db], Awaitable[Any]]:
    return lambda db: points.read_hold(db, program_id=shop.program.id, hold_id=uuid_of(hold_id))


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
