"""Referrals as tests play them: offers, codes, claims, and where they stand."""

import asyncio
from typing import Any

from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.roles import Role
from service.purchases import referees
from tests.shop import Answer, Shop, unique

OFFER = {
    "id": "friends",
    "state": "active",
    "name": "Bring a friend",
    "referrer": {"kind": "points", "points": 500},
    "referee": {"kind": "points", "points": 200},
    "qualification": {"kind": "purchase", "minimum": {"EUR": 2000}},
    "waiting_days": 14,
}

_PUT_OFF = """
SELECT id FROM referral
WHERE program_id = $1 AND look_at > clock_timestamp() AND look_at <= clock_timestamp() + interval '5 minutes'
"""
_DUE_AGAIN = "UPDATE referral SET look_at = clock_timestamp() WHERE program_id = $1 AND id = $2 AND look_at IS NOT NULL"


async def offer(shop: Shop, **changes: Any) -> None:
    """Make an offer."""
    made = await shop.post("/v1/referral-offers", OFFER | changes, Role.MARKETER)
    assert made.status == 201, made.text


async def knows_the_offer(shop: Shop) -> None:
    """Wait until another process has heard of a program's first offer: until then it goes by the default one."""
    path = "/v1/customers/anna/referral"
    while [each["id"] for each in (await shop.get(path)).body["offers"]] != [OFFER["id"]]:
        await asyncio.sleep(0.05)


async def code_of(shop: Shop, customer: str) -> str:
    """Give the own code of a customer, who is enrolled where he isn't yet."""
    answer = await shop.get(f"/v1/customers/{customer}/referral")
    if answer.status == 404:
        assert (await shop.call("PUT", f"/v1/customers/{customer}", {})).status == 201
        answer = await shop.get(f"/v1/customers/{customer}/referral")
    assert answer.status == 200, answer.text
    return answer.body["code"]


async def claim(shop: Shop, code: str, referee: str, **more: Any) -> Answer:
    """Claim somebody with a code."""
    body = {"code": code, "referee_id": referee} | more
    return await shop.post("/v1/referrals", body, Idempotency_Key=unique("key"))


async def read(shop: Shop, referral_id: str) -> dict[str, Any]:
    """Read a referral with all reasons."""
    answer = await shop.get(f"/v1/referrals/{referral_id}", Role.MARKETER)
    assert answer.status == 200, answer.text
    return answer.body


async def all_of(shop: Shop) -> list[dict[str, Any]]:
    """Read all referrals of a shop, the newest first."""
    answer = await shop.get("/v1/referrals?limit=200", Role.MARKETER)
    assert answer.status == 200, answer.text
    return answer.body["data"]


async def judge(shop: Shop, database: Database, *, workers: int = 1) -> None:
    """Let workers judge what is due of a shop, all at once."""
    turns = [Turn(shop.program.id) for _ in range(workers)]
    await asyncio.gather(*(referees.attach_enrolled(database, each) for each in turns))
    assert all(await asyncio.gather(*(referees.judge_due(database, each) for each in turns)))
    # One whose customers others held for too long was put off by some minutes: it is due again.
    async with database.connection() as db:
        for each in await db.fetch(_PUT_OFF, shop.program.id):
            await db.execute(_DUE_AGAIN, shop.program.id, each["id"])  # one by one: so nobody waits for two rows
    assert await referees.judge_due(database, Turn(shop.program.id))
