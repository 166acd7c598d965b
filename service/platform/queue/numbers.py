"""How the jobs stand: what waits, for how long, and what is set aside."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from service.platform.metrics.values import Gauge
from service.platform.queue import store
from service.platform.queue.job import Job
from service.platform.statements import Db

_WAITING: Final = Gauge("loyalty_jobs_waiting", "Jobs in the queue that are due.", ("job",))
_OLDEST: Final = Gauge(
    "loyalty_jobs_oldest_waiting_seconds", "For how long the first of them has waited; 0 without one.", ("job",)
)
_DEAD: Final = Gauge("loyalty_jobs_set_aside", "Jobs that are set aside: `loyalty jobs` tells why.", ("job",))


class QueueNumbers:
    """The numbers of a queue, as they were when somebody looked last."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._waiting: dict[str, tuple[int, float]] = {}
        self._dead: dict[str, int] = {}
        self._watched = list[tuple[Gauge, Callable[[], float], tuple[str]]]()
        for job in jobs:
            for gauge, read in (
                (_WAITING, partial(self._of_waiting, job.name, 0)),
                (_OLDEST, partial(self._of_waiting, job.name, 1)),
                (_DEAD, partial(self._of_dead, job.name)),
            ):
                gauge.watch(read, (job.name,))
                self._watched.append((gauge, read, (job.name,)))

    async def look(self, db: Db) -> None:
        """Look how things stand."""
        self._waiting, self._dead = await store.waiting(db), await store.dead(db)

    def close(self) -> None:
        """Tell no more."""
        for gauge, read, labels in self._watched:
            gauge.forget(read, labels)

    def _of_waiting(self, name: str, place: int) -> float:
        return self._waiting.get(name, (0, 0.0))[place]

    def _of_dead(self, name: str) -> float:
        return self._dead.get(name, 0)
