"""Suppressions: what setting, lifting and merging them comes to. Pure."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.customers.suppressions.rules import (
    NewSuppression,
    Suppression,
    SuppressionEnd,
    SuppressionReason,
    ended_as,
    merged,
    suppressed,
)
from service.kernel.errors import Invalid
from service.kernel.ids import IdSource

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
KEY, OTHER_KEY = UUID(int=1), UUID(int=2)
CASE = SuppressionReason.OPEN_CASE


def suppression(
    customer: int = 7, reason: SuppressionReason = CASE, until: datetime | None = None, reference: str | None = "case-1"
) -> Suppression:
    return Suppression(UUID(int=random.getrandbits(100)), customer, reason, until, reference, KEY, NOW - 30 * DAY)


def ids() -> IdSource:
    return IdSource(NOW, 5)


untils = st.none() | st.integers(-20, 20).map(lambda days: NOW + days * DAY)
records = st.lists(st.tuples(st.sampled_from(SuppressionReason), untils), unique_by=lambda each: each[0])


def test_it_holds_until_its_moment_and_not_at_it() -> None:
    ends_then = suppression(until=NOW)
    assert ends_then.holds(NOW - MICROSECOND)
    assert not ends_then.holds(NOW)
    assert suppression(until=None).holds(datetime.max.replace(tzinfo=UTC))


def test_the_first_of_a_reason_is_new() -> None:
    made = suppressed(NewSuppression(CASE, NOW + DAY, "case-2"), customer_id=7, before=None, by=KEY, ids=ids(), now=NOW)
    assert made.is_new
    assert (made.begun, made.ended) == ([made.suppression], [])
    told = made.suppression
    assert (told.until, told.reference, told.set_by, told.set_at, told.customer_id) == (
        NOW + DAY, "case-2", KEY, NOW, 7,
    )  # fmt: skip


@pytest.mark.parametrize(("until", "reference"), [(None, "case-1"), (NOW + DAY, None), (NOW + MICROSECOND, "x")])
def test_the_same_again_changes_nothing_whoever_says_it(until: datetime | None, reference: str | None) -> None:
    before = suppression(until=until, reference=reference)
    made = suppressed(
        NewSuppression(CASE, until, reference), customer_id=7, before=before, by=OTHER_KEY, ids=ids(), now=NOW
    )
    assert made.suppression == before
    assert (made.is_new, made.begun, made.ended) == (False, (), ())


@pytest.mark.parametrize(("until", "reference"), [(NOW + DAY, "case-1"), (None, "case-2"), (None, None)])
def test_other_content_ends_what_held_and_begins_anew(until: datetime | None, reference: str | None) -> None:
    before = suppression()
    made = suppressed(
        NewSuppression(CASE, until, reference), customer_id=7, before=before, by=OTHER_KEY, ids=ids(), now=NOW
    )
    assert not made.is_new
    (ended,) = made.ended
    assert (ended.id, ended.ended_as, ended.ended_at, ended.lifted_by) == (
        before.id, SuppressionEnd.REPLACED, NOW, None,
    )  # fmt: skip
    assert (made.suppression.until, made.suppression.reference, made.suppression.set_by) == (
        until, reference, OTHER_KEY,
    )  # fmt: skip


def test_what_is_over_is_noted_as_over_since_its_own_time_and_the_next_is_new() -> None:
    before = suppression(until=NOW - DAY)
    made = suppressed(NewSuppression(CASE), customer_id=7, before=before, by=KEY, ids=ids(), now=NOW)
    assert made.is_new
    (ended,) = made.ended
    assert (ended.ended_as, ended.ended_at) == (SuppressionEnd.OVER, NOW - DAY)


@pytest.mark.parametrize("until", [NOW, NOW - MICROSECOND, datetime.min.replace(tzinfo=UTC)])
def test_an_end_that_has_come_is_refused(until: datetime) -> None:
    with pytest.raises(Invalid) as refused:
        suppressed(NewSuppression(CASE, until), customer_id=7, before=None, by=KEY, ids=ids(), now=NOW)
    assert refused.value.pointer == "/until"


def test_what_is_lifted_names_the_key_and_what_is_over_does_not() -> None:
    lifted = ended_as(suppression(), SuppressionEnd.LIFTED, now=NOW, by=KEY)
    assert (lifted.ended_as, lifted.ended_at, lifted.lifted_by) == (SuppressionEnd.LIFTED, NOW, KEY)
    over = ended_as(suppression(until=NOW), SuppressionEnd.LIFTED, now=NOW, by=KEY)
    assert (over.ended_as, over.ended_at, over.lifted_by) == (SuppressionEnd.OVER, NOW, None)
    assert not lifted.holds(NOW - 40 * DAY)


@given(records, records)
def test_a_merge_lets_the_target_have_the_later_end_of_each_reason_that_holds_for_one(
    source: list[tuple[SuppressionReason, datetime | None]], target: list[tuple[SuppressionReason, datetime | None]]
) -> None:
    of_source = [suppression(1, reason, until, "theirs") for reason, until in source]
    of_target = [suppression(2, reason, until, "its own") for reason, until in target]
    ended, begun = merged(of_source, of_target, customer_id=2, ids=ids(), now=NOW)
    gone = {each.id for each in ended}
    assert {each.id for each in of_source} <= gone
    assert len(gone) == len(ended)
    assert all(each.ended_at is not None and each.ended_at <= NOW for each in ended)
    after = [*(each for each in of_target if each.id not in gone), *begun]
    assert len({each.reason for each in after}) == len(after), "one for a reason: the index has it"
    assert {each.customer_id for each in after} <= {2}
    assert len({each.id for each in after}) == len(after)
    never = datetime.max.replace(tzinfo=UTC)
    latest = dict[SuppressionReason, datetime]()
    for each in [*of_source, *of_target]:
        if each.holds(NOW):
            latest[each.reason] = max(latest.get(each.reason, NOW), each.until or never)
    assert {each.reason: each.until or never for each in after if each.holds(NOW)} == latest


def test_what_goes_over_keeps_who_set_it_when_and_its_reference() -> None:
    theirs = suppression(1, until=NOW + 2 * DAY, reference="theirs")
    ended, (begun,) = merged([theirs], [suppression(2, until=NOW + DAY)], customer_id=2, ids=ids(), now=NOW)
    assert [each.ended_as for each in ended] == [SuppressionEnd.MERGED, SuppressionEnd.REPLACED]
    assert begun == msgspec.structs.replace(theirs, id=begun.id, customer_id=2)
    ended, begun = merged([theirs], [suppression(2, until=NOW + 2 * DAY)], customer_id=2, ids=ids(), now=NOW)
    assert ([each.ended_as for each in ended], begun) == ([SuppressionEnd.MERGED], [])
