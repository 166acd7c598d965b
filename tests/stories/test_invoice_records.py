"""Invoices of whole records, through HTTP: what an erasure empties, what an export gives, what a merge leaves."""

from typing import Any

from service.platform.roles import Role
from service.platform.statements import Db
from tests import billing
from tests.api.test_events import sequenced
from tests.shop import Answer, Shop, unique
from tests.stories.test_records import WORD, admin, merge, traces

LINES: list[dict[str, Any]] = [{"net": 100_000, "taxes": [{"name": "VAT", "basis_points": 1900}]}]
OTHER_TERMS: dict[str, Any] = {"kind": "steps", "steps": [{"days": 5, "basis_points": 100}], "net_days": 20}


async def agree(shop: Shop, customer_id: str, terms: dict[str, Any]) -> None:
    """Agree on terms with a customer."""
    answer = await shop.call("PUT", f"/v1/customers/{customer_id}/payment-terms", terms, role=Role.BILLING)
    assert answer.status == 200, answer.text


async def agreed(shop: Shop, customer_id: str) -> Any:
    """Read what is agreed with a customer; None: nothing is."""
    answer = await shop.get(f"/v1/customers/{customer_id}/payment-terms", Role.BILLING)
    return answer.body["terms"] if answer.status == 200 else None


async def billed(shop: Shop, customer_id: str) -> tuple[str, Answer]:
    """Let a customer have an invoice that is paid in part and credited in part; gives its id and the payment."""
    invoice_id = await billing.issue(shop, customer_id=customer_id, number=f"{WORD} 1", total=..., lines=LINES)
    paid = await billing.pay(shop, invoice_id, 10_000, "2026-01-12")
    assert paid.status == 201, paid.text
    credited = await billing.credit(shop, invoice_id, total=11_900, tax=1_900)
    assert credited.status == 201, credited.text
    return invoice_id, paid


async def test_an_erasure_empties_what_names_or_tells_of_the_customer_and_leaves_the_amounts(
    shop: Shop, owner: Db
) -> None:
    name = f"{WORD}@example.com"
    invoice_id, _ = await billed(shop, name)
    await agree(shop, name, billing.TWO_PERCENT)
    assert "invoice.number" in await traces(owner, shop, WORD)
    before = await billing.read(shop, invoice_id)
    assert (await admin(shop, "DELETE", f"/v1/customers/{name}")).status == 200
    assert await traces(owner, shop, WORD) == []
    after = await billing.read(shop, invoice_id)
    assert (after["customer_id"], after["number"], after["lines"]) == (None, None, None)
    kept = ("id", "issued_on", "due_on", "currency", "total", "tax", "credited", "open", "tax_groups", "version")
    assert {field: after[field] for field in kept} == {field: before[field] for field in kept}
    assert await agreed(shop, name) is None


async def test_an_erased_customers_documents_are_read_without_a_name_also_in_lists(shop: Shop) -> None:
    invoice_id, paid = await billed(shop, WORD)
    await admin(shop, "DELETE", f"/v1/customers/{WORD}")
    for path in (
        "/v1/invoices",
        f"/v1/invoices/{invoice_id}",
        f"/v1/invoices/{invoice_id}/payments",
        f"/v1/invoices/{invoice_id}/credit-notes",
        f"/v1/payments/{paid.body['id']}",
    ):
        answer = await shop.get(path, Role.BILLING)
        assert answer.status == 200, (path, answer.text)
        assert WORD not in answer.text, path
    assert (await shop.get(f"/v1/invoices?customer_id={WORD}", Role.BILLING)).status == 404
    assert (await shop.get(f"/v1/invoices/{invoice_id}/quote", Role.BILLING)).status == 404


async def test_nothing_more_is_booked_on_an_erased_customers_invoice(shop: Shop) -> None:
    invoice_id, paid = await billed(shop, "c-42")
    untouched = await billing.issue(shop)
    note = {"id": "cn-1", "issued_on": "2026-01-20", "total": 100}
    assert (await billing.credit(shop, invoice_id, **note)).status == 201
    many = {"id": "many-1"}
    assert (await billing.pay_many(shop, {invoice_id: 100}, "2026-01-12", **many)).status == 201
    await admin(shop, "DELETE", "/v1/customers/c-42")
    gone = {
        "the same invoice": await billing.put(shop, untouched),
        "a changed one": await billing.put(shop, untouched, total=1),
        "one for somebody else": await billing.put(shop, untouched, customer_id="c-43"),
        "a payment": await billing.pay(shop, untouched, 100, "2026-01-12"),
        "the same payment": await billing.pay(shop, invoice_id, 10_000, "2026-01-12", id=paid.body["id"]),
        "the same payment over many": await billing.pay_many(shop, {invoice_id: 100}, "2026-01-12", **many),
        "a bounce": await billing.reverse(shop, invoice_id, paid.body["id"]),
        "a credit note": await billing.credit(shop, untouched, total=100),
        "the same credit note": await billing.credit(shop, invoice_id, **note),
    }
    assert {name: (each.status, each.code) for name, each in gone.items()} == dict.fromkeys(
        gone, (410, "customer_erased")
    )


async def test_who_comes_with_the_id_of_someone_erased_has_none_of_the_invoices(shop: Shop) -> None:
    invoice_id, _ = await billed(shop, "c-42")
    await admin(shop, "DELETE", "/v1/customers/c-42")
    own = await billing.issue(shop)
    assert (await billing.pay(shop, own, 97_000, "2026-01-12")).status == 201
    listed = await shop.get("/v1/invoices?customer_id=c-42", Role.BILLING)
    assert [each["id"] for each in listed.body["data"]] == [own]
    foreign = await billing.pay_many(shop, {invoice_id: 100}, "2026-01-12")
    assert (foreign.status, foreign.pointer) == (422, "/allocations/0/invoice_id")


async def test_the_number_of_an_erased_customers_invoice_stays_taken(shop: Shop) -> None:
    await billing.issue(shop, number="RE-2026-7")
    await admin(shop, "DELETE", "/v1/customers/c-42")
    again = await billing.put(shop, unique("inv"), customer_id="c-43", number="re-2026-7")
    assert (again.status, again.code) == (409, "invoice_number_taken")


async def test_a_bounce_that_is_told_again_under_its_key_names_nobody(shop: Shop, owner: Db) -> None:
    invoice_id, paid = await billed(shop, WORD)
    key = unique("key")
    bounced = await billing.reverse(shop, invoice_id, paid.body["id"], Idempotency_Key=key)
    assert WORD not in bounced.text
    await admin(shop, "DELETE", f"/v1/customers/{WORD}")
    assert await traces(owner, shop, WORD) == []
    again = await billing.reverse(shop, invoice_id, paid.body["id"], Idempotency_Key=key)
    assert (again.status, again.replayed, again.body) == (200, True, bounced.body)


async def test_an_export_has_all_invoices_payments_credit_notes_and_terms_of_a_record(shop: Shop) -> None:
    guests, guests_payment = await billed(shop, "guest")
    own = await billing.issue(shop)
    other = await billing.issue(shop, customer_id="c-43")
    paid = await billing.pay(shop, own, 97_000, "2026-01-12")
    assert (await billing.reverse(shop, own, paid.body["id"])).status == 200
    await billing.pay(shop, other, 97_000, "2026-01-12")
    await agree(shop, "c-42", billing.TWO_PERCENT)
    await merge(shop, "guest", "c-42")
    given = (await shop.get("/v1/customers/c-42/export", Role.SUPPORT)).body["records"]
    assert {each["id"]: each["number"] for each in given["invoices"]} == {guests: f"{WORD} 1", own: own}
    payments = {each["id"]: each["status"] for each in given["payments"]}
    assert payments == {guests_payment.body["id"]: "booked", paid.body["id"]: "reversed"}
    assert [(each["invoice_id"], each["total"]) for each in given["credit_notes"]] == [(guests, 11_900)]
    assert given["payment_terms"] == [billing.TWO_PERCENT]


async def test_a_merge_leaves_documents_as_they_were_reported_and_they_are_the_others_now(shop: Shop) -> None:
    invoice_id, paid = await billed(shop, "guest")
    own = await billing.issue(shop)
    before = await billing.read(shop, invoice_id)
    await merge(shop, "guest", "c-42")
    assert await billing.read(shop, invoice_id) == before
    again = await billing.pay(shop, invoice_id, 10_000, "2026-01-12", id=paid.body["id"])
    assert (again.status, again.body) == (200, paid.body)
    same = await billing.put(shop, invoice_id, customer_id="guest", number=f"{WORD} 1", total=..., lines=LINES)
    assert (same.status, same.body["version"]) == (200, 1)
    for name in ("guest", "c-42"):
        listed = await shop.get(f"/v1/invoices?customer_id={name}", Role.BILLING)
        assert [each["id"] for each in listed.body["data"]] == [own, invoice_id], name


async def test_an_invoice_of_a_merged_customer_is_changed_and_paid_under_either_id(shop: Shop) -> None:
    await shop.call("PUT", "/v1/customers/c-42", {})
    invoices = [await billing.issue(shop, customer_id="guest") for _ in range(4)]
    await merge(shop, "guest", "c-42")
    single, by_source, by_target, changed = invoices
    assert (await billing.pay(shop, single, 97_000, "2026-01-12")).body["remaining"] == 0
    for name, invoice_id in (("guest", by_source), ("c-42", by_target)):
        paid = await billing.pay_many(shop, {invoice_id: 97_000}, "2026-01-12", customer_id=name)
        assert (paid.status, paid.body["allocations"][0]["remaining"]) == (201, 0), paid.text
        bounced = await billing.reverse(shop, invoice_id, paid.body["id"])
        assert bounced.body["invoices"][0]["open"] == 100_000
    for name, total in (("guest", 50_000), ("c-42", 60_000), ("guest", 70_000)):
        put = await billing.put(shop, changed, customer_id=name, total=total)
        assert (put.status, put.body["open"]) == (200, total), put.text
    assert (await billing.credit(shop, changed, total=70_000)).body["remaining"] == 0


async def test_one_payment_closes_invoices_of_both_records_once_they_are_one(shop: Shop) -> None:
    guests, own = await billing.issue(shop, customer_id="guest"), await billing.issue(shop)
    apart = await billing.pay_many(shop, {own: 97_000, guests: 97_000}, "2026-01-12")
    assert (apart.status, apart.pointer) == (422, "/allocations/1/invoice_id")
    await merge(shop, "guest", "c-42")
    paid = await billing.pay_many(shop, {own: 97_000, guests: 97_000}, "2026-01-12")
    assert [each["remaining"] for each in paid.body["allocations"]] == [0, 0]
    bounced = await billing.reverse(shop, guests, paid.body["id"])
    assert [each["open"] for each in bounced.body["invoices"]] == [100_000, 100_000]


async def test_terms_go_with_a_merge_where_the_other_one_has_none(shop: Shop) -> None:
    for name in ("guest", "c-42", "c-43"):
        await shop.call("PUT", f"/v1/customers/{name}", {})
    await agree(shop, "guest", billing.TWO_PERCENT)
    await merge(shop, "guest", "c-42")
    assert [await agreed(shop, name) for name in ("guest", "c-42")] == [billing.TWO_PERCENT] * 2
    recorded = await billing.put(shop, unique("inv"), customer_id="c-42", terms=...)
    assert recorded.body["agreed"]["source"] == "customer"
    # Both have some: the target's hold.
    await agree(shop, "c-43", OTHER_TERMS)
    await merge(shop, "c-42", "c-43")
    assert await agreed(shop, "c-42") == OTHER_TERMS
    assert await agreed(shop, "c-43") == OTHER_TERMS


async def test_with_a_record_its_merged_invoices_are_erased(shop: Shop, owner: Db) -> None:
    invoice_id, _ = await billed(shop, f"{WORD}-guest")
    await shop.call("PUT", "/v1/customers/c-42", {})
    await merge(shop, f"{WORD}-guest", "c-42")
    await admin(shop, "DELETE", "/v1/customers/c-42")
    assert await traces(owner, shop, WORD) == []
    assert (await billing.pay(shop, invoice_id, 100, "2026-01-12")).status == 410


async def test_events_name_customers_as_they_are_now(shop: Shop) -> None:
    """They are written with internal ids: what is told names nobody once the customer was erased."""
    invoice_id, paid = await billed(shop, WORD)
    await billing.reverse(shop, invoice_id, paid.body["id"])
    await sequenced(shop)
    kinds = {"invoice.recorded", "payment.recorded", "payment.reversed", "invoice.credited"}
    path = "/v1/events?limit=200&types=" + ",".join(sorted(kinds))
    told = (await shop.get(path, Role.BILLING)).body["data"]
    assert {each["type"] for each in told} == kinds
    assert {each["customer_id"] for each in told} == {WORD}
    await admin(shop, "DELETE", f"/v1/customers/{WORD}")
    after = await shop.get(path, Role.BILLING)
    assert [each["data"] for each in after.body["data"]] == [each["data"] for each in told]
    assert WORD not in after.text
