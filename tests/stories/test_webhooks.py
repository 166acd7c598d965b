"""Webhooks from end to end: what happened comes to a receiver, signed, at least once, whatever the receiver does."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from service.platform.database import Database
from service.platform.roles import Role
from service.platform.statements import Db
from service.webhooks.rules import MOST_TESTS
from service.webhooks.sending import READ_BYTES, Sender
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
    async with sending() as made:
        yield made


async def read(shop: Shop, webhook_id: str) -> dict[str, Any]:
    """Read an endpoint."""
    return (await shop.get(f"/v1/webhooks/{webhook_id}", Role.ADMIN)).body


async def log(shop: Shop, webhook_id: str, query: str = "") -> list[dict[str, Any]]:
    """Read what became of an endpoint's deliveries, newest first."""
    return (await shop.get(f"/v1/webhooks/{webhook_id}/deliveries{query}", Role.ADMIN)).body["data"]


async def pass_time(owner: Db, shop: Shop, text: str) -> None:
    """Let time pass for the webhooks of a shop."""
    await owner.execute(
        f"UPDATE webhook_delivery SET next_at = next_at - interval '{text}', since = since - interval '{text}'"
        " WHERE program_id = $1",
        shop.program.id,
    )
    await owner.execute(
        f"UPDATE webhook SET failing_since = failing_since - interval '{text}' WHERE program_id = $1", shop.program.id
    )


async def test_what_happens_is_told_as_the_feed_tells_it_once_and_signed(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender
) -> None:
    await shop.buy(customer_id="before")
    await work(database, shop, sender)
    its_id = await webhook(shop, receiver)
    for number in range(3):
        await shop.buy(customer_id=f"c-{number}")
    assert await work(database, shop, sender) == 1
    feed = (await shop.get("/v1/events?limit=200", Role.ADMIN)).body["data"]
    assert sorted(receiver.messages, key=lambda each: each["position"]) == feed[2:]
    assert receiver.headers[0]["content-type"] == "application/json"
    assert receiver.headers[0]["user-agent"] == "loyalty-webhooks/1"
    assert "cookie" not in receiver.headers[0]
    told = await log(shop, its_id)
    assert [each["event_id"] for each in told] == [each["id"] for each in reversed(feed[2:])]
    assert {each["state"] for each in told} == {"delivered"}
    assert [(each["status"], each["error"], each["answer"]) for each in told[0]["attempts"]] == [(204, None, "")]
    assert (await read(shop, its_id))["position"] == feed[-1]["position"]
    assert await work(database, shop, sender) == 0


async def test_an_endpoint_is_told_the_types_that_it_asked_for(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender
) -> None:
    its_id = await webhook(shop, receiver, types=["customer.enrolled"])
    for number in range(3):
        await shop.buy(customer_id=f"c-{number}")
    await work(database, shop, sender)
    assert {each["type"] for each in receiver.messages} == {"customer.enrolled"}
    assert len(receiver.messages) == 3
    assert (await read(shop, its_id))["position"] == 6, "the others were gone over"


async def test_what_fails_is_tried_again_under_the_same_id_until_it_succeeds(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db
) -> None:
    its_id = await webhook(shop, receiver, types=["purchase.rewarded"])
    receiver.answers = answering(500, "out of order")
    await shop.buy()
    await work(database, shop, sender)
    assert await work(database, shop, sender) == 0, "not before its time"
    (waiting,) = await log(shop, its_id, "?state=waiting")
    assert (waiting["state"], waiting["attempts"][0]["answer"]) == ("waiting", "out of order")
    assert (await read(shop, its_id))["waiting"] == 1
    assert (await read(shop, its_id))["failing_since"] is not None
    await pass_time(owner, shop, "7 seconds")
    receiver.answers = answering(200, "thanks")
    assert await work(database, shop, sender) == 1
    (told,) = await log(shop, its_id, "?state=delivered")
    assert [each["status"] for each in told["attempts"]] == [500, 200]
    assert receiver.ids == [told["event_id"]] * 2
    assert (await read(shop, its_id))["waiting"] == 0
    assert (await read(shop, its_id))["failing_since"] is None
    assert await log(shop, its_id, "?state=waiting") == []


async def test_retry_after_is_honoured(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db
) -> None:
    await webhook(shop, receiver, types=["purchase.rewarded"])
    receiver.answers = answering(503, **{"Retry-After": "600"})
    await shop.buy()
    await work(database, shop, sender)
    await pass_time(owner, shop, "500 seconds")
    assert await work(database, shop, sender) == 0
    await pass_time(owner, shop, "101 seconds")
    assert await work(database, shop, sender) == 1
    assert len(receiver.messages) == 2


async def test_410_switches_an_endpoint_off_which_is_told_and_enabling_loses_nothing(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db
) -> None:
    its_id = await webhook(shop, receiver)
    async with receiving() as other:
        await webhook(shop, other, types=["webhook.disabled"])
        receiver.answers = answering(410)
        await shop.buy()
        await work(database, shop, sender)
        gone = await read(shop, its_id)
        assert (gone["status"], gone["reason"]) == ("disabled", "gone")
        await shop.buy()
        assert await work(database, shop, sender) == 1, "the other"
        assert await work(database, shop, sender) == 0
        (news,) = other.messages
        assert news["type"] == "webhook.disabled"
        assert news["data"]["webhook_id"] == its_id
        assert news["data"]["reason"] == "gone"
        receiver.answers = answering(200)
        enabled = await shop.post(f"/v1/webhooks/{its_id}/enable", {}, Role.ADMIN)
        assert (enabled.body["status"], enabled.body["reason"]) == ("enabled", None)
        await pass_time(owner, shop, "7 seconds")
        await work(database, shop, sender)
        feed = (await shop.get("/v1/events?limit=200", Role.ADMIN)).body["data"]
        assert set(receiver.ids) == {each["id"] for each in feed}


async def test_an_endpoint_at_which_all_fails_for_three_days_is_switched_off_and_what_died_can_be_sent_again(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db
) -> None:
    its_id = await webhook(shop, receiver, types=["purchase.rewarded"])
    receiver.answers = answering(500)
    for _ in range(3):
        await shop.buy()
    await work(database, shop, sender)
    await pass_time(owner, shop, "73 hours")
    await work(database, shop, sender)
    given_up = await read(shop, its_id)
    assert (given_up["status"], given_up["reason"], given_up["waiting"]) == ("disabled", "failing", 0)
    assert {each["state"] for each in await log(shop, its_id)} == {"dead"}
    dead = await log(shop, its_id, "?state=dead")
    receiver.answers = answering(200)
    receiver.messages.clear()
    one = dead[0]["event_id"]
    again = await shop.post(f"/v1/webhooks/{its_id}/deliveries/{one}/resend", {}, Role.ADMIN)
    assert (again.status, again.body["state"]) == (200, "waiting")
    assert await work(database, shop, sender) == 0, "it is disabled"
    await shop.post(f"/v1/webhooks/{its_id}/enable", {}, Role.ADMIN)
    await work(database, shop, sender)
    assert receiver.ids == [one]
    later = await shop.post(f"/v1/webhooks/{its_id}/resend", {"since": "2999-01-01T00:00:00Z"}, Role.ADMIN)
    assert later.body == {"resent": 0, "has_more": False}
    rest = await shop.post(f"/v1/webhooks/{its_id}/resend", {"since": "1960-01-01T00:00:00Z"}, Role.ADMIN)
    assert rest.body == {"resent": 2, "has_more": False}
    await work(database, shop, sender)
    assert sorted(receiver.ids) == sorted(each["event_id"] for each in dead)
    delivered = await shop.post(f"/v1/webhooks/{its_id}/deliveries/{one}/resend", {}, Role.ADMIN)
    assert delivered.body["state"] == "waiting", "also what was delivered"
    await work(database, shop, sender)
    assert receiver.ids.count(one) == 2


async def test_while_secrets_are_rotated_both_sign_and_then_the_new_one_alone(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender, owner: Db
) -> None:
    its_id = await webhook(shop, receiver)
    rotated = await shop.post(f"/v1/webhooks/{its_id}/secrets", {"grace_seconds": 3600}, Role.ADMIN)
    assert rotated.status == 201
    assert rotated.body["secret"].startswith("whsec_")
    receiver.secrets.append(rotated.body["secret"])
    await shop.buy()
    await work(database, shop, sender)
    assert len(receiver.messages) == 2, "each with both"
    await owner.execute(
        "UPDATE webhook_secret SET ends_at = clock_timestamp() WHERE program_id = $1 AND ends_at IS NOT NULL",
        shop.program.id,
    )
    old = receiver.secrets.pop(0)
    await shop.buy()
    await work(database, shop, sender)
    assert len(receiver.messages) == 3
    with pytest.raises(WebhookVerificationError):
        Verifier(old).verify(b"{}", receiver.headers[-1])


async def test_a_gigabyte_is_not_read(shop: Shop, database: Database, receiver: Receiver, sender: Sender) -> None:
    its_id = await webhook(shop, receiver, types=["purchase.rewarded"])
    sent = 0

    async def count(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=500, headers={"Content-Length": str(1 << 30)})
        await response.prepare(request)
        try:
            while sent < 1 << 30:
                await response.write(b"x" * (1 << 16))
                sent += 1 << 16
        finally:
            assert request.transport is None or sent < 1 << 30
        return response

    receiver.answers = count
    await shop.buy()
    await work(database, shop, sender)
    assert sent < 1 << 26, "what the two systems hold between them"
    (told,) = await log(shop, its_id)
    assert (told["state"], len(told["attempts"][0]["answer"])) == ("waiting", 1024)
    assert READ_BYTES == 64 * 1024


async def test_a_redirect_is_not_followed(shop: Shop, database: Database, receiver: Receiver, sender: Sender) -> None:
    its_id = await webhook(shop, receiver, types=["purchase.rewarded"])
    async with receiving() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            receiver.answers = answering(status, Location=elsewhere.address)
            await shop.buy()
            await work(database, shop, sender)
        assert elsewhere.headers == []
    told = await log(shop, its_id, "?state=waiting")
    assert {each["attempts"][0]["error"] for each in told} == {"redirected"}
    assert len(told) == 5


async def test_who_hangs_is_given_up_in_time_and_keeps_no_other_from_being_told(
    shop: Shop, database: Database, receiver: Receiver
) -> None:
    released = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    receiver.answers = hang
    hanging = await webhook(shop, receiver, types=["purchase.rewarded"])
    async with receiving() as other, sending(seconds=1) as sender:
        await webhook(shop, other)
        await shop.buy()
        working = asyncio.create_task(work(database, shop, sender))
        async with asyncio.timeout(20):
            while len(other.messages) < 2:
                await asyncio.sleep(0.01)
        await working
        (told,) = await log(shop, hanging)
        assert told["attempts"][0]["error"] == "timed_out"
        assert told["attempts"][0]["status"] is None
        released.set()


async def test_no_cookie_comes_back_and_broken_answers_are_failures(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender
) -> None:
    its_id = await webhook(shop, receiver, types=["purchase.rewarded"])
    receiver.answers = answering(200, **{"Set-Cookie": "a=b; Path=/"})
    for _ in range(2):
        await shop.buy()
        await work(database, shop, sender)
    assert "cookie" not in receiver.headers[1]

    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    receiver.answers = cut
    await shop.buy()
    await work(database, shop, sender)
    assert (await log(shop, its_id))[0]["attempts"][0]["error"] == "connection_failed"


async def test_an_answer_that_repeats_the_customers_id_is_kept_without_it(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender
) -> None:
    its_id = await webhook(shop, receiver, types=["purchase.rewarded"])
    receiver.answers = answering(400, "hello gone@example.com \x00 and order-\u00e4")
    await shop.buy(customer_id="gone@example.com")
    await work(database, shop, sender)
    (told,) = await log(shop, its_id)
    assert told["attempts"][0]["answer"] == "hello ... \ufffd and order-\u00e4"


async def test_what_receivers_answered_about_a_customer_goes_with_an_erasure(
    shop: Shop, database: Database, owner: Db, receiver: Receiver, sender: Sender
) -> None:
    its_id = await webhook(shop, receiver, types=["purchase.rewarded"])
    receiver.answers = answering(400, "no subscriber jane@example.com")
    await shop.buy(customer_id="c-7")
    await shop.buy(customer_id="c-8")
    await work(database, shop, sender)
    resend = f"/v1/webhooks/{its_id}/deliveries/{receiver.ids[0]}/resend"
    assert (await shop.post(resend, {}, Role.ADMIN, Idempotency_Key="again")).body["attempts"] == []
    assert (await shop.call("DELETE", "/v1/customers/c-7", role=Role.ADMIN)).status == 200
    await work(database, shop, sender)
    kept = {each["event_id"]: {attempt["answer"] for attempt in each["attempts"]} for each in await log(shop, its_id)}
    assert kept == {receiver.ids[0]: {""}, receiver.ids[1]: {"no subscriber jane@example.com"}}
    stored = await owner.fetchval(
        "SELECT string_agg(answer::text, '') FROM command WHERE program_id = $1", shop.program.id
    )
    assert "jane" not in stored


async def test_what_is_answered_while_the_customer_is_erased_is_not_kept(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender
) -> None:
    its_id = await webhook(shop, receiver, types=["purchase.rewarded"])

    async def erase(_: web.Request) -> web.StreamResponse:
        assert (await shop.call("DELETE", "/v1/customers/c-7", role=Role.ADMIN)).status == 200
        return web.Response(status=400, text="no subscriber jane@example.com")

    receiver.answers = erase
    await shop.buy(customer_id="c-7")
    await work(database, shop, sender)
    (told,) = await log(shop, its_id)
    assert (told["state"], [each["answer"] for each in told["attempts"]]) == ("waiting", [""])


async def test_what_a_receiver_says_is_kept_where_it_takes_the_message_for_bad(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender
) -> None:
    its_id = await webhook(shop, receiver, types=["purchase.rewarded"])
    receiver.answers = answering(200, "thanks")
    await shop.buy()
    await work(database, shop, sender)
    (told,) = await log(shop, its_id)
    assert (told["state"], told["attempts"][0]["answer"]) == ("delivered", "")


async def test_so_many_tests_wait_for_answers_at_a_time_and_no_more(shop: Shop, receiver: Receiver) -> None:
    its_id, asked, let_go = await webhook(shop, receiver), asyncio.Semaphore(0), asyncio.Event()

    async def hold(_: web.Request) -> web.StreamResponse:
        asked.release()
        await let_go.wait()
        return web.Response()

    receiver.answers = hold
    tests = [asyncio.create_task(shop.post(f"/v1/webhooks/{its_id}/test", {}, Role.ADMIN)) for _ in range(MOST_TESTS)]
    for _ in tests:
        await asked.acquire()
    refused = await shop.post(f"/v1/webhooks/{its_id}/test", {}, Role.ADMIN)
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (409, "too_many_tests", "1")
    let_go.set()
    assert {answer.status for answer in await asyncio.gather(*tests)} == {200}
    assert (await shop.post(f"/v1/webhooks/{its_id}/test", {}, Role.ADMIN)).status == 200


async def test_a_disabled_endpoint_is_told_nothing_until_it_is_enabled_and_may_skip_what_it_missed(
    shop: Shop, database: Database, receiver: Receiver, sender: Sender
) -> None:
    its_id = await webhook(shop, receiver, types=["purchase.rewarded"])
    off = await shop.post(f"/v1/webhooks/{its_id}/disable", {}, Role.ADMIN)
    assert (off.body["status"], off.body["reason"]) == ("disabled", "by_call")
    await shop.buy()
    assert await work(database, shop, sender) == 0
    await shop.post(f"/v1/webhooks/{its_id}/enable", {}, Role.ADMIN)
    await work(database, shop, sender)
    assert len(receiver.messages) == 1
    await shop.post(f"/v1/webhooks/{its_id}/disable", {}, Role.ADMIN)
    await shop.buy()
    await work(database, shop, sender)
    await shop.post(f"/v1/webhooks/{its_id}/enable", {"skip_missed": True}, Role.ADMIN)
    await shop.buy()
    await work(database, shop, sender)
    assert len(receiver.messages) == 2


async def test_a_test_is_sent_now_and_its_answer_told(shop: Shop, receiver: Receiver) -> None:
    its_id = await webhook(shop, receiver)
    receiver.answers = answering(418, "short and stout")
    path, key = f"/v1/webhooks/{its_id}/test", {"Idempotency_Key": "once"}
    tested = await shop.post(path, {}, Role.ADMIN, **key)
    (message,) = receiver.messages
    assert (message["type"], message["data"]) == ("webhook.test", {"webhook_id": its_id})
    attempt = tested.body["attempt"]
    assert tested.body["event_id"] == message["id"]
    assert (attempt["status"], attempt["answer"], attempt["error"]) == (418, "short and stout", None)
    again = await shop.post(path, {}, Role.ADMIN, **key)
    assert (again.body, again.replayed) == (tested.body, True)
    dry = await shop.post(f"{path}?dry_run=true", {}, Role.ADMIN)
    assert dry.body["attempt"] is None
    assert len(receiver.messages) == 1
    assert await log(shop, its_id) == [], "it is no event of the feed"
