"""Which tier a fact was decided with."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from service.kernel.ids import time_ordered_id
from service.tiers.history import history
from service.tiers.rules import Reason, TierChange

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def row(hours: float) -> UUID:
    """Give the id of a row that was booked so many hours after the beginning."""
    return time_ordered_id(NOW + hours * HOUR, 1)


def test_a_purchase_that_reaches_a_tier_was_decided_without_it() -> None:
    purchase, change = row(1), row(1.0001)
    had = history([(change, TierChange(None, "silver", NOW + HOUR, Reason.PURCHASE))])
    assert [had.tier_for(each) for each in (row(0), purchase, row(2))] == [None, None, "silver"]


@pytest.mark.parametrize("reason", [Reason.TIME, Reason.EXPIRY])
def test_what_time_did_was_so_before_the_fact_with_which_it_is_booked(reason: Reason) -> None:
    purchase, change = row(5), row(5.0001)
    had = history(
        [
            (row(1), TierChange(None, "silver", NOW + HOUR, Reason.PURCHASE)),
            (change, TierChange("silver", None, NOW + 3 * HOUR, reason)),
        ]
    )
    assert [had.tier_for(each) for each in (row(2), row(3.5), purchase)] == ["silver", None, None]


def test_what_new_terms_did_was_so_for_the_fact_with_which_it_is_booked() -> None:
    purchase, change, reached = row(5), row(5.0001), row(5.0002)
    had = history(
        [
            (change, TierChange(None, "silver", NOW + 5 * HOUR, Reason.TERMS)),
            (reached, TierChange("silver", "gold", NOW + 5 * HOUR, Reason.PURCHASE)),
        ]
    )
    assert [had.tier_for(each) for each in (row(4), purchase, row(6))] == [None, "silver", "gold"]
