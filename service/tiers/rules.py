"""What tiers are: their order, what a customer did towards them, and how the two change. Pure.

A tier is reached as soon as enough was counted, and kept as long as the window still gives it, and its days of grace
(`windows.py`). So what a customer has is always what all facts together say, whatever order they came in: a late
purchase counts as if it had come in time, a refund as if that part had never been bought.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.kernel.periods import day_of, start_of_day
from service.programs.policies import OwnPending
from service.programs.tier_policy import CountedPoints, Downgrade, QualifyBy, TierPolicy
from service.tiers.windows import NEVER_DAY, Window, window_of

ONE: Final = 10_000
"""One times, in basis points."""
MOST_TIERS: Final = 20
MOVEMENTS: Final = frozenset({CountedPoints.ADJUSTMENTS, CountedPoints.REDEMPTIONS, CountedPoints.EXPIRY})
"""The kinds of points that no purchase and no activity tells of: the ledger does, when they move."""


class TierMultiplier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What customers of a tier get of the points that rules or groups of rules give: 15000 is one and a half times."""

    basis_points: Annotated[int, Meta(ge=ONE, le=100 * ONE)]
    of: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
        Meta(min_length=1, max_length=50, extra_json_schema={"uniqueItems": True}),
    ] = ("base",)


class TierBenefits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What customers of a tier have of it. Rewards name the tier that they ask for (`minimum_tier`)."""

    multiplier: TierMultiplier | None = None
    pending: Annotated[
        OwnPending | None,
        Meta(description="How points of these customers are held back; null: as for others; `at_once`: not at all."),
    ] = None


class TierContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tier as a marketer sets it.

    `threshold`: how many points, minor units or purchases it asks for, by what the program qualifies by.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    threshold: Annotated[int, Meta(ge=0, le=BOUND)]
    benefits: TierBenefits = TierBenefits()


class Tier(msgspec.Struct, frozen=True):
    """A tier at one version."""

    id: str
    version: int
    content: TierContent


class Ladder(msgspec.Struct, frozen=True):
    """The tiers of a program in their order, the lowest first, and how customers climb and fall: what applies now.

    `key` changes with whatever changes somebody's tier, `basis` with what was counted or the days for which it is kept.
    """

    tiers: tuple[Tier, ...]
    policy: TierPolicy
    currency: str
    """The one in which spend counts."""
    zone: ZoneInfo
    window: Window
    thresholds: tuple[int, ...]
    levels: Mapping[str, int]
    key: str
    basis: str
    movements: frozenset[CountedPoints] = frozenset()
    """Which movements of the ledger count: for most programs none, who then look at none."""

    def level(self, tier: str | None) -> int:
        """Return the place of a tier, from 0 on; -1 for none, and for one that there is no more."""
        return -1 if tier is None else self.levels.get(tier, -1)

    def reached_by(self, amount: int) -> int:
        """Return the place of the highest tier for which an amount is enough; -1 for none."""
        return bisect_right(self.thresholds, amount) - 1

    def at(self, level: int) -> Tier | None:
        """Return the tier of a place; None for -1."""
        return None if level < 0 else self.tiers[level]

    def day_of(self, moment: datetime, near: int = NEVER_DAY) -> int:
        """Return the local day of a moment. It is quick where that is the day `near`."""
        start, end = self.start_of(near), self.start_of(near + 1)
        if start is not None and start <= moment and (end is None or moment < end):
            return near
        return day_of(moment, self.zone).toordinal()

    def start_of(self, day: int) -> datetime | None:
        """Return the first moment of a day, in UTC; None: never."""
        return None if day >= NEVER_DAY else start_of_day(date.fromordinal(day), self.zone)


class Guarantee(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tier that a customer has before the day `until`, whatever was counted: `brought` along, or stepped down to."""

    tier: str
    until: int
    brought: bool = False


class TierState(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a customer stands: the tier since when, and what was counted on which day, as long as it matters.

    `basis` and `ladder` say by what that was counted and decided; a state of another basis is left alone until all
    facts are counted again. On `next_day`, or later, something changes by time alone. `noticed_day` is the end of the
    tier that the customer was told of.
    """

    tier: str | None = None
    since: datetime | None = None
    basis: str = ""
    ladder: str = ""
    days: tuple[int, ...] = ()
    amounts: tuple[int, ...] = ()
    guarantees: tuple[Guarantee, ...] = ()
    next_day: int | None = None
    noticed_day: int | None = None


class Reason(Enum):
    """Why a tier changed."""

    TIME = "time"
    """What was counted left the window, or a period, a guarantee or the days of grace were over."""
    TERMS = "terms"
    """The program changed its tiers or how it counts."""
    PURCHASE = "purchase"
    REFUND = "refund"
    ACTIVITY = "activity"
    ADJUSTMENT = "adjustment"
    REDEMPTION = "redemption"
    EXPIRY = "expiry"
    OPENING_BALANCE = "opening_balance"
    MERGE = "merge"


class TierChange(msgspec.Struct, frozen=True):
    """A customer went from one tier (None: none) to another. What time did has the moment at which it was so."""

    before: str | None
    after: str | None
    at: datetime
    reason: Reason


class TierNotice(msgspec.Struct, frozen=True):
    """What a customer is told: the tier is over at that moment, and what comes then, if nothing more is counted."""

    tier: str
    after: str | None
    ends_at: datetime


class Settled(msgspec.Struct, frozen=True):
    """A customer's state after a decision, the changes that led there in their order, and what is to be told now."""

    state: TierState
    changes: tuple[TierChange, ...] = ()
    notice: TierNotice | None = None


def check_tier(content: TierContent, others: Iterable[TierContent], within: str) -> None:
    """Refuse a tier that can't stand beside those that there are. Raises Invalid; `within` points to the content."""
    thresholds = [each.threshold for each in others]
    if content.threshold in thresholds:
        detail = "Another tier asks for as much: their order would not be told."
        raise Invalid(detail, pointer=f"{within}/threshold", reason="duplicate")
    if len(thresholds) >= MOST_TIERS:
        raise Invalid(f"A program has at most {MOST_TIERS} tiers.", pointer=f"{within}/name", reason="out_of_range")
    multiplier = content.benefits.multiplier
    for number, each in enumerate(() if multiplier is None else multiplier.of):
        if multiplier is not None and each in multiplier.of[:number]:
            pointer = f"{within}/benefits/multiplier/of/{number}"
            raise Invalid("This stands here twice.", pointer=pointer, reason="duplicate")


def ladder_of(policy: TierPolicy, tiers: Iterable[Tier], *, currency: str, time_zone: str) -> Ladder:
    """Put tiers in order. `currency` and `time_zone` are the program's."""
    ordered = tuple(sorted(tiers, key=lambda tier: (tier.content.threshold, tier.id)))
    currency = policy.currency or currency
    window = msgspec.structs.replace(policy, currency=currency, downgrade=Downgrade.BY_BALANCE, notice_days=None)
    steps = [(tier.id, tier.content.threshold) for tier in ordered]
    return Ladder(
        ordered,
        policy,
        currency,
        ZoneInfo(time_zone),
        window_of(policy),
        tuple(tier.content.threshold for tier in ordered),
        {tier.id: level for level, tier in enumerate(ordered)},
        _digest((policy, currency, time_zone, steps)),
        _digest((window, time_zone)),
        MOVEMENTS.intersection(policy.counts),
    )


def _digest(content: object) -> str:
    """Return twelve digits that tell one content from others."""
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:12]


def purchase_counts(ladder: Ladder, *, currency: str, total: int, points: int, bonus: int) -> int:
    """Return what a purchase counts: of its `total`, of the `points` of rules, and of those marked as `bonus`."""
    policy = ladder.policy
    if policy.qualify_by is QualifyBy.SPEND:
        return total if currency == ladder.currency else 0
    if policy.qualify_by is QualifyBy.PURCHASES:
        return 1
    return points + (bonus if CountedPoints.BONUSES in policy.counts else 0)


def refund_counts(ladder: Ladder, *, currency: str, amount: int, points: int, bonus: int, whole: bool) -> int:
    """Return what a refund counts, at most 0, on the day of its purchase.

    `amount` came back, `points` and `bonus` were reversed of it; after this refund the purchase is back `whole`.
    """
    if ladder.policy.qualify_by is QualifyBy.PURCHASES:
        return -1 if whole else 0
    return -purchase_counts(ladder, currency=currency, total=amount, points=points, bonus=bonus)


def points_count(ladder: Ladder, kind: CountedPoints, points: int) -> int:
    """Return what points count beside purchases'. Those given are > 0, those taken, spent and ended < 0."""
    return points if kind in ladder.policy.counts else 0


def reaches(ladder: Ladder, tier: str | None, minimum: str) -> bool:
    """Tell whether a tier is at least another one. Nobody reaches one that there is no more."""
    return 0 <= ladder.level(minimum) <= ladder.level(tier)


def is_counted_otherwise(state: TierState, ladder: Ladder) -> bool:
    """Tell whether all facts must be counted again: what stands there was counted by another policy, or never."""
    return state.basis != ladder.basis


def next_change_at(state: TierState, ladder: Ladder) -> datetime | None:
    """Return when time alone changes something next, or a little earlier; None: never, or it must be counted again."""
    return None if state.next_day is None or state.basis != ladder.basis else ladder.start_of(state.next_day)


def is_due(state: TierState, ladder: Ladder, now: datetime) -> bool:
    """Tell whether time or the program's terms have changed something that isn't settled yet."""
    if state.basis != ladder.basis:
        return False
    at = next_change_at(state, ladder)
    return state.ladder != ladder.key or (at is not None and at <= now)


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(TierState)


def encode(state: TierState) -> str:
    """Write a state as JSON, as short as it goes."""
    return _encoder.encode(state).decode()


def decode(text: str) -> TierState:
    """Read back what `encode` wrote."""
    return _decoder.decode(text)
