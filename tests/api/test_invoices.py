"""Invoices over HTTP: recorded, changed, quoted, paid, taken back, credited."""

from service.platform.roles import Role
from tests import billing
from tests.shop import Shop, unique


async def test_an_invoice_is_recorded_quoted_and_paid_early(shop: Shop) -> None:
    answer = await billing.put(shop, "inv-1", total=119_000, tax=19_000)
    assert answer.status == 201, answer.text
    assert (answer.body["status"], answer.body["open"], answer.body["due_on"]) == ("open", 119_000, "2026-02-09")
    assert answer.body["agreed"]["text"] == "#SKONTO#TAGE=7#PROZENT=3.00#\n#SKONTO#TAGE=14#PROZENT=2.00#\n"
    quoted = await billing.quote(shop, "inv-1", "2026-01-17")
    assert (quoted["payable"], quoted["discount"], quoted["tax_reduction"]) == (115_430, 3_000, 570)
    assert quoted["steps"] == [
        {"until": "2026-01-17", "payable": 115_430},
        {"until": "2026-01-24", "payable": 116_620},
    ]
    paid = await billing.pay(shop, "inv-1", 115_430, "2026-01-17", id="p-1")
    assert paid.status == 201, paid.text
    told = {name: paid.body[name] for name in ("settled", "discount", "tax_reduction", "overpaid", "remaining")}
    assert told == {"settled": 119_000, "discount": 3_000, "tax_reduction": 570, "overpaid": 0, "remaining": 0}
    assert (await billing.read(shop, "inv-1"))["status"] == "settled"
    again = await billing.pay(shop, "inv-1", 115_430, "2026-01-17", id="p-1")
    assert (again.status, again.replayed, again.body) == (200, True, paid.body)
    found = await shop.get("/v1/payments/p-1", Role.BILLING)
    assert found.body["allocations"][0]["settled"] == 119_000


async def test_a_part_paid_in_time_settles_more_and_bounces(shop: Shop) -> None:
    """500.00 of 1000.00 in time at 2 % settles 510.20, and 480.00 remain payable in time."""
    invoice_id = await billing.issue(shop, terms=billing.TWO_PERCENT)
    paid = await billing.pay(shop, invoice_id, 50_000, "2026-01-15")
    assert (paid.body["settled"], paid.body["discount"], paid.body["remaining"]) == (51_020, 1_020, 48_980)
    assert (await billing.quote(shop, invoice_id, "2026-01-20"))["payable"] == 48_000
    bounced = await billing.reverse(shop, invoice_id, paid.body["id"])
    assert bounced.status == 200, bounced.text
    assert bounced.body["invoices"] == [
        {
            "invoice_id": invoice_id,
            "reopened": 51_020,
            "discount": 1_020,
            "tax_reduction": 0,
            "overpaid": 0,
            "open": 100_000,
        }
    ]
    assert (await billing.read(shop, invoice_id))["open"] == 100_000


async def test_a_credit_note_takes_from_what_is_open_then_from_settlements(shop: Shop) -> None:
    invoice_id = await billing.issue(shop, terms=billing.TWO_PERCENT)
    paid = await billing.pay(shop, invoice_id, 49_000, "2026-01-15")
    assert paid.body["settled"] == 50_000
    credited = await billing.credit(shop, invoice_id, total=60_000)
    assert credited.status == 201, credited.text
    told = {name: credited.body[name] for name in ("from_open", "discount", "overpaid", "remaining")}
    assert told == {"from_open": 50_000, "discount": 200, "overpaid": 9_800, "remaining": 0}
    assert credited.body["taken_back"][0]["payment_id"] == paid.body["id"]
    (bounced,) = (await billing.reverse(shop, invoice_id, paid.body["id"])).body["invoices"]
    assert (bounced["reopened"], bounced["overpaid"], bounced["open"]) == (40_000, 9_800, 40_000)


async def test_one_payment_closes_many_invoices_and_bounces_as_a_whole(shop: Shop) -> None:
    one, other = await billing.issue(shop), await billing.issue(shop, terms=billing.TWO_PERCENT)
    paid = await billing.pay_many(shop, {one: 97_000, other: 98_000}, "2026-01-15")
    assert paid.status == 201, paid.text
    assert [each["discount"] for each in paid.body["allocations"]] == [3_000, 2_000]
    bounced = await billing.reverse(shop, other, paid.body["id"])
    assert [each["open"] for each in bounced.body["invoices"]] == [100_000, 100_000]
    again = await billing.reverse(shop, one, paid.body["id"])
    assert (again.status, again.body) == (200, bounced.body)


async def test_points_instead_of_a_discount_are_given_and_taken_back(shop: Shop) -> None:
    settings = {"early_payment": {"terms": billing.TWO_PERCENT, "points": {"points": 1, "amount": 10}}}
    changed = await shop.call("PATCH", "/v1/program", {"settings": settings}, role=Role.ADMIN)
    assert changed.status == 200, changed.text
    invoice_id = await billing.issue(shop, terms=...)
    assert (await billing.quote(shop, invoice_id, "2026-01-15"))["points"] == 200
    paid = await billing.pay(shop, invoice_id, 100_000, "2026-01-15", mode="points")
    assert paid.status == 201, paid.text
    assert (paid.body["points"]["earned"], paid.body["balance"]["available"]) == (200, 200)
    bounced = await billing.reverse(shop, invoice_id, paid.body["id"])
    assert bounced.body["balance"]["available"] == 0


async def test_a_number_is_taken_once_and_look_alikes_warn(shop: Shop) -> None:
    await billing.issue(shop, "inv-1", number="RE 100-O")
    assert (await billing.put(shop, "inv-2", number="re100-o")).code == "invoice_number_taken"
    warned = await billing.put(shop, "inv-3", number="RE100-0")
    assert warned.status == 201
    assert [each["invoice_ids"] for each in warned.body["warnings"]] == [["inv-1"]]


async def test_an_invoice_is_changed_until_something_was_paid(shop: Shop) -> None:
    invoice_id = await billing.issue(shop)
    same = await billing.put(shop, invoice_id)
    assert (same.status, same.body["version"]) == (200, 1)
    changed = await billing.put(shop, invoice_id, total=50_000)
    assert (changed.status, changed.body["version"], changed.body["open"]) == (200, 2, 50_000)
    await billing.pay(shop, invoice_id, 100, "2026-01-15", id=unique("pay"))
    assert (await billing.put(shop, invoice_id, total=60_000)).code == "invoice_has_payments"
    assert (await billing.put(shop, invoice_id, total=50_000)).status == 200


async def test_explicit_defaults_are_no_other_content(shop: Shop) -> None:
    one, other = await billing.issue(shop), await billing.issue(shop)
    first = await billing.pay(shop, one, 1_000, "2026-01-15", id="p-said")
    again = await billing.pay(shop, one, 1_000, "2026-01-15", id="p-said", mode="discount", currency="EUR")
    assert (again.status, again.replayed, again.text) == (200, True, first.text)
    assert (await billing.pay(shop, one, 1_000, "2026-01-15", id="p-said", mode="points")).code == "payment_conflict"
    joint = await billing.pay_many(shop, {one: 1_000, other: 1_000}, "2026-01-15", id="p-both", currency="EUR")
    again = await billing.pay_many(shop, {one: 1_000, other: 1_000}, "2026-01-15", id="p-both", mode="discount")
    assert (again.status, again.replayed, again.text) == (200, True, joint.text)


async def test_points_are_worth_what_the_program_says_where_it_says_nothing_else(shop: Shop) -> None:
    """A point is a cent; in other currencies points have no worth."""
    invoice_id = await billing.issue(shop, terms=billing.TWO_PERCENT)
    assert (await billing.quote(shop, invoice_id, "2026-01-15"))["points"] == 2_000
    paid = await billing.pay(shop, invoice_id, 50_000, "2026-01-15", mode="points")
    assert (paid.body["settled"], paid.body["points"]["earned"], paid.body["remaining"]) == (50_000, 1_000, 50_000)
    dollars = await billing.issue(shop, currency="USD", terms=billing.TWO_PERCENT)
    assert (await billing.quote(shop, dollars, "2026-01-15"))["points"] is None
    refused = await billing.pay(shop, dollars, 50_000, "2026-01-15", mode="points")
    assert (refused.pointer, refused.body["errors"][0]["code"]) == ("/mode", "points_not_offered")


async def test_terms_are_the_invoices_else_the_customers_else_the_programs(shop: Shop) -> None:
    program = {"kind": "steps", "steps": [{"days": 5, "basis_points": 100}]}
    changed = {"settings": {"early_payment": {"terms": program}}}
    assert (await shop.call("PATCH", "/v1/program", changed, role=Role.ADMIN)).status == 200
    assert (await shop.call("PUT", "/v1/customers/c-42", {"locale": "de-DE"})).status == 201
    agreed = await shop.call("PUT", "/v1/customers/c-42/payment-terms", billing.TWO_PERCENT, role=Role.BILLING)
    assert (agreed.status, agreed.body["text"]) == (200, "#SKONTO#TAGE=10#PROZENT=2.00#\n")
    answers = [
        await billing.put(shop, unique("inv"), terms=...),
        await billing.put(shop, unique("inv")),
        await billing.put(shop, unique("inv"), customer_id="c-43", terms=...),
        await billing.put(shop, unique("inv"), customer_id="c-43", terms={"kind": "none"}),
        await billing.put(shop, unique("inv"), terms=..., terms_text="#SKONTO#TAGE=3#PROZENT=4.00#\n"),
    ]
    told = [(each.body["agreed"]["source"], each.body["agreed"]["terms"].get("steps", [])) for each in answers]
    assert told == [
        ("customer", billing.TWO_PERCENT["steps"]),
        ("invoice", billing.TWO_STEPS["steps"]),
        ("program", program["steps"]),
        ("invoice", []),
        ("invoice", [{"days": 3, "basis_points": 400}]),
    ]
    assert "Skonto" in answers[0].body["agreed"]["words"]
    assert (await shop.call("DELETE", "/v1/customers/c-42/payment-terms", role=Role.BILLING)).status == 200
    assert (await billing.put(shop, unique("inv"), terms=...)).body["agreed"]["source"] == "program"


async def test_a_quote_tells_what_is_agreed_where_that_is_points(shop: Shop) -> None:
    invoice_id = await billing.issue(shop, terms=billing.TWO_PERCENT | {"mode": "points"})
    quoted = await billing.quote(shop, invoice_id, "2026-01-15")
    assert (quoted["mode"], quoted["payable"], quoted["points"]) == ("points", 98_000, 2_000)
    assert (await billing.pay(shop, invoice_id, 98_000, "2026-01-15")).body["remaining"] == 2_000
    other = await billing.issue(shop, terms=billing.TWO_PERCENT | {"mode": "points"})
    assert (await billing.pay(shop, other, 98_000, "2026-01-15", mode="discount")).body["remaining"] == 0


async def test_all_that_is_paid_at_once_is_bounded(shop: Shop) -> None:
    ids = [await billing.issue(shop, total=10**12) for _ in range(2)]
    refused = await billing.pay_many(shop, {ids[0]: 10**12, ids[1]: 1}, "2026-01-15")
    assert (refused.pointer, refused.body["errors"][0]["code"]) == ("/allocations", "out_of_range")
    points = await billing.pay_many(shop, {ids[0]: 10**12 - 1, ids[1]: 1}, "2026-03-15", mode="points")
    assert points.status == 201, points.text


async def test_an_invoice_has_some_tax_groups_and_not_any_number(shop: Shop) -> None:
    lines = [{"net": 100, "taxes": [{"name": f"tax {each}", "basis_points": 1}]} for each in range(101)]
    refused = await billing.put(shop, "inv-groups", total=..., lines=lines)
    assert (refused.pointer, refused.body["errors"][0]["code"]) == ("/lines", "too_many")
    assert (await billing.put(shop, "inv-groups", total=..., lines=lines[1:])).status == 201
