"""A caller of the service, as tests play it: a program of its own, a key for each role, and HTTP."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from service.platform.database import Database
from service.platform.roles import Role
from service.programs.rules import Program

_numbers = itertools.count(1)


def unique(prefix: str) -> str:
    """Make an id that no other test uses."""
    return f"{prefix}-{next(_numbers)}"


@dataclass(frozen=True)
class Answer:
    """What the service answered."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        """The decoded body."""
        return json.loads(self.text)

    @property
    def replayed(self) -> bool:
        """Whether it says that it is a repetition."""
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def code(self) -> str:
        """The code of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self.text
        return self.body["code"]

    @property
    def pointer(self) -> str:
        """The pointer of a 422's first error."""
        assert self.status == 422, self.text
        return self.body["errors"][0]["pointer"]


@dataclass(frozen=True)
class Shop:
    """One program, seen from outside."""

    address: str
    client: aiohttp.ClientSession
    program: Program
    keys: dict[Role, str]
    database: Database | None = None
    """For what no call does yet: a draw's voucher, see tests/vouchers.py."""

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: Role | None = Role.CHECKOUT,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """Make one call; `raw` sends bytes as they are, `role=None` sends no key."""
        sent = {"Content-Type": "application/json"} if body is not None or raw is not None else {}
        if role is not None:
            sent["Authorization"] = f"Bearer {self.keys[role]}"
        sent |= headers or {}
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        from yarl import URL

        async with self.client.request(
            method, URL(self.address + path, encoded=True), data=data, headers=sent, skip_auto_headers=["Content-Type"]
        ) as response:
            text = await response.text()
            return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, text)

    async def get(self, path: str, role: Role = Role.CHECKOUT) -> Answer:
        """Read."""
        return await self.call("GET", path, role=role)

    async def post(self, path: str, body: Any, role: Role = Role.CHECKOUT, **headers: str) -> Answer:
        """Post; `Idempotency_Key="..."` becomes a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("POST", path, body, role=role, headers=named)

    async def buy(self, **changes: Any) -> Answer:
        """Report a purchase of 129.90 EUR, or what `changes` make of it."""
        return await self.post("/v1/purchases", purchase(**changes))

    async def balance(self, customer_id: str) -> dict[str, int]:
        """Read a customer's points by bucket."""
        answer = await self.get(f"/v1/customers/{customer_id}/balance")
        assert answer.status == 200, answer.text
        return {name: answer.body[name] for name in ("available", "pending", "held", "debt")}


def purchase(**changes: Any) -> dict[str, Any]:
    """Make a purchase's body; a change to `...` leaves the field out."""
    body = {
        "id": unique("order"),
        "customer_id": "c-42",
        "occurred_at": "2026-01-02T10:00:00Z",
        "currency": "EUR",
        "total": 12990,
    } | changes
    return {name: value for name, value in body.items() if value is not ...}
