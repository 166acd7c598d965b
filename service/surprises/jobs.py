"""Scheduled work of surprises: occasions are noticed in the feed and on the calendar, gifts are revealed in time."""

import random
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from service.customers import usecases as customers
from service.events.kinds import EventKinds
from service.kernel.errors import Refusal, Unavailable
from service.platform.clock import database_time
from service.platform.database import Database
from service.platform.metrics.values import Counter
from service.platform.queue.job import Subject
from service.platform.queue.turn import Turn
from service.platform.statements import Db, write_together
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.surprises import giving, noticing, planning, store, surprising
from service.surprises.book import campaigns_of
from service.surprises.campaigns import ByList
from service.surprises.drawing import Due
from service.surprises.gifts import Gift
from service.surprises.planning import PLANNED, Looking

_AT_ONCE: Final = 50
"""Customers who are locked together."""
_PAGE: Final = 1000
_ENTROPY_BITS: Final = 2 * 62
_CODE_BITS: Final = 60
_REVEALED: Final = Counter("loyalty_surprises", "Gifts whose moment had come, by where they stand then.", ("state",))
_log = structlog.get_logger()


async def programs_behind(db: Db) -> Sequence[Subject]:
    """Read the programs with events in which nobody looked for occasions."""
    return [Subject(program_id) for program_id in await noticing.programs_behind(db)]


async def notice_occasions(database: Database, turn: Turn, *, kinds: EventKinds) -> bool:
    """Look through what is new in a program's feed for occasions; tells whether all was looked through.

    It goes on from a place of its own, once all is drawn that it found before that: safe to run at once by many.
    """
    while True:
        async with database.connection() as db:
            program = await programs.read_program(db, program_id=turn.program_id)
            noticed = await noticing.notice(db, program=program, kinds=kinds)
        for campaign_id, rounds in noticed.occasions.items():
            for due in rounds:
                await _draw(database, turn, campaign_id, due)
        await transact(
            database.connection, partial(noticing.go_on, program_id=turn.program_id, noticed=noticed), kind="job"
        )
        if not noticed.has_more:
            return True
        await turn.save("", sum(len(each) for rounds in noticed.occasions.values() for each in rounds))
        if turn.is_over:
            return False


async def _draw(database: Database, turn: Turn, campaign_id: UUID, due: Mapping[str, Due]) -> None:
    """Draw for occasions, few customers at a time."""
    names = sorted(due)
    for start in range(0, len(names), _AT_ONCE):
        some = {name: due[name] for name in names[start : start + _AT_ONCE]}

        async def work(db: Db, some: Mapping[str, Due] = some) -> None:
            program = await programs.read_program(db, program_id=turn.program_id)  # terms may change amid a turn
            left = await surprising.undecided(db, program_id=program.id, campaign_id=campaign_id, due=some)
            if left:
                entropy = random.getrandbits(62)
                await surprising.occur(db, program=program, campaign_id=campaign_id, due=left, entropy=entropy)

        await transact(database.connection, work, kind="job")


async def campaigns_to_plan(db: Db) -> Sequence[Subject]:
    """Read the running campaigns that wait for nothing that anybody reports."""
    found, now = list[Subject](), await database_time(db)
    for program in await programs.list_programs(db):
        read = await programs.read_program(db, program_id=program.id)
        found += [
            Subject(program.id, each.wire)
            for each in campaigns_of(read).at(now)
            if isinstance(each.content.trigger, (*PLANNED, ByList))
        ]
    return found


async def plan_occasions(database: Database, turn: Turn) -> bool:
    """Draw for the occasions of a campaign that nobody reports; tells whether all customers were looked at.

    A turn's place is until when is looked, and the customer to whom it came: so a look that is cut goes on alike.
    """
    async with database.connection() as db:
        program, now = await programs.read_program(db, program_id=turn.program_id), await database_time(db)
        its = campaigns_of(program).running(turn.subject, now)
        if its is None:
            return True
        since = await store.planned_until(db, program_id=program.id, campaign=its.id)
    if isinstance(its.content.trigger, ByList):
        return await _draw_listed(database, turn, its.id)
    if since is None:
        return True
    until, after = _place(turn.place, now)
    if until <= since:  # a look that was cut, and that another one has overtaken
        until, after = now, None
    zone = ZoneInfo(program.settings.time_zone)
    looking = planning.look(its, zone=zone, since=since, until=until, now=now)
    if looking is not None and not await _look_through(database, turn, looking, after):
        return False
    going_on = partial(_go_on, program_id=program.id, campaign_id=its.id, since=since, until=until)
    await transact(database.connection, going_on, kind="job")
    return True


async def _go_on(db: Db, *, program_id: int, campaign_id: UUID, since: datetime, until: datetime) -> None:
    """Note up to when was looked, unless somebody else went on from there meanwhile."""
    if await store.planned_until(db, program_id=program_id, campaign=campaign_id) == since:
        await write_together(db, [store.planning(program_id, campaign_id, since, until)])


def _place(place: str | None, now: datetime) -> tuple[datetime, int | None]:
    if not place:
        return now, None
    until, _, after = place.partition(" ")
    return datetime.fromisoformat(until), int(after)


async def _look_through(database: Database, turn: Turn, looking: Looking, after: int | None) -> bool:
    """Look at all customers, the newest first; tells whether all were looked at."""
    while True:
        async with database.connection() as db:
            page = await customers.list_newest(db, program_id=turn.program_id, before=after, email=None, limit=_PAGE)
            due = {
                customer.external_id: its
                for customer, profile in page[:_PAGE]
                if (its := planning.due_of(looking, customer, profile.birthday)) is not None
            }
        await _draw(database, turn, looking.its.id, due)
        if len(page) <= _PAGE:
            return True
        after = page[_PAGE - 1][0].id
        await turn.save(f"{looking.until.isoformat()} {after}", len(due))
        if turn.is_over:
            return False


async def _draw_listed(database: Database, turn: Turn, campaign_id: UUID) -> bool:
    """Draw for the customers of a list to whom nobody came yet; tells whether to all."""
    program_id, after = turn.program_id, 0
    while True:
        async with database.connection() as db:
            found = await store.listed_due(db, program_id=program_id, campaign=campaign_id, after=after, count=_AT_ONCE)
            now = await database_time(db)
            standing = await customers.standing_for(db, program_id=program_id, records=found)
        if not found:
            return True
        due = {each.external_id: Due(each.id, "list", now, now) for each in standing.values() if each.external_id}
        await _draw(database, turn, campaign_id, due)
        done = partial(store.listed_done, program_id=program_id, campaign=campaign_id, customers=found)
        await transact(database.connection, done, kind="job")
        after = found[-1]
        await turn.save("", len(found))
        if turn.is_over:
            return False


async def programs_due(db: Db) -> Sequence[Subject]:
    """Read the programs with gifts whose moment has come."""
    return [Subject(program_id) for program_id in await store.programs_due(db)]


async def reveal_gifts(database: Database, turn: Turn) -> bool:
    """Reveal the gifts of a program whose moment has come; tells whether all were. Safe to run at once by many.

    Each is a transaction of its own: one that can't be revealed keeps no other from it.
    """
    failed = set[UUID]()
    while True:
        async with database.connection() as db:
            due = await store.due_gifts(db, program_id=turn.program_id, count=_AT_ONCE, but=failed)
        if not due:
            return True
        for gift_id in due:
            if turn.is_over:
                return False
            if not await _reveal(database, turn, gift_id):
                failed.add(gift_id)
            await turn.save("", 1)


async def _reveal(database: Database, turn: Turn, gift_id: UUID) -> bool:
    """Reveal one, or let it fail where its reward can't be had; tells whether that was possible."""
    program_id = turn.program_id

    async def reveal(db: Db) -> Gift | None:
        return await giving.reveal(
            db,
            program=await programs.read_program(db, program_id=program_id),
            gift_id=gift_id,
            entropy=random.getrandbits(_ENTROPY_BITS),
            code_bits=secrets.randbits(_CODE_BITS),
        )

    async def fail(db: Db, reason: str) -> Gift | None:
        program = await programs.read_program(db, program_id=program_id)
        entropy = random.getrandbits(62)
        return await giving.fail(db, program=program, gift_id=gift_id, reason=reason, entropy=entropy)

    try:
        try:
            gift = await transact(database.connection, reveal, kind="job")
        except Unavailable:
            raise
        except Refusal as refusal:
            _log.warning("surprise_reward_unavailable", surprise=gift_id.hex, reason=refusal.code)
            gift = await transact(database.connection, partial(fail, reason=refusal.code), kind="job")
    except Exception as fault:  # noqa: BLE001 - it keeps no other from being revealed
        _log.error("surprise_not_revealed", surprise=gift_id.hex, exc_info=fault)
        later = partial(giving.look_later, program_id=program_id, gift_id=gift_id)
        with suppress(Unavailable):
            await transact(database.connection, later, kind="job")
        return False
    if gift is not None:
        _REVEALED.add((gift.state.value,))
    return True
