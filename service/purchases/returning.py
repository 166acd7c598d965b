"""Booking refunds: each exactly once, and each on what those before it left."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Balance
from service.earning.rules import Line
from service.earning.terms import lots_of, points_of
from service.kernel.errors import Kind, Refusal
from service.kernel.ids import CallerId, randomness_of
from service.kernel.times import Time, in_utc
from service.platform.claims import Claim, ClaimKind, claiming, content_hash
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, RowsMissing, write_together
from service.points import usecases as points
from service.points.account import Account
from service.points.rules import Cause, Reversed
from service.points.usecases import Granted
from service.programs.rules import Program
from service.programs.tier_policy import CountedPoints
from service.purchases import store, usecases
from service.purchases.counting import ended_in_vain, not_taken
from service.purchases.recounting import endings, endings_of
from service.purchases.refunding import (
    EarnedLine,
    Minimum,
    Refundable,
    Refunded,
    RefundRequest,
    Returned,
    check_request,
    is_whole,
    refund,
    returned_of,
)
from service.purchases.rules import Item, check_occurred
from service.purchases.store import Recorded, Refund
from service.referrals import usecases as referrals
from service.surprises import giving as surprises
from service.tiers import usecases as tiers
from service.tiers.climbing import Climber, Climbing
from service.tiers.rules import Reason, refund_counts

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
    climbing = Climbing(program)
    made, drawn = await _book(db, climbing, recorded, report, booked, account, opened.ids.next(randomness), occurred_at)
    await write_together(
        db,
        [
            *points.booking(program.id, [account], recorded_at=opened.now),
            claiming(program.id, ClaimKind.REFUND, [Claim(report.id, hashed, made.id)]),
            store.adding_refund(program.id, account.customer.id, recorded.row_id, made, opened.now),
            *tiers.writing(climbing),
            *surprises.writing_gifts(program.id, drawn),
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
    await referrals.look_again(db, program_id=program.id, customer=account.customer.id, now=opened.now)
    await surprises.finish_taking_back(db, program_id=program.id, changed=drawn, entropy=entropy ^ randomness)
    return made


async def _book(
    db: Db,
    climbing: Climbing,
    recorded: Recorded,
    report: RefundReport,
    booked: list[Refund],
    account: Account,
    refund_id: UUID,
    occurred_at: datetime,
) -> tuple[Refund, Sequence[surprises.Change]]:
    program, purchase, earned = climbing.program, recorded.purchase, recorded.earnings.lines
    spent = await points.read_spent_on(db, program_id=program.id, account=account, order_id=purchase.id)
    refundable = Refundable(purchase.total, purchase.items, [_earned(line, purchase.items) for line in earned], spent)
    before = max((each.state for each in booked), key=lambda state: state.extent, default=Refunded())
    returned = refund(refundable, report, before)
    granted = _granted(recorded, returned, before, sum(_sum(each.taken) for each in booked))
    climber = climbing.climber(account)
    taken = await points.refund(
        db,
        program=program,
        account=account,
        restored=returned.restored,
        granted=granted,
        cause=Cause("refund", report.id),
        at=occurred_at,
    )
    back, of = returned_of(refundable, returned.after)
    drawn = await surprises.taken_back(
        db, program=program, account=account, draw_id=recorded.row_id, returned=back, of=of
    )
    besides = list[tuple[datetime, int]]()
    if climber.ladder is not None and CountedPoints.EXPIRY in climber.ladder.movements:
        earlier = [each.taken for each in booked]
        not_claimed = not_taken(before.reversed_points, earlier)
        then = not_taken(returned.after.reversed_points, [*earlier, *taken])
        besides = await _ended_in_vain(db, program.id, account, purchase.id, not_claimed, then)
    amount = _counts(climber, recorded, refundable, returned, before)
    climbing.count(
        account, climber, occurred_at=purchase.occurred_at, amount=amount, reason=Reason.REFUND, besides=besides
    )
    if len(granted) > 1:
        by_lot = {each.lot_id.hex: each.before + _sum(its) for each, its in zip(granted, taken, strict=True)}
        returned = msgspec.structs.replace(returned, after=msgspec.structs.replace(returned.after, taken=by_lot))
    together = Reversed(*(sum(part) for part in zip(*map(msgspec.structs.astuple, taken), strict=True)))
    return _made(refund_id, report, returned, together, account.customer.balance, occurred_at), drawn


def _counts(climber: Climber, recorded: Recorded, refundable: Refundable, returned: Returned, before: Refunded) -> int:
    """Return what came back of what was counted for the tier on the day of the purchase, at most 0."""
    if climber.ladder is None:
        return 0
    points, bonus = points_of(recorded.earnings.lines, {each.rule: each.points for each in returned.reversals})
    return refund_counts(
        climber.ladder,
        currency=recorded.purchase.currency,
        amount=returned.amount,
        points=points,
        bonus=bonus,
        whole=is_whole(refundable, returned.after) and not is_whole(refundable, before),
    )


async def _ended_in_vain(
    db: Db, program_id: int, account: Account, purchase_id: str, before: int, after: int
) -> list[tuple[datetime, int]]:
    """Tell which ends of a purchase's points count again: of so many, a refund would have taken them back.

    What ended in this booking is not written yet.
    """
    if after <= before:
        return []
    booked = await endings_of(db, program_id=program_id, customer=account.customer.id, purchase_id=purchase_id)
    return ended_in_vain([*booked, *endings(purchase_id, account.transfers)], before, after)


def _earned(line: Line, items: Sequence[Item]) -> EarnedLine:
    """Show a line to the rules of refunds; its items have ids there, and places in what is stored."""
    ids = None if line.items is None else tuple(items[place].id for place in line.items)
    minimum = None if line.minimum is None else Minimum(line.minimum)
    return EarnedLine(line.rule, line.points, ids, minimum, line.of)


def _granted(recorded: Recorded, returned: Returned, before: Refunded, taken_before: int) -> list[Granted]:
    """Tell of each lot of a purchase how many points are to be taken back, beside those taken before."""
    lots = lots_of(recorded.earnings.lines, recorded.row_id) or [recorded.row_id]
    lot_of = {line.rule: line.lot or recorded.row_id for line in recorded.earnings.lines}
    reversed_of = dict.fromkeys(lots, 0)
    for each in returned.reversals:
        reversed_of[lot_of[each.rule]] += each.points
    if len(lots) == 1:
        return [Granted(lots[0], reversed_of[lots[0]], taken_before)]
    return [Granted(lot_id, points, before.taken.get(lot_id.hex, 0)) for lot_id, points in reversed_of.items()]


def _sum(taken: Reversed) -> int:
    return taken.from_lots + taken.to_debt + taken.written_off


def _made(
    refund_id: UUID, report: RefundReport, returned: Returned, taken: Reversed, balance: Balance, occurred_at: datetime
) -> Refund:
    return Refund(refund_id, report.id, returned.amount, taken, returned.restored, returned.after, balance, occurred_at)


def _normalised(report: RefundReport) -> RefundReport:
    at = report.occurred_at
    return report if at is None else msgspec.structs.replace(report, occurred_at=in_utc(at, "/occurred_at"))
