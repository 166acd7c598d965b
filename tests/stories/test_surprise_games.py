"""Games, each story a list of dates, plays, and what was won: a wheel, a door a day, plays that were granted, odds."""

from collections import Counter
from typing import Any

from service.platform.roles import Role
from tests.shop import unique
from tests.stories.surprised import UNBOUND, Story
from tests.surprises import NOTHING, SWEET, started


def wheel(**changes: Any) -> dict[str, Any]:
    """Make a wheel's campaign."""
    return {"trigger": {"kind": "play"} | changes} | UNBOUND


async def test_a_wheel_costs_points_and_turns_once_a_day(story: Story) -> None:
    campaign_id = await started(story.shop, **wheel(points=20))
    await story.buys()
    assert (await story.plays(campaign_id)).code == "insufficient_points"
    await story.gives(100)
    played = await story.plays(campaign_id)
    assert played.status == 201, played.text
    assert played.body["prize"]["points"] == 50
    assert played.body["balance"]["available"] == 130
    assert (await story.plays(campaign_id)).code == "plays_used_up"
    await story.at("2030-12-01 23:59")
    assert (await story.plays(campaign_id)).code == "plays_used_up"
    await story.at("2030-12-02 00:00")
    assert (await story.plays(campaign_id)).body["balance"]["available"] == 160


async def test_a_calendar_has_a_door_a_day_and_none_is_opened_later(story: Story) -> None:
    campaign_id = await started(story.shop, **wheel(), ends_at="2030-12-07T23:00:00Z")
    await story.buys()
    opened = list[tuple[int, int]]()
    for day in (1, 2, 3, 5, 6, 7):  # the 4th was missed
        await story.at(f"2030-12-{day:02} 12:00")
        body = (await story.plays(campaign_id)).body
        opened.append((body["number"], body["balance"]["available"]))
        assert body["left_today"] == 0
        assert (await story.plays(campaign_id)).code == "plays_used_up"
    assert opened == [(number, 50 * number) for number in range(1, 7)]
    await story.at("2030-12-08 00:01")
    assert (await story.plays(campaign_id)).code == "game_not_open"
    assert await story.points() == 300


async def test_plays_that_were_granted_are_used_one_by_one(story: Story) -> None:
    campaign_id = await started(story.shop, **wheel(granted=True, per_day=None))
    await story.buys()
    assert (await story.plays(campaign_id)).code == "plays_used_up"

    async def grants(plays: int) -> dict[str, Any]:
        body = {"customer_id": "anna", "plays": plays}
        path = f"/v1/campaigns/{campaign_id}/play-grants"
        answer = await story.shop.post(path, body, Role.MARKETER, Idempotency_Key=unique("key"))
        assert answer.status == 201, answer.text
        return answer.body

    assert (await grants(2))["left_granted"] == 2
    assert (await grants(1))["left_granted"] == 3
    left = [(await story.plays(campaign_id)).body["left_granted"] for _ in range(3)]
    assert left == [2, 1, 0]
    assert (await story.plays(campaign_id)).code == "plays_used_up"
    await story.at("2030-12-05 10:00")
    assert (await story.plays(campaign_id)).code == "plays_used_up"
    assert await story.points() == 150


async def test_a_game_can_be_played_so_many_times_in_all(story: Story) -> None:
    campaign_id = await started(story.shop, **wheel(per_day=2, per_customer=3))
    await story.buys()
    assert [(await story.plays(campaign_id)).status for _ in range(3)] == [201, 201, 409]
    await story.at("2030-12-02 10:00")
    assert [(await story.plays(campaign_id)).status for _ in range(2)] == [201, 409]
    assert await story.points() == 150


async def test_a_wheel_gives_by_its_odds(story: Story) -> None:
    prizes = [NOTHING | {"weight": 1}, SWEET | {"weight": 3}]
    campaign_id = await started(story.shop, **wheel(per_day=None), prizes=prizes)
    await story.buys()
    won = Counter[bool]()
    for _ in range(60):
        won[(await story.plays(campaign_id)).body["prize"] is not None] += 1
    # 45 of 60 are expected, with a standard deviation of 3.4: beyond 25 to 60 no lot falls in 10^8.
    assert 25 < won[True] < 60
    assert await story.points() == 50 * won[True]


async def test_a_prize_of_a_game_that_is_a_reward_comes_with_its_voucher(story: Story) -> None:
    made = await story.shop.post(
        "/v1/rewards",
        {"name": "A mug", "gives": {"kind": "gift", "description": "a mug"}, "points": 100},
        Role.MARKETER,
    )
    prize = {"id": "mug", "gift": {"kind": "reward", "reward_id": made.body["id"]}, "stock": 1, "cost": 500}
    campaign_id = await started(story.shop, **wheel(per_day=None), prizes=[prize])
    await story.buys()
    played = (await story.plays(campaign_id)).body
    assert (played["prize"]["kind"], played["prize"]["reward_id"]) == ("reward", made.body["id"])
    assert (await story.plays(campaign_id)).code == "game_not_open"
    await story.at("2030-12-01 10:10")
    (shown,) = await story.gifts()
    assert shown["id"] == played["prize"]["surprise_id"]
    assert shown["voucher_code"] is not None
