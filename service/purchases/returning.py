"""Booking refunds: each exactly once, and each on what those before it left."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Balance
from service.earning.rules import Line
from service.kernel.errors import Kind, Refusal
from service.kernel.ids import CallerId, randomness_of
from service.kernel.times import Time, in_utc
from service.platform.claims import Claim, ClaimKind, claiming, content_hash
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, RowsMissing, write_together
from service.points import usecases as points
from service.points.account import Account
from service.points.rules import Cause, Reversed
from service.programs.rules import Program
from service.purchases import store, usecases
from service.purchases.refunding import EarnedLine, Refundable, Refunded, RefundRequest, Returned, check_request, refund
from service.purchases.rules import check_occurred
from service.purchases.store import Recorded, Refund

PURCHASE_REFUNDED: Final = "purchase.refunded"


class RefundReport(RefundRequest, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A refund as a checkout reports it, by amount or by items. Without `occurred_at` it happened now."""

    id: CallerId
    occurred_at: Time | None = None


class RefundConflict(Refusal):
    """The id belongs to a refund with other content."""

    kind = Kind.CONFLICT
    code = "refund_conflict"
    title = "This id belongs to a refund with other content"


class _Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What tells a repetition from a conflict: the report, and the purchase that it names."""

    purchase_id: str
    report: RefundReport


async def report_refund(
    db: Db, *, program: Program, purchase_id: str, report: RefundReport, randomness: int, entropy: int
) -> Refund:
    """Book a refund of a purchase in the caller's transaction; one that is booked already is answered alike.

    `randomness` is 62 random bits of this report, by which it knows its own booking again. Raises NotFound where the
    purchase is unknown, CustomerErased, RefundConflict, Invalid, RefundExceedsPurchase.
    """
    check_request(report)
    report = _normalised(report)
    recorded = await usecases.read_of_customer(db, program_id=program.id, purchase_id=purchase_id)
    named = recorded.purchase.customer_id
    opened = await points.open_booking(
        db, program_id=program.id, facts=[(named, report.id)], kind=ClaimKind.REFUND, entropy=entropy, whole=True
    )
    account = points.owned(opened, named, recorded.owner)
    hashed = content_hash(_Content(purchase_id, report))
    booked = await store.refunds(db, program_id=program.id, purchase_id=recorded.row_id)
    claim = opened.claims.get(report.id)
    if claim is None and any(each.external_id == report.id for each in booked):
        # Claims are looked up before the wait for the lock, the refunds behind it.
        msg = "it was booked meanwhile"
        raise RowsMissing(msg)
    if claim is not None:
        if claim.content_hash != hashed:
            raise RefundConflict
        (first,) = (each for each in booked if each.id == claim.subject_id)
        return msgspec.structs.replace(first, replayed=randomness_of(claim.subject_id) != randomness)
    occurred_at = report.occurred_at or opened.now
    check_occurred(occurred_at, now=opened.now, oldest_fact_days=program.settings.oldest_fact_days)
    made = await _book(db, program, recorded, report, booked, account, opened.ids.next(randomness), occurred_at)
    await write_together(
        db,
        [
            *points.booking(program.id, [account], recorded_at=opened.now),
            claiming(program.id, ClaimKind.REFUND, [Claim(report.id, hashed, made.id)]),
            store.adding_refund(program.id, account.customer.id, recorded.row_id, made, opened.now),
            announcing(
                program.id,
                [
                    *points.news([account], opened.ids),
                    Event(opened.ids.next(), PURCHASE_REFUNDED, account.customer.id, made.id),
                ],
                opened.now,
            ),
        ],
    )
    return made


async def _book(
    db: Db,
    program: Program,
    recorded: Recorded,
    report: RefundReport,
    booked: list[Refund],
    account: Account,
    refund_id: UUID,
    occurred_at: datetime,
) -> Refund:
    purchase = recorded.purchase
    spent = await points.read_spent_on(db, program_id=program.id, account=account, order_id=purchase.id)
    lines = [_earned(line) for line in recorded.earnings.lines]
    refundable = Refundable(purchase.total, purchase.items, lines, spent)
    before = max((each.state for each in booked), key=lambda state: state.extent, default=Refunded())
    returned = refund(refundable, report, before)
    cause = Cause("refund", report.id)
    taken = await points.refund(
        db,
        program=program,
        account=account,
        lot_id=recorded.row_id,
        restored=returned.restored,
        reversed_points=returned.reversed_points,
        taken_before=sum(_sum(each.taken) for each in booked),
        cause=cause,
        at=occurred_at,
    )
    return _made(refund_id, report, returned, taken, account.customer.balance, occurred_at)


def _earned(line: Line) -> EarnedLine:
    return EarnedLine(line.rule, line.points)


def _sum(taken: Reversed) -> int:
    return taken.from_lots + taken.to_debt + taken.written_off


def _made(
    refund_id: UUID, report: RefundReport, returned: Returned, taken: Reversed, balance: Balance, occurred_at: datetime
) -> Refund:
    return Refund(refund_id, report.id, returned.amount, taken, returned.restored, returned.after, balance, occurred_at)


def _normalised(report: RefundReport) -> RefundReport:
    at = report.occurred_at
    return report if at is None else msgspec.structs.replace(report, occurred_at=in_utc(at, "/occurred_at"))
