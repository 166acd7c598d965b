"""How long points last and how long they are held back: what a merchant may set. Pure.

What the settings come to at a moment is decided in `service.points.policies`.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from service.kernel.errors import Invalid
from service.kernel.periods import Period

LONGEST_MONTHS: Final = 1_200
LONGEST_DAYS: Final = 36_500
LONGEST_PENDING_DAYS: Final = 3_650
MOST_DATES: Final = 24
MONTH_DAY_PATTERN: Final = (
    "^(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))"
    "$(?!\n)"
)

_UNIQUE: Final = {"uniqueItems": True}
MonthDay = Annotated[
    str,
    Meta(
        pattern=MONTH_DAY_PATTERN,
        description="A day of each year: 12-31. 02-29 is the last day of February in every year.",
    ),
]
PendingDays = Annotated[int, Meta(ge=1, le=LONGEST_PENDING_DAYS)]


class ExpiryNotice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Customers are told `days` before their points end. `required`: without a notice nothing ends."""

    days: Annotated[int, Meta(ge=1, le=365)]
    required: bool = False


class QualifyingActivity(Enum):
    """What a customer does to keep points alive."""

    PURCHASE = "purchase"
    ACTIVITY = "activity"
    REDEMPTION = "redemption"
    REFERRAL = "referral"


class RollingExpiry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="rolling"):
    """Points last for either `months` or `days` after the day on which they were earned, that last day included.

    With 0 they end with the day on which they were earned. 31 January and one month is the last day of February.
    `round_up_to` moves the last day to the end of its month, quarter, half-year or year.
    """

    months: Annotated[int, Meta(ge=0, le=LONGEST_MONTHS)] | None = None
    days: Annotated[int, Meta(ge=0, le=LONGEST_DAYS)] | None = None
    round_up_to: Period | None = None
    notice: ExpiryNotice | None = None


class ExpiryOnDates(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="dates"):
    """Points end with the next of the `dates`, which come each year; those of that very day end with it, too.

    Points that are earned fewer than `least_days` before a date last until the one after it.
    """

    dates: Annotated[tuple[MonthDay, ...], Meta(min_length=1, max_length=MOST_DATES, extra_json_schema=_UNIQUE)]
    least_days: Annotated[int, Meta(ge=0, le=LONGEST_DAYS)] = 0
    notice: ExpiryNotice | None = None


class SlidingExpiry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="sliding"):
    """All points of a customer end together, either `months` or `days` after the day of the last activity that counts.

    `round_up_to` moves the last day to the end of its month, quarter, half-year or year.
    """

    months: Annotated[int, Meta(ge=1, le=LONGEST_MONTHS)] | None = None
    days: Annotated[int, Meta(ge=1, le=LONGEST_DAYS)] | None = None
    counts: Annotated[tuple[QualifyingActivity, ...], Meta(min_length=1, extra_json_schema=_UNIQUE)] = (
        QualifyingActivity.PURCHASE,
    )
    round_up_to: Period | None = None
    notice: ExpiryNotice | None = None


ExpiryPolicy: TypeAlias = Literal["never"] | RollingExpiry | ExpiryOnDates | SlidingExpiry


class Unconfirmed(Enum):
    """What becomes of points that nobody confirmed by their last day."""

    LAPSE = "lapse"
    ACTIVATE = "activate"


class PendingAfter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="after"):
    """Points are held back for `days` of 24 hours after they were earned."""

    days: PendingDays


class PendingUntilConfirmed(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="until_confirmed"
):
    """Points are held back until the caller confirms the purchase.

    The last day for that is `days` after the day on which they were earned; with its end they do what `otherwise` says.
    """

    days: PendingDays
    otherwise: Unconfirmed


PendingPolicy: TypeAlias = PendingAfter | PendingUntilConfirmed
OwnPending: TypeAlias = Literal["at_once"] | PendingPolicy
"""What a rule says instead of its program; `at_once`: its points are available at once, whatever the program says."""


def pending_policy(own: OwnPending | None, program: PendingPolicy | None) -> PendingPolicy | None:
    """Choose how a rule's points are held back: as the rule says, else as its program does. None: not at all."""
    if own is None:
        return program
    return None if own == "at_once" else own


def keeps_alive(policy: ExpiryPolicy, activity: QualifyingActivity) -> bool:
    """Tell whether an activity keeps the points alive that slide."""
    return isinstance(policy, SlidingExpiry) and activity in policy.counts


def check_expiry(policy: ExpiryPolicy, within: str) -> None:
    """Refuse what the types can't: a duration given twice or not at all, and repetitions. Raises Invalid.

    `within` is the pointer to the policy.
    """
    if isinstance(policy, RollingExpiry | SlidingExpiry):
        _check_duration(policy.months, policy.days, within)
    if isinstance(policy, ExpiryOnDates):
        _check_unique(policy.dates, f"{within}/dates")
    if isinstance(policy, SlidingExpiry):
        _check_unique(policy.counts, f"{within}/counts")


def _check_duration(months: int | None, days: int | None, within: str) -> None:
    if months is None and days is None:
        raise Invalid("Either months or days are required.", pointer=f"{within}/months", reason="missing")
    if months is not None and days is not None:
        raise Invalid("Give either months or days, not both.", pointer=f"{within}/days", reason="exclusive")


def _check_unique(given: Sequence[object], within: str) -> None:
    for number, each in enumerate(given):
        if each in given[:number]:
            raise Invalid("This stands here twice.", pointer=f"{within}/{number}", reason="duplicate")
