"""What customers have of rewards: their vouchers, and what rewards are called."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from service.customers import usecases as customers
from service.kernel.errors import NotFound
from service.platform.clock import database_time
from service.platform.statements import Db
from service.rewards import store
from service.rewards.vouchers import Unredeemable, Voucher, unredeemable

MOST_VOUCHERS: Final = 50


async def vouchers_of(db: Db, *, program_id: int, customer_id: str) -> list[tuple[Voucher, Unredeemable | None]]:
    """Read the first 50 vouchers of a customer, those that can be used first, then the newest; each with why it can't.

    After a merge the vouchers of both records are the customer's. Raises NotFound.
    """
    found = await customers.read(db, program_id=program_id, customer_ids=[customer_id])
    if customer_id not in found:
        raise NotFound
    now = await database_time(db)
    vouchers = await store.first_vouchers_of(
        db, program_id=program_id, customer_id=found[customer_id].id, now=now, limit=MOST_VOUCHERS
    )
    return [(each, unredeemable(each, now=now, order=None)) for each in vouchers]


async def vouchers_of_pieces(db: Db, *, program_id: int, piece_ids: Sequence[UUID]) -> Mapping[UUID, Voucher]:
    """Read the vouchers of pieces; those of which none is issued are missing."""
    return await store.vouchers_with_ids(db, program_id=program_id, voucher_ids=piece_ids) if piece_ids else {}


async def names_of(db: Db, *, program_id: int, reward_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """Read what rewards are called now; the unknown ones are missing."""
    return await store.read_names(db, program_id=program_id, reward_ids=reward_ids) if reward_ids else {}
