"""Callers who report purchases, each until it is acknowledged, and repeat some of them."""

import asyncio
import random
import re
import time
from collections.abc import Callable

import aiohttp

from tests.faults.long_run.book import Book, Reported, Told
from tests.faults.long_run.stand import Stand
from tests.faults.proxy import AtCommit

CALLERS = 48
CUSTOMERS = 2000
HOT_CUSTOMERS = 3
"""A quarter of the purchases are these customers': they meet in one batch, and over both processes."""
REPEATED, CONFLICTING = 0.04, 0.02
"""Of all calls: repetitions of acknowledged purchases, and others' content under their ids."""
NEW_CONNECTION = 0.05
"""So many calls are the last of their connection: one process would else keep whom it accepted first."""
PAUSE = 0.5
"""Seconds before a call that had no answer is sent again."""
PATIENCE = aiohttp.ClientTimeout(total=15)
_ID = re.compile(rb"purchase-\d{7}")


class Load:
    """A number of purchases to be reported, by many callers at once."""

    def __init__(self, stand: Stand, book: Book, purchases: int, *, seed: int) -> None:
        self._stand = stand
        self._book = book
        self._purchases = purchases
        self._random = random.Random(seed)
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=PATIENCE)
        stand.proxy.on_broken = self._note_broken

    async def run(self, may_end: Callable[[], bool]) -> None:
        """Report everything, each until it is acknowledged, and then go on until it may end."""
        async with asyncio.TaskGroup() as callers:
            for number in range(CALLERS):
                callers.create_task(self._call(self._key(number), may_end))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def report_another(self) -> None:
        """Report one more purchase on a connection of its own, until it is acknowledged."""
        async with aiohttp.ClientSession(timeout=PATIENCE) as client:
            await self._report(client, self._next(), self._key(0))

    async def repeat(self, count: int) -> None:
        """Repeat so many acknowledged purchases."""
        for number, report in enumerate(self._random.sample(self._book.acknowledged, count)):
            told = await self._post(self._client, report.body(), self._key(number))
            self._book.hear_repetition(report, told)

    def _key(self, number: int) -> str:
        return self._stand.keys[number % len(self._stand.keys)]

    def _next(self) -> Reported:
        number, drawn = len(self._book.reported), self._random
        customers = HOT_CUSTOMERS if drawn.random() < 0.25 else CUSTOMERS
        report = Reported(
            number=number,
            id=f"purchase-{number:07}",
            customer_id=f"c-{drawn.randrange(customers)}",
            total=drawn.randrange(100, 30_000),
            channel=drawn.choice(["web", "shop"]),
        )
        self._book.reported[report.id] = report
        return report

    async def _call(self, key: str, may_end: Callable[[], bool]) -> None:
        book, drawn = self._book, self._random
        while len(book.reported) < self._purchases or not may_end():
            choice = drawn.random() if book.acknowledged else 1.0
            if choice < REPEATED:
                report = drawn.choice(book.acknowledged)
                book.hear_repetition(report, await self._post(self._client, report.body(), key))
            elif choice < REPEATED + CONFLICTING:
                report = drawn.choice(book.acknowledged)
                other = report.body(total=report.total + 1)
                book.hear_conflict(report, await self._post(self._client, other, key))
            else:
                await self._report(self._client, self._next(), key)

    async def _report(self, client: aiohttp.ClientSession, report: Reported, key: str) -> None:
        begun = time.monotonic()
        while True:
            told = await self._post(client, report.body(), key)
            if not self._book.hear_report(report, told):
                break
            self._book.counts["reports repeated"] += 1
            await asyncio.sleep(PAUSE if told is None else told.retry_after)
        self._book.longest_unacknowledged = max(self._book.longest_unacknowledged, time.monotonic() - begun)

    async def _post(self, client: aiohttp.ClientSession, body: bytes, key: str) -> Told | None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        if self._random.random() < NEW_CONNECTION:
            headers["Connection"] = "close"
        begun = time.monotonic()
        try:
            async with client.post(f"{self._stand.api.address}/v1/purchases", data=body, headers=headers) as answer:
                told = Told(
                    answer.status,
                    answer.headers.get("Idempotent-Replayed") == "true",
                    float(answer.headers.get("Retry-After", "0")),
                    await answer.text(),
                )
        except (aiohttp.ClientError, TimeoutError):
            return None
        finally:
            self._book.slowest_answer = max(self._book.slowest_answer, time.monotonic() - begun)
        return told

    def _note_broken(self, what: AtCommit, sent: bytes) -> None:
        book = self._book
        open_ = [
            report for found in set(_ID.findall(sent)) if not (report := book.reported[found.decode()]).acknowledged
        ]
        book.counts[f"commits: {what.value}"] += 1
        for report in open_:
            report.broken = what
