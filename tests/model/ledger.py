"""The plain model: a customer's points as pebbles. Each lies in one bucket, and is counted when it moves.

It knows nothing of the service: no rows, no notes of what is due, no numbers that must be kept in step. Time is told;
`shift` moves all that is remembered into the past, as if time had passed.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

Cause = tuple[str, str]
FAR = datetime.max.replace(tzinfo=UTC)
BOOKED = "when it was booked"
"""Stands for what only the database knows."""
MERGE, ERASURE = ("merge", BOOKED), ("erasure", BOOKED)
IN_LOTS = {"available", "pending"}


@dataclass(frozen=True)
class Alive:
    """Until when what slides is kept alive, and when its owner is told of that end."""

    until: datetime
    notify_at: datetime | None


@dataclass(eq=False)
class Lot:
    """Points that were earned together. `available_at` None: when they were booked; `ends_at` None: never.

    `notify_at`: when their owner is told of the end; None: not at all, or it happened. What slides has none of its own.
    """

    cause: Cause
    granted: int
    available_at: datetime | None
    ends_at: datetime | None
    slides: bool
    is_pending: bool
    lapses: bool
    needs_notice: bool = False
    notify_at: datetime | None = None
    ends_about: bool = False
    """Whether the end rests on the moment of a booking, which only the database knows."""
    number: int = field(default_factory=itertools.count().__next__)
    """Lots are numbered as they are made: what is older has a lower one."""


@dataclass(eq=False)
class Point:
    """One pebble."""

    lot: Lot
    bucket: str


@dataclass(eq=False)
class Hold:
    """Pebbles set aside; `captured` of them were spent, of which `restored` came back."""

    id: str
    cause: Cause
    order: str | None
    lapses_at: datetime
    held: list[Point]
    number: int = field(default_factory=itertools.count().__next__)
    status: str = "held"
    captured: list[Point] = field(default_factory=list[Point])
    restored: list[Point] = field(default_factory=list[Point])

    @property
    def spent(self) -> list[Point]:
        """The captured pebbles that are not back."""
        return [point for point in self.captured if point not in self.restored]


Told = tuple[int, datetime]
"""What a customer is told: so many points end at that moment."""


@dataclass(frozen=True)
class Unannounced:
    """What a customer has as long as nobody was told: when what slides ends, and each lot with a notice that is due."""

    alive_until: datetime | None
    notify_at: datetime | None
    lots: dict[Lot, tuple[datetime | None, datetime | None]]


@dataclass(eq=False)
class Customer:
    """One customer's pebbles, and how they moved: points by (reason, from, to, type and id of the cause)."""

    name: str
    lots: list[Lot] = field(default_factory=list[Lot])
    """By age."""
    points: list[Point] = field(default_factory=list[Point])
    holds: dict[str, Hold] = field(default_factory=dict[str, Hold])
    alive_until: datetime | None = None
    notify_at: datetime | None = None
    """When the customer is told of that; None: not at all, or it happened."""
    notices: list[Told] = field(default_factory=list[Told])
    announced: list[Told] = field(default_factory=list[Told])
    """What the customer is told as soon as anything is booked: taken for told until the books say otherwise."""
    unannounced: Unannounced | None = None
    debt: int = 0
    lifetime_earned: int = 0
    purchases: int = 0
    moves: Counter[tuple[str, ...]] = field(default_factory=Counter[tuple[str, ...]])
    into: "Customer | None" = None
    """Whom this record went into."""
    is_erased: bool = False
    row_id: int = 0
    """The internal id of the record, once it is known."""

    @property
    def whole(self) -> "Customer":
        """The customer whom this record stands for."""
        return self if self.into is None else self.into.whole

    def within(self, bucket: str, lot: Lot | None = None) -> list[Point]:
        """Give the pebbles in a bucket, all or those of a lot, in the order in which they are spent."""
        found = [point for point in self.points if point.bucket == bucket and lot in {None, point.lot}]
        return sorted(found, key=self.order)

    def order(self, point: Point) -> tuple[datetime, int]:
        """Order pebbles by what ends first, then by age."""
        return self.ends_at(point.lot), point.lot.number

    def ends_at(self, lot: Lot) -> datetime:
        """Return when a lot ends: at its date, and if it slides with the customer's inactivity."""
        return min(lot.ends_at or FAR, (lot.slides and self.alive_until) or FAR)

    def has_ended(self, lot: Lot, at: datetime) -> bool:
        """Tell whether a lot has ended at a moment: not while its owner is still to be told, where that is demanded."""
        waits = lot.needs_notice and (self.notify_at if lot.slides else lot.notify_at) is not None
        return not waits and self.ends_at(lot) <= at

    def balance(self) -> dict[str, int]:
        """Count."""
        counted = Counter(point.bucket for point in self.points)
        return {"available": counted["available"], "pending": counted["pending"], "held": counted["held"],
                "debt": self.debt}  # fmt: skip

    def next_expiry(self) -> tuple[int, datetime] | None:
        """Tell how many of the available points end next, and when."""
        ends = [at for point in self.within("available") if (at := self.ends_at(point.lot)) < FAR]
        return (ends.count(min(ends)), min(ends)) if ends else None

    def move(self, points: Iterable[Point], target: str, reason: str, cause: Cause) -> None:
        """Move pebbles into another bucket."""
        for point in points:
            self.moves[reason, point.bucket, target, *cause] += 1
            point.bucket = target

    def touch(self, alive: Alive | None) -> None:
        """Keep what slides alive, if it isn't for longer already. Of a new end the customer is told anew."""
        if alive is not None and (self.alive_until is None or self.alive_until < alive.until):
            self.alive_until, self.notify_at = alive.until, alive.notify_at

    def grant(self, count: int, lot: Lot, reason: str, now: datetime) -> None:
        """Bring in pebbles. Debt takes its part of those that are available; what has ended already ends at once.

        So does what should have been confirmed before.
        """
        if not count:
            return
        new = [Point(lot, "issued") for _ in range(count)]
        self.lots.append(lot)
        self.points += new
        self.move(new, "pending" if lot.is_pending else "available", reason, lot.cause)
        if not lot.is_pending:
            self.repay(new, lot.cause)
        elif lot.available_at is not None and lot.available_at <= now and not self.has_ended(lot, lot.available_at):
            self.move(new, "expired", "lapse", lot.cause)
        self.end(lot, now)

    def repay(self, points: Iterable[Point], cause: Cause) -> None:
        """Let available pebbles repay debt, in this order."""
        for point in points:
            if self.debt and point.bucket == "available":
                self.move([point], "debt", "debt_repayment", cause)
                self.debt -= 1

    def end(self, lot: Lot, at: datetime) -> None:
        """Let a lot end that has come to its end."""
        if self.has_ended(lot, at):
            self.move(self.within("available", lot) + self.within("pending", lot), "expired", "expiry", lot.cause)

    def activate(self, lot: Lot) -> None:
        """Make pending pebbles available."""
        lot.is_pending, waiting = False, self.within("pending", lot)
        self.move(waiting, "available", "activation", lot.cause)
        self.repay(waiting, lot.cause)

    def settle(self, now: datetime) -> None:
        """Let everything happen that happens by itself until now, moment by moment."""
        while (at := self.next_moment()) <= now:
            for lot in self.lots:
                self.end(lot, at)
            for lot in self.lots:
                waiting = self.within("pending", lot)
                if waiting and lot.available_at is not None and lot.available_at <= at:
                    if lot.lapses:
                        self.move(waiting, "expired", "lapse", lot.cause)
                    else:
                        self.activate(lot)
            for hold in [hold for hold in self.holds.values() if hold.status == "held" and hold.lapses_at <= at]:
                self.release(hold, at, "lapsed")

    def next_moment(self) -> datetime:
        """Return when something happens next by itself."""
        moments = [hold.lapses_at for hold in self.holds.values() if hold.status == "held"]
        there = {each.lot for each in self.points if each.bucket in IN_LOTS}
        moments += [self.ends_at(lot) for lot in there if self.has_ended(lot, FAR)]
        moments += [lot.available_at or FAR for lot in {each.lot for each in self.points if each.bucket == "pending"}]
        return min(moments, default=FAR)

    def hold(self, hold_id: str, count: int, lapses_at: datetime, order: str | None) -> None:
        """Set pebbles aside: those that end first."""
        taken = self.within("available")[:count]
        hold = Hold(hold_id, ("redemption", hold_id), order, lapses_at, taken)
        self.holds[hold_id] = hold
        self.move(taken, "held", "redemption", hold.cause)

    def capture(self, hold: Hold, count: int, at: datetime) -> None:
        """Spend pebbles of a hold, those that end first; the others go back."""
        points = sorted(hold.held, key=self.order)
        hold.status, hold.captured = "captured", points[:count]
        self.move(hold.captured, "redeemed", "redemption", hold.cause)
        self.give_back(points[count:], at, "release", hold.cause)

    def release(self, hold: Hold, at: datetime, status: str = "released") -> None:
        """Give back the pebbles of a hold."""
        hold.status = status
        self.give_back(sorted(hold.held, key=self.order), at, "lapse" if status == "lapsed" else "release", hold.cause)

    def give_back(self, points: Sequence[Point], at: datetime, reason: str, cause: Cause) -> None:
        """Give back held pebbles. Those whose lot has ended repay the debt that was made meanwhile, or end."""
        back = list[Point]()
        for point in points:
            if self.has_ended(point.lot, at) and len(back) >= self.debt:
                self.move([point], "expired", "expiry", point.lot.cause)
            else:
                back.append(point)
        self.move(back, "available", reason, cause)
        self.repay(back, cause)

    def restore(self, hold: Hold, count: int, now: datetime, cause: Cause, grace: timedelta | None) -> None:
        """Give back spent pebbles: those that end last first. Those whose lot has ended end again, or after a grace."""
        back = sorted(hold.spent, key=self.order, reverse=True)[:count]
        hold.restored += back
        self.move(back, "available", "restoration", cause)
        self.repay(back, cause)
        for lot in dict.fromkeys(point.lot for point in back):
            if grace is None:
                self.end(lot, now)
            elif self.has_ended(lot, now):
                lot.ends_at, lot.slides, lot.notify_at, lot.ends_about = now + grace, False, None, True

    def take_back(self, lot: Lot, count: int, limit: int | None, cause: Cause) -> tuple[int, int, int]:
        """Take back pebbles: of a lot, then of others. Gives how many, what became debt, what was written off."""
        others = [point for point in self.within("available") if point.lot is not lot]
        taken = [*self.within("pending", lot), *self.within("available", lot), *others][:count]
        self.move(taken, "reversed", "reversal", cause)
        missing = count - len(taken)
        # What is held may come back, and repays debt then: it counts beside the limit.
        owed = missing if limit is None else min(missing, max(0, limit + len(self.within("held")) - self.debt))
        self.debt += owed
        for bucket, points in (("debt", owed), ("written_off", missing - owed)):
            if points:
                self.moves["reversal", bucket, "reversed", *cause] += points
        return len(taken), owed, missing - owed

    def go_into(self, other: "Customer") -> None:
        """Let another customer have everything. Debt of either is repaid first, by the lots of who has them."""
        if self.debt:
            self.hand_over_debt(other)
            other.repay(other.within("available"), MERGE)
        elif other.debt and self.within("available"):
            other.hand_over_debt(self)
            self.repay(self.within("available"), MERGE)
            if self.debt:
                self.hand_over_debt(other)
        for bucket, points in self.balance().items():
            if points and bucket != "debt":
                self.moves["merge", bucket, "issued", *MERGE] += points
                other.moves["merge", "issued", bucket, *MERGE] += points
        self.keep_alive(other)
        other.lots = sorted(other.lots + self.lots, key=lambda lot: lot.number)
        other.points += self.points
        other.holds |= self.holds
        other.purchases += self.purchases
        other.lifetime_earned += self.lifetime_earned
        self.lots, self.points, self.holds, self.purchases, self.lifetime_earned = [], [], {}, 0, 0
        self.into = other

    def keep_alive(self, other: "Customer") -> None:
        """Let what slides of both go on until the later end. Who was not told of the own end is told of that one."""
        if self.alive_until is None:
            return
        told_later = self if other.alive_until is None or other.alive_until < self.alive_until else other
        sooner = other if told_later is self else self
        until, notify_at = told_later.alive_until, told_later.notify_at
        slides = any(point.lot.slides and point.bucket in IN_LOTS for point in sooner.points)
        if until and slides and notify_at is None and sooner.notify_at is not None and sooner.alive_until is not None:
            notify_at = until - (sooner.alive_until - sooner.notify_at)
        other.alive_until, other.notify_at = until, notify_at

    def hand_over_debt(self, other: "Customer") -> None:
        """Let another customer owe what this one owes."""
        self.moves["merge", "issued", "debt", *MERGE] += self.debt
        other.moves["merge", "debt", "issued", *MERGE] += self.debt
        self.debt, other.debt = 0, self.debt + other.debt

    def erase(self) -> None:
        """Close everything: what there is expires, what is owed is written off."""
        for hold in self.holds.values():
            if hold.status == "held":
                hold.status = "lapsed"
                self.move(hold.held, "expired", "erasure", ERASURE)
        for lot in self.lots:
            self.move(self.within("available", lot) + self.within("pending", lot), "expired", "erasure", lot.cause)
        if self.debt:
            self.moves["erasure", "written_off", "debt", *ERASURE] += self.debt
        self.debt, self.is_erased = 0, True

    def all_moves(self, records: Iterable["Customer"]) -> Counter[tuple[str, ...]]:
        """Count how points moved, those of records that went into this one among them."""
        return sum((each.moves for each in records if each.whole is self), Counter[tuple[str, ...]]())

    def shift(self, passing: timedelta) -> None:
        """Let time pass: all moments lie further back."""
        for lot in self.lots:
            lot.available_at = lot.available_at and lot.available_at - passing
            lot.ends_at = lot.ends_at and lot.ends_at - passing
            lot.notify_at = lot.notify_at and lot.notify_at - passing
        for hold in self.holds.values():
            hold.lapses_at -= passing
        self.alive_until = self.alive_until and self.alive_until - passing
        self.notify_at = self.notify_at and self.notify_at - passing
        self.notices = [(points, ends_at - passing) for points, ends_at in self.notices]
