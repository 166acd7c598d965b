"""What becomes of points that are taken back, and of those that come back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from service.customers.rules import Balance, newcomer
from service.kernel.ids import IdSource
from service.points.account import Account
from service.points.reversing import restore, take_back
from service.points.rules import NEVER, Alive, Cause, Life, Reversed

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PURCHASE, REFUND = Cause("purchase", "o-1"), Cause("refund", "r-1")


def account() -> Account:
    return Account(newcomer(1, "c-1", NOW), NOW, IdSource(NOW, 1), {}, {})


def earned(into: Account, points: int, *, ends: datetime = NEVER, pending: datetime | None = None) -> UUID:
    """Grant points; returns the id of their lot."""
    lot_id = into.ids.next()
    into.grant(
        points,
        transfer_id=lot_id,
        cause=PURCHASE,
        rule="base",
        rule_version=1,
        occurred_at=NOW,
        life=Life(available_at=pending, expires_at=ends),
    )
    return lot_id


def spent(of: Account, points: int) -> UUID:
    """Hold and capture points; returns the id of the hold."""
    hold_id = of.ids.next()
    of.hold(points, hold_id=hold_id, expires_at=NOW + DAY, cause=PURCHASE)
    of.capture(hold_id, points, PURCHASE)
    return hold_id


def taken(of: Account, points: int, lot_id: UUID, debt_limit: int | None = None) -> Reversed:
    return take_back(of, points, lot_id=lot_id, cause=REFUND, at=NOW, debt_limit=debt_limit)


def left(of: Account, *lots: UUID) -> list[int]:
    return [of.lot(lot_id).remaining for lot_id in lots]


def test_points_are_taken_from_their_own_lot_first_then_from_those_that_end_first() -> None:
    bought = account()
    later, own, sooner = earned(bought, 50, ends=NOW + 9 * DAY), earned(bought, 50), earned(bought, 50, ends=NOW + DAY)
    assert taken(bought, 70, own) == Reversed(70, 0, 0)
    assert left(bought, later, own, sooner) == [50, 0, 30]
    assert bought.transfers[-1].reverses == own


def test_pending_points_are_taken_back_before_they_are_there() -> None:
    bought = account()
    own = earned(bought, 50, pending=NOW + DAY)
    assert taken(bought, 20, own) == Reversed(20, 0, 0)
    assert bought.customer.balance == Balance(pending=30)


def test_a_clawback_becomes_a_debt_that_later_points_repay() -> None:
    """Sylius loyalty plugin: +50, then -80 as a clawback, then +100 leaves 70."""
    bought = account()
    own = earned(bought, 50)
    assert taken(bought, 80, own) == Reversed(50, 30, 0)
    assert bought.customer.balance == Balance(debt=30)
    earned(bought, 100)
    assert bought.customer.balance == Balance(available=70)


def test_a_clawback_beyond_the_limit_of_debt_is_written_off() -> None:
    """150 on a balance of 50: to 0 where the programme clamps, to a debt of 100 where it allows debt."""
    for limit, expected in ((0, Reversed(50, 0, 100)), (None, Reversed(50, 100, 0)), (60, Reversed(50, 60, 40))):
        bought = account()
        own = earned(bought, 50)
        assert taken(bought, 150, own, limit) == expected
        assert bought.customer.balance == Balance(debt=expected.to_debt)
        assert taken(bought, 10, own, limit).from_lots == 0


def test_held_points_are_not_touched_and_repay_the_debt_when_they_are_released() -> None:
    bought = account()
    own, hold_id = earned(bought, 100), UUID(int=7)
    bought.hold(60, hold_id=hold_id, expires_at=NOW + DAY, cause=PURCHASE)
    assert taken(bought, 100, own) == Reversed(40, 60, 0)
    assert bought.customer.balance == Balance(held=60, debt=60)
    bought.release(hold_id, PURCHASE, NOW)
    assert bought.customer.balance == Balance()


def test_spent_points_come_back_to_the_lots_they_came_from_those_that_end_last_first() -> None:
    bought = account()
    sooner, later = earned(bought, 50, ends=NOW + DAY), earned(bought, 50, ends=NOW + 9 * DAY)
    hold_id = spent(bought, 80)
    assert left(bought, sooner, later) == [0, 20]
    restore(bought, hold_id, 10, cause=REFUND, at=NOW)
    assert left(bought, sooner, later) == [0, 30]
    restore(bought, hold_id, 70, cause=REFUND, at=NOW)
    assert left(bought, sooner, later) == [50, 50]
    assert (bought.customer.balance, bought.closed().next_expiry_points) == (Balance(available=100), 50)


def test_points_that_come_back_repay_debt_first() -> None:
    bought = account()
    own = earned(bought, 50)
    hold_id = spent(bought, 50)
    taken(bought, 30, own)
    restore(bought, hold_id, 50, cause=REFUND, at=NOW)
    assert bought.customer.balance == Balance(available=20)


def test_points_that_come_back_after_their_end_end_again() -> None:
    bought = account()
    lot_id = earned(bought, 50, ends=NOW + DAY)
    hold_id = spent(bought, 50)
    bought.now = NOW + 2 * DAY
    restore(bought, hold_id, 50, cause=REFUND, at=NOW)
    assert bought.customer.balance == Balance()
    assert (bought.lot(lot_id).remaining, bought.lot(lot_id).expired) == (0, 50)


def test_what_ends_first_is_spent_first() -> None:
    """Sylius loyalty plugin: lots of 50 and 50, 70 burnt: 30 are left, in the later one."""
    bought = account()
    first, second = earned(bought, 50), earned(bought, 50)
    spent(bought, 70)
    assert left(bought, first, second) == [0, 30]


def test_of_held_points_those_that_end_first_by_now_are_spent() -> None:
    """An activity meanwhile keeps those alive that slide: they ended first when they were held, and end last now."""
    bought = account()
    bought.touch(Alive(NOW + 5 * DAY))
    sliding, hold_id = bought.ids.next(), UUID(int=7)
    bought.grant(
        50, transfer_id=sliding, cause=PURCHASE, rule="base", rule_version=1, occurred_at=NOW, life=Life(slides=True)
    )
    dated = earned(bought, 50, ends=NOW + 7 * DAY)
    bought.hold(60, hold_id=hold_id, expires_at=NOW + DAY, cause=PURCHASE)
    assert left(bought, sliding, dated) == [0, 40]
    bought.touch(Alive(NOW + 30 * DAY))
    bought.capture(hold_id, 10, PURCHASE)
    assert left(bought, sliding, dated) == [50, 40]
