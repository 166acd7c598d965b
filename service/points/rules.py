"""How points move. Pure: a balance and a transfer in, transfers, lots and the balance after out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Balance, Customer
from service.kernel.ids import IdSource

NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""When a lot expires that doesn't: 'infinity' in the database."""


class Bucket(Enum):
    """Where points are. Only pending, available, held and debt are counted for each customer."""

    ISSUED = "issued"
    PENDING = "pending"
    AVAILABLE = "available"
    HELD = "held"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVERSED = "reversed"
    DEBT = "debt"
    WRITTEN_OFF = "written_off"


class Cause(msgspec.Struct, frozen=True):
    """What made points move: a kind of fact and its id, as the caller knows it."""

    type: str
    id: str


class Transfer(msgspec.Struct, frozen=True):
    """One row of the ledger: `points` > 0 from one bucket to another. `version` and `after` are the customer's then."""

    id: UUID
    customer_id: int
    source: Bucket
    target: Bucket
    points: int
    reason: str
    cause: Cause
    version: int
    after: Balance
    occurred_at: datetime
    rule: str | None = None
    rule_version: int | None = None


class Lot(msgspec.Struct, frozen=True):
    """Points earned together. `remaining` of `granted` are left; open from `available_at` to before `expires_at`."""

    id: UUID
    customer_id: int
    granted: int
    remaining: int
    available_at: datetime
    expires_at: datetime
    cause: Cause


class Credited(msgspec.Struct, frozen=True):
    """What a credit comes to: the customer after it, and the rows to write."""

    customer: Customer
    transfers: Sequence[Transfer]
    lots: Sequence[Lot]


def moved(before: Balance, source: Bucket, target: Bucket, points: int) -> Balance:
    """Move points between buckets. Debt counts the other way round: points that leave it make it grow."""
    available, pending, held, debt = before.available, before.pending, before.held, before.debt
    for bucket, change in ((source, -points), (target, points)):
        if bucket is Bucket.AVAILABLE:
            available += change
        elif bucket is Bucket.PENDING:
            pending += change
        elif bucket is Bucket.HELD:
            held += change
        elif bucket is Bucket.DEBT:
            debt -= change
    return Balance(available, pending, held, debt)


def credit(  # noqa: PLR0913 - the row that it makes has these columns
    customer: Customer,
    points: int,
    *,
    transfer_id: UUID,
    ids: IdSource,
    cause: Cause,
    rule: str,
    rule_version: int,
    occurred_at: datetime,
    now: datetime,
) -> Credited:
    """Book points that were earned: a transfer and a lot of one id. Debt is repaid from them first.

    `points` >= 0; none book nothing. The lot is available at once and never expires.
    """
    if points == 0:
        return Credited(customer, (), ())
    steps = [(transfer_id, Bucket.ISSUED, Bucket.AVAILABLE, points, cause.type)]
    repaid = min(points, customer.balance.debt)
    if repaid:
        steps.append((ids.next(), Bucket.AVAILABLE, Bucket.DEBT, repaid, "debt_repayment"))
    balance, version, transfers = customer.balance, customer.version, list[Transfer]()
    for step_id, source, target, amount, reason in steps:
        balance = moved(balance, source, target, amount)
        version += 1
        transfers.append(
            Transfer(
                id=step_id,
                customer_id=customer.id,
                source=source,
                target=target,
                points=amount,
                reason=reason,
                cause=cause,
                version=version,
                after=balance,
                occurred_at=occurred_at,
                rule=rule,
                rule_version=rule_version,
            )
        )
    lot = Lot(
        id=transfer_id,
        customer_id=customer.id,
        granted=points,
        remaining=points - repaid,
        available_at=now,
        expires_at=NEVER,
        cause=cause,
    )
    after = msgspec.structs.replace(customer, version=version, balance=balance)
    return Credited(after, transfers, (lot,))
