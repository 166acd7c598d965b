"""Every operation that customers call with their tokens, as a good call of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from service.platform.roles import Role
from tests.portal import call_as
from tests.shop import Answer, Shop, unique
from tests.surprises import started


@dataclass(frozen=True)
class CustomerOperation:
    """One operation. `needs` says what the program must let customers do for it: `may_redeem`, `may_play`.

    `prepared` makes what it needs and gives what stands in its path for `{id}`, and its body.
    """

    name: str
    method: str
    path: str
    status: int = 200
    needs: str = ""
    prepared: Callable[[Shop], Awaitable[tuple[str, dict[str, Any] | None]]] | None = None

    async def call(self, shop: Shop, token: str, *, id: str = "", body: Any = None) -> Answer:  # noqa: A002
        """Call it with a token."""
        key = {"Idempotency_Key": unique("key")} if self.needs else {}
        return await call_as(shop, token, self.path.replace("{id}", id), body, method=self.method, **key)


async def _reward(shop: Shop) -> tuple[str, dict[str, Any]]:
    """Make a reward that can be had."""
    body = {"name": "A gift", "gives": {"kind": "gift", "description": "a mug"}, "points": 100}
    made = await shop.post("/v1/rewards", body, Role.ADMIN)
    return "", {"reward_id": made.body["id"]}


async def _game(shop: Shop) -> tuple[str, dict[str, Any]]:
    """Start a game."""
    return await started(shop, trigger={"kind": "play", "per_day": None}, gifts_per_customer=None), {}


CUSTOMER_OPERATIONS: tuple[CustomerOperation, ...] = (
    CustomerOperation("getMe", "GET", "/v1/me"),
    CustomerOperation("listMyPending", "GET", "/v1/me/pending"),
    CustomerOperation("listMyExpiring", "GET", "/v1/me/expiring"),
    CustomerOperation("listMyWays", "GET", "/v1/me/ways"),
    CustomerOperation("listMyRewards", "GET", "/v1/me/rewards"),
    CustomerOperation("listMyVouchers", "GET", "/v1/me/vouchers"),
    CustomerOperation("listMyTransactions", "GET", "/v1/me/transactions"),
    CustomerOperation("getMyReferral", "GET", "/v1/me/referral"),
    CustomerOperation("listMyInvoices", "GET", "/v1/me/invoices"),
    CustomerOperation("listMyGames", "GET", "/v1/me/games"),
    CustomerOperation("listMySurprises", "GET", "/v1/me/surprises"),
    CustomerOperation("redeemMyReward", "POST", "/v1/me/redemptions", 201, "may_redeem", _reward),
    CustomerOperation("playMyGame", "POST", "/v1/me/games/{id}/plays", 201, "may_play", _game),
)
"""One row for each operation of the OpenAPI document whose security is a customer's token."""
