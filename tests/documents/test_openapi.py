"""The OpenAPI document is current, whole, and its examples are true."""

import json
import re
from typing import Any, cast

import jsonschema_rs
import pytest

from service.openapi import EXAMPLES, render
from service.platform.http.docs import DOCUMENT
from service.platform.roles import Role
from tests import asking, billing, surprises
from tests.activities import declare
from tests.api.test_events import sequenced
from tests.conftest import NewShop
from tests.own import settle_in
from tests.portal import call_as, token_of
from tests.receiver import Receiver, answering, receiving, sending, work
from tests.shop import Shop, unique
from tests.vouchers import issue, make, redeem

SPEC: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
OWN = re.compile(
    r"(ref|txn|lot|key|hold|rwd|adj|evt|cus|whk|cmp|sur|sgk|play|grant)_[0-9a-f]{32}$|https://loyalty\.example/portal\?|http://127.0.0.1:[0-9]+/portal\?"
)
BY_TOKEN: list[dict[str, list[str]]] = [{"token": []}]
CHANGES = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9A-Z]{4}(-[0-9A-Z]{4}){2}$")
"""Days and moments, and codes of vouchers."""
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
EXAMPLE_CODE = "7K3M9QXA2PHT"
GIVEN_DAY = "2026-11-21T"
GIVEN_TIMES = {"occurred_at", "first_at", "last_at", "starts_at"}
TICKET: dict[str, Any] = {
    "name": "Concert in the park",
    "gives": {
        "kind": "event_ticket",
        "event": "Concert in the park",
        "starts_at": "2027-06-19T18:00:00Z",
        "place": "Bonn",
    },
    "points": 60,
    "codes": "third_party",
}
FACTS = {"reportPurchase", "reportActivity", "reportPayment", "reportPaymentOnMany", "reportCreditNote"}
OPERATIONS = [
    (path, method, operation) for path, methods in SPEC["paths"].items() for method, operation in methods.items()
]
OF_CUSTOMERS: dict[str, tuple[str, str]] = {
    operation["operationId"]: (path, method)
    for path, method, operation in OPERATIONS
    if operation.get("security") == BY_TOKEN
}


def test_the_document_in_the_repository_is_made_from_this_code() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "run `./run openapi --write`"


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=lambda value: str(value)[:30])
def test_every_operation_tells_its_id_its_right_and_its_problems(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert operation["operationId"]
    assert operation["summary"].endswith(".")
    if path.startswith("/v1"):
        if operation.get("security") != BY_TOKEN:
            assert operation["x-right"]
            assert "admin" in operation["x-roles"]
            assert "403" in operation["responses"]
        assert {"401", "429", "503"} <= set(operation["responses"])
        assert "Retry-After" in operation["responses"]["429"]["headers"]
        for status, response in operation["responses"].items():
            kind = "application/json" if status.startswith("2") else "application/problem+json"
            in_lines = operation["operationId"] == "simulateEarningRules" and status == "200"
            kinds = [kind, "application/x-ndjson"] if in_lines else [kind]
            assert list(response["content"]) == kinds, (method, status)


def test_no_two_types_share_a_name() -> None:
    """They would be told apart by their modules, and generators of clients take both for one."""
    assert [name for name in SPEC["components"]["schemas"] if "." in name] == []


def test_operation_ids_are_unique_and_links_lead_to_operations() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)
    links = [
        link
        for _, _, operation in OPERATIONS
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert links
    assert {link["operationId"] for link in links} <= set(ids)


def test_every_operation_of_the_api_has_examples_that_its_schemas_allow() -> None:
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    assert set(examples) == {operation["operationId"] for path, _, operation in OPERATIONS if path.startswith("/v1")}
    for _, _, operation in OPERATIONS:
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media in (media for body in bodies for media in body.get("content", {}).values() if "example" in media):
            schema = media["schema"] | {"components": SPEC["components"]}
            jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(media["example"])


def test_answers_tell_their_headers() -> None:
    for _, _, operation in OPERATIONS:
        takes_key = any(parameter["name"] == "Idempotency-Key" for parameter in operation["parameters"])
        for status, response in operation["responses"].items():
            headers: dict[str, Any] = response["headers"]
            assert "Request-Id" in headers
            assert ("WWW-Authenticate" in headers) == (status == "401")
            assert ("Retry-After" in headers) == (status in {"429", "503"} or (status == "409" and takes_key))
            limited = ("x-right" in operation or operation.get("security") == BY_TOKEN) and status != "401"
            assert {"RateLimit-Policy", "RateLimit"} & set(headers) == (
                {"RateLimit-Policy", "RateLimit"} if limited else set()
            )
            repeats = takes_key or operation["operationId"] in FACTS
            if status == "200" and repeats:
                assert "Idempotent-Replayed" in headers


def masked(example: Any, name: str = "") -> Any:
    """Leave out what is another each time: ids and times of the service's, cursors, secrets, the program's own name."""
    if isinstance(example, dict):
        items = cast("dict[str, Any]", example)
        if "milliseconds" in items:  # an attempt, which was made now
            items = items | {"at": "...", "milliseconds": "..."}
        if "milestone" in items:  # which was reached just now
            items = items | {name: "..." for name in ("since", "until", "reached_at") if name in items}
        if {"retention", "compare_from", "no_comparison"} & items.keys():  # a report of months
            return dict.fromkeys(items, "...")
        if {"waiting", "attempts"} & items.keys():  # of a webhook: how much happened before
            items = items | {"position": "..."}
        return {key: masked(value, key) for key, value in items.items() if "settings" not in items or key != "id"}
    if isinstance(example, list):
        return [masked(value) for value in cast("list[Any]", example)]
    is_given = name in GIVEN_TIMES and str(example).startswith(GIVEN_DAY)  # others are of what happened in the meantime
    is_own = name in {
        "next_cursor",
        "hint",
        "key",
        "key_hash",
        "valid_until",
        "timestamp",
        "secret",
        "audience",
        "token",
    } or (name.endswith("_at") and not is_given)
    return "..." if isinstance(example, str) and (is_own or OWN.match(example)) else example


async def waiting_adjustment(shop: Shop) -> str:
    """Make an adjustment that waits for another key than that of support; returns its id."""
    limit = {"settings": {"adjustment_limit": 0}}
    assert (await shop.call("PATCH", "/v1/program", limit, role=Role.ADMIN)).status == 200
    body = {"points": -10, "reason": "correction"}
    path = "/v1/customers/c-42/adjustments"
    return (await shop.post(path, body, Role.SUPPORT, Idempotency_Key=unique("key"))).body["id"]


async def tell(shop: Shop, webhook_id: str, receiver: Receiver) -> str:
    """Lead an endpoint to a receiver and let it be told what happened; returns the id of the newest event."""
    path = f"/v1/webhooks/{webhook_id}"
    assert (await shop.call("PATCH", path, {"url": receiver.address}, role=Role.ADMIN)).status == 200
    assert shop.database is not None
    async with sending() as sender:
        await work(shop.database, shop, sender)
    return (await shop.get(f"{path}/deliveries", Role.ADMIN)).body["data"][0]["event_id"]


async def test_the_examples_are_what_the_service_answers(new_shop: NewShop) -> None:
    """The examples follow each other: a purchase, the customer, the balance, rewards, vouchers, keys, redemptions."""
    shop = await new_shop()
    async with receiving() as receiver:
        receiver.answers = answering(200, "thanks")
        await answer_the_examples(shop, receiver)


async def prepare(name: str, shop: Shop, receiver: Receiver, made: dict[str, str]) -> None:
    """Let there be what an example needs and the ones before didn't make."""
    if name == "captureRedemption":  # the one before is released
        made["redemption_id"] = (await redeem(shop, made["reward_id"], order_id="order-1003")).body["id"]
    if name in {"approveAdjustment", "refuseAdjustment"}:
        made["adjustment_id"] = await waiting_adjustment(shop)
    if name == "testWebhook":
        made["event_id"] = await tell(shop, made["webhook_id"], receiver)
    if name == "reportActivity":
        await declare(shop, "review", properties={"product": {"type": "string"}, "stars": {"type": "integer"}})
    if name == "approveReferral":  # of a referee who did what the offer asks for
        bought = await shop.buy(customer_id="c-51", total=5_000, referral_code="ANNA20")
        made["referral_id"] = bought.body["referral"]["id"]
    if name == "getCustomerReferral":
        await asking.reached(shop, "c-42", "purchase:2")
    if name == "reportPaymentOnMany":
        await billing.issue(shop, "inv-1002", terms=billing.TWO_PERCENT, issued_on="2026-11-03")
    if name == "mergeCustomer":
        await shop.buy(customer_id="c-43", total=1_000)
    if name == "addCampaignCustomers":  # the one before is a game
        made["campaign_id"] = await surprises.started(shop, trigger={"kind": "list"})


async def answer_the_examples(shop: Shop, receiver: Receiver) -> None:
    """Make the calls of all examples, and compare."""
    made = {"key_id": "", "redemption_id": "", "reward_id": "", "code": EXAMPLE_CODE, "adjustment_id": ""}
    made |= {"webhook_id": "", "event_id": "", "earning_rule_id": "birthday-week"}
    made |= {"activity_type_id": "webinar", "activity_id": "review-7", "tier_id": "gold", "reason": "open_case"}
    made |= {"referral_id": "", "referral_offer_id": "friends", "invoice_id": "inv-1001", "payment_id": "pay-1"}
    made |= {"campaign_id": "", "surprise_id": "", "signing_key_id": ""}
    its_id = {
        "createApiKey": "key_id",
        "redeemPoints": "redemption_id",
        "createReward": "reward_id",
        "adjustPoints": "adjustment_id",
        "createWebhook": "webhook_id",
        "createSigningKey": "signing_key_id",
        "claimReferral": "referral_id",
        "createCampaign": "campaign_id",
    }
    operations = {operation["operationId"]: (path, method) for path, method, operation in OPERATIONS}
    for name, example in json.loads(EXAMPLES.read_text(encoding="utf-8")).items():
        if name in OF_CUSTOMERS:  # see below
            continue
        if name == "getVoucher":  # with the code of the example
            code_bits = sum(ALPHABET.index(each) << 5 * place for place, each in enumerate(reversed(EXAMPLE_CODE)))
            assert (await issue(shop, made["reward_id"], code_bits=code_bits)).code == EXAMPLE_CODE
        if name == "loadCodes":
            made["reward_id"] = await make(shop, **TICKET)
        path, method = operations[name]
        await prepare(name, shop, receiver, made)
        path = path.format(purchase_id="order-1001", customer_id="c-42", **made)
        query = "?limit=1" if name.startswith("list") else ""
        if name == "quoteInvoice":
            query = "?paid_on=2026-11-09"
        if name == "listEvents":
            await sequenced(shop)
            query += "&types=purchase.rewarded"
        unkeyed = {"createApiKey", "reportPurchases", "reportOpeningBalances", "rotateApiKey"}
        key = {} if name in unkeyed else {"Idempotency-Key": unique("key")}
        answer = await shop.call(method.upper(), path + query, example.get("request"), role=Role.ADMIN, headers=key)
        assert answer.status in {200, 201}, answer.text
        assert masked(answer.body) == masked(example["response"]), name
        if name in its_id:
            made[its_id[name]] = answer.body["id"]
        if name == "listTransactions":
            made["transaction_id"] = answer.body["data"][0]["id"]
        if name == "playGame":
            made["surprise_id"] = answer.body["prize"]["surprise_id"]


def masked_own(example: Any, name: str = "") -> Any:
    """Leave out what is another each time, days among it, which are counted from today."""
    if isinstance(example, dict):
        return {key: masked_own(value, key) for key, value in cast("dict[str, Any]", example).items()}
    if isinstance(example, list):
        return [masked_own(value) for value in cast("list[Any]", example)]
    changes = isinstance(example, str) and (name in {"program", "why"} or CHANGES.match(example))
    return "..." if changes else masked(example, name)


async def test_the_examples_of_customers_are_what_the_service_answers(shop: Shop) -> None:
    """A customer redeems a reward and plays a game, then reads what there is."""
    ids = await settle_in(shop)
    token = await token_of(shop)
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    for name in (each for each in examples if each in OF_CUSTOMERS):
        path, method = OF_CUSTOMERS[name]
        query = "?limit=1" if name == "listMyTransactions" else ""
        body = None if method == "get" else {"reward_id": ids["reward_id"]} if name == "redeemMyReward" else {}
        key = {"Idempotency_Key": name} if body is not None else {}
        answer = await call_as(shop, token, path.format(**ids) + query, body, **key)
        assert answer.status in {200, 201}, answer.text
        assert masked_own(answer.body) == masked_own(examples[name]["response"]), name
