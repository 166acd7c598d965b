"""What is adjusted, spent and what ends, where tiers count it: by days, whoever books it and when."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from service.customers.rules import Customer, newcomer
from service.kernel.ids import IdSource
from service.kernel.periods import Period
from service.kernel.times import FIRST_MOMENT
from service.points.account import Account
from service.points.reversing import restore
from service.points.rules import Bucket, Cause, Hold, HoldStatus, InsufficientPoints, Life, Lot, Transfer
from service.points.settling import settle
from service.programs.definitions import Definitions, DefinitionVersion, State
from service.programs.rules import Program, ProgramSettings, SettingsVersion
from service.programs.tier_policy import CalendarPeriod, CountedPoints, Downgrade, RollingPeriod, TierPolicy
from service.tiers.book import TIER, ladder_at
from service.tiers.climbing import Climbing
from service.tiers.rules import Reason, TierChange, TierContent, TierState, decode

START = datetime(2026, 1, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STEPS = (("silver", 100), ("gold", 300), ("platinum", 1_000))
ALL = (CountedPoints.ADJUSTMENTS, CountedPoints.REDEMPTIONS, CountedPoints.EXPIRY)


class Step(msgspec.Struct, frozen=True):
    """Something that is done `days` after what was done before."""

    days: int
    verb: str
    points: int
    ends: int
    which: int


VERBS = ["earn"] * 4 + ["hold", "hold", "capture", "capture", "release", "restore", "give", "take"]
LIVES = st.lists(
    st.builds(
        Step,
        days=st.sampled_from([0, 1, 4, 9, 30]),
        verb=st.sampled_from(VERBS),
        points=st.integers(1, 400),
        ends=st.integers(-20, 40).filter(bool),
        which=st.integers(0, 5),
    ),
    max_size=14,
)
POLICIES = st.builds(
    TierPolicy,
    st.builds(RollingPeriod, days=st.integers(3, 50)) | st.builds(CalendarPeriod, st.just(Period.MONTH)),
    counts=st.sets(st.sampled_from(ALL)).map(tuple) | st.just(ALL),
    downgrade=st.sampled_from(Downgrade),
    grace_days=st.sampled_from([0, 7]),
)


def program(policy: TierPolicy | None) -> Program:
    """Make a program with tiers; None: it doesn't use them."""
    versions = {
        name: [
            DefinitionVersion(
                1,
                UUID(int=place),
                State.ACTIVE,
                msgspec.json.encode(TierContent(name.title(), threshold)),
                FIRST_MOMENT,
                FIRST_MOMENT,
            )
        ]
        for place, (name, threshold) in enumerate(STEPS)
    }
    settings = SettingsVersion(1, ProgramSettings(tiers=policy))
    return Program(1, "shop", "Shop", live=False, newest=settings, definitions=Definitions({TIER: versions}))


class Ledger:
    """A customer's points and tier from one booking to the next."""

    def __init__(self, policy: TierPolicy | None) -> None:
        self.program = program(policy)
        self.customer: Customer = newcomer(1, "c-42", START)
        self.lots, self.holds = dict[UUID, Lot](), dict[UUID, Hold]()
        self.transfers, self.changes = list[Transfer](), list[TierChange]()
        self.bought = list[tuple[datetime, int]]()
        self.names = dict[int, UUID]()
        self.now = START

    def play(self, steps: list[Step], *, punctual: bool) -> "Ledger":
        """Do the steps; `punctual`: a job books each day what has come due."""
        now = self.now
        for place, step in enumerate([*steps, Step(40, "settle", 1, 1, 0)]):
            for _ in range(step.days):
                now += DAY
                if punctual:
                    self.book(now, Step(0, "nothing", 1, 1, 0), 10**6)
            self.book(now, step, place)
        self.now = now
        return self

    def book(self, now: datetime, step: Step, place: int) -> None:
        """Book one thing, and first what has come due."""
        climbing = Climbing(self.program)
        account = Account(self.customer, now, IdSource(now, place), self.lots, self.holds)
        settle(account)
        if step.verb == "earn":
            self.earn(account, climbing, step)
        else:
            self.move(account, step, place)
        if step.verb == "settle":
            self.settle(account, climbing)
        climbing.follow(account)
        climbing.follow(account)  # it counts once
        self.customer = account.closed()
        self.transfers += account.transfers
        self.changes += [change for _, _, change in climbing.changes]

    def settle(self, account: Account, climbing: Climbing) -> None:
        """Do what the job of the tiers does."""
        ladder = ladder_at(self.program, account.now)
        assert ladder is not None
        climbing.keep(account, ladder, climbing.climber(account).settled)

    def earn(self, account: Account, climbing: Climbing, step: Step) -> None:
        """Let a purchase earn points; they may have ended by now, where it is reported late."""
        occurred_at = account.now + min(0, step.ends - 1) * DAY
        climber, cause = climbing.climber(account), Cause("purchase", "o")
        life = Life(expires_at=account.now + step.ends * DAY)
        account.grant(
            step.points,
            transfer_id=account.ids.next(),
            cause=cause,
            rule=None,
            rule_version=None,
            occurred_at=occurred_at,
            life=life,
        )
        climbing.count(account, climber, occurred_at=occurred_at, amount=step.points, reason=Reason.PURCHASE)
        self.bought.append((occurred_at, step.points))

    def move(self, account: Account, step: Step, place: int) -> None:
        """Spend, give back, adjust, where that is possible."""
        cause, now = Cause("redemption", "h"), account.now
        held = [name for name in self.names.values() if self.holds[name].status is HoldStatus.HELD]
        captured = [name for name in self.names.values() if self.holds[name].captured]
        if step.verb == "hold":
            self.names[place] = UUID(int=place)
            try:
                account.hold(step.points, hold_id=UUID(int=place), expires_at=now + 10 * DAY, cause=cause)
            except InsufficientPoints:
                del self.names[place]
        elif step.verb == "capture" and held:
            name = held[step.which % len(held)]
            account.capture(name, min(step.points, self.holds[name].points), cause)
        elif step.verb == "release" and held:
            account.release(held[step.which % len(held)], cause, now)
        elif step.verb == "restore" and captured:
            hold = self.holds[captured[step.which % len(captured)]]
            left = hold.captured - sum(part.restored for part in hold.parts)
            if left:
                restore(account, hold.id, min(left, step.points), cause=Cause("refund", "r"), at=now)
        elif step.verb == "give":
            account.grant(
                step.points,
                transfer_id=account.ids.next(),
                cause=Cause("adjustment", "a"),
                rule=None,
                rule_version=None,
                occurred_at=now,
            )
        elif step.verb == "take":
            self.take(account, min(step.points, account.customer.balance.available))

    def take(self, account: Account, points: int) -> None:
        """Take points by hand."""
        if points:
            cause = Cause("adjustment", "a")
            made = account.move(
                Bucket.AVAILABLE, Bucket.ISSUED, points, reason="adjustment", cause=cause, at=account.now
            )
            for lot in account.open_lots():
                taken = min(points, lot.remaining)
                if taken:
                    account.take(lot.id, taken, made)
                points -= taken

    @property
    def state(self) -> TierState:
        """What is kept for the tier."""
        assert self.customer.tier_state is not None
        return decode(self.customer.tier_state)

    def facts(self) -> list[tuple[datetime, int]]:
        """Tell all that counts by the policy, from what was booked and what became of holds."""
        policy, found = self.program.settings.tiers, list(self.bought)
        assert policy is not None
        for each in self.transfers:
            if each.reason == "adjustment" and CountedPoints.ADJUSTMENTS in policy.counts:
                sign = 1 if each.source is Bucket.ISSUED else -1
                found.append((each.occurred_at, sign * each.points))
            if each.target is Bucket.EXPIRED and CountedPoints.EXPIRY in policy.counts:
                found.append((each.occurred_at, -each.points))
        if CountedPoints.REDEMPTIONS in policy.counts:
            found += [
                (each.ended_at, sum(part.restored for part in each.parts) - each.captured)
                for each in self.holds.values()
                if each.captured and each.ended_at is not None
            ]
        return found


@given(POLICIES, LIVES)
def test_what_is_kept_is_what_all_bookings_say(policy: TierPolicy, steps: list[Step]) -> None:
    ledger = Ledger(policy).play(steps, punctual=False)
    ladder = ladder_at(ledger.program, START)
    assert ladder is not None
    days = Counter[int]()
    for at, amount in ledger.facts():
        days[ladder.window.bucket(ladder.day_of(at))] += amount
    last = START + (sum(step.days for step in steps) + 40) * DAY
    oldest = ladder.window.oldest(ladder.day_of(last))
    state = ledger.state
    kept = {day: amount for day, amount in zip(state.days, state.amounts, strict=True) if day >= oldest}
    assert kept == {day: amount for day, amount in days.items() if amount and day >= oldest}


@given(POLICIES, LIVES)
def test_it_comes_to_the_same_whether_each_end_was_booked_when_it_came_or_with_the_next_purchase(
    policy: TierPolicy, steps: list[Step]
) -> None:
    lazy, punctual = Ledger(policy).play(steps, punctual=False), Ledger(policy).play(steps, punctual=True)
    assert lazy.customer.balance == punctual.customer.balance
    assert lazy.customer.tier == punctual.customer.tier
    assert lazy.changes == punctual.changes
    assert lazy.facts() == punctual.facts()


@given(LIVES)
def test_where_nothing_of_it_counts_it_is_not_looked_at(steps: list[Step]) -> None:
    """What is kept is what a program has that knows nothing of it: only purchases write it."""
    policy = TierPolicy(RollingPeriod(days=30))
    ledger = Ledger(policy)
    ledger.play([step for step in steps if step.verb == "earn"], punctual=False)
    before, now = ledger.customer.tier_state, ledger.now
    for place, step in enumerate(steps):
        if step.verb != "earn":
            ledger.book(now, step, 100 + place)
    assert ledger.customer.tier_state == before


def test_what_moves_while_the_program_has_no_tiers_leaves_all_to_be_counted() -> None:
    ledger = Ledger(TierPolicy(RollingPeriod(days=30), counts=ALL))
    ledger.book(START, Step(0, "earn", 300, 30, 0), 1)
    assert ledger.customer.tier == "gold"
    with_tiers, ledger.program = ledger.program, program(None)
    ledger.book(START, Step(0, "hold", 100, 1, 0), 2)
    assert ledger.state.basis
    ledger.book(START, Step(0, "capture", 100, 1, 0), 3)
    assert (ledger.state.basis, ledger.customer.tier, ledger.customer.tier_due_at) == ("", "gold", None)
    ledger.program = with_tiers
    ledger.book(START, Step(0, "give", 900, 1, 0), 4)
    assert (ledger.state.basis, ledger.customer.tier) == ("", "gold")


def test_who_knows_of_another_policy_leaves_all_to_be_counted() -> None:
    ledger = Ledger(TierPolicy(RollingPeriod(days=30), counts=ALL))
    ledger.book(START, Step(0, "earn", 300, 30, 0), 1)
    ledger.program = program(TierPolicy(RollingPeriod(days=30)))
    ledger.book(START, Step(0, "take", 10, 1, 0), 2)
    assert (ledger.state.basis, ledger.customer.tier) == ("", "gold")


def test_an_erasure_ends_points_and_counts_nothing() -> None:
    ledger = Ledger(TierPolicy(RollingPeriod(days=30), counts=ALL))
    ledger.book(START, Step(0, "earn", 300, 30, 0), 1)
    climbing = Climbing(ledger.program)
    account = Account(ledger.customer, START, IdSource(START, 2), ledger.lots, ledger.holds)
    account.expire(next(iter(ledger.lots)), START, reason="erasure")
    climbing.follow(account)
    assert (account.customer.tier, climbing.changes) == ("gold", [])


def test_who_brings_points_where_another_policy_is_known_leaves_all_to_be_counted() -> None:
    ledger = Ledger(TierPolicy(RollingPeriod(days=30), counts=ALL))
    ledger.book(START, Step(0, "earn", 300, 5, 0), 1)
    for known, basis in ((ledger.program, ledger.state.basis), (program(TierPolicy(RollingPeriod(days=30))), "")):
        climbing = Climbing(known)
        account = Account(ledger.customer, START + 6 * DAY, IdSource(START, 2), dict(ledger.lots), {})
        settle(account)  # the points have ended
        climbing.bring(account, climbing.climber(account), None, UUID(int=1))
        assert account.customer.tier_state is not None
        assert decode(account.customer.tier_state).basis == basis
