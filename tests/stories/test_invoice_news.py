"""What is told of invoices that are closed: each closing by itself, however often it is read."""

from typing import Any

from tests import billing
from tests.shop import Shop
from tests.stories.test_news import Feed

PAID_EARLY = "2026-01-30"
DUE = "2026-02-09"
NO_DISCOUNT: dict[str, Any] = {"kind": "steps", "steps": [{"days": 1, "basis_points": 100}], "net_days": 30}


async def closings(shop: Shop) -> list[tuple[Any, Any]]:
    """Read when invoices were closed, and how early, by the events that tell of it."""
    told = [event["data"] for event in await Feed(shop).all() if event["type"] == "invoice.settled"]
    return [(each["settled_on"], each["days_early"]) for each in told]


async def test_a_closing_tells_how_many_days_before_the_due_day_it_came(shop: Shop) -> None:
    for paid_on in (PAID_EARLY, "2026-02-08", DUE, "2026-02-10"):
        invoice_id = await billing.issue(shop, terms=NO_DISCOUNT)
        assert (await billing.pay(shop, invoice_id, 100_000, paid_on)).status == 201
    assert await closings(shop) == [(PAID_EARLY, 10), ("2026-02-08", 1), (DUE, 0), ("2026-02-10", 0)]


async def test_the_payment_that_leaves_nothing_open_is_the_one_that_closes(shop: Shop) -> None:
    invoice_id = await billing.issue(shop, terms=NO_DISCOUNT)
    await billing.pay(shop, invoice_id, 40_000, "2026-01-20")
    assert await closings(shop) == []
    await billing.pay(shop, invoice_id, 60_000, PAID_EARLY)
    assert await closings(shop) == [(PAID_EARLY, 10)]


async def test_an_invoice_that_a_bounce_opened_tells_of_each_closing_by_itself(shop: Shop) -> None:
    invoice_id, feed = await billing.issue(shop, terms=NO_DISCOUNT), Feed(shop)
    paid = await billing.pay(shop, invoice_id, 100_000, PAID_EARLY)
    await feed.new()  # what was told of it stays
    assert (await billing.reverse(shop, invoice_id, paid.body["id"])).status == 200
    await billing.pay(shop, invoice_id, 100_000, DUE)
    await feed.new()
    assert await closings(shop) == [(PAID_EARLY, 10), (DUE, 0)]


async def test_one_payment_that_closes_several_invoices_is_early_for_each_by_its_own_due_day(shop: Shop) -> None:
    first, second = await billing.issue(shop, terms=NO_DISCOUNT), await billing.issue(shop, terms=NO_DISCOUNT)
    third = await billing.issue(shop, terms=NO_DISCOUNT | {"net_days": 40})
    paid = await billing.pay_many(shop, {first: 100_000, second: 50_000, third: 100_000}, PAID_EARLY)
    assert paid.status == 201, paid.text
    assert sorted(await closings(shop)) == [(PAID_EARLY, 10), (PAID_EARLY, 20)]


async def test_nobody_paid_early_where_a_credit_note_closes(shop: Shop) -> None:
    invoice_id = await billing.issue(shop, terms=NO_DISCOUNT)
    await billing.pay(shop, invoice_id, 40_000, "2026-01-20")
    assert (await billing.credit(shop, invoice_id, total=60_000)).status == 201
    assert await closings(shop) == [(None, None)]


async def test_an_invoice_without_a_due_day_is_not_early(shop: Shop) -> None:
    invoice_id = await billing.issue(shop, terms=...)
    assert (await billing.read(shop, invoice_id))["due_on"] is None
    assert (await billing.pay(shop, invoice_id, 100_000, PAID_EARLY)).status == 201
    assert await closings(shop) == [(PAID_EARLY, None)]
