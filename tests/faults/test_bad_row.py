"""One row that can't be booked harms no other: not in a gathered batch, and not in a bulk call."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from service.platform.statements import Db
from service.points.account import Account
from service.points.facts import Deciding, Mode
from service.programs.rules import Program
from service.purchases import booking
from service.purchases.rules import Earnings, Purchase
from service.purchases.usecases import PURCHASES
from tests.conftest import prove
from tests.faults.conftest import ShopAlone
from tests.shop import Shop, purchase


@pytest.fixture
async def picky(alone: ShopAlone) -> AsyncGenerator[ShopAlone]:
    """Give a shop whose database refuses purchases over the channel 'evil'; afterwards the books are proved."""
    await alone.owner.execute("ALTER TABLE purchase ADD CONSTRAINT no_evil CHECK (channel IS DISTINCT FROM 'evil')")
    yield alone
    await prove(alone.database)


def _hundred() -> list[dict[str, object]]:
    """Make purchases of 30 new customers, every tenth over the channel 'evil'."""
    return [
        purchase(id=f"o-{number}", customer_id=f"c-{number % 30}", channel="evil" if number % 10 == 7 else "web")
        for number in range(100)
    ]


async def test_a_row_that_the_database_refuses_harms_no_neighbour_in_a_gathered_batch(picky: ShopAlone) -> None:
    bodies = _hundred()
    answers = await asyncio.gather(*(picky.shop.post("/v1/purchases", body) for body in bodies))
    for body, answer in zip(bodies, answers, strict=True):
        if body["channel"] == "evil":
            assert (answer.status, answer.code, answer.pointer) == (422, "invalid_content", "")
            assert (await picky.shop.get(f"/v1/purchases/{body['id']}")).status == 404
        else:
            assert answer.status == 201
    # Who bought over 'evil' alone is not enrolled by it: 7, 17 and 27 have each of their purchases there.
    for customer_id in ("c-7", "c-17", "c-27"):
        assert (await picky.shop.get(f"/v1/customers/{customer_id}/balance")).status == 404


async def test_a_row_that_the_database_refuses_harms_no_neighbour_in_a_bulk_call(picky: ShopAlone) -> None:
    answer = await picky.shop.post("/v1/purchases/batch", {"purchases": _hundred()}, Idempotency_Key="k-1")
    statuses = [result["status"] for result in answer.body["results"]]
    assert statuses == [422 if number % 10 == 7 else 201 for number in range(100)]
    assert answer.body["results"][7]["problem"]["code"] == "invalid_content"


async def test_a_row_that_deciding_fails_for_harms_no_neighbour(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in a rule is no refusal: its caller is told that the outcome is unknown, and all others are booked."""

    class Failing:
        def __init__(self, deciding: Deciding[Purchase, Earnings]) -> None:
            self.sharing, self._deciding = deciding.sharing, deciding

        def decide(self, content: Purchase, account: Account, row_id: UUID, /) -> Earnings:
            if content.channel == "poison":
                raise ZeroDivisionError
            return self._deciding.decide(content, account, row_id)

    async def prepare(db: Db, program: Program, facts: Sequence[tuple[Purchase, Account]], /, *, mode: Mode) -> Failing:
        return Failing(await PURCHASES.prepare(db, program, facts, mode=mode))

    monkeypatch.setattr(booking, "PURCHASES", replace(PURCHASES, prepare=prepare))
    bodies = [
        purchase(customer_id=f"c-{number % 5}", channel="poison" if number % 10 == 3 else "web") for number in range(40)
    ]
    answers = await asyncio.gather(*(shop.post("/v1/purchases", body) for body in bodies))
    assert [answer.status for answer in answers] == [503 if number % 10 == 3 else 201 for number in range(40)]
    assert {answer.code for answer in answers if answer.status != 201} == {"unavailable"}


async def test_a_missing_partition_is_a_fault_of_the_service_and_no_refusal(alone: ShopAlone) -> None:
    names = await alone.owner.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'purchase'::regclass"
    )
    for row in names:
        await alone.owner.execute(f"ALTER TABLE purchase DETACH PARTITION {row['name']}")
        await alone.owner.execute(f"DROP TABLE {row['name']}")
    body = purchase()
    refused = await alone.shop.post("/v1/purchases", body)
    assert (refused.status, refused.code) == (503, "unavailable")
    bulk = await alone.shop.post("/v1/purchases/batch", {"purchases": [body]})
    assert (bulk.status, bulk.code) == (503, "unavailable")
    await alone.owner.execute("SELECT make_partitions(2)")
    assert (await alone.shop.post("/v1/purchases", body)).status == 201
    await prove(alone.database)


async def test_the_first_instant_of_the_calendar_is_refused_and_the_next_one_is_a_time_like_any_other(
    shop: Shop,
) -> None:
    """The driver knows the first as '-infinity'; booked, it would spoil its customer and every batch that has it."""
    refused = await shop.buy(occurred_at="0001-01-01T00:00:00Z")
    assert refused.pointer == "/occurred_at"
    assert (await shop.buy(id="o-1", occurred_at="0001-01-01T00:00:00.000001Z")).status == 201
    assert (await shop.buy(id="o-2")).status == 201
    assert (await shop.get("/v1/purchases/o-1")).body["occurred_at"] == "0001-01-01T00:00:00.000001Z"
