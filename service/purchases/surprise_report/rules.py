"""The reports of surprises: what was booked of both arms, and what that comes to. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil, floor
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from service.customers.suppressions.rules import SuppressionReason
from service.kernel.rounding import Rounding, divide
from service.kernel.shares import WHOLE
from service.programs.surprise_policy import Metric
from service.purchases.surprise_report.figures import (
    METHOD,
    Comparison,
    Gain,
    GiftCost,
    GiftsByState,
    NoComparison,
    ReportedArm,
    StopsByReason,
    SurpriseReport,
    Unit,
)
from service.surprises.campaigns import ByPlay, CampaignContent
from service.surprises.gifts import GiftState
from service.surprises.proof.sequence import ALPHA, Arm, Interval, interval
from service.surprises.proof.verdict import Verdict, customers_needed, verdict

PLANNED: Final = 5_000
"""Customers of both arms at whom intervals are narrowest. It is the same for all, so nothing that was seen moves it.

From 1,000 customers to 50,000 they are at most a tenth wider than if the number had been known, at a million a fifth.
"""
_CONFIDENCE: Final = round(WHOLE * (1 - ALPHA))
_R = TypeVar("_R", bound=SurpriseReport)


class Outcomes(msgspec.Struct, frozen=True):
    """What one arm did: of `customers`, those whose windows are `closed`. `spent` is exact, and so are its squares.

    `bought` are those who kept any purchase, `spenders` those who spent anything.
    """

    customers: int = 0
    closed: int = 0
    bought: int = 0
    spenders: int = 0
    spent: int = 0
    squares: int = 0

    def arm(self, metric: Metric) -> Arm:
        """Return the sums that are compared. A margin is a part of what is spent, and so compared by that."""
        if metric is Metric.REPEAT_PURCHASE:
            return Arm(customers=self.closed, total=self.bought, squares=self.bought, nonzero=self.bought)
        return Arm(customers=self.closed, total=self.spent, squares=self.squares, nonzero=self.spenders)


class Given(msgspec.Struct, frozen=True):
    """Gifts of one campaign that stand alike; `in_windows` is what those cost that fell into closed windows."""

    campaign: UUID
    state: GiftState
    gifts: int
    points: int
    cost: int
    in_windows: int


class Halted(msgspec.Struct, frozen=True):
    """What was stopped of one campaign for one reason."""

    campaign: UUID
    reason: SuppressionReason
    at_draw: int
    at_sending: int


class Booked(msgspec.Struct, frozen=True):
    """All that a report is made from, at one moment."""

    now: datetime
    treated: Outcomes
    held_out: Outcomes
    gifts: Sequence[Given] = ()
    stops: Sequence[Halted] = ()

    def without(self, campaigns: Collection[UUID]) -> "Booked":
        """Return the same without what was given and stopped by some campaigns."""
        return msgspec.structs.replace(
            self,
            gifts=[each for each in self.gifts if each.campaign not in campaigns],
            stops=[each for each in self.stops if each.campaign not in campaigns],
        )


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """What was declared before the start: the metric, over how long, and how many are held out.

    `margin` is the program's now, in basis points. `target` is in the metric's unit.
    """

    metric: Metric
    window_days: int
    holdout: int
    margin: int | None
    currency: str
    target: int | None = None
    paid_game: bool = False

    @property
    def unit(self) -> Unit:
        """In what the metric is told."""
        return Unit.BASIS_POINTS if self.metric is Metric.REPEAT_PURCHASE else Unit.MINOR_UNITS

    @property
    def scale(self) -> Fraction:
        """What one of an arm's sums is in the metric's unit; without a margin as if all were one."""
        if self.metric is Metric.REPEAT_PURCHASE:
            return Fraction(WHOLE)
        return Fraction(1) if self.metric is Metric.SPEND else Fraction(self.margin or WHOLE, WHOLE)

    @property
    def obstacle(self) -> NoComparison | None:
        """What stands against a comparison."""
        if self.paid_game:
            return NoComparison.PAID_GAME
        if not self.holdout:
            return NoComparison.NO_HOLDOUT
        return NoComparison.NO_MARGIN if self.metric is Metric.MARGIN and self.margin is None else None


def study_of(content: CampaignContent, *, margin: int | None, currency: str) -> Study:
    """Return what a campaign declares."""
    return Study(
        metric=content.metric,
        window_days=content.window_days,
        holdout=content.holdout,
        margin=margin,
        currency=currency,
        target=content.target_effect,
        paid_game=is_paid_game(content),
    )


def is_paid_game(content: CampaignContent) -> bool:
    """Tell whether it costs points to play: such a game is in nobody's holdout."""
    return isinstance(content.trigger, ByPlay) and content.trigger.points > 0


def report(study: Study, booked: Booked, kind: type[_R], **named: str) -> _R:
    """Make the report of what was booked; `named` are the members that a kind of it has beside those of all."""
    obstacle = study.obstacle
    treated, control = booked.treated.arm(study.metric), booked.held_out.arm(study.metric)
    found = interval(treated, control, planned=PLANNED)
    revealed = [each for each in booked.gifts if each.state is GiftState.REVEALED]
    return kind(
        made_at=booked.now.astimezone(UTC),
        currency=study.currency,
        metric=study.metric,
        unit=study.unit,
        window_days=study.window_days,
        holdout=study.holdout,
        treated=_arm(study, booked.treated),
        held_out=_arm(study, booked.held_out),
        comparison=None if obstacle else _comparison(study, treated, control, found),
        no_comparison=obstacle,
        gain=None if obstacle else _gain(study, booked, found),
        cost=GiftCost(cost=sum(each.cost for each in revealed), points=sum(each.points for each in revealed)),
        gifts=GiftsByState(
            **{state.value: sum(each.gifts for each in booked.gifts if each.state is state) for state in GiftState}
        ),
        stops=_stops(booked.stops),
        **named,
    )


def _arm(study: Study, outcomes: Outcomes) -> ReportedArm:
    arm = outcomes.arm(study.metric)
    return ReportedArm(
        customers=outcomes.customers,
        closed=outcomes.closed,
        any=outcomes.bought,
        spent=outcomes.spent,
        mean=rounded(study.scale * Fraction(arm.total, arm.customers)) if arm.customers else None,
    )


def _comparison(study: Study, treated: Arm, control: Arm, found: Interval) -> Comparison:
    told, needed = verdict(found), None
    if study.target is not None and told is Verdict.CANNOT_TELL_YET:
        needed = customers_needed(treated, control, target=float(study.target / study.scale), planned=PLANNED)
    apart = _apart(treated, control)
    return Comparison(
        difference=None if apart is None else rounded(study.scale * apart),
        low=None if found.low is None else floor(study.scale * Fraction(found.low)),
        high=None if found.high is None else ceil(study.scale * Fraction(found.high)),
        confidence=_CONFIDENCE,
        verdict=told,
        target_effect=study.target,
        more_customers=None if needed is None else needed.more,
        method=METHOD,
    )


def _apart(treated: Arm, control: Arm) -> Fraction | None:
    """Return the exact difference of two means; None while an arm is empty."""
    if not (treated.customers and control.customers):
        return None
    return Fraction(treated.total, treated.customers) - Fraction(control.total, control.customers)


def _gain(study: Study, booked: Booked, found: Interval) -> Gain | None:
    apart = _apart(booked.treated.arm(Metric.SPEND), booked.held_out.arm(Metric.SPEND))
    if apart is None or study.margin is None:
        return None
    of_each = booked.treated.closed * Fraction(study.margin, WHOLE)
    of_spend = study.metric is not Metric.REPEAT_PURCHASE
    gained = of_each * apart
    cost = sum(each.in_windows for each in booked.gifts if each.state is GiftState.REVEALED)
    return Gain(
        margin=study.margin,
        margin_gained=rounded(gained),
        low=floor(of_each * Fraction(found.low)) if of_spend and found.low is not None else None,
        high=ceil(of_each * Fraction(found.high)) if of_spend and found.high is not None else None,
        cost=cost,
        per_unit_spent=rounded(gained * WHOLE / cost) if cost else None,
    )


def _stops(stops: Sequence[Halted]) -> list[StopsByReason]:
    counts: Mapping[SuppressionReason, list[int]] = {reason: [0, 0] for reason in SuppressionReason}
    for each in stops:
        counts[each.reason][0] += each.at_draw
        counts[each.reason][1] += each.at_sending
    return [
        StopsByReason(reason=reason, at_draw=at_draw, at_sending=at_sending)
        for reason, (at_draw, at_sending) in counts.items()
        if at_draw or at_sending
    ]


def rounded(value: Fraction) -> int:
    """Round to a whole number, a half away from zero."""
    whole = divide(abs(value.numerator), value.denominator, Rounding.HALF_UP)
    return whole if value >= 0 else -whole
