"""Gathering: concurrent questions are answered together, in one transaction or one query for all.

One batch is in flight, and the next is whatever came in meanwhile. Alone, a question doesn't wait; under load the
batches grow and each question gets cheaper.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from service.kernel.errors import Unavailable
from service.platform import tracing
from service.platform.metrics.gathering import Gathering

Key = TypeVar("Key")
Question = TypeVar("Question")
Answer = TypeVar("Answer")

_TURNS_BETWEEN_BATCHES: Final = 3
"""Turns of the loop in which answers are written and those who ask again are read, so that they share the next batch.

Without, half of the callers miss it, and a batch costs nearly as much as two.
"""


@dataclass(slots=True)
class _Waiting(Generic[Question, Answer]):
    question: Question
    answer: asyncio.Future[Answer]
    due: float
    span: object | None


class Gatherer(Generic[Key, Question, Answer]):
    """Answers questions in batches, each batch of one key (a program), the keys in the order in which they came.

    `answer_all` takes a key and questions and gives as many answers in their order; an exception among them is raised
    to that one question. What it raises itself goes to all of the batch. A question that nobody waits for any more
    stays in its batch: a batch in flight is never cut. `queue_limit` bounds the memory, `patience` (s) the wait.
    Numbers and traces call it by its `name`.
    """

    def __init__(
        self,
        name: str,
        answer_all: Callable[[Key, Sequence[Question]], Awaitable[Sequence[Answer | Exception]]],
        *,
        batch_size: int = 64,
        queue_limit: int = 2000,
        patience: float = 4.0,
    ) -> None:
        self._name = name
        self._answer_all = answer_all
        self._seen = Gathering(name, queue_limit)
        self._batch_size = batch_size
        self._queue_limit = queue_limit
        self._patience = patience
        self._queues: dict[Key, deque[_Waiting[Question, Answer]]] = {}
        self._in_flight: list[_Waiting[Question, Answer]] = []
        self._queued = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Begin to answer. Call it in the running loop."""
        self._seen.opened(lambda: self._queued)
        self._loop = asyncio.get_running_loop()
        self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._lose_patience())]

    async def close(self) -> None:
        """Answer what is queued, then stop."""
        self._closing = True
        self._wake.set()
        if self._tasks:
            work, watch = self._tasks
            await work
            watch.cancel()
        self._seen.closed()

    def ask(self, key: Key, question: Question) -> asyncio.Future[Answer]:
        """Ask one question. Raises Unavailable when the queue is full; so does the answer when patience ends."""
        if self._closing or self._queued >= self._queue_limit:
            self._seen.unserved("queue_full")
            detail = "Too much is waiting already; nothing was done."
            raise Unavailable(detail)
        loop = self._loop  # to ask for the running one is a system call in Python 3.11
        due = loop.time() + self._patience
        waiting: _Waiting[Question, Answer] = _Waiting(question, loop.create_future(), due, tracing.here())
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
        queue.append(waiting)
        self._queued += 1
        self._wake.set()
        return waiting.answer

    async def _work(self) -> None:
        while self._queues or not self._closing:
            await self._wake.wait()
            if not self._queues:
                self._wake.clear()
                continue
            key, batch = self._next_batch()
            self._in_flight = batch
            asked_before = self._loop.time() + self._patience
            with (
                self._seen.batch([asked_before - waiting.due for waiting in batch]),
                tracing.batch(self._name, batch),
            ):
                await self._answer(key, batch)
            self._in_flight = []
            for _ in range(_TURNS_BETWEEN_BATCHES):
                await asyncio.sleep(0)

    async def _answer(self, key: Key, batch: Sequence[_Waiting[Question, Answer]]) -> None:
        try:
            answers = await self._answer_all(key, [waiting.question for waiting in batch])
            for waiting, answer in zip(batch, answers, strict=True):
                _tell(waiting.answer, answer)
        except Exception as fault:  # noqa: BLE001 - it is raised to everybody who has no answer
            for waiting in batch:
                _tell(waiting.answer, fault)

    def _next_batch(self) -> tuple[Key, list[_Waiting[Question, Answer]]]:
        key = next(iter(self._queues))
        queue = self._queues.pop(key)
        batch = [queue.popleft() for _ in range(min(len(queue), self._batch_size))]
        if queue:
            self._queues[key] = queue  # behind the other keys: a busy program doesn't starve a quiet one
        self._queued -= len(batch)
        return key, batch

    async def _lose_patience(self) -> None:
        """Answer 'unknown' to those who waited too long; one clock for all costs less than a timer for each."""
        while True:
            await asyncio.sleep(0.1)
            now = asyncio.get_running_loop().time()
            for waiting in self._in_flight:
                if waiting.due <= now and not waiting.answer.done():
                    self._seen.unserved("batch_too_slow")
                    _tell(waiting.answer, Unavailable("The answer took too long; the outcome is unknown."))
            for key, queue in list(self._queues.items()):
                while queue and queue[0].due <= now:
                    self._queued -= 1
                    self._seen.unserved("waited_too_long")
                    _tell(queue.popleft().answer, Unavailable("The answer took too long; nothing was done."))
                if not queue:
                    del self._queues[key]


def _tell(future: "asyncio.Future[Answer]", answer: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
