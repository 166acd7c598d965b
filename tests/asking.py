"""Milestones of customers, as tests set them and tell that customers were asked."""

from datetime import timedelta

from service.customers import usecases as customers
from service.platform.clock import database_time
from service.platform.statements import write_together
from service.referrals.asks import store
from service.referrals.asks.rules import ReferralAsk
from tests.shop import Answer, Shop, unique


async def reached(shop: Shop, customer_id: str, milestone: str, *, days: int = 14) -> None:
    """Let a customer have reached a milestone just now, unless it was reached before."""
    assert shop.database is not None
    async with shop.database.connection() as db, db.transaction():
        found = await customers.read(db, program_id=shop.program.id, customer_ids=[customer_id])
        its_id, now = found[customer_id].id, await database_time(db)
        known = await store.read(db, program_id=shop.program.id, customers=[its_id])
        if milestone not in {each.milestone for each in known[its_id]}:
            row = ReferralAsk(milestone, now, now + timedelta(days=days))
            await write_together(db, [store.adding(shop.program.id, [(its_id, row)])])


async def tell(shop: Shop, milestone: str, customer_id: str = "c-42", *, query: str = "", key: str = "") -> Answer:
    """Tell that a customer was asked."""
    path = f"/v1/customers/{customer_id}/referral/asked{query}"
    return await shop.post(path, {"milestone": milestone}, Idempotency_Key=key or unique("key"))
