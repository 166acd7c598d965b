"""The right moment to ask for a referral, over months, with a clock that the test sets."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from service.events import sequencing
from service.platform.roles import Role
from tests.activities import declare, report
from tests.api.test_events import read_all
from tests.conftest import Servers
from tests.jobs import ask_for_referrals
from tests.referrals import OFFER
from tests.shop import Answer, Shop, unique
from tests.stories.test_records import admin, merge
from tests.stories.wall_clock import WallClock, shop_with_clock
from tests.tiers import set_tiers, tier

BEGINS = "2031-01-10T09:00:00Z"


class Story:
    """A shop whose days pass as the test says."""

    def __init__(self, shop: Shop, clock: WallClock) -> None:
        self.shop = shop
        self._clock = clock
        self.now = BEGINS

    async def on(self, day: str) -> None:
        """Go to a day, and let the jobs do their work."""
        await self.set(day)
        await self.work()

    async def set(self, day: str) -> None:
        """Go to a day, while no job works."""
        self.now = f"{day}T09:00:00Z"
        await self._clock.set(self.now)

    async def work(self) -> None:
        """Give all events their places, and let the jobs look at them."""
        assert self.shop.database is not None
        while await sequencing.move_all(self.shop.database):
            pass
        await ask_for_referrals(self.shop.database)
        while await sequencing.move_all(self.shop.database):
            pass

    async def offer(self, **ask: Any) -> None:
        """Offer something, and ask for it after the fifth purchase, or as is told."""
        content = OFFER | {"ask": {"purchases": [5], "tiers": False} | ask}
        made = await self.shop.post("/v1/referral-offers", content, Role.MARKETER)
        assert made.status == 201, made.text

    async def buy(self, times: int = 1, *, customer: str = "anna", **more: Any) -> None:
        """Buy something now, once or more often, and let the jobs look at it."""
        for _ in range(times):
            bought = await self.shop.buy(**({"customer_id": customer, "total": 1000, "occurred_at": self.now} | more))
            assert bought.status == 201, bought.text
        await self.work()

    async def brings_old(self, times: int, *, customer: str = "anna", day: str = "2029-03-01") -> None:
        """Report purchases of long ago in one call, as an import does."""
        entries = [
            {
                "id": unique("old"),
                "customer_id": customer,
                "total": 1000,
                "currency": "EUR",
                "occurred_at": f"{day}T09:00:00Z",
            }
            for _ in range(times)
        ]
        answer = await self.shop.post("/v1/purchases/batch", {"purchases": entries})
        assert {each["status"] for each in answer.body["results"]} == {201}
        await self.work()

    async def ask(self, customer: str = "anna") -> dict[str, Any] | None:
        """Tell whether to ask a customer now."""
        answer = await self.shop.get(f"/v1/customers/{customer}/referral")
        assert answer.status == 200, answer.text
        return answer.body["ask"]

    async def milestone(self, customer: str = "anna") -> str | None:
        """Tell after which milestone to ask a customer now."""
        ask = await self.ask(customer)
        return None if ask is None else ask["milestone"]

    async def asked(self, milestone: str, customer: str = "anna") -> Answer:
        """Tell that a customer was asked."""
        path = f"/v1/customers/{customer}/referral/asked"
        return await self.shop.post(path, {"milestone": milestone}, Idempotency_Key=unique("key"))

    async def told(self) -> list[tuple[str | None, str]]:
        """Give whom events told to ask, after what, in order."""
        return [
            (each["customer_id"], each["data"]["milestone"])
            for each in await read_all(self.shop)
            if each["type"] == "referral.ask"
        ]

    async def suppress(self, reason: str, until: str | None = None, customer: str = "anna") -> None:
        """Let a customer get no message."""
        body = {"reason": reason, "until": until}
        made = await self.shop.post(f"/v1/customers/{customer}/suppressions", body, Role.SUPPORT)
        assert made.status in {200, 201}, made.text

    async def suppress_new(self, reason: str, until: str) -> None:
        """Enrol a customer who gets no message until then."""
        assert (await self.shop.call("PUT", "/v1/customers/anna", {})).status == 201
        await self.suppress(reason, until)

    async def tier_of(self, customer: str = "anna") -> str | None:
        """Tell which tier a customer has."""
        found = await tier(self.shop, customer)
        return found["id"]

    async def rows(self) -> int:
        """Count the milestones that are recorded."""
        assert self.shop.database is not None
        async with self.shop.database.connection() as db:
            return await db.fetchval("SELECT count(*) FROM referral_ask")

    async def lift(self, reason: str, customer: str = "anna") -> None:
        """Let a reason hold no more."""
        lifted = await self.shop.call("DELETE", f"/v1/customers/{customer}/suppressions/{reason}", role=Role.SUPPORT)
        assert lifted.status == 200, lifted.text


@pytest.fixture
async def story(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Story]:
    async with shop_with_clock(servers, client, BEGINS, time_zone="Europe/Berlin") as (shop, clock):
        yield Story(shop, clock)


async def test_after_the_fifth_purchase_once_and_never_too_early(story: Story) -> None:
    await story.offer()
    for day in (10, 15, 20, 25):
        await story.on(f"2031-01-{day}")
        await story.buy()
        assert await story.ask() is None
    await story.on("2031-02-01")
    await story.buy()
    since, until = "2031-02-01T09:00:00Z", "2031-02-15T09:00:00Z"
    for _ in range(2):  # reading marks nothing
        assert await story.ask() == {"milestone": "purchase:5", "since": since, "until": until}
    assert await story.told() == [("anna", "purchase:5")]
    await story.on("2031-02-03")
    answer = await story.asked("purchase:5")
    assert answer.status == 200, answer.text
    assert answer.body["milestone"] == "purchase:5"
    assert answer.body["since"] == since
    assert await story.ask() is None
    for day in ("2031-02-04", "2031-02-14", "2031-06-01"):
        await story.on(day)
        await story.buy()
        assert await story.ask() is None
    assert await story.told() == [("anna", "purchase:5")]


async def test_with_an_open_case_nobody_is_asked_and_once_it_is_closed_in_time_one_is(story: Story) -> None:
    await story.offer()
    await story.buy(4)
    await story.suppress("open_case")
    await story.buy()
    assert (await story.ask(), await story.told()) == (None, [])
    await story.on("2031-01-14")
    assert (await story.ask(), await story.told()) == (None, [])
    await story.lift("open_case")
    await story.work()
    assert await story.milestone() == "purchase:5"
    assert await story.told() == [("anna", "purchase:5")]
    await story.suppress("complaint")  # and again: what was told can't be taken back, but the page goes on
    assert await story.ask() is None
    await story.lift("complaint")
    assert await story.milestone() == "purchase:5"
    await story.work()
    assert await story.told() == [("anna", "purchase:5")]


async def test_a_case_that_ends_by_its_time_lets_ask_and_nobody_needs_to_tell(story: Story) -> None:
    await story.offer()
    await story.suppress_new("opt_out", "2031-01-15T00:00:00Z")
    await story.buy(5)
    await story.on("2031-01-14")
    assert await story.told() == []
    await story.on("2031-01-15")
    assert (await story.milestone(), await story.told()) == ("purchase:5", [("anna", "purchase:5")])


async def test_a_case_that_is_closed_after_the_days_comes_too_late(story: Story) -> None:
    await story.offer()
    await story.buy(4)
    await story.suppress("open_case")
    await story.buy()
    await story.on("2031-01-24")  # the very moment at which the fourteen days are over
    await story.lift("open_case")
    await story.work()
    assert (await story.ask(), await story.told()) == (None, [])
    await story.buy()
    assert (await story.ask(), await story.told()) == (None, [])  # once for each milestone, also where it passed by


async def test_an_old_log_that_is_imported_asks_nobody_and_the_next_purchase_does(story: Story) -> None:
    await story.offer(purchases=[2, 5, 10])
    await story.brings_old(7)
    assert (await story.ask(), await story.told()) == (None, [])
    await story.on("2031-01-12")
    await story.buy()
    assert (await story.milestone(), await story.told()) == ("purchase:5", [("anna", "purchase:5")])
    await story.asked("purchase:5")
    await story.buy()
    assert await story.ask() is None  # the second purchase was passed by


async def test_a_milestone_that_is_set_later_asks_after_the_next_success(story: Story) -> None:
    await story.offer(purchases=[10])
    await story.buy(4)
    changed = await story.shop.call(
        "PATCH", "/v1/referral-offers/friends", {"ask": {"purchases": [3, 10], "tiers": False}}, role=Role.MARKETER
    )
    assert changed.status == 200, changed.text
    await story.on("2031-01-11")
    assert await story.ask() is None
    await story.buy()
    assert await story.milestone() == "purchase:3"
    changed = await story.shop.call(
        "PATCH", "/v1/referral-offers/friends", {"ask": {"purchases": [], "tiers": False}}, role=Role.MARKETER
    )
    assert changed.status == 200, changed.text
    assert await story.ask() is None  # and what is taken out asks nobody any more


async def test_where_nothing_was_offered_nobody_is_asked_for_what_was_before(story: Story) -> None:
    await story.buy(5)
    assert await story.ask() is None
    await story.offer()
    await story.work()
    assert (await story.ask(), await story.told()) == (None, [])
    await story.buy()
    assert await story.milestone() == "purchase:5"


async def test_who_stood_still_for_weeks_asks_nobody_for_what_is_over(story: Story) -> None:
    """The worker was away: what it finds then is as old as it is."""
    await story.offer(purchases=[1, 2])
    for customer, day in (("anna", "2031-01-10"), ("ben", "2031-02-15")):
        await story.set(day)
        assert (await story.shop.buy(customer_id=customer, occurred_at=story.now)).status == 201
    await story.on("2031-02-20")
    assert (await story.ask("anna"), await story.milestone("ben")) == (None, "purchase:1")
    assert await story.told() == [("ben", "purchase:1")]


async def test_a_higher_tier_asks_once_and_not_again_when_it_is_reached_again(story: Story) -> None:
    await story.offer(purchases=[], tiers=True)
    await set_tiers(story.shop, {"silver": 50, "gold": 100}, period={"kind": "rolling", "months": 3})
    await story.buy(total=5_000)
    assert await story.milestone() == "tier:silver"
    await story.asked("tier:silver")
    await story.on("2031-01-20")
    await story.buy(total=5_000)
    assert await story.milestone() == "tier:gold"
    await story.asked("tier:gold")
    await story.on("2031-06-20")
    assert await story.tier_of() is None
    await story.buy(total=10_000)
    assert await story.tier_of() == "gold"
    assert await story.ask() is None
    assert await story.told() == [("anna", "tier:silver"), ("anna", "tier:gold")]


async def test_who_climbs_two_steps_at_once_is_asked_for_the_upper_one(story: Story) -> None:
    await story.offer(purchases=[], tiers=True)
    await set_tiers(story.shop, {"silver": 50, "gold": 100})
    assert (await story.shop.buy(customer_id="anna", total=5_000, occurred_at=story.now)).status == 201
    await story.buy(total=6_000)
    assert await story.told() == [("anna", "tier:gold")]


async def test_a_tier_by_old_purchases_by_new_terms_or_by_hand_asks_nobody(story: Story) -> None:
    await story.offer(purchases=[], tiers=True)
    await set_tiers(story.shop, {"silver": 50, "gold": 100}, counts=["adjustments"])
    await story.brings_old(8, customer="old", day="2030-11-01")
    assert await story.tier_of("old") == "silver"
    await story.shop.call("PUT", "/v1/customers/given", {})
    body = {"points": 120, "reason": "goodwill"}
    given = await story.shop.post("/v1/customers/given/adjustments", body, Role.ADMIN, Idempotency_Key=unique("key"))
    assert given.status == 201, given.text
    await story.work()
    assert await story.tier_of("given") == "gold"
    assert [await story.ask("old"), await story.ask("given"), await story.told()] == [None, None, []]


async def test_an_activity_of_a_kind_asks_and_others_do_not(story: Story) -> None:
    await story.offer(purchases=[], activities=["review_left"])
    for its_type in ("review_left", "survey"):
        await declare(story.shop, its_type)
    for its_type, at in (("survey", story.now), ("review_left", "2030-12-20T09:00:00Z")):
        assert (await report(story.shop, customer_id="anna", type=its_type, occurred_at=at)).status == 201
    await story.work()
    assert await story.ask() is None
    reported = await report(story.shop, customer_id="anna", type="review_left", occurred_at="2031-01-08T08:00:00Z")
    assert reported.status == 201
    await story.work()
    assert await story.ask() == {
        "milestone": "activity:review_left",
        "since": "2031-01-08T08:00:00Z",
        "until": "2031-01-22T08:00:00Z",
    }


async def test_who_was_asked_is_not_asked_again_for_what_was_reached_before(story: Story) -> None:
    await story.offer(purchases=[1, 3], tiers=True)
    await set_tiers(story.shop, {"silver": 10})
    await story.buy()
    assert await story.told() == [("anna", "purchase:1"), ("anna", "tier:silver")]
    assert (await story.asked("tier:silver")).status == 200
    assert await story.ask() is None
    await story.on("2031-01-13")
    await story.buy(2)
    assert await story.milestone() == "purchase:3"


async def test_who_can_refer_nobody_is_not_asked_until_there_is_a_code_again(story: Story) -> None:
    await story.offer(purchases=[2])
    await story.buy()
    await story.ask()  # the code is made when it is asked for first
    path = "/v1/customers/anna/referral/code"
    closed = await story.shop.post(f"{path}/close", {}, Role.MARKETER, Idempotency_Key=unique("key"))
    assert closed.status == 200, closed.text
    await story.buy()
    assert (await story.ask(), await story.told()) == (None, [])
    opened = await story.shop.post(path, {}, Role.MARKETER, Idempotency_Key=unique("key"))
    assert opened.status == 201, opened.text
    await story.work()
    assert (await story.milestone(), await story.told()) == ("purchase:2", [("anna", "purchase:2")])


async def test_two_records_that_become_one_have_the_milestones_of_both_and_the_earlier_counts(story: Story) -> None:
    await story.offer(purchases=[1, 2, 4])
    await story.buy(2, customer="guest")
    await story.asked("purchase:2", "guest")
    await story.on("2031-01-12")
    await story.buy(customer="anna")
    assert await story.milestone("anna") == "purchase:1"
    await story.buy(customer="anna")
    assert await story.milestone("anna") == "purchase:2"
    assert (await merge(story.shop, "guest", "anna")).status == 200
    assert [await story.ask(each) for each in ("guest", "anna")] == [None, None]
    assert (await story.asked("purchase:2")).body["asked_at"].startswith("2031-01-10")
    await story.on("2031-01-13")
    await story.buy(customer="guest")
    assert await story.milestone("anna") == "purchase:4"


async def test_of_who_is_erased_nothing_is_left_and_what_was_told_says_the_same(story: Story) -> None:
    await story.offer(purchases=[1])
    await story.buy()
    (told,) = [each for each in await read_all(story.shop) if each["type"] == "referral.ask"]
    exported = await story.shop.get("/v1/customers/anna/export", Role.ADMIN)
    (ask,) = exported.body["records"]["referral_asks"]
    assert (ask["milestone"], ask["asked_at"], ask["announced_at"] is None) == ("purchase:1", None, False)
    assert (await admin(story.shop, "DELETE", "/v1/customers/anna")).status == 200
    await story.work()
    (after,) = [each for each in await read_all(story.shop) if each["type"] == "referral.ask"]
    assert after == told | {"customer_id": None}
    assert await story.rows() == 0
    await story.buy()  # somebody new, of the same name
    assert await story.milestone() == "purchase:1"
