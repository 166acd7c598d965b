"""What an adjustment does to an account, and who may decide on one."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from service.adjustments.rules import (
    Adjustment,
    AdjustmentEnded,
    AdjustmentNotWaiting,
    AdjustmentReason,
    AdjustmentStatus,
    Keyholder,
    NewAdjustment,
    SecondKeyNeeded,
    approved,
    asked,
    book,
    must_wait,
    refused,
)
from service.customers.rules import Balance, newcomer
from service.kernel.errors import Invalid
from service.kernel.ids import IdSource
from service.points.account import Account
from service.points.rules import NEVER, Alive, Bucket, Cause, InsufficientPoints, Life
from service.programs.policies import ExpiryNotice, RollingExpiry, SlidingExpiry
from service.programs.rules import ProgramSettings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SUPPORT, ADMIN = (Keyholder(UUID(int=number), UUID(int=number)) for number in (1, 2))
NEVER_ENDS = ProgramSettings()
SLIDING = ProgramSettings(expiry=SlidingExpiry(days=30))
NOTICED = ProgramSettings(expiry=RollingExpiry(days=10, notice=ExpiryNotice(days=5, required=True)))


def account(debt: int = 0) -> Account:
    customer = msgspec.structs.replace(newcomer(1, "c-1", NOW), balance=Balance(debt=debt))
    return Account(customer, NOW, IdSource(NOW, 1), {}, {})


def earned(into: Account, points: int, ends: datetime = NEVER) -> UUID:
    lot_id, life = into.ids.next(), Life(expires_at=ends)
    into.grant(
        points,
        transfer_id=lot_id,
        cause=Cause("purchase", "p"),
        rule="base",
        rule_version=1,
        occurred_at=NOW,
        life=life,
    )
    return lot_id


def wanted(points: int, by: Keyholder = SUPPORT, **more: Any) -> Adjustment:
    new = msgspec.convert({"points": points, "reason": "goodwill"} | more, NewAdjustment)
    return asked(new, adjustment_id=UUID(int=9), customer_id=1, by=by, now=NOW)


def test_points_that_are_given_are_a_lot_out_of_issued_and_are_not_earned() -> None:
    given = account()
    booked = book(wanted(50), account=given, settings=NEVER_ENDS)
    (transfer,) = given.transfers
    assert (transfer.source, transfer.target, transfer.points) == (Bucket.ISSUED, Bucket.AVAILABLE, 50)
    assert (transfer.reason, transfer.cause) == ("adjustment", Cause("adjustment", f"adj_{UUID(int=9).hex}"))
    assert (booked.status, booked.transfer_id) == (AdjustmentStatus.BOOKED, transfer.id)
    assert given.lot(transfer.id).remaining == 50
    assert (given.customer.balance, given.customer.lifetime_earned) == (Balance(available=50), 0)


def test_points_that_are_given_repay_debt_first() -> None:
    given = account(debt=30)
    book(wanted(50), account=given, settings=NEVER_ENDS)
    assert given.customer.balance == Balance(available=20)
    assert [each.target for each in given.transfers] == [Bucket.AVAILABLE, Bucket.DEBT]


def test_points_that_are_taken_go_back_from_the_lots_that_end_first() -> None:
    of = account()
    last, first, second = earned(of, 30), earned(of, 30, NOW + DAY), earned(of, 30, NOW + 2 * DAY)
    book(wanted(-70), account=of, settings=NEVER_ENDS)
    transfer = of.transfers[-1]
    assert (transfer.source, transfer.target, transfer.points) == (Bucket.AVAILABLE, Bucket.ISSUED, 70)
    assert [of.lot(lot).remaining for lot in (first, second, last)] == [0, 0, 20]
    assert {entry.lot_id: entry.points for entry in of.entries} == {first: -30, second: -30, last: -10}
    assert of.customer.balance == Balance(available=20)


def test_no_more_is_taken_than_is_available() -> None:
    of = account()
    earned(of, 30)
    before = of.customer
    with pytest.raises(InsufficientPoints):
        book(wanted(-31), account=of, settings=NEVER_ENDS)
    assert (of.customer, len(of.transfers)) == (before, 1)
    assert book(wanted(-30), account=of, settings=NEVER_ENDS).status is AdjustmentStatus.BOOKED


@pytest.mark.parametrize(
    ("settings", "own", "ends", "slides", "needs_notice"),
    [
        (NEVER_ENDS, {}, NEVER, False, False),
        (NEVER_ENDS, {"expires_at": NOW + DAY}, NOW + DAY, False, False),
        (NOTICED, {}, datetime(2026, 12, 2, tzinfo=UTC), False, True),
        (NOTICED, {"expires_at": NOW + DAY}, NOW + DAY, False, True),
        (NOTICED, {"expires_at": None}, NEVER, False, False),
        (SLIDING, {}, NEVER, True, False),
        (SLIDING, {"expires_at": NOW + DAY}, NOW + DAY, False, False),
    ],
)
def test_points_end_as_they_were_given_or_else_as_the_program_says_today(
    settings: ProgramSettings, own: dict[str, Any], ends: datetime, *, slides: bool, needs_notice: bool
) -> None:
    given = account()
    book(wanted(50, **own), account=given, settings=settings)
    (lot,) = given.granted.values()
    assert (lot.expires_at, lot.slides, lot.needs_notice) == (ends, slides, needs_notice)


def test_who_was_away_for_too_long_has_the_points_as_long_as_who_comes_back_today() -> None:
    given = account()
    given.touch(Alive(NOW - DAY))
    book(wanted(50), account=given, settings=SLIDING)
    assert given.customer.balance.available == 50
    assert given.customer.alive_until == datetime(2026, 12, 22, tzinfo=UTC)


def test_to_be_given_points_is_no_activity_that_keeps_others_alive() -> None:
    given = account()
    given.touch(Alive(NOW + DAY))
    book(wanted(50), account=given, settings=SLIDING)
    assert given.customer.alive_until == NOW + DAY


@pytest.mark.parametrize(
    ("points", "more", "pointer"),
    [
        (0, {}, "/points"),
        (-1, {"expires_at": NOW + DAY}, "/expires_at"),
        (-1, {"expires_at": None}, "/expires_at"),
        (1, {"expires_at": NOW}, "/expires_at"),
    ],
)
def test_what_is_no_adjustment_is_refused(points: int, more: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refusal:
        wanted(points, **more)
    assert refusal.value.pointer == pointer


@pytest.mark.parametrize(
    ("points", "counted", "limit", "waits"),
    [
        (10**12, 10**12, None, False),
        (100, 0, 100, False),
        (101, 0, 100, True),
        (-100, 0, 100, False),
        (-101, 0, 100, True),
        (50, 50, 100, False),
        (-51, 50, 100, True),
        (1, 0, 0, True),
    ],
)
def test_the_limit_counts_points_without_their_sign_with_those_before(
    points: int, counted: int, limit: int | None, *, waits: bool
) -> None:
    assert must_wait(points, counted=counted, limit=limit) is waits


def test_another_key_approves_and_what_is_approved_is_told_again() -> None:
    given = account()
    first = approved(wanted(50), by=ADMIN, account=given, settings=NEVER_ENDS)
    assert (first.status, first.decided_by, first.decided_at) == (AdjustmentStatus.BOOKED, ADMIN, NOW)
    assert approved(first, by=SUPPORT, account=given, settings=NEVER_ENDS) == first
    assert given.customer.balance.available == 50


def test_neither_the_key_that_asked_nor_its_successor_approves() -> None:
    for by in (SUPPORT, Keyholder(UUID(int=3), SUPPORT.origin)):
        with pytest.raises(SecondKeyNeeded):
            approved(wanted(50), by=by, account=account(), settings=NEVER_ENDS)
    successor = Keyholder(UUID(int=3), SUPPORT.origin)
    with pytest.raises(SecondKeyNeeded):
        approved(wanted(50, by=successor), by=SUPPORT, account=account(), settings=NEVER_ENDS)


def test_an_adjustment_is_decided_once() -> None:
    given = account()
    no = refused(wanted(50), by=SUPPORT, now=NOW)
    assert (no.status, no.decided_by, no.transfer_id) == (AdjustmentStatus.REFUSED, SUPPORT, None)
    assert refused(no, by=ADMIN, now=NOW + DAY) == no
    with pytest.raises(AdjustmentNotWaiting):
        approved(no, by=ADMIN, account=given, settings=NEVER_ENDS)
    yes = approved(wanted(50), by=ADMIN, account=given, settings=NEVER_ENDS)
    with pytest.raises(AdjustmentNotWaiting):
        refused(yes, by=ADMIN, now=NOW)


def test_points_that_ended_while_they_waited_are_not_given() -> None:
    late = account()
    waiting = wanted(50, expires_at=NOW + DAY)
    late.now = NOW + DAY
    with pytest.raises(AdjustmentEnded):
        approved(waiting, by=ADMIN, account=late, settings=NEVER_ENDS)
    assert late.transfers == []


def test_the_reason_and_the_note_are_kept() -> None:
    found = wanted(1, reason="fraud", note="a stolen card")
    assert (found.reason, found.note) == (AdjustmentReason.FRAUD, "a stolen card")
