"""Who may call what: keys, roles and programs, for every operation of the OpenAPI document."""

import json
import random
from typing import Any

import pytest

from service.openapi import render
from service.platform.authentication import new_key
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.programs.rules import ProgramSettings
from tests.api.operations import BY_NAME, CUSTOMER, OPERATIONS, WITH_BODY, Operation, stocked
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique

pytestmark = pytest.mark.long

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
each_operation_on_a_thing = pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.unknown], ids=lambda each: each.name
)


BY_TOKEN: list[dict[str, list[str]]] = [{"token": []}]
"""What customers call: see test_customer_access.py."""


def documented() -> dict[str, dict[str, Any]]:
    """Return the operations of the document by their ids; those of health need no key."""
    paths: dict[str, dict[str, Any]] = json.loads(render())["paths"]
    return {
        operation["operationId"]: operation | {"path": path, "method": method.upper()}
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path.startswith("/v1/") and operation.get("security") != BY_TOKEN
    }


def compared(answer: Answer) -> tuple[int, dict[str, str], str]:
    """Return all of an answer but what differs for each request: its id, the second, the calls that are left."""
    request_id = answer.headers["request-id"]
    headers = {name: value for name, value in answer.headers.items() if name not in {"date", "request-id", "ratelimit"}}
    return answer.status, headers, answer.text.replace(request_id, "")


def test_every_operation_of_the_document_is_tried_here() -> None:
    assert {name: each["method"] for name, each in documented().items()} == {
        name: each.method for name, each in BY_NAME.items()
    }


def test_the_document_names_the_roles_of_the_contract() -> None:
    assert {name: set(each["x-roles"]) for name, each in documented().items()} == {
        name: {role.value for role in each.roles} for name, each in BY_NAME.items()
    }


@each_operation
async def test_a_role_does_what_the_contract_lets_it_and_nothing_else(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    for role in Role:
        answer = await operation.call(shop, role, id=await known.id_for(operation))
        if role in operation.roles:
            assert answer.status == operation.status, (role, answer.text)
        else:
            assert (answer.status, answer.code) == (403, "forbidden"), role


@each_operation
async def test_without_a_valid_key_nothing_is_told_and_nothing_is_read(shop: Shop, operation: Operation) -> None:
    known = await stocked(shop)
    good_id, key = await known.id_for(operation), shop.keys[Role.ADMIN]
    wrong = [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        f"Basic {key}",
        key,
        f"Bearer {key}x",
        f"Bearer {key[:-1]}",
        f"Bearer {key.upper()}",
        f"Bearer {new_key(live=False)}",
        f"Bearer {key} {key}",
        f"Bearer {key},",
        "Bearer \xe9",
        f"Token {key}",
    ]
    answers = [await operation.call(shop, None, id=good_id)]
    answers += [await operation.call(shop, None, id=good_id, headers={"Authorization": each}) for each in wrong]
    answers += [await operation.call(shop, None, id=operation.unknown or "x")]
    if operation in WITH_BODY:
        answers += [await operation.call(shop, None, id=good_id, raw=b"{")]
    assert {answer.status for answer in answers} == {401}
    assert len({str(compared(answer)) for answer in answers}) == 1
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert answers[0].code == "unauthenticated"


async def test_the_scheme_is_spelled_in_any_case(shop: Shop) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {shop.keys[Role.ADMIN]}"}
        assert (await shop.call("GET", "/v1/program", role=None, headers=headers)).status == 200


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.name)
async def test_the_role_counts_before_the_body_and_the_thing(shop: Shop, operation: Operation) -> None:
    role = next(each for each in (Role.PORTAL, Role.BILLING) if each not in operation.roles)
    for raw in (b"{", b"x" * 70_000, b'{"nope":1}'):
        answer = await operation.call(shop, role, id="nobody", raw=raw)
        assert (answer.status, answer.code) == (403, "forbidden")


@each_operation_on_a_thing
async def test_a_foreign_thing_is_told_as_an_unknown_one_to_the_byte(
    shop: Shop, new_shop: NewShop, operation: Operation
) -> None:
    other = await new_shop()
    known = await stocked(other)
    foreign_id = await known.id_for(operation)
    foreign = await operation.call(shop, Role.ADMIN, id=foreign_id)
    unknown = await operation.call(shop, Role.ADMIN, id=operation.unknown)
    assert (foreign.status, foreign.code) == (404, "not_found")
    assert compared(foreign) == compared(unknown)
    its_own = await operation.call(other, Role.ADMIN, id=foreign_id)
    assert its_own.status == operation.status, its_own.text


async def test_programs_see_nothing_of_each_other(shop: Shop, new_shop: NewShop) -> None:
    other = await new_shop()
    await stocked(shop)
    await other.call("PUT", f"/v1/customers/{CUSTOMER.replace('/', '%2F').replace(' ', '%20')}", {"name": "Another"})
    for each in (shop, other):
        listed = await each.get("/v1/customers", Role.ADMIN)
        assert [customer["customer_id"] for customer in listed.body["data"]] == [CUSTOMER]
        assert (await each.get("/v1/program", Role.ADMIN)).body["id"] == each.program.code
        assert len((await each.get("/v1/api-keys", Role.ADMIN)).body["data"]) == len(Role)
    assert (await shop.get("/v1/customers", Role.ADMIN)).body["data"][0]["name"] is None


async def test_a_cursor_of_another_program_leads_to_nothing_of_it(shop: Shop, new_shop: NewShop) -> None:
    other = await new_shop()
    for name in ("c-1", "c-2"):
        await shop.buy(customer_id=name)
        await other.buy(customer_id=f"other-{name}")
    page = await other.get("/v1/customers?limit=1", Role.ADMIN)
    listed = await shop.get(f"/v1/customers?cursor={page.body['next_cursor']}", Role.ADMIN)
    assert all(not customer["customer_id"].startswith("other") for customer in listed.body["data"])


async def test_a_live_program_has_live_keys(shop: Shop, database: Database) -> None:
    admin = new_key(live=True)

    async def work(db: Any) -> str:
        program = await programs.create_program(
            db, code=unique("live"), name="Live", live=True, settings=ProgramSettings()
        )
        await programs.add_key(
            db, program_id=program.id, role=Role.ADMIN, name="first", key=admin, entropy=random.getrandbits(62)
        )
        return program.code

    code = await transact(database.connection, work)
    live = Shop(shop.address, shop.client, shop.program, {Role.ADMIN: admin})
    program = await live.get("/v1/program", Role.ADMIN)
    assert (program.body["id"], program.body["live"]) == (code, True)
    made = await live.post("/v1/api-keys", {"role": "checkout"}, Role.ADMIN)
    assert made.body["key"].startswith("lk_live_")
    test_key = await shop.post("/v1/api-keys", {"role": "checkout"}, Role.ADMIN)
    assert test_key.body["key"].startswith("lk_test_")
    other_prefix = made.body["key"].replace("lk_live_", "lk_test_")
    refused = await shop.call("GET", "/v1/program", role=None, headers={"Authorization": f"Bearer {other_prefix}"})
    assert refused.status == 401
