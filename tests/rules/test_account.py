"""Random months of a customer's points against a plain model that knows nothing of lots' rows, entries or notes."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.customers.rules import Balance, newcomer
from service.kernel.ids import IdSource
from service.points.account import Account
from service.points.reversing import restore, take_back
from service.points.rules import (
    NEVER,
    Alive,
    Cause,
    Entry,
    Hold,
    HoldStatus,
    InsufficientPoints,
    Life,
    Lot,
    Transfer,
    moved,
)
from service.points.settling import is_due, settle

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CAUSE = Cause("purchase", "p")
DEBT_LIMIT = 25


class Step(msgspec.Struct, frozen=True):
    """Something that is done `days` after what was done before. `points` and the lives are as the verb needs them."""

    days: int
    verb: str
    points: int
    pending: int | None
    lapses: bool
    ends: int | None
    slides: bool
    which: int


STEPS = st.lists(
    st.builds(
        Step,
        days=st.sampled_from([0, 0, 1, 5, 20]),
        verb=st.sampled_from(
            ["earn", "earn", "earn", "hold", "hold", "capture", "capture", "release", "touch", "take back", "restore"]
        ),
        points=st.integers(1, 30),
        pending=st.none() | st.integers(-3, 12),
        lapses=st.booleans(),
        ends=st.sampled_from([None, None, -2, 0, 3, 10, 10, 30]),
        slides=st.booleans(),
        which=st.integers(0, 3),
    ),
    max_size=30,
)


@dataclass
class Point:
    """One single point, and its life."""

    born: int
    pending_until: datetime | None
    lapses: bool
    ends: datetime
    slides: bool
    state: str = "available"
    hold: int | None = None
    spent_by: int | None = None


@dataclass
class Model:
    """Every point by itself: what a customer would count with pebbles."""

    points: list[Point] = field(default_factory=list[Point])
    holds: dict[int, datetime] = field(default_factory=dict[int, datetime])
    alive_until: datetime | None = None
    debt: int = 0

    def repay(self, points: list[Point]) -> None:
        """Let points that are available repay debt."""
        for point in points:
            if self.debt and point.state == "available":
                point.state = "repaid"
                self.debt -= 1

    def ends(self, point: Point) -> datetime:
        """Return when a point ends."""
        if point.slides and self.alive_until is not None:
            return min(point.ends, self.alive_until)
        return point.ends

    def pass_time(self, until: datetime) -> None:
        """Let everything happen that happens by itself, moment by moment."""
        moments = {self.ends(point) for point in self.points} | set(self.holds.values())
        moments |= {point.pending_until for point in self.points if point.pending_until is not None}
        for at in sorted(moment for moment in moments if moment <= until):
            for point in self.points:
                if point.state in {"available", "pending"} and self.ends(point) <= at:
                    point.state = "expired"
                if point.state == "pending" and point.pending_until is not None and point.pending_until <= at:
                    point.state = "expired" if point.lapses else "available"
                    self.repay([point])
            for hold in [hold for hold, lapse in self.holds.items() if lapse <= at]:
                self.release(hold, at)

    def release(self, hold: int, at: datetime) -> None:
        """Give a hold's points back; what has ended meanwhile still repays what is owed."""
        del self.holds[hold]
        back, owed = sorted((point for point in self.points if point.hold == hold), key=self.order), self.debt
        for point in back:
            is_over = self.ends(point) <= at and not owed
            point.state, point.hold = ("expired" if is_over else "available"), None
            owed -= owed > 0
        self.repay(back)

    def take_back(self, born: int, count: int) -> None:
        """Take points back: of those that were earned then, of others, as debt up to its limit."""
        own = [point for point in self.points if point.born == born and point.state in {"pending", "available"}]
        others = [point for point in self.take(len(self.points)) if point.born != born]
        taken = (own + others)[:count]
        for point in taken:
            point.state = "reversed"
        held = sum(point.state == "held" for point in self.points)
        self.debt += min(count - len(taken), max(0, DEBT_LIMIT + held - self.debt))

    def restore(self, hold: int, count: int, at: datetime) -> None:
        """Give spent points back, those that end last first."""
        spent = [point for point in self.points if point.state == "redeemed" and point.spent_by == hold]
        back = sorted(spent, key=self.order, reverse=True)[:count]
        for point in back:
            point.state = "available"
        self.repay(back)
        for point in back:
            if point.state == "available" and self.ends(point) <= at:
                point.state = "expired"

    def order(self, point: Point) -> tuple[datetime, int]:
        """Order points by what ends first, then by age."""
        return self.ends(point), point.born

    def take(self, count: int) -> list[Point]:
        """Choose points to spend: those that end first, the older first."""
        usable = [point for point in self.points if point.state == "available"]
        return sorted(usable, key=self.order)[:count]

    def balance(self) -> Balance:
        """Count."""
        counted = defaultdict[str, int](int)
        for point in self.points:
            counted[point.state] += 1
        return Balance(counted["available"], counted["pending"], counted["held"], self.debt)


class Books:
    """What would be stored: accounts are made from it for each step, and what they leave is kept."""

    def __init__(self) -> None:
        self.customer = newcomer(1, "c-1", START)
        self.lots: dict[UUID, Lot] = {}
        self.holds: dict[UUID, Hold] = {}
        self.transfers: list[Transfer] = []
        self.entries: list[Entry] = []
        self.born: dict[UUID, int] = {}
        self.steps = 0

    def account(self, now: datetime, *, whole: bool) -> Account:
        """Open the account as a booking does: only what is due or asked for is read."""
        self.steps += 1
        account = Account(self.customer, now, IdSource(now, self.steps))
        if whole or is_due(self.customer, now):
            account.lots, account.holds = dict(self.lots), dict(self.holds)
            settle(account)
        return account

    def keep(self, account: Account) -> None:
        """Keep what was booked."""
        self.customer = account.closed()
        self.lots |= account.granted | account.changed_lots
        self.born |= dict.fromkeys(account.granted, self.steps)
        self.holds |= account.begun_holds | account.changed_holds
        self.transfers += account.transfers
        self.entries += account.entries

    def prove(self) -> None:
        """Prove what `loyalty verify` proves of a database."""
        balance, version = Balance(), 0
        for transfer in self.transfers:
            balance, version = moved(balance, transfer.source, transfer.target, transfer.points), version + 1
            assert (transfer.after, transfer.version) == (balance, version)
        assert (self.customer.balance, self.customer.version) == (balance, version)
        lots = list(self.lots.values())
        assert balance.available == sum(lot.remaining for lot in lots if not lot.is_pending)
        assert balance.pending == sum(lot.remaining for lot in lots if lot.is_pending)
        open_holds = [hold for hold in self.holds.values() if hold.status is HoldStatus.HELD]
        assert balance.held == sum(hold.points for hold in open_holds)
        for lot in lots:
            taken = sum(entry.points for entry in self.entries if entry.lot_id == lot.id)
            assert 0 <= lot.remaining == lot.granted + taken
        for hold in self.holds.values():
            assert sum(part.points for part in hold.parts) == hold.points
            assert sum(part.captured for part in hold.parts) == hold.captured
            assert all(0 <= part.restored <= part.captured for part in hold.parts)
        assert balance.debt == 0 or balance.available == 0
        self._prove_notes(open_holds)

    def _prove_notes(self, open_holds: list[Hold]) -> None:
        left = [lot for lot in self.lots.values() if lot.remaining]
        due = [lot.available_at for lot in left if lot.is_pending]
        due += [lot.expires_at for lot in left if lot.expires_at != NEVER]
        due += [hold.expires_at for hold in open_holds]
        if due:
            assert self.customer.next_due_at is not None
            assert self.customer.next_due_at <= min(due)
        assert self.customer.sliding == sum(lot.remaining for lot in left if lot.slides and not lot.is_pending)
        dated = [lot for lot in left if not lot.is_pending and not lot.slides and lot.expires_at != NEVER]
        first = min((lot.expires_at for lot in dated), default=None)
        assert self.customer.next_expiry_at == first
        assert self.customer.next_expiry_points == sum(lot.remaining for lot in dated if lot.expires_at == first)


def _life(step: Step, now: datetime) -> Life:
    return Life(
        available_at=None if step.pending is None else now + step.pending * DAY,
        lapses=step.lapses,
        expires_at=NEVER if step.ends is None else now + step.ends * DAY,
        slides=step.slides,
    )


def _earn(step: Step, books: Books, model: Model, now: datetime, *, whole: bool) -> None:
    account = books.account(now, whole=whole)
    life = _life(step, now)
    if life.slides:
        account.touch(Alive(now + 15 * DAY))
        model.alive_until = account.customer.alive_until
    account.grant(
        step.points,
        transfer_id=account.ids.next(),
        cause=CAUSE,
        rule="base",
        rule_version=1,
        occurred_at=now,
        life=life,
    )
    books.keep(account)
    pending = life.available_at is not None and (life.lapses or life.available_at > now)
    for _ in range(step.points):
        point = Point(books.steps, life.available_at if pending else None, life.lapses, life.expires_at, life.slides)
        point.state = "pending" if pending else "available"
        model.points.append(point)
        if not pending:
            model.repay([point])
    model.pass_time(now)
    assert books.customer.balance == model.balance()


def _hold(step: Step, books: Books, model: Model, now: datetime, ids: dict[int, UUID]) -> None:
    account = books.account(now, whole=True)
    hold_id = account.ids.next()
    asked, there = step.points, model.balance().available
    if asked > there:
        with pytest.raises(InsufficientPoints):
            account.hold(asked, hold_id=hold_id, expires_at=now + 7 * DAY, cause=CAUSE)
        books.keep(account)
        return
    account.hold(asked, hold_id=hold_id, expires_at=now + 7 * DAY, cause=CAUSE)
    books.keep(account)
    for point in model.take(asked):
        point.state, point.hold = "held", books.steps
    model.holds[books.steps] = now + 7 * DAY
    ids[books.steps] = hold_id


def _end(step: Step, books: Books, model: Model, now: datetime, ids: dict[int, UUID]) -> None:
    if not model.holds:
        return
    number = sorted(model.holds)[step.which % len(model.holds)]
    account = books.account(now, whole=True)
    if step.verb == "release":
        account.release(ids[number], CAUSE, now)
        model.release(number, now)
    else:
        held = [point for point in model.points if point.hold == number]
        spent = min(step.points, len(held))
        account.capture(ids[number], spent, CAUSE)
        for point in sorted(held, key=model.order)[:spent]:
            point.state, point.hold, point.spent_by = "redeemed", None, number
        model.release(number, now)
    books.keep(account)


def _take_back(step: Step, books: Books, model: Model, now: datetime) -> None:
    if not books.lots:
        return
    lot = sorted(books.lots.values(), key=lambda lot: lot.id)[-1 - step.which % len(books.lots)]
    born = books.born[lot.id]
    account = books.account(now, whole=True)
    done = take_back(account, step.points, lot_id=lot.id, cause=CAUSE, at=now, debt_limit=DEBT_LIMIT)
    books.keep(account)
    assert done.from_lots + done.to_debt + done.written_off == step.points
    model.take_back(born, step.points)


def _restore(step: Step, books: Books, model: Model, now: datetime, ids: dict[int, UUID]) -> None:
    spent = {point.spent_by for point in model.points if point.state == "redeemed" and point.spent_by is not None}
    if not spent:
        return
    number = sorted(spent)[step.which % len(spent)]
    count = sum(point.state == "redeemed" and point.spent_by == number for point in model.points)
    account = books.account(now, whole=True)
    restore(account, ids[number], min(step.points, count), cause=CAUSE, at=now)
    books.keep(account)
    model.restore(number, min(step.points, count), now)


@given(STEPS)
@settings(max_examples=1000)
def test_points_live_as_pebbles_would(steps: list[Step]) -> None:
    books, model, now, ids = Books(), Model(), START, dict[int, UUID]()
    for number, step in enumerate(steps):
        now += step.days * DAY
        model.pass_time(now)
        if step.verb == "earn":
            _earn(step, books, model, now, whole=number % 3 == 0)
        elif step.verb == "hold":
            _hold(step, books, model, now, ids)
        elif step.verb == "touch":
            account = books.account(now, whole=False)
            account.touch(Alive(now + 15 * DAY))
            books.keep(account)
            model.alive_until = account.customer.alive_until
            model.pass_time(now)
        elif step.verb == "take back":
            _take_back(step, books, model, now)
        elif step.verb == "restore":
            _restore(step, books, model, now, ids)
        else:
            _end(step, books, model, now, ids)
        assert books.account(now, whole=True).closed().balance == model.balance()
        books.prove()
