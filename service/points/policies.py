"""When points end and when they become available, by a program's policies. Pure.

A last day is a whole local day of the program: points end with it, at the start of the next one (Voucherify: points
that last one month, earned on 25 January, are there until the end of 25 February). Moments are aware; those given back
are in UTC. What the calendar doesn't reach is NEVER.
"""

from datetime import MAXYEAR, UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from service.kernel.periods import Period, add_days, add_months, clamped, day_of, end_of_day, last_day
from service.kernel.times import FIRST_MOMENT
from service.points.rules import NEVER, Alive, Life
from service.programs.policies import (
    ExpiryOnDates,
    ExpiryPolicy,
    OwnPending,
    PendingAfter,
    PendingPolicy,
    QualifyingActivity,
    RollingExpiry,
    SlidingExpiry,
    Unconfirmed,
    keeps_alive,
    pending_policy,
)
from service.programs.rules import ProgramSettings


class Pending(msgspec.Struct, frozen=True):
    """Until when points are held back, unless they are confirmed before. Then they lapse or become available."""

    available_at: datetime
    lapses: bool


def expires_at(policy: ExpiryPolicy, occurred_at: datetime, time_zone: str) -> datetime:
    """Return the first moment at which points that were earned at `occurred_at` are gone; it is after that moment.

    NEVER for points that slide, too: they end with `keeps_alive_until` of their customer, not by a time of their own.
    """
    if isinstance(policy, RollingExpiry):
        zone = ZoneInfo(time_zone)
        return _end_of(_later(day_of(occurred_at, zone), policy.months, policy.days, policy.round_up_to), zone)
    if isinstance(policy, ExpiryOnDates):
        zone = ZoneInfo(time_zone)
        earliest = add_days(day_of(occurred_at, zone), policy.least_days)
        return _end_of(None if earliest is None else _first_from(earliest, policy.dates), zone)
    return NEVER


def keeps_alive_until(policy: ExpiryPolicy, last_activity_at: datetime, time_zone: str) -> datetime | None:
    """Return the first moment at which points that slide are gone, unless there is another activity that counts.

    None for a policy that doesn't slide. Whether an activity counts, the policy's `counts` says.
    """
    if not isinstance(policy, SlidingExpiry):
        return None
    zone = ZoneInfo(time_zone)
    return _end_of(_later(day_of(last_activity_at, zone), policy.months, policy.days, policy.round_up_to), zone)


def kept_alive(program: ProgramSettings, activity: QualifyingActivity, at: datetime) -> Alive | None:
    """Tell until when an activity keeps the points alive that slide; None where it doesn't, or nothing slides."""
    return alive_from(program, at) if keeps_alive(program.expiry, activity) else None


def alive_from(program: ProgramSettings, at: datetime) -> Alive | None:
    """Tell until when what is done at a moment keeps points alive that slide, if it does; None where nothing slides."""
    until = keeps_alive_until(program.expiry, at, program.time_zone)
    return None if until is None else Alive(until, _notify_at(program.expiry, until))


def with_end(life: Life, program: ProgramSettings, ends_at: datetime) -> Life:
    """Give points an end of their own (NEVER: none), with the notice that the program demands."""
    return msgspec.structs.replace(
        life,
        expires_at=ends_at,
        slides=False,
        needs_notice=life.needs_notice and ends_at != NEVER,
        notify_at=_notify_at(program.expiry, ends_at),
    )


def _notify_at(policy: ExpiryPolicy, ends_at: datetime) -> datetime | None:
    """Return the moment at which a customer is told that points end: days of 24 hours before.

    Where the calendar doesn't reach so far back it is the first moment that can be stored.
    """
    if policy == "never" or policy.notice is None or ends_at == NEVER:
        return None
    try:
        return ends_at - timedelta(days=policy.notice.days)
    except OverflowError:
        return FIRST_MOMENT + timedelta.resolution


def pending_until(policy: PendingPolicy | None, occurred_at: datetime, time_zone: str) -> Pending | None:
    """Tell until when points that were earned at `occurred_at` are held back; None: they aren't.

    `after` is exactly days x 24 hours, whatever clocks do; the last day to confirm is a whole local day.
    """
    if policy is None:
        return None
    if isinstance(policy, PendingAfter):
        try:
            return Pending(occurred_at.astimezone(UTC) + timedelta(days=policy.days), lapses=False)
        except OverflowError:
            return Pending(NEVER, lapses=False)
    zone = ZoneInfo(time_zone)
    last = add_days(day_of(occurred_at, zone), policy.days)
    return Pending(_end_of(last, zone), lapses=policy.otherwise is Unconfirmed.LAPSE)


def life_of(program: ProgramSettings, own: OwnPending | None, occurred_at: datetime) -> Life:
    """Tell when points of a program that were earned at `occurred_at` become available and when they end.

    `own` is what the rule that gave them says of holding them back.
    """
    policy, zone = program.expiry, program.time_zone
    pending = pending_until(pending_policy(own, program.pending), occurred_at, zone)
    notice = None if policy == "never" else policy.notice
    ends_at = expires_at(policy, occurred_at, zone)
    return Life(
        available_at=None if pending is None else pending.available_at,
        lapses=pending is not None and pending.lapses,
        expires_at=ends_at,
        slides=isinstance(policy, SlidingExpiry),
        needs_notice=notice is not None and notice.required,
        notify_at=_notify_at(policy, ends_at),
    )


def _later(day: date, months: int | None, days: int | None, round_up_to: Period | None) -> date | None:
    """Return the last day of a duration that begins with `day`; None after the end of the calendar."""
    last = add_days(day, days or 0) if months is None else add_months(day, months)
    return last if last is None or round_up_to is None else last_day(round_up_to, last)


def _first_from(earliest: date, dates: tuple[str, ...]) -> date | None:
    """Return the first of the yearly dates (MM-DD) from `earliest` on; None after the end of the calendar."""
    each_year = [(int(month_day[:2]), int(month_day[3:])) for month_day in dates]
    for year in range(earliest.year, min(earliest.year + 1, MAXYEAR) + 1):
        found = [day for month, number in each_year if (day := clamped(year, month, number)) >= earliest]
        if found:
            return min(found)
    return None


def _end_of(last: date | None, zone: ZoneInfo) -> datetime:
    return (None if last is None else end_of_day(last, zone)) or NEVER
