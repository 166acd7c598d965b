"""A reward of a tier, and what takes the tier or gives it, at once: as if one came after the other."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests.shop import Shop, unique
from tests.tiers import set_tiers
from tests.vouchers import end, make, redeem


@pytest.mark.parametrize("turn", range(5))
async def test_a_refund_that_takes_the_tier_and_a_redemption_follow_each_other(shop: Shop, turn: int) -> None:
    await set_tiers(shop, {"gold": 300})
    reward, now = await make(shop, minimum_tier="gold"), datetime.now(UTC).isoformat()
    await asyncio.gather(*(shop.buy(id=f"o-{each}", total=10_000, occurred_at=now) for each in range(3)))
    refund = shop.post("/v1/purchases/o-0/refunds", {"id": unique("refund"), "amount": 10_000})
    calls = [refund, redeem(shop, reward)]
    answers = await asyncio.gather(*(calls[::-1] if turn % 2 else calls))
    taken, redeemed = answers[::-1] if turn % 2 else answers
    assert taken.status == 201
    assert (redeemed.status, redeemed.body.get("code")) in {(201, None), (409, "reward_tier_too_low")}
    after_both = await redeem(shop, reward)
    assert (after_both.status, after_both.code) == (409, "reward_tier_too_low")


async def test_many_who_reach_a_tier_and_redeem_at_once_get_no_more_than_they_could_one_by_one(shop: Shop) -> None:
    await set_tiers(shop, {"gold": 1_000})
    reward, now = await make(shop, minimum_tier="gold"), datetime.now(UTC).isoformat()

    async def buy_and_redeem() -> tuple[str | None, int]:
        bought = await shop.buy(total=10_000, occurred_at=now)
        redeemed = await redeem(shop, reward)
        if redeemed.status == 201:
            await end(shop, redeemed.body["id"], "release")
        return None if bought.body["tier"] is None else bought.body["tier"]["id"], redeemed.status

    answers = await asyncio.gather(*(buy_and_redeem() for _ in range(20)))
    assert [tier for tier, _ in answers].count(None) == 9, "the tenth purchase reached it"
    assert all(status == 201 for tier, status in answers if tier == "gold")
    assert {status for _, status in answers} <= {201, 409}
