"""Reporting purchases, through HTTP."""

import asyncio

from service.platform.roles import Role
from tests.conftest import NewShop
from tests.shop import Shop, purchase, unique


async def test_a_purchase_earns_a_point_for_each_whole_unit_and_answers_to_the_letter(shop: Shop) -> None:
    answer = await shop.post(
        "/v1/purchases",
        {
            "id": "order-1001",
            "customer_id": "c-42",
            "occurred_at": "2026-11-21T10:00:00Z",
            "currency": "EUR",
            "total": 12990,
            "tax": 2074,
            "shipping": 490,
            "points_paid": 0,
            "channel": "web",
            "referral_code": None,
            "items": [{"id": "1", "sku": "TEA-1", "category": "tea", "quantity": 2, "amount": 12500}],
            "metadata": {},
        },
    )
    assert answer.status == 201
    why = "1 point for each 1.00 EUR of 129.90 EUR (total), rounded down"
    assert answer.body == {
        "id": "order-1001",
        "customer_id": "c-42",
        "points": {"earned": 129, "pending": 0, "lines": [{"rule": "base", "points": 129, "why": why}]},
        "balance": {"available": 129, "pending": 0, "held": 0, "debt": 0},
        "tier": None,
        "referral": None,
        "surprises": [],
    }
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["request-id"].startswith("req_")


async def test_the_same_purchase_again_is_answered_alike_and_booked_once(shop: Shop) -> None:
    body = purchase()
    first = await shop.post("/v1/purchases", body)
    await shop.buy()
    again = await shop.post("/v1/purchases", body)
    assert (first.status, again.status) == (201, 200)
    assert again.text == first.text
    assert (first.replayed, again.replayed) == (False, True)
    assert (await shop.balance("c-42"))["available"] == 258


async def test_spelling_and_explicit_defaults_do_not_make_other_content(shop: Shop) -> None:
    first = await shop.buy(id="order-1", occurred_at="2026-01-02T10:00:00Z", metadata={"a": 1, "b": [2]})
    again = await shop.buy(
        id="order-1",
        occurred_at="2026-01-02T11:00:00+01:00",
        tax=0,
        items=[],
        channel=None,
        metadata={"b": [2], "a": 1},
    )
    assert (first.status, again.status) == (201, 200)


async def test_other_content_under_a_known_id_is_a_conflict_and_changes_nothing(shop: Shop) -> None:
    await shop.buy(id="order-1")
    for change in ({"total": 12991}, {"customer_id": "c-43"}, {"metadata": {"a": 1}}, {"tax": 1}):
        refused = await shop.buy(id="order-1", **change)
        assert (refused.status, refused.code) == (409, "purchase_conflict"), change
    assert (await shop.balance("c-42"))["available"] == 129
    assert (await shop.get("/v1/customers/c-43/balance")).status == 404


async def test_fifty_reports_of_one_purchase_at_once_book_it_once_and_answer_alike(shop: Shop) -> None:
    body = purchase()
    answers = await asyncio.gather(*(shop.post("/v1/purchases", body) for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [200] * 49 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert await shop.balance("c-42") == {"available": 129, "pending": 0, "held": 0, "debt": 0}


async def test_two_contents_under_one_id_at_once_book_one_of_them(shop: Shop) -> None:
    bodies = [purchase(id="order-1", customer_id=f"c-{number % 2}") for number in range(50)]
    answers = await asyncio.gather(*(shop.post("/v1/purchases", body) for body in bodies))
    assert sorted(answer.status for answer in answers) == [200] * 24 + [201] + [409] * 25


async def test_ids_of_one_program_mean_nothing_in_another(shop: Shop, new_shop: NewShop) -> None:
    other = await new_shop()
    await shop.buy(id="order-1")
    assert (await other.buy(id="order-1", total=500)).status == 201
    assert (await other.balance("c-42"))["available"] == 5


async def test_a_purchase_is_read_back_as_it_was_reported(shop: Shop) -> None:
    body = purchase(
        id="with/slash and blank",
        items=[{"id": "1", "sku": "TEA-1", "quantity": 2, "amount": 12500}],
        metadata={"till": 4, "nested": {"deep": [1.5, None, True]}},
        channel="shop",
        tax=2074,
    )
    reported = await shop.post("/v1/purchases", body)
    found = await shop.get("/v1/purchases/with%2Fslash%20and%20blank")
    assert found.status == 200
    expected = body | {"items": [body["items"][0] | {"category": None}], "points": reported.body["points"]}
    assert {name: found.body[name] for name in expected} == expected
    assert found.body["recorded_at"].endswith("Z")


async def test_a_dry_run_tells_what_would_be_and_leaves_nothing(shop: Shop) -> None:
    body = purchase(id="order-1", customer_id="new", items=[{"id": "1", "amount": 12_500, "quantity": 2}])
    quote = await shop.post("/v1/purchases?dry_run=true", body)
    assert (quote.status, quote.body["points"]["earned"]) == (200, 129)
    assert (await shop.get("/v1/customers/new/balance")).status == 404
    assert (await shop.get("/v1/purchases/order-1")).status == 404
    reported = await shop.post("/v1/purchases", body)
    told = quote.body
    assert told.pop("quote") == {"items": [{"id": "1", "points": 124, "one_more": 63}], "out_of_reach": []}
    assert (reported.status, reported.body) == (201, told)
    assert (await shop.post("/v1/purchases?dry_run=true", body | {"total": 1})).code == "purchase_conflict"


async def test_a_bad_referral_code_never_refuses_a_purchase(shop: Shop) -> None:
    answer = await shop.buy(referral_code="NO-SUCH-CODE")
    assert (answer.status, answer.body["referral"]) == (201, {"status": "refused"})


async def test_a_program_may_enrol_explicitly_only(new_shop: NewShop) -> None:
    shop = await new_shop(enrolment="explicit")
    refused = await shop.buy(customer_id="c-1")
    assert (refused.status, refused.code, refused.pointer) == (422, "customer_unknown", "/customer_id")
    assert (await shop.call("PUT", "/v1/customers/c-1", {})).status == 201
    assert (await shop.buy(customer_id="c-1")).status == 201


async def test_a_program_may_bound_how_old_a_fact_is(new_shop: NewShop) -> None:
    shop = await new_shop(oldest_fact_days=30)
    refused = await shop.buy(occurred_at="1997-01-01T00:00:00Z")
    assert refused.pointer == "/occurred_at"
    assert (await shop.get("/v1/customers/c-42/balance")).status == 404


async def test_a_free_purchase_is_booked_and_earns_nothing(shop: Shop) -> None:
    answer = await shop.buy(total=0)
    assert (answer.status, answer.body["points"]["earned"]) == (201, 0)
    assert (await shop.get("/v1/customers/c-42/transactions")).body["data"] == []


async def test_a_batch_answers_each_entry_on_its_own_in_order(shop: Shop) -> None:
    good, twice = purchase(id="b-1"), purchase(id="b-2", total=100)
    answer = await shop.post(
        "/v1/purchases/batch",
        {
            "purchases": [
                good,
                {"id": "b-3"},
                twice,
                twice,
                twice | {"total": 101},
                purchase(total="5"),
                purchase(customer_id="a\u0000"),
            ]
        },
    )
    assert answer.status == 200
    results = answer.body["results"]
    assert [result["status"] for result in results] == [201, 422, 201, 200, 409, 422, 422]
    assert results[0]["purchase"]["points"]["earned"] == 129
    assert results[1]["problem"]["errors"][0]["pointer"] == "/customer_id"
    assert results[4]["problem"]["code"] == "purchase_conflict"
    assert (await shop.balance("c-42"))["available"] == 130


async def test_a_batch_with_a_key_is_replayed_whole(shop: Shop) -> None:
    batch = {"purchases": [purchase(id="b-1"), {"id": "b-2"}]}
    first = await shop.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")
    again = await shop.post("/v1/purchases/batch", batch, Idempotency_Key='"k-1"')
    assert (again.status, again.text, again.replayed, first.replayed) == (200, first.text, True, False)
    other = await shop.post("/v1/purchases/batch", {"purchases": [purchase()]}, Idempotency_Key="k-1")
    assert (other.status, other.code) == (422, "idempotency_key_reused")


async def test_a_batch_holds_1_to_500_purchases(shop: Shop) -> None:
    for purchases in ([], [purchase()] * 501):
        refused = await shop.post("/v1/purchases/batch", {"purchases": purchases})
        assert refused.pointer == "/purchases"
    full = await shop.post(
        "/v1/purchases/batch", {"purchases": [purchase(customer_id=unique("c")) for _ in range(500)]}
    )
    assert {result["status"] for result in full.body["results"]} == {201}


async def test_a_purchase_called_batch_is_a_purchase_like_any_other(shop: Shop) -> None:
    await shop.buy(id="batch")
    assert (await shop.get("/v1/purchases/batch")).body["id"] == "batch"


async def test_late_facts_move_the_first_purchase_not_the_history(shop: Shop) -> None:
    await shop.buy(id="late", occurred_at="2026-05-01T00:00:00Z")
    await shop.buy(id="early", occurred_at="2025-05-01T00:00:00Z")
    customer = await shop.get("/v1/customers/c-42", Role.ADMIN)
    assert customer.body["purchases"] == {
        "count": 2,
        "first_at": "2025-05-01T00:00:00Z",
        "last_at": "2026-05-01T00:00:00Z",
    }
    history = await shop.get("/v1/customers/c-42/transactions")
    assert [each["cause"]["id"] for each in history.body["data"]] == ["early", "late"]
