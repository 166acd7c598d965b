"""When a customer is asked to refer others: after a proven success, once for each milestone. Pure."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from service.events.rules import Placed
from service.kernel.errors import Invalid
from service.programs.rules import Program
from service.referrals.book import Offer, offered_to, offers_of
from service.referrals.offers import Ask
from service.tiers.rules import Ladder

LONGEST_MILESTONE: Final = 100
_OLDEST: Final = timedelta(days=91)
"""An event that was booked before that tells of nothing fresh, whatever an offer says: see `Ask.days`."""
_PURCHASE, _TIER, _ACTIVITY = "purchase", "tier", "activity"


class Success(msgspec.Struct, frozen=True):
    """Something that a customer did well: a purchase, an activity of a `type`, or a higher `tier` that it led to."""

    at: datetime
    type: str | None = None
    tier: str | None = None


class ReferralAsk(msgspec.Struct, frozen=True):
    """A milestone of a customer, and what was made of it. Where `until` is `reached_at`, nobody is ever asked for it.

    `announced_at` is when an event told that it is time, `asked_at` when somebody said that the customer was asked.
    """

    milestone: str
    reached_at: datetime
    until: datetime
    announced_at: datetime | None = None
    asked_at: datetime | None = None


class Reached(msgspec.Struct, frozen=True):
    """What a customer has by now: how many purchases, which tier, and the milestones that are recorded."""

    purchases: int
    tier: str | None
    milestones: Collection[str]


def own_offer(program: Program, tier: str | None, now: datetime) -> Offer | None:
    """Return what a customer with a tier offers with the own code; None: there is nothing to ask for."""
    return next((each for each in offered_to(program, tier, now) if each.content.campaign is None), None)


def asks_anybody(program: Program, now: datetime) -> bool:
    """Tell whether any offer of a program asks for referrals now."""
    asks = [each.content.ask for each in offers_of(program).at(now) if each.content.campaign is None]
    return any(each.purchases or each.tiers or each.activities for each in asks)


def whole_bookings(events: Sequence[Placed]) -> Sequence[Placed]:
    """Leave out the last booking among events where they were cut off: its other events may come behind.

    A tier is reached by a fact of the same booking, so both must be seen together. Of one long booking all is kept.
    """
    kept = [each for each in events if each.recorded_at != events[-1].recorded_at]
    return kept or events


def milestone_of(asks: Iterable[ReferralAsk], named: str) -> ReferralAsk:
    """Return a customer's milestone by its name. Raises Invalid where it was never reached."""
    found = next((each for each in asks if each.milestone == named), None)
    if found is None:
        detail = "This customer has reached no such milestone; `ask` of the customer's referral names it."
        raise Invalid(detail, pointer="/milestone", reason="milestone_unknown")
    return found


def may_be_fresh(event: Placed, now: datetime) -> bool:
    """Tell whether what an event tells of can have occurred lately. What was booked long ago need not be read."""
    return event.recorded_at > now - _OLDEST


def is_higher(ladder: Ladder, before: str | None, after: str | None) -> bool:
    """Tell whether a customer climbed."""
    return ladder.level(after) > ladder.level(before)


def reached(
    ask: Ask, successes: Sequence[Success], by: Reached, ladder: Ladder | None, now: datetime
) -> list[ReferralAsk]:
    """Return the milestones that fresh successes come to and that are not recorded yet.

    Of several purchases at once only the highest number asks, and of tiers only the one that the customer has; the
    lower ones are passed by. What occurred more than `days` ago is no reason to ask now: it may come from an import.
    """
    lasts, numbers = timedelta(days=ask.days), passed(ask, by)
    fresh = sorted((each for each in successes if each.at + lasts > now), key=lambda each: each.at)
    found = dict[str, ReferralAsk]()  # the last success of a milestone counts

    def note(milestone: str, at: datetime, *, asks: bool) -> None:
        if milestone not in by.milestones:
            found[milestone] = ReferralAsk(milestone, at, at + lasts if asks else at)

    for each in fresh:
        if each.tier is not None:
            if ask.tiers and ladder is not None and 0 <= ladder.level(each.tier) <= ladder.level(by.tier):
                note(f"{_TIER}:{each.tier}", each.at, asks=each.tier == by.tier)
        elif each.type is not None:
            if each.type in ask.activities:
                note(f"{_ACTIVITY}:{each.type}", each.at, asks=True)
        else:
            for number in numbers:
                note(f"{_PURCHASE}:{number}", each.at, asks=number == numbers[-1])
    return list(found.values())


def passed(ask: Ask, by: Reached) -> list[int]:
    """Return the numbers of purchases that a customer has come to and that are not recorded, in their order."""
    return [
        number
        for number in sorted(set(ask.purchases))
        if number <= by.purchases and f"{_PURCHASE}:{number}" not in by.milestones
    ]


def asks_after(ask: Ask, milestone: str) -> bool:
    """Tell whether an offer asks after a milestone. What a marketer takes out of it asks nobody any more."""
    kind, _, name = milestone.partition(":")
    if kind == _PURCHASE:
        return name in {str(number) for number in ask.purchases}
    return ask.tiers if kind == _TIER else name in ask.activities


def open_asks(ask: Ask, asks: Iterable[ReferralAsk], now: datetime) -> list[ReferralAsk]:
    """Return for which milestones it is time to ask now, the newest first.

    Who was asked for one of them is not asked again for what was reached before that.
    """
    known = list(asks)
    last = max((each.asked_at for each in known if each.asked_at is not None), default=None)
    found = [
        each
        for each in known
        if each.asked_at is None
        and now < each.until
        and (last is None or last < each.reached_at)
        and asks_after(ask, each.milestone)
    ]
    return sorted(found, key=lambda each: (each.reached_at, each.milestone), reverse=True)


def merged(source: Iterable[ReferralAsk], target: Iterable[ReferralAsk]) -> list[ReferralAsk]:
    """Return the milestones of two records that become one. Where both have one, what came earlier counts."""
    found = {each.milestone: each for each in target}
    for each in source:
        other = found.get(each.milestone)
        found[each.milestone] = each if other is None else _earlier(each, other)
    return list(found.values())


def _earlier(one: ReferralAsk, other: ReferralAsk) -> ReferralAsk:
    first = min(one, other, key=lambda each: (each.reached_at, each.until))
    announced = [each.announced_at for each in (one, other) if each.announced_at is not None]
    asked = [each.asked_at for each in (one, other) if each.asked_at is not None]
    return msgspec.structs.replace(first, announced_at=min(announced, default=None), asked_at=min(asked, default=None))
