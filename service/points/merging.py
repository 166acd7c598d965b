"""What becomes of a customer's points when two records become one, and when one is erased. Pure."""

from typing import Final

import msgspec

from service.customers.rules import joined
from service.points.account import Account
from service.points.rules import Bucket, Cause, HoldStatus, portions

_replace = msgspec.structs.replace
_HELD_SOMEWHERE: Final = (Bucket.AVAILABLE, Bucket.PENDING, Bucket.HELD)


def merge(source: Account, target: Account, cause: Cause) -> None:
    """Let the target have the source's points, lots, holds, debt and counters. Debt of either is repaid first.

    Both were read whole. Lots and holds go over as they are, with the ids that they have; the rows' owner is to be
    changed besides, after what was moved is written.
    """
    if source.customer.balance.debt:
        _move_debt(source, target, cause)
        target.repay(target.open_lots(), cause, target.now)
    elif target.customer.balance.debt and source.customer.balance.available:
        # The lots that repay it are still the source's.
        _move_debt(target, source, cause)
        source.repay(source.open_lots(), cause, source.now)
        if source.customer.balance.debt:
            _move_debt(source, target, cause)
    for bucket in _HELD_SOMEWHERE:
        for points in portions(getattr(source.customer.balance, bucket.value)):
            source.move(bucket, Bucket.ISSUED, points, reason="merge", cause=cause, at=source.now)
            target.move(Bucket.ISSUED, bucket, points, reason="merge", cause=cause, at=target.now)
    _keep_alive(source, target)
    source.customer, target.customer = joined(source.customer, target.customer)
    (lots, holds), (own_lots, own_holds), owner = source.read(), target.read(), target.customer.id
    own_lots |= {each.id: _replace(each, customer_id=owner) for each in lots.values()}
    own_holds |= {each.id: _replace(each, customer_id=owner) for each in holds.values()}
    lots.clear()
    holds.clear()


def _keep_alive(source: Account, target: Account) -> None:
    """Keep what slides until the later of both ends. Who was told of none is told of that one, as long before it."""
    later, sooner = source, target
    ends_at, other = source.customer.alive_until, target.customer.alive_until
    if ends_at is None or (other is not None and other >= ends_at):
        later, sooner, ends_at, other = target, source, other, ends_at
    notify_at, its_own = later.customer.notify_at, sooner.customer.notify_at
    if ends_at is None:
        return
    slides = any(lot.slides and lot.remaining for lot in sooner.read()[0].values())
    if slides and notify_at is None and its_own is not None and other is not None:
        notify_at = ends_at - (other - its_own)
    target.customer = _replace(target.customer, alive_until=ends_at, notify_at=notify_at)


def _move_debt(giver: Account, taker: Account, cause: Cause) -> None:
    for points in portions(giver.customer.balance.debt):
        giver.move(Bucket.ISSUED, Bucket.DEBT, points, reason="merge", cause=cause, at=giver.now)
        taker.move(Bucket.DEBT, Bucket.ISSUED, points, reason="merge", cause=cause, at=taker.now)


def close(account: Account, cause: Cause) -> None:
    """End all points of an account that was read whole: what it has expires, what it owes is written off."""
    told = len(account.news)
    lots, holds = account.read()
    for hold in [each for each in holds.values() if each.status is HoldStatus.HELD]:
        account.move(Bucket.HELD, Bucket.EXPIRED, hold.points, reason="erasure", cause=cause, at=account.now)
        for part in hold.parts:
            lot = account.lot(part.lot_id)
            account.keep(_replace(lot, expired=lot.expired + part.points))
        account.end(_replace(hold, status=HoldStatus.LAPSED, ended_at=account.now))
    for lot in list(lots.values()):
        account.expire(lot.id, account.now, reason="erasure")
    for debt in portions(account.customer.balance.debt):
        account.move(Bucket.WRITTEN_OFF, Bucket.DEBT, debt, reason="erasure", cause=cause, at=account.now)
    del account.news[told:]  # of the points of one who is gone the erasure tells
