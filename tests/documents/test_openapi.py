"""The OpenAPI document is current, whole, and its examples are true."""

import json
from typing import Any

import pytest

from service.openapi import EXAMPLES, render
from service.platform.http.docs import DOCUMENT
from service.platform.roles import Role
from tests.shop import Shop

SPEC: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
OPERATIONS = [
    (path, method, operation) for path, methods in SPEC["paths"].items() for method, operation in methods.items()
]


def test_the_document_in_the_repository_is_made_from_this_code() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "run `./run openapi --write`"


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=lambda value: str(value)[:30])
def test_every_operation_tells_its_id_its_right_and_its_problems(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert operation["operationId"]
    assert operation["summary"].endswith(".")
    if path.startswith("/v1"):
        assert operation["x-right"]
        assert "admin" in operation["x-roles"]
        assert {"401", "403", "503"} <= set(operation["responses"])
        for status, response in operation["responses"].items():
            kind = "application/json" if status.startswith("2") else "application/problem+json"
            assert list(response["content"]) == [kind], (method, status)


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


def test_examples_belong_to_operations() -> None:
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    assert set(examples) <= {operation["operationId"] for _, _, operation in OPERATIONS}


async def test_the_examples_are_what_the_service_answers(shop: Shop) -> None:
    """The examples follow each other: a purchase, a batch, the customer's record, the balance."""
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    for name, method, path in (
        ("reportPurchase", "POST", "/v1/purchases"),
        ("reportPurchases", "POST", "/v1/purchases/batch"),
        ("putCustomer", "PUT", "/v1/customers/c-42"),
        ("getBalance", "GET", "/v1/customers/c-42/balance"),
        ("changeProgram", "PATCH", "/v1/program"),
        ("createApiKey", "POST", "/v1/api-keys"),
    ):
        answer = await shop.call(method, path, examples[name].get("request"), role=Role.ADMIN)
        assert answer.status in {200, 201}, answer.text
        expected = examples[name].get("response", {})
        moments = {"enrolled_at"}
        assert {key: value for key, value in answer.body.items() if key in expected and key not in moments} == {
            key: value for key, value in expected.items() if key not in moments
        }
