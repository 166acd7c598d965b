"""Looking for successes when many do so at once, and while records become one or go."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from service.news import KINDS
from service.platform.database import Database
from service.platform.queue.job import Subject
from service.platform.queue.turn import Turn
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.referrals.asks import jobs, noticing
from service.referrals.asks.noticing import Noticed
from tests import asking, referrals
from tests.api.test_events import read_all, sequenced
from tests.concurrency.office import Office, erase, interrupted, merge, queue_behind
from tests.shop import Shop

ASK = {"purchases": [1, 2, 3], "tiers": False}


@pytest.fixture
async def office(settings: Settings, shop: Shop) -> AsyncGenerator[Office]:
    """Give an office of the shop."""
    db = await Database(settings).connect()
    yield Office(db, shop.program)
    await db.close()


async def buy(shop: Shop, *customers: str) -> None:
    """Let customers buy something now, and give all events their places."""
    now = datetime.now(UTC).isoformat()
    answers = await asyncio.gather(*(shop.buy(customer_id=each, occurred_at=now) for each in customers))
    assert {answer.status for answer in answers} <= {201}
    await sequenced(shop)


def noticing_of(shop: Shop) -> Any:
    async def work(db: Db) -> Noticed:
        program = await programs.read_program(db, program_id=shop.program.id)
        return await noticing.notice(db, program=program, kinds=KINDS, entropy=random.getrandbits(62))

    return work


async def notice(shop: Shop, *, seconds: float = 60.0) -> bool:
    assert shop.database is not None
    return await jobs.notice_successes(shop.database, Turn(shop.program.id, seconds=seconds), kinds=KINDS)


async def told(shop: Shop) -> Counter[tuple[str | None, str]]:
    """Count whom events told to ask, after what."""
    await sequenced(shop)
    every = await read_all(shop)
    return Counter((each["customer_id"], each["data"]["milestone"]) for each in every if each["type"] == "referral.ask")


async def milestone(shop: Shop, customer: str) -> str | None:
    found = (await shop.get(f"/v1/customers/{customer}/referral")).body["ask"]
    return None if found is None else found["milestone"]


async def test_a_program_is_looked_at_once_there_is_something_new(shop: Shop) -> None:

    async def is_behind() -> bool:
        assert shop.database is not None
        async with shop.database.connection() as db:
            return Subject(shop.program.id) in await jobs.programs_behind(db)

    for _ in range(2):
        await shop.buy()
        await sequenced(shop)
        assert await is_behind()
        assert await notice(shop)
        assert not await is_behind()


async def test_by_many_workers_at_once_each_milestone_is_told_once(shop: Shop) -> None:
    await referrals.offer(shop, ask=ASK)
    names = [f"c-{number}" for number in range(30)]
    for _ in range(3):
        await buy(shop, *names)
        assert all(await asyncio.gather(*(notice(shop) for _ in range(6))))
    assert await told(shop) == dict.fromkeys(
        ((each, f"purchase:{number}") for each in names for number in (1, 2, 3)), 1
    )


async def test_what_waited_is_told_once_by_many_workers_at_once(shop: Shop) -> None:
    await referrals.offer(shop, ask=ASK)
    names = [f"c-{number}" for number in range(120)]  # more than are looked at in one step
    for name in names:
        await shop.call("PUT", f"/v1/customers/{name}", {})
        await asking.reached(shop, name, "purchase:1")
    assert shop.database is not None
    turns = [Turn(shop.program.id) for _ in range(4)]
    assert all(await asyncio.gather(*(jobs.announce_asks(shop.database, each) for each in turns)))
    assert await told(shop) == dict.fromkeys(((each, "purchase:1") for each in names), 1)


async def test_a_feed_that_is_far_ahead_is_gone_through_in_pages_and_turns(shop: Shop) -> None:
    await referrals.offer(shop, ask=ASK)
    names = [f"c-{number}" for number in range(noticing.AT_ONCE)]
    await buy(shop, *names, "one-more", "c-0")
    turns = 1
    while not await notice(shop, seconds=0):
        turns += 1
    assert turns > 1
    found = await told(shop)
    assert set(found.values()) == {1}
    assert {name for name, _ in found} == {*names, "one-more"}


async def test_whoever_buys_meanwhile_is_asked_for_what_there_is_then(shop: Shop) -> None:
    """Purchases go on while workers look: nobody is told of twice, and in the end of the last number."""
    await referrals.offer(shop, ask=ASK)
    names = [f"c-{number}" for number in range(10)]
    await asyncio.gather(*(buy(shop, *names) for _ in range(3)), *(notice(shop) for _ in range(6)))
    await notice(shop)
    found = await told(shop)
    assert set(found.values()) == {1}
    assert {name for name, its in found if its == "purchase:3"} == set(names)
    assert {await milestone(shop, each) for each in names} == {"purchase:3"}


async def test_one_who_becomes_another_is_noticed_as_that_one(shop: Shop, office: Office, owner: Db) -> None:
    await referrals.offer(shop, ask=ASK)
    await buy(shop, "guest")
    await shop.call("PUT", "/v1/customers/c-42", {})
    await office.merge("guest", "c-42")
    looking = asyncio.create_task(notice(shop))
    await queue_behind(owner, office.pid)
    await office.end()
    assert await looking
    assert (await milestone(shop, "c-42"), await milestone(shop, "guest")) == ("purchase:1", "purchase:1")
    assert await told(shop) == {("c-42", "purchase:1"): 1}


async def test_one_who_is_merged_behind_the_lock_takes_the_milestone_along(shop: Shop) -> None:
    await referrals.offer(shop, ask=ASK)
    await buy(shop, "guest", "c-42")
    merging = list[asyncio.Task[Any]]()

    async def meanwhile() -> None:
        merging.append(asyncio.create_task(merge(shop, "guest", "c-42")))
        await asyncio.sleep(0.05)

    await interrupted(shop, noticing_of(shop), "FOR NO KEY UPDATE", meanwhile)
    assert (await merging[0]).status == 200
    assert await milestone(shop, "guest") == await milestone(shop, "c-42") == "purchase:1"
    await buy(shop, "guest")
    await notice(shop)
    assert await milestone(shop, "c-42") == "purchase:3"


async def test_one_who_goes_meanwhile_is_not_told_of(shop: Shop, office: Office, owner: Db) -> None:
    await referrals.offer(shop, ask=ASK)
    await buy(shop, "c-42", "c-43")
    await office.erase("c-42")
    looking = asyncio.create_task(notice(shop))
    await queue_behind(owner, office.pid)
    await office.end()
    assert await looking
    assert await told(shop) == {("c-43", "purchase:1"): 1}


async def test_a_case_that_is_opened_before_the_lock_counts(shop: Shop) -> None:
    await referrals.offer(shop, ask=ASK)
    await buy(shop, "c-42")
    path = "/v1/customers/c-42/suppressions"
    await interrupted(
        shop, noticing_of(shop), "FROM feed AS", partial(shop.post, path, {"reason": "open_case"}, Role.SUPPORT)
    )
    assert (await milestone(shop, "c-42"), await told(shop)) == (None, {})


async def test_one_that_is_erased_while_somebody_tells_that_he_was_asked(shop: Shop, office: Office, owner: Db) -> None:
    await shop.call("PUT", "/v1/customers/c-42", {})
    await asking.reached(shop, "c-42", "purchase:1")
    await office.erase("c-42")
    telling = asyncio.create_task(asking.tell(shop, "purchase:1"))
    await queue_behind(owner, office.pid)
    await office.end()
    assert (await telling).status == 404
    assert (await erase(shop, "c-42")).status == 404
    assert shop.database is not None
    assert await transact(shop.database.connection, noticing_of(shop)) == Noticed(0, has_more=False)
