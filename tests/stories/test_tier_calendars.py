"""Tiers by periods of the calendar, over years, as the balance shows them on each day and as customers are told."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from service.platform.roles import Role
from tests.conftest import Servers
from tests.jobs import settle_tiers
from tests.shop import Shop, unique
from tests.stories.test_tiers import CHANGED, Told
from tests.stories.wall_clock import WallClock, shop_with_clock
from tests.tiers import STEPS, tier

BEGINS = "2031-01-10T09:00:00Z"


class Story:
    """A shop in Berlin whose days pass as the test says."""

    def __init__(self, shop: Shop, clock: WallClock) -> None:
        self.shop = shop
        self._clock = clock
        self._now = BEGINS
        self._told = Told(shop)

    async def qualify(self, **policy: Any) -> None:
        """Set tiers of 100, 500 and 1,000 points, and how customers qualify; one enrols."""
        assert (await self.shop.call("PUT", "/v1/customers/c-42", {})).status == 201
        for tier_id, threshold in STEPS.items():
            body = {"id": tier_id, "name": tier_id.title(), "threshold": threshold, "state": "active"}
            assert (await self.shop.post("/v1/tiers", body, Role.MARKETER)).status == 201
        changed = await self.shop.call("PATCH", "/v1/program", {"settings": {"tiers": policy}}, role=Role.ADMIN)
        assert changed.status == 200, changed.text

    async def on(self, moment: str) -> dict[str, Any]:
        """Go to a moment; gives the tier that the balance shows then, which nobody has booked."""
        self._now = moment
        await self._clock.set(moment)
        return await tier(self.shop)

    async def buy(self, euros: int, **more: Any) -> str | None:
        """Buy for so much, a point each; gives the tier that is answered."""
        bought = await self.shop.buy(**({"total": euros * 100, "occurred_at": self._now} | more))
        assert bought.status == 201, bought.text
        return bought.body["tier"] and bought.body["tier"]["id"]

    async def give_back(self, purchase_id: str, euros: int) -> None:
        """Give back so much of a purchase."""
        body = {"id": unique("refund"), "amount": euros * 100}
        assert (await self.shop.post(f"/v1/purchases/{purchase_id}/refunds", body)).status == 201

    async def told(self) -> list[tuple[str | None, ...]]:
        """Let the job do its work; gives what was told since: of a change its moment, of an end to come that."""
        assert self.shop.database is not None
        await settle_tiers(self.shop.database)
        return [
            (data["from_tier"], data["to_tier"], data["reason"])
            if kind == CHANGED
            else (data["tier"], data["then"], data["ends_at"])
            for kind, data in await self._told.all()
        ]


@pytest.fixture
async def story(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Story]:
    """Begin a story."""
    async with shop_with_clock(servers, client, BEGINS, time_zone="Europe/Berlin") as (shop, clock):
        yield Story(shop, clock)


def seen(shown: dict[str, Any], *names: str) -> list[Any]:
    """Give the tier, and of others that are shown with it their ids and moments, or what is missing until when."""
    found = list[Any]([shown["id"]])
    for name in names:
        its = shown[name]
        if its is None:
            found.append(None)
        elif name == "keep":
            found.append((its["missing"], its["until"], its["since"]))
        elif name == "next":
            found.append((its["id"], its["missing"]))
        else:
            found.append((its["id"], its["at"]))
    return found


ALL = ("next", "keep", "projected", "downgrade")


async def test_a_tier_lasts_until_the_next_year_is_over_and_its_days_of_grace_then_what_was_bought_says(
    story: Story,
) -> None:
    await story.qualify(period={"kind": "calendar", "period": "year"}, grace_days=30, notice_days=60)
    await story.on("2031-03-10T09:00:00Z")
    assert await story.buy(99) is None
    shown = await story.on("2031-03-10T10:00:00Z")
    assert seen(shown, *ALL) == [None, ("bronze", 1), None, (None, "2032-01-30T23:00:00Z"), None]
    assert await story.buy(1_101) == "gold"

    # Until the end of 2032 and 30 days, by the clock in Berlin; 1,000 points of 2032 are asked for to keep it.
    ends, over = "2033-01-30T23:00:00Z", ("bronze", "2033-01-30T23:00:00Z")
    shown = await story.on("2031-03-11T10:00:00Z")
    kept = (1_000, ends, "2031-12-31T23:00:00Z")
    assert seen(shown, *ALL) == ["gold", None, kept, ("gold", "2032-01-30T23:00:00Z"), None]
    assert await story.told() == [(None, "gold", "purchase")]

    assert seen(await story.on("2031-12-31T22:59:00Z"), "keep") == ["gold", kept]
    shown = await story.on("2031-12-31T23:00:00Z")
    assert seen(shown, "keep", "projected") == ["gold", (1_000, ends, None), (None, ends)]
    await story.on("2032-02-15T10:00:00Z")
    assert await story.buy(300) == "gold"
    assert seen(await tier(story.shop), *ALL) == ["gold", None, (700, ends, None), over, None]

    # 60 days before the end the customer is told, once, and the balance says so from then on.
    assert seen(await story.on("2032-12-01T22:59:00Z"), "downgrade") == ["gold", None]
    assert await story.told() == []
    assert seen(await story.on("2032-12-01T23:00:00Z"), "downgrade") == ["gold", over]
    assert await story.told() == [("gold", "bronze", ends)]
    await story.on("2032-12-20T10:00:00Z")
    assert await story.buy(250) == "gold"
    silver = ("silver", ends)
    assert seen(await tier(story.shop), *ALL) == ["gold", None, (450, ends, None), silver, silver]
    assert await story.told() == []

    # In the days of grace what is bought counts for the new year, and what is reported late for the old one.
    await story.on("2033-01-15T10:00:00Z")
    assert await story.buy(500) == "gold"
    assert seen(await tier(story.shop), "keep", "downgrade") == ["gold", (500, ends, None), silver]
    await story.buy(450, id="late", occurred_at="2032-12-31T22:59:00Z")
    later = "2034-01-30T23:00:00Z"
    assert seen(await tier(story.shop), "keep", "downgrade") == ["gold", (500, later, None), None]
    assert await story.told() == []
    await story.on("2033-01-20T10:00:00Z")
    await story.give_back("late", 450)
    assert await story.told() == [("gold", "silver", ends)]

    assert seen(await story.on("2033-01-30T22:59:00Z"), "next") == ["gold", None]
    shown = await story.on("2033-01-30T23:00:00Z")
    # 550 points of 2032 and 500 of 2033 are silver until the end of 2034.
    kept = (500, "2035-01-30T23:00:00Z", "2033-12-31T23:00:00Z")
    assert seen(shown, *ALL) == ["silver", ("gold", 500), kept, ("silver", later), None]
    assert await story.told() == [("gold", "silver", "time")]
    assert (await tier(story.shop))["since"] == ends
    await story.on("2035-06-01T10:00:00Z")
    assert await story.buy(0) is None
    # Nobody came, so that the notice is as late as the fall: it isn't given any more.
    assert await story.told() == [("silver", None, "time")]


async def test_who_steps_down_has_the_lower_tier_until_its_quarter_is_over(story: Story) -> None:
    period = {"kind": "calendar", "period": "quarter", "start_month": 2}  # February to April, and so on
    await story.qualify(period=period, grace_days=10, notice_days=15, downgrade="one_step")
    await story.on("2031-02-10T10:00:00Z")
    assert await story.buy(1_500) == "gold"
    await story.told()

    # Until the end of July and ten days, by summer time.
    shown = await story.on("2031-07-25T22:00:00Z")
    ends = "2031-08-10T22:00:00Z"
    assert seen(shown, "keep", "downgrade") == ["gold", (1_000, ends, None), None]
    assert seen(await story.on("2031-07-26T22:00:00Z"), "downgrade") == ["gold", ("silver", ends)]
    assert await story.told() == [("gold", "silver", ends)]
    await story.on("2031-08-05T10:00:00Z")
    assert await story.buy(120) == "gold"
    assert seen(await story.on("2031-08-10T21:59:00Z"), "projected") == ["gold", ("bronze", "2031-11-10T23:00:00Z")]

    # One step, which lasts until the quarter of that day is over, and its grace; then what was bought is bronze.
    shown, ends = await story.on("2031-08-10T22:00:00Z"), "2031-11-10T23:00:00Z"
    assert seen(shown, *ALL) == ["silver", ("gold", 880), (380, ends, None), ("bronze", ends), None]
    assert await story.told() == [("gold", "silver", "time")]
    await story.on("2031-11-05T10:00:00Z")
    assert await story.told() == [("silver", "bronze", ends)]
    shown, ends = await story.on("2031-11-10T23:00:00Z"), "2032-02-10T23:00:00Z"
    kept = (100, ends, None)
    assert seen(shown, *ALL) == ["bronze", ("silver", 500), kept, (None, ends), None]
    assert await story.told() == [("silver", "bronze", "time")]
    await story.on("2032-02-01T10:00:00Z")
    assert await story.told() == [("bronze", None, ends)]
    assert await story.buy(600) == "silver"  # it begins anew
    assert await story.told() == [("bronze", "silver", "purchase")]
    assert seen(await story.on("2032-02-10T23:00:00Z"), "downgrade") == ["silver", None]
    assert await story.told() == []
