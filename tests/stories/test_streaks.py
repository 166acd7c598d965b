"""Paying early again and again over months: rules reward it, and take it back when a payment bounces."""

import asyncio

import pytest

from service.platform.roles import Role
from tests import billing
from tests.rulebook import set_rule
from tests.shop import Shop, unique

EVERY_THIRD = "activity.properties.early && activity.properties.streak % 3 == 0"


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """Give a program that gives 100 points for every third invoice in a row that is paid early, once a month."""
    await set_rule(
        shop,
        "third",
        activity="invoice.paid",
        effect={"kind": "bonus", "points": 100},
        conditions={"expression": EVERY_THIRD},
        limits=[{"every": "month", "times": 1}],
    )
    return shop


async def close(shop: Shop, paid_on: str, *, customer: str = "c-42", issued_on: str | None = None) -> tuple[str, int]:
    """Issue an invoice that is due after 30 days, and pay it; gives the payment and the points that it earned."""
    issued_on = issued_on or paid_on[:8] + "01"
    invoice_id = await billing.issue(shop, customer_id=customer, issued_on=issued_on)
    paid = await billing.pay(shop, invoice_id, 100_000, paid_on, id=unique("pay"))
    assert (paid.status, paid.body["remaining"]) == (201, 0)
    return invoice_id, paid.body["points"]["earned"]


async def test_every_third_early_invoice_in_a_row_is_rewarded_once_a_month(shop: Shop) -> None:
    days = ["2026-01-10", "2026-02-10", "2026-03-10", "2026-03-11", "2026-03-12", "2026-03-13", "2026-04-10"]
    assert [(await close(shop, day))[1] for day in days] == [0, 0, 100, 0, 0, 0, 0]
    # the ninth in a row, in another month than the third; the sixth fell into March again
    assert [(await close(shop, day))[1] for day in ("2026-04-11", "2026-04-12")] == [0, 100]
    assert (await shop.balance("c-42"))["available"] == 200


async def test_who_pays_late_begins_anew(shop: Shop) -> None:
    told = [await close(shop, day, issued_on="2026-01-01") for day in ("2026-01-10", "2026-01-30", "2026-02-10")]
    assert [points for _, points in told] == [0, 0, 0]
    told = [await close(shop, f"2026-0{month}-10") for month in (3, 4, 5)]
    assert [points for _, points in told] == [0, 0, 100]


async def test_a_bounce_takes_back_what_the_streak_brought_and_leaves_it_out_of_the_next(shop: Shop) -> None:
    """What was spent of it meanwhile is owed."""
    (first, _), _, (third, points) = [await close(shop, f"2026-0{month}-10") for month in (1, 2, 3)]
    assert points == 100
    held = await shop.post("/v1/redemptions", {"customer_id": "c-42", "points": 60}, Idempotency_Key=unique("key"))
    captured = await shop.post(f"/v1/redemptions/{held.body['id']}/capture", {}, Idempotency_Key=unique("key"))
    assert captured.status == 200
    (payment,) = (await shop.get(f"/v1/invoices/{third}/payments", Role.BILLING)).body["data"]
    bounced = await billing.reverse(shop, third, payment["id"])
    assert bounced.body["points"] == {"reversed": 100, "from_lots": 40, "to_debt": 60, "written_off": 0}
    assert bounced.body["balance"]["debt"] == 60
    again = await billing.pay(shop, third, 100_000, "2026-03-20")
    assert again.body["points"]["earned"] == 0  # once a month: what was taken back counts
    (payment,) = (await shop.get(f"/v1/invoices/{first}/payments", Role.BILLING)).body["data"]
    assert (await billing.reverse(shop, first, payment["id"])).status == 200
    assert (await close(shop, "2026-04-10"))[1] == 100  # February's, March's and this one
    assert await shop.balance("c-42") == {"available": 40, "pending": 0, "held": 0, "debt": 0}


async def test_many_close_at_once_and_each_knows_those_before(shop: Shop) -> None:
    """Of nine invoices that one customer pays at once, one is the third: the month's limit leaves out the others."""
    told = await asyncio.gather(*(close(shop, "2026-05-20") for _ in range(9)))
    assert sorted(points for _, points in told) == [0] * 8 + [100]


async def test_rules_see_what_credit_notes_left(shop: Shop) -> None:
    large = "activity.properties.total >= 100000"
    await set_rule(
        shop,
        "large",
        activity="invoice.paid",
        effect={"kind": "bonus", "points": 7},
        conditions={"expression": large},
    )
    invoice_id = await billing.issue(shop, issued_on="2026-01-01")
    assert (await billing.credit(shop, invoice_id, issued_on="2026-01-02", total=99_900)).status == 201
    assert (await billing.pay(shop, invoice_id, 100, "2026-01-10")).body["points"]["earned"] == 0
    assert (await close(shop, "2026-01-11"))[1] == 7


async def test_one_payment_over_three_invoices_is_a_streak(shop: Shop) -> None:
    ids = [await billing.issue(shop, issued_on="2026-06-01") for _ in range(3)]
    paid = await billing.pay_many(shop, dict.fromkeys(ids, 100_000), "2026-06-10")
    assert (paid.body["points"]["earned"], paid.body["balance"]["available"]) == (100, 100)
    (transfer,) = (await shop.get("/v1/customers/c-42/transactions")).body["data"]
    assert (transfer["reason"], transfer["cause"]) == ("payment", {"type": "payment", "id": paid.body["id"]})
    explained = await shop.get(f"/v1/transactions/{transfer['id']}/explain", Role.SUPPORT)
    assert explained.status == 200
    bounced = await billing.reverse(shop, ids[0], paid.body["id"])
    assert bounced.body["balance"]["available"] == 0
