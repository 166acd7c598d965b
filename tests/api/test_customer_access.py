"""Who gets in where customers call with their own tokens: that customer, and nobody else."""

import json
import time

import pytest

from service.openapi import render
from service.platform.roles import Role
from tests.api.customer_operations import CUSTOMER_OPERATIONS, CustomerOperation
from tests.api.test_access import BY_TOKEN
from tests.conftest import NewShop
from tests.portal import Partner, allow, token_of, unsigned
from tests.shop import Shop

ALL = {"may_redeem": True, "may_play": True}
each_operation = pytest.mark.parametrize("operation", CUSTOMER_OPERATIONS, ids=lambda each: each.name)


def test_every_operation_of_customers_is_tried_here() -> None:
    documented = {
        operation["operationId"]: (method.upper(), path)
        for path, methods in json.loads(render())["paths"].items()
        for method, operation in methods.items()
        if operation.get("security") == BY_TOKEN
    }
    assert {name: method for name, (method, _) in documented.items()} == {
        each.name: each.method for each in CUSTOMER_OPERATIONS
    }


async def prepared(shop: Shop, operation: CustomerOperation) -> dict[str, object]:
    """Let there be a customer with points, and what the operation needs."""
    await shop.buy(total=1_000_000)
    await allow(shop, **ALL)
    if operation.prepared is None:
        return {}
    named, body = await operation.prepared(shop)
    return {"id": named, "body": body}


@each_operation
async def test_a_customer_gets_in_with_a_token(shop: Shop, operation: CustomerOperation) -> None:
    given = await prepared(shop, operation)
    answer = await operation.call(shop, await token_of(shop), **given)  # type: ignore[arg-type]
    assert answer.status == operation.status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "ratelimit" in answer.headers


@each_operation
async def test_nobody_else_does(shop: Shop, operation: CustomerOperation) -> None:
    given = await prepared(shop, operation)
    partner, good = await Partner.registered(shop), await token_of(shop)
    wrong = [
        *shop.keys.values(),
        "",
        partner.sign(exp=int(time.time()) - 1),
        partner.sign(aud="urn:loyalty:program:another"),
        unsigned({"alg": "none", "kid": partner.kid}, {"aud": partner.audience, "sub": "c-42", "exp": 10**10}),
        ".".join([good.split(".")[0], partner.sign("c-43").split(".")[1], good.split(".")[2]]),
    ]
    answers = [await operation.call(shop, each, **given) for each in wrong]  # type: ignore[arg-type]
    assert {(each.status, each.code) for each in answers} == {(401, "unauthenticated")}
    assert {each.headers["cache-control"] for each in answers} == {"no-store"}
    told = {each.text.replace(each.headers["request-id"], "") for each in answers}
    assert len(told) == 1


@each_operation
async def test_what_the_program_or_the_token_doesnt_allow_is_refused(shop: Shop, operation: CustomerOperation) -> None:
    given = await prepared(shop, operation)
    reading = await token_of(shop, read_only=True)
    status = 403 if operation.needs else operation.status
    assert (await operation.call(shop, reading, **given)).status == status  # type: ignore[arg-type]
    await allow(shop, **ALL | ({operation.needs: False} if operation.needs else {}))
    assert (await operation.call(shop, await token_of(shop), **given)).status == status  # type: ignore[arg-type]


@each_operation
async def test_a_customer_sees_nothing_of_another_one(
    shop: Shop, new_shop: NewShop, operation: CustomerOperation
) -> None:
    given = await prepared(shop, operation)
    await shop.call("PUT", "/v1/customers/c-43", {"name": "ANOTHERS-NAME"}, role=Role.ADMIN)
    foreign = await new_shop()
    await foreign.call("PUT", "/v1/customers/c-42", {"name": "FOREIGN-NAME"}, role=Role.ADMIN)
    answer = await operation.call(shop, await token_of(shop), **given)  # type: ignore[arg-type]
    assert "ANOTHERS-NAME" not in answer.text
    assert "FOREIGN-NAME" not in answer.text
    elsewhere = await operation.call(foreign, await token_of(foreign), **given)  # type: ignore[arg-type]
    if given.get("id"):
        assert elsewhere.status in {403, 404}


@each_operation
async def test_an_erased_customer_is_nobody(shop: Shop, operation: CustomerOperation) -> None:
    given = await prepared(shop, operation)
    token = await token_of(shop)
    assert (await shop.call("DELETE", "/v1/customers/c-42", role=Role.ADMIN)).status == 200
    assert (await operation.call(shop, token, **given)).status == 404  # type: ignore[arg-type]
