"""Games through HTTP: plays, plays that are granted, and gifts once they are revealed."""

from typing import Any

from service.platform.roles import Role
from service.platform.statements import Db
from tests import jobs
from tests.api.test_events import sequenced
from tests.conftest import NewShop
from tests.shop import Answer, Shop, unique
from tests.surprises import SWEET, buy, made, move, play, started

GAME: dict[str, Any] = {"kind": "play", "per_day": None}
GRANTED: dict[str, Any] = GAME | {"granted": True}
NO_SURPRISE = "sur_00000000000070008000000000000000"


async def enrol(shop: Shop, customer: str = "c-42") -> None:
    """Enrol a customer."""
    assert (await shop.call("PUT", f"/v1/customers/{customer}", {})).status == 201


async def grant(shop: Shop, campaign_id: str, dry: str = "", /, key: str = "", **body: Any) -> Answer:
    """Grant a customer plays."""
    path = f"/v1/campaigns/{campaign_id}/play-grants{dry}"
    given = {"customer_id": "c-42"} | body
    return await shop.post(path, given, Role.MARKETER, Idempotency_Key=key or unique("key"))


async def test_a_play_is_drawn_once_for_each_key_and_answered_alike_from_then_on(shop: Shop) -> None:
    await enrol(shop)
    game = await started(shop, trigger=GAME, gifts_per_customer=None)
    first = await play(shop, game, key="one")
    assert first.status == 201, first.text
    assert first.body["prize"]["points"] == 50
    assert (first.body["number"], first.body["balance"]["available"]) == (1, 50)
    again = await play(shop, game, key="one")
    assert (again.status, again.body, again.replayed) == (201, first.body, True)
    assert (await play(shop, game, key="two")).body["number"] == 2
    assert (await shop.balance("c-42"))["available"] == 100


async def test_a_play_has_no_dry_run_and_needs_a_key(shop: Shop) -> None:
    await enrol(shop)
    game = await started(shop, trigger=GAME)
    path, body = f"/v1/campaigns/{game}/plays", {"customer_id": "c-42"}
    dry = await shop.post(f"{path}?dry_run=true", body, Idempotency_Key="dry")
    assert (dry.status, dry.body["errors"][0]["code"]) == (422, "no_dry_run")
    bare = await shop.post(path, body)
    assert (bare.status, bare.code) == (400, "idempotency_key_missing")
    assert (await shop.balance("c-42"))["available"] == 0
    assert (await play(shop, game)).body["number"] == 1, "nothing was played before"


async def test_only_a_known_customer_plays_and_only_a_game_that_runs(shop: Shop, new_shop: NewShop) -> None:
    await enrol(shop)
    game = await started(shop, trigger=GAME)
    unknown = await play(shop, game, "nobody")
    assert (unknown.pointer, unknown.body["errors"][0]["code"]) == ("/customer_id", "customer_unknown")
    draft, no_game = await made(shop, trigger=GAME), await started(shop)
    await move(shop, game, "pause")
    for campaign_id in (draft, no_game, game):
        answer = await play(shop, campaign_id)
        assert (answer.status, answer.code) == (409, "game_not_open")
    other = await started(await new_shop(), trigger=GAME)
    assert (await play(shop, other)).status == 404


async def test_a_game_whose_prizes_are_gone_costs_nobody_anything(shop: Shop) -> None:
    await shop.buy(total=10_000)
    game = await started(shop, trigger=GAME | {"points": 10}, prizes=[SWEET | {"stock": 1}], gifts_per_customer=None)
    paid = await play(shop, game)
    assert (paid.body["paid"], paid.body["balance"]["available"]) == (10, 140)
    gone = await play(shop, game)
    assert (gone.status, gone.code) == (409, "game_not_open")
    assert (await shop.balance("c-42"))["available"] == 140


async def test_who_has_too_few_points_does_not_play(shop: Shop) -> None:
    await enrol(shop)
    game = await started(shop, trigger=GAME | {"points": 10})
    answer = await play(shop, game)
    assert (answer.status, answer.code) == (409, "insufficient_points")


async def test_plays_of_a_day_are_used_up(shop: Shop) -> None:
    await enrol(shop)
    game = await started(shop, trigger={"kind": "play", "per_day": 2}, gifts_per_customer=None)
    assert [(await play(shop, game)).body["left_today"] for _ in range(2)] == [1, 0]
    answer = await play(shop, game)
    assert (answer.status, answer.code) == (409, "plays_used_up")


async def test_granted_plays_are_counted_once_for_each_key(shop: Shop) -> None:
    await enrol(shop)
    game = await started(shop, trigger=GRANTED, gifts_per_customer=None)
    assert (await play(shop, game)).code == "plays_used_up"
    dry = await grant(shop, game, "?dry_run=true", plays=2)
    assert (dry.status, dry.body["left_granted"]) == (200, 2)
    granted = await grant(shop, game, key="one", plays=2)
    assert (granted.status, granted.body["plays"], granted.body["left_granted"]) == (201, 2, 2)
    again = await grant(shop, game, key="one", plays=2)
    assert (again.body, again.replayed) == (granted.body, True)
    assert [(await play(shop, game)).body["left_granted"] for _ in range(2)] == [1, 0]
    assert (await play(shop, game)).code == "plays_used_up"
    assert (await grant(shop, game, plays=0)).pointer == "/plays"
    assert (await grant(shop, game, customer_id="nobody")).pointer == "/customer_id"
    for campaign_id in (await started(shop, trigger=GAME), await started(shop)):
        assert (await grant(shop, campaign_id)).code == "game_not_open"


async def test_a_surprise_is_there_for_nobody_before_it_is_revealed(shop: Shop, owner: Db) -> None:
    assert shop.database is not None
    await started(shop, trigger={"kind": "after", "fact": "purchase", "minutes": 60})
    await buy(shop)
    await sequenced(shop)
    await jobs.surprise(shop.database)
    query = "SELECT id FROM surprise WHERE program_id = $1 AND state = 'waiting'"
    waiting = await owner.fetchval(query, shop.program.id)
    game = await started(shop, trigger=GAME)
    won = (await play(shop, game)).body["prize"]["surprise_id"]
    shown = await shop.get(f"/v1/surprises/{won}", Role.PORTAL)
    assert (shown.status, shown.body["state"], shown.body["customer_id"]) == (200, "revealed", "c-42")
    listed = await shop.get("/v1/customers/c-42/surprises", Role.PORTAL)
    assert [each["id"] for each in listed.body["data"]] == [won]
    for its_id in (f"sur_{waiting.hex}", NO_SURPRISE, "nothing"):
        answer = await shop.get(f"/v1/surprises/{its_id}", Role.ADMIN)
        assert (answer.status, answer.code) == (404, "not_found"), its_id
