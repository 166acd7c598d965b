"""The lanes' work, and what is cleaned up behind them."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import structlog

from service.events import usecases as events
from service.events.kinds import EventKinds
from service.kernel.ids import GREATEST_ID, lowest_id_at
from service.platform.clock import database_time
from service.platform.database import CONNECTION_FAULTS, Database
from service.platform.queue.job import Subject
from service.platform.queue.turn import Turn
from service.platform.statements import Db
from service.platform.transaction import transact
from service.platform.waiting import wait_at_most
from service.webhooks import delivering, store
from service.webhooks.delivering import Batch
from service.webhooks.rules import Sent
from service.webhooks.sending import Message, Sender

KEPT_FOR: Final = timedelta(days=30)
SENT_AT_ONCE: Final = 32
"""Messages of one lane on their way."""
_KEEPS_EVERY: Final = 5.0
"""Seconds after which a lane is kept anew while an endpoint lets wait."""
_PRUNED_AT_ONCE: Final = 1_000
_log = structlog.get_logger()


async def lanes_with_work(db: Db) -> list[Subject]:
    """Read the endpoints that are to be told something now, and that nobody is telling."""
    lanes = await store.free_lanes(db)
    places = await events.last_places(db, program_ids=sorted({each.program_id for each in lanes})) if lanes else {}
    return [
        Subject(each.program_id, str(each.webhook_id))
        for each in lanes
        if each.is_due or (each.takes_new and each.position < places[each.program_id])
    ]


async def deliver(database: Database, turn: Turn, *, kinds: EventKinds, sender: Sender) -> bool:
    """Work a lane, the endpoint that the turn names, until nothing is due in it; tells whether it came so far.

    What is on its way when the turn is over is waited for. Safe to run at once by many: one does it. A worker that
    dies, or whose lane was taken for dead, loses nothing: what it did not write is sent again. Raises the faults of
    connections, and Unavailable.
    """
    program_id, webhook_id = turn.program_id, UUID(turn.subject)
    async with database.connection() as db:
        lease = await delivering.take(db, program_id=program_id, webhook_id=webhook_id)
    if lease is None:
        return True
    lane = _Lane(database, kinds, program_id, webhook_id, lease)
    try:
        while (batch := await lane.load()) is not None:
            async with lane.kept():
                sent = await _send(sender, batch, turn)
            if not await lane.record(batch, sent):
                _log.warning("webhook_lane_lost", program_id=program_id, webhook_id=webhook_id.hex)
                return True
            await turn.save("", len(sent))
            if turn.is_over:
                return False
    finally:
        await lane.leave()
    return True


class _Lane:
    """A lane that this process has taken."""

    def __init__(self, database: Database, kinds: EventKinds, program_id: int, webhook_id: UUID, lease: int) -> None:
        self._database = database
        self._kinds = kinds
        self._program_id = program_id
        self._webhook_id = webhook_id
        self._lease = lease

    async def load(self) -> Batch | None:
        """Read what is to be tried now."""
        async with self._database.connection() as db:
            return await delivering.load(
                db, program_id=self._program_id, webhook_id=self._webhook_id, lease=self._lease, kinds=self._kinds
            )

    async def record(self, batch: Batch, sent: Sequence[Sent | None]) -> bool:
        """Write what became of it; tells whether the lane was still this process's."""
        chances, entropy = [random.random() for _ in sent], random.getrandbits(62)

        async def work(db: Db) -> bool:
            return await delivering.record(
                db,
                program_id=self._program_id,
                batch=batch,
                sent=sent,
                chances=chances,
                entropy=entropy,
                kinds=self._kinds,
            )

        return await transact(self._database.connection, work, kind="webhooks")

    @asynccontextmanager
    async def kept(self) -> AsyncGenerator[None]:
        """Keep the lane while messages are on their way."""
        over = asyncio.Event()
        keeping = asyncio.create_task(self._keep_until(over))
        try:
            yield
        finally:
            over.set()
            await keeping

    async def _keep_until(self, over: asyncio.Event) -> None:
        await wait_at_most(over, _KEEPS_EVERY)
        while not over.is_set():
            # What is written in the end tells whether it was lost.
            with suppress(*CONNECTION_FAULTS, asyncpg.PostgresError):
                async with self._database.connection() as db:
                    await delivering.keep(
                        db, program_id=self._program_id, webhook_id=self._webhook_id, lease=self._lease
                    )
            await wait_at_most(over, _KEEPS_EVERY)

    async def leave(self) -> None:
        """Let others take the lane at once, where the database hears it."""
        with suppress(*CONNECTION_FAULTS, asyncpg.PostgresError):
            async with self._database.connection() as db:
                await delivering.leave(db, program_id=self._program_id, webhook_id=self._webhook_id, lease=self._lease)


async def _send(sender: Sender, batch: Batch, turn: Turn) -> list[Sent | None]:
    """Send a batch, some at once, in order; what was not begun when the turn was over is left, but for the first."""
    loop = asyncio.get_running_loop()
    began, secrets = loop.time(), [each.secret for each in batch.secrets]
    sent: list[Sent | None] = [None] * len(batch.events)
    places = iter(range(len(sent)))

    async def work() -> None:
        for place in places:
            if place and turn.is_over:
                return
            at = batch.at + timedelta(seconds=loop.time() - began)
            sent[place] = await sender.send(batch.webhook.url, Message(batch.events[place]), secrets, at)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(SENT_AT_ONCE, len(sent))):
            group.create_task(work())
    return sent


class _Place(msgspec.Struct, array_like=True, frozen=True):
    """Up to where deliveries were looked through: an endpoint, and the id of an event."""

    program_id: int
    webhook_id: UUID
    after: UUID


async def prune_deliveries(database: Database, turn: Turn) -> bool:
    """Remove what was delivered 30 days ago, and all of deleted endpoints; tells whether all was looked at.

    Few at once, with rests between. What is dead stays, to be sent again. A turn goes on where the last one came to:
    one program may have more to look through than a turn has time for. Safe to run at once by many.
    """
    start = msgspec.json.decode(turn.place or "null", type=_Place | None) or _Place(0, UUID(int=0), UUID(int=0))
    async with database.connection() as db:
        found, now = await store.told_webhooks(db), await database_time(db)
    for program_id, webhook_id, is_deleted in found:
        if (program_id, webhook_id) < (start.program_id, start.webhook_id):
            continue
        after: UUID | None = start.after if webhook_id == start.webhook_id else UUID(int=0)
        while after is not None:
            began = asyncio.get_running_loop().time()
            async with database.connection() as db:
                after, removed = await store.prune_deliveries(
                    db,
                    program_id=program_id,
                    webhook_id=webhook_id,
                    after=after,
                    before=lowest_id_at(now + KEPT_FOR if is_deleted else now - KEPT_FOR),
                    delivered_before=now - KEPT_FOR,
                    is_deleted=is_deleted,
                    count=_PRUNED_AT_ONCE,
                )
            if removed or turn.is_over:
                place = _Place(program_id, webhook_id, after or GREATEST_ID)
                await turn.save(msgspec.json.encode(place).decode(), removed)
            if turn.is_over:
                return False
            await turn.rest(asyncio.get_running_loop().time() - began)
    return True
