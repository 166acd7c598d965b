"""Gifts as customers see them, once they are revealed; and hand-made lists."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import GREATEST_ID, from_wire, to_wire
from service.platform.clock import database_time
from service.platform.statements import Db
from service.programs.definitions import DefinitionEnded
from service.rewards import wallet
from service.rewards.vouchers import Voucher
from service.surprises import lifecycle, store
from service.surprises.campaigns import ByList
from service.surprises.gifts import PREFIX, Gift


class Shown(msgspec.Struct, frozen=True):
    """A gift that was revealed, with whose it is now, by the caller's id, and the voucher where there is one."""

    gift: Gift
    customer_id: str | None
    voucher: Voucher | None


def grant_wire(grant_id: UUID) -> str:
    """Name a grant of plays."""
    return to_wire("grant", grant_id)


async def read(db: Db, *, program_id: int, wire_id: str) -> Shown:
    """Read a gift that was revealed. Raises NotFound, also for one that isn't yet."""
    its_id = from_wire(PREFIX, wire_id)
    found = [] if its_id is None else await store.read_gifts(db, program_id=program_id, ids=[its_id])
    if not found or found[0].revealed_at is None:
        raise NotFound
    standing = await customers.standing_for(db, program_id=program_id, records=[found[0].customer])
    named = standing[found[0].customer].external_id or None
    vouchers = await _vouchers(db, program_id, found)
    return Shown(found[0], named, vouchers.get(found[0].id))


async def list_of_customer(
    db: Db, *, program_id: int, customer_id: str, before: UUID | None, limit: int
) -> list[Shown]:
    """Read up to `limit` + 1 gifts of a customer that were revealed, the newest first. Raises NotFound."""
    customer, _ = await customers.get(db, program_id=program_id, customer_id=customer_id)
    records = await customers.all_ids(db, program_id=program_id, customer=customer)
    found = await store.gifts_of(
        db, program_id=program_id, customers=records, before=before or GREATEST_ID, limit=limit + 1, revealed=True
    )
    vouchers = await _vouchers(db, program_id, found)
    return [Shown(each, customer_id, vouchers.get(each.id)) for each in found]


async def _vouchers(db: Db, program_id: int, gifts: Sequence[Gift]) -> Mapping[UUID, Voucher]:
    pieces = [each.id for each in gifts if each.reward_id is not None]
    return await wallet.vouchers_of_pieces(db, program_id=program_id, piece_ids=pieces)


async def list_customers(
    db: Db, *, program_id: int, wire_id: str, customer_ids: Sequence[str]
) -> tuple[int, list[int]]:
    """Put customers on the list of a campaign; tells how many are new on it, and the places of the unknown ones.

    Raises NotFound, DefinitionEnded, Invalid for a campaign that waits for no list.
    """
    found, now = await lifecycle.read(db, program_id=program_id, wire_id=wire_id), await database_time(db)
    if not isinstance(found.content.trigger, ByList):
        raise Invalid("This campaign waits for no list.", pointer="", reason="not_by_list")
    if found.definition.newest.is_over(now):
        raise DefinitionEnded
    opened = await customers.lock(db, program_id=program_id, customer_ids=sorted(set(customer_ids)))
    records = sorted({each.id for each in opened.customers.values()})
    added = await store.list_customers(
        db, program_id=program_id, campaign=lifecycle.id_of(wire_id), customers=records, now=opened.now
    )
    unknown = [place for place, each in enumerate(customer_ids) if each not in opened.customers]
    return len(added), unknown
