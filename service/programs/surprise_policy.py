"""What a merchant may set of all surprises together. Pure. What that comes to is decided in `service.surprises`."""

from enum import Enum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from service.kernel.errors import Invalid

MOST_A_YEAR: Final = 100
"""The greatest yearly limit of surprises that a program can set."""


class Metric(Enum):
    """What is compared between customers who may be surprised and those held out, over each one's window."""

    REPEAT_PURCHASE = "repeat_purchase"
    """Whether the customer bought again."""
    SPEND = "spend"
    """What was bought in the program's currency, gross, less refunds."""
    MARGIN = "margin"
    """That, times the program's margin."""


class SurprisePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for all campaigns of a program, but for games.

    `holdout` basis points of all customers never get a surprise, by lot, so that `metric` over `window_days` shows what
    all of them together change. A larger share keeps those who were in a smaller one.
    """

    cool_down_days: Annotated[
        int, Meta(ge=0, le=365, description="For so many days after a surprise there is no other one.")
    ] = 0
    per_year: Annotated[
        Annotated[int, Meta(ge=0, le=MOST_A_YEAR)] | None,
        Meta(description="So many surprises a customer gets within 365 days at most; null: no bound."),
    ] = 12
    holdout: Annotated[int, Meta(ge=0, le=5_000, description="Basis points.")] = 0
    metric: Metric = Metric.SPEND
    window_days: Annotated[int, Meta(ge=1, le=366)] = 90
    margin: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)] | None,
        Meta(description="What is left of what customers spend, in basis points: by it spend becomes margin."),
    ] = None


def check_surprises(policy: SurprisePolicy, within: str) -> None:
    """Refuse to measure a margin that isn't told. Raises Invalid; `within` is the pointer to the policy."""
    if policy.metric is Metric.MARGIN and policy.margin is None:
        raise Invalid("A margin can't be measured without one.", pointer=f"{within}/margin", reason="missing")
