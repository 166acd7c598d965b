"""Money and points of invoices in sequences that are seldom: each was wrong once."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import date

import msgspec
import pytest

from service.customers.rules import CustomerErased
from service.invoices import payments, taking_back, usecases
from service.invoices.paying import on_one
from service.invoices.rules import NewCreditNote, NewInvoice, NewPayment
from service.platform.roles import Role
from service.platform.statements import Db
from service.programs.rules import Enrolment
from tests import billing
from tests.concurrency.office import erase, interrupted, merge, queue_behind
from tests.rulebook import set_rule
from tests.shop import Shop, unique

PAID_ON = "2026-01-15"
EARLY = {"expression": "activity.properties.early"}


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


async def test_terms_that_are_set_hold_for_all_that_is_recorded_from_then_on(shop: Shop) -> None:
    assert shop.database is not None
    async with shop.database.connection() as db:
        today = await db.fetchval("SELECT (now() AT TIME ZONE 'UTC')::date")
    settings = {"early_payment": {"terms": billing.TWO_PERCENT}}
    changed = await shop.call("PATCH", "/v1/program", {"settings": settings}, role=Role.ADMIN)
    assert changed.status == 200, changed.text
    answer = await billing.put(shop, "inv-today", issued_on=today.isoformat(), terms=...)
    assert answer.body["agreed"]["source"] == "program"
    before = await billing.put(shop, "inv-before", terms=...)
    assert before.body["agreed"]["source"] == "program"


async def test_an_invoice_of_a_merged_customer_is_told_as_it_stands(shop: Shop) -> None:
    """Put for the record that went into another one, it is that other customer's from the first answer on."""
    for name in ("c-source", "c-target"):
        await shop.call("PUT", f"/v1/customers/{name}", {}, role=Role.ADMIN)
    merged = await merge(shop, "c-source", "c-target")
    assert merged.status == 200, merged.text
    put = await billing.put(shop, "inv-merged", customer_id="c-source")
    assert (put.status, put.body["customer_id"]) == (201, "c-target")
    assert put.body == await billing.read(shop, "inv-merged")


async def test_a_dry_run_of_a_credit_note_that_is_booked_is_no_repetition(shop: Shop) -> None:
    invoice_id = await billing.issue(shop)
    booked = await billing.credit(shop, invoice_id, id="cn-1", total=100)
    body = {"id": "cn-1", "issued_on": "2026-01-20", "total": 100}
    tried = await shop.post(f"/v1/invoices/{invoice_id}/credit-notes?dry_run=true", body, Role.BILLING)
    assert (tried.status, tried.replayed, tried.text) == (200, False, booked.text)


async def test_of_invoices_that_change_to_one_number_at_once_one_gets_it(shop: Shop) -> None:
    for _ in range(5):
        ids = [await billing.issue(shop, customer_id=unique("c")) for _ in range(8)]
        number = unique("RE")
        changes = [billing.put(shop, each, customer_id=f"c-{each}", number=number) for each in ids]
        answers = await asyncio.gather(*changes)
        assert sorted(answer.status for answer in answers) == [200] + [409] * 7
        assert {answer.code for answer in answers if answer.status == 409} == {"invoice_number_taken"}


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
        await queue_behind(watching, db.get_server_pid())
        await db.execute("COMMIT")
    paid = await paying
    if refused is None:
        assert (paid.status, paid.body["mode"], paid.body["discount"]) == (201, "discount", 2_000)
    else:
        assert paid.pointer == refused


_Act = Callable[[Db, Shop, str], Awaitable[object]]


async def _pay(db: Db, shop: Shop, invoice_id: str) -> object:
    settings = msgspec.structs.replace(shop.program.settings, enrolment=Enrolment.EXPLICIT)
    newest = msgspec.structs.replace(shop.program.newest, settings=settings)
    program = msgspec.structs.replace(shop.program, newest=newest)
    report = on_one(invoice_id, NewPayment(unique("pay"), date(2026, 1, 15), 1_000))
    entropy = random.getrandbits(62)
    return await payments.report_payment(db, program=program, report=report, randomness=entropy, entropy=entropy)


async def _credit(db: Db, shop: Shop, invoice_id: str) -> object:
    note, entropy = NewCreditNote(unique("credit"), date(2026, 1, 20), 1_000), random.getrandbits(62)
    return await taking_back.report_credit_note(
        db, program=shop.program, invoice_id=invoice_id, note=note, randomness=entropy, entropy=entropy
    )


async def _put(db: Db, shop: Shop, invoice_id: str) -> object:
    new = msgspec.convert(billing.invoice(total=50_000), NewInvoice)
    return await usecases.put(db, program=shop.program, invoice_id=invoice_id, new=new, entropy=random.getrandbits(62))


@pytest.mark.parametrize("act", [_pay, _credit, _put])
async def test_an_invoice_whose_customer_is_erased_at_that_moment_is_of_nobody(shop: Shop, act: _Act) -> None:
    """Right behind the look at the invoice, also where only `PUT /v1/customers/{id}` enrols: 410, not 422."""
    invoice_id = await billing.issue(shop)
    with pytest.raises(CustomerErased):
        await interrupted(shop, lambda db: act(db, shop, invoice_id), "FROM invoice", lambda: erase(shop, "c-42"))
    assert (await shop.get("/v1/customers/c-42", Role.ADMIN)).status == 404


@pytest.mark.parametrize(("act", "is_open"), [(_pay, 99_000), (_credit, 99_000), (_put, 50_000)])
async def test_an_invoice_whose_customer_is_merged_at_that_moment_is_the_others(
    shop: Shop, act: _Act, is_open: int
) -> None:
    await shop.call("PUT", "/v1/customers/c-target", {}, role=Role.ADMIN)
    invoice_id = await billing.issue(shop, terms={"kind": "none"})
    await interrupted(
        shop, lambda db: act(db, shop, invoice_id), "FROM invoice", lambda: merge(shop, "c-42", "c-target")
    )
    assert (await billing.read(shop, invoice_id))["open"] == is_open
    listed = await shop.get("/v1/invoices?customer_id=c-target", Role.BILLING)
    assert [each["id"] for each in listed.body["data"]] == [invoice_id]
