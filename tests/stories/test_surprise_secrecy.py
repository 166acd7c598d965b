"""A surprise stays one: before its moment nothing tells of it, afterwards all does. And nothing is drawn twice."""

import json
from typing import Any

import pytest

from service.kernel.ids import to_wire
from service.news import KINDS
from service.platform.queue.turn import Turn
from service.platform.roles import Role
from service.surprises import jobs, noticing
from tests.api.test_events import read_all, sequenced
from tests.stories.surprised import UNBOUND, Story
from tests.stories.test_records import merge
from tests.surprises import SWEET, started

AFTER: dict[str, Any] = {"kind": "after", "fact": "purchase", "minutes": 60}
PRIZE: dict[str, Any] = SWEET | {"id": "truffle"}


async def waiting(story: Story) -> str:
    """Read the id of the gift that waits."""
    rows = await story.rows("SELECT id, state FROM surprise WHERE program_id = $1")
    assert [row["state"] for row in rows] == ["waiting"]
    return to_wire("sur", rows[0]["id"])


async def told(story: Story, customer: str = "anna") -> dict[str, str]:
    """Read all that is told of a customer, outside of campaigns."""
    shop, path = story.shop, f"/v1/customers/{customer}"
    await sequenced(shop)
    answers = {
        what: await shop.get(f"{path}/{what}", Role.ADMIN)
        for what in ("surprises", "balance", "transactions", "lots", "rewards", "export")
    }
    answers["profile"] = await shop.get(path, Role.ADMIN)
    assert {what: each.status for what, each in answers.items() if each.status != 200} in ({}, {"rewards": 404})
    texts = {what: each.text for what, each in answers.items() if each.status == 200}
    texts["events"] = json.dumps(await read_all(shop))
    return texts


def tells(texts: dict[str, str], surprise_id: str) -> set[str]:
    """Tell where a gift is spoken of, or its points, or anything of surprises but an empty list of them."""
    words = (surprise_id, surprise_id.removeprefix("sur_"), "truffle", "surprise.", '"surprise"')
    return {what for what, text in texts.items() if any(word in text for word in words)}


async def test_nothing_tells_of_a_gift_before_its_moment_and_afterwards_all_does(story: Story) -> None:
    await started(story.shop, trigger=AFTER, prizes=[PRIZE])
    await story.buys()
    before_it = await told(story)
    await story.at("2030-12-01 10:05")
    surprise_id = await waiting(story)
    now = await told(story)
    assert tells(now, surprise_id) == set()
    # What is told of the customer is what was told before it was drawn.
    for what in ("surprises", "balance", "transactions", "lots", "events", "profile"):
        assert now[what] == before_it[what], what
    assert (await story.shop.get(f"/v1/surprises/{surprise_id}")).status == 404
    unknown = await story.shop.get("/v1/surprises/sur_00000000000070008000000000000000")
    hidden = await story.shop.get(f"/v1/surprises/{surprise_id}")
    assert {**hidden.body, "request_id": ""} == {**unknown.body, "request_id": ""}
    await story.at("2030-12-01 11:05")
    assert tells(await told(story), surprise_id) == {"surprises", "transactions", "lots", "events", "export"}
    shown = await story.shop.get(f"/v1/surprises/{surprise_id}")
    assert (shown.status, shown.body["prize"], shown.body["customer_id"]) == (200, "truffle", "anna")
    assert await story.points() == 50


async def test_a_gift_that_waits_goes_on_waiting_through_a_merge_that_tells_nothing_of_it(story: Story) -> None:
    await started(story.shop, trigger=AFTER, prizes=[PRIZE])
    await story.tells("bert")
    await story.buys()
    await story.at("2030-12-01 10:05")
    surprise_id = await waiting(story)
    merged = await merge(story.shop, "anna", "bert")
    assert merged.status == 200, merged.text
    assert tells({"merge": merged.text} | await told(story, "bert"), surprise_id) == set()
    await story.goes(("2030-12-01 11:05", None, 1, 50), customer="bert")
    assert (await story.shop.get(f"/v1/surprises/{surprise_id}")).body["customer_id"] == "bert"


async def test_an_erasure_stops_what_waits_and_nobody_learns_of_it(story: Story) -> None:
    campaign_id = await started(story.shop, trigger=AFTER, prizes=[PRIZE | {"stock": 5}])
    await story.buys()
    await story.at("2030-12-01 10:05")
    surprise_id = await waiting(story)
    erased = await story.shop.call("DELETE", "/v1/customers/anna", role=Role.ADMIN)
    await story.at("2030-12-01 11:05")
    await sequenced(story.shop)
    events = json.dumps(await read_all(story.shop))
    assert tells({"erasure": erased.text, "events": events}, surprise_id) == set()
    assert (await story.shop.get(f"/v1/surprises/{surprise_id}")).status == 404
    assert await story.left(campaign_id, "prize:truffle") == 5


async def test_a_preview_of_a_purchase_draws_nothing(story: Story) -> None:
    campaign_id = await started(story.shop)
    body = {"id": "order-1", "customer_id": "anna", "occurred_at": story.now, "currency": "EUR", "total": 100}
    for _ in range(2):
        preview = await story.shop.post("/v1/purchases?dry_run=true", body)
        assert (preview.status, preview.body["surprises"]) == (200, [])
    assert await story.counted("campaign_draw", campaign_id) == 0


async def test_a_look_that_is_cut_before_it_goes_on_draws_nothing_twice(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = await started(story.shop, trigger=AFTER, **UNBOUND)
    await story.tells("bert")
    await story.suppress("complaint", "bert")
    for name in ("anna", "bert"):
        await story.buys(name)
    await story.buys()
    await sequenced(story.shop)
    database = story.shop.database
    assert database is not None
    going_on = noticing.go_on

    async def cut(*_: Any, **__: Any) -> None:
        raise RuntimeError("the process ends here")

    monkeypatch.setattr(noticing, "go_on", cut)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await jobs.notice_occasions(database, Turn(story.shop.program.id), kinds=KINDS)
    monkeypatch.setattr(noticing, "go_on", going_on)
    assert await jobs.notice_occasions(database, Turn(story.shop.program.id), kinds=KINDS)
    assert await story.counted("campaign_draw", campaign_id) == 2
    assert len(await story.stops(campaign_id)) == 1
    await story.goes(("2030-12-01 11:05", None, 2, 100))
