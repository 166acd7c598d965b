"""Fifty at once for the last pieces, the last uses, the last codes: exactly those that there are."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from service.kernel.errors import NotFound, Refusal
from service.platform.roles import Role
from service.platform.statements import Db
from service.platform.transaction import transact
from service.rewards import usecases
from service.rewards.redeeming import Redemption, redeem_reward
from service.rewards.rules import PieceNotHeld, RewardChange, RewardNotAvailable, RewardStatus
from service.rewards.vouchers import Voucher
from tests.shop import Shop, unique
from tests.stories.months import pass_time
from tests.vouchers import issue, issue_piece, left, make, redeem, take, voucher

CALLERS = 50


async def at_once(shop: Shop, works: list[Callable[[Db], Awaitable[Any]]]) -> list[Any]:
    """Run works, each in a transaction of its own; a refusal is given as it is."""
    assert shop.database is not None
    connect = shop.database.connection

    async def one(work: Callable[[Db], Awaitable[Any]]) -> Any:
        try:
            return await transact(connect, work, patience=30)
        except Refusal as refusal:
            return refusal

    return await asyncio.gather(*(one(work) for work in works))


async def enrol(shop: Shop, count: int) -> list[str]:
    names = [unique("c") for _ in range(count)]
    for name in names:
        await shop.call("PUT", f"/v1/customers/{name}", {})
    return names


def taking(shop: Shop, reward_id: str, customer_id: str) -> Callable[[Db], Awaitable[UUID]]:
    return lambda db: take(db, shop, reward_id, customer_id)


def giving_back(shop: Shop, *piece_ids: UUID) -> Callable[[Db], Awaitable[None]]:
    return lambda db: usecases.give_back_stock(db, program_id=shop.program.id, piece_ids=piece_ids)


def issuing(shop: Shop, piece_id: UUID) -> Callable[[Db], Awaitable[Voucher]]:
    return lambda db: issue_piece(db, shop, piece_id)


async def buyers(shop: Shop, count: int) -> list[str]:
    """Enrol customers with 100 points each, which is what a reward of `make` costs."""
    names = [unique("c") for _ in range(count)]
    await asyncio.gather(*(shop.buy(customer_id=name, total=10_000) for name in names))
    return names


async def redeem_at_once(shop: Shop, reward_id: str, names: list[str]) -> Counter[str]:
    """Redeem a reward for each of these customers at once; counts what each was told."""
    answers = await asyncio.gather(*(redeem(shop, reward_id, name) for name in names))
    assert {answer.status for answer in answers} <= {201, 409}
    return Counter("held" if answer.status == 201 else answer.code for answer in answers)


async def redeeming(db: Db, shop: Shop, reward_id: str, customer_id: str) -> Redemption:
    """Redeem a reward in the caller's transaction."""
    return await redeem_reward(
        db,
        program=shop.program,
        customer_id=customer_id,
        reward_id=UUID(hex=reward_id[4:]),
        order_id=None,
        expires_in=None,
        entropy=random.getrandbits(62),
    )


async def somebody_waits_for(db: Db) -> None:
    """Wait until a transaction waits for a lock of this connection's."""
    while not await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    ):
        await asyncio.sleep(0.01)


def codes_of(results: list[Any]) -> Counter[str]:
    """Count the refusals by their codes, and `done`."""
    return Counter(each.code if isinstance(each, Refusal) else "done" for each in results)


async def test_fifty_redeem_a_voucher_at_once_and_exactly_its_uses_succeed(shop: Shop) -> None:
    code = await voucher(shop, voucher={"uses": 3})

    async def redeem(number: int) -> Any:
        body = {"order_id": f"o-{number}", "amount": 1000, "currency": "EUR"}
        return await shop.post(f"/v1/vouchers/{code}/redeem", body, Idempotency_Key=unique("key"))

    answers = await asyncio.gather(*(redeem(number) for number in range(CALLERS)))
    assert Counter(answer.status for answer in answers) == {200: 3, 409: CALLERS - 3}
    assert sorted(answer.body["number"] for answer in answers if answer.status == 200) == [1, 2, 3]
    assert {answer.code for answer in answers if answer.status == 409} == {"voucher_used_up"}


async def test_fifty_times_the_same_order_at_once_is_one_use(shop: Shop) -> None:
    code = await voucher(shop, voucher={"uses": 3})
    body = {"order_id": "o-1", "amount": 1000, "currency": "EUR"}
    path = f"/v1/vouchers/{code}/redeem"
    answers = await asyncio.gather(*(shop.post(path, body, Idempotency_Key=unique("key")) for _ in range(CALLERS)))
    assert {(answer.status, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert (await shop.get(f"/v1/vouchers/{code}")).body["used"] == 1


async def test_a_cancellation_and_a_redemption_at_once_follow_each_other(shop: Shop) -> None:
    code = await voucher(shop)
    body = {"order_id": "o-1", "amount": 1000, "currency": "EUR"}
    calls = [shop.post(f"/v1/vouchers/{code}/redeem", body, Idempotency_Key=unique("key"))]
    calls += [shop.post(f"/v1/vouchers/{code}/cancel", {}, Idempotency_Key=unique("key"))]
    redeemed, cancelled = await asyncio.gather(*calls)
    assert (redeemed.status, cancelled.status) in {(200, 409), (409, 200)}


async def test_fifty_take_the_last_pieces_at_once_and_exactly_those_that_fit_succeed(shop: Shop) -> None:
    reward_id = await make(shop, stock=7)
    names = await enrol(shop, CALLERS)
    results = await at_once(shop, [taking(shop, reward_id, name) for name in names])
    assert codes_of(results) == {"done": 7, "reward_out_of_stock": CALLERS - 7}
    assert await left(shop, reward_id) == 0
    held = [each for each in results if isinstance(each, UUID)]
    assert codes_of(await at_once(shop, [giving_back(shop, piece_id) for piece_id in held])) == {"done": 7}
    assert await left(shop, reward_id) == 7


async def test_fifty_redeem_the_last_pieces_at_once_and_exactly_those_that_fit_succeed(shop: Shop) -> None:
    reward_id, names = await make(shop, stock=5), await buyers(shop, CALLERS)
    assert await redeem_at_once(shop, reward_id, names) == {"held": 5, "reward_out_of_stock": 45}
    assert await left(shop, reward_id) == 0
    balances = Counter([tuple((await shop.balance(name)).values()) for name in names])
    assert balances == {(0, 0, 100, 0): 5, (100, 0, 0, 0): 45}, "who got none keeps the points"


@pytest.mark.parametrize("turn", range(5))
async def test_of_two_customers_for_the_last_piece_one_gets_it(shop: Shop, turn: int) -> None:
    reward_id, names = await make(shop, stock=1), await buyers(shop, 2)
    assert await redeem_at_once(shop, reward_id, names[::-1] if turn % 2 else names) == {
        "held": 1,
        "reward_out_of_stock": 1,
    }


async def test_a_customer_gets_as_many_as_one_may_at_once_and_no_more(shop: Shop) -> None:
    reward_id = await make(shop, limit_per_customer=2)
    await shop.buy(total=1_000_000)
    assert await redeem_at_once(shop, reward_id, ["c-42"] * 20) == {"held": 2, "reward_limit_reached": 18}
    assert await shop.balance("c-42") == {"available": 9_800, "pending": 0, "held": 200, "debt": 0}


async def test_fifty_at_once_get_what_others_let_lapse(shop: Shop, owner: Db) -> None:
    """Nothing has given the pieces back: who finds the reward sold out does it, and all that lapsed can be had."""
    reward_id, early, late = await make(shop, stock=5), await buyers(shop, 5), await buyers(shop, CALLERS)
    assert await redeem_at_once(shop, reward_id, early) == {"held": 5}
    await pass_time(owner, shop.program.id, timedelta(hours=1))
    assert await left(shop, reward_id) == 5
    assert await redeem_at_once(shop, reward_id, late) == {"held": 5, "reward_out_of_stock": 45}
    assert await redeem_at_once(shop, reward_id, early) == {"reward_out_of_stock": 5}
    for name in early:
        assert await shop.balance(name) == {"available": 100, "pending": 0, "held": 0, "debt": 0}


async def test_who_loses_the_last_piece_looks_again_for_one_that_lapsed(shop: Shop, owner: Db) -> None:
    """When the loser looked first, a piece was free, and nobody needed the one that had lapsed."""
    reward_id, names = await make(shop, stock=2), await buyers(shop, 3)
    assert await redeem_at_once(shop, reward_id, names[:1]) == {"held": 1}
    await pass_time(owner, shop.program.id, timedelta(hours=1))
    async with owner.transaction():
        await redeeming(owner, shop, reward_id, names[1])
        waiting = asyncio.create_task(redeem_at_once(shop, reward_id, names[2:]))
        await somebody_waits_for(owner)
    assert await waiting == {"held": 1}
    assert await left(shop, reward_id) == 0


async def test_fifty_issues_at_once_hand_each_loaded_code_out_once(shop: Shop) -> None:
    reward_id = await make(shop, codes="third_party")
    loaded = [f"T-{number}" for number in range(20)]
    assert (await shop.post(f"/v1/rewards/{reward_id}/codes", {"codes": loaded}, Role.ADMIN)).status == 200
    names = await enrol(shop, CALLERS)

    def work(name: str) -> Callable[[Db], Awaitable[Voucher]]:
        async def both(db: Db) -> Voucher:
            return await issue_piece(db, shop, await take(db, shop, reward_id, name))

        return both

    results = await at_once(shop, [work(name) for name in names])
    assert codes_of(results) == {"done": 20, "reward_out_of_stock": 30}
    assert sorted(each.code for each in results if isinstance(each, Voucher)) == sorted(loaded)


async def test_the_same_codes_loaded_at_once_into_two_rewards_are_in_one_of_them(shop: Shop) -> None:
    rewards = [await make(shop, codes="third_party") for _ in range(2)]
    codes = [f"T-{number}" for number in range(200)]

    async def load(reward_id: str, sent: list[str]) -> int:
        return (await shop.post(f"/v1/rewards/{reward_id}/codes", {"codes": sent}, Role.ADMIN)).body["loaded"]

    sent = [codes, codes[::-1]] * 3
    assert sum(await asyncio.gather(*(load(rewards[number % 2], each) for number, each in enumerate(sent)))) == 200
    assert sum([await left(shop, each) or 0 for each in rewards]) == 200


async def test_a_piece_is_issued_or_given_back_and_never_both(shop: Shop) -> None:
    reward_id = await make(shop, stock=20)
    names = await enrol(shop, 20)
    pieces: list[UUID] = await at_once(shop, [taking(shop, reward_id, name) for name in names])
    works = [work for piece_id in pieces for work in (issuing(shop, piece_id), giving_back(shop, piece_id))]
    results = await at_once(shop, works)
    for issued, given_back in zip(results[::2], results[1::2], strict=True):
        assert isinstance(issued, Voucher) != isinstance(issued, PieceNotHeld)
        assert (given_back is None) == isinstance(issued, PieceNotHeld)
    assert await left(shop, reward_id) == 20 - sum(isinstance(each, Voucher) for each in results)


async def test_an_issue_and_a_giving_back_again_change_nothing(shop: Shop) -> None:
    reward_id = await make(shop, stock=2)
    names = await enrol(shop, 2)
    one, other = await at_once(shop, [taking(shop, reward_id, name) for name in names])
    first, again = [await at_once(shop, [issuing(shop, one)]) for _ in range(2)]
    assert first == again
    for _ in range(2):
        assert await at_once(shop, [giving_back(shop, other)]) == [None]
    assert await left(shop, reward_id) == 1
    unknown = UUID(int=1)
    for work in (issuing(shop, unknown), giving_back(shop, unknown)):
        assert isinstance((await at_once(shop, [work]))[0], NotFound)


async def test_pieces_of_many_rewards_are_given_back_at_once_without_a_deadlock(shop: Shop) -> None:
    rewards = [await make(shop, stock=40) for _ in range(3)]
    names = await enrol(shop, 12)
    pieces = [await at_once(shop, [taking(shop, each, name) for each in rewards]) for name in names]
    works = [giving_back(shop, *(mine[::-1] if number % 2 else mine)) for number, mine in enumerate(pieces)]
    assert codes_of(await at_once(shop, works)) == {"done": 12}
    assert [await left(shop, each) for each in rewards] == [40, 40, 40]


async def test_a_stock_that_is_changed_while_pieces_are_taken_is_kept(shop: Shop) -> None:
    reward_id, names = await make(shop, stock=50), await buyers(shop, 30)

    async def lower() -> None:
        for stock in (20, 15, 10, 5):
            await shop.call("PATCH", f"/v1/rewards/{reward_id}", {"stock": stock}, role=Role.ADMIN)

    told, _ = await asyncio.gather(redeem_at_once(shop, reward_id, names), lower())
    reward = (await shop.get(f"/v1/rewards/{reward_id}")).body
    assert reward["left"] == reward["stock"] - told["held"] >= 0


@pytest.mark.parametrize(
    "change", [RewardChange(status=RewardStatus.ARCHIVED), RewardChange(points=7)], ids=["archived", "dearer"]
)
async def test_a_reward_that_is_changed_while_somebody_waits_for_it_is_looked_at_anew(
    shop: Shop, owner: Db, change: RewardChange
) -> None:
    """It costs what it costs then, and the points that were set aside are those that the piece has cost."""
    reward_id = await make(shop)
    (name,) = await buyers(shop, 1)
    tries = itertools.count()

    async def work(db: Db) -> Redemption:
        next(tries)
        return await redeeming(db, shop, reward_id, name)

    async with owner.transaction():
        await usecases.change_reward(
            owner, program_id=shop.program.id, reward_id=UUID(hex=reward_id[4:]), change=change, entropy=1
        )
        waiting = asyncio.create_task(at_once(shop, [work]))
        await somebody_waits_for(owner)
    (result,) = await waiting
    assert next(tries) == 2, "begun again"
    if change.status is RewardStatus.ARCHIVED:
        assert isinstance(result, RewardNotAvailable)
    else:
        assert result.hold.points == 7
        assert await owner.fetchval("SELECT reward_version FROM reward_piece WHERE id = $1", result.hold.id) == 2


async def test_fifty_captures_at_once_hand_each_loaded_code_out_once(shop: Shop) -> None:
    """The pieces are held already, so that nobody waits for anything but the codes."""
    reward_id = await make(shop, codes="third_party")
    loaded = [f"T-{number}" for number in range(CALLERS)]
    await shop.post(f"/v1/rewards/{reward_id}/codes", {"codes": loaded}, Role.ADMIN)
    pieces: list[UUID] = await at_once(shop, [taking(shop, reward_id, name) for name in await enrol(shop, CALLERS)])
    issued: list[Voucher] = await at_once(shop, [issuing(shop, piece_id) for piece_id in pieces])
    assert sorted(each.code for each in issued) == sorted(loaded)


async def test_a_code_that_another_voucher_has_is_not_given_twice(shop: Shop) -> None:
    reward_id = await make(shop)
    await issue(shop, reward_id, code_bits=5)
    bits = iter([5, 5, 6])
    (name,) = await enrol(shop, 1)

    async def work(db: Db) -> Voucher:
        return await issue_piece(db, shop, await take(db, shop, reward_id, name), next(bits))

    (issued,) = await at_once(shop, [work])
    assert issued.code == "000000000006"


@pytest.mark.parametrize("why", ["draft", "archived"])
async def test_what_cannot_be_had_is_not_taken(shop: Shop, why: str) -> None:
    reward_id = await make(shop, status=why)
    (name,) = await enrol(shop, 1)
    assert codes_of(await at_once(shop, [taking(shop, reward_id, name)])) == {"reward_not_available": 1}
