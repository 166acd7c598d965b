"""Every operation that customers call with their tokens, as a good call of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.portal import call_as
from tests.shop import Answer, Shop, unique


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


CUSTOMER_OPERATIONS: tuple[CustomerOperation, ...] = ()
"""One row for each operation of the OpenAPI document whose security is a customer's token."""
