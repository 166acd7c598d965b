"""A customer's points while a booking decides: every movement is made here, and leaves the rows to write.

Pure: it holds what was read and what is decided, the time and the source of ids are given. Each movement is a transfer,
and says what it took from which lot or gave back to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Customer
from service.kernel.ids import IdSource
from service.points.rules import (
    NEVER,
    POINTS_AVAILABLE,
    POINTS_EXPIRED,
    POINTS_EXPIRING,
    POINTS_PENDING,
    Alive,
    Bucket,
    Cause,
    Entry,
    Hold,
    HoldNotOpen,
    HoldStatus,
    InsufficientPoints,
    Life,
    Lot,
    Notice,
    Part,
    Transfer,
    expiry_order,
    lot_ends_at,
    moved,
    portions,
)

_replace = msgspec.structs.replace
AT_ONCE: Final = Life()


@dataclass(slots=True)
class Account:
    """One customer's points. `lots` and `holds` are None where they were not read: then points only come in.

    `customer`, `lots` and `holds` are as of the last movement; the rows to write add up in the others: what is new, and
    what was read and has changed.
    """

    customer: Customer
    now: datetime
    ids: IdSource
    lots: dict[UUID, Lot] | None = None
    holds: dict[UUID, Hold] | None = None
    transfers: list[Transfer] = field(default_factory=list[Transfer])
    entries: list[Entry] = field(default_factory=list[Entry])
    granted: dict[UUID, Lot] = field(default_factory=dict[UUID, Lot])
    changed_lots: dict[UUID, Lot] = field(default_factory=dict[UUID, Lot])
    begun_holds: dict[UUID, Hold] = field(default_factory=dict[UUID, Hold])
    changed_holds: dict[UUID, Hold] = field(default_factory=dict[UUID, Hold])
    notices: list[Notice] = field(default_factory=list[Notice])
    news: list[tuple[str, UUID]] = field(default_factory=list[tuple[str, UUID]])
    """Types of events, each with the id of the transfer, hold or notice that it tells of."""
    followed: int = 0
    """How many of the transfers were taken into account by who keeps count of them beside the ledger."""

    def grant(
        self,
        points: int,
        *,
        transfer_id: UUID,
        cause: Cause,
        rule: str | None,
        rule_version: int | None,
        occurred_at: datetime,
        life: Life = AT_ONCE,
    ) -> None:
        """Bring in points: a transfer and a lot of one id. Debt is repaid first; what has ended, ends as of then.

        So does what should have been confirmed before: it lapses as it would have. `points` >= 0; none book nothing.
        """
        if points == 0:
            return
        is_pending = life.available_at is not None and (life.lapses or life.available_at > self.now)
        self.move(
            Bucket.ISSUED,
            Bucket.PENDING if is_pending else Bucket.AVAILABLE,
            points,
            reason=cause.type,
            cause=cause,
            at=occurred_at,
            transfer_id=transfer_id,
            rule=rule,
            rule_version=rule_version,
        )
        lot = Lot(
            id=transfer_id,
            customer_id=self.customer.id,
            granted=points,
            remaining=points,
            available_at=life.available_at or self.now,
            expires_at=life.expires_at,
            cause=cause,
            is_pending=is_pending,
            lapses=is_pending and life.lapses,
            slides=life.slides,
            needs_notice=life.needs_notice,
            notify_at=life.notify_at,
        )
        if is_pending:
            self.news.append((POINTS_PENDING, lot.id))
        self.granted[lot.id] = lot
        if self.lots is not None:
            self.lots[lot.id] = lot
        if not is_pending:
            self.repay([lot], cause, occurred_at)
        elif lot.available_at <= self.now and not self.has_ended(lot, lot.available_at):
            self.expire(lot.id, lot.available_at, reason="lapse")
        if self.has_ended(lot, self.now):
            self.expire(lot.id, lot_ends_at(lot, self.customer.alive_until))
        if self.lots is None:
            self._note(self.granted[lot.id])

    def repay(self, lots: Sequence[Lot], cause: Cause, at: datetime) -> None:
        """Repay debt from open lots, in the order given."""
        for lot in lots:
            repaid = min(self.customer.balance.debt, self.lot(lot.id).remaining)
            if repaid:
                transfer = self.move(Bucket.AVAILABLE, Bucket.DEBT, repaid, reason="debt_repayment", cause=cause, at=at)
                self.take(lot.id, repaid, transfer)

    def activate(self, lot_id: UUID, at: datetime) -> None:
        """Make pending points available."""
        lot = self.lot(lot_id)
        self.keep(_replace(lot, is_pending=False, lapses=False, available_at=at))
        transfer = self.move(
            Bucket.PENDING, Bucket.AVAILABLE, lot.remaining, reason="activation", cause=lot.cause, at=at
        )
        self.news.append((POINTS_AVAILABLE, transfer))
        self.repay([lot], lot.cause, at)

    def expire(self, lot_id: UUID, at: datetime, *, reason: str = "expiry") -> None:
        """End what remains of a lot. One that was pending stays so: its points were never available."""
        lot = self.lot(lot_id)
        if not lot.remaining:
            return
        source = Bucket.PENDING if lot.is_pending else Bucket.AVAILABLE
        transfer = self.move(source, Bucket.EXPIRED, lot.remaining, reason=reason, cause=lot.cause, at=at)
        self.entries.append(Entry(lot.id, transfer, -lot.remaining))
        self.news.append((POINTS_EXPIRED, transfer))
        self.keep(_replace(lot, remaining=0, expired=lot.expired + lot.remaining))

    def hold(
        self, points: int, *, hold_id: UUID, expires_at: datetime, cause: Cause, order_id: str | None = None
    ) -> Hold:
        """Set points aside, of the lots that end first. `points` >= 1. Raises InsufficientPoints."""
        if points > self.customer.balance.available:
            detail = f"{points} points are asked for, {self.customer.balance.available} are available."
            raise InsufficientPoints(detail)
        transfer = self.move(Bucket.AVAILABLE, Bucket.HELD, points, reason="redemption", cause=cause, at=self.now)
        parts, left = list[Part](), points
        for lot in self.open_lots():
            taken = min(left, lot.remaining)
            self.take(lot.id, taken, transfer)
            parts.append(Part(lot.id, taken))
            left -= taken
            if not left:
                break
        held = Hold(hold_id, self.customer.id, points, tuple(parts), expires_at, self.now, order_id)
        self.begun_holds[hold_id] = held
        self._holds()[hold_id] = held
        return held

    def capture(self, hold_id: UUID, points: int, cause: Cause) -> Hold:
        """Spend held points, of the lots that end first, and give back the rest. Raises HoldNotOpen."""
        hold, parts, left = self._open_hold(hold_id), list[Part](), points
        for part in self._ending_first(hold.parts):
            captured = min(left, part.points)
            parts.append(_replace(part, captured=captured))
            left -= captured
        self.move(Bucket.HELD, Bucket.REDEEMED, points, reason="redemption", cause=cause, at=self.now)
        self._give_back(parts, cause, self.now, reason="release")
        ended = _replace(hold, status=HoldStatus.CAPTURED, captured=points, parts=tuple(parts), ended_at=self.now)
        return self.end(ended)

    def release(self, hold_id: UUID, cause: Cause, at: datetime, status: HoldStatus = HoldStatus.RELEASED) -> Hold:
        """Give held points back to their lots; those whose lot has ended end too. Raises HoldNotOpen."""
        hold = self._open_hold(hold_id)
        reason = "lapse" if status is HoldStatus.LAPSED else "release"
        self._give_back(self._ending_first(hold.parts), cause, at, reason=reason)
        return self.end(_replace(hold, status=status, ended_at=at))

    def read(self) -> tuple[dict[UUID, Lot], dict[UUID, Hold]]:
        """Return the lots and holds of a whole account, to which more may be added that was read."""
        return self._lots(), self._holds()

    def touch(self, alive: Alive | None) -> None:
        """Keep the points that slide alive until then, if they aren't for longer already. None: nothing slides."""
        before, due = self.customer.alive_until, self.customer.next_due_at
        if alive is not None and (before is None or alive.until > before):
            first = alive.notify_at or alive.until
            self.customer = _replace(
                self.customer,
                alive_until=alive.until,
                notify_at=alive.notify_at,
                # What slides may have had no end so far, or the customer was told of the old one, and is to be told of
                # this one before the old one comes.
                next_due_at=first if due is None else min(due, first),
            )

    def open_lots(self) -> list[Lot]:
        """Give the lots from which points can be taken, those that end first at the front."""
        alive_until = self.customer.alive_until
        usable = (lot for lot in self._lots().values() if lot.remaining and not lot.is_pending)
        return sorted(usable, key=lambda lot: expiry_order(lot, alive_until))

    def has_ended(self, lot: Lot, at: datetime) -> bool:
        """Tell whether a lot has ended at a moment: at its date or with the customer's inactivity, if it may."""
        if lot.needs_notice and (self.customer.notify_at if lot.slides else lot.notify_at) is not None:
            return False
        return lot_ends_at(lot, self.customer.alive_until) <= at

    def notify(self, points: int, ends_at: datetime) -> None:
        """Tell the customer that points end at a moment to come."""
        for part in portions(points):
            notice = Notice(self.ids.next(), part, ends_at)
            self.notices.append(notice)
            self.news.append((POINTS_EXPIRING, notice.id))

    def closed(self) -> Customer:
        """Return the customer's row after all movements, with what is due and what expires next."""
        if self.lots is not None:
            self._count_again(self.lots, self._holds())
        return self.customer

    def _count_again(self, lots: Mapping[UUID, Lot], holds: Mapping[UUID, Hold]) -> None:
        """Count what comes of all lots and holds."""
        due = [hold.expires_at for hold in holds.values() if hold.status is HoldStatus.HELD]
        self._count(lots.values(), due, ends=None, ending=0, sliding=0)

    def _note(self, lot: Lot) -> None:
        """Count what comes of a new lot, too, without the others."""
        customer = self.customer
        due = [] if customer.next_due_at is None else [customer.next_due_at]
        self._count([lot], due, customer.next_expiry_at, customer.next_expiry_points, customer.sliding)

    def _count(
        self, lots: Iterable[Lot], due: list[datetime], ends: datetime | None, ending: int, sliding: int
    ) -> None:
        """Count what comes of lots, besides what is `due` and what is `ending` and `sliding` already."""
        customer, slid = self.customer, sliding
        for lot in lots:
            if not lot.remaining:
                continue
            if lot.is_pending:
                due.append(lot.available_at)
                # Nobody is told of the end of what is pending: what needs a notice goes on until it is available.
                if lot.slides and customer.alive_until is not None and not (lot.needs_notice and customer.notify_at):
                    due.append(customer.alive_until)
            elif lot.slides:
                sliding += lot.remaining
            elif lot.expires_at != NEVER and (ends is None or lot.expires_at <= ends):
                ending = lot.remaining + (ending if lot.expires_at == ends else 0)
                ends = lot.expires_at
            if lot.expires_at != NEVER:
                due.append(lot.notify_at or lot.expires_at)
        if sliding != slid and customer.alive_until is not None:
            due.append(customer.notify_at or customer.alive_until)
        self.customer = _replace(
            customer,
            next_due_at=min(due, default=None),
            sliding=sliding,
            next_expiry_at=ends,
            next_expiry_points=ending,
        )

    def _ending_first(self, parts: Sequence[Part]) -> list[Part]:
        return sorted(parts, key=lambda part: expiry_order(self.lot(part.lot_id), self.customer.alive_until))

    def _give_back(self, parts: Sequence[Part], cause: Cause, at: datetime, *, reason: str) -> None:
        """Give back what was not captured: to lots that are open, else it expires.

        Debt is repaid first, also by what would expire: it was made while these points were held, and would have taken
        them had they been open.
        """
        back = list[tuple[Lot, int]]()
        for part in parts:
            lot, points = self.lot(part.lot_id), part.points - part.captured
            if self.has_ended(lot, at):
                owed = min(points, max(0, self.customer.balance.debt - sum(each for _, each in back)))
                self._expire_held(lot, points - owed, at)
                points = owed
            if points:
                back.append((lot, points))
        if back:
            total = sum(points for _, points in back)
            transfer = self.move(Bucket.HELD, Bucket.AVAILABLE, total, reason=reason, cause=cause, at=at)
            for lot, points in back:
                self.take(lot.id, -points, transfer)
            self.repay([lot for lot, _ in back], cause, at)

    def _expire_held(self, lot: Lot, points: int, at: datetime) -> None:
        if points:
            transfer = self.move(Bucket.HELD, Bucket.EXPIRED, points, reason="expiry", cause=lot.cause, at=at)
            self.keep(_replace(lot, expired=lot.expired + points))
            self.news.append((POINTS_EXPIRED, transfer))

    def move(  # noqa: PLR0913 - the row that it makes has these columns
        self,
        source: Bucket,
        target: Bucket,
        points: int,
        *,
        reason: str,
        cause: Cause,
        at: datetime,
        transfer_id: UUID | None = None,
        rule: str | None = None,
        rule_version: int | None = None,
        reverses: UUID | None = None,
        undoes: datetime | None = None,
    ) -> UUID:
        """Make a transfer; returns its id. What it takes from lots or gives to them is to be told besides."""
        customer = self.customer
        after = moved(customer.balance, source, target, points)
        self.customer = customer = _replace(customer, version=customer.version + 1, balance=after)
        made = self.ids.next() if transfer_id is None else transfer_id
        self.transfers.append(
            Transfer(
                made,
                customer.id,
                source,
                target,
                points,
                reason,
                cause,
                customer.version,
                after,
                at,
                rule,
                rule_version,
                reverses,
                undoes,
            )
        )
        return made

    def take(self, lot_id: UUID, points: int, transfer_id: UUID) -> None:
        """Take points from a lot by a transfer; below zero, give them back."""
        lot = self.lot(lot_id)
        self.keep(_replace(lot, remaining=lot.remaining - points))
        self.entries.append(Entry(lot_id, transfer_id, -points))

    def lot(self, lot_id: UUID) -> Lot:
        """Return a lot as it is now."""
        found = self.granted.get(lot_id)
        return self._lots()[lot_id] if found is None else found

    def keep(self, lot: Lot) -> None:
        """Keep a lot as it is now, to be written."""
        (self.granted if lot.id in self.granted else self.changed_lots)[lot.id] = lot
        if self.lots is not None:
            self.lots[lot.id] = lot

    def _open_hold(self, hold_id: UUID) -> Hold:
        hold = self._holds()[hold_id]
        if hold.status is not HoldStatus.HELD:
            raise HoldNotOpen(f"The points are {hold.status.value}.")
        return hold

    def end(self, hold: Hold) -> Hold:
        """Keep a hold as it is now, to be written."""
        (self.begun_holds if hold.id in self.begun_holds else self.changed_holds)[hold.id] = hold
        self._holds()[hold.id] = hold
        return hold

    def _lots(self) -> dict[UUID, Lot]:
        if self.lots is None:
            msg = "the customer's lots were not read"
            raise RuntimeError(msg)
        return self.lots

    def _holds(self) -> dict[UUID, Hold]:
        if self.holds is None:
            msg = "the customer's holds were not read"
            raise RuntimeError(msg)
        return self.holds
