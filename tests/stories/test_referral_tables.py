"""Referrals as tables: on which day somebody does what, where the referral stands then, and what both have.

Anna brings Ben; each step is followed by the job. Ben earns a point an euro himself; below zero is debt.
"""

from collections.abc import AsyncGenerator
from typing import Final

import aiohttp
import pytest

from service.platform.roles import Role
from tests.conftest import Servers
from tests.shop import unique
from tests.stories.test_referrals import Story
from tests.stories.wall_clock import shop_with_clock

Row = tuple[str, str, str, int, int]
"""A day, what is done on it, where the referral stands then, and the points of Anna and of Ben."""

STORIES: Final[dict[str, list[Row]]] = {
    "both are rewarded when the wait is over": [
        ("2031-01-10", "claim ben", "signed_up", 0, 0),
        ("2031-01-20", "buy ben 10", "signed_up", 0, 10),
        ("2031-01-21", "buy ben 50", "waiting", 0, 60),
        ("2031-02-03", "nothing", "waiting", 0, 60),
        ("2031-02-05", "nothing", "rewarded", 500, 260),
        ("2032-02-05", "buy ben 40", "rewarded", 500, 300),
    ],
    "the code on the first purchase": [
        ("2031-01-10", "buy ben 50 code", "waiting", 0, 50),
        ("2031-01-25", "nothing", "rewarded", 500, 250),
    ],
    "a return in the wait refuses it": [
        ("2031-01-10", "buy ben 50 code", "waiting", 0, 50),
        ("2031-01-15", "return ben 20", "waiting", 0, 30),
        ("2031-01-16", "return ben 20", "refused", 0, 10),
        ("2031-03-01", "buy ben 50", "refused", 0, 60),
    ],
    "a return after it takes it back from both": [
        ("2031-01-10", "buy ben 50 code", "waiting", 0, 50),
        ("2031-01-25", "spend anna 400", "rewarded", 100, 250),
        ("2031-04-01", "return ben 50", "reversed", -400, 0),
        ("2031-04-02", "buy anna 450", "reversed", 50, 0),
    ],
    "what is left after a return still qualifies": [
        ("2031-01-10", "buy ben 90 code", "waiting", 0, 90),
        ("2031-01-12", "return ben 30", "waiting", 0, 60),
        ("2031-01-25", "nothing", "rewarded", 500, 260),
        ("2031-02-25", "return ben 30", "rewarded", 500, 230),
    ],
    "too late": [
        ("2031-01-10", "claim ben", "signed_up", 0, 0),
        ("2031-02-10", "nothing", "expired", 0, 0),
        ("2031-02-11", "buy ben 50", "expired", 0, 50),
        ("2031-04-11", "nothing", "expired", 0, 50),
    ],
    "refused by hand": [
        ("2031-01-10", "buy ben 50 code", "waiting", 0, 50),
        ("2031-01-11", "refuse", "refused", 0, 50),
        ("2031-03-01", "nothing", "refused", 0, 50),
    ],
    "the referee is erased before it is decided": [
        ("2031-01-10", "buy ben 50 code", "waiting", 0, 50),
        ("2031-01-11", "erase ben", "refused", 0, 0),
        ("2031-03-01", "nothing", "refused", 0, 0),
    ],
    "the referee is erased, comes back and is not new": [
        ("2031-01-10", "buy ben 50", "-", 0, 50),
        ("2031-02-01", "erase ben", "-", 0, 0),
        ("2031-02-02", "buy ben 50 code", "refused", 0, 50),
        ("2031-04-02", "nothing", "refused", 0, 50),
    ],
    "Ben brings Anna back": [
        ("2031-01-10", "claim ben", "signed_up", 0, 0),
        ("2031-01-11", "enrol ben", "signed_up", 0, 0),
        ("2031-01-12", "claim anna by ben", "signed_up", 0, 0),
        ("2031-01-13", "buy anna 50", "signed_up", 50, 0),
        ("2031-01-14", "buy ben 50", "waiting", 50, 50),
        ("2031-01-29", "nothing", "rewarded", 550, 250),
    ],
}


class Table:
    """A story that does what the rows of a table say."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.referral: str | None = None
        self._bought = dict[str, str]()

    async def do(self, action: str) -> None:
        """Do what a row says: the first word is the deed."""
        deed, *words = action.split()
        await getattr(self, f"_{deed}")(*words)
        await self.story.work()

    async def stands(self) -> str:
        """Tell where the referral stands; `-` where there is none."""
        return "-" if self.referral is None else await self.story.stands(self.referral)

    async def points(self, customer: str) -> int:
        """Tell what a customer has; who isn't there has nothing."""
        found = await self.story.shop.get(f"/v1/customers/{customer}/balance")
        return 0 if found.status == 404 else await self.story.points(customer)

    async def _nothing(self) -> None:
        pass

    async def _claim(self, whom: str, _: str = "by", by: str = "anna") -> None:
        answer = await self.story.claim(await self.story.code(by), whom)
        assert answer.status == (201 if self.referral is None else 422)
        self.referral = self.referral or answer.body["id"]

    async def _buy(self, who: str, euros: str, code: str | None = None) -> None:
        more = {} if code is None else {"referral_code": await self.story.code("anna")}
        bought = (await self.story.buy(who, int(euros), **more)).body
        self._bought[who] = bought["id"]
        if code is not None:
            self.referral = bought["referral"]["id"]

    async def _return(self, who: str, euros: str) -> None:
        await self.story.give_back(self._bought[who], int(euros))

    async def _spend(self, who: str, points: str) -> None:
        await self.story.work()
        body = {"customer_id": who, "points": int(points)}
        held = await self.story.shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))
        path = f"/v1/redemptions/{held.body['id']}/capture"
        assert (await self.story.shop.post(path, {}, Idempotency_Key=unique("key"))).status == 200

    async def _refuse(self) -> None:
        path = f"/v1/referrals/{self.referral}/refuse"
        assert (await self.story.shop.post(path, {}, Role.MARKETER, Idempotency_Key=unique("key"))).status == 200

    async def _enrol(self, who: str) -> None:
        await self.story.enrol(who)

    async def _erase(self, who: str) -> None:
        assert (await self.story.shop.call("DELETE", f"/v1/customers/{who}", role=Role.ADMIN)).status == 200


@pytest.fixture
async def table(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Table]:
    async with shop_with_clock(servers, client, "2031-01-09T09:00:00Z", time_zone="Europe/Berlin") as (shop, clock):
        story = Story(shop, clock)
        await story.offer()
        await story.code("anna")
        yield Table(story)


@pytest.mark.parametrize("name", STORIES)
async def test_the_referral_and_both_stand_on_each_day_as_the_table_says(table: Table, name: str) -> None:
    seen, rows = list[Row](), STORIES[name]
    for day, action, *_ in rows:
        await table.story.on(day)
        await table.do(action)
        has = await table.points("anna"), await table.points("ben")
        seen.append((day, action, await table.stands(), *has))
    assert seen == rows
