"""Whether a surprise brought anything, over months: what the reports tell, against a plain reckoning of the test."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from service.kernel.ids import from_wire
from service.platform.roles import Role
from tests.conftest import Servers
from tests.shop import unique
from tests.stories.surprised import BEGINS, NO_POINTS, Story
from tests.stories.wall_clock import shop_with_clock
from tests.surprises import started

CUSTOMERS = 40
WINDOW = timedelta(days=30)
MARGIN = 2_500
OF_PROGRAM = UUID(int=0)
SURPRISES = {"holdout": 2_000, "margin": MARGIN, "metric": "spend", "window_days": 30}


@dataclass
class Bought:
    """A purchase: when it was reported and occurred, how much, and how much of it came back."""

    recorded_at: datetime
    occurred_at: datetime
    total: int
    currency: str = "EUR"
    returned: int = 0


@dataclass
class Person:
    """A customer: the first purchase, with which each window begins, and the later ones."""

    first: datetime
    later: list[Bought] = field(default_factory=list[Bought])

    def counted(self) -> list[int]:
        """Give what the purchases of the window came to that were kept, in euros only."""
        return [
            each.total - each.returned
            for each in self.later
            if self.first < each.recorded_at
            and self.first <= each.occurred_at < self.first + WINDOW
            and each.currency == "EUR"
            and not (each.returned and each.returned >= each.total)
        ]


@pytest.fixture
async def story(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Story]:
    settings: dict[str, Any] = NO_POINTS | {"surprises": SURPRISES}
    async with shop_with_clock(servers, client, BEGINS, time_zone="Europe/Berlin", **settings) as (shop, clock):
        yield Story(shop, clock)


async def sides(story: Story, comparison: UUID) -> dict[str, bool]:
    """Read who is on which side of a comparison, as nobody outside can: whether held out, by the customers' ids."""
    assert story.shop.database is not None
    async with story.shop.database.connection() as db:
        rows = await db.fetch(
            "SELECT c.external_id, e.held_out FROM campaign_enrolment AS e"
            " INNER JOIN customer AS c ON e.program_id = c.program_id AND e.customer_id = c.id"
            " WHERE e.program_id = $1 AND e.campaign_id = $2",
            story.shop.program.id,
            comparison,
        )
    return {row["external_id"]: row["held_out"] for row in rows}


async def buy(story: Story, people: dict[str, Person], name: str, total: int, **changes: Any) -> str:
    """Report a purchase of now, and keep it for the reckoning; gives its id."""
    its_id = unique("order")
    body: dict[str, Any] = {"id": its_id, "customer_id": name, "occurred_at": story.now, "total": total} | changes
    answer = await story.shop.buy(**body)
    assert answer.status == 201, answer.text
    now, occurred_at = datetime.fromisoformat(story.now), datetime.fromisoformat(body["occurred_at"])
    if name in people:
        people[name].later.append(Bought(now, occurred_at, total, body.get("currency", "EUR")))
    else:
        people[name] = Person(now)
    return its_id


async def refund(story: Story, people: dict[str, Person], name: str, order: str, amount: int) -> None:
    """Take back some of the last purchase."""
    answer = await story.shop.post(f"/v1/purchases/{order}/refunds", {"id": unique("refund"), "amount": amount})
    assert answer.status == 201, answer.text
    people[name].later[-1].returned += amount


async def report(story: Story, path: str) -> dict[str, Any]:
    answer = await story.shop.get(path, Role.ANALYST)
    assert answer.status == 200, answer.text
    return answer.body


def half_up(value: Fraction) -> int:
    whole = int(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


def arm_of(people: list[Person], enrolled: int) -> dict[str, Any]:
    """Reckon an arm of people whose windows are closed."""
    spent = sum(sum(each.counted()) for each in people)
    return {
        "customers": enrolled,
        "closed": len(people),
        "any": sum(bool(each.counted()) for each in people),
        "spent": spent,
        "mean": half_up(Fraction(spent, len(people))) if people else None,
    }


async def test_both_reports_tell_what_both_sides_bought_in_their_windows_and_what_it_cost(story: Story) -> None:
    campaign_id = await started(story.shop, holdout=5_000, window_days=30, target_effect=500)
    people = dict[str, Person]()
    for number in range(CUSTOMERS):
        await buy(story, people, f"c-{number}", 1_000)
    await story.at("2030-12-05T09:00:00Z")
    for number in range(0, CUSTOMERS, 2):
        name = f"c-{number}"
        order = await buy(story, people, name, 1_000 + 111 * number)
        if number % 3 == 0:
            await refund(story, people, name, order, 1_000 + 111 * number if number % 4 == 0 else 500)
    await buy(story, people, "c-1", 70_000, currency="USD")
    await buy(story, people, "c-3", 80_000, occurred_at="2030-11-30T09:00:00Z")
    await buy(story, people, "c-5", 0)
    await story.at("2030-12-31T08:59:00Z")
    await buy(story, people, "c-7", 7_000)
    await story.at("2031-01-02T09:00:00Z")
    await buy(story, people, "c-9", 90_000)
    await buy(story, people, "c-11", 1_100, occurred_at="2030-12-30T09:00:00Z")
    await buy(story, people, "late", 1_000)
    await buy(story, people, "late", 5_000)
    its = from_wire("cmp", campaign_id)
    assert its is not None
    lots = {comparison: await sides(story, comparison) for comparison in (its, OF_PROGRAM)}
    assert min(len([each for each in lots[its].values() if each is side]) for side in (True, False)) > 5
    assert set(lots[OF_PROGRAM]) == set(people)

    for comparison, path in ((its, f"/v1/campaigns/{campaign_id}/report"), (OF_PROGRAM, "/v1/surprise-report")):
        body = await report(story, path)
        named = {side: [each for each, held in lots[comparison].items() if held is side] for side in (True, False)}
        closed = {
            side: [people[each] for each in names if people[each].first + WINDOW <= datetime.fromisoformat(story.now)]
            for side, names in named.items()
        }
        treated, held_out = (arm_of(closed[side], len(named[side])) for side in (False, True))
        assert body["treated"] == treated
        assert body["held_out"] == held_out
        apart = Fraction(treated["spent"], treated["closed"]) - Fraction(held_out["spent"], held_out["closed"])
        assert body["comparison"]["difference"] == half_up(apart)
        assert body["comparison"]["verdict"] == "cannot_tell_yet"
        given = [name for name, held in lots[its].items() if not held]
        cost = 10 * len([each for each in given if each != "late"])
        gained = apart * len(closed[False]) * MARGIN / 10_000
        assert body["gain"] == {
            "margin": MARGIN,
            "margin_gained": half_up(gained),
            "low": None,
            "high": None,
            "cost": cost,
            "per_unit_spent": half_up(gained * 10_000 / cost),
        }
        assert body["gifts"]["revealed"] == len(given)
        assert body["cost"] == {"cost": 10 * len(given), "points": 50 * len(given)}
