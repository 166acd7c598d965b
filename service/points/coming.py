"""What comes of a customer's points by time: what is held back until when, and what ends when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from service.kernel.errors import NotFound
from service.platform.claims import ClaimKind
from service.platform.statements import Db
from service.points import store
from service.points.account import Account
from service.points.rules import NEVER, Lot, lot_ends_at
from service.points.usecases import open_booking

MOST_PENDING: Final = 50
MOST_ENDING: Final = 12


class Coming(msgspec.Struct, frozen=True):
    """The first lots that are held back, and the first moments at which available points end, with how many."""

    pending: Sequence[Lot]
    ending: Sequence[tuple[datetime, int]]


async def read_coming(db: Db, *, program_id: int, customer_id: str) -> Coming:
    """Read what comes of a customer's points. What is due and not booked counts as done. Raises NotFound."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        opened = await open_booking(
            db,
            program_id=program_id,
            facts=[(customer_id, "")],  # no fact has an empty id
            kind=ClaimKind.PURCHASE,
            entropy=0,
            lock=False,
        )
        account = opened.accounts.get(customer_id)
        if account is None:
            raise NotFound
        if account.lots is not None:
            return _settled(account)
        customer = account.customer
        return Coming(
            await store.list_pending(db, program_id=program_id, customer_id=customer.id, limit=MOST_PENDING),
            await store.list_ending(
                db,
                program_id=program_id,
                customer_id=customer.id,
                alive_until=customer.alive_until,
                limit=MOST_ENDING,
            ),
        )


def _settled(account: Account) -> Coming:
    """Tell it of an account in which all was settled that had come due."""
    pending, ending = list[Lot](), dict[datetime, int]()
    for lot in account.read()[0].values():
        if not lot.remaining:
            continue
        if lot.is_pending:
            pending.append(lot)
            continue
        ends_at = lot_ends_at(lot, account.customer.alive_until)
        if ends_at != NEVER:
            ending[ends_at] = ending.get(ends_at, 0) + lot.remaining
    pending.sort(key=lambda lot: (lot.available_at, lot.id))
    return Coming(pending[:MOST_PENDING], sorted(ending.items())[:MOST_ENDING])
