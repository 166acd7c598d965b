"""The plain model of notices: who is told that points end, and what follows from it.

A notice is given by whatever is booked next, so when that was only the books know. The model takes what is due for
told, as whoever reads is answered, and goes back to what was before as long as the books hold no notice.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from tests.model.ledger import IN_LOTS, Customer, Told, Unannounced

DAY = timedelta(days=1)


def announce(customer: Customer, now: datetime) -> None:
    """Tell a customer what is due: of each moment at which points end, once, and of as many as are left.

    Where a notice is demanded, the end comes as many whole days later as the notice does.
    """
    due = [lot for lot in customer.lots if lot.notify_at is not None and lot.notify_at <= now]
    slide_due = customer.notify_at is not None and customer.notify_at <= now
    if not due and not slide_due:
        return
    left = Counter(point.lot for point in customer.points if point.bucket in IN_LOTS)
    due = [lot for lot in due if left[lot]]
    sliding = [lot for lot in left if lot.slides and not lot.is_pending]
    before = Unannounced(customer.alive_until, customer.notify_at, {lot: (lot.ends_at, lot.notify_at) for lot in due})
    told = Counter[datetime]()
    for lot in due:
        assert lot.ends_at is not None
        lot.ends_at += _late(lot.notify_at, now, is_demanded=lot.needs_notice)
        lot.notify_at = None
        told[lot.ends_at] += left[lot]
    if slide_due and sliding and customer.alive_until is not None:
        is_demanded = any(lot.needs_notice for lot in sliding)
        customer.alive_until += _late(customer.notify_at, now, is_demanded=is_demanded)
        customer.notify_at = None
        told[customer.alive_until] += sum(left[lot] for lot in sliding)
    if told:
        customer.announced = [(points, ends_at) for ends_at, points in told.items()]
        customer.unannounced = before


def learn(customer: Customer, told: Iterable[Told]) -> tuple[Counter[Told], Counter[Told]]:
    """Learn from the books what the customer was told; gives that, and what it should be.

    That is what was told before, with all that is announced or nothing of it.
    """
    seen, known, announced = Counter(told), Counter(customer.notices), Counter(customer.announced)
    before, customer.announced, customer.unannounced = customer.unannounced, [], None
    if before is None or seen != known:
        customer.notices = list((known + announced).elements())
        return seen, known + announced
    customer.alive_until, customer.notify_at = before.alive_until, before.notify_at
    for lot, (ends_at, notify_at) in before.lots.items():
        lot.ends_at, lot.notify_at = ends_at, notify_at
    return seen, known


def alive_as_booked(customer: Customer) -> datetime | None:
    """Give until when what slides is alive in the books: nobody was told yet of what is only announced."""
    return customer.alive_until if customer.unannounced is None else customer.unannounced.alive_until


def _late(notify_at: datetime | None, now: datetime, *, is_demanded: bool) -> timedelta:
    """Tell how much later points end because of a late notice."""
    assert notify_at is not None
    return (now - notify_at) // DAY * DAY if is_demanded else timedelta()
