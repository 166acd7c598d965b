"""What bounds surprises, each story a list of dates: tickets, budgets, pacing, limits of each customer, states."""

from collections.abc import Callable
from typing import Any

import pytest

from service.platform.roles import Role
from tests.shop import Answer
from tests.stories.surprised import UNBOUND, Story, set_program, sweet
from tests.surprises import NOTHING, SWEET, made, move, started

AFTER: dict[str, Any] = {"kind": "after", "fact": "purchase", "minutes": 60}


async def ticket(story: Story, **content: Any) -> str:
    """Make a reward that is a ticket for the opera; gives its id."""
    body = {"name": "A ticket", "gives": {"kind": "event_ticket", "event": "Opera"}, "points": 1000} | content
    answer = await story.shop.post("/v1/rewards", body, Role.MARKETER)
    assert answer.status == 201, answer.text
    return answer.body["id"]


def of(reward_id: str, **changes: Any) -> dict[str, Any]:
    """Make the prize of a reward."""
    return {"id": "ticket", "gift": {"kind": "reward", "reward_id": reward_id}, "stock": 2, "cost": 900} | changes


async def test_a_ticket_that_runs_out_is_given_to_nobody_more(story: Story) -> None:
    await started(story.shop, prizes=[of(await ticket(story)), NOTHING | {"weight": 0}])
    won = [(await story.buys(customer)).body["surprises"] for customer in ("anna", "bert", "cleo")]
    assert [len(each) for each in won] == [1, 1, 0]
    await story.work()
    (shown,) = await story.gifts()
    assert shown["voucher_code"] is not None
    assert await story.gifts("cleo") == []


@pytest.mark.parametrize("why", ["archived", "sold out"])
async def test_a_ticket_that_cannot_be_had_any_more_fails_and_is_given_back(story: Story, why: str) -> None:
    reward_id = await ticket(story, stock=1)
    campaign_id = await started(story.shop, trigger=AFTER, prizes=[of(reward_id)], budget={"cost": 1800})
    await story.goes(("2030-12-01 10:10", story.buying(), 0, 0))
    assert (await story.left(campaign_id, "prize:ticket"), await story.left(campaign_id, "cost")) == (1, 900)
    if why == "archived":
        changed = await story.shop.call("PATCH", f"/v1/rewards/{reward_id}", {"status": "archived"}, role=Role.MARKETER)
        assert changed.status == 200, changed.text
    else:  # bert is first
        await story.buys("bert")
        await story.gives(1000, "bert")
        # It is held, and lapses while he is drawn for: that is told, too.
        body = {"customer_id": "bert", "reward_id": reward_id}
        answer = await story.shop.post("/v1/redemptions", body, Idempotency_Key="the-last-one")
        assert answer.status == 201, answer.text
    await story.goes(("2030-12-01 11:20", None, 0, 0))
    states = await story.rows("SELECT DISTINCT state FROM surprise WHERE program_id = $1")
    assert {row["state"] for row in states} == {"failed"}
    assert (await story.left(campaign_id, "prize:ticket"), await story.left(campaign_id, "cost")) == (2, 1800)


@pytest.mark.parametrize("budget", [{"points": 120}, {"cost": 25}], ids=["points", "money"])
async def test_a_budget_that_ends_ends_the_gifts_and_the_comparison(story: Story, budget: dict[str, int]) -> None:
    campaign_id = await started(story.shop, budget=budget)
    won = [len((await story.buys(f"guest {number}")).body["surprises"]) for number in range(4)]
    assert won == [1, 1, 0, 0]
    assert await story.counted("campaign_enrolment", campaign_id) == 2
    # What is left is too little for a sweet, and stays.
    resource, most, price = ("points", 120, 50) if "points" in budget else ("cost", 25, 10)
    assert await story.left(campaign_id, resource) == most - 2 * price


async def test_a_stock_that_is_paced_is_given_over_the_whole_period(story: Story) -> None:
    ten_days = {"starts_at": "2030-12-01T23:00:00Z", "ends_at": "2030-12-11T23:00:00Z"}
    campaign_id = await started(story.shop, prizes=sweet(stock=10), pacing="even", **ten_days)
    given, total = list[int](), 0
    for day in range(2, 12):
        await story.at(f"2030-12-{day:02} 18:00")
        for number in range(4):
            total += len((await story.buys(f"guest {day}.{number}")).body["surprises"])
        given.append(total)
    # By 18:00 of the n-th day n - 0.25 are released; half of one comes ahead, so that the first doesn't wait for a day.
    assert all(each <= day + 0.25 for day, each in enumerate(given, 1)), given
    assert given[0] >= 1
    assert given[-1] > given[-2], "the last day has none"
    assert total == 10
    assert await story.left(campaign_id, "prize:sweet") == 0


async def test_after_a_surprise_there_is_none_for_a_while_whatever_the_campaign(story: Story) -> None:
    await set_program(story.shop, surprises={"cool_down_days": 7})
    await started(story.shop, **UNBOUND)
    await started(story.shop, **UNBOUND)
    await story.goes(
        ("2030-12-01 10:10", story.buying(), 1, 50),
        ("2030-12-08 10:00", story.buying(), 1, 50),
        ("2030-12-08 10:11", story.buying(), 2, 100),
    )


async def test_a_customer_gets_so_many_surprises_a_year_at_most(story: Story) -> None:
    await set_program(story.shop, surprises={"per_year": 2})
    await started(story.shop, **UNBOUND)
    await story.goes(
        ("2030-12-01 10:10", story.buying(), 1, 50),
        ("2031-03-01 10:10", story.buying(), 2, 100),
        ("2031-11-30 10:10", story.buying(), 2, 100),
        ("2031-12-01 10:11", story.buying(), 3, 150),
        ("2032-02-28 10:10", story.buying(), 3, 150),
        ("2032-02-29 10:11", story.buying(), 4, 200),
    )


async def test_a_customer_gets_so_many_gifts_of_a_campaign_at_most(story: Story) -> None:
    await started(story.shop, gifts_per_customer=2)
    await started(story.shop, trigger=AFTER)
    await story.goes(
        ("2030-12-01 10:10", story.buying(), 1, 50),
        ("2030-12-02 10:10", story.buying(), 3, 150),
        ("2030-12-03 10:10", story.buying(), 3, 150),
        ("2030-12-04 10:10", None, 3, 150),
    )
    assert [len((await story.buys("bert")).body["surprises"]) for _ in range(3)] == [1, 1, 0]


async def test_only_an_active_campaign_draws_and_what_waits_still_comes(story: Story) -> None:
    campaign_id = await made(story.shop, trigger=AFTER, **UNBOUND)

    def moving(verb: str) -> Callable[[], Any]:
        async def work() -> Answer:
            answer = await move(story.shop, campaign_id, verb)
            assert answer.status == 200, answer.text
            return answer

        return work

    await story.goes(
        ("2030-12-01 10:10", story.buying(), 0, 0),  # a draft
        ("2030-12-01 12:00", moving("activate"), 0, 0),
        ("2030-12-02 10:00", story.buying(), 0, 0),
        ("2030-12-02 10:10", moving("pause"), 0, 0),
        ("2030-12-02 10:20", story.buying(), 0, 0),
        ("2030-12-02 12:00", None, 1, 50),  # that of 10:00
        ("2030-12-02 12:10", moving("activate"), 1, 50),
        ("2030-12-03 10:00", story.buying(), 1, 50),
        ("2030-12-03 10:10", moving("close"), 1, 50),
        ("2030-12-03 10:20", story.buying(), 1, 50),
        ("2030-12-04 10:00", None, 2, 100),
    )
    assert await story.counted("campaign_draw", campaign_id) == 2


async def test_a_campaign_draws_in_its_period_and_what_waits_comes_behind_it(story: Story) -> None:
    period = {"starts_at": "2030-12-02T09:00:00Z", "ends_at": "2030-12-03T09:00:00Z"}
    await started(story.shop, trigger=AFTER, **UNBOUND, **period)
    await story.goes(
        ("2030-12-02 09:50", story.buying(), 0, 0),
        ("2030-12-02 10:10", story.buying(), 0, 0),
        ("2030-12-02 12:00", None, 1, 50),
        ("2030-12-03 09:50", story.buying(), 1, 50),
        ("2030-12-03 10:10", story.buying(), 1, 50),
        ("2030-12-03 12:00", None, 2, 100),
    )


async def test_a_change_makes_a_version_and_draws_name_the_one_that_they_saw(story: Story) -> None:
    campaign_id = await started(story.shop, **UNBOUND, prizes=[SWEET, NOTHING | {"weight": 0}])
    await story.goes(("2030-12-01 10:10", story.buying(), 1, 50))
    body = {"prizes": [SWEET | {"weight": 0}, NOTHING, SWEET | {"id": "more", "weight": 5, "cost": 1}]}
    await story.at("2030-12-02 10:00")
    changed = await story.shop.call("PATCH", f"/v1/campaigns/{campaign_id}", body, role=Role.MARKETER)
    assert changed.status == 200, changed.text
    for day in range(3, 9):
        await story.at(f"2030-12-{day:02} 10:00")
        await story.buys()
    versions = await story.shop.get(f"/v1/campaigns/{campaign_id}/versions", Role.MARKETER)
    numbers = [each["version"] for each in versions.body["data"]]
    assert numbers == sorted(numbers, reverse=True)
    drawn = await story.rows(
        "SELECT version, prize FROM campaign_draw WHERE program_id = $1 AND campaign_id = $2::uuid ORDER BY drawn_at",
        campaign_id.removeprefix("cmp_"),
    )
    assert [row["version"] for row in drawn] == [numbers[1]] + [numbers[0]] * 6
    assert (drawn[0]["prize"], 0 in {row["prize"] for row in drawn[1:]}) == (0, False)
    gifts = await story.gifts()
    assert {each["prize"] for each in gifts[:-1]} <= {"more"}
    assert gifts[-1]["prize"] == "sweet"
