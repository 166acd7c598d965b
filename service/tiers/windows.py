"""When what customers do counts for their tiers: windows that roll, and periods of the calendar. Pure.

Days are local days of the program, by number (`date.toordinal`); what would come after 9999-12-31 is NEVER_DAY or
later. Amounts are kept by day, or for calendars by the first day of the period: `days` ascend, `amounts` stand beside
them and are whatever the program qualifies by. An amount below 0 (points that were spent, where they count) is taken
off what else is in the window.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import accumulate, takewhile
from typing import Final

import msgspec

from service.kernel.periods import add_months, clamped
from service.programs.tier_policy import MONTHS_IN, MONTHS_IN_YEAR, RollingPeriod, TierPolicy

NEVER_DAY: Final = date.max.toordinal() + 1
_FIRST_DAY: Final = date.min.toordinal()
_BEYOND: Final = 2 * NEVER_DAY


class Rolling(msgspec.Struct, frozen=True):
    """What was done on a day counts until the end of the day that is `length` months or days later.

    That is at least what occurred within the last so many months or days, whatever the hour, and as long as points live
    by a rolling expiry. What was enough stays enough for `grace` more days.
    """

    length: int
    by_months: bool
    grace: int

    def bucket(self, day: int) -> int:
        """Return under which day an amount is kept."""
        return day

    def oldest(self, today: int) -> int:
        """Return the first day whose amounts matter today or later."""
        return self._first(today - self.grace)

    def progress(self, days: Sequence[int], amounts: Sequence[int], today: int) -> int:
        """Return what counts today towards a tier that isn't reached, at least 0."""
        return max(0, self._sum(days, amounts, today))

    def best(self, days: Sequence[int], amounts: Sequence[int], today: int) -> int:
        """Return the amount for which a customer has a tier today: the greatest since the days of grace began."""
        if not self.grace:
            return self.progress(days, amounts, today)
        return max(0, self._most(days, amounts, today - self.grace, today))

    def until(self, days: Sequence[int], amounts: Sequence[int], threshold: int, today: int, ends: int) -> int:
        """Return before which day there is enough for a threshold > 0 without a gap, grace included.

        There is until `ends` in any case, from today on.
        """
        if _only_added(amounts):
            # Looked up, not walked through: each balance that is read asks for this.
            first = bisect_left(days, self._first(today))
            sums = list(accumulate(amounts[first:], initial=0))
            if sums[-1] >= threshold:
                return max(ends, self._end(days[first + bisect_right(sums, sums[-1] - threshold) - 1]) + self.grace)
        enough = False
        for day, total in self._course(days, amounts, today - self.grace):
            if enough:
                ends = max(ends, day + self.grace)
            if day > ends:
                break
            enough = total >= threshold
        return ends

    def begins(self, days: Sequence[int], amounts: Sequence[int], threshold: int, today: int) -> int:
        """Return the first day on which there is enough for a threshold that isn't reached; NEVER_DAY: none."""
        course = self._course(days, amounts, today)
        return next((day for day, total in course if total >= threshold), NEVER_DAY)

    def renewal(self, days: Sequence[int], amounts: Sequence[int], today: int, ends: int) -> tuple[int, int]:
        """Tell what is there already towards keeping a tier beyond the day on which it `ends`, as things are.

        And from which day on something more counts for that: today, or a day to come.
        """
        since = max(ends - self.grace, today)
        only_added = _only_added(amounts)
        there = self._sum(days, amounts, since) if only_added else self._most(days, amounts, since, ends)
        return max(0, there), max(today, self._first(ends - self.grace))

    def kept_from(self, day: int) -> int:
        """Return before which day a tier is over that was reached on a day with nothing more after it."""
        return self._end(day) + self.grace

    def step_from(self, day: int) -> int:
        """Return before which day a tier is over that was stepped down to on a day."""
        return self._end(day) + self.grace

    def _first(self, day: int) -> int:
        if self.by_months:
            return _first_within(day, self.length)
        return day - self.length

    def _end(self, day: int) -> int:
        """Return the first day on which what was done on a day doesn't count any more."""
        return (_months_later(day, self.length) if self.by_months else day + self.length) + 1

    def _sum(self, days: Sequence[int], amounts: Sequence[int], day: int) -> int:
        first = bisect_left(days, self._first(day))
        return sum(amounts[first : bisect_right(days, day, first)])

    def _most(self, days: Sequence[int], amounts: Sequence[int], since: int, last: int) -> int:
        """Return the most that counted on one of the days from one to another, both included."""
        return max(total for _, total in takewhile(lambda turn: turn[0] <= last, self._course(days, amounts, since)))

    def _course(self, days: Sequence[int], amounts: Sequence[int], since: int) -> Iterator[tuple[int, int]]:
        """Tell what counts from a day on, and from which days after it on how much else; in the end nothing."""
        left, entered = bisect_left(days, self._first(since)), bisect_right(days, since)
        total = sum(amounts[left:entered])
        yield since, total
        while left < len(days):
            leaves = self._end(days[left]) if left < entered else _BEYOND
            enters = days[entered] if entered < len(days) else _BEYOND
            day = min(leaves, enters)
            while left < entered and self._end(days[left]) == day:
                total -= amounts[left]
                left += 1
            if enters == day:
                total += amounts[entered]
                entered += 1
            yield day, total


class Calendar(msgspec.Struct, frozen=True):
    """What was done in one period of `months` counts together, and until the end of the next one, and its `grace` days.

    Periods follow each other from the first day of `start_month` on.
    """

    months: int
    start_month: int
    grace: int

    def bucket(self, day: int) -> int:
        """Return under which day an amount is kept: the first of its period."""
        return _first_of_period(day, self.months, self.start_month)

    def oldest(self, today: int) -> int:
        """Return the first day whose amounts matter today or later."""
        return _periods_later(self.bucket(max(today - self.grace, _FIRST_DAY)), -1, self.months)

    def progress(self, days: Sequence[int], amounts: Sequence[int], today: int) -> int:
        """Return what counts today towards a tier that isn't reached, at least 0."""
        return self._of(days, amounts, self.bucket(today))

    def best(self, days: Sequence[int], amounts: Sequence[int], today: int) -> int:
        """Return the amount for which a customer has a tier today."""
        active = (amount for day, amount in zip(days, amounts, strict=True) if day <= today < self._end(day))
        return max(0, max(active, default=0))

    def until(self, days: Sequence[int], amounts: Sequence[int], threshold: int, today: int, ends: int) -> int:  # noqa: ARG002 - as of windows that roll
        """Return before which day there is enough for a threshold > 0 without a gap, grace included.

        There is until `ends` in any case, from today on.
        """
        for day, amount in zip(days, amounts, strict=True):
            if amount >= threshold:
                ends = max(ends, self._end(day))
        return ends

    def begins(self, days: Sequence[int], amounts: Sequence[int], threshold: int, today: int) -> int:
        """Return the first day on which there is enough for a threshold that isn't reached; NEVER_DAY: none."""
        enough = (day for day, amount in zip(days, amounts, strict=True) if day > today and amount >= threshold)
        return next(enough, NEVER_DAY)

    def renewal(self, days: Sequence[int], amounts: Sequence[int], today: int, ends: int) -> tuple[int, int]:
        """Tell what is there already towards keeping a tier beyond the day on which it `ends`, as things are.

        And from which day on something more counts for that: today, or a day to come.
        """
        least = _periods_later(self.bucket(ends - self.grace), -1, self.months)
        period = max(self.bucket(today), least)
        return self._of(days, amounts, period), max(today, period)

    def kept_from(self, day: int) -> int:
        """Return before which day a tier is over that was reached on a day with nothing more after it."""
        return self._end(self.bucket(day))

    def step_from(self, day: int) -> int:
        """Return before which day a tier is over that was stepped down to on a day: the end of that day's period."""
        return _periods_later(self.bucket(day), 1, self.months) + self.grace

    def _end(self, first: int) -> int:
        return _periods_later(first, 2, self.months) + self.grace

    def _of(self, days: Sequence[int], amounts: Sequence[int], first: int) -> int:
        return max(0, amounts[days.index(first)]) if first in days else 0


Window = Rolling | Calendar


def window_of(policy: TierPolicy) -> Window:
    """Make the window that a policy asks for."""
    period = policy.period
    if not isinstance(period, RollingPeriod):
        return Calendar(MONTHS_IN[period.period], period.start_month, policy.grace_days)
    if period.months is not None:
        return Rolling(period.months, by_months=True, grace=policy.grace_days)
    return Rolling(period.days or 0, by_months=False, grace=policy.grace_days)


def _only_added(amounts: Sequence[int]) -> bool:
    """Tell whether nothing was taken off, so that time alone makes less of what counts and never more."""
    return min(amounts, default=0) >= 0


@lru_cache(maxsize=4096)
def _months_later(day: int, months: int) -> int:
    """Return the same day so many months later, or that month's last."""
    found = add_months(date.fromordinal(day), months)
    return NEVER_DAY if found is None else found.toordinal()


@lru_cache(maxsize=4096)
def _first_within(day: int, months: int) -> int:
    """Return the first day that isn't over so many months before a day: the least whose `_months_later` is not before.

    Of 31 March and one month that is 1 March, since the last of February is over with 28 March.
    """
    then = date.fromordinal(max(day, _FIRST_DAY))
    year, month = divmod(then.year * MONTHS_IN_YEAR + then.month - 1 - months, MONTHS_IN_YEAR)
    if year < date.min.year:
        return _FIRST_DAY
    found = clamped(year, month + 1, then.day)
    return found.toordinal() + (found.day < then.day)


@lru_cache(maxsize=4096)
def _first_of_period(day: int, months: int, start_month: int) -> int:
    then = date.fromordinal(day)
    return _month(then.year * MONTHS_IN_YEAR + then.month - 1 - (then.month - start_month) % months)


@lru_cache(maxsize=4096)
def _periods_later(first: int, periods: int, months: int) -> int:
    then = date.fromordinal(first)
    return _month(then.year * MONTHS_IN_YEAR + then.month - 1 + periods * months)


def _month(number: int) -> int:
    """Return the first day of a month, counted from the year 0 on."""
    year, month = divmod(number, MONTHS_IN_YEAR)
    if year < date.min.year:
        return _FIRST_DAY
    return NEVER_DAY if year > date.max.year else date(year, month + 1, 1).toordinal()
