"""Lanes: one worker at a time, nothing lost whenever it dies, nothing written by who was taken for dead."""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from service.events.sequencing import move_all
from service.kernel.ids import from_wire
from service.news import KINDS
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.roles import Role
from service.platform.settings import CHECKOUT, Settings
from service.platform.statements import Db
from service.webhooks import jobs, store
from service.webhooks.jobs import deliver, lanes_with_work, prune_deliveries
from service.webhooks.sending import Sender
from tests.receiver import Receiver, answering, receiving, sending, webhook, work
from tests.shop import Shop


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    """Give a receiver."""
    async with receiving() as made:
        yield made


@pytest.fixture
async def sender() -> AsyncGenerator[Sender]:
    """Give a sender."""
    async with sending(seconds=30) as made:
        yield made


class Gate:
    """Lets a receiver answer nothing until it is opened."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, _: web.Request) -> web.StreamResponse:
        """Wait."""
        self.came.set()
        await self.opened.wait()
        return web.Response()


async def happened(shop: Shop, database: Database, count: int) -> list[str]:
    """Let something happen and have its place; returns the ids of the events."""
    for number in range(count):
        await shop.call("PUT", f"/v1/customers/c-{number}", {}, role=Role.ADMIN)
    while await move_all(database):
        pass
    return [each["id"] for each in (await shop.get("/v1/events?limit=200", Role.ADMIN)).body["data"]]


def own(its_id: str) -> UUID:
    """Read the id of an endpoint."""
    found = from_wire("whk", its_id)
    assert found is not None
    return found


async def run(database: Database, sender: Sender, shop: Shop, its_id: str) -> None:
    """Work one lane."""
    turn = Turn(shop.program.id, str(own(its_id)), seconds=30)
    await deliver(database, turn, kinds=KINDS, sender=sender)


async def end_lease(owner: Db, its_id: str) -> None:
    """Let the time of a lane's worker be over."""
    await owner.execute(
        "UPDATE webhook SET leased_until = clock_timestamp() WHERE id = $1 AND leased_until IS NOT NULL", own(its_id)
    )


async def log(shop: Shop, its_id: str) -> list[dict[str, Any]]:
    """Read the deliveries of an endpoint."""
    return (await shop.get(f"/v1/webhooks/{its_id}/deliveries?limit=200", Role.ADMIN)).body["data"]


async def test_of_many_workers_one_works_a_lane_and_each_event_is_told_once(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender
) -> None:
    its_id = await webhook(shop, receiver)
    events = await happened(shop, database, 60)
    await asyncio.gather(*(run(database, sender, shop, its_id) for _ in range(6)))
    assert Counter(receiver.ids) == Counter(events)
    assert {each["state"] for each in await log(shop, its_id)} == {"delivered"}


async def test_a_worker_killed_with_messages_on_their_way_loses_none(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db, settings: Settings
) -> None:
    its_id, gate = await webhook(shop, receiver), Gate()
    events = await happened(shop, database, 40)
    receiver.answers = gate
    named = {"DATABASE_URL": settings.database_url, "DATABASE_OWNER_URL": settings.database_owner_url}
    environment = os.environ | {name: value for name, value in named.items() if value is not None}
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.concurrency.lane_worker", str(shop.program.id), own(its_id).hex),
        env=environment | {"PYTHONPATH": str(CHECKOUT)},
        cwd=CHECKOUT,
    )
    try:
        async with asyncio.timeout(30):
            await gate.came.wait()
    finally:
        worker.kill()
        await worker.wait()
    gate.opened.set()
    receiver.answers = answering(200)
    assert await log(shop, its_id) == [], "nothing was written"
    await run(database, sender, shop, its_id)
    assert await log(shop, its_id) == [], "its time is not over"
    await end_lease(owner, its_id)
    await run(database, sender, shop, its_id)
    assert set(receiver.ids) == set(events)
    assert len(receiver.ids) > len(events), "some came twice, under the same id"
    assert [len(each["attempts"]) for each in await log(shop, its_id)] == [1] * len(events)


async def test_workers_killed_at_random_moments_tell_everything_at_least_once(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db
) -> None:
    its_id, chance = await webhook(shop, receiver), random.Random(7)

    async def sometimes(_: web.Request) -> web.StreamResponse:
        return web.Response(status=chance.choice([200, 200, 200, 500]))

    receiver.answers = sometimes
    events = await happened(shop, database, 120)
    for _ in range(25):
        working = asyncio.create_task(run(database, sender, shop, its_id))
        await asyncio.sleep(chance.random() * 0.08)
        working.cancel()
        await asyncio.wait([working])
        await end_lease(owner, its_id)
        await owner.execute("UPDATE webhook_delivery SET next_at = now() WHERE state = 'waiting'")
    receiver.answers = answering(200)
    await run(database, sender, shop, its_id)
    assert set(receiver.ids) == set(events)
    assert {each["state"] for each in await log(shop, its_id)} == {"delivered"}


async def test_who_was_taken_for_dead_writes_nothing_any_more(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db
) -> None:
    its_id, gate = await webhook(shop, receiver), Gate()
    events = await happened(shop, database, 3)
    receiver.answers = gate
    late = asyncio.create_task(run(database, sender, shop, its_id))
    await gate.came.wait()
    await end_lease(owner, its_id)
    receiver.answers = answering(201)
    await run(database, sender, shop, its_id)
    before = await log(shop, its_id)
    assert [[each["status"] for each in told["attempts"]] for told in before] == [[201]] * len(events)
    gate.opened.set()
    await late
    assert await log(shop, its_id) == before
    row = await owner.fetchrow("SELECT lease, leased_until FROM webhook WHERE id = $1", own(its_id))
    assert row is not None
    assert tuple(row) == (2, None)


async def test_a_lane_that_waits_for_its_endpoint_is_kept_and_holds_no_connection(
    shop: Shop, settings: Settings, receiver: Receiver, sender: Sender, owner: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_KEEPS_EVERY", 0.02)
    one = Database(settings)
    await one.open(size=1)
    its_id, gate = await webhook(shop, receiver), Gate()
    await happened(shop, one, 1)
    receiver.answers = gate
    waiting = asyncio.create_task(run(one, sender, shop, its_id))
    await gate.came.wait()
    until = "SELECT leased_until FROM webhook WHERE id = $1"
    first = await owner.fetchval(until, own(its_id))
    async with asyncio.timeout(10):
        while await owner.fetchval(until, own(its_id)) <= first:
            async with one.connection() as db:
                assert own(its_id) not in {each for _, each in await lanes_with_work(db)}
    assert not waiting.done()
    gate.opened.set()
    await waiting
    await one.close()


async def test_what_is_asked_for_again_while_it_is_on_its_way_is_sent_again(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db
) -> None:
    its_id = await webhook(shop, receiver)
    (event,) = await happened(shop, database, 1)
    receiver.answers = answering(500)
    await run(database, sender, shop, its_id)
    await owner.execute("UPDATE webhook_delivery SET next_at = now() WHERE webhook_id = $1", own(its_id))
    gate = Gate()
    receiver.answers = gate
    working = asyncio.create_task(run(database, sender, shop, its_id))
    await gate.came.wait()
    asked = await shop.post(f"/v1/webhooks/{its_id}/deliveries/{event}/resend", {}, Role.ADMIN)
    assert asked.body["state"] == "waiting"
    receiver.answers = answering(202)
    gate.opened.set()
    await working
    (told,) = await log(shop, its_id)
    assert [each["status"] for each in told["attempts"]] == [500, 200, 202]
    assert (await shop.get(f"/v1/webhooks/{its_id}", Role.ADMIN)).body["waiting"] == 0


async def test_what_is_disabled_or_deleted_while_messages_are_on_their_way_is_told_no_more(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender
) -> None:
    for how in ("disable", "delete"):
        its_id, gate = await webhook(shop, receiver), Gate()
        receiver.secrets = receiver.secrets[-1:]
        await shop.buy(customer_id=how)
        receiver.answers = gate
        working = asyncio.create_task(work(database, shop, sender))
        await gate.came.wait()
        path = f"/v1/webhooks/{its_id}"
        if how == "disable":
            assert (await shop.post(f"{path}/disable", {}, Role.ADMIN)).status == 200
        else:
            assert (await shop.call("DELETE", path, role=Role.ADMIN)).status == 200
        gate.opened.set()
        await working
        receiver.answers = answering(200)
        count = len(receiver.messages)
        await shop.buy(customer_id=how)
        assert await work(database, shop, sender) == 0
        assert len(receiver.messages) == count
    assert (await shop.get(f"{path}/deliveries", Role.ADMIN)).status == 404


async def test_at_most_twenty_are_made_however_many_ask_at_once(shop: Shop) -> None:
    body = {"url": "http://127.0.0.1:9/"}
    made = await asyncio.gather(*(shop.post("/v1/webhooks", body, Role.ADMIN) for _ in range(30)))
    assert Counter(each.status for each in made) == {201: 20, 409: 10}
    assert {each.code for each in made if each.status == 409} == {"too_many_webhooks"}


async def test_an_endpoint_that_only_fails_lets_the_rest_wait_in_the_feed(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.webhooks.rules.MOST_WAITING_OF_FAILING", 20)
    its_id = await webhook(shop, receiver)
    receiver.answers = answering(500)
    events = await happened(shop, database, 150)
    await owner.execute("UPDATE webhook SET failing_since = now() WHERE id = $1", own(its_id))
    await run(database, sender, shop, its_id)
    held = (await shop.get(f"/v1/webhooks/{its_id}", Role.ADMIN)).body
    assert held["waiting"] == held["position"] == 32, "two rounds of sixteen"
    async with database.connection() as db:
        assert own(its_id) not in {each for _, each in await lanes_with_work(db)}
    receiver.answers = answering(200)
    await owner.execute("UPDATE webhook_delivery SET next_at = now() WHERE webhook_id = $1", own(its_id))
    await run(database, sender, shop, its_id)
    assert set(receiver.ids) == set(events)


async def test_old_deliveries_are_removed_and_those_of_deleted_endpoints(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db
) -> None:
    its_id, other = await webhook(shop, receiver), await webhook(shop, receiver)
    receiver.secrets.clear()
    await happened(shop, database, 4)
    for each in (its_id, other):
        await run(database, sender, shop, each)
    assert await prune_deliveries(database, Turn())
    assert (len(await log(shop, its_id)), len(await log(shop, other))) == (4, 4)
    # Three of them long ago, of which one is dead.
    await owner.execute(
        """
        UPDATE webhook_delivery AS d SET event_id = ('00000000' || right(d.event_id::text, 28))::uuid,
            state = CASE d.position WHEN 1 THEN 'dead' ELSE 'delivered' END,
            ended_at = now() - interval '31 days' - d.position * interval '1 second'
        WHERE webhook_id = $1 AND d.position < 4
        """,
        own(its_id),
    )
    assert (await shop.call("DELETE", f"/v1/webhooks/{other}", role=Role.ADMIN)).status == 200
    turns = [Turn(), Turn()]
    assert await asyncio.gather(*(prune_deliveries(database, turn) for turn in turns)) == [True, True]
    assert sum(turn.done for turn in turns) >= 2 + 4
    assert [each["state"] for each in await log(shop, its_id)] == ["delivered", "dead"]
    assert await owner.fetchval("SELECT count(*) FROM webhook_delivery WHERE webhook_id = $1", own(other)) == 0
    await owner.execute("DELETE FROM webhook_delivery WHERE webhook_id = $1", own(its_id))  # their events differ now


class Short(Turn):
    """A turn that has time for little."""

    looks = 0

    @property
    def is_over(self) -> bool:
        """Be over when it is asked for the third time."""
        self.looks += 1
        return self.looks >= 3


async def test_an_endpoint_with_much_to_look_through_keeps_no_other_from_being_cleaned_up(
    shop: Shop,
    database: Database,
    receiver: Receiver,
    sender: Sender,
    owner: Db,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    its_id, other = await webhook(shop, receiver), await webhook(shop, receiver)
    receiver.secrets.clear()
    await happened(shop, database, 6)
    for each in (its_id, other):
        await run(database, sender, shop, each)
    await owner.execute(
        """
        UPDATE webhook_delivery AS d SET event_id = ('00000000' || right(d.event_id::text, 28))::uuid, state = 'dead'
        WHERE webhook_id = $1
        """,
        own(its_id),
    )
    assert (await shop.call("DELETE", f"/v1/webhooks/{other}", role=Role.ADMIN)).status == 200
    monkeypatch.setattr(jobs, "_PRUNED_AT_ONCE", 2)
    place: str | None = None
    for _ in range(1000):
        turn = Short(place=place)
        if await prune_deliveries(database, turn):
            break
        place = turn.place
    assert await owner.fetchval("SELECT count(*) FROM webhook_delivery WHERE webhook_id = $1", own(other)) == 0
    assert len(await log(shop, its_id)) == 6
    await owner.execute("DELETE FROM webhook_delivery WHERE webhook_id = $1", own(its_id))  # their events differ now


async def test_what_is_removed_while_it_is_asked_for_again_is_unknown(
    shop: Shop,
    database: Database,
    receiver: Receiver,
    sender: Sender,
    owner: Db,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    its_id = await webhook(shop, receiver)
    (event,) = await happened(shop, database, 1)
    await run(database, sender, shop, its_id)
    read = store.read_delivery

    async def removed_then(*arguments: Any, **named: Any) -> Any:
        found = await read(*arguments, **named)
        await owner.execute("DELETE FROM webhook_delivery WHERE webhook_id = $1", own(its_id))
        return found

    monkeypatch.setattr(store, "read_delivery", removed_then)
    assert (await shop.post(f"/v1/webhooks/{its_id}/deliveries/{event}/resend", {}, Role.ADMIN)).status == 404


async def test_nothing_is_sent_unsigned_to_what_is_deleted_meanwhile(
    shop: Shop,
    database: Database,
    receiver: Receiver,
    sender: Sender,
    owner: Db,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    its_id, other = await webhook(shop, receiver), await webhook(shop, receiver)
    receiver.secrets.clear()
    await happened(shop, database, 1)
    read = store.signing_secrets

    async def deleted_then(*arguments: Any, webhook_id: UUID, **named: Any) -> Any:
        deletion = "UPDATE webhook SET deleted_at = clock_timestamp(), lease = lease + 1 WHERE id = $1"
        await owner.execute(deletion, webhook_id)
        await owner.execute("DELETE FROM webhook_secret WHERE webhook_id = $1", webhook_id)
        return await read(*arguments, webhook_id=webhook_id, **named)

    monkeypatch.setattr(store, "signing_secrets", deleted_then)
    await run(database, sender, shop, its_id)
    assert (await shop.post(f"/v1/webhooks/{other}/test", {}, Role.ADMIN)).status == 404
    assert receiver.headers == []
