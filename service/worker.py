"""The worker: scheduled and queued work, beside the API. Any number of them may run."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from socket import socket
from typing import Final

import structlog

from service.events import sequencing
from service.events import usecases as events
from service.news import KINDS
from service.platform import jobs as platform
from service.platform import open_files
from service.platform.database import Database
from service.platform.metrics.process import Numbers
from service.platform.metrics.serving import serving
from service.platform.metrics.values import Gauge
from service.platform.queue.job import Job, Subject, in_one_go
from service.platform.queue.numbers import QueueNumbers
from service.platform.queue.queue import Patience, Queue
from service.platform.queue.running import Runner
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.waiting import wait_at_most
from service.points import jobs as points
from service.programs import usecases as programs
from service.purchases import jobs as purchases
from service.purchases import referees
from service.referrals.asks import jobs as asks
from service.rewards import jobs as rewards
from service.surprises import jobs as surprises
from service.tiers import usecases as tiers
from service.webhooks import jobs as webhooks
from service.webhooks import usecases as webhook_usecases
from service.webhooks.sending import ATTEMPT_SECONDS, Sender


async def each_program(db: Db) -> Sequence[Subject]:
    """Run a job for each program."""
    return [Subject(program.id) for program in await programs.list_programs(db)]


JOBS: Final[tuple[Job, ...]] = (
    Job(name="make_partitions_ahead", cron="7 * * * *", run=in_one_go(platform.make_partitions_ahead)),
    Job(
        name="settle_due",
        cron="*/10 * * * *",
        run=partial(points.settle_due, following_of=tiers.following_of),
        subjects=each_program,
    ),
    Job(name="settle_tiers", cron="4-59/10 * * * *", run=purchases.settle_tiers, subjects=each_program),
    Job(
        name="judge_referrals",
        looks_every=1.0,
        run=referees.judge_due,
        subjects=referees.programs_with_due,
    ),
    Job(name="attach_referrals", cron="* * * * *", run=referees.attach_enrolled, subjects=each_program),
    Job(
        name="notice_successes",
        looks_every=1.0,  # the page behind a purchase may ask at once
        run=partial(asks.notice_successes, kinds=KINDS),
        subjects=asks.programs_behind,
    ),
    Job(name="announce_asks", cron="* * * * *", run=asks.announce_asks, subjects=asks.programs_waiting),
    Job(
        name="notice_occasions",
        looks_every=1.0,
        run=partial(surprises.notice_occasions, kinds=KINDS),
        subjects=surprises.programs_behind,
    ),
    Job(name="reveal_gifts", looks_every=1.0, run=surprises.reveal_gifts, subjects=surprises.programs_due),
    Job(
        name="plan_occasions",
        cron="*/10 * * * *",
        run=surprises.plan_occasions,
        subjects=surprises.campaigns_to_plan,
    ),
    Job(name="give_back_lapsed", cron="*/5 * * * *", run=rewards.give_back_lapsed, subjects=each_program),
    Job(name="forget_commands", cron="23 2 * * *", run=platform.forget_commands, subjects=each_program),
    Job(name="forget_queue_log", cron="1-59/10 * * * *", run=platform.forget_queue_log),
    Job(name="prune_deliveries", cron="53 * * * *", run=webhooks.prune_deliveries),
)
"""What runs when. A turn of each is short, so that a few places are enough for all programs."""


def deliveries(sender: Sender) -> Job:
    """Make the job that tells webhooks what happened: each endpoint is a lane of its own.

    An attempt that begins when its turn ends may take all its time, and is written after that.
    """
    return Job(
        name="deliver",
        looks_every=0.2,
        seconds=60,  # between two turns a lane stands still for a moment
        grace=ATTEMPT_SECONDS + 10,
        run=partial(webhooks.deliver, kinds=KINDS, sender=sender),
        subjects=webhooks.lanes_with_work,
    )


_PLACES: Final = 8
"""How many scheduled jobs run at once in a worker."""
_LANES: Final = 256
"""How many of those that are looked for: each may wait for somebody else's server, and none shall wait for those."""
_CONNECTIONS: Final = 12
_LOOKS_EVERY: Final = 5.0
"""Seconds between looks at how things stand, for /metrics."""
_EVENTS_WAITING: Final = Gauge("loyalty_outbox_waiting", "Events that have no place in the feed yet.")
_EVENTS_OLDEST: Final = Gauge("loyalty_outbox_oldest_seconds", "For how long the oldest of them has waited.")
_WEBHOOK_BEHIND: Final = Gauge(
    "loyalty_webhook_events_behind", "How many events the webhook is behind the feed that is furthest."
)
_DELIVERIES_WAITING: Final = Gauge("loyalty_webhook_deliveries_waiting", "Deliveries that will be tried again.")
_log = structlog.get_logger()


async def run(
    settings: Settings,
    jobs: Sequence[Job] | None = None,
    *,
    listener: socket | None = None,
    patience: Patience | None = None,
) -> None:
    """Work until told to stop; `listener` is where the numbers are served. A database that goes away is waited for.

    `jobs` are for tests, in place of all.
    """
    open_files.allow_many()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    database, sender = Database(settings), Sender(settings.webhook_targets)
    await database.open(size=_CONNECTIONS)
    jobs = [*JOBS, deliveries(sender)] if jobs is None else jobs
    runner = Runner(database, stop)
    waits = patience or Patience()
    lanes = [job for job in jobs if job.looks_every is not None]
    queues = [
        Queue(database, runner, [job for job in jobs if job.looks_every is None], places=_PLACES, patience=waits),
        *([Queue(database, runner, lanes, places=_LANES, patience=waits)] if lanes else []),
    ]
    tasks: list[Callable[[asyncio.Event], Awaitable[None]]] = [
        *(queue.work for queue in queues),
        lambda ends: sequencing.run(database, ends),
        lambda ends: _watch(database, jobs, ends),
    ]
    try:
        async with _told(settings, listener, lambda: all(queue.is_working for queue in queues)):
            _log.info("worker_started", process=os.getpid(), jobs=len(jobs))
            await asyncio.gather(*(_keep(work, stop) for work in tasks))
    finally:
        await sender.close()
        await database.close()
    _log.info("worker_stopped")


async def _keep(work: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    """Keep one of the worker's tasks going: a fault of it is told, and ends neither it nor the others."""
    while not stop.is_set():
        try:
            await work(stop)
        except Exception as fault:  # noqa: BLE001 - nobody has foreseen it
            _log.error("worker_task_failed", exc_info=fault)
            await wait_at_most(stop, 1.0)


@asynccontextmanager
async def _told(settings: Settings, listener: socket | None, is_working: Callable[[], bool]) -> AsyncGenerator[None]:
    """Let the worker's numbers be read: from a port of its own, and in the folder that processes share."""
    numbers = Numbers(settings.metrics_folder, settings.build)
    numbers.open()
    try:
        if listener is None:
            yield
        else:
            async with serving(numbers, is_working, listener):
                yield
    finally:
        await numbers.close()


async def _watch(database: Database, jobs: Sequence[Job], stop: asyncio.Event) -> None:
    """Look every few seconds how things stand."""
    queue, lag, told = QueueNumbers(jobs), (0, 0.0), (0, 0)
    readers = {
        _EVENTS_WAITING: lambda: float(lag[0]),
        _EVENTS_OLDEST: lambda: lag[1],
        _WEBHOOK_BEHIND: lambda: float(told[0]),
        _DELIVERIES_WAITING: lambda: float(told[1]),
    }
    for gauge, read in readers.items():
        gauge.watch(read)
    try:
        while not stop.is_set():
            with suppress(Exception):  # what can't be looked at stays as it was
                async with database.answering() as db:
                    lag = await events.lag(db)
                    told = await webhook_usecases.lag(db)
                    await queue.look(db)
            await wait_at_most(stop, _LOOKS_EVERY)
    finally:
        queue.close()
        for gauge, read in readers.items():
            gauge.forget(read)
