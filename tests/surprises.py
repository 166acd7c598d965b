"""Campaigns as tests play them: made, started, and what they drew."""

from datetime import UTC, datetime
from typing import Any, Final

from service.platform.roles import Role
from tests.shop import Answer, Shop, unique

SWEET: Final[dict[str, Any]] = {"id": "sweet", "gift": {"kind": "points", "points": 50}, "cost": 10}
NOTHING: Final[dict[str, Any]] = {"id": "nothing", "gift": {"kind": "nothing"}}
ON_PURCHASE: Final[dict[str, Any]] = {"kind": "purchase"}


def campaign(**changes: Any) -> dict[str, Any]:
    """Make a campaign's body: a sweet with each customer's first purchase; `...` leaves a field out."""
    body = {"name": "A sweet", "trigger": ON_PURCHASE, "prizes": [SWEET]} | changes
    return {name: value for name, value in body.items() if value is not ...}


async def buy(shop: Shop, customer: str = "c-42", **changes: Any) -> Answer:
    """Report a purchase of this moment: an older one is no occasion."""
    body = {"id": unique("order"), "customer_id": customer, "occurred_at": datetime.now(UTC).isoformat()} | changes
    answer = await shop.buy(**body)
    assert answer.status in {200, 201}, answer.text
    return answer


async def made(shop: Shop, **changes: Any) -> str:
    """Make a draft of a campaign that is fine; gives its id."""
    answer = await shop.post("/v1/campaigns", campaign(**changes), Role.MARKETER)
    assert answer.status == 201, answer.text
    return answer.body["id"]


async def move(shop: Shop, campaign_id: str, verb: str) -> Answer:
    """Activate, pause or close a campaign."""
    return await shop.post(f"/v1/campaigns/{campaign_id}/{verb}", {}, Role.MARKETER)


async def started(shop: Shop, **changes: Any) -> str:
    """Start a campaign; gives its id."""
    campaign_id = await made(shop, **changes)
    answer = await move(shop, campaign_id, "activate")
    assert answer.status == 200, answer.text
    return campaign_id


async def play(shop: Shop, campaign_id: str, customer: str = "c-42", key: str = "") -> Answer:
    """Let a customer play a game."""
    path = f"/v1/campaigns/{campaign_id}/plays"
    return await shop.post(path, {"customer_id": customer}, Idempotency_Key=key or unique("key"))
