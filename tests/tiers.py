"""Tiers that a marketer of a test's shop sets."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from service.customers import usecases as customers
from service.platform.clock import database_time
from service.platform.roles import Role
from service.programs import usecases as programs
from service.programs.tier_policy import Downgrade
from service.purchases.jobs import count_again
from service.tiers.book import ladder_at
from service.tiers.rules import TierState, decode
from service.tiers.settling import recounted, settle
from tests.rulebook import SINCE
from tests.shop import Shop

ROLLING: Final = {"period": {"kind": "rolling", "months": 12}}
STEPS: Final = {"bronze": 100, "silver": 500, "gold": 1_000}


async def set_tiers(shop: Shop, steps: Mapping[str, int] = STEPS, **policy: Any) -> None:
    """Set tiers with their thresholds, and how customers qualify: by points of twelve rolling months."""
    for tier_id, threshold in steps.items():
        await set_tier(shop, tier_id, threshold)
    await qualify(shop, **(ROLLING | policy))


async def set_tier(shop: Shop, tier_id: str, threshold: int, **more: Any) -> None:
    """Set a tier that there has been for years."""
    body = {"id": tier_id, "name": tier_id.title(), "threshold": threshold, "state": "active", "valid_from": SINCE}
    made = await shop.post("/v1/tiers", body | more, Role.MARKETER)
    assert made.status == 201, made.text


async def qualify(shop: Shop, **policy: Any) -> None:
    """Set how customers qualify, for as long as tiers can be asked for; nothing: the program has no tiers."""
    body = {"settings": {"tiers": policy or None}, "valid_from": SINCE}
    changed = await shop.call("PATCH", "/v1/program", body, role=Role.ADMIN)
    assert changed.status == 200, changed.text


async def tier(shop: Shop, customer_id: str = "c-42") -> dict[str, Any]:
    """Read a customer's tier from the balance."""
    answer = await shop.get(f"/v1/customers/{customer_id}/balance")
    assert answer.status == 200, answer.text
    return answer.body["tier"]


async def check_counted(shop: Shop) -> int:
    """Count all facts of a program's customers again, and compare what is kept with them; returns of how many.

    Who was counted by another policy is left out, until a job has counted all again.
    """
    assert shop.database is not None
    checked = 0
    async with shop.database.connection() as db, db.transaction(isolation="repeatable_read"):
        program = await programs.read_program(db, program_id=shop.program.id)
        now = await database_time(db)
        ladder = ladder_at(program, now)
        assert ladder is not None
        rows = await db.fetch(
            "SELECT external_id FROM customer WHERE program_id = $1 AND merged_into IS NULL AND external_id IS NOT NULL"
            " AND tier_state ->> 'basis' = $2",
            program.id,
            ladder.basis,
        )
        found = await customers.read(db, program_id=program.id, customer_ids=[row["external_id"] for row in rows])
        again = await count_again(db, program.id, ladder, list(found.values()), now)
        oldest = ladder.window.oldest(ladder.day_of(now))
        for name, customer in found.items():
            assert customer.tier_state is not None
            state = decode(customer.tier_state)
            kept = {day: amount for day, amount in zip(state.days, state.amounts, strict=True) if day >= oldest}
            buckets = Counter[int]()
            for day, amount in again.get(customer.id, {}).items():
                buckets[ladder.window.bucket(day)] += amount
            assert kept == {day: amount for day, amount in buckets.items() if amount and day >= oldest}, name
            if ladder.policy.downgrade is Downgrade.BY_BALANCE and not state.guarantees:
                settled = settle(state, ladder, now).state
                anew = recounted(TierState(), ladder, now=now, amounts=again.get(customer.id, {})).state
                assert settled.tier == anew.tier, name
            checked += 1
    return checked
