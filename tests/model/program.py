"""What a program is set to, and what the model makes of it: when points come and end, by a calendar of its own."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from math import floor
from typing import Any

from hypothesis import strategies as st

from tests.model.ledger import Alive, Cause, Lot

DAY = timedelta(days=1)
HOLD_SECONDS = 900
Settings = dict[str, Any]
_ROUNDED = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}


def _policy(kind: str, lasts: Settings, **more: Any) -> Settings:
    return {"kind": kind, **lasts, **more}


_MONTHS = st.fixed_dictionaries(
    {"months": st.sampled_from([1, 3])}, optional={"round_up_to": st.sampled_from(["month", "quarter", "year"])}
)
_LASTS = st.fixed_dictionaries({"days": st.sampled_from([10, 30, 3, 14, 0])}) | _MONTHS
_KEEPS_ALIVE = st.fixed_dictionaries({"days": st.sampled_from([10, 30, 3])}) | _MONTHS
_COUNTED = st.sampled_from([["purchase"], ["purchase", "redemption"], ["redemption"]])
_NOTICES = st.sampled_from(
    [None, None, {"days": 7}, {"days": 20, "required": False}, {"days": 5, "required": True},
     {"days": 20, "required": True}]
)  # fmt: skip
_EXPIRIES: st.SearchStrategy[Settings | None] = st.one_of(
    st.none(),
    st.builds(_policy, st.just("rolling"), _LASTS, notice=_NOTICES),
    st.builds(_policy, st.just("rolling"), _LASTS, notice=_NOTICES),
    st.fixed_dictionaries(
        {
            "kind": st.just("dates"),
            "ahead": st.lists(st.sampled_from([5, 20, 60, 0]), min_size=1, max_size=2, unique=True),
            "least_days": st.sampled_from([0, 10]),
            "notice": _NOTICES,
        }
    ),
    st.builds(_policy, st.just("sliding"), _KEEPS_ALIVE, counts=_COUNTED, notice=_NOTICES),
)
_PENDINGS: st.SearchStrategy[Settings | None] = st.one_of(
    st.none(),
    st.none(),
    st.fixed_dictionaries({"kind": st.just("after"), "days": st.sampled_from([1, 3, 14])}),
    st.fixed_dictionaries(
        {
            "kind": st.just("until_confirmed"),
            "days": st.sampled_from([3, 14]),
            "otherwise": st.sampled_from(["lapse", "activate"]),
        }
    ),
)


@dataclass(frozen=True)
class Program:
    """A program's settings, as they go over the wire."""

    hour: int
    """The hour of the day in which the test seems to run: far from midnight, where a second could matter."""
    expiry: Settings | None = None
    """Of yearly dates it first says how many days `ahead` of today they are, whichever day that is."""
    pending: Settings | None = None
    worth: tuple[int, int] = (1, 1)
    """So many points are worth so many cents."""
    minimum: int = 1
    step: int = 1
    rate: tuple[int, int] = (1, 100)
    """So many points are earned for so many cents."""
    debt_limit: int | None = None
    adjustment_limit: int | None = None
    greatest_share: int | None = None
    """How much of an order points may pay for, in basis points."""
    restored_grace_days: int | None = None
    zone: timezone = timezone(timedelta(0))

    def placed(self, now: datetime) -> "Program":
        """Choose a time zone in which it is that hour, and turn days ahead into dates of the year."""
        zone = timezone(timedelta(hours=(self.hour - now.hour + 12) % 24 - 12))
        expiry = self.expiry
        if expiry is not None and "ahead" in expiry:
            today = now.astimezone(zone).date()
            dates = sorted({f"{today + days * DAY:%m-%d}" for days in expiry["ahead"]})
            expiry = {"kind": "dates", "dates": dates} | {name: expiry[name] for name in ("least_days", "notice")}
        return replace(self, zone=zone, expiry=expiry)

    def settings(self) -> Settings:
        """Render the settings."""
        hours = self.zone.utcoffset(None) // timedelta(hours=1)
        earned, spent = self.rate
        points, amount = self.worth
        return {
            "currency": "EUR",
            "time_zone": f"Etc/GMT{-hours:+d}",
            "expiry": self.expiry or "never",
            "pending": self.pending,
            "point_value": {
                "points": points,
                "amount": amount,
                "minimum": self.minimum,
                "step": self.step,
                "greatest_share": self.greatest_share,
            },
            "restored_grace_days": self.restored_grace_days,
            "debt_limit": self.debt_limit,
            "adjustment_limit": self.adjustment_limit,
            "base_rule": {"rates": {"EUR": {"points": earned, "amount": spent}}},
            "hold_seconds": HOLD_SECONDS,
        }

    def earned(self, total: int) -> int:
        """Return the points that a purchase earns."""
        return floor(Fraction(total * self.rate[0], self.rate[1]))

    def value(self, points: int) -> int:
        """Return what points are worth, in cents."""
        return floor(Fraction(points * self.worth[1], self.worth[0]))

    def most_payable(self, order_total: int) -> int:
        """Return how many points may pay for an order: the most that are worth no more than its share."""
        share = floor(Fraction(order_total * (self.greatest_share or 10_000), 10_000))
        points = floor(Fraction(share * self.worth[0], self.worth[1]))
        while self.value(points + 1) <= share:
            points += 1
        return points

    def day_after(self, moment: datetime, days: int) -> datetime:
        """Return when a day is over that comes so many days after that of a moment."""
        return self._after(self._day(moment) + days * DAY)

    def redeems(self, points: int) -> bool:
        """Tell whether so many points are redeemed at once."""
        return points >= self.minimum and points % self.step == 0

    def kept_alive(self, what: str, at: datetime) -> Alive | None:
        """Return until when an activity keeps alive what slides; None: it doesn't."""
        expiry = self.expiry
        return None if expiry is None or what not in expiry.get("counts", ()) else self.alive_from(at)

    def alive_from(self, at: datetime) -> Alive | None:
        """Return until when what is done at a moment keeps alive what slides; None: nothing does."""
        expiry = self.expiry
        if expiry is None or expiry["kind"] != "sliding":
            return None
        until = self._after(self._last(expiry, at))
        return Alive(until, self._notify_at(until))

    def with_end(self, lot: Lot, ends_at: datetime | None) -> Lot:
        """Give a lot an end of its own, with the notice that the program demands. None: it never ends."""
        lot.ends_at, lot.slides, lot.notify_at = ends_at, False, self._notify_at(ends_at)
        return lot

    def at_once(self) -> "Program":
        """Give the program as it is for points that are not held back."""
        return replace(self, pending=None)

    def lot(self, cause: Cause, points: int, occurred_at: datetime, now: datetime) -> Lot:
        """Make the lot of points that were earned at a moment."""
        expiry, ends_at = self.expiry, None
        if expiry is not None and expiry["kind"] == "rolling":
            ends_at = self._after(self._last(expiry, occurred_at))
        elif expiry is not None and expiry["kind"] == "dates":
            ends_at = self._after(_next_of(expiry["dates"], self._day(occurred_at) + expiry["least_days"] * DAY))
        available_at, lapses = None, False
        if self.pending is not None:
            available_at = occurred_at + self.pending["days"] * DAY
            if self.pending["kind"] == "until_confirmed":
                available_at = self._after(self._day(occurred_at) + self.pending["days"] * DAY)
                lapses = self.pending["otherwise"] == "lapse"
        waits = available_at is not None and (lapses or available_at > now)
        slides = expiry is not None and expiry["kind"] == "sliding"
        lot = Lot(cause, points, available_at, ends_at, slides, waits, lapses)
        lot.needs_notice = bool(self._notice.get("required"))
        lot.notify_at = self._notify_at(ends_at)
        return lot

    @property
    def _notice(self) -> Settings:
        return (self.expiry or {}).get("notice") or {}

    def _notify_at(self, ends_at: datetime | None) -> datetime | None:
        """Return when a customer is told of an end."""
        return None if ends_at is None or not self._notice else ends_at - self._notice["days"] * DAY

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def _after(self, last: date) -> datetime:
        """Return the moment at which a last day is over."""
        following = last + DAY
        return datetime(following.year, following.month, following.day, tzinfo=self.zone).astimezone(UTC)

    def _last(self, lasts: Settings, moment: datetime) -> date:
        """Return the last day of a duration that begins with a moment."""
        last = first = self._day(moment)
        if "months" in lasts:
            last = _clamped(first.year, first.month + lasts["months"], first.day)
        last += lasts.get("days", 0) * DAY
        period = _ROUNDED[lasts["round_up_to"]] if "round_up_to" in lasts else 0
        while period and (last.month % period or (last + DAY).month == last.month):
            last += DAY
        return last


def _next_of(dates: Sequence[str], day: date) -> date:
    """Return the first of the yearly dates from a day on."""
    while not any(day == _clamped(day.year, int(each[:2]), int(each[3:])) for each in dates):
        day += DAY
    return day


def _clamped(year: int, month: int, day: int) -> date:
    """Make a date; of a month that is too short its last day. Months go on counting after December."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return date(year, month, min(day, monthrange(year, month)[1]))


PROGRAMS = st.builds(
    Program,
    hour=st.integers(3, 20),
    expiry=_EXPIRIES,
    pending=_PENDINGS,
    worth=st.sampled_from([(1, 1), (3, 2), (100, 150)]),
    minimum=st.sampled_from([1, 1, 1, 1, 5]),
    step=st.sampled_from([1, 1, 1, 1, 3]),
    rate=st.sampled_from([(1, 100), (1, 100), (3, 250)]),
    debt_limit=st.sampled_from([25, None, 7, 0]),
    adjustment_limit=st.sampled_from([None, 20, 50, 0]),
    greatest_share=st.sampled_from([None, None, 5000, 2500]),
    restored_grace_days=st.sampled_from([None, None, 12, 40]),
)
