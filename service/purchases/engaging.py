"""What an activity is, when it can be accepted, and what it comes to. Pure."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from service.customers.rules import with_activity
from service.earning.activity_types import AppliedType, check_properties, once_in_a_life, types_of
from service.earning.deciding import Candidate, Decided
from service.earning.limits import limited, taking
from service.earning.occasion import Occasion
from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.ids import CallerId
from service.kernel.times import Time, in_utc
from service.points.account import Account
from service.points.policies import kept_alive
from service.points.rules import Cause
from service.programs.policies import QualifyingActivity
from service.programs.rules import Program
from service.programs.tier_policy import CountedPoints
from service.purchases.rules import Earnings, Seen, check_occurred
from service.purchases.terms import ReferringTerms
from service.referrals.rules import Fact
from service.tiers.rules import Reason, points_count

ACTIVITY = "activity"


class Activity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that a customer did, of a type that the program declares. Without `occurred_at` it happened now."""

    id: CallerId
    customer_id: CallerId
    type: Annotated[str, Meta(min_length=1, max_length=63)]
    occurred_at: Time | None = None
    properties: Annotated[
        dict[str, Any], Meta(description="Texts, numbers and booleans, as the type of the activity says.")
    ] = {}


class ActivityConflict(Refusal):
    """The id belongs to an activity with other content."""

    kind = Kind.CONFLICT
    code = "activity_conflict"
    title = "This id belongs to an activity with other content"


class UnknownActivityType(Invalid):
    """The program declares no such type of activities, or didn't when it occurred."""

    code = "unknown_activity_type"
    title = "There is no such type of activities"

    def __init__(self) -> None:
        detail = "The program has no active type of activities with this id, or hadn't when this occurred."
        super().__init__(detail, pointer="/type", reason=self.code)


class ActivityEarnings(Earnings, frozen=True, kw_only=True):
    """What an activity is answered with, for ever, and the version of its type that it was checked by."""

    type_version: int


def normalised(activity: Activity) -> Activity:
    """Bring an activity into the form that is compared and stored: its time in UTC, if it was told. Raises Invalid."""
    at = activity.occurred_at
    return activity if at is None else msgspec.structs.replace(activity, occurred_at=in_utc(at, "/occurred_at"))


def check_activity(activity: Activity, now: datetime, program: Program) -> None:
    """Refuse an activity from the future or from too long ago, of no type, or with other properties.

    Raises Invalid; Unavailable where its type can't be read.
    """
    at = activity.occurred_at or now
    check_occurred(at, now=now, oldest_fact_days=program.settings.oldest_fact_days)
    check_properties(_type_of(activity, program, at).content, activity.properties)


def book_activity(activity: Activity, account: Account, terms: ReferringTerms, activity_id: UUID) -> ActivityEarnings:
    """Decide what a new activity comes to, and move the points that it earns into the account. Raises Invalid.

    Type, rules, policies and calendar are those that applied when it occurred, however late it is reported.
    """
    at = activity.occurred_at or account.now
    applied, type_ = terms.program.at(at), _type_of(activity, terms.program, at)
    climber = terms.climbing.climber(account)
    settings, known = applied.settings, terms.known(climber.customer)
    occasion = Occasion(at, ZoneInfo(settings.time_zone), known, type=activity.type, properties=activity.properties)
    try:
        decided = terms.decide(occasion, climber.customer, applied)
    except Invalid as refused:
        raise Invalid(refused.detail, pointer="/type", reason=refused.reason) from None  # no total stands in the body
    once, allowance = once_in_a_life(activity.type), terms.allowance(account.customer)
    if type_.content.once and not limited(once, occasion.day, allowance, 1)[0]:
        decided = Decided([_withheld(each) for each in decided.given], 0)
    terms.referring.count(account, Fact(activity_id, at, type=activity.type))
    account.customer = with_activity(account.customer, decided.points)
    account.touch(kept_alive(settings, QualifyingActivity.ACTIVITY, at))
    pending_before = account.customer.balance.pending
    cause = Cause(ACTIVITY, activity.id)
    lines = terms.reward(decided, account, applied, occasion=occasion, row_id=activity_id, cause=cause)
    if decided.points:
        used = terms.allowance(account.customer).take(taking(once, occasion.day, decided.points))
        account.customer = msgspec.structs.replace(account.customer, limits_used=used)
    ladder = climber.ladder
    amount = 0 if ladder is None else points_count(ladder, CountedPoints.ACTIVITIES, decided.points)
    tier = terms.climbing.count(account, climber, occurred_at=at, amount=amount, reason=Reason.ACTIVITY)
    balance = account.customer.balance
    pending, seen = balance.pending - pending_before, Seen.of(known)
    return ActivityEarnings(decided.points, pending, lines, balance, seen, tier, type_version=type_.version)


def _type_of(activity: Activity, program: Program, at: datetime) -> AppliedType:
    found = types_of(program).at(activity.type, at)
    if found is None:
        raise UnknownActivityType
    return found


def _withheld(candidate: Candidate) -> Candidate:
    """Give nothing of what a rule would, and say why; nothing is taken of its limits."""
    why = f"{candidate.line.why}, not given: this is rewarded once, and was before"
    return msgspec.structs.replace(candidate, line=msgspec.structs.replace(candidate.line, points=0, why=why), taken=())
