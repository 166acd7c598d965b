"""Referrals when an erasure comes between what a claim reads and what it writes."""

import asyncio
import random

from service.app import KEEPERS
from service.customers import records
from service.platform.database import Database
from service.platform.settings import Settings
from service.purchases.keeping import PurchasesKeeper
from service.referrals.keeping import ReferralsKeeper
from tests import referrals
from tests.conftest import prove
from tests.shop import Shop


async def test_who_is_claimed_while_the_referrer_is_erased_is_not_left_open(
    shop: Shop, database: Database, settings: Settings
) -> None:
    await referrals.offer(shop)
    code = await referrals.code_of(shop, "anna")
    assert (await shop.call("PUT", "/v1/customers/carl", {})).status == 201
    db = await Database(settings).connect()
    try:
        await db.execute("BEGIN")
        await records.erase(
            db, program_id=shop.program.id, customer_id="anna", keepers=KEEPERS, entropy=random.getrandbits(62)
        )
        calls = [
            asyncio.create_task(each)
            for each in (
                referrals.claim(shop, code, "ben"),
                referrals.claim(shop, code, "carl"),
                shop.buy(customer_id="dora", total=5000, referral_code=code),
                shop.buy(customer_id="emil", total=500, referral_code=code),
            )
        ]
        await asyncio.sleep(0.5)
        await db.execute("COMMIT")
        answers = await asyncio.gather(*calls)
    finally:
        await db.close()
    assert [each.status for each in answers[2:]] == [201, 201]
    await referrals.judge(shop, database)
    await prove(database)
    assert {each["status"] for each in await referrals.all_of(shop)} <= {"refused"}


def test_an_erasure_empties_codes_before_the_purchases_that_brought_them() -> None:
    """A purchase that claims meanwhile is waited for at the code, and its own words are emptied behind that."""
    kinds = [type(each) for each in KEEPERS]
    assert kinds.index(ReferralsKeeper) < kinds.index(PurchasesKeeper)
