"""Several marketers at once at one rule: none overwrites what another has just said, and no bound is passed."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from service.platform.roles import Role
from service.programs import defining
from tests.api.operations import RULE
from tests.shop import Answer, Shop

RULES = "/v1/earning-rules"
CALLERS = 20


async def create(shop: Shop, its_id: str, /, **given: Any) -> Answer:
    return await shop.post(RULES, {"id": its_id} | RULE | given, Role.MARKETER)


async def change(shop: Shop, its_id: str, /, **given: Any) -> Answer:
    return await shop.call("PATCH", f"{RULES}/{its_id}", given, role=Role.MARKETER)


async def names(shop: Shop, its_id: str) -> list[tuple[int, str]]:
    """List the versions of a rule, the oldest first, with their names."""
    found = await shop.get(f"{RULES}/{its_id}/versions", Role.MARKETER)
    return [(version["version"], version["name"]) for version in found.body["data"]][::-1]


def told(answers: list[Answer]) -> Counter[str]:
    """Count what callers were told."""
    return Counter(str(answer.status) if answer.status < 300 else answer.code for answer in answers)


async def test_of_those_who_saw_the_same_version_one_changes_it(shop: Shop) -> None:
    await create(shop, "a")
    answers = await asyncio.gather(*(change(shop, "a", name=f"Name {n}", version=1) for n in range(CALLERS)))
    assert told(answers) == {"200": 1, "version_conflict": CALLERS - 1}
    (made,) = (answer.body["name"] for answer in answers if answer.status == 200)
    assert await names(shop, "a") == [(1, "A welcome"), (2, made)]


async def test_changes_of_different_members_all_last(shop: Shop) -> None:
    await create(shop, "a")
    given: tuple[dict[str, Any], ...] = (
        {"name": "Mine"},
        {"group": "best"},
        {"state": "active"},
        {"activity": "survey"},
    )
    answers = await asyncio.gather(*(change(shop, "a", **each) for each in given))
    assert sorted(answer.body["version"] for answer in answers) == [2, 3, 4, 5]
    read = (await shop.get(f"{RULES}/a", Role.MARKETER)).body
    assert [read[name] for name in ("version", "name", "group", "state", "activity")] == [
        5,
        "Mine",
        "best",
        "active",
        "survey",
    ]


async def test_an_id_is_given_to_one_of_those_who_ask_for_it_at_once(shop: Shop) -> None:
    answers = await asyncio.gather(*(create(shop, "a", name=f"Name {number}") for number in range(CALLERS)))
    assert told(answers) == {"201": 1, "definition_exists": CALLERS - 1}
    (made,) = (answer.body["name"] for answer in answers if answer.status == 201)
    assert await names(shop, "a") == [(1, made)]


async def test_a_program_never_has_more_than_it_may(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defining, "MOST_DEFINITIONS", 3)
    answers = await asyncio.gather(*(create(shop, f"rule-{number}") for number in range(CALLERS)))
    assert told(answers) == {"201": 3, "invalid_content": CALLERS - 3}
    assert {answer.body["errors"][0]["code"] for answer in answers if answer.status == 422} == {"too_many"}
