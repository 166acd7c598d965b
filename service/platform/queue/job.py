"""What a job is, and for what it runs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.statements import Db

NO_PROGRAM: Final = 0


class Subject(NamedTuple):
    """What a job runs for: a program, or something of it by its id. All that the queue carries of a job."""

    program_id: int = NO_PROGRAM
    id: str = ""

    def payload(self) -> bytes:
        """Write it for the queue."""
        return msgspec.json.encode(self)

    def dedupe_key(self, name: str) -> str:
        """Name a job for this in the queue, where it is at most once."""
        return f"{name}:{self.program_id}:{self.id}"

    @staticmethod
    def read(payload: bytes | None) -> "Subject":
        """Read it from the queue."""
        return msgspec.json.decode(payload or b"[]", type=Subject)


async def once(_: Db) -> Sequence[Subject]:
    """Run a job once, for no program."""
    return [Subject()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that is safe to run twice and at once, does a part in each turn, and goes on from where it came to."""

    name: str
    run: Callable[[Database, Turn], Awaitable[bool]]
    """Works until all is done and says so, or until the turn is over."""
    subjects: Callable[[Db], Awaitable[Sequence[Subject]]] = once
    """For what it is to run now; each is a job of its own in the queue."""
    cron: str | None = None
    """When it is put into the queue, in UTC."""
    looks_every: float | None = None
    """Or: so often (s) every worker looks whether there is anything to run it for."""
    seconds: float = 20.0
    """A turn's time. What isn't done then goes on in the next one."""
    grace: float = 20.0
    """Seconds that it has, once its turn is over, to come to its next safe point."""
    attempts: int = 5
    """So many times in a row it may come to nothing; then it is set aside."""
    retry_after: float = 4.0
    """Seconds before the second attempt; each later one waits four times as long."""

    def pause_after(self, attempts: int) -> float:
        """Return the seconds before the next attempt, after so many."""
        return self.retry_after * 4 ** (attempts - 1)


def in_one_go(work: Callable[[Database], Awaitable[object]]) -> Callable[[Database, Turn], Awaitable[bool]]:
    """Make a job's work of something short that needs no turns."""

    async def run(database: Database, _: Turn) -> bool:
        await work(database)
        return True

    return run
