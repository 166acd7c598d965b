"""Customers are told before their points end; what needs a notice doesn't end without one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from service.customers.rules import Balance, Customer, newcomer
from service.kernel.ids import IdSource
from service.points.account import Account
from service.points.policies import kept_alive, life_of
from service.points.rules import NEVER, Alive, Cause, Life
from service.points.settling import is_due, settle
from service.programs.policies import ExpiryNotice, QualifyingActivity, RollingExpiry, SlidingExpiry
from service.programs.rules import ProgramSettings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
END = NOW + 60 * DAY


class Books:
    """A customer's rows from one booking to the next."""

    def __init__(self) -> None:
        self.customer: Customer = newcomer(1, "c-1", NOW)
        self.account = Account(self.customer, NOW, IdSource(NOW, 1), {}, {})

    def earn(self, points: int, life: Life, alive: Alive | None = None) -> UUID:
        """Bring in points; returns the id of their lot."""
        lot_id = self.account.ids.next()
        self.account.touch(alive)
        self.account.grant(
            points,
            transfer_id=lot_id,
            cause=Cause("purchase", "o-1"),
            rule="base",
            rule_version=1,
            occurred_at=self.account.now,
            life=life,
        )
        return lot_id

    def later(self, at: datetime) -> Account:
        """Write what was moved, and open the account again at a moment, settled."""
        lots, holds = self.account.read()
        self.account = Account(self.account.closed(), at, IdSource(at, 1), dict(lots), dict(holds))
        settle(self.account)
        return self.account


def told(account: Account) -> list[tuple[int, datetime]]:
    return [(notice.points, notice.ends_at) for notice in account.notices]


def test_a_notice_goes_out_so_many_days_before_the_end_and_once() -> None:
    books = Books()
    books.earn(100, Life(expires_at=END, notify_at=END - 30 * DAY))
    assert books.account.closed().next_due_at == END - 30 * DAY
    assert not told(books.later(END - 31 * DAY))
    account = books.later(END - 30 * DAY)
    assert told(account) == [(100, END)]
    assert account.news == [("points.expiring", account.notices[0].id)]
    assert account.closed().next_due_at == END
    assert not told(books.later(END - 29 * DAY))
    assert books.later(END).customer.balance == Balance()


def test_points_that_end_at_one_moment_are_told_of_with_one_notice() -> None:
    books = Books()
    for points in (100, 50):
        books.earn(points, Life(expires_at=END, notify_at=END - 30 * DAY))
    books.earn(7, Life(expires_at=END + DAY, notify_at=END - 29 * DAY))
    assert told(books.later(END - 29 * DAY)) == [(150, END), (7, END + DAY)]


def test_what_was_spent_is_not_told_of() -> None:
    books = Books()
    books.earn(100, Life(expires_at=END, notify_at=END - 30 * DAY))
    hold_id = books.account.ids.next()
    books.account.hold(100, hold_id=hold_id, expires_at=END, cause=Cause("redemption", "h"))
    assert not told(books.later(END - 30 * DAY))


def test_what_ended_already_is_not_told_of_any_more() -> None:
    books = Books()
    books.earn(100, Life(expires_at=END, notify_at=END - 30 * DAY))
    account = books.later(END)
    assert (told(account), account.customer.balance) == ([], Balance())


def test_what_needs_a_notice_does_not_end_before_it_was_given_and_its_days_are_over() -> None:
    books = Books()
    lot_id = books.earn(100, Life(expires_at=END, needs_notice=True, notify_at=END - 30 * DAY))
    # Nobody was there for forty days: the notice comes ten days after the end that it tells of.
    account = books.later(END + 10 * DAY)
    assert told(account) == [(100, END + 40 * DAY)]
    assert account.customer.balance == Balance(available=100)
    assert account.closed().next_due_at == END + 40 * DAY
    assert books.later(END + 40 * DAY - timedelta(seconds=1)).customer.balance == Balance(available=100)
    account = books.later(END + 40 * DAY)
    assert (account.customer.balance, account.lot(lot_id).expired) == (Balance(), 100)


def test_a_notice_that_is_minutes_late_moves_no_end() -> None:
    books = Books()
    books.earn(100, Life(expires_at=END, needs_notice=True, notify_at=END - 30 * DAY))
    assert told(books.later(END - 30 * DAY + timedelta(minutes=10))) == [(100, END)]


def test_who_is_inactive_is_told_once_of_all_that_slides_and_activity_makes_it_a_new_end() -> None:
    books = Books()
    books.earn(100, Life(slides=True, needs_notice=True), Alive(END, END - 30 * DAY))
    books.earn(20, Life(slides=True, needs_notice=True), Alive(END, END - 30 * DAY))
    assert books.account.closed().next_due_at == END - 30 * DAY
    assert told(books.later(END - 30 * DAY)) == [(120, END)]
    assert not told(books.later(END - 20 * DAY))
    books.account.touch(Alive(END + 60 * DAY, END + 30 * DAY))
    assert books.later(END + DAY).customer.balance == Balance(available=120)
    assert told(books.later(END + 30 * DAY)) == [(120, END + 60 * DAY)]
    assert books.later(END + 60 * DAY).customer.balance == Balance()


def test_what_slides_and_needs_a_notice_waits_for_it() -> None:
    books = Books()
    books.earn(100, Life(slides=True, needs_notice=True), Alive(END, END - 30 * DAY))
    account = books.later(END + DAY)
    assert (told(account), account.customer.balance) == ([(100, END + 31 * DAY)], Balance(available=100))
    assert account.customer.alive_until == END + 31 * DAY
    assert books.later(END + 31 * DAY).customer.balance == Balance()


def test_what_slides_without_need_of_a_notice_ends_with_or_without_it() -> None:
    books = Books()
    books.earn(100, Life(slides=True), Alive(END, END - 30 * DAY))
    account = books.later(END)
    assert (told(account), account.customer.balance) == ([], Balance())


def test_an_account_that_was_not_read_notes_when_to_tell() -> None:
    books = Books()
    account = Account(newcomer(1, "c-1", NOW), NOW, IdSource(NOW, 1))
    books.account = account
    books.earn(100, Life(expires_at=END, notify_at=END - 30 * DAY))
    assert account.closed().next_due_at == END - 30 * DAY
    assert is_due(account.closed(), END - 30 * DAY)


def test_an_account_that_was_not_read_notes_when_to_tell_of_a_new_end_that_comes_before_the_old_one() -> None:
    """Who is told forty days before the end, and comes again a week later, is to be told anew before the old end."""
    books = Books()
    books.earn(100, Life(slides=True), Alive(END, END - 40 * DAY))
    was_told = books.later(END - 33 * DAY).closed()
    assert was_told.next_due_at == END
    account = Account(was_told, END - 33 * DAY, IdSource(END, 1))
    account.touch(Alive(END + 7 * DAY, END - 33 * DAY))
    assert account.closed().next_due_at == END - 33 * DAY
    assert is_due(account.closed(), END - 33 * DAY)


def test_the_policy_says_when_to_tell() -> None:
    notice = ExpiryNotice(days=14, required=True)
    rolling = ProgramSettings(expiry=RollingExpiry(months=1, notice=notice), time_zone="Europe/Berlin")
    life = life_of(rolling, None, datetime(2026, 1, 25, 12, tzinfo=UTC))
    assert (life.expires_at, life.notify_at) == (
        datetime(2026, 2, 25, 23, tzinfo=UTC),
        datetime(2026, 2, 11, 23, tzinfo=UTC),
    )
    assert life.needs_notice
    sliding = ProgramSettings(expiry=SlidingExpiry(days=60, notice=notice))
    assert life_of(sliding, None, NOW).expires_at == NEVER
    assert life_of(sliding, None, NOW).notify_at is None
    until = datetime(2027, 1, 21, tzinfo=UTC)
    assert kept_alive(sliding, QualifyingActivity.PURCHASE, NOW) == Alive(until, until - 14 * DAY)
    assert kept_alive(sliding, QualifyingActivity.REDEMPTION, NOW) is None
    assert kept_alive(rolling, QualifyingActivity.PURCHASE, NOW) is None
