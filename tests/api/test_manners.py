"""The manners of HTTP: routes, methods, ids in paths, request ids, problems."""

import asyncio
import json
from urllib.parse import quote, urlsplit

import pytest

from service.platform.roles import Role
from tests.api.customer_operations import CUSTOMER_OPERATIONS, CustomerOperation
from tests.api.operations import OPERATIONS, Operation
from tests.shop import Answer, Shop, purchase, unique

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")
ALL: tuple[Operation | CustomerOperation, ...] = (*OPERATIONS, *CUSTOMER_OPERATIONS)
PATHS = sorted({operation.path.replace("{id}", "x") for operation in ALL} | {"/livez", "/readyz"})


def methods_of(path: str) -> set[str]:
    """Return the methods that the operations of a path take."""
    taken: set[str] = {operation.method for operation in ALL if operation.path.replace("{id}", "x") == path}
    if path == "/v1/purchases/batch":
        taken |= {"GET"}  # a purchase may be called batch
    return taken or {"GET"}


@pytest.mark.parametrize("path", PATHS)
async def test_another_method_is_405_with_those_that_there_are(shop: Shop, path: str) -> None:
    taken = methods_of(path)
    for method in METHODS:
        if method in taken:
            continue
        for role in (None, Role.PORTAL, Role.ADMIN):
            answer = await shop.call(method, path, role=role)
            assert answer.status == 405, (method, answer.text)
            allowed = set(answer.headers["allow"].replace(" ", "").split(","))
            assert allowed == taken | {"OPTIONS"}, method
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["request-id"].startswith("req_")
            assert method == "HEAD" or answer.code == "method_not_allowed"


@pytest.mark.parametrize("path", PATHS)
async def test_options_tells_methods_without_a_key(shop: Shop, path: str) -> None:
    answer = await shop.call("OPTIONS", path, role=None)
    assert (answer.status, answer.text) == (204, "")
    assert set(answer.headers["allow"].split(", ")) == methods_of(path) | {"OPTIONS"}
    assert answer.headers["request-id"].startswith("req_")


UNKNOWN_ROUTES = (
    "/",
    "/v1",
    "/v1/",
    "/v2/purchases",
    "/V1/purchases",
    "/v1/nothing",
    "/v1/purchases/a/b",
    "/v1/purchases//",
    "/v1//purchases",
    "//v1/purchases",
    "/v1/customers//balance",
    "/v1/transactions",
    "/v1/transactions/x",
    "/v1/customers/x/balance/y",
    "/v1%2Fpurchases",
    "/v1/purchases%2Fx",
    "/v1/purchases/x/returns",
    "/v1/activities/x/y",
    "/v1/tiers/x/y",
    "/v1/referrals/x/y",
    "/v1/referrals/clicks/x",
    "/v1/referral-report/x",
    "/v1/customers/x/referral/y",
    "/v1/customers/x/referral/code/y",
    "/v1/customers/x/marks/y",
    "/v1/invoices/x/y",
    "/v1/invoices/x/quote/y",
    "/v1/invoices/x/payments/y",
    "/v1/invoices/x/payments/y/reverse/z",
    "/v1/invoices/x/credit-notes/y",
    "/v1/payments/x/y",
    "/v1/early-payment-report/x",
    "/v1/payments/x/reverse",
    "/v1/customers/x/payment-terms/y",
    "/v1/campaigns/x/y",
    "/v1/campaigns/x/plays/y",
    "/v1/campaigns/x/report/y",
    "/v1/campaigns/x/fairness/y",
    "/v1/surprise-report/x",
    "/v1/surprises",
    "/v1/surprises/x/y",
    "/v1/customers/x/surprises/y",
    "/v1/me/nothing",
    "/v1/me/rewards/x",
    "/v1/me/games/x",
    "/v1/me/games/x/y",
    "/v1/me/games/x/plays/y",
    "/v1/me/c-42/transactions",
    "/schema",
    "/v1/api-keys/x/y",
    "/v1/program/x",
    "/v1/../livez",
    "/livez/x",
)


async def test_an_unknown_route_is_404_as_an_unknown_thing_is(shop: Shop) -> None:
    thing = await shop.get("/v1/customers/nobody/balance")
    for path in UNKNOWN_ROUTES:
        for method, role in (("GET", None), ("GET", Role.ADMIN), ("POST", None), ("POST", Role.ADMIN)):
            answer = await shop.call(method, path, role=role)
            assert (answer.status, answer.code) == (404, "not_found"), (method, path)
            assert answer.body | {"request_id": ""} == thing.body | {"request_id": ""}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/purchases/%ff",
        "/v1/purchases/%ed%a0%80",
        "/v1/customers/%c0%af/balance",
        "/%ff",
        "/v1/customers/%/lots",
        "/v1/customers/%2/lots",
        "/v1/customers/%zz",
        "/v1/api-keys/%80/revoke",
    ],
)
async def test_an_undecodable_path_is_400(shop: Shop, path: str) -> None:
    for method in ("GET", "POST", "PUT"):
        answer = await shop.call(method, path, role=Role.ADMIN)
        assert (answer.status, answer.code) == (400, "undecodable"), method


BELOW = ("balance", "transactions", "lots", "referral")
IDS = [
    "a/b",
    "a//b",
    "/",
    "//",
    "/a/",
    "..",
    ".",
    "../..",
    "a b",
    "%",
    "%2F",
    "%252F",
    "%%",
    "100%",
    "+",
    "a+b",
    "a%00",
    "batch",
    "batch/",
    "balance",
    "x/balance",
    "x" * 128,
    "/" * 128,
    "~!$&'()*;=:@,",
    '#?[]{}|\\^`"<>',
    "{purchase_id:str}",
    "null",
    "-",
    "mail+tag@example.com",
    "https://example.com/?a=b&c=d#e",
    "%E4",
    "&amp;",
]


async def test_every_id_that_is_taken_is_found_again_by_its_path(shop: Shop) -> None:
    for name in IDS:
        await assert_found_again(shop, name)


async def assert_found_again(shop: Shop, name: str) -> None:
    """Assert that a purchase and a customer of this id are found by every spelling of it."""
    reported = await shop.buy(id=name, customer_id=name)
    assert reported.status == 201, reported.text
    minimal = "".join(f"%{ord(each):02x}" if each in ' %/?#"<>\\^`{|}[]' else each for each in name)
    full = "".join(f"%{ord(each):02X}" for each in name)
    for spelled in {quote(name, safe=""), minimal, full}:
        found = await shop.get(f"/v1/purchases/{spelled}", Role.ADMIN)
        assert (found.status, found.body.get("id"), found.body.get("customer_id")) == (200, name, name), spelled
        for below in ("", "/balance", "/referral"):
            customer = await shop.get(f"/v1/customers/{spelled}{below}", Role.ADMIN)
            assert (customer.status, customer.body.get("customer_id")) == (200, name), spelled
        for below in ("/transactions", "/lots"):
            listed = await shop.get(f"/v1/customers/{spelled}{below}", Role.ADMIN)
            assert listed.body["data"][0]["cause"] == {"type": "purchase", "id": name}
        put = await shop.call("PUT", f"/v1/customers/{spelled}", {"name": "Ada"}, role=Role.ADMIN)
        assert (put.status, put.body["customer_id"]) == (200, name)


NO_IDS = (
    "%20a",
    "a%20",
    "%00",
    "a%00b",
    "%0A",
    "a%0Ab",
    "%7F",
    "%C3%A4",
    "%E2%82%AC",
    "x" * 129,
    "%20",
    "%09",
)


async def test_what_can_be_no_id_is_404_and_422_where_it_would_be_made(shop: Shop) -> None:
    for segment in NO_IDS:
        customer = f"/v1/customers/{segment}"
        for path in (f"/v1/purchases/{segment}", customer, *(f"{customer}/{below}" for below in BELOW)):
            answer = await shop.get(path, Role.ADMIN)
            assert (answer.status, answer.code) == (404, "not_found"), path
        put = await shop.call("PUT", customer, {}, role=Role.ADMIN)
        assert (put.status, put.code, put.pointer) == (422, "invalid_content", ""), segment


async def test_a_slash_at_the_end_leads_to_the_same_thing(shop: Shop) -> None:
    await shop.buy(id="order-1")
    assert (await shop.get("/v1/purchases/order-1/")).text == (await shop.get("/v1/purchases/order-1")).text
    assert (await shop.post("/v1/purchases/", purchase())).status == 201


async def test_an_id_in_another_case_is_another_id(shop: Shop) -> None:
    await shop.buy(id="Order-1", customer_id="Ada")
    for path in ("/v1/purchases/order-1", "/v1/customers/ada/balance"):
        assert (await shop.get(path)).status == 404


async def test_every_answer_has_a_request_id_of_its_own(shop: Shop) -> None:
    answers: list[Answer] = [
        await shop.buy(),
        await shop.buy(total=-1),
        await shop.get("/v1/nothing"),
        await shop.get("/v1/purchases/%ff"),
        await shop.get("/v1/purchases/unknown"),
        await shop.call("DELETE", "/v1/program"),
        await shop.get("/livez"),
        await shop.get("/readyz"),
        await shop.call("OPTIONS", "/v1/program"),
        await shop.call("GET", "/v1/program", role=None),
        await shop.call("POST", "/v1/purchases", raw=b"x" * 70_000),
        await shop.call("POST", "/v1/purchases", raw=b"{"),
        await shop.get("/v1/api-keys"),
        await shop.get("//"),
    ]
    ids = [answer.headers["request-id"] for answer in answers]
    assert len(set(ids)) == len(answers)
    assert all(each.startswith("req_") and each.removeprefix("req_").isalnum() for each in ids)


async def test_what_a_caller_prefers_changes_neither_the_format_nor_the_request_id(shop: Shop) -> None:
    headers = {
        "Accept": "application/xml",
        "Accept-Language": "de",
        "Accept-Encoding": "gzip",
        "Request-Id": "mine",
        "X-Request-Id": "mine",
        "X-HTTP-Method-Override": "DELETE",
        "Cookie": "a=b; ;;=",
        "Range": "bytes=0-1",
        "If-None-Match": "*",
        "Expect": "100-continue",
    }
    for body, status, kind in ((purchase(), 201, "application/json"), ({}, 422, "application/problem+json")):
        answer = await shop.call("POST", "/v1/purchases", body, headers=headers)
        assert (answer.status, answer.headers["content-type"]) == (status, kind)
        assert answer.headers["request-id"] != "mine"


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.method == "GET"], ids=lambda each: each.name)
async def test_a_body_where_none_belongs_is_not_read(shop: Shop, operation: Operation) -> None:
    path = operation.path.replace("{id}", "x")
    plain = await shop.get(path, Role.ADMIN)
    odd = await shop.call("GET", path, role=Role.ADMIN, raw=b"{" * 1000, headers={"Content-Encoding": "gzip"})
    assert (odd.status, len(odd.text)) == (plain.status, len(plain.text))


async def raw_answer(shop: Shop, request: bytes) -> bytes:
    """Send bytes as they are; give the answer's head and what follows until the connection is closed."""
    url = urlsplit(shop.address)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "start",
    [
        b"GET * HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET //livez HTTP/1.1",
        b"GET /v1/purchases/..;/x HTTP/1.1",
    ],
)
async def test_an_odd_target_is_404(shop: Shop, start: bytes) -> None:
    answer = await raw_answer(shop, start + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert json.loads(body)["code"] == "not_found"


@pytest.mark.parametrize(
    "request_head",
    [
        b"FOO /livez HTTP/1.1\r\nHost: x",
        b"CONNECT a:80 HTTP/1.1\r\nHost: x",
        b"GET ?x HTTP/1.1\r\nHost: x",
        b"GET /v1/\xc3\xa9 HTTP/1.1\r\nHost: x",
        b"nonsense",
        b"POST /v1/purchases HTTP/1.1\r\nContent-Length: -1",
        b"POST /v1/purchases HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6",
        b"POST /v1/purchases HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"GET /livez HTTP/1.1\r\nA\x00: b",
        b"GET /livez HTTP/1.1\r\n A: b",
    ],
)
async def test_what_is_no_http_is_400_and_ends_the_connection(shop: Shop, request_head: bytes) -> None:
    answer = await raw_answer(shop, request_head + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert (await shop.get("/livez")).status == 200


async def test_health_needs_no_key(shop: Shop) -> None:
    alive = await shop.call("GET", "/livez", role=None)
    assert (alive.status, alive.body) == (200, {"status": "alive"})
    ready = await shop.call("GET", "/readyz", role=None)
    assert (ready.status, ready.body) == (200, {"status": "ready", "database": "ok", "redis": "ok"})


async def test_two_calls_in_one_connection_are_answered_in_order(shop: Shop) -> None:
    name = unique("order")
    raw = json.dumps(purchase(id=name)).encode()
    head = (
        f"POST /v1/purchases HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shop.keys[Role.CHECKOUT]}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
    ).encode()
    answer = await raw_answer(shop, head + b"\r\n" + raw + head + b"Connection: close\r\n\r\n" + raw)
    first, second = answer.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"201 ")
    assert second.startswith(b"200 ")
    assert first.partition(b"\r\n\r\n")[2] == second.partition(b"\r\n\r\n")[2]


async def test_the_frameworks_own_pages_are_not_there(shop: Shop) -> None:
    for path in ("/_unused", "/_unused/openapi.json"):
        assert (await shop.get(path)).status == 404
