"""The service under test, for a machine that knows nothing of loops: a new program for each sequence."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp
import asyncpg

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from service.platform.verify import invariants
from tests.conftest import Servers, make_shop, new_database, running
from tests.jobs import give_back_lapsed, settle_due
from tests.model.line import Line
from tests.model.rows import Rows, read_rows
from tests.shop import Answer, Shop
from tests.stories.months import pass_time

T = TypeVar("T")
_CALL_SECONDS = 60
_PAGE = 40
ROLES = (Role.CHECKOUT, Role.ADMIN, Role.SUPPORT, Role.MARKETER)

# Whatever belongs to a program: removed in one statement, so that foreign keys need no order.
_TABLES = """
SELECT c.relname FROM pg_class AS c
INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'program_id' AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
"""


@dataclass
class Stand:
    """A running service, its newest program, and its database as the owner sees it. All calls wait for their answer."""

    address: str
    client: aiohttp.ClientSession
    owner: Db
    service: Database
    loop: asyncio.AbstractEventLoop
    tables: Sequence[str]
    proofs: str
    """One statement that names the invariants that don't hold."""
    shop: Shop
    line: Line
    clock: timedelta
    """How far the database's clock is before this machine's."""
    sequences: set[str] = field(default_factory=set[str])
    """The different sequences that went well, each in words."""
    steps: int = 0
    changes: int = 0
    """How often the program's settings were changed."""

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work in the service's loop. Not to be called from there."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, _CALL_SECONDS), self.loop).result()

    def begin(self, settings: dict[str, Any]) -> None:
        """Make a program, and remove the one before it."""
        doomed = [f"d{number} AS (DELETE FROM {table} WHERE program_id = $1)" for number, table in
                  enumerate(self.tables)]  # fmt: skip
        clearing = f"WITH {', '.join(doomed)} DELETE FROM program WHERE id = $1"
        self.wait(self.owner.fetch(clearing, self.shop.program.id))
        self.shop = self.wait(make_shop(self.service, self.address, self.client, ROLES, **settings))
        self.changes = 0

    def now(self) -> datetime:
        """Tell the database's time."""
        return datetime.now(UTC) + self.clock

    def change_program(self, settings: dict[str, Any]) -> Any:
        """Change the program's settings; returns the program."""
        changed = self.call("PATCH", "/v1/program", {"settings": settings}, role=Role.ADMIN)
        assert changed.status == 200, changed.text
        self.changes += 1
        return changed.body

    def get(self, path: str) -> Answer:
        """Read."""
        return self.call("GET", path)

    def pages(self, path: str, query: str = "") -> list[dict[str, Any]]:
        """Read a list, page by page."""
        found, place = list[dict[str, Any]](), ""
        while place is not None:
            page = self.get(f"{path}?limit={_PAGE}{query}{place and f'&cursor={place}'}").body
            found, place = found + page["data"], page["next_cursor"]
        return found

    def post(self, path: str, body: dict[str, Any], key: str | None = None, role: Role = Role.CHECKOUT) -> Answer:
        """Report a fact; with a key, give a command."""
        return self.call("POST", path, body, key=key, role=role)

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, role: Role = Role.CHECKOUT
    ) -> Answer:
        """Make a call with the key of a role; `key` makes a command safe to repeat."""
        headers = {"Authorization": f"Bearer {self.shop.keys[role]}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.line.call(method, path, body, headers)

    def new_key(self) -> str:
        """Make an `Idempotency-Key`: Redis remembers those of earlier sequences."""
        return uuid4().hex

    def pass_time(self, passing: timedelta) -> None:
        """Let time pass. Since when settings apply, the service remembers: it is told to look again."""
        self.wait(pass_time(self.owner, self.shop.program.id, passing))
        if self.changes:
            self.wait(self.owner.fetch("UPDATE catalogue_version SET version = version + 1"))
            self.change_program({})

    def run_job(self) -> None:
        """Book what has come due and nobody touched."""
        self.wait(settle_due(self.service))
        self.wait(give_back_lapsed(self.service))

    def look(self) -> Rows:
        """Read the rows after a step."""
        self.steps += 1
        return self.rows()

    def rows(self) -> Rows:
        """Read the rows."""
        return self.wait(read_rows(self.owner, self.shop.program.id))

    def broken(self) -> list[str]:
        """Name the invariants that don't hold."""
        return [row["name"] for row in self.wait(self.owner.fetch(self.proofs))]


@asynccontextmanager
async def standing(servers: Servers) -> AsyncGenerator[Stand]:
    """Run a service on a database of its own, with one program."""
    async with AsyncExitStack() as closing:
        name = await closing.enter_async_context(new_database(servers))
        settings = servers.settings(name)
        service = Database(settings)
        await service.open()
        closing.push_async_callback(service.close)
        address = await closing.enter_async_context(running(settings))
        client = await closing.enter_async_context(aiohttp.ClientSession())
        owner = await asyncpg.connect(servers.database_url(name, owner=True))
        closing.push_async_callback(owner.close)
        tables = [row["relname"] for row in await owner.fetch(_TABLES)]
        rooms = [statement for room, statement in invariants() if room != "platform"]
        proofs = "\nUNION ALL ".join(
            f"SELECT '{statement.name}' AS name WHERE EXISTS (\n{statement.sql}\n)" for statement in rooms
        )
        shop = await make_shop(service, address, client)
        line = Line(address, seconds=_CALL_SECONDS)
        closing.callback(line.close)
        clock = await owner.fetchval("SELECT clock_timestamp()") - datetime.now(UTC)
        yield Stand(address, client, owner, service, asyncio.get_running_loop(), tables, proofs, shop, line, clock)
