"""Tiers that a marketer of a test's shop sets."""

from collections.abc import Mapping
from typing import Any, Final

from service.platform.roles import Role
from tests.rulebook import SINCE
from tests.shop import Shop

ROLLING: Final = {"period": {"kind": "rolling", "months": 12}}
STEPS: Final = {"bronze": 100, "silver": 500, "gold": 1_000}


async def set_tiers(shop: Shop, steps: Mapping[str, int] = STEPS, **policy: Any) -> None:
    """Set tiers with their thresholds, and how customers qualify: by points of twelve rolling months."""
    for tier_id, threshold in steps.items():
        await set_tier(shop, tier_id, threshold)
    await qualify(shop, **(ROLLING | policy))


async def set_tier(shop: Shop, tier_id: str, threshold: int, **more: Any) -> None:
    """Set a tier that there has been for years."""
    body = {"id": tier_id, "name": tier_id.title(), "threshold": threshold, "state": "active", "valid_from": SINCE}
    made = await shop.post("/v1/tiers", body | more, Role.MARKETER)
    assert made.status == 201, made.text


async def qualify(shop: Shop, **policy: Any) -> None:
    """Set how customers qualify, for as long as tiers can be asked for; nothing: the program has no tiers."""
    body = {"settings": {"tiers": policy or None}, "valid_from": SINCE}
    changed = await shop.call("PATCH", "/v1/program", body, role=Role.ADMIN)
    assert changed.status == 200, changed.text


async def tier(shop: Shop, customer_id: str = "c-42") -> dict[str, Any]:
    """Read a customer's tier from the balance."""
    answer = await shop.get(f"/v1/customers/{customer_id}/balance")
    assert answer.status == 200, answer.text
    return answer.body["tier"]
