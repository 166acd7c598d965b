"""Customers: what purchases make known of them, and changes of the profile."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from service.customers.rules import (
    MOST_ATTRIBUTES,
    Attribute,
    Customer,
    Profile,
    ProfileChange,
    changed,
    newcomer,
    with_purchase,
)
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.platform.http.body import decode

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TODAY = NOW.date()

moments = st.datetimes(datetime(1, 1, 2), datetime(2026, 11, 21), timezones=st.just(UTC))  # noqa: DTZ001
facts = st.lists(st.tuples(moments, st.integers(0, BOUND)), min_size=1, max_size=10)
names = st.text(min_size=1, max_size=40)
values = st.none() | st.booleans() | st.integers(-BOUND, BOUND) | st.floats(-1e12, 1e12) | st.text(max_size=50)
attributes = st.dictionaries(names, values, max_size=10)
profiles = st.builds(
    Profile,
    email=st.none() | st.just("a@b"),
    name=st.none() | st.just("Ada"),
    attributes=st.dictionaries(names, values.filter(lambda value: value is not None), max_size=10),
)
changes = st.builds(
    ProfileChange,
    email=st.sampled_from([UNSET, None, "c@d"]),
    name=st.sampled_from([UNSET, None, "Bob"]),
    birthday=st.sampled_from([UNSET, None, date(1990, 2, 28)]),
    attributes=attributes,
)


def after_purchases(purchases: Sequence[tuple[datetime, int]]) -> Customer:
    customer = newcomer(1, "c-1", NOW)
    for occurred_at, earned in purchases:
        customer = with_purchase(customer, occurred_at, earned)
    return customer


@given(facts)
def test_purchases_count_alike_in_whatever_order_they_are_reported(
    purchases: list[tuple[datetime, int]],
) -> None:
    customer = after_purchases(purchases)
    assert customer.purchase_count == len(purchases)
    assert customer.first_purchase_at == min(at for at, _ in purchases)
    assert customer.last_purchase_at == max(at for at, _ in purchases)
    assert customer.lifetime_earned == sum(earned for _, earned in purchases)
    assert after_purchases(sorted(purchases)) == customer


@given(profiles, changes)
def test_a_change_replaces_what_is_given_and_keeps_the_rest(profile: Profile, change: ProfileChange) -> None:
    after = changed(profile, change, TODAY)
    for field in ("email", "phone", "name", "birthday", "locale"):
        given_value = getattr(change, field)
        assert getattr(after, field) == (getattr(profile, field) if given_value is UNSET else given_value)
    merged = profile.attributes | change.attributes
    assert after.attributes == {name: value for name, value in merged.items() if value is not None}


@given(profiles, changes)
def test_a_change_made_twice_is_made_once(profile: Profile, change: ProfileChange) -> None:
    once = changed(profile, change, TODAY)
    assert changed(once, change, TODAY) == once


@given(profiles)
def test_no_change_changes_nothing(profile: Profile) -> None:
    assert changed(profile, ProfileChange(), TODAY) == profile


@pytest.mark.parametrize(
    ("given_attributes", "pointer"),
    [
        ({"": 1}, "/attributes"),
        ({"x" * 41: 1}, "/attributes"),
        ({"a": "x" * 501}, "/attributes/a"),
        ({"a": BOUND + 1}, "/attributes/a"),
        ({"a": -BOUND - 1}, "/attributes/a"),
        ({"a": 1e13}, "/attributes/a"),
        ({str(number): number for number in range(MOST_ATTRIBUTES + 1)}, "/attributes"),
    ],
)
def test_attributes_out_of_bounds_are_refused(given_attributes: dict[str, Attribute], pointer: str) -> None:
    sent = msgspec.json.encode({"attributes": given_attributes})
    with pytest.raises(Invalid) as refused:
        changed(Profile(), decode(sent, ProfileChange), TODAY)
    assert (refused.value.pointer, refused.value.reason) == (pointer, "out_of_range")


@pytest.mark.parametrize(
    "given_attributes",
    [
        {"x" * 40: "y" * 500},
        {"a": BOUND, "b": -BOUND, "c": 0.5, "d": True},
        {str(number): number for number in range(MOST_ATTRIBUTES)},
    ],
)
def test_attributes_at_their_bounds_are_kept(given_attributes: dict[str, Attribute]) -> None:
    assert changed(Profile(), ProfileChange(attributes=given_attributes), TODAY).attributes == given_attributes


def test_a_full_profile_takes_a_new_attribute_when_another_goes() -> None:
    full = Profile(attributes={str(number): number for number in range(MOST_ATTRIBUTES)})
    assert len(changed(full, ProfileChange(attributes={"0": None, "new": 1}), TODAY).attributes) == MOST_ATTRIBUTES


def test_nobody_is_born_tomorrow() -> None:
    assert changed(Profile(), ProfileChange(birthday=TODAY), TODAY).birthday == TODAY
    with pytest.raises(Invalid) as refused:
        changed(Profile(), ProfileChange(birthday=date(2026, 11, 22)), TODAY)
    assert refused.value.pointer == "/birthday"


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (
            "email",
            ["a@b", "ada+tea@example.co.uk", "ä@ö.de"],
            ["a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", "a" * 251 + "@b.c"],
        ),
        (
            "locale",
            ["de", "de-DE", "de_AT", "zh-Hant-TW", "fil"],
            ["d", "german", "de-", "de DE", "de\n", "d1", "de-" + "x" * 40],
        ),
        ("phone", ["110", "+49 228 1234"], ["11", "1" * 41]),
        ("name", ["A", "x" * 200], ["", "x" * 201]),
        (
            "birthday",
            ["1990-02-28", "0001-01-01"],
            ["1990-02-30", "28.02.1990", "1990-02-28T00:00:00Z", "0000-01-01", 19900228],
        ),
    ],
)
def test_texts_of_a_profile_have_their_form(field: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        msgspec.convert({field: value}, ProfileChange, strict=True)
    for value in bad:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({field: value}, ProfileChange, strict=True)
