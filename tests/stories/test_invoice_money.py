"""Money and points of invoices in sequences that are seldom: each was wrong once."""

import asyncio
import random

import msgspec
import pytest

from service.invoices import usecases
from service.invoices.rules import NewInvoice
from service.platform.statements import Db
from tests import billing
from tests.rulebook import set_rule
from tests.shop import Answer, Shop

PAID_ON = "2026-01-15"
EARLY = {"expression": "activity.properties.early"}
_WAITING = "SELECT count(*) FROM pg_locks AS l WHERE NOT l.granted AND l.pid != pg_backend_pid()"


async def test_an_invoice_that_is_closed_again_is_rewarded_once(shop: Shop) -> None:
    """Its first part bounces once the second closed it: that one keeps its points, and the rest earns none again."""
    await set_rule(shop, "early", activity="invoice.paid", effect={"kind": "bonus", "points": 100}, conditions=EARLY)
    invoice_id = await billing.issue(shop, terms=billing.TWO_PERCENT)
    first = await billing.pay(shop, invoice_id, 1_000, PAID_ON)
    second = await billing.pay(shop, invoice_id, 97_000, PAID_ON)
    assert (first.body["points"]["earned"], second.body["points"]["earned"]) == (0, 100)
    await billing.reverse(shop, invoice_id, first.body["id"])
    third = await billing.pay(shop, invoice_id, 1_020, PAID_ON)
    assert (third.body["remaining"], third.body["points"]["earned"]) == (0, 0)
    await billing.reverse(shop, invoice_id, second.body["id"])
    await billing.reverse(shop, invoice_id, third.body["id"])
    assert (await shop.balance("c-42"))["available"] == 0
    anew = await billing.pay(shop, invoice_id, 98_000, PAID_ON)
    assert anew.body["points"]["earned"] == 100  # nothing stands that closed it before


@pytest.mark.parametrize(("paid_on", "streak"), [(PAID_ON, 2), ("2026-02-20", 1)])
async def test_an_invoice_that_is_closed_again_is_one_of_a_streak(shop: Shop, paid_on: str, streak: int) -> None:
    """It is early where all that closed it was."""
    expression = f"activity.properties.streak == {streak}"
    bonus = {"kind": "bonus", "points": 100}
    invoice_id, next_one = await billing.issue(shop), await billing.issue(shop)
    first = await billing.pay(shop, invoice_id, 1_000, PAID_ON)
    await billing.pay(shop, invoice_id, 98_000, PAID_ON)
    await billing.reverse(shop, invoice_id, first.body["id"])
    await billing.pay(shop, invoice_id, 2_000, paid_on)
    assert (await billing.read(shop, invoice_id))["open"] == 0
    await set_rule(shop, "streak", activity="invoice.paid", effect=bonus, conditions={"expression": expression})
    assert (await billing.pay(shop, next_one, 100_000, PAID_ON)).body["points"]["earned"] == 100


@pytest.mark.parametrize(
    ("named", "change", "refused"),
    [
        ({"currency": "EUR"}, {"currency": "USD"}, "/currency"),
        ({"mode": "discount"}, {"terms": billing.TWO_PERCENT | {"mode": "points"}}, None),
    ],
)
async def test_what_a_payment_names_holds_also_where_the_invoice_changes_meanwhile(
    shop: Shop, named: dict[str, str], change: dict[str, object], refused: str | None
) -> None:
    """It is the invoice's own when the payment comes, and another once the change that it waits for is there."""
    assert shop.database is not None
    invoice_id = await billing.issue(shop, terms=billing.TWO_PERCENT)
    async with shop.database.connection() as db, shop.database.connection() as watching:
        await db.execute("BEGIN")
        new = msgspec.convert(billing.invoice(terms=billing.TWO_PERCENT) | change, NewInvoice)
        await usecases.put(db, program=shop.program, invoice_id=invoice_id, new=new, entropy=random.getrandbits(62))
        paying = asyncio.create_task(billing.pay(shop, invoice_id, 98_000, PAID_ON, **named))
        await _until_somebody_waits(watching, paying)
        await db.execute("COMMIT")
    paid = await paying
    if refused is None:
        assert (paid.status, paid.body["mode"], paid.body["discount"]) == (201, "discount", 2_000)
    else:
        assert paid.pointer == refused


async def _until_somebody_waits(db: Db, call: asyncio.Task[Answer]) -> None:
    while not await db.fetchval(_WAITING):
        assert not call.done(), call.result().text
        await asyncio.sleep(0.01)
