"""Customers with more points than one row may move: 10^12 is the bound of a transfer, not of what somebody has."""

from service.platform.roles import Role
from service.platform.statements import Db
from tests.concurrency.office import erase, merge
from tests.conftest import NewShop
from tests.shop import Shop
from tests.stories.months import pass_time
from tests.stories.test_lives import DAY, NOTHING, command, now
from tests.stories.test_records import redeem

MOST = 10**12
A_POINT_A_CENT = {"base_rule": {"rates": {"EUR": {"points": 1, "amount": 1}}}}


async def owing(shop: Shop, customer_id: str) -> None:
    """Let a customer owe two times the most that one row may move."""
    for number in range(2):
        bought = f"{customer_id}-{number}"
        await shop.buy(id=bought, customer_id=customer_id, total=MOST)
        spent = await redeem(shop, customer_id, MOST)
        await command(shop, f"/v1/redemptions/{spent}/capture")
    for number in range(2):
        back = {"id": f"{customer_id}-back-{number}", "amount": MOST}
        assert (await shop.post(f"/v1/purchases/{customer_id}-{number}/refunds", back)).status == 201
    assert await shop.balance(customer_id) == NOTHING | {"debt": 2 * MOST}


async def test_more_than_one_transfer_can_move_goes_over_in_several(new_shop: NewShop) -> None:
    shop = await new_shop(**A_POINT_A_CENT)
    for number in range(3):
        await shop.buy(customer_id="guest", total=MOST - number)
    await shop.buy(customer_id="c-42", total=1)
    merged = await merge(shop, "guest", "c-42")
    assert (merged.status, merged.body["balance"]) == (200, NOTHING | {"available": 3 * MOST - 2})


async def test_debt_beyond_the_bound_goes_over_and_is_written_off(new_shop: NewShop) -> None:
    shop = await new_shop(**A_POINT_A_CENT)
    await owing(shop, "guest")
    await shop.buy(customer_id="c-42", total=1_000)
    merged = await merge(shop, "guest", "c-42")
    assert (merged.status, merged.body["balance"]) == (200, NOTHING | {"debt": 2 * MOST - 1_000})
    erased = await erase(shop, "c-42")
    assert (erased.status, erased.body["closed"]) == (200, merged.body["balance"])


async def test_who_is_told_of_more_than_the_bound_goes_on_buying(new_shop: NewShop, owner: Db) -> None:
    for expiry in ({"kind": "sliding", "days": 60}, {"kind": "rolling", "days": 60}):
        shop = await new_shop(**A_POINT_A_CENT, expiry=expiry | {"notice": {"days": 10}})
        for _ in range(2):
            await shop.buy(total=MOST, occurred_at=now())
        await pass_time(owner, shop.program.id, 52 * DAY)
        bought = await shop.buy(total=0, occurred_at=now())
        assert (bought.status, bought.body["balance"]["available"]) == (201, 2 * MOST)
        told = await owner.fetch("SELECT points FROM expiry_notice WHERE program_id = $1", shop.program.id)
        assert sum(row["points"] for row in told) == 2 * MOST
        export = await shop.get("/v1/customers/c-42/export", Role.ADMIN)
        assert export.status == 200
