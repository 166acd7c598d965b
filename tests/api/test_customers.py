"""Customers: enrolling, changing, reading, listing."""

import asyncio
from typing import Any

import pytest

from service.platform.roles import Role
from tests.conftest import NewShop
from tests.shop import Answer, Shop, purchase


async def put(shop: Shop, customer_id: str = "c-1", /, **change: Any) -> Answer:
    return await shop.call("PUT", f"/v1/customers/{customer_id}", change, role=Role.MARKETER)


async def record(shop: Shop, customer_id: str = "c-1") -> dict[str, Any]:
    answer = await shop.get(f"/v1/customers/{customer_id}", Role.SUPPORT)
    assert answer.status == 200, answer.text
    return answer.body


async def test_a_customer_is_enrolled_with_201_and_changed_with_200(shop: Shop) -> None:
    first = await put(shop)
    assert first.status == 201
    assert first.body | {"enrolled_at": ""} == {
        "customer_id": "c-1",
        "email": None,
        "phone": None,
        "name": None,
        "birthday": None,
        "locale": None,
        "attributes": {},
        "purchases": {"count": 0, "first_at": None, "last_at": None},
        "enrolled_at": "",
    }
    full = {
        "email": "ada@example.com",
        "phone": "+49 228 1234",
        "name": "Ada",
        "birthday": "1990-02-28",
        "locale": "de-DE",
        "attributes": {"size": "M", "visits": 3, "score": 0.5, "club": True},
    }
    second = await put(shop, **full)
    assert second.status == 200
    assert second.body == first.body | full
    assert await record(shop) == second.body


async def test_what_is_left_out_stays_null_empties_and_attributes_change_one_by_one(shop: Shop) -> None:
    await put(shop, email="a@example.com", name="Ada", attributes={"a": 1, "b": 2})
    await put(shop, email=None, attributes={"b": 3, "c": "x", "a": None, "never": None})
    found = await record(shop)
    assert (found["email"], found["name"], found["attributes"]) == (None, "Ada", {"b": 3, "c": "x"})


async def test_the_same_put_again_changes_nothing(shop: Shop) -> None:
    await put(shop, name="Ada", attributes={"a": 1})
    once = await record(shop)
    assert (await put(shop, name="Ada", attributes={"a": 1})).body == once
    assert await record(shop) == once


async def test_twenty_put_at_once_enrol_one_customer(shop: Shop) -> None:
    answers = await asyncio.gather(*(put(shop, attributes={f"a{number}": number}) for number in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
    assert (await record(shop))["attributes"] == {f"a{number}": number for number in range(20)}


async def test_a_put_and_purchases_at_once_enrol_one_customer(shop: Shop) -> None:
    answers = await asyncio.gather(
        *(shop.buy(customer_id="c-1") if number % 2 else put(shop, name="Ada") for number in range(20))
    )
    assert {answer.status for answer in answers} <= {200, 201}
    found = await record(shop)
    assert (found["name"], found["purchases"]["count"]) == ("Ada", 10)


async def test_explicit_enrolment_lets_purchases_in(new_shop: NewShop) -> None:
    shop = await new_shop(enrolment="explicit")
    body = purchase(customer_id="c-1")
    refused = await shop.post("/v1/purchases", body)
    assert (refused.code, refused.pointer) == ("customer_unknown", "/customer_id")
    batch = await shop.post("/v1/purchases/batch", {"purchases": [body]})
    assert batch.body["results"][0]["problem"]["code"] == "customer_unknown"
    assert (await put(shop)).status == 201
    assert (await shop.post("/v1/purchases", body)).status == 201


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"email": "x"}, "/email"),
    ({"email": "a@b@c"}, "/email"),
    ({"email": 5}, "/email"),
    ({"email": "a\u0000@b"}, "/email"),
    ({"phone": "1" * 41}, "/phone"),
    ({"name": ""}, "/name"),
    ({"name": "x" * 201}, "/name"),
    ({"name": "\ud800"}, "/name"),
    ({"birthday": "2999-01-01"}, "/birthday"),
    ({"birthday": "9999-12-31"}, "/birthday"),
    ({"birthday": "1990-02-30"}, "/birthday"),
    ({"birthday": "1990-01-01T00:00:00Z"}, "/birthday"),
    ({"birthday": 19900101}, "/birthday"),
    ({"locale": "german"}, "/locale"),
    ({"attributes": None}, "/attributes"),
    ({"attributes": []}, "/attributes"),
    ({"attributes": {"a": []}}, "/attributes/a"),
    ({"attributes": {"a": {"b": 1}}}, "/attributes/a"),
    ({"attributes": {"a": 10**12 + 1}}, "/attributes/a"),
    ({"attributes": {"": 1}}, "/attributes"),
    ({"attributes": {"x" * 41: 1}}, "/attributes"),
    ({"attributes": {"a": "x" * 501}}, "/attributes/a"),
    ({"attributes": {str(each): each for each in range(51)}}, "/attributes"),
    ({"attributes": {"a/b": "\u0000"}}, "/attributes/a~1b"),
    ({"attributes": {"\u0000": 1}}, "/attributes"),
    ({"customer_id": "c-1"}, "/customer_id"),
    ({"id": "c-1"}, "/id"),
    ({"purchases": {}}, "/purchases"),
    ({"Email": None}, "/Email"),
)


async def test_a_wrong_record_is_refused_and_nothing_of_it_is_kept(shop: Shop) -> None:
    for change, pointer in WRONG:
        refused = await put(shop, **({"locale": "de"} | change))
        assert refused.pointer == pointer, change
    assert (await shop.get("/v1/customers/c-1", Role.ADMIN)).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"birthday": "0001-01-01"},
        {"birthday": "1582-10-10"},
        {"name": "\u202e\u0001 Zo\u00eb \U0001f375"},
        {"email": "\u00e4@\u00f6.de"},
        {"attributes": {"a": 10**12, "b": -(10**12), "c": 1e-300, "d": 1e12, "\u00e4 ": ""}},
        {"phone": "110"},
    ],
)
async def test_a_record_at_its_bounds_is_given_back(shop: Shop, change: dict[str, Any]) -> None:
    assert (await put(shop, **change)).status == 201
    found = await record(shop)
    assert {name: found[name] for name in change} == change


async def test_a_dry_run_of_put_shows_the_record_and_keeps_nothing(shop: Shop) -> None:
    for status in (404, 200):
        dry = await shop.call("PUT", "/v1/customers/c-1?dry_run=true", {"name": "Dry"}, role=Role.ADMIN)
        assert (dry.status, dry.body["name"]) == (200, "Dry")
        assert (await shop.get("/v1/customers/c-1", Role.ADMIN)).status == status
        await put(shop, name="Ada")
    assert (await record(shop))["name"] == "Ada"


async def test_customers_are_listed_newest_first_by_pages(shop: Shop) -> None:
    for number in range(7):
        await put(shop, f"c-{number}", name=f"N{number}")
    seen, cursor, pages = list[str](), "", 0
    while True:
        page = (await shop.get(f"/v1/customers?limit=3{cursor}", Role.ADMIN)).body
        seen += [customer["customer_id"] for customer in page["data"]]
        pages += 1
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [f"c-{number}" for number in reversed(range(7))]
    assert pages == 3
    exact = (await shop.get("/v1/customers?limit=7", Role.ADMIN)).body
    assert (len(exact["data"]), exact["has_more"], exact["next_cursor"]) == (7, False, None)


async def test_a_page_holds_50_unless_told(shop: Shop) -> None:
    await shop.post("/v1/purchases/batch", {"purchases": [purchase(customer_id=f"c-{number}") for number in range(51)]})
    page = (await shop.get("/v1/customers", Role.ADMIN)).body
    assert (len(page["data"]), page["has_more"]) == (50, True)
    assert len((await shop.get("/v1/customers?limit=200", Role.ADMIN)).body["data"]) == 51


async def test_an_address_finds_exactly_its_customers(shop: Shop) -> None:
    await put(shop, "c-1", email="ada+tea@example.com")
    await put(shop, "c-2", email="ada@example.com")
    await put(shop, "c-3")

    async def found(email: str) -> list[str]:
        answer = await shop.get(f"/v1/customers?email={email}", Role.ADMIN)
        assert answer.status == 200, answer.text
        return [customer["customer_id"] for customer in answer.body["data"]]

    assert await found("ada%2Btea%40example.com") == ["c-1"]
    assert await found("ada@example.com") == ["c-2"]
    assert await found("ADA@Example.com") == ["c-2"]  # addresses are found whatever their case
    for nobody in ("", "%25", "example.com", "%27%20OR%20true--", "%ff", "%ed%a0%80", "x" * 5000):
        assert await found(nobody) == []
    assert (await shop.get("/v1/customers?email=%00", Role.ADMIN)).pointer == "?email"


@pytest.mark.parametrize("role", [Role.CHECKOUT, Role.BILLING])
async def test_who_may_enrol_and_not_read_is_told_back_what_the_call_gave_and_nothing_else(
    shop: Shop, role: Role
) -> None:
    known = {"email": "ann@example.com", "phone": "+49 228 1", "name": "Ann", "birthday": "1990-01-01"}
    await shop.call("PUT", "/v1/customers/ann", known | {"attributes": {"vip": True}}, role=Role.ADMIN)
    for path in ("/v1/customers/ann?dry_run=true", "/v1/customers/ann"):
        answer = await shop.call("PUT", path, {"locale": "de", "attributes": {"a": 1}}, role=role)
        assert answer.status == 200
        assert set(answer.body) == {"customer_id", "enrolled_at", "locale", "attributes"}
        assert (answer.body["locale"], answer.body["attributes"]) == ("de", {"a": 1})
        assert (await shop.call("GET", "/v1/customers/ann", role=role)).status == 403
    whole = await shop.call("GET", "/v1/customers/ann", role=Role.ADMIN)
    assert {name: whole.body[name] for name in known} == known
