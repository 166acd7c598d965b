"""Invoices and payments as tests play them: what a billing system reports."""

from typing import Any

from service.platform.roles import Role
from tests.shop import Answer, Shop, unique

ISSUED = "2026-01-10"
TWO_STEPS: dict[str, Any] = {
    "kind": "steps",
    "steps": [{"days": 7, "basis_points": 300}, {"days": 14, "basis_points": 200}],
    "net_days": 30,
}
TWO_PERCENT: dict[str, Any] = {"kind": "steps", "steps": [{"days": 10, "basis_points": 200}], "net_days": 30}


def invoice(**changes: Any) -> dict[str, Any]:
    """Make an invoice's body: 1,000.00 EUR without tax, 3 % within 7 days, 2 % within 14; `...` leaves a field out."""
    body = {
        "customer_id": "c-42",
        "issued_on": ISSUED,
        "currency": "EUR",
        "total": 100_000,
        "terms": TWO_STEPS,
    } | changes
    return {name: value for name, value in body.items() if value is not ...}


async def put(shop: Shop, invoice_id: str, **changes: Any) -> Answer:
    """Record an invoice."""
    return await shop.call("PUT", f"/v1/invoices/{invoice_id}", invoice(**changes), role=Role.BILLING)


async def issue(shop: Shop, invoice_id: str | None = None, **changes: Any) -> str:
    """Record an invoice that is fine; gives its id."""
    invoice_id = invoice_id or unique("inv")
    answer = await put(shop, invoice_id, **changes)
    assert answer.status == 201, answer.text
    return invoice_id


async def pay(shop: Shop, invoice_id: str, amount: int, paid_on: str, **more: Any) -> Answer:
    """Report a payment on an invoice."""
    body = {"id": unique("pay"), "paid_on": paid_on, "amount": amount} | more
    return await shop.post(f"/v1/invoices/{invoice_id}/payments", body, Role.BILLING)


async def pay_many(shop: Shop, allocations: dict[str, int], paid_on: str, **more: Any) -> Answer:
    """Report a payment over invoices."""
    parts = [{"invoice_id": invoice_id, "amount": amount} for invoice_id, amount in allocations.items()]
    body = {"id": unique("pay"), "customer_id": "c-42", "paid_on": paid_on, "allocations": parts} | more
    return await shop.post("/v1/payments", body, Role.BILLING)


async def reverse(shop: Shop, invoice_id: str, payment_id: str, **headers: str) -> Answer:
    """Take back a payment that bounced."""
    sent = {"Idempotency_Key": unique("key")} | headers
    return await shop.post(f"/v1/invoices/{invoice_id}/payments/{payment_id}/reverse", {}, Role.BILLING, **sent)


async def credit(shop: Shop, invoice_id: str, **note: Any) -> Answer:
    """Report a credit note."""
    body = {"id": unique("credit"), "issued_on": "2026-01-20"} | note
    return await shop.post(f"/v1/invoices/{invoice_id}/credit-notes", body, Role.BILLING)


async def quote(shop: Shop, invoice_id: str, paid_on: str) -> dict[str, Any]:
    """Ask what may be deducted on a day."""
    answer = await shop.get(f"/v1/invoices/{invoice_id}/quote?paid_on={paid_on}", Role.BILLING)
    assert answer.status == 200, answer.text
    return answer.body


async def read(shop: Shop, invoice_id: str) -> dict[str, Any]:
    """Read an invoice."""
    answer = await shop.get(f"/v1/invoices/{invoice_id}", Role.BILLING)
    assert answer.status == 200, answer.text
    return answer.body
