"""A slow model of tiers: every day is looked at anew, from the whole list of facts that are known by then."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from service.kernel.periods import Period, add_months, start_of_day
from service.programs.tier_policy import Downgrade, RollingPeriod, TierPolicy
from service.tiers.rules import Ladder, Reason, Tier, TierContent, TierState, ladder_of
from service.tiers.settling import contribute, newcomer, settle

DAY = timedelta(days=1)
MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.HALF_YEAR: 6, Period.YEAR: 12}


class Fact(NamedTuple):
    """What counts so much on one day, and is reported on another."""

    occurred: date
    amount: int
    known: date
    reason: Reason = Reason.PURCHASE


class Change(NamedTuple):
    """A tier's change, by its day."""

    before: str | None
    after: str | None
    on: date
    reason: Reason


class Guaranteed(NamedTuple):
    """A tier that a customer has until the end of a day, whatever was counted."""

    tier: str
    last: date


def ladder(
    policy: TierPolicy, thresholds: Iterable[tuple[str, int]] = (), zone: str = "UTC", currency: str = "EUR"
) -> Ladder:
    """Make a ladder of tiers by id and threshold: silver from 100 on, gold from 300, platinum from 1,000."""
    named = list(thresholds) or [("silver", 100), ("gold", 300), ("platinum", 1_000)]
    tiers = [Tier(name, 1, TierContent(name.title(), threshold)) for name, threshold in named]
    return ladder_of(policy, tiers, currency=currency, time_zone=zone)


def noon(day: date, steps: Ladder) -> datetime:
    """Return a moment in a local day."""
    return start_of_day(day, steps.zone) + DAY / 2


def local(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


class Model:
    """What a customer has, day by day. `tiers` says it of each day's end."""

    def __init__(self, steps: Ladder, facts: Sequence[Fact], guaranteed: Iterable[Guaranteed] = ()) -> None:
        self.names = [tier.id for tier in steps.tiers]
        self.thresholds = [tier.content.threshold for tier in steps.tiers]
        self.policy, self.facts, self.guaranteed = steps.policy, facts, list(guaranteed)
        self.level, self.sums = self.reached(0), dict[int, dict[date, int]]()
        self.changes, self.tiers = list[Change](), dict[date, str | None]()

    def run(self, first: date, last: date) -> "Model":
        """Go through the days: first what time did, then each fact that is reported."""
        day, known = first, [fact for fact in self.facts if fact.known < first]
        while day <= last:
            self.look(day, known, Reason.TIME)
            for fact in [each for each in self.facts if each.known == day]:
                known.append(fact)
                self.look(day, known, fact.reason)
            self.tiers[day] = self.name(self.level)
            day += DAY
        return self

    def look(self, day: date, known: Sequence[Fact], reason: Reason) -> None:
        """Compare what a customer has with what the facts say."""
        floors = [self.names.index(each.tier) for each in self.guaranteed if each.last >= day]
        found = max([self.reached(self.best(day, known)), *floors])
        if (
            self.policy.downgrade is Downgrade.ONE_STEP
            and found < self.level - 1
            and reason not in {Reason.REFUND, Reason.MERGE}
        ):
            found = self.level - 1
            self.guaranteed.append(Guaranteed(self.names[found], self.last_after_step(day)))
        if found != self.level:
            self.changes.append(Change(self.name(self.level), self.name(found), day, reason))
            self.level = found

    def name(self, level: int) -> str | None:
        """Name the tier of a place."""
        return None if level < 0 else self.names[level]

    def reached(self, amount: int) -> int:
        """Return the place that an amount is enough for."""
        return sum(1 for threshold in self.thresholds if threshold <= amount) - 1

    def best(self, day: date, known: Sequence[Fact]) -> int:
        """Return the greatest amount that counted on one of the days of grace, or today."""
        days = [day - number * DAY for number in range(self.policy.grace_days + 1)]
        if isinstance(self.policy.period, RollingPeriod):
            return max(0, *(self.sum_on(each, known) for each in days))
        sums = dict[int, int]()
        for fact in known:
            period = self.period(fact.occurred)
            sums[period] = sums.get(period, 0) + fact.amount
        counting = {number for each in days for number in (self.period(each), self.period(each) - 1)}
        return max(0, *(sums.get(number, 0) for number in counting))

    def sum_on(self, day: date, known: Sequence[Fact]) -> int:
        """Return what counts on a day. It is remembered until more is known."""
        sums = self.sums.setdefault(len(known), {})
        if day not in sums:
            sums[day] = sum(fact.amount for fact in known if self.is_in(fact, day))
        return sums[day]

    def is_in(self, fact: Fact, day: date) -> bool:
        """Tell whether a fact counts on a day."""
        return fact.occurred <= day <= self.last_in_window(fact.occurred)

    def last_in_window(self, day: date) -> date:
        """Return the last day on which what was done on a day counts."""
        period = self.policy.period
        assert isinstance(period, RollingPeriod)
        found = add_months(day, period.months) if period.months else day + (period.days or 0) * DAY
        return found or date.max

    def period(self, day: date) -> int:
        """Number the periods of the calendar."""
        period = self.policy.period
        assert not isinstance(period, RollingPeriod)
        return (day.year * 12 + day.month - period.start_month) // MONTHS[period.period]

    def last_after_step(self, day: date) -> date:
        """Return the last day of a tier that was stepped down to."""
        if isinstance(self.policy.period, RollingPeriod):
            return self.last_in_window(day) + self.policy.grace_days * DAY
        last = day
        while self.period(last + DAY) == self.period(day):
            last += DAY
        return last + self.policy.grace_days * DAY


class Books:
    """A customer's state from one report to the next."""

    def __init__(self, steps: Ladder, state: TierState | None = None) -> None:
        self.steps = steps
        self.state = newcomer(steps, datetime(1, 1, 2, tzinfo=UTC)) if state is None else state
        self.changes = list[Change]()
        self.notices = list[tuple[date, str, str | None, date]]()

    def settle(self, day: date) -> None:
        """Do what time did."""
        self._keep(day, None)

    def report(self, fact: Fact) -> None:
        """Count a fact."""
        self._keep(fact.known, fact)

    def _keep(self, day: date, fact: Fact | None) -> None:
        now, zone = noon(day, self.steps), self.steps.zone
        if fact is None:
            settled = settle(self.state, self.steps, now)
        else:
            settled = contribute(
                self.state,
                self.steps,
                now=now,
                day=fact.occurred.toordinal(),
                amount=fact.amount,
                reason=fact.reason,
            )
        self.state = settled.state
        self.changes += [Change(each.before, each.after, local(each.at, zone), each.reason) for each in settled.changes]
        if settled.notice is not None:
            told = settled.notice
            self.notices.append((day, told.tier, told.after, local(told.ends_at, zone)))
