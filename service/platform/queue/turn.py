"""One run of a job, as the job sees it: for what, from where, and until when."""

import asyncio
import math
from collections.abc import Awaitable, Callable

from service.platform.waiting import wait_at_most


class TakenOver(Exception):  # noqa: N818 - nothing is wrong: somebody else goes on
    """Another worker runs this job now: this run ends."""


class Turn:
    """What a job may take before it lets others in. Alone it has no end, and keeps its place to itself.

    `place` is where the last run came to, None at the beginning. `keep` stores a place and how much is done up to it;
    it raises TakenOver.
    """

    def __init__(
        self,
        program_id: int = 0,
        subject: str = "",
        *,
        place: str | None = None,
        done: int = 0,
        seconds: float = math.inf,
        stop: asyncio.Event | None = None,
        keep: Callable[[str, int], Awaitable[None]] | None = None,
    ) -> None:
        self.program_id = program_id
        self.subject = subject
        self.place = place
        self.done = done
        self._ends_at = asyncio.get_running_loop().time() + seconds
        self._stop = stop or asyncio.Event()
        self._keep = keep

    @property
    def seconds_left(self) -> float:
        """How long it may go on, in seconds; 0 where it is to end at the next safe point."""
        if self._stop.is_set():
            return 0.0
        return max(self._ends_at - asyncio.get_running_loop().time(), 0.0)

    @property
    def is_over(self) -> bool:
        """Whether to end at the next safe point: its time is up, or the worker is told to stop."""
        return self.seconds_left == 0

    async def save(self, place: str, more: int = 0) -> None:
        """Keep the place behind which to go on, `more` being done since the last. Raises TakenOver."""
        self.place, self.done = place, self.done + more
        if self._keep is not None:
            await self._keep(place, self.done)

    async def rest(self, seconds: float) -> None:
        """Leave the database to others for a while; a worker that is told to stop goes on at once."""
        await wait_at_most(self._stop, seconds)
