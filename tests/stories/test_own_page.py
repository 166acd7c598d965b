"""All that a customer's page shows, read at once: what the sections tell, with a bounded number of statements."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from service.kernel.errors import NotFound
from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db
from service.portal import reading
from service.portal.schemas import Everything
from service.programs import usecases as programs
from tests import jobs
from tests.own import make_reward, put, set_settings, settle_in
from tests.portal import allow, call_as, token_of
from tests.rulebook import set_rule
from tests.shop import Shop, unique
from tests.surprises import play, started

MOST_STATEMENTS = 60
SECTIONS = ("pending", "expiring", "ways", "rewards", "vouchers", "invoices", "games", "surprises")


class Counted(Database):
    """Counts the statements that its connections run."""

    statements = 0

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Db]:
        """Borrow a connection that counts."""

        def count(_: Any) -> None:
            self.statements += 1

        async with super().connection() as db:
            db.add_query_logger(count)
            try:
                yield db
            finally:
                db.remove_query_logger(count)


async def everything(shop: Shop, database: Database, customer_id: str = "c-42") -> Everything:
    """Read all that the page shows."""
    async with database.connection() as db:
        program = await programs.read_program(db, program_id=shop.program.id)
    return await reading.read_everything(
        database, program=program, customer_id=customer_id, may_redeem=True, may_play=True
    )


async def test_the_page_shows_what_the_sections_tell(shop: Shop, database: Database) -> None:
    ids = await settle_in(shop)
    token = await token_of(shop)
    path = f"/v1/me/games/{ids['campaign_id']}/plays"
    assert (await call_as(shop, token, path, {}, Idempotency_Key="play")).status == 201
    body = {"reward_id": ids["reward_id"]}
    assert (await call_as(shop, token, "/v1/me/redemptions", body, Idempotency_Key="redeem")).status == 201
    told = msgspec.to_builtins(await everything(shop, database), str_keys=True)
    for section in SECTIONS:
        assert told[section], section
        assert msgspec.json.decode(msgspec.json.encode(told[section])) == await ask(shop, token, section), section
    assert told["me"]["balance"]["available"] == (await shop.balance("c-42"))["available"] == 179
    assert told["referral"]["code"] == "ANNA-20"
    assert [each["why"] for each in told["transactions"]["data"]] == [
        each["why"] for each in await ask(shop, token, "transactions")
    ]


async def ask(shop: Shop, token: str, section: str) -> Any:
    """Read a section."""
    return (await call_as(shop, token, f"/v1/me/{section}")).body["data"]


async def test_how_much_there_is_makes_no_more_statements(shop: Shop, database: Database, settings: Settings) -> None:
    ids = await settle_in(shop)
    await allow(shop, may_redeem=True, may_play=True)
    counted = Counted(settings)
    await counted.open()
    try:
        before = await _count(shop, counted)
        for _ in range(6):
            await make_reward(shop, unique("Reward"), 1)
            await set_rule(shop, unique("rule"), effect={"kind": "bonus", "points": 50})
        mug = {"id": "cup", "gift": {"kind": "reward", "reward_id": ids["reward_id"]}}
        for _ in range(4):
            game = await started(shop, trigger={"kind": "play", "per_day": None}, prizes=[mug], gifts_per_customer=None)
            for _ in range(5):
                assert (await play(shop, game)).status == 201
        assert await jobs.surprise(database) >= 20
        for number in range(8):
            await put(shop, "/v1/purchases", {"id": f"o-{number}", "customer_id": "c-42"} | PURCHASE)
        all_of_it = await everything(shop, counted)
        assert (len(all_of_it.surprises), len(all_of_it.vouchers), len(all_of_it.games)) == (20, 20, 5)
        assert await _count(shop, counted) <= before + 3  # one for names, one for vouchers, one for stock
        assert 20 < before <= MOST_STATEMENTS
    finally:
        await counted.close()


PURCHASE = {"occurred_at": "2026-01-02T10:00:00Z", "currency": "EUR", "total": 500}


async def _count(shop: Shop, counted: Counted) -> int:
    async with counted.connection() as db:
        program = await programs.read_program(db, program_id=shop.program.id)
    for _ in range(2):  # what never changes is read the first time
        counted.statements = 0
        await reading.read_everything(counted, program=program, customer_id="c-42", may_redeem=True, may_play=True)
    return counted.statements


async def test_nobody_has_no_page(shop: Shop, database: Database) -> None:
    with pytest.raises(NotFound):
        await everything(shop, database, "nobody")


async def test_a_newcomer_sees_empty_sections(shop: Shop, database: Database) -> None:
    assert (await shop.call("PUT", "/v1/customers/c-1", {})).status == 201
    await set_settings(shop, base_rule={"any_currency": None})
    told = await everything(shop, database, "c-1")
    assert [getattr(told, section) for section in SECTIONS] == [[] for _ in SECTIONS]
    assert (told.me.value, told.me.next_reward, told.transactions.data) == (None, None, [])
