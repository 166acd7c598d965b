"""The catalogue of rewards, seen from outside."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from service.platform.roles import Role
from service.platform.statements import Db
from tests.api.operations import REWARD
from tests.shop import Answer, Shop
from tests.tiers import set_tiers


async def make(shop: Shop, **changes: Any) -> dict[str, Any]:
    """Make a reward."""
    made = await shop.post("/v1/rewards", REWARD | changes, Role.MARKETER)
    assert made.status == 201, made.text
    return made.body


async def change(shop: Shop, reward_id: str, query: str = "", /, **given: Any) -> Answer:
    return await shop.call("PATCH", f"/v1/rewards/{reward_id}{query}", given, role=Role.MARKETER)


async def for_customer(shop: Shop, customer_id: str, role: Role = Role.PORTAL) -> dict[str, Any]:
    """Tell by their names which rewards a customer can have."""
    listed = await shop.get(f"/v1/rewards?customer_id={customer_id}", role)
    assert listed.status == 200, listed.text
    return {reward["name"]: reward["for_customer"] for reward in listed.body["data"]}


async def test_a_reward_is_made_with_what_was_left_out_and_read_again(shop: Shop) -> None:
    made = await make(shop)
    assert made["id"].startswith("rwd_")
    assert {name: made[name] for name in made if name not in {"id", "created_at"}} == {
        "version": 1,
        "status": "active",
        "name": "A gift",
        "gives": {"kind": "gift", "description": "a mug", "sku": None},
        "points": 100,
        "value": None,
        "codes": "generated",
        "stock": None,
        "left": None,
        "limit_per_customer": None,
        "valid_from": None,
        "valid_until": None,
        "minimum_tier": None,
        "voucher": {"days_valid": None, "uses": 1, "minimum_order": None, "maximum_discount": None, "categories": []},
        "for_customer": None,
    }
    assert (await shop.get(f"/v1/rewards/{made['id']}")).body == made


async def test_the_same_call_with_its_idempotency_key_makes_one_reward(shop: Shop) -> None:
    answers = [await shop.post("/v1/rewards", REWARD, Role.ADMIN, Idempotency_Key="k-1") for _ in range(3)]
    assert [(each.status, each.text, each.replayed) for each in answers[1:]] == [(201, answers[0].text, True)] * 2
    other = await shop.post("/v1/rewards", REWARD | {"points": 5}, Role.ADMIN, Idempotency_Key="k-1")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert len((await shop.get("/v1/rewards")).body["data"]) == 1


async def test_rewards_are_listed_newest_first_by_pages_and_by_status(shop: Shop) -> None:
    made = [(await make(shop, status="draft" if number == 2 else "active"))["id"] for number in range(5)]
    seen, cursor = list[str](), ""
    while cursor is not None:
        page = (await shop.get(f"/v1/rewards?limit=2{cursor}")).body
        seen += [reward["id"] for reward in page["data"]]
        cursor = f"&cursor={page['next_cursor']}" if page["has_more"] else None
    assert seen == made[::-1]
    active = await shop.get("/v1/rewards?status=active&limit=4")
    assert [reward["id"] for reward in active.body["data"]] == [made[4], made[3], made[1], made[0]]
    assert active.body["has_more"] is False
    wrong = await shop.get("/v1/rewards?status=gone")
    assert wrong.pointer == "?status"


async def test_a_customer_is_told_what_can_be_had_and_what_is_missing(shop: Shop) -> None:
    await set_tiers(shop, {"silver": 100, "gold": 101})
    await shop.buy(customer_id="c-1", total=10_000, occurred_at=datetime.now(UTC).isoformat())  # 100 points
    await make(shop, name="mug")
    await make(shop, name="dear", points=130)
    await make(shop, name="gone", stock=0)
    await make(shop, name="soon", valid_from="2999-01-01T00:00:00Z")
    await make(shop, name="over", valid_until="2000-01-01T00:00:00Z")
    await make(shop, name="gold", minimum_tier="gold")
    await make(shop, name="silver", minimum_tier="silver")
    await make(shop, name="old", status="archived")
    no = {"available": False, "missing_points": None}
    assert await for_customer(shop, "c-1") == {
        "mug": {"available": True, "why": None, "missing_points": None},
        "dear": {"available": False, "why": "not_enough_points", "missing_points": 30},
        "gone": no | {"why": "out_of_stock"},
        "soon": no | {"why": "not_yet"},
        "over": no | {"why": "over"},
        "gold": no | {"why": "tier_too_low"},
        "silver": {"available": True, "why": None, "missing_points": None},
        "old": no | {"why": "archived"},
    }


async def test_rewards_for_a_customer_that_nobody_knows_are_404(shop: Shop) -> None:
    for customer_id in ("nobody", "", "%00", "%20x", "x" * 129):
        answer = await shop.get(f"/v1/rewards?customer_id={customer_id}")
        assert (answer.status, answer.code) == (404, "not_found"), customer_id


async def test_a_change_of_terms_is_a_version(shop: Shop, owner: Db) -> None:
    made = await make(shop, stock=10)
    changed = await change(shop, made["id"], points=50, stock=20)
    assert (changed.status, changed.body["version"], changed.body["points"], changed.body["left"]) == (200, 2, 50, 20)
    assert (await shop.get(f"/v1/rewards/{made['id']}")).body == changed.body
    assert (await change(shop, made["id"], points=50)).body == changed.body, "nothing to change"
    archived = await change(shop, made["id"], status="archived")
    assert (archived.body["version"], archived.body["status"]) == (2, "archived")
    kept = await owner.fetch(
        "SELECT terms ->> 'points' AS points FROM reward_version WHERE program_id = $1 ORDER BY version",
        shop.program.id,
    )
    assert [row["points"] for row in kept] == ["100", "50"]
    told = await owner.fetch(
        "SELECT type FROM outbox WHERE program_id = $1 AND type LIKE 'reward.%' ORDER BY id", shop.program.id
    )
    assert [row["type"] for row in told] == ["reward.created", "reward.changed", "reward.changed"]


async def test_a_dry_run_shows_a_change_and_keeps_nothing(shop: Shop) -> None:
    made = await make(shop)
    dry = await change(shop, made["id"], "?dry_run=true", name="Dry")
    assert (dry.status, dry.body["name"], dry.body["version"]) == (200, "Dry", 2)
    assert (await shop.get(f"/v1/rewards/{made['id']}")).body == made


async def test_a_wrong_change_is_refused_whole(shop: Shop) -> None:
    made = await make(shop, valid_until="2999-01-01T00:00:00Z")
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"codes": "third_party"}, "/codes"),
        ({"id": "x"}, "/id"),
        ({"points": None}, "/points"),
        ({"name": None}, "/name"),
        ({"status": "gone"}, "/status"),
        ({"gives": {"kind": "percent_off"}}, "/gives/basis_points"),
        ({"valid_from": "2999-01-01T00:00:00Z"}, "/valid_until"),
    )
    for given, pointer in wrong:
        assert (await change(shop, made["id"], **({"points": 7} | given))).pointer == pointer, given
    assert (await shop.get(f"/v1/rewards/{made['id']}")).body == made


async def test_changes_at_once_make_versions_one_after_the_other(shop: Shop) -> None:
    made = await make(shop)
    answers = await asyncio.gather(*(change(shop, made["id"], points=points) for points in range(1, 11)))
    assert sorted(answer.body["version"] for answer in answers) == list(range(2, 12))


async def test_what_can_be_no_id_of_a_reward_is_404(shop: Shop) -> None:
    for reward_id in ("x", "rwd_", f"rwd_{'A' * 32}", f"key_{'0' * 32}", "%20", "a%2Fb"):
        assert (await shop.get(f"/v1/rewards/{reward_id}")).status == 404, reward_id
        assert (await change(shop, reward_id)).status == 404, reward_id
