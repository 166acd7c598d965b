"""Many want the same points at once, or the same redemption ended in several ways."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.jobs import give_back_lapsed, settle_due
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.vouchers import end, left, make, redeem


async def command(shop: Shop, path: str, body: dict[str, Any]) -> Answer:
    return await shop.post(path, body, Idempotency_Key=unique("key"))


async def test_fifty_at_once_for_the_last_points_and_exactly_those_that_fit_succeed(shop: Shop) -> None:
    await shop.buy(total=10_000)
    body = {"customer_id": "c-42", "points": 9}
    answers = await asyncio.gather(*(command(shop, "/v1/redemptions", body) for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [201] * 11 + [409] * 39
    assert {answer.code for answer in answers if answer.status == 409} == {"insufficient_points"}
    assert await shop.balance("c-42") == {"available": 1, "pending": 0, "held": 99, "debt": 0}


async def test_fifty_captures_and_releases_of_one_redemption_have_one_winner(shop: Shop) -> None:
    await shop.buy(total=10_000)
    held = await command(shop, "/v1/redemptions", {"customer_id": "c-42", "points": 100})
    paths = [f"/v1/redemptions/{held.body['id']}/{verb}" for verb in ("capture", "release")] * 25
    answers = await asyncio.gather(*(command(shop, path, {}) for path in paths))
    statuses = [{answer.status for answer in answers[verb::2]} for verb in (0, 1)]
    assert sorted(map(sorted, statuses)) == [[200], [409]]
    spent = statuses[0] == {200}
    balance = await shop.balance("c-42")
    assert (balance["available"], balance["held"]) == (0 if spent else 100, 0)


@pytest.mark.parametrize("turn", range(5))
async def test_purchases_and_redemptions_of_one_customer_at_once_lose_nothing(shop: Shop, turn: int) -> None:
    await shop.buy(total=20_000)  # enough for all, should they come first
    calls = [shop.buy(total=1_000) for _ in range(20)]
    calls += [command(shop, "/v1/redemptions", {"customer_id": "c-42", "points": 7 + turn}) for _ in range(10)]
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers} == {201}
    held = 10 * (7 + turn)
    assert await shop.balance("c-42") == {"available": 400 - held, "pending": 0, "held": held, "debt": 0}


async def test_of_a_lapse_and_a_capture_at_the_same_moment_one_wins(shop: Shop, owner: Db) -> None:
    """The redemption is over by time while it is captured: purchases that settle it race with captures of it."""
    await shop.buy(total=10_000)
    held = await command(shop, "/v1/redemptions", {"customer_id": "c-42", "points": 100, "expires_in": 60})
    await pass_time(owner, shop.program.id, timedelta(seconds=60))
    path = f"/v1/redemptions/{held.body['id']}/capture"
    calls = [call for _ in range(10) for call in (shop.buy(total=0), command(shop, path, {}))]
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers[::2]} == {201}
    assert {(answer.status, answer.code) for answer in answers[1::2]} == {(409, "hold_not_open")}
    assert await shop.balance("c-42") == {"available": 100, "pending": 0, "held": 0, "debt": 0}


async def hold_rewards(shop: Shop, reward_id: str, count: int, **more: Any) -> list[dict[str, Any]]:
    """Redeem a reward once for each of so many new customers; gives the redemptions."""
    names = [unique("c") for _ in range(count)]
    await asyncio.gather(*(shop.buy(customer_id=name, total=10_000) for name in names))
    held = await asyncio.gather(*(redeem(shop, reward_id, name, **more) for name in names))
    assert {answer.status for answer in held} == {201}
    return [answer.body for answer in held]


async def states(owner: Db, shop: Shop) -> Counter[tuple[str, str, bool]]:
    """Count how redemptions of rewards stand: the hold, the piece, and whether there is a voucher."""
    rows = await owner.fetch(
        "SELECT h.status, p.state, v.id IS NOT NULL AS is_issued FROM reward_piece AS p "
        "INNER JOIN hold AS h USING (program_id, id) LEFT JOIN voucher AS v USING (program_id, id) "
        "WHERE p.program_id = $1",
        shop.program.id,
    )
    return Counter((row["status"], row["state"], row["is_issued"]) for row in rows)


async def test_of_releases_and_captures_at_once_one_wins_and_stock_and_voucher_agree(shop: Shop, owner: Db) -> None:
    reward_id = await make(shop, stock=20)
    held = await hold_rewards(shop, reward_id, 20)
    ends = [(each["id"], verb) for each in held for verb in ("capture", "release", "capture", "release")]
    answers = await asyncio.gather(*(end(shop, *each) for each in ends))
    captured = 0
    for place in range(0, len(answers), 4):
        captures, releases = answers[place : place + 4 : 2], answers[place + 1 : place + 4 : 2]
        assert sorted([{each.status for each in captures}, {each.status for each in releases}], key=min) == [
            {200},
            {409},
        ]
        if captures[0].status == 200:
            captured += 1
            assert captures[0].text == captures[1].text, "one voucher, told twice"
    assert await left(shop, reward_id) == 20 - captured
    ended = {("captured", "issued", True): captured, ("released", "given_back", False): 20 - captured}
    assert await states(owner, shop) == Counter(ended)


async def test_of_a_lapse_and_a_capture_of_a_reward_at_once_one_wins(shop: Shop, owner: Db, database: Database) -> None:
    """Around the moment at which it lapses, each is captured, while both jobs book what has lapsed."""
    reward_id = await make(shop, stock=40)
    held = await hold_rewards(shop, reward_id, 40, expires_in=1)
    now: datetime = await owner.fetchval("SELECT clock_timestamp()")
    lasts = [(datetime.fromisoformat(each["expires_at"]) - now).total_seconds() for each in held]

    async def at(seconds: float, call: Awaitable[Any]) -> Any:
        await asyncio.sleep(max(0, seconds))
        return await call

    captures = [
        at(seconds + (number % 9 - 5) / 100, end(shop, each["id"], "capture"))
        for number, (seconds, each) in enumerate(zip(lasts, held, strict=True))
    ]
    jobs = [
        at(min(lasts) + number / 50, job(database)) for number in range(8) for job in (settle_due, give_back_lapsed)
    ]
    answers, _ = await asyncio.gather(asyncio.gather(*captures), asyncio.gather(*jobs))
    captured = sum(answer.status == 200 for answer in answers)
    assert {answer.code for answer in answers if answer.status != 200} <= {"hold_not_open"}
    await asyncio.sleep(max(0, max(lasts) - min(lasts)))
    await give_back_lapsed(database)
    ended = {("captured", "issued", True): captured, ("lapsed", "given_back", False): 40 - captured}
    assert await states(owner, shop) == Counter({how: count for how, count in ended.items() if count})
    assert await left(shop, reward_id) == 40 - captured


async def test_pieces_that_lapsed_are_given_back_once_however_many_do_it(
    shop: Shop, owner: Db, database: Database
) -> None:
    reward_id = await make(shop, stock=250)
    held = await hold_rewards(shop, reward_id, 250)
    await pass_time(owner, shop.program.id, timedelta(hours=1))
    releases = [end(shop, each["id"], "release") for each in held[::5]]
    jobs = [give_back_lapsed(database) for _ in range(2)]
    given_back, answers = await asyncio.gather(asyncio.gather(*jobs), asyncio.gather(*releases))
    assert sum(given_back) <= 250
    assert {(answer.status, answer.body["status"]) for answer in answers} == {(200, "lapsed")}
    assert await states(owner, shop) == {("lapsed", "given_back", False): 250}
    assert await left(shop, reward_id) == 250
    told = "SELECT count(*) FROM outbox WHERE program_id = $1 AND type = 'redemption.lapsed'"
    assert await owner.fetchval(told, shop.program.id) == 250
    assert await give_back_lapsed(database) == 0


async def test_points_at_once_pay_for_no_more_than_their_share_of_an_order(new_shop: NewShop) -> None:
    shop = await new_shop(point_value={"greatest_share": 5_000})
    await shop.buy(total=100_000)
    body = {"customer_id": "c-42", "points": 9, "order_id": "o-1", "order_total": 100}
    answers = await asyncio.gather(*(command(shop, "/v1/redemptions", body) for _ in range(50)))
    assert Counter(answer.status for answer in answers) == {201: 5, 422: 45}
    assert {answer.code for answer in answers if answer.status == 422} == {"greatest_share_exceeded"}
