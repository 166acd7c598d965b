"""A customer with something of everything, as the customer's page shows it."""

from datetime import UTC, datetime
from typing import Any, Final

from service.platform.roles import Role
from tests import billing
from tests.portal import allow
from tests.rulebook import set_rule
from tests.shop import Shop
from tests.surprises import SWEET, started

PORTAL: Final[dict[str, Any]] = {
    "name": "Tea & Co.",
    "accent": "#1f6f54",
    "home": "https://tea.example/",
    "may_redeem": True,
    "may_play": True,
}
OFFER: Final[dict[str, Any]] = {
    "id": "friends",
    "name": "Bring a friend",
    "state": "active",
    "referrer": {"kind": "points", "points": 500},
    "referee": {"kind": "points", "points": 200},
}


async def settle_in(shop: Shop) -> dict[str, str]:
    """Let Anna, `c-42`, have points, some of them held back, an invoice and a code.

    Gives the ids of a reward and of a game.
    """
    await allow(shop, **PORTAL)
    await set_settings(
        shop, referral_link="https://tea.example/welcome", expiry={"kind": "rolling", "months": 12, "notice": None}
    )
    named = await shop.call("PUT", "/v1/customers/c-42", {"name": "Anna", "locale": "de-DE"}, role=Role.ADMIN)
    assert named.status == 201, named.text
    assert (await shop.buy(id="order-1001", occurred_at=now(), total=24_990)).status == 201
    await set_settings(shop, pending={"kind": "after", "days": 14})
    assert (await shop.buy(id="order-1002", occurred_at=now(), total=5_000)).status == 201
    await set_rule(shop, "mondays", name="Double points", effect={"kind": "multiplier", "basis_points": 20_000})
    await put(shop, "/v1/referral-offers", OFFER)
    await put(shop, "/v1/customers/c-42/referral/code", {"code": "ANNA-20"}, Idempotency_Key="code")
    await billing.issue(shop, "inv-1001", terms=billing.TWO_PERCENT, issued_on=now()[:10])
    rewards = [await make_reward(shop, name, points) for name, points in (("A mug", 100), ("A teapot", 1_500))]
    game = await started(
        shop,
        name="Turn the wheel",
        trigger={"kind": "play", "points": 20, "per_day": 3},
        prizes=[SWEET],
        gifts_per_customer=None,
    )
    return {"reward_id": rewards[0], "campaign_id": game}


async def make_reward(shop: Shop, name: str, points: int, **changes: Any) -> str:
    """Offer a reward; gives its id."""
    body = {"name": name, "gives": {"kind": "gift", "description": name}, "points": points} | changes
    return (await put(shop, "/v1/rewards", body))["id"]


def now() -> str:
    """Tell the time."""
    return datetime.now(UTC).isoformat()


async def set_settings(shop: Shop, since: str | None = None, **settings: Any) -> None:
    """Set what the program says, from a moment on, or from now on."""
    body = {"settings": settings} | ({} if since is None else {"valid_from": since})
    answer = await shop.call("PATCH", "/v1/program", body, role=Role.ADMIN)
    assert answer.status == 200, answer.text


async def put(shop: Shop, path: str, body: dict[str, Any], **headers: str) -> Any:
    """Post as an admin what must be fine; gives what was answered."""
    answer = await shop.post(path, body, Role.ADMIN, **headers)
    assert answer.status in {200, 201}, answer.text
    return answer.body
