"""Tiers that are brought along while other things happen to the same customer: nothing of either is lost."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

from service.platform.roles import Role
from tests.shop import Answer, Shop, unique
from tests.stories.test_records import merge
from tests.tiers import set_tiers, tier


def sums(amount: int) -> dict[str, Any]:
    return {"counted": [{"amount": amount, "occurred_at": datetime.now(UTC).isoformat()}]}


async def bring(shop: Shop, customer_id: str = "c-42", **more: Any) -> Answer:
    body: dict[str, Any] = {"id": unique("old"), "customer_id": customer_id, "lots": list[Any]()} | more
    answer = await shop.post("/v1/opening-balances", {"balances": [body]}, Role.ADMIN)
    assert (answer.status, answer.body["results"][0]["status"]) == (200, 201), answer.text
    return answer


async def test_purchases_and_what_is_brought_at_once_all_count(shop: Shop) -> None:
    await set_tiers(shop, {"gold": 1_000, "top": 10_000})
    now = datetime.now(UTC).isoformat()
    calls = [shop.buy(total=1_000, occurred_at=now) for _ in range(30)]
    calls += [bring(shop, **sums(7)) for _ in range(20)]
    calls += [bring(shop, tier="gold") for _ in range(5)]
    random.Random(7).shuffle(calls)
    await asyncio.gather(*calls)
    shown = await tier(shop)
    assert (shown["id"], shown["next"]["missing"]) == ("gold", 10_000 - 30 * 10 - 20 * 7)


async def test_a_merge_and_what_is_brought_for_both_at_once_lose_nothing(shop: Shop) -> None:
    await set_tiers(shop, {"gold": 1_000, "top": 10_000})
    for name in ("guest", "c-42"):
        await shop.call("PUT", f"/v1/customers/{name}", {})
    calls = [bring(shop, name, **sums(5)) for name in ("guest", "c-42") for _ in range(10)]
    calls.append(bring(shop, "guest", tier="gold"))
    calls.insert(10, merge(shop, "guest", "c-42"))
    await asyncio.gather(*calls)
    for name in ("guest", "c-42"):
        shown = await tier(shop, name)
        assert (shown["id"], shown["next"]["missing"]) == ("gold", 10_000 - 100)


async def test_the_same_balance_reported_by_many_at_once_is_brought_once(shop: Shop) -> None:
    await set_tiers(shop, {"top": 10_000})
    body: dict[str, Any] = {"id": "old-1", "customer_id": "c-42", "lots": list[Any]()} | sums(300)
    answers = await asyncio.gather(
        *(shop.post("/v1/opening-balances", {"balances": [body]}, Role.ADMIN) for _ in range(20))
    )
    statuses = [answer.body["results"][0]["status"] for answer in answers]
    assert sorted(statuses) == [200] * 19 + [201]
    assert len({str(answer.body["results"][0]["opening_balance"]) for answer in answers}) == 1
    assert (await tier(shop))["next"]["missing"] == 9_700
