"""A shop whose days pass as the test says: stories of surprises are lists of dates, what happens then, and what comes.

The day is the database's, the jobs are those of the worker.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from urllib.parse import quote
from zoneinfo import ZoneInfo

from service.events import sequencing
from service.platform.roles import Role
from tests import jobs
from tests.activities import activity
from tests.shop import Answer, Shop, unique
from tests.stories.wall_clock import WallClock
from tests.surprises import SWEET

BEGINS: Final = "2030-12-01T09:00:00Z"
NO_POINTS: Final[dict[str, Any]] = {"base_rule": {"any_currency": None}}
"""Purchases earn nothing, so that all points are gifts."""
UNBOUND: Final[dict[str, Any]] = {"gifts_per_customer": None}
BERLIN: Final = ZoneInfo("Europe/Berlin")
Action: TypeAlias = Callable[[], Awaitable[Any]] | None
Step: TypeAlias = tuple[str, Action, int, int]
"""A moment of Berlin (`2030-12-24 18:00`), what happens then, and what the customer has after it: gifts, points."""


class Story:
    """A shop in Berlin whose days pass as the test says. Where nobody else is named, it is Anna's."""

    def __init__(self, shop: Shop, clock: WallClock) -> None:
        self.shop = shop
        self._clock = clock
        self.now = BEGINS

    async def at(self, moment: str) -> None:
        """Let it be a moment, and let the worker do all that is due by then."""
        local = datetime.fromisoformat(moment)
        if local.tzinfo is None:
            local = local.replace(tzinfo=BERLIN)
        self.now = local.astimezone(UTC).isoformat()
        await self._clock.set(self.now)
        await self.work()

    async def work(self) -> None:
        """Let the worker do what is due."""
        database = self.shop.database
        assert database is not None
        for _ in range(2):  # what is revealed in the second look was drawn in the first
            while await sequencing.move_all(database):
                pass
            await jobs.surprise(database)

    async def goes(self, *steps: Step, customer: str = "anna") -> None:
        """Let things happen one after the other; after each the customer has as many gifts and points as it says."""
        seen = list[tuple[str, int, int]]()
        for moment, action, _, _ in steps:
            await self.at(moment)
            if action is not None:
                await action()
                await self.work()
            known = (await self.shop.get(f"/v1/customers/{quote(customer)}", Role.ADMIN)).status == 200
            seen.append(
                (moment, len(await self.gifts(customer)), await self.points(customer)) if known else (moment, 0, 0)
            )
        assert seen == [(moment, gifts, points) for moment, _, gifts, points in steps], seen

    def buying(self, customer: str = "anna", **changes: Any) -> Callable[[], Awaitable[Answer]]:
        """Let a step be a purchase."""
        return lambda: self.buys(customer, **changes)

    async def buys(self, customer: str = "anna", **changes: Any) -> Answer:
        """Report a purchase of now."""
        body = {"id": unique("order"), "customer_id": customer, "occurred_at": self.now} | changes
        return _fine(await self.shop.buy(**body))

    async def does(self, what: str, customer: str = "anna", **properties: Any) -> Answer:
        """Report an activity of now."""
        body = activity(type=what, customer_id=customer, occurred_at=self.now, properties=properties)
        return _fine(await self.shop.post("/v1/activities", body))

    async def tells(self, customer: str = "anna", **profile: Any) -> Answer:
        """Tell of a customer's profile; it enrols."""
        return _fine(await self.shop.call("PUT", f"/v1/customers/{quote(customer)}", profile, role=Role.MARKETER))

    async def suppress(self, reason: str, customer: str = "anna", **more: Any) -> Answer:
        """Set a reason against messages and surprises."""
        body = {"reason": reason} | more
        return _fine(await self.shop.post(f"/v1/customers/{quote(customer)}/suppressions", body, Role.SUPPORT))

    async def lift(self, reason: str, customer: str = "anna") -> Answer:
        """Lift it."""
        path = f"/v1/customers/{quote(customer)}/suppressions/{reason}"
        return _fine(await self.shop.call("DELETE", path, role=Role.SUPPORT))

    async def gives(self, points: int, customer: str = "anna") -> Answer:
        """Give points by hand."""
        body = {"points": points, "reason": "goodwill"}
        path = f"/v1/customers/{quote(customer)}/adjustments"
        return _fine(await self.shop.post(path, body, Role.ADMIN, Idempotency_Key=unique("key")))

    async def plays(self, campaign_id: str, customer: str = "anna") -> Answer:
        """Play a game, also where that is refused."""
        body = {"customer_id": customer}
        return await self.shop.post(f"/v1/campaigns/{campaign_id}/plays", body, Idempotency_Key=unique("key"))

    async def points(self, customer: str = "anna") -> int:
        """Read the available points."""
        return (await self.shop.balance(quote(customer)))["available"]

    async def gifts(self, customer: str = "anna") -> list[dict[str, Any]]:
        """Read the gifts that were revealed, the newest first."""
        return _fine(await self.shop.get(f"/v1/customers/{quote(customer)}/surprises?limit=200")).body["data"]

    async def stops(self, campaign_id: str) -> list[dict[str, Any]]:
        """Read what suppressions stopped, the oldest first."""
        answer = await self.shop.get(f"/v1/campaigns/{campaign_id}/stops?limit=200", Role.MARKETER)
        return _fine(answer).body["data"][::-1]

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        """Read rows that no call tells of; `$1` is the program."""
        database = self.shop.database
        assert database is not None
        async with database.connection() as db:
            return await db.fetch(statement, self.shop.program.id, *arguments)

    async def left(self, campaign_id: str, resource: str) -> int:
        """Read how much is left of what a campaign has, such as `prize:sweet` or `points`."""
        statement = (
            "SELECT sum(s.cap - s.taken)::bigint AS n FROM campaign_slice AS s"
            " WHERE s.program_id = $1 AND s.campaign_id = $2::uuid AND s.resource = $3"
        )
        return (await self.rows(statement, campaign_id.removeprefix("cmp_"), resource))[0]["n"]

    async def counted(self, table: str, campaign_id: str) -> int:
        """Count rows of a campaign."""
        statement = f"SELECT count(*) AS n FROM {table} WHERE program_id = $1 AND campaign_id = $2::uuid"
        return (await self.rows(statement, campaign_id.removeprefix("cmp_")))[0]["n"]


async def set_program(shop: Shop, **settings: Any) -> None:
    """Set something for the whole program."""
    changed = await shop.call("PATCH", "/v1/program", {"settings": settings}, role=Role.ADMIN)
    assert changed.status == 200, changed.text


def sweet(**changes: Any) -> list[dict[str, Any]]:
    """Make the one prize of a campaign: a sweet of 50 points."""
    return [SWEET | changes]


def _fine(answer: Answer) -> Answer:
    assert answer.status in {200, 201}, answer.text
    return answer
