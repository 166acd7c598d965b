"""Rules that a marketer of a test's shop sets."""

from typing import Any, Final

from service.platform.roles import Role
from tests.shop import Answer, Shop

SINCE: Final = "2025-01-01T00:00:00Z"
"""Before all that the tests' customers do."""


async def set_rule(shop: Shop, rule_id: str, *, since: str = SINCE, **content: Any) -> Answer:
    """Set a rule that applies from a moment on."""
    body = {"id": rule_id, "name": rule_id, "state": "active", "valid_from": since} | content
    answer = await shop.post("/v1/earning-rules", body, role=Role.MARKETER)
    assert answer.status == 201, answer.text
    return answer


async def change_rule(shop: Shop, rule_id: str, **content: Any) -> Answer:
    """Change a rule."""
    answer = await shop.call("PATCH", f"/v1/earning-rules/{rule_id}", content, role=Role.MARKETER)
    assert answer.status == 200, answer.text
    return answer
