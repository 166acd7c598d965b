"""The online retail log on its way through the API, each answer beside what the books of the test come to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from tests.shop import Shop, unique
from tests.stories.online_retail import Bought, Log, Returned
from tests.stories.retail_books import Books

MOST_PURCHASES = 100
"""That go in one call: many lines each, together far below 4 MiB."""


@dataclass
class Run:
    """One program that has seen the log. `expected` and `answered` are by what happened, in its order."""

    log: Log
    shop: Shop
    books: Books
    spending: bool
    expected: dict[str, Any] = field(default_factory=dict[str, Any])
    answered: dict[str, Any] = field(default_factory=dict[str, Any])
    waiting: list[Bought] = field(default_factory=list[Bought])

    async def play(self) -> None:
        """Report all that happened in its order. Purchases go together until something else happens."""
        for event in self.log.events():
            if isinstance(event, Bought):
                pays_with_points = self.spending and int(event.customer) % 2 == 0
                if pays_with_points:
                    await self._spend(event.customer, event.id)
                self.expected[event.id] = {"status": 201, **self.books.buy(event)}
                self.waiting.append(event)
                if len(self.waiting) == MOST_PURCHASES:
                    await self._report()
                if self.spending and not pays_with_points:
                    await self._spend(event.customer, f"after-{event.id}")
            else:
                await self._give_back(event)
        await self._report()

    async def _report(self) -> None:
        told, self.waiting = self.waiting, []
        if told:
            answer = await self.shop.post("/v1/purchases/batch", {"purchases": [_purchase(each) for each in told]})
            assert answer.status == 200, answer.text
            for event, result in zip(told, answer.body["results"], strict=True):
                booked: dict[str, Any] = result.get("purchase", {})
                earned = booked.get("points", {}).get("earned")
                self.answered[event.id] = {"status": result["status"], "earned": earned, **_of(booked, "balance")}

    async def _give_back(self, event: Returned) -> None:
        name = f"{event.line.invoice}/{event.line.number}"
        self.expected[name] = {"status": 201, **self.books.give_back(event)}
        await self._report()
        content = {
            "id": name,
            "items": [{"id": str(event.bought.number), "quantity": event.line.quantity}],
            "occurred_at": event.line.at.isoformat(),
        }
        answer = await self.shop.post(f"/v1/purchases/{event.bought.invoice}/refunds", content)
        self.answered[name] = {"status": answer.status, **_of(answer.body, "amount", "points", "balance")}

    async def _spend(self, customer: str, order: str) -> None:
        points = self.books.spend(customer, order)
        if not points:
            return
        name = f"{order} by points"
        self.expected[name] = {"status": 200, "captured": points, "balance": self.books.wallets[customer].balance}
        await self._report()
        content = {"customer_id": customer, "points": points, "order_id": order}
        held = await self.shop.post("/v1/redemptions", content, Idempotency_Key=unique("key"))
        path = f"/v1/redemptions/{held.body.get('id')}/capture"
        answer = await self.shop.post(path, {}, Idempotency_Key=unique("key"))
        self.answered[name] = {"status": answer.status, **_of(answer.body, "captured", "balance")}


def _purchase(event: Bought) -> dict[str, Any]:
    return {
        "id": event.id,
        "customer_id": event.customer,
        "occurred_at": event.at.astimezone(UTC).isoformat(),
        "currency": "GBP",
        "total": event.total,
        "items": [
            {"id": str(line.number), "sku": line.stock_code, "quantity": line.quantity, "amount": line.amount}
            for line in event.lines
        ],
    }


def _of(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: body.get(name) for name in names}


async def standings(shop: Shop, customers: Iterable[str]) -> dict[str, Any]:
    """Read each customer's balance, lifetime points and lots with something left, the oldest first."""
    found = dict[str, Any]()
    for customer in customers:
        balance = (await shop.get(f"/v1/customers/{customer}/balance")).body
        lots = (await shop.get(f"/v1/customers/{customer}/lots?limit=200")).body
        assert not lots["has_more"]
        found[customer] = {
            "balance": _of(balance, "available", "pending", "held", "debt"),
            "lifetime": balance["lifetime_earned"],
            "lots": [
                (lot["cause"]["id"], lot["granted"], lot["remaining"], lot["expires_at"])
                for lot in reversed(lots["data"])
            ],
        }
    return found
