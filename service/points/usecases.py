"""What can be asked of the ledger, and how rooms above book into it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from service.customers import usecases as customers
from service.customers.rules import Customer, Standing
from service.kernel.errors import NotFound
from service.kernel.ids import GREATEST_ID
from service.platform.statements import Db, Write
from service.points import store
from service.points.rules import Lot, Transfer
from service.points.store import Booked


def booking(
    program_id: int,
    *,
    customers_after: Sequence[Customer],
    transfers: Sequence[Transfer],
    lots: Sequence[Lot],
    recorded_at: datetime,
) -> list[Write]:
    """Write transfers with the lots they grant and the balances they lead to: all three or none."""
    return [
        *customers.storing(program_id, customers_after),  # first: the rule of locks puts customers before all else
        store.transferring(program_id, transfers, recorded_at),
        store.granting(program_id, lots),
    ]


async def history(db: Db, *, program_id: int, customer_id: str, before: UUID | None, limit: int) -> list[Booked]:
    """Read up to `limit` + 1 transfers of a customer, newest first, behind `before`. Raises NotFound."""
    customer = await _customer(db, program_id=program_id, customer_id=customer_id)
    return await store.list_transfers(
        db, program_id=program_id, customer_id=customer.id, before=before or GREATEST_ID, limit=limit + 1
    )


async def lots(db: Db, *, program_id: int, customer_id: str, before: UUID | None, limit: int) -> list[Lot]:
    """Read up to `limit` + 1 lots of a customer with something left, newest first, behind `before`. Raises NotFound."""
    customer = await _customer(db, program_id=program_id, customer_id=customer_id)
    return await store.list_lots(
        db, program_id=program_id, customer_id=customer.id, before=before or GREATEST_ID, limit=limit + 1
    )


async def balances(db: Db, *, program_id: int, customer_ids: Sequence[str]) -> Sequence[Standing | NotFound]:
    """Read what many customers have at once; NotFound for each unknown one."""
    found = await customers.read_standings(db, program_id=program_id, customer_ids=customer_ids)
    return [found.get(customer_id) or NotFound() for customer_id in customer_ids]


async def _customer(db: Db, *, program_id: int, customer_id: str) -> Customer:
    found = await customers.read(db, program_id=program_id, customer_ids=[customer_id])
    if customer_id not in found:
        raise NotFound
    return found[customer_id]
