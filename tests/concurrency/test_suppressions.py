"""Suppressions that meet each other, a merge and an erasure."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from service.customers.suppressions import usecases as suppressions
from service.customers.suppressions.rules import NewSuppression, Suppressing, Suppression, SuppressionReason
from service.kernel.errors import NotFound
from service.platform.database import Database
from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from tests.api.test_suppressions import PATH, holding, lift, listed, suppress, told
from tests.concurrency.office import Office, erase, interrupted, merge, outside, queue_behind
from tests.shop import Shop

CASE = SuppressionReason.OPEN_CASE
BY = UUID(int=1)


@pytest.fixture
async def office(settings: Settings, shop: Shop) -> AsyncGenerator[Office]:
    """Give an office of the shop."""
    db = await Database(settings).connect()
    yield Office(db, shop.program)
    await db.close()


def suppressing(shop: Shop, earlier: Sequence[Suppressing] = (), customer_id: str = "c-42", **content: Any) -> Any:
    async def work(db: Db) -> Suppressing:
        return await suppressions.suppress(
            db,
            program_id=shop.program.id,
            customer_id=customer_id,
            new=NewSuppression(CASE, **content),
            by=BY,
            entropy=random.getrandbits(62),
            earlier=earlier,
        )

    return work


def lifting(shop: Shop, earlier: Sequence[Suppression] = ()) -> Any:
    async def work(db: Db) -> Suppression:
        return await suppressions.lift(
            db,
            program_id=shop.program.id,
            customer_id="c-42",
            reason=CASE,
            by=BY,
            entropy=random.getrandbits(62),
            earlier=earlier,
        )

    return work


async def test_of_many_at_once_for_one_reason_one_is_new_and_one_is_told(shop: Shop) -> None:
    await shop.buy()
    answers = await asyncio.gather(*(suppress(shop, reference="case-7") for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert len(await told(shop)) == 1


async def test_of_many_at_once_with_other_content_one_holds_and_each_is_told(shop: Shop) -> None:
    await shop.buy()
    answers = await asyncio.gather(*(suppress(shop, reference=f"case-{number}") for number in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
    (holds,) = await listed(shop)
    assert holds in [answer.body for answer in answers]
    assert len(await told(shop)) == 20


async def test_different_reasons_at_once_all_hold(shop: Shop) -> None:
    await shop.buy()
    answers = await asyncio.gather(*(suppress(shop, reason.value) for reason in SuppressionReason for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [200] * 12 + [201] * 6
    assert set(await holding(shop)) == {reason.value for reason in SuppressionReason}


async def test_one_that_is_lifted_many_times_at_once_is_lifted_once(shop: Shop) -> None:
    await shop.buy()
    await suppress(shop)
    answers = await asyncio.gather(*(lift(shop) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] + [404] * 19
    assert [kind for kind, _ in await told(shop)] == ["suppressed", "suppression_lifted"]


async def test_setting_and_lifting_while_the_customer_buys_loses_nothing(shop: Shop) -> None:
    await shop.buy(total=1_000)
    calls = [call for _ in range(10) for call in (suppress(shop), lift(shop), shop.buy(total=1_000))]
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers} <= {200, 201, 404}
    assert (await shop.balance("c-42"))["available"] == 110
    kinds = [kind for kind, _ in await told(shop)]
    assert kinds == ["suppressed", "suppression_lifted"] * (len(kinds) // 2) + ["suppressed"] * (len(kinds) % 2)
    assert len(await holding(shop)) == len(kinds) % 2


async def test_one_that_waited_for_a_merge_holds_for_the_record_that_there_is_then(
    shop: Shop, office: Office, owner: Db
) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name)
    await office.merge("guest", "c-42")
    setting = asyncio.create_task(suppress(shop, path="/v1/customers/guest/suppressions"))
    await queue_behind(owner, office.pid)
    await office.end()
    assert (await setting).status == 201
    assert await holding(shop) == ["open_case"]


async def test_one_that_waited_for_an_erasure_finds_nobody(shop: Shop, office: Office, owner: Db) -> None:
    await shop.buy()
    await suppress(shop)
    await office.erase("c-42")
    waiting = [asyncio.create_task(call) for call in (suppress(shop, reference="case-7"), lift(shop))]
    await queue_behind(owner, office.pid, 2)
    await office.end()
    assert [(await each).status for each in waiting] == [404, 404]


async def test_a_list_that_is_read_while_records_become_one_shows_either(shop: Shop) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name)
    await suppress(shop, path="/v1/customers/guest/suppressions")

    async def reading(db: Db) -> list[Suppression]:
        return await suppressions.list_newest(
            db, program_id=shop.program.id, customer_id="guest", before=None, limit=50
        )

    found = await outside(shop, reading, "FROM customer AS", partial(merge, shop, "guest", "c-42"))
    assert [each.reason for each in found] == [CASE]
    assert await holding(shop) == ["open_case"]


async def test_what_runs_again_after_it_was_committed_is_answered_as_it_was_whatever_became_of_it(shop: Shop) -> None:
    await shop.buy()
    assert shop.database is not None
    made = await transact(shop.database.connection, suppressing(shop, reference="case-7"))
    assert made.is_new
    assert await transact(shop.database.connection, suppressing(shop, [made], reference="case-7")) == made
    lifted = await transact(shop.database.connection, lifting(shop))
    # Somebody else has set it anew since: neither of the two comes again.
    anew = await suppress(shop, reference="case-8")
    assert await transact(shop.database.connection, lifting(shop, [lifted])) == lifted
    assert await transact(shop.database.connection, suppressing(shop, [made], reference="case-7")) == made
    assert await listed(shop) == [anew.body]
    assert (await erase(shop, "c-42")).status == 200
    assert await transact(shop.database.connection, suppressing(shop, [made], reference="case-7")) == made


async def test_what_an_attempt_that_was_rolled_back_gave_counts_for_nothing(shop: Shop) -> None:
    await shop.buy()
    assert shop.database is not None
    tried = await transact(shop.database.connection, suppressing(shop), rollback=True)
    made = await transact(shop.database.connection, suppressing(shop, [tried]))
    assert made.is_new
    assert made.suppression.id != tried.suppression.id
    undone = await transact(shop.database.connection, lifting(shop), rollback=True)
    await transact(shop.database.connection, lifting(shop, [undone]))
    assert await listed(shop) == []
    with pytest.raises(NotFound):
        await transact(shop.database.connection, lifting(shop, [undone]))


async def test_a_merge_behind_the_locks_of_one_that_is_set_takes_it_along(shop: Shop) -> None:
    """The merge waits for the customer: it sees what was set under the lock."""
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name)
    merging = list[asyncio.Task[Any]]()

    async def meanwhile() -> None:
        merging.append(asyncio.create_task(merge(shop, "guest", "c-42")))
        await asyncio.sleep(0.05)

    work = suppressing(shop, customer_id="guest", reference="case-7")
    await interrupted(shop, work, "FROM suppression AS", meanwhile)
    assert (await merging[0]).status == 200
    answer = await shop.get(PATH, Role.SUPPORT)
    assert [each["reference"] for each in answer.body["data"]] == ["case-7"]
