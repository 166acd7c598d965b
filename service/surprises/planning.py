"""Occasions that nobody reports: days of the calendar, birthdays, anniversaries, silences, customers of a list. Pure.

Each customer is looked at by the row alone, and by the birthday where one is asked for.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from service.customers.rules import Customer
from service.surprises.book import CampaignVersion
from service.surprises.calendar import Days, anniversary_window, birthday_window, holiday_windows
from service.surprises.campaigns import OnAnniversary, OnBirthday, OnHoliday, OnInactivity
from service.surprises.drawing import Due
from service.surprises.had import Arm, read_had
from service.surprises.rhythm import silence_of

Planned: TypeAlias = OnHoliday | OnBirthday | OnAnniversary | OnInactivity
PLANNED: Final = (OnHoliday, OnBirthday, OnAnniversary, OnInactivity)
"""The triggers for which all customers are looked through."""
LOOK_BACK: Final = timedelta(days=125)
"""A window that is open when a campaign starts may have begun so long ago."""


class Looking(msgspec.Struct, frozen=True):
    """One look through all customers for a campaign: for what begins from `since` until before `until`.

    `days` are the windows that are the same for all customers.
    """

    its: CampaignVersion
    zone: ZoneInfo
    since: datetime
    until: datetime
    now: datetime
    days: Sequence[Days] = ()


def look(its: CampaignVersion, *, zone: ZoneInfo, since: datetime, until: datetime, now: datetime) -> Looking | None:
    """Begin to look; None where there is nothing to look for. What is over by `now` is no occasion any more."""
    trigger, days = its.content.trigger, list[Days]()
    if isinstance(trigger, OnHoliday):
        days = [each for each in holiday_windows(trigger, zone, since, until) if each.end > now]
        if not days:
            return None
    return Looking(its, zone, since, until, now, days)


def due_of(looking: Looking, customer: Customer, birthday: date | None) -> Due | None:
    """Return the occasion that a customer has, if any; who can't get anything of the campaign has none."""
    had = read_had(customer.surprises)
    of, most = had.of(looking.its.hex), looking.its.content.gifts_per_customer
    if Arm.HELD_OUT in {had.arm, of.arm} or (most is not None and of.gifts >= most):
        return None
    found = _window(looking, customer, birthday)
    if found is None or found.end <= looking.now:
        return None
    return Due(customer.id, found.occasion, max(found.first, looking.now), found.end)


def _window(looking: Looking, customer: Customer, birthday: date | None) -> Days | None:
    trigger, zone, since, until = looking.its.content.trigger, looking.zone, looking.since, looking.until
    match trigger:
        case OnHoliday():
            return looking.days[-1]
        case OnBirthday():
            return None if birthday is None else birthday_window(birthday, trigger, zone, since, until)
        case OnAnniversary():
            return anniversary_window(customer.enrolled_at, trigger, zone, since, until)
        case OnInactivity():
            silence = silence_of(
                trigger,
                purchase_count=customer.purchase_count,
                first_purchase_at=customer.first_purchase_at,
                last_purchase_at=customer.last_purchase_at,
                now=looking.now,
            )
            return None if silence is None else Days(silence, looking.now, looking.now + timedelta(hours=12))
        case _:
            return None
