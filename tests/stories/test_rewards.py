"""What points buy: a reward is redeemed, captured for its voucher or given back, and what nobody ends lapses."""

from datetime import timedelta
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.roles import RIGHTS, Right, Role
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.jobs import give_back_lapsed, settle_due
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time
from tests.vouchers import end, left, make, redeem

HOUR = timedelta(hours=1)
NOTHING = {"available": 0, "pending": 0, "held": 0, "debt": 0}
FIVE_EUROS = {"name": "5 EUR off", "gives": {"kind": "amount_off", "amount": 500, "currency": "EUR"}}


async def available(shop: Shop, reward_id: str) -> dict[str, Any]:
    """Tell whether c-42 can have a reward now."""
    listed = await shop.get("/v1/rewards?customer_id=c-42")
    (found,) = [reward["for_customer"] for reward in listed.body["data"] if reward["id"] == reward_id]
    return found


async def redeem_points(shop: Shop, points: int, customer_id: str = "c-42", **more: Any) -> Answer:
    body = {"customer_id": customer_id, "points": points} | more
    return await shop.post("/v1/redemptions", body, Idempotency_Key=unique("key"))


async def test_a_reward_is_redeemed_captured_and_its_voucher_used(shop: Shop, owner: Db) -> None:
    await shop.buy(total=15_000)
    reward_id = await make(shop, **FIVE_EUROS, stock=3)
    held = await redeem(shop, reward_id, order_id="o-1", expires_in=600)
    assert held.status == 201
    told = {name: held.body[name] for name in held.body if name not in {"id", "expires_at"}}
    assert told == {
        "status": "held",
        "points": 100,
        "captured": 0,
        "reward_id": reward_id,
        "order_id": "o-1",
        "value": {"amount": 500, "currency": "EUR"},
        "voucher": None,
        "balance": NOTHING | {"available": 50, "held": 100},
    }
    assert await left(shop, reward_id) == 2
    redemption = held.body["id"]
    captured = await end(shop, redemption, "capture")
    assert (captured.status, captured.body["status"], captured.body["captured"]) == (200, "captured", 100)
    assert captured.body["balance"] == NOTHING | {"available": 50}
    voucher = captured.body["voucher"]
    assert (voucher["reward_id"], voucher["redeemable"], voucher["uses"]) == (reward_id, True, 1)
    assert (await shop.get(f"/v1/vouchers/{voucher['code']}")).body == voucher
    assert (await shop.get(f"/v1/redemptions/{redemption}")).body == captured.body
    order = {"order_id": "o-1", "amount": 4_990, "currency": "EUR"}
    used = await shop.post(f"/v1/vouchers/{voucher['code']}/redeem", order, Idempotency_Key=unique("key"))
    assert (used.status, used.body["discount"]) == (200, 500)
    assert (await shop.get(f"/v1/redemptions/{redemption}")).body["voucher"]["why"] == "used_up"
    assert await left(shop, reward_id) == 2
    rows = await owner.fetch("SELECT type FROM outbox WHERE program_id = $1 ORDER BY id", shop.program.id)
    assert [row["type"] for row in rows[2:]] == [
        "reward.created", "redemption.held", "redemption.captured", "voucher.issued", "voucher.redeemed",
    ]  # fmt: skip


async def test_a_capture_is_answered_alike_however_often_it_is_sent(shop: Shop) -> None:
    await shop.buy(total=10_000)
    redemption = (await redeem(shop, await make(shop))).body["id"]
    path = f"/v1/redemptions/{redemption}/capture"
    first, again = [await shop.post(path, {}, Idempotency_Key="the-same") for _ in range(2)]
    assert (again.status, again.text, again.replayed) == (200, first.text, True)
    by_another_key = await end(shop, redemption, "capture", points=100)
    assert (by_another_key.status, by_another_key.text) == (200, first.text)
    assert (await end(shop, redemption, "release")).code == "hold_not_open"


async def test_a_reward_is_captured_whole(shop: Shop) -> None:
    await shop.buy(total=10_000)
    reward_id = await make(shop, stock=1)
    redemption = (await redeem(shop, reward_id)).body["id"]
    for points in (1, 99, 101):
        assert (await end(shop, redemption, "capture", points=points)).pointer == "/points"
    told = (await shop.get(f"/v1/redemptions/{redemption}")).body
    assert (told["status"], told["voucher"], told["balance"]) == ("held", None, NOTHING | {"held": 100})
    captured = await end(shop, redemption, "capture", points=100)
    assert captured.body["voucher"]["code"]
    assert (await end(shop, redemption, "capture", points=99)).code == "hold_not_open"


async def test_what_is_released_is_there_again(shop: Shop) -> None:
    await shop.buy(total=10_000)
    reward_id = await make(shop, stock=1, limit_per_customer=1)
    first = await redeem(shop, reward_id)
    assert (await available(shop, reward_id))["why"] == "limit_reached"
    for _ in range(2):
        released = await end(shop, first.body["id"], "release")
        assert (released.status, released.body["status"], released.body["voucher"]) == (200, "released", None)
        assert (released.body["reward_id"], released.body["balance"]) == (reward_id, NOTHING | {"available": 100})
        assert await left(shop, reward_id) == 1
    assert (await available(shop, reward_id))["available"]
    assert (await end(shop, first.body["id"], "capture")).code == "hold_not_open"
    assert (await redeem(shop, reward_id)).status == 201


@pytest.mark.parametrize("settled", ["nobody", "a purchase", "both jobs", "the job of rewards"])
async def test_what_lapses_can_be_had_again_whoever_has_booked_it(
    shop: Shop, owner: Db, database: Database, settled: str
) -> None:
    for customer in ("c-42", "other"):
        await shop.buy(customer_id=customer, total=10_000)
    reward_id = await make(shop, stock=1, limit_per_customer=1)
    held = await redeem(shop, reward_id, "other")
    assert (await available(shop, reward_id))["why"] == "out_of_stock"
    assert (await redeem(shop, reward_id)).code == "reward_out_of_stock"
    await pass_time(owner, shop.program.id, HOUR)
    if settled == "a purchase":
        await shop.buy(customer_id="other", total=0)
    if settled == "both jobs":
        assert await settle_due(database) >= 1
    if "job" in settled:
        assert await give_back_lapsed(database) >= 1
    assert await left(shop, reward_id) == 1
    assert (await available(shop, reward_id))["available"]
    assert (await end(shop, held.body["id"], "capture")).code == "hold_not_open"
    tried = await redeem(shop, reward_id, query="?dry_run=true")
    assert (tried.status, tried.body["balance"]) == (200, NOTHING | {"held": 100})
    assert (await redeem(shop, reward_id)).status == 201
    assert (await redeem(shop, reward_id, "other")).code == "reward_out_of_stock"
    lapsed = await end(shop, held.body["id"], "release")
    assert (lapsed.status, lapsed.body["status"]) == (200, "lapsed")
    assert lapsed.body["balance"] == NOTHING | {"available": 100}
    assert await left(shop, reward_id) == 0, "the piece is another's now"


async def test_a_piece_that_can_not_be_given_back_keeps_no_other_from_it(
    shop: Shop, owner: Db, database: Database
) -> None:
    reward_id = await make(shop, stock=3)
    for customer in ("a", "b", "c"):
        await shop.buy(customer_id=customer, total=10_000)
        assert (await redeem(shop, reward_id, customer)).status == 201
    await pass_time(owner, shop.program.id, HOUR)
    row = "UPDATE customer SET held = {} WHERE program_id = $1 AND external_id = 'b'"
    await owner.execute(row.format(0), shop.program.id)  # so that it would have less than nothing
    states = "SELECT count(*) FROM reward_piece WHERE program_id = $1 AND state = 'held'"
    await give_back_lapsed(database)
    assert await owner.fetchval(states, shop.program.id) == 1
    await owner.execute(row.format(100), shop.program.id)
    await give_back_lapsed(database)
    assert await owner.fetchval(states, shop.program.id) == 0


async def test_a_release_of_what_lapsed_gives_its_piece_back(shop: Shop, owner: Db) -> None:
    await shop.buy(total=10_000)
    reward_id = await make(shop, stock=1)
    held = await redeem(shop, reward_id)
    await pass_time(owner, shop.program.id, HOUR)
    assert (await end(shop, held.body["id"], "release")).body["status"] == "lapsed"
    row = await owner.fetchrow(
        "SELECT h.status, p.state, r.taken FROM reward_piece AS p INNER JOIN hold AS h USING (program_id, id) "
        "INNER JOIN reward AS r ON p.reward_id = r.id WHERE p.program_id = $1",
        shop.program.id,
    )
    assert tuple(row or ()) == ("lapsed", "given_back", 0)


async def test_who_let_a_reward_lapse_may_have_it_again_within_the_limit(shop: Shop, owner: Db) -> None:
    await shop.buy(total=10_000)
    reward_id = await make(shop, limit_per_customer=1)
    await redeem(shop, reward_id)
    assert (await redeem(shop, reward_id)).code == "reward_limit_reached"
    await pass_time(owner, shop.program.id, HOUR)
    assert (await available(shop, reward_id))["available"]
    captured = await end(shop, (await redeem(shop, reward_id)).body["id"], "capture")
    assert captured.body["voucher"] is not None
    assert (await redeem(shop, reward_id)).code == "reward_limit_reached"


async def test_a_refund_of_the_order_does_not_give_back_what_bought_a_reward(shop: Shop) -> None:
    """The points bought the voucher; those that paid for the order itself come back."""
    await shop.buy(id="o-0", total=20_000)
    redemptions = [await redeem(shop, await make(shop), order_id="o-1"), await redeem_points(shop, 30, order_id="o-1")]
    for held in redemptions:
        assert (await end(shop, held.body["id"], "capture")).status == 200
    await shop.buy(id="o-1", total=10_000)
    refunded = await shop.post("/v1/purchases/o-1/refunds", {"id": "r-1", "amount": 10_000})
    assert (refunded.body["points"]["restored"], refunded.body["balance"]["available"]) == (30, 100)
    orders = [(await shop.get(f"/v1/redemptions/{each.body['id']}")).body["order_id"] for each in redemptions]
    assert orders == ["o-1", "o-1"]


async def test_a_code_of_a_third_party_is_handed_out_with_the_capture_and_told_by_no_dry_run(shop: Shop) -> None:
    await shop.buy(total=20_000)
    reward_id = await make(shop, codes="third_party")
    assert (await redeem(shop, reward_id)).code == "reward_out_of_stock"
    assert (await shop.post(f"/v1/rewards/{reward_id}/codes", {"codes": ["SEAT-7"]}, Role.ADMIN)).status == 200
    held = await redeem(shop, reward_id)
    path = f"/v1/redemptions/{held.body['id']}/capture?dry_run=true"
    tried = await shop.post(path, {})
    assert (tried.status, tried.body["status"], tried.body["voucher"]) == (200, "captured", None)
    assert "SEAT-7" not in tried.text
    assert (await end(shop, held.body["id"], "capture")).body["voucher"]["code"] == "SEAT-7"
    assert (await redeem(shop, reward_id)).code == "reward_out_of_stock"


async def test_a_dry_run_takes_nothing(shop: Shop, owner: Db) -> None:
    await shop.buy(total=10_000)
    reward_id = await make(shop, stock=1)
    tried = await shop.post("/v1/redemptions?dry_run=true", {"customer_id": "c-42", "reward_id": reward_id})
    assert (tried.status, tried.body["status"], tried.body["points"]) == (200, "held", 100)
    assert (await left(shop, reward_id), await shop.balance("c-42")) == (1, NOTHING | {"available": 100})
    held = await redeem(shop, reward_id)
    for verb in ("capture", "release"):
        path = f"/v1/redemptions/{held.body['id']}/{verb}?dry_run=true"
        assert (await shop.post(path, {})).status == 200
    assert (await shop.get(f"/v1/redemptions/{held.body['id']}")).body == held.body
    assert await left(shop, reward_id) == 0
    assert await owner.fetchval("SELECT count(*) FROM voucher WHERE program_id = $1", shop.program.id) == 0


async def test_a_code_is_told_to_those_who_may_read_vouchers(shop: Shop) -> None:
    await shop.buy(total=10_000)
    redemption = (await redeem(shop, await make(shop))).body["id"]
    code = (await end(shop, redemption, "capture")).body["voucher"]["code"]
    for role in Role:
        told = await shop.get(f"/v1/redemptions/{redemption}", role)
        may_read = told.status == 200 and told.body["voucher"] is not None
        assert (may_read, code in told.text) == (Right.READ_VOUCHERS in RIGHTS[role],) * 2, role
        assert Right.REDEEM not in RIGHTS[role] or Right.READ_VOUCHERS in RIGHTS[role], "a capture tells the code"


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({}, {"amount": 150, "currency": "EUR"}),
        ({"value": {"amount": 700, "currency": "USD"}}, {"amount": 700, "currency": "USD"}),
        (FIVE_EUROS, {"amount": 500, "currency": "EUR"}),
        (FIVE_EUROS | {"value": {"amount": 450, "currency": "EUR"}}, {"amount": 450, "currency": "EUR"}),
    ],
)
async def test_a_redemption_of_a_reward_is_worth_what_the_reward_is_or_else_its_points(
    new_shop: NewShop, changes: dict[str, Any], value: dict[str, Any]
) -> None:
    shop = await new_shop(point_value={"points": 100, "amount": 150, "minimum": 500, "step": 7})
    await shop.buy(total=10_000)
    reward_id = await make(shop, **changes)
    held = await redeem(shop, reward_id)
    assert (held.status, held.body["value"]) == (201, value), "the program's minimum and step are for points"
    await shop.call("PATCH", f"/v1/rewards/{reward_id}", {"value": None, "points": 7}, role=Role.MARKETER)
    captured = await end(shop, held.body["id"], "capture")
    assert (captured.body["captured"], captured.body["value"]) == (100, value), "with the terms that it had"


async def of_records(shop: Shop, method: str, path: str, body: Any = None) -> Answer:
    headers = {"Idempotency-Key": unique("key")}
    return await shop.call(method, f"/v1/customers/{path}", body, role=Role.ADMIN, headers=headers)


async def test_what_a_guest_holds_goes_over_with_the_record_and_is_captured_or_lapses_there(
    shop: Shop, owner: Db
) -> None:
    for customer in ("guest", "c-42"):
        await shop.buy(customer_id=customer, total=20_000)
    kept, lost = [await make(shop, stock=1, limit_per_customer=1) for _ in range(2)]
    released = await redeem(shop, kept, "guest")
    await end(shop, released.body["id"], "release")
    held, lapsing = [await redeem(shop, each, "guest") for each in (kept, lost)]
    assert (await of_records(shop, "POST", "guest/merge", {"into": "c-42"})).status == 200
    assert (await end(shop, held.body["id"], "capture")).body["voucher"] is not None
    assert (await available(shop, kept))["why"] == "limit_reached"
    await pass_time(owner, shop.program.id, HOUR)
    again = await redeem(shop, lost, "guest")
    assert (again.status, again.body["balance"]) == (201, NOTHING | {"available": 200, "held": 100})
    assert (await end(shop, lapsing.body["id"], "release")).body["status"] == "lapsed"
    assert await left(shop, lost) == 0


async def test_an_erasure_gives_back_what_was_held_and_leaves_the_vouchers(shop: Shop) -> None:
    await shop.buy(total=20_000)
    reward_id = await make(shop, stock=2)
    held, bought = [await redeem(shop, reward_id) for _ in range(2)]
    code = (await end(shop, bought.body["id"], "capture")).body["voucher"]["code"]
    assert (await of_records(shop, "DELETE", "c-42")).status == 200
    assert await left(shop, reward_id) == 1
    assert (await shop.get(f"/v1/vouchers/{code}")).body["redeemable"]
    for answer in (await end(shop, held.body["id"], "capture"), await shop.get(f"/v1/redemptions/{bought.body['id']}")):
        assert (answer.status, answer.code) == (410, "customer_erased")
