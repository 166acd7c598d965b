"""What time does to points: pending ones become available or lapse, lots end, holds lapse. Pure."""

from datetime import datetime
from enum import IntEnum
from uuid import UUID

from service.customers.rules import Customer
from service.points.account import Account
from service.points.rules import NEVER, HoldStatus, lot_ends_at, redemption


class _Change(IntEnum):
    """What happens first of what happens at one moment: points that end then are not there to become available."""

    EXPIRY = 0
    ACTIVATION = 1
    LAPSE = 2


def is_due(customer: Customer, now: datetime) -> bool:
    """Tell whether something of a customer's has changed by itself and isn't booked yet."""
    return customer.next_due_at is not None and customer.next_due_at <= now


def settle(account: Account) -> None:
    """Book all that has come due until the account's time, in the order in which it came."""
    for at, change, thing in sorted(_due(account)):
        if change is _Change.EXPIRY:
            account.expire(thing, at)
        elif change is _Change.LAPSE:
            hold = account.release(thing, redemption(thing), at, HoldStatus.LAPSED)
            account.news.append(("redemption.lapsed", hold.id))
        else:
            _activate(account, thing, at)


def _activate(account: Account, lot_id: UUID, at: datetime) -> None:
    lot = account.lot(lot_id)
    if not lot.is_pending or not lot.remaining:
        return
    if lot.lapses:
        account.expire(lot_id, at, reason="lapse")
    else:
        account.activate(lot_id, at)


def _due(account: Account) -> list[tuple[datetime, _Change, UUID]]:
    due, alive_until = list[tuple[datetime, _Change, UUID]](), account.customer.alive_until
    lots, holds = account.read()
    for lot in lots.values():
        if lot.is_pending and lot.available_at <= account.now:
            due.append((lot.available_at, _Change.ACTIVATION, lot.id))
        ends_at = lot_ends_at(lot, alive_until)
        if ends_at != NEVER and not lot.needs_notice and ends_at <= account.now:
            due.append((ends_at, _Change.EXPIRY, lot.id))
    for hold in holds.values():
        if hold.status is HoldStatus.HELD and hold.expires_at <= account.now:
            due.append((hold.expires_at, _Change.LAPSE, hold.id))
    return due
