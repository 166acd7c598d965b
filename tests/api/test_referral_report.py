"""The report of referrals over HTTP, against a reckoning of the test's own."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from service.platform.roles import Role
from service.platform.statements import Db
from service.purchases.referral_report import store
from tests.api.test_referrals import claimed, code_of, enrol, new_code, offer
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique

REPORT = "/v1/referral-report"
BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
WINDOWS = ((30, 60), (60, 90))
GROUPS = ("referees", "others", "ended")


@dataclass
class Person:
    """One customer, with all that was told of every record that went into it."""

    enrolled_at: datetime
    referrals: set[tuple[str, bool]] = field(default_factory=set[tuple[str, bool]])
    """By which offers the customer came, and whether that stands."""
    purchases: list[tuple[datetime, str, int, int]] = field(default_factory=list[tuple[datetime, str, int, int]])
    """When, in which currency, how much, and how much of it came back."""

    def group(self, only: str | None = None) -> str | None:
        """Tell in which group the customer is; None: in no one."""
        if not self.referrals:
            return "others"
        standing = {stands for its_offer, stands in self.referrals if only in {None, its_offer}}
        return None if not standing else "referees" if True in standing else "ended"


def reckon(persons: list[Person], now: datetime, only: str | None = None) -> dict[str, Any]:
    """Reckon the groups and their retention, each customer by itself."""
    groups: dict[str, dict[str, Any]] = {
        name: {"customers": 0, "bought": 0, "purchases": 0, "days": 0, "spent": defaultdict[str, int](int)}
        for name in GROUPS
    }
    again = {(name, window): [0, 0] for name in GROUPS for window in WINDOWS}
    for person in persons:
        name = person.group(only)
        if name is None:
            continue
        group = groups[name]
        group["customers"] += 1
        group["days"] += (now - person.enrolled_at) // DAY
        kept = [each for each in person.purchases if not (each[3] and each[3] >= each[2])]
        group["bought"] += bool(kept)
        group["purchases"] += len(kept)
        for _, currency, total, back in kept:
            group["spent"][currency] += total - back
        if not kept:
            continue
        first = min(kept)[0]
        for window in WINDOWS:
            begins, ends = first + window[0] * DAY, first + window[1] * DAY
            if ends <= now:
                again[name, window][1] += 1
                again[name, window][0] += any(begins <= each[0] < ends for each in kept)
    return groups | {"again": again}


def told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a report says of groups, in the shape of what is reckoned."""
    again = {
        (name, (each["from_days"], each["to_days"])): [each[name]["again"], each[name]["customers"]]
        for each in body["retention"]
        for name in ("referees", "others")
    }
    groups = {
        name: {key: body[name][key] for key in ("customers", "bought", "purchases")}
        | {
            "mean_days": body[name]["mean_days"],
            "spent": {each["currency"]: each["amount"] for each in body[name]["spend"]},
            "means": {each["currency"]: each["per_customer"] for each in body[name]["spend"]},
        }
        for name in GROUPS
    }
    return groups | {"again": again}


def half_up(total: int, of: int) -> int | None:
    return int(total / of + 0.5) if of else None


def as_told(reckoned: Mapping[str, Any]) -> dict[str, Any]:
    """Round what was reckoned as a report does."""
    groups = {
        name: {key: reckoned[name][key] for key in ("customers", "bought", "purchases")}
        | {
            "mean_days": half_up(reckoned[name]["days"], reckoned[name]["customers"]),
            "spent": dict(reckoned[name]["spent"]),
            "means": {
                currency: half_up(amount, reckoned[name]["customers"])
                for currency, amount in reckoned[name]["spent"].items()
            },
        }
        for name in GROUPS
    }
    return groups | {"again": {key: value for key, value in reckoned["again"].items() if key[0] != "ended"}}


async def report(shop: Shop, query: str = "", role: Role = Role.ANALYST) -> Answer:
    return await shop.get(f"{REPORT}{query}", role)


async def reported(shop: Shop, query: str = "") -> dict[str, Any]:
    answer = await report(shop, query)
    assert answer.status == 200, answer.text
    return answer.body


class Market:
    """A shop in Berlin with random customers, and what the test knows of each."""

    def __init__(self, shop: Shop, owner: Db, seed: int) -> None:
        self.shop = shop
        self.persons = dict[str, Person]()
        self._owner = owner
        self._dice = random.Random(seed)
        self._now = datetime.now(UTC)

    async def open(self) -> None:
        """Let 90 customers be there, of whom 50 came by two offers, and let them buy and give back."""
        await offer(self.shop)
        await offer(self.shop, id="summer", campaign="Summer 2026", priority=1)
        await enrol(self.shop, "anna")
        own = await code_of(self.shop, "anna")
        for_summer = (await new_code(self.shop, "anna", offer="summer")).body["code"]
        names = [f"c-{number}" for number in range(90)]
        await enrol(self.shop, *names)
        self.persons = {name: Person(self._now) for name in ("anna", *names)}
        for name in names[:50]:
            by = self._dice.choice(["friends", "friends", "summer"])
            its_id = await claimed(self.shop, own if by == "friends" else for_summer, name)
            stands = self._dice.random() > 0.2
            if not stands:
                path = f"/v1/referrals/{its_id}/refuse"
                refused = await self.shop.post(path, {}, Role.MARKETER, Idempotency_Key=unique("key"))
                assert refused.status == 200, refused.text
            self.persons[name].referrals.add((by, stands))
        for name, person in self.persons.items():
            person.enrolled_at = self._now - timedelta(seconds=self._dice.randrange(300 * 86_400))
            sql = "UPDATE customer SET enrolled_at = $3 WHERE program_id = $1 AND external_id = $2"
            await self._owner.execute(sql, self.shop.program.id, name, person.enrolled_at)
        for name in names:
            await self._buy(name)

    async def _buy(self, name: str) -> None:
        entries = list[dict[str, Any]]()
        for _ in range(self._dice.choice([0, 1, 1, 2, 3, 6, 12])):
            at = self._now - timedelta(seconds=self._dice.randrange(200 * 86_400))
            entries.append(
                {
                    "id": unique("bought"),
                    "customer_id": name,
                    "occurred_at": at.isoformat(),
                    "currency": self._dice.choice(["EUR", "EUR", "USD", "JPY"]),
                    "total": self._dice.choice([0, 1, 999, 5_000, 12_345]),
                }
            )
        if not entries:
            return
        answer = await self.shop.post("/v1/purchases/batch", {"purchases": entries})
        assert {each["status"] for each in answer.body["results"]} == {201}
        for each in entries:
            back = self._dice.choice([0, 0, 0, each["total"] // 2, each["total"]])
            parts = [back] if self._dice.random() < 0.5 else [back // 3, back - back // 3]
            for part in parts:
                if part:
                    path = f"/v1/purchases/{each['id']}/refunds"
                    refunded = await self.shop.post(path, {"id": unique("back"), "amount": part})
                    assert refunded.status == 201, refunded.text
            at = datetime.fromisoformat(each["occurred_at"])
            self.persons[name].purchases.append((at, each["currency"], each["total"], back))

    async def merge(self, source: str, target: str) -> None:
        """Let one record go into another one; of two referrals that are open the later one is refused."""
        path = f"/v1/customers/{source}/merge"
        answer = await self.shop.post(path, {"into": target}, Role.ADMIN, Idempotency_Key=unique("key"))
        assert answer.status == 200, answer.text
        gone, stays = self.persons.pop(source), self.persons[target]
        stays.purchases += gone.purchases
        stays.referrals |= gone.referrals

    async def erase(self, name: str) -> None:
        """Erase a customer: a referral that is open is refused."""
        assert (await self.shop.call("DELETE", f"/v1/customers/{name}", role=Role.ADMIN)).status == 200
        its = self.persons[name]
        its.referrals = {(by, False) for by, _ in its.referrals}

    def enrolled(self, first: date, to: date) -> list[Person]:
        """Give those who were enrolled on some days."""
        return [each for each in self.persons.values() if first <= each.enrolled_at.astimezone(BERLIN).date() < to]


@pytest.mark.parametrize("seed", range(3))
async def test_groups_are_what_each_customer_of_theirs_did(new_shop: NewShop, owner: Db, seed: int) -> None:
    shop = await new_shop(time_zone="Europe/Berlin")
    market = Market(shop, owner, seed)
    await market.open()
    await market.merge("c-60", "c-1")  # a stranger's record goes into a claimed one's, and the other way round
    await market.merge("c-2", "c-61")
    await market.merge("c-62", "c-63")
    await market.erase("c-3")
    await market.erase("c-64")
    body = await reported(shop)
    now = datetime.fromisoformat(body["made_at"])
    assert told(body) == as_told(reckon(list(market.persons.values()), now))
    assert body["referees"]["customers"] > 20
    assert (body["enough"], body["retention"][0]["enough"]) == (False, False)
    today = now.astimezone(BERLIN).date()
    for days in (290, 100, 7):
        first, to = today - days * DAY, today - days // 3 * DAY
        body = await reported(shop, f"?from={first}&to={to}")
        now = datetime.fromisoformat(body["made_at"])
        assert told(body) == as_told(reckon(market.enrolled(first, to), now)), days
    body = await reported(shop, "?offer=summer")
    now = datetime.fromisoformat(body["made_at"])
    assert told(body) == as_told(reckon(list(market.persons.values()), now, "summer"))
    assert [each["offer"] for each in body["by_offer"]] == ["summer"]


async def test_claims_and_clicks_are_told_whole_and_by_offer(shop: Shop) -> None:
    await offer(shop)
    await offer(shop, id="summer", campaign="Summer 2026", priority=1)
    await enrol(shop, "anna")
    own, for_summer = await code_of(shop, "anna"), (await new_code(shop, "anna", offer="summer")).body["code"]
    for code, clicks in ((own, 4), (for_summer, 2)):
        for _ in range(clicks):
            assert (await shop.post("/v1/referrals/clicks", {"code": code})).status == 200
    for name in ("ben", "cleo", "dora"):
        await claimed(shop, own, name)
    await shop.buy(customer_id="emil", total=5_000, referral_code=for_summer)
    # Clicks are counted by days of UTC, and a program in UTC has the same.
    body = await reported(shop)
    assert (body["total"]["clicks"], body["total"]["signed_up"], body["total"]["qualified"]) == (6, 4, 1)
    assert body["total"]["signed_up_of_clicks"] == 6_667
    standing = body["total"]["standing"]
    assert (standing["signed_up"], standing["qualified"], sum(standing.values())) == (3, 1, 4)
    friends, summer = body["by_offer"]
    assert (friends["offer"], friends["clicks"], friends["signed_up"]) == ("friends", None, 3)
    assert friends["signed_up_of_clicks"] is None
    assert (summer["offer"], summer["clicks"], summer["signed_up"]) == ("summer", 2, 1)
    assert (summer["qualified_of_signed_up"], summer["rewarded_of_qualified"]) == (10_000, 0)
    assert (await reported(shop, "?offer=friends"))["total"] == {
        key: value for key, value in friends.items() if key != "offer"
    }
    before = (await reported(shop, "?from=2020-01-01&to=2020-07-01"))["total"]
    assert (before["clicks"], before["signed_up"], before["rewarded_of_signed_up"]) == (0, 0, None)


async def test_a_program_where_nothing_happened_has_a_report_of_nothing(shop: Shop) -> None:
    body = await reported(shop)
    assert (body["by_offer"], body["currency"], body["offer"], body["enough"]) == ([], "EUR", None, False)
    assert {body[name]["customers"] for name in GROUPS} == {0}
    assert {each["difference"] for each in body["retention"]} == {None}
    assert (await reported(shop, "?offer=default"))["total"]["signed_up"] == 0


@pytest.mark.parametrize(
    ("query", "pointer", "reason"),
    [
        ("?from=yesterday", "?from", "invalid_format"),
        ("?from=2026-02-30", "?from", "invalid_format"),
        ("?from=%00", "?from", "invalid_format"),
        ("?to=2026-1-1", "?to", "invalid_format"),
        ("?to=1969-07-20", "?to", "out_of_range"),
        ("?from=2999-01-01", "?from", "out_of_range"),
        ("?from=2026-01-02&to=2026-01-02", "?from", "out_of_range"),
        ("?from=1970-01-02&to=2026-01-02", "?from", "out_of_range"),
        ("?offer=nothing", "?offer", "unknown_offer"),
        ("?offer=", "?offer", "unknown_offer"),
        ("?offer=%00", "?offer", "unknown_offer"),
        (f"?offer={'x' * 500}", "?offer", "unknown_offer"),
    ],
)
async def test_what_can_not_be_reported_is_refused_where_it_stands(
    shop: Shop, query: str, pointer: str, reason: str
) -> None:
    answer = await report(shop, query)
    assert (answer.status, answer.pointer) == (422, pointer)
    assert answer.body["errors"][0]["code"] == reason


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
async def test_the_ends_of_the_calendar_can_be_asked_for(new_shop: NewShop, zone: str) -> None:
    shop = await new_shop(time_zone=zone)
    for query in ("?from=1970-01-02&to=1970-01-03", "?to=1970-01-03", "?from=9990-01-01&to=9999-12-31"):
        assert (await reported(shop, query))["total"]["signed_up"] == 0, query


async def test_a_program_sees_nothing_of_anothers(new_shop: NewShop) -> None:
    one, other = await new_shop(), await new_shop()
    await offer(one)
    await enrol(one, "anna")
    await claimed(one, await code_of(one, "anna"), "ben")
    await one.buy(customer_id="ben")
    body = await reported(other)
    assert (body["total"]["signed_up"], body["others"]["customers"], body["referees"]["customers"]) == (0, 0, 0)
    assert (await report(other, "?offer=friends")).pointer == "?offer"


async def test_only_who_reads_reports_has_it(shop: Shop) -> None:
    allowed = {role for role in Role if (await report(shop, role=role)).status == 200}
    assert allowed == {Role.MARKETER, Role.ANALYST, Role.ADMIN}


async def test_reports_are_made_one_after_the_other(shop: Shop) -> None:
    await enrol(shop, "anna")
    answers = await asyncio.gather(*(report(shop) for _ in range(20)))
    assert {(each.status, each.body["others"]["customers"]) for each in answers} == {(200, 1)}


async def test_a_report_that_takes_too_long_can_be_asked_for_later(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read_slowly(db: Db, **_: object) -> None:
        await db.execute("SET LOCAL statement_timeout = '20ms'")
        await db.execute("SELECT pg_sleep(10)")

    monkeypatch.setattr(store, "read_parts", read_slowly)
    answer = await report(shop)
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "unavailable", "5")
    assert "fewer days" in answer.body["detail"]
    monkeypatch.undo()
    assert (await report(shop)).status == 200
