"""What a refund does to points: it takes back what was granted, and gives back what was spent. Pure."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from service.points.account import Account
from service.points.rules import Bucket, Cause, Lot, Part, Reversed, expiry_order

_replace = msgspec.structs.replace


def take_back(
    account: Account, points: int, *, lot_id: UUID, cause: Cause, at: datetime, debt_limit: int | None
) -> Reversed:
    """Take back points that were granted as a lot: from it first, then from others, those that end first at the front.

    What is spent already, or held, becomes debt, up to `debt_limit` in all (None: without limit) beside what is held:
    that may come back and repays it then, and were it written off, it would come back for nothing. The rest is written
    off. All lots of the customer were read that have something left.
    """
    left = points - _from_pending(account, points, lot_id, cause, at)
    available = min(left, account.customer.balance.available)
    if available:
        transfer = account.move(
            Bucket.AVAILABLE, Bucket.REVERSED, available, reason="reversal", cause=cause, at=at, reverses=lot_id
        )
        rest = available
        for lot in sorted(account.open_lots(), key=lambda lot: lot.id != lot_id):
            taken = min(rest, lot.remaining)
            if taken:
                account.take(lot.id, taken, transfer)
            rest -= taken
    left -= available
    has = account.customer.balance
    owed = left if debt_limit is None else min(left, max(0, debt_limit + has.held - has.debt))
    for source, amount in ((Bucket.DEBT, owed), (Bucket.WRITTEN_OFF, left - owed)):
        if amount:
            account.move(source, Bucket.REVERSED, amount, reason="reversal", cause=cause, at=at, reverses=lot_id)
    return Reversed(points - left, owed, left - owed)


def _from_pending(account: Account, points: int, lot_id: UUID, cause: Cause, at: datetime) -> int:
    lot = account.read()[0].get(lot_id)
    if lot is None or not lot.is_pending or not lot.remaining:
        return 0
    taken = min(points, lot.remaining)
    transfer = account.move(
        Bucket.PENDING, Bucket.REVERSED, taken, reason="reversal", cause=cause, at=at, reverses=lot_id
    )
    account.take(lot_id, taken, transfer)
    return taken


def restore(
    account: Account, hold_id: UUID, points: int, *, cause: Cause, at: datetime, grace: timedelta | None = None
) -> None:
    """Give captured points back to the lots they came from, with the end that they had; debt is repaid first.

    Lots that have ended meanwhile end again at once, or, with a `grace`, so much later than now.
    Those go back first that were spent last: what ends last. `points` >= 1 is at most what was captured and is not back
    yet. The hold and its lots were read.
    """
    left, alive_until = points, account.customer.alive_until
    hold, parts, refilled = account.read()[1][hold_id], list[Part](), list[Lot]()
    transfer = account.move(
        Bucket.REDEEMED, Bucket.AVAILABLE, points, reason="restoration", cause=cause, at=at, undoes=hold.ended_at
    )
    for part in sorted(hold.parts, key=lambda part: expiry_order(account.lot(part.lot_id), alive_until), reverse=True):
        back = min(left, part.captured - part.restored)
        left -= back
        parts.append(_replace(part, restored=part.restored + back))
        if back:
            account.take(part.lot_id, -back, transfer)
            refilled.append(account.lot(part.lot_id))
    account.end(_replace(hold, parts=tuple(parts)))
    account.repay(refilled, cause, at)
    for lot in refilled:
        if not account.has_ended(lot, account.now):
            continue
        if grace is None:
            account.expire(lot.id, account.now)
        else:
            kept = _replace(account.lot(lot.id), expires_at=account.now + grace, slides=False, notify_at=None)
            account.keep(kept)
