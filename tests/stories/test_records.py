"""Whole records, through HTTP: one goes into another, one is erased, one is given out."""

from typing import Any

from service.app import KEEPERS
from service.customers.records import export, was_erased
from service.customers.rules import Profile
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from tests import billing
from tests.activities import declare, report
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.stories.test_lives import DAY, NOTHING, command, now

WORD = "zebra-7731"
"""A word that stands in all that a caller can word freely; after an erasure it stands nowhere."""


async def admin(shop: Shop, method: str, path: str, body: Any = None) -> Answer:
    headers = {"Idempotency-Key": unique("key")} if method == "POST" else {}
    return await shop.call(method, path, body, role=Role.ADMIN, headers=headers)


async def merge(shop: Shop, customer_id: str, into: str) -> Answer:
    return await admin(shop, "POST", f"/v1/customers/{customer_id}/merge", {"into": into})


async def redeem(shop: Shop, customer_id: str, points: int, **more: Any) -> str:
    held = await command(shop, "/v1/redemptions", {"customer_id": customer_id, "points": points} | more)
    assert held.status == 201, held.text
    return held.body["id"]


async def test_a_guests_record_goes_into_a_customers_and_both_ids_stand_for_it(shop: Shop) -> None:
    await shop.buy(id="g-1", customer_id="guest", total=10_000)
    await shop.buy(id="c-1", customer_id="c-42", total=5_000)
    merged = await merge(shop, "guest", "c-42")
    assert (merged.status, merged.body) == (
        200,
        {"customer_id": "guest", "into": "c-42", "balance": NOTHING | {"available": 150}},
    )
    for name in ("guest", "c-42"):
        balance = (await shop.get(f"/v1/customers/{name}/balance")).body
        assert (balance["customer_id"], balance["available"], balance["lifetime_earned"]) == ("c-42", 150, 150)
    record = await shop.get("/v1/customers/guest", role=Role.SUPPORT)
    assert (record.body["customer_id"], record.body["purchases"]["count"]) == ("c-42", 2)
    listed = await shop.get("/v1/customers", role=Role.SUPPORT)
    assert [each["customer_id"] for each in listed.body["data"]] == ["c-42"]
    # What the checkout goes on reporting under the old id is the customer's.
    bought = await shop.buy(id="g-2", customer_id="guest", total=1_000)
    assert bought.body["balance"] == NOTHING | {"available": 160}
    reasons = [each["reason"] for each in (await shop.get("/v1/customers/c-42/transactions")).body["data"]]
    assert reasons == ["purchase", "merge", "merge", "purchase", "purchase"]
    again = await merge(shop, "guest", "c-42")
    assert (again.status, again.body["balance"]["available"]) == (200, 160)


async def test_a_merge_that_is_told_again_answers_what_the_customer_has_by_now(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30})
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=1_000, occurred_at=now())
    assert (await merge(shop, "guest", "c-42")).body["balance"] == NOTHING | {"available": 20}
    await pass_time(owner, shop.program.id, 40 * DAY)
    assert (await merge(shop, "guest", "c-42")).body["balance"] == NOTHING
    assert (await shop.balance("guest")) == NOTHING


async def test_two_ids_of_one_customer_in_one_batch_are_one_account(shop: Shop) -> None:
    await shop.buy(customer_id="guest", total=10_000)
    await shop.buy(customer_id="c-42", total=10_000)
    await merge(shop, "guest", "c-42")
    entries = [
        {"id": unique("b"), "customer_id": name, "currency": "EUR", "total": 1_000, "occurred_at": now()}
        for name in ("guest", "c-42", "guest", "new", "c-42")
    ]
    answer = await shop.post("/v1/purchases/batch", {"purchases": entries})
    balances = [each["purchase"]["balance"]["available"] for each in answer.body["results"]]
    assert balances == [210, 220, 230, 10, 240]
    quote = await shop.post("/v1/purchases?dry_run=true", entries[0] | {"id": "quote"})
    assert quote.body["balance"]["available"] == 250


async def test_what_was_bought_and_redeemed_before_a_merge_is_refunded_and_captured_after_it(shop: Shop) -> None:
    await shop.buy(id="g-1", customer_id="guest", total=10_000)
    await shop.buy(id="c-1", customer_id="c-42", total=5_000)
    spent = await redeem(shop, "guest", 30, order_id="g-2")
    await command(shop, f"/v1/redemptions/{spent}/capture")
    await shop.buy(id="g-2", customer_id="guest", total=0, points_paid=30)
    still_held = await redeem(shop, "guest", 20)
    merged = await merge(shop, "guest", "c-42")
    assert merged.body["balance"] == NOTHING | {"available": 100, "held": 20}
    captured = await command(shop, f"/v1/redemptions/{still_held}/capture", {"points": 5})
    assert captured.body["balance"] == NOTHING | {"available": 115}
    back = await shop.post("/v1/purchases/g-2/refunds", {"id": "r-1", "amount": 0})
    assert (back.status, back.body["points"]["restored"], back.body["balance"]["available"]) == (201, 30, 145)
    # Of the hundred that g-1 earned five are spent: ninety-five come from its own lot, five from the other.
    back = await shop.post("/v1/purchases/g-1/refunds", {"id": "r-2", "amount": 10_000})
    assert back.body["points"] == {"reversed": 100, "from_lots": 100, "to_debt": 0, "written_off": 0, "restored": 0}
    assert back.body["balance"] == NOTHING | {"available": 45}
    again = await shop.post("/v1/purchases/g-1/refunds", {"id": "r-2", "amount": 10_000})
    assert (again.status, again.body) == (200, back.body)


async def in_debt(shop: Shop, customer_id: str) -> None:
    """Let a customer owe a hundred points."""
    bought = f"{customer_id}-bought"
    await shop.buy(id=bought, customer_id=customer_id, total=10_000)
    spent = await redeem(shop, customer_id, 100)
    await command(shop, f"/v1/redemptions/{spent}/capture")
    await shop.post(f"/v1/purchases/{bought}/refunds", {"id": f"{customer_id}-back", "amount": 10_000})
    assert await shop.balance(customer_id) == NOTHING | {"debt": 100}


async def test_debt_of_either_record_is_repaid_by_the_others_points(new_shop: NewShop) -> None:
    for source, target, points, after in (
        ("owes", "has", 30, {"debt": 70}),
        ("owes", "has", 130, {"available": 30}),
        ("has", "owes", 30, {"debt": 70}),
        ("has", "owes", 130, {"available": 30}),
    ):
        shop = await new_shop()
        await in_debt(shop, "owes")
        await shop.buy(customer_id="has", total=points * 100)
        assert (await merge(shop, source, target)).body["balance"] == NOTHING | after
    shop = await new_shop()
    for name in ("owes", "has"):
        await in_debt(shop, name)
    assert (await merge(shop, "owes", "has")).body["balance"] == NOTHING | {"debt": 200}


async def test_lots_go_over_with_the_ends_that_they_have(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30}, pending={"kind": "after", "days": 10})
    await shop.buy(customer_id="guest", total=10_000, occurred_at=now())
    await pass_time(owner, shop.program.id, 15 * DAY)
    await shop.buy(customer_id="guest", total=2_000, occurred_at=now())
    await shop.buy(customer_id="c-42", total=5_000, occurred_at=now())
    assert (await merge(shop, "guest", "c-42")).body["balance"] == NOTHING | {"available": 100, "pending": 70}
    await pass_time(owner, shop.program.id, 12 * DAY)
    assert await shop.balance("c-42") == NOTHING | {"available": 170}
    await pass_time(owner, shop.program.id, 5 * DAY)
    assert await shop.balance("guest") == NOTHING | {"available": 70}


async def test_an_adjustment_that_waits_goes_over_and_one_that_is_erased_is_refused(new_shop: NewShop) -> None:
    shop = await new_shop(adjustment_limit=10)
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name, total=1_000)
    body = {"points": 50, "reason": "goodwill", "note": WORD}
    path, key = "/v1/customers/guest/adjustments", {"Idempotency_Key": unique("key")}
    asked = await shop.post(path, body, Role.SUPPORT, **key)
    assert asked.body["status"] == "waiting"
    await merge(shop, "guest", "c-42")
    listed = await shop.get("/v1/adjustments?customer_id=c-42", role=Role.SUPPORT)
    assert [each["id"] for each in listed.body["data"]] == [asked.body["id"]]
    approved = await admin(shop, "POST", f"/v1/adjustments/{asked.body['id']}/approve")
    assert (approved.status, approved.body["balance"]["available"]) == (200, 70)
    waits = await shop.post("/v1/customers/c-42/adjustments", body, Role.SUPPORT, Idempotency_Key=unique("key"))
    await admin(shop, "DELETE", "/v1/customers/c-42")
    recorded = await shop.get(f"/v1/adjustments/{waits.body['id']}", role=Role.SUPPORT)
    assert (recorded.body["status"], recorded.body["customer_id"], recorded.body["note"]) == ("refused", None, None)


async def test_a_chain_of_merges_ends_in_one_record(shop: Shop) -> None:
    for name in ("a", "b", "c"):
        await shop.buy(customer_id=name, total=1_000)
    assert (await merge(shop, "a", "b")).status == 200
    assert (await merge(shop, "b", "c")).status == 200
    for name in ("a", "b", "c"):
        assert (await shop.get(f"/v1/customers/{name}/balance")).body["customer_id"] == "c"
        assert await shop.balance(name) == NOTHING | {"available": 30}
    assert (await merge(shop, "a", "c")).status == 200
    refused = await merge(shop, "a", unique("x"))
    assert refused.pointer == "/into"
    await shop.buy(customer_id="d", total=1_000)
    refused = await merge(shop, "a", "d")
    assert (refused.status, refused.code) == (409, "customer_merged")


async def test_what_can_not_be_merged_is_told_and_changes_nothing(shop: Shop) -> None:
    await shop.buy(customer_id="c-42", total=1_000)
    assert (await merge(shop, "nobody", "c-42")).status == 404
    assert (await merge(shop, "c-42", "nobody")).pointer == "/into"
    assert (await merge(shop, "c-42", "c-42")).pointer == "/into"
    await shop.buy(customer_id="guest", total=1_000)
    dry = await shop.call("POST", "/v1/customers/guest/merge?dry_run=true", {"into": "c-42"}, role=Role.ADMIN)
    assert (dry.status, dry.body["balance"]["available"]) == (200, 20)
    assert await shop.balance("guest") == NOTHING | {"available": 10}


async def test_a_profile_is_filled_from_the_one_that_goes_into_it(shop: Shop) -> None:
    await shop.call("PUT", "/v1/customers/guest", {"email": "g@x.de", "name": "Guest", "attributes": {"a": 1, "b": 2}})
    await shop.call("PUT", "/v1/customers/c-42", {"name": "Ann", "attributes": {"a": 3}})
    await merge(shop, "guest", "c-42")
    record = (await shop.get("/v1/customers/c-42", role=Role.SUPPORT)).body
    assert (record["email"], record["name"], record["attributes"]) == ("g@x.de", "Ann", {"a": 3, "b": 2})


async def a_full_life(shop: Shop) -> list[dict[str, Any]]:
    """Let a customer do all that leaves words behind; gives the facts, to report them again."""
    name = f"{WORD}@example.com"
    profile = {"email": name, "phone": "+49 7731 7731", "name": WORD, "attributes": {WORD: WORD}}
    await shop.call("PUT", f"/v1/customers/{name}", profile)
    bought = {
        "id": "o-1", "customer_id": name, "currency": "EUR", "total": 10_000, "occurred_at": now(),
        "channel": WORD, "referral_code": WORD, "metadata": {WORD: WORD},
        "items": [{"id": WORD, "amount": 10_000, "quantity": 2, "sku": WORD, "category": WORD}],
    }  # fmt: skip
    nothing_earned = bought | {"id": "o-2", "total": 0, "items": []}
    for each in (bought, nothing_earned):
        assert (await shop.post("/v1/purchases", each)).status == 201
    refund = {"id": "r-1", "items": [{"id": WORD, "quantity": 1}]}
    assert (await shop.post("/v1/purchases/o-1/refunds", refund)).status == 201
    await redeem(shop, name, 10)
    adjusted = {"points": 5, "reason": "goodwill", "note": WORD}
    assert (await admin(shop, "POST", f"/v1/customers/{name}/adjustments", adjusted)).status == 201
    suppressed = {"reason": "open_case", "reference": WORD}
    assert (await admin(shop, "POST", f"/v1/customers/{name}/suppressions", suppressed)).status == 201
    opening = {"id": "old-1", "customer_id": name, "lots": [{"points": 3, "earned_at": "2025-03-01T09:00:00Z"}]}
    assert (await admin(shop, "POST", "/v1/opening-balances", {"balances": [opening]})).status == 200
    await declare(shop, "review", properties={"text": {"type": "string"}})
    assert (await report(shop, type="review", customer_id=name, properties={"text": WORD})).status == 201
    await be_billed(shop, name)
    return [bought, nothing_earned, refund]


async def be_billed(shop: Shop, name: str) -> None:
    """Let a customer have terms of his own, and an invoice with a payment and a credit note."""
    agreed = await shop.call("PUT", f"/v1/customers/{name}/payment-terms", billing.TWO_PERCENT, role=Role.BILLING)
    assert agreed.status == 200, agreed.text
    lines = [{"net": 100_000, "taxes": [{"name": "VAT", "basis_points": 1900}]}]
    await billing.issue(shop, "inv-1", customer_id=name, number=WORD, total=..., lines=lines, terms=...)
    assert (await billing.pay(shop, "inv-1", 100, "2026-01-12")).status == 201
    assert (await billing.credit(shop, "inv-1", total=100)).status == 201


async def traces(owner: Db, shop: Shop, word: str) -> list[str]:
    """Name the columns of all the program's tables in which a word stands."""
    columns = await owner.fetch(
        "SELECT c.table_name, c.column_name FROM information_schema.columns AS c"
        " INNER JOIN information_schema.columns AS p USING (table_schema, table_name)"
        " WHERE c.table_schema = 'public' AND c.data_type IN ('text', 'jsonb') AND p.column_name = 'program_id'"
    )
    look = 'SELECT EXISTS (SELECT FROM "{}" WHERE program_id = $1 AND {}::text LIKE $2)'
    return [
        f"{table}.{column}"
        for table, column in columns
        if await owner.fetchval(look.format(table, column), shop.program.id, f"%{word}%")
    ]


async def test_of_an_erased_customer_nothing_is_left_and_the_books_still_prove(shop: Shop, owner: Db) -> None:
    name, (bought, nothing_earned, refund) = f"{WORD}@example.com", await a_full_life(shop)
    assert {"purchase.items", "activity.properties", "invoice.number"} <= set(await traces(owner, shop, WORD))
    dry = await shop.call("DELETE", f"/v1/customers/{name}?dry_run=true", role=Role.ADMIN)
    assert dry.body == {"customer_id": name, "erased": True, "closed": NOTHING | {"available": 48, "held": 10}}
    assert (await shop.get(f"/v1/customers/{name}/balance")).status == 200
    erased = await admin(shop, "DELETE", f"/v1/customers/{name}")
    assert (erased.status, erased.body) == (200, dry.body)
    assert await traces(owner, shop, WORD) == []
    for path in ("", "/balance", "/transactions", "/lots", "/export"):
        assert (await shop.get(f"/v1/customers/{name}{path}", role=Role.ADMIN)).status == 404
    assert (await admin(shop, "DELETE", f"/v1/customers/{name}")).status == 404
    # What is reported again is known, and gone.
    for each in (bought, nothing_earned):
        replay = await shop.post("/v1/purchases", each)
        assert (replay.status, replay.code) == (410, "customer_erased")
    assert (await shop.post("/v1/purchases/o-1/refunds", refund)).status == 410
    assert (await shop.post("/v1/purchases/o-1/refunds", refund | {"id": "r-2"})).status == 410
    assert (await command(shop, "/v1/purchases/o-1/confirm")).status == 410
    kept = (await shop.get("/v1/purchases/o-1")).body
    assert (kept["customer_id"], kept["items"], kept["total"]) == (None, [], 10_000)
    # Whoever comes with the id again is somebody new.
    new = await shop.post("/v1/purchases", bought | {"id": "o-3"})
    assert new.body["balance"] == NOTHING | {"available": 100}


async def test_an_erasure_closes_what_there_is_by_its_time_whether_or_not_it_was_booked(
    new_shop: NewShop, owner: Db
) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30}, pending={"kind": "after", "days": 10})
    await shop.buy(total=10_000, occurred_at=now())
    await pass_time(owner, shop.program.id, 25 * DAY)
    await shop.buy(total=2_000, occurred_at=now())
    await pass_time(owner, shop.program.id, 12 * DAY)
    erased = await admin(shop, "DELETE", "/v1/customers/c-42")
    assert erased.body["closed"] == NOTHING | {"available": 20}


async def test_a_bulk_call_that_is_repeated_tells_what_is_gone_since_and_all_else_as_it_was(shop: Shop) -> None:
    entries = [
        {"id": unique("b"), "customer_id": name, "currency": "EUR", "total": 1_000, "occurred_at": now()}
        for name in (WORD, "guest", "c-42")
    ]
    entries.append(entries[0] | {"id": unique("b"), "total": -1})
    calls = [
        await shop.post("/v1/purchases/batch", {"purchases": entries}, Idempotency_Key="the-same") for _ in range(2)
    ]
    await merge(shop, "guest", "c-42")
    await admin(shop, "DELETE", f"/v1/customers/{WORD}")
    first, again, later = [each.body["results"] for each in calls] + [
        (await shop.post("/v1/purchases/batch", {"purchases": entries}, Idempotency_Key="the-same")).body["results"]
    ]
    assert ([each["status"] for each in first], again) == ([201, 201, 201, 422], first)
    assert (later[0]["status"], later[0]["problem"]["code"], "purchase" in later[0]) == (410, "customer_erased", False)
    assert later[1:] == first[1:]


async def test_who_was_erased_is_known_again_by_a_keyed_hash_and_in_no_other_program(new_shop: NewShop) -> None:
    shop, other = await new_shop(), await new_shop()
    await shop.call("PUT", "/v1/customers/c-42", {"email": "Ann.Lee+shop@x.de", "phone": "+49 228 1234"})
    await admin(shop, "DELETE", "/v1/customers/c-42")
    for known, program, customer_id, profile in (
        (True, shop, "c-42", Profile()),
        (True, shop, "new", Profile(email="annlee@X.de")),
        (True, shop, "new", Profile(phone="0049 (228) 12-34")),
        (False, shop, "new", Profile(email="ann.leex@x.de", phone="+49 228 1235")),
        (False, other, "c-42", Profile(email="annlee@x.de")),
    ):
        assert program.database is not None
        async with program.database.connection() as db:
            found = await was_erased(db, program_id=program.program.id, customer_id=customer_id, profile=profile)
        assert found is known, (customer_id, profile)


async def test_debt_of_an_erased_customer_is_written_off_and_redemptions_are_gone(shop: Shop) -> None:
    await in_debt(shop, "owes")
    assert (await admin(shop, "DELETE", "/v1/customers/owes")).body["closed"] == NOTHING | {"debt": 100}
    await shop.buy(customer_id="c-42", total=1_000)
    held = await redeem(shop, "c-42", 10)
    await admin(shop, "DELETE", "/v1/customers/c-42")
    for verb in ("capture", "release"):
        assert (await command(shop, f"/v1/redemptions/{held}/{verb}")).status == 410
    assert (await shop.get(f"/v1/redemptions/{held}")).status == 410


async def test_with_a_record_all_are_erased_that_went_into_it(shop: Shop, owner: Db) -> None:
    await shop.buy(id="o-9", customer_id=f"{WORD}-guest", total=1_000, channel=WORD)
    await shop.buy(customer_id="c-42", total=1_000)
    await merge(shop, f"{WORD}-guest", "c-42")
    assert (await admin(shop, "DELETE", "/v1/customers/c-42")).status == 200
    assert await traces(owner, shop, WORD) == []
    assert (await shop.get(f"/v1/customers/{WORD}-guest/balance")).status == 404


async def test_an_export_has_all_that_is_kept(shop: Shop) -> None:
    await a_full_life(shop)
    name = f"{WORD}@example.com"
    await shop.buy(id="g-1", customer_id="guest", total=1_000)
    await merge(shop, "guest", name)
    for role in (Role.SUPPORT, Role.ANALYST, Role.ADMIN):
        answer = await shop.get(f"/v1/customers/{name}/export", role=role)
        assert answer.status == 200
    assert (await shop.get(f"/v1/customers/{name}/export", role=Role.CHECKOUT)).status == 403
    given = answer.body
    assert (given["customer"]["customer_id"], given["merged"]) == (name, ["guest"])
    counts = {kind: len(each) for kind, each in given["records"].items()}
    assert counts == {
        "transactions": 8, "lots": 4, "redemptions": 1, "purchases": 3, "refunds": 1, "vouchers": 0,
        "adjustments": 1, "opening_balances": 1, "notices": 0, "activities": 1, "tier_changes": 0,
        "tiers_brought": 0, "suppressions": 1, "referrals": 0, "referral_codes": 0, "referral_asks": 0,
        "invoices": 1, "payments": 1, "credit_notes": 1, "payment_terms": 1, "surprises": 0,
    }  # fmt: skip
    assert given["records"]["purchases"][0]["metadata"] == {WORD: WORD}


async def test_an_export_tells_what_the_customer_was_told_also_under_another_id(new_shop: NewShop, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 30, "notice": {"days": 10}})
    await shop.buy(customer_id="guest", total=1_000, occurred_at=now())
    await pass_time(owner, shop.program.id, 25 * DAY)
    await shop.buy(customer_id="c-42", total=1_000, occurred_at=now())
    await merge(shop, "guest", "c-42")
    given = (await shop.get("/v1/customers/c-42/export", role=Role.SUPPORT)).body
    assert [(each["points"], each["ends_at"] > each["told_at"]) for each in given["records"]["notices"]] == [(10, True)]


async def test_an_export_asks_as_often_however_much_there_is(shop: Shop, database: Database) -> None:
    asked = list[int]()
    async with database.connection() as db:
        for _ in range(3):
            for _ in range(3):
                bought = unique("o")
                await shop.buy(id=bought, total=1_000)
                await shop.post(f"/v1/purchases/{bought}/refunds", {"id": unique("r"), "amount": 100})
            queries = list[object]()
            with db.query_logger(queries.append):
                await export(db, program_id=shop.program.id, customer_id="c-42", keepers=KEEPERS)
            asked.append(len(queries))
    assert asked[1] == asked[2]  # the first may ask for types besides


async def test_every_table_with_rows_of_customers_has_a_keeper(owner: Db) -> None:

    tables = await owner.fetch(
        "SELECT c.table_name FROM information_schema.columns AS c"
        " INNER JOIN information_schema.tables AS t USING (table_schema, table_name)"
        " WHERE c.table_schema = 'public' AND c.column_name = 'customer_id' AND t.table_type = 'BASE TABLE'"
        " AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(t.table_name))"
    )
    kept = {table for keeper in KEEPERS for table in keeper.tables}
    own = {
        "customer_profile",
        "outbox",
        "event",
    }  # the records' own, and events, which name customers by internal ids alone
    assert {row["table_name"] for row in tables} - kept - own == set()
