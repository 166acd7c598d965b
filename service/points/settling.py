"""What time does to points: pending ones become available or lapse, lots end, holds lapse. Pure."""

from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Customer
from service.points.account import Account
from service.points.rules import REDEMPTION_LAPSED, HoldStatus, lot_ends_at, redemption

_AT_ONCE: Final = timedelta()


class _Change(IntEnum):
    """What happens first of what happens at one moment: points that end then are not there to become available."""

    EXPIRY = 0
    ACTIVATION = 1
    LAPSE = 2


def is_due(customer: Customer, now: datetime) -> bool:
    """Tell whether something of a customer's has changed by itself and isn't booked yet."""
    return customer.next_due_at is not None and customer.next_due_at <= now


def settle(account: Account) -> None:
    """Book all that has come due until the account's time, in the order in which it came, and tell what ends soon."""
    for at, change, thing in sorted(_due(account)):
        if change is _Change.EXPIRY:
            account.expire(thing, at)
        elif change is _Change.LAPSE:
            hold = account.release(thing, redemption(thing), at, HoldStatus.LAPSED)
            account.news.append((REDEMPTION_LAPSED, hold.id))
        else:
            _activate(account, thing, at)
    _notify(account)


def _notify(account: Account) -> None:
    """Tell the customer what ends soon and was not told yet, with one notice for each moment at which points end.

    A notice that comes days late, where points end only after one, moves their end by as many whole days: who is
    promised a notice of 30 days has them.
    """
    now, customer, ending = account.now, account.customer, dict[datetime, int]()
    sliding, must_wait = 0, False
    for lot in list(account.read()[0].values()):
        if lot.slides and lot.remaining and not lot.is_pending:
            sliding, must_wait = sliding + lot.remaining, must_wait or lot.needs_notice
        if lot.remaining and lot.notify_at is not None and lot.notify_at <= now:
            ends_at = lot.expires_at + (_late(lot.notify_at, now) if lot.needs_notice else _AT_ONCE)
            ending[ends_at] = ending.get(ends_at, 0) + lot.remaining
            account.keep(msgspec.structs.replace(lot, notify_at=None, expires_at=ends_at))
    if sliding and customer.alive_until is not None and customer.notify_at is not None and customer.notify_at <= now:
        ends_at = customer.alive_until + (_late(customer.notify_at, now) if must_wait else _AT_ONCE)
        ending[ends_at] = ending.get(ends_at, 0) + sliding
        account.customer = msgspec.structs.replace(customer, alive_until=ends_at, notify_at=None)
    for ends_at, points in ending.items():
        account.notify(points, ends_at)


def _late(notify_at: datetime, now: datetime) -> timedelta:
    return timedelta(days=(now - notify_at) // timedelta(days=1))


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
        if account.has_ended(lot, account.now):
            due.append((lot_ends_at(lot, alive_until), _Change.EXPIRY, lot.id))
    for hold in holds.values():
        if hold.status is HoldStatus.HELD and hold.expires_at <= account.now:
            due.append((hold.expires_at, _Change.LAPSE, hold.id))
    return due
