"""Whether to ask a customer for a referral, and that it was done: `/v1/customers/{id}/referral`, `.../asked`."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.roles import Role
from tests import asking, referrals
from tests.api.test_events import read_all, sequenced
from tests.conftest import NewShop
from tests.jobs import ask_for_referrals
from tests.shop import Shop, unique
from tests.stories.test_records import admin, merge

PATH = "/v1/customers/c-42/referral"


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    """Give a shop with an offer that asks after the first purchase, and a customer."""
    await referrals.offer(shop, ask={"purchases": [1], "tiers": False})
    await shop.call("PUT", "/v1/customers/c-42", {})
    return shop


async def ask(shop: Shop, role: Role = Role.CHECKOUT, path: str = PATH) -> dict[str, Any] | None:
    answer = await shop.get(path, role)
    assert answer.status == 200, answer.text
    return answer.body["ask"]


async def buy(shop: Shop, **changes: Any) -> None:
    bought = await shop.buy(occurred_at=datetime.now(UTC).isoformat(), **changes)
    assert bought.status == 201, bought.text


async def test_after_a_purchase_it_tells_to_ask_until_somebody_tells_that_it_was_done(
    shop: Shop, database: Database
) -> None:
    assert await ask(shop) is None
    await buy(shop)
    await sequenced(shop)
    await ask_for_referrals(database)
    found = await ask(shop)
    assert found is not None
    since, until = (datetime.fromisoformat(found[each]) for each in ("since", "until"))
    assert (found["milestone"], until - since) == ("purchase:1", timedelta(days=14))
    await sequenced(shop)
    (told,) = [each for each in await read_all(shop) if each["type"] == "referral.ask"]
    assert (told["customer_id"], told["data"]) == ("c-42", {"milestone": "purchase:1", "until": found["until"]})
    for role in (Role.PORTAL, Role.SUPPORT, Role.MARKETER, Role.ANALYST, Role.ADMIN):
        assert await ask(shop, role) == found
    answer = await asking.tell(shop, "purchase:1")
    assert (answer.status, answer.replayed) == (200, False)
    assert answer.body | {"asked_at": ""} == {"milestone": "purchase:1", "since": found["since"], "asked_at": ""}
    assert await ask(shop) is None


async def test_told_twice_is_as_told_once(shop: Shop) -> None:
    await asking.reached(shop, "c-42", "purchase:1")
    first = await asking.tell(shop, "purchase:1", key="k-1")
    again = await asking.tell(shop, "purchase:1", key="k-1")
    assert (again.status, again.replayed, again.body) == (200, True, first.body)
    another = await asking.tell(shop, "purchase:1")
    assert (another.status, another.replayed, another.body) == (200, False, first.body)
    other = await asking.tell(shop, "purchase:2", key="k-1")
    assert (other.status, other.code) == (422, "idempotency_key_reused")


async def test_of_many_who_tell_it_at_once_all_are_answered_alike(shop: Shop) -> None:
    await asking.reached(shop, "c-42", "purchase:1")
    answers = await asyncio.gather(*(asking.tell(shop, "purchase:1") for _ in range(12)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1


async def test_a_dry_run_tells_the_same_and_notes_nothing(shop: Shop) -> None:
    await asking.reached(shop, "c-42", "purchase:1")
    dry = await shop.post(f"{PATH}/asked?dry_run=true", {"milestone": "purchase:1"})
    assert (dry.status, dry.body["milestone"]) == (200, "purchase:1")
    assert await ask(shop) is not None
    unknown = await shop.post(f"{PATH}/asked?dry_run=true", {"milestone": "purchase:2"})
    assert (unknown.status, unknown.pointer) == (422, "/milestone")


@pytest.mark.parametrize("milestone", ["purchase:2", "purchase", "tier:gold", "\x00", "x" * 100, " purchase:1"])
async def test_a_milestone_that_the_customer_has_not_reached_is_refused(shop: Shop, milestone: str) -> None:
    await asking.reached(shop, "c-42", "purchase:1")
    answer = await asking.tell(shop, milestone)
    assert (answer.status, answer.pointer) == (422, "/milestone")
    assert await ask(shop) is not None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/milestone"),
        ({"milestone": ""}, "/milestone"),
        ({"milestone": "x" * 101}, "/milestone"),
        ({"milestone": None}, "/milestone"),
        ({"milestone": 5}, "/milestone"),
        ({"milestone": "purchase:1", "at": "2026-01-01T00:00:00Z"}, "/at"),
    ],
)
async def test_bad_content_is_told_with_its_place(shop: Shop, body: dict[str, Any], pointer: str) -> None:
    answer = await shop.post(f"{PATH}/asked", body, Idempotency_Key=unique("key"))
    assert (answer.status, answer.pointer) == (422, pointer), answer.text


async def test_it_needs_a_key_and_a_known_customer(shop: Shop, new_shop: NewShop) -> None:
    await asking.reached(shop, "c-42", "purchase:1")
    keyless = await shop.post(f"{PATH}/asked", {"milestone": "purchase:1"})
    assert (keyless.status, keyless.code) == (400, "idempotency_key_missing")
    for each in (await asking.tell(shop, "purchase:1", "nobody"), await asking.tell(await new_shop(), "purchase:1")):
        assert (each.status, each.code) == (404, "not_found")


@pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.ANALYST])
async def test_who_does_not_talk_to_customers_can_not_tell_it(shop: Shop, role: Role) -> None:
    await asking.reached(shop, "c-42", "purchase:1")
    body = {"milestone": "purchase:1"}
    answer = await shop.post(f"{PATH}/asked", body, role, Idempotency_Key=unique("key"))
    assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize("reason", ["open_case", "complaint", "opt_out", "left", "deceased", "payment_overdue"])
async def test_while_any_suppression_holds_it_is_no_time_to_ask(shop: Shop, reason: str) -> None:
    await asking.reached(shop, "c-42", "purchase:1")
    found = await ask(shop)
    path = "/v1/customers/c-42/suppressions"
    assert (await shop.post(path, {"reason": reason}, Role.MARKETER)).status == 201
    assert await ask(shop) is None
    assert (await shop.call("DELETE", f"{path}/{reason}", role=Role.MARKETER)).status == 200
    assert await ask(shop) == found


async def test_under_either_id_of_a_merged_customer_it_is_the_same(shop: Shop) -> None:
    await shop.call("PUT", "/v1/customers/guest", {})
    await asking.reached(shop, "guest", "purchase:1")
    assert (await merge(shop, "guest", "c-42")).status == 200
    found = await ask(shop)
    assert found is not None
    assert await ask(shop, path="/v1/customers/guest/referral") == found
    assert (await asking.tell(shop, "purchase:1", "guest")).status == 200
    assert await ask(shop) is None


async def test_a_repetition_is_answered_also_when_the_customer_was_erased_since(shop: Shop) -> None:
    await asking.reached(shop, "c-42", "purchase:1")
    first = await asking.tell(shop, "purchase:1", key="k-1")
    assert (await admin(shop, "DELETE", "/v1/customers/c-42")).status == 200
    again = await asking.tell(shop, "purchase:1", key="k-1")
    assert (again.status, again.body) == (200, first.body)
    assert (await asking.tell(shop, "purchase:1")).status == 404


async def test_where_the_own_code_is_closed_or_nothing_is_offered_it_is_no_time_to_ask(shop: Shop) -> None:
    await asking.reached(shop, "c-42", "purchase:1")
    paused = await shop.call("PATCH", "/v1/referral-offers/friends", {"state": "paused"}, role=Role.MARKETER)
    assert paused.status == 200, paused.text
    assert await ask(shop) is None
    active = await shop.call("PATCH", "/v1/referral-offers/friends", {"state": "active"}, role=Role.MARKETER)
    assert active.status == 200, active.text
    assert await ask(shop) is not None
    closed = await shop.post(f"{PATH}/code/close", {}, Role.MARKETER, Idempotency_Key=unique("key"))
    assert closed.status == 200, closed.text
    assert await ask(shop) is None
