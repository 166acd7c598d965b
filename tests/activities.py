"""Activities for tests: types that a program declares, rules that reward them, reports of them."""

from typing import Any

from service.platform.roles import Role
from tests.rulebook import SINCE, set_rule
from tests.shop import Answer, Shop, unique


async def declare(shop: Shop, its_id: str = "survey", **content: Any) -> None:
    """Declare a type of activities that has applied for years."""
    body = {"id": its_id, "name": "A survey", "state": "active", "valid_from": SINCE} | content
    made = await shop.post("/v1/activity-types", body, Role.MARKETER)
    assert made.status == 201, made.text


async def reward(shop: Shop, its_id: str = "answers", **content: Any) -> None:
    """Make a rule that has given 50 points for years for each survey."""
    content = {"activity": "survey", "effect": {"kind": "bonus", "points": 50}} | content
    await set_rule(shop, its_id, **content)


def activity(**changes: Any) -> dict[str, Any]:
    """Make an activity's body; a change to `...` leaves the field out."""
    body = {
        "id": unique("activity"),
        "customer_id": "c-42",
        "type": "survey",
        "occurred_at": "2026-01-02T10:00:00Z",
    } | changes
    return {name: value for name, value in body.items() if value is not ...}


async def report(shop: Shop, query: str = "", **changes: Any) -> Answer:
    """Report an activity."""
    return await shop.post(f"/v1/activities{query}", activity(**changes))


async def earned(shop: Shop, **changes: Any) -> int:
    """Report an activity; returns what it earned."""
    answer = await report(shop, **changes)
    assert answer.status == 201, answer.text
    return answer.body["points"]["earned"]
