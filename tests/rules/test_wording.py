"""Every transfer says why it was made, in a sentence that a customer can read."""

from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.adjustments.rules import AdjustmentReason, Keyholder, NewAdjustment, asked, book
from service.customers.rules import newcomer
from service.kernel.ids import IdSource
from service.opening_balances.rules import OpeningBalance, OpeningLot, bring_in
from service.points.account import Account
from service.points.merging import close, merge
from service.points.reversing import restore, take_back
from service.points.rules import NEVER, Bucket, Cause, Life, Lot
from service.points.settling import settle
from service.points.wording import SENTENCES, Facts, moment, sentence
from service.programs.rules import Program, ProgramSettings, SettingsVersion
from service.tiers.climbing import Climbing

NOW = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)
DAY = timedelta(days=1)
PURCHASE, REFUND, REDEMPTION = Cause("purchase", "o-1"), Cause("refund", "r-1"), Cause("redemption", "hold_1")
ACTIVITY, BY_HAND, OPENING = Cause("activity", "a-1"), Cause("adjustment", "adj_1"), Cause("opening_balance", "o-1")
MERGE, ERASURE, PAYMENT = Cause("merge", "mrg_1"), Cause("erasure", "ers_1"), Cause("payment", "p-1")
RULE = "1 point for each 1.00 EUR of 50.00 EUR (total), rounded down"
BUCKETS = list(Bucket)


def lot(**changes: object) -> Lot:
    return replace(Lot(UUID(int=1), 1, 50, 50, NOW + 14 * DAY, NEVER, PURCHASE), **changes)


def facts(reason: str, source: str, target: str, **more: object) -> Facts:
    cause = {"reversal": REFUND, "restoration": REFUND, "redemption": REDEMPTION, "release": REDEMPTION, "merge": MERGE}
    told = Facts(reason, Bucket(source), Bucket(target), 50, cause.get(reason, PURCHASE), NOW, NOW)
    return replace(told, **more)


AT, OVER = "2026-11-21 09:30 UTC", "when the time for spending was over"
TOOK, NO_MORE = "Refund r-1 took back 50 points that purchase o-1 had earned", "No more was available"
INACTIVE = "after too long without an activity that keeps points alive"
WORDS = [
    (facts("purchase", "issued", "available", earned_by=RULE), f"Purchase o-1 earned 50 points: {RULE}."),
    (facts("purchase", "issued", "available", points=1), "Purchase o-1 earned 1 point."),
    (
        facts("purchase", "issued", "pending", lot=lot(is_pending=True)),
        "Purchase o-1 earned 50 points. Until 2026-12-05 09:30 UTC, or until confirmed, nothing of it can be spent.",
    ),
    (
        facts("purchase", "issued", "pending", lot=lot(is_pending=True, lapses=True), time_zone="Europe/Berlin"),
        "Purchase o-1 earned 50 points. Unless confirmed before 2026-12-05 10:30 Europe/Berlin, it lapses.",
    ),
    (
        facts("purchase", "issued", "pending", lot=lot(is_pending=True, available_at=NEVER)),
        "Purchase o-1 earned 50 points. Until confirmed, nothing of it can be spent.",
    ),
    (
        facts("purchase", "issued", "pending", lot=lot(), earned_by=RULE),
        f"Purchase o-1 earned 50 points: {RULE}. At first, nothing of it could be spent.",
    ),
    (
        facts("purchase", "issued", "pending", lot=lot(is_pending=True, remaining=0)),
        "Purchase o-1 earned 50 points. At first, nothing of it could be spent.",
    ),
    (facts("activity", "issued", "available", cause=ACTIVITY), "Activity a-1 earned 50 points."),
    (
        facts("activity", "issued", "pending", cause=ACTIVITY, lot=lot(is_pending=True, cause=ACTIVITY)),
        "Activity a-1 earned 50 points. Until 2026-12-05 09:30 UTC, nothing of it can be spent.",
    ),
    (
        facts("payment", "issued", "available", cause=PAYMENT, earned_by="streak: a bonus of 50 points"),
        "Payment p-1 earned 50 points: streak: a bonus of 50 points.",
    ),
    (
        facts("payment", "issued", "pending", cause=PAYMENT, lot=lot(is_pending=True, cause=PAYMENT)),
        "Payment p-1 earned 50 points. Until 2026-12-05 09:30 UTC, nothing of it can be spent.",
    ),
    (
        facts("reversal", "available", "reversed", cause=Cause("payment_reversal", "p-1"), reversed_cause=PAYMENT),
        "Payment reversal p-1 took back 50 points that payment p-1 had earned.",
    ),
    (
        facts("activation", "pending", "available", recorded_at=NOW + DAY),
        f"50 points from purchase o-1 became available at {AT}, when the wait was over.",
    ),
    (
        facts("activation", "pending", "available"),
        f"50 points from purchase o-1 became available at {AT}, once confirmed.",
    ),
    (
        facts("expiry", "available", "expired", lot=lot()),
        f"50 points from purchase o-1 expired unspent at {AT}, {OVER}.",
    ),
    (
        facts("expiry", "available", "expired", lot=lot(slides=True), points=1),
        f"1 point from purchase o-1 expired unspent at {AT}, {INACTIVE}.",
    ),
    (
        facts("expiry", "pending", "expired"),
        f"50 points from purchase o-1 expired at {AT}, still held back, {OVER}.",
    ),
    (
        facts("expiry", "held", "expired"),
        f"50 points from purchase o-1 came back from a redemption at {AT}, {OVER}, and expired.",
    ),
    (
        facts("lapse", "pending", "expired"),
        f"50 points from purchase o-1 lapsed at {AT}: nobody had confirmed by then.",
    ),
    (
        facts("lapse", "held", "available", cause=REDEMPTION, order_id="o-7"),
        f"50 points set aside for redemption hold_1 for order o-7 came back at {AT}: nobody had captured it by then.",
    ),
    (facts("redemption", "available", "held"), "Redemption hold_1 set 50 points aside."),
    (
        facts("redemption", "held", "redeemed", order_id="o-7"),
        "Redemption hold_1 for order o-7 was captured and spent 50 points.",
    ),
    (facts("release", "held", "available"), "50 points set aside for redemption hold_1 came back unspent."),
    (
        facts("restoration", "redeemed", "available"),
        "Refund r-1 gave back 50 points that had paid for what was returned.",
    ),
    (
        facts("reversal", "pending", "reversed", reversed_cause=PURCHASE),
        f"{TOOK}, still held back.",
    ),
    (
        facts("reversal", "available", "reversed", reversed_cause=PURCHASE),
        f"{TOOK}.",
    ),
    (facts("reversal", "available", "reversed"), "Refund r-1 took back 50 points that an earlier transfer had earned."),
    (
        facts("reversal", "debt", "reversed", reversed_cause=PURCHASE),
        f"{TOOK}. {NO_MORE}: this is owed, and what comes in next repays it first.",
    ),
    (
        facts("reversal", "written_off", "reversed", reversed_cause=PURCHASE),
        f"{TOOK}. {NO_MORE} and no more may be owed: this is written off.",
    ),
    (facts("debt_repayment", "available", "debt"), "50 points from purchase o-1 repaid what was owed."),
    (facts("adjustment", "issued", "available", cause=BY_HAND), "Adjustment adj_1 gave 50 points by hand."),
    (facts("adjustment", "available", "issued", cause=BY_HAND), "Adjustment adj_1 took 50 points away by hand."),
    (
        facts("referral", "issued", "available", cause=Cause("referral", "ref_1")),
        "Referral ref_1 brought 50 points: it was rewarded.",
    ),
    (
        facts("surprise", "issued", "available", cause=Cause("surprise", "sur_1")),
        "Surprise sur_1 brought 50 points: a gift.",
    ),
    (
        facts("opening_balance", "issued", "available", cause=OPENING),
        "Opening balance o-1 brought 50 points from elsewhere.",
    ),
    (
        facts("opening_balance", "issued", "pending", cause=OPENING),
        "Opening balance o-1 brought 50 points from elsewhere. At first, nothing of it could be spent.",
    ),
    (
        facts("opening_balance", "debt", "issued", cause=OPENING),
        "Opening balance o-1 brought a debt of 50 points from elsewhere.",
    ),
    (facts("merge", "available", "issued"), "Merge mrg_1 moved 50 points to the other record."),
    (facts("merge", "pending", "issued"), "Merge mrg_1 moved 50 points to the other record, still held back."),
    (facts("merge", "held", "issued"), "Merge mrg_1 moved 50 points to the other record, still set aside."),
    (facts("merge", "issued", "available"), "Merge mrg_1 brought 50 points from the other record."),
    (facts("merge", "issued", "pending"), "Merge mrg_1 brought 50 points from the other record, still held back."),
    (facts("merge", "issued", "held"), "Merge mrg_1 brought 50 points from the other record, still set aside."),
    (facts("merge", "issued", "debt", points=1), "Merge mrg_1 moved a debt of 1 point to the other record."),
    (facts("merge", "debt", "issued"), "Merge mrg_1 brought a debt of 50 points from the other record."),
    (
        facts("erasure", "available", "expired"),
        f"50 points from purchase o-1 expired at {AT}: the customer was erased.",
    ),
    (
        facts("erasure", "pending", "expired"),
        f"50 points from purchase o-1 expired at {AT}, still held back: the customer was erased.",
    ),
    (facts("erasure", "held", "expired", cause=ERASURE), "Erasure ers_1 let 50 points expire, set aside until then."),
    (facts("erasure", "written_off", "debt", cause=ERASURE), "Erasure ers_1 wrote off a debt of 50 points."),
]


@pytest.mark.parametrize(("told", "words"), WORDS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_transfer_is_told_in_these_words(told: Facts, words: str) -> None:
    assert sentence(told) == words


def test_every_sentence_is_read_here() -> None:
    assert {(told.reason, told.source, told.target) for told, _ in WORDS} == set(SENTENCES)


def later(account: Account, days: int) -> None:
    """Let days pass, and book what comes due."""
    account.now += days * DAY
    account.ids = IdSource(account.now, 1)
    settle(account)


def earned(into: Account, points: int, cause: Cause = PURCHASE, **life: object) -> UUID:
    lot_id = into.ids.next()
    into.grant(
        points,
        transfer_id=lot_id,
        cause=cause,
        rule="base",
        rule_version=1,
        occurred_at=into.now,
        life=replace(Life(), **life),
    )
    return lot_id


def set_aside(of: Account, points: int, days: int) -> UUID:
    hold_id = of.ids.next()
    of.hold(points, hold_id=hold_id, expires_at=of.now + days * DAY, cause=REDEMPTION)
    return hold_id


def newly_enrolled(customer: int) -> Account:
    return Account(newcomer(customer, f"c-{customer}", NOW), NOW, IdSource(NOW, 1), {}, {})


def a_long_life() -> Account:
    """Earn, wait, spend, return: with all that can come of each."""
    account = newly_enrolled(1)
    earned(account, 10, available_at=NOW + DAY)  # becomes available
    earned(account, 1, ACTIVITY, expires_at=NOW)
    earned(account, 1, ACTIVITY, available_at=NOW + DAY, expires_at=NOW)
    earned(account, 1, PAYMENT, expires_at=NOW)
    earned(account, 1, PAYMENT, available_at=NOW + DAY, expires_at=NOW)
    earned(account, 10, available_at=NOW + DAY, lapses=True)  # lapses
    earned(account, 10, available_at=NOW + 2 * DAY, expires_at=NOW + DAY)  # ends before it was available
    returned = earned(account, 10, available_at=NOW + 9 * DAY)
    earned(account, 40, expires_at=NOW + 3 * DAY)
    set_aside(account, 5, 1)  # lapses
    late = set_aside(account, 5, 9)
    spent = set_aside(account, 20, 9)
    account.capture(spent, 15, REDEMPTION)  # and releases the rest
    later(account, 3)
    account.release(late, REDEMPTION, account.now)  # after its lot's end
    take_back(account, 10, lot_id=returned, cause=REFUND, at=account.now, debt_limit=0)
    take_back(account, 30, lot_id=returned, cause=REFUND, at=account.now, debt_limit=7)
    restore(account, spent, 15, cause=REFUND, at=account.now)  # repays the debt
    return account


def records_that_end() -> list[Account]:
    """Let a record that owes go into one that has something, this one into a third, and erase what there is then."""
    owing, having, third, also_owing = (newly_enrolled(number) for number in range(1, 5))
    for each in (owing, also_owing):
        take_back(each, 10, lot_id=UUID(int=1), cause=REFUND, at=NOW, debt_limit=None)
    earned(having, 50)
    earned(having, 10, available_at=NOW + DAY)
    set_aside(having, 20, 1)
    merge(owing, having, MERGE)
    merge(having, third, MERGE)
    close(third, ERASURE)
    close(also_owing, ERASURE)
    return [owing, having, third, also_owing]


def brought_and_adjusted() -> Account:
    """Come from elsewhere with points, some pending, and a debt; get some for a friend and by hand, and lose some."""
    account = newly_enrolled(5)
    program = Program(1, "shop", "Shop", live=False, newest=SettingsVersion(1, ProgramSettings()))
    lots = [OpeningLot(10, NOW), OpeningLot(10, NOW, available_at=NOW + DAY)]
    for content in (OpeningBalance("o-1", "c-5", lots), OpeningBalance("o-2", "c-5", [], 5)):
        bring_in(content, account, Climbing(program), UUID(int=7))
    for number, cause in ((9, Cause("referral", "ref_1")), (10, Cause("surprise", "sur_1"))):
        account.grant(5, transfer_id=UUID(int=number), cause=cause, rule=None, rule_version=None, occurred_at=NOW)
    by = Keyholder(UUID(int=1), UUID(int=1))
    for points in (5, -5):
        new = NewAdjustment(points, AdjustmentReason.GOODWILL)
        adjustment = asked(new, adjustment_id=UUID(int=2), customer_id=5, by=by, now=NOW)
        book(adjustment, account=account, settings=program.settings)
    return account


def test_every_transfer_that_the_accounts_make_has_words_of_its_own() -> None:
    accounts = [a_long_life(), *records_that_end(), brought_and_adjusted()]
    made = {(each.reason, each.source, each.target) for account in accounts for each in account.transfers}
    assert made == set(SENTENCES)


@given(
    reason=st.sampled_from(["draw", "tier_bonus", "gift"]),
    move=st.sampled_from([each for each in product(BUCKETS, BUCKETS) if each[0] is not each[1]]),
    points=st.integers(1, 10**12),
    cause=st.builds(Cause, type=st.just("tier_bonus"), id=st.sampled_from(["{x}", "%s", "a/b"])),
    earned_by=st.none() | st.just("a rule {of} their own"),
)
def test_a_reason_that_has_no_words_yet_is_told_by_what_it_moved(
    reason: str, move: tuple[Bucket, Bucket], points: int, cause: Cause, earned_by: str | None
) -> None:
    told = sentence(Facts(reason, *move, points, cause, NOW, NOW, earned_by=earned_by))
    assert told.startswith(f"Tier bonus {cause.id} ")
    assert told.endswith(".")
    assert ("1 point " if points == 1 else f"{points} points") in told.replace(".", " ").replace(":", " ")
    granted = move[0] is Bucket.ISSUED and move[1] in {Bucket.AVAILABLE, Bucket.PENDING}
    assert granted == ("brought" in told)
    assert granted != (reason.replace("_", " ") in told)
    if granted and earned_by:
        assert f": {earned_by}." in told


@pytest.mark.parametrize(
    ("at", "zone", "told"),
    [
        (datetime(2026, 7, 1, 22, 0, 59, tzinfo=UTC), "Europe/Berlin", "2026-07-02 00:00 Europe/Berlin"),
        (datetime(1, 1, 1, 1, tzinfo=UTC), "America/New_York", "0001-01-01 01:00 UTC"),
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), "Asia/Tokyo", "9999-12-31 23:59 UTC"),
        (datetime(1, 1, 1, 1, tzinfo=UTC), "UTC", "0001-01-01 01:00 UTC"),
    ],
)
def test_a_moment_is_told_by_the_programs_clock(at: datetime, zone: str, told: str) -> None:
    assert moment(at, zone) == told
