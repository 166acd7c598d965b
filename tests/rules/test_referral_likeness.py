"""Signs that two customers are one person: spelling hides neither a mailbox nor a phone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.customers.rules import Profile, identities
from service.referrals.likeness import same_email, same_phone

names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=20)
domains = st.sampled_from(["x.de", "mail.example.org", "gmail.com"])
numbers = st.text("123456789", min_size=1, max_size=1).flatmap(
    lambda first: st.text("0123456789", min_size=6, max_size=10).map(lambda rest: first + rest)
)
anything = st.none() | st.text(max_size=60) | st.emails()


def spelt(name: str, domain: str, random: Any) -> str:
    """Spell an address as somebody might who wants to be two."""
    written = "".join(random.choice(["", "", "."]) + random.choice([each, each.upper()]) for each in name)
    tag = random.choice(["", "+", "+shop", "+a.b+c"])
    if domain == "gmail.com":
        domain = random.choice([domain, "googlemail.com"])
    return f"{random.choice(['', ' '])}{written}{tag}@{random.choice([domain, domain.upper()])}"


@given(names, domains, st.randoms(use_true_random=False))
def test_a_mailbox_is_one_however_its_address_is_spelt(name: str, domain: str, random: Any) -> None:
    assert same_email(spelt(name, domain, random), spelt(name, domain, random))


@given(names, names, domains, domains)
def test_other_names_and_other_domains_are_other_mailboxes(one: str, other: str, here: str, there: str) -> None:
    assert same_email(f"{one}@{here}", f"{other}@{there}") == ((one, here) == (other, there))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ann.lee@gmail.com", "AnnLee+shop@GoogleMail.com", True),
        ("ann@x.de", "ann@x.com", False),
        ("ann@x.de", "ann@mail.x.de", False),
        ("ann@googlemail.de", "ann@gmail.de", False),
        ("\uff41nn@x.de", "ann@x.de", True),
        ("an\u200bn@x.de", "ann@x.de", True),
        ("+shop@x.de", "+other@x.de", False),
        ("+shop@x.de", "+SHOP@x.de", True),
        ("...@x.de", "..@x.de", False),
        ("ann", "ann", True),
        ("ann@", "@ann", False),
        ("", "", False),
        (None, "", False),
        (None, None, False),
        ("ann@x.de", None, False),
    ],
)
def test_mailboxes(one: str | None, other: str | None, same: bool) -> None:  # noqa: FBT001 - what is expected
    assert same_email(one, other) is same
    assert same_email(other, one) is same


@given(numbers, st.randoms(use_true_random=False))
def test_a_phone_is_one_however_its_number_is_spelt(number: str, random: Any) -> None:
    def written() -> str:
        prefix = random.choice(["", "0", "(0)", "+49", "0049", "+49 (0)", "0049 ( 0 ) ", "49"])
        return prefix + "".join(random.choice(["", "", " ", "-", "/", ".", "\u00a0"]) + each for each in number)

    assert same_phone(written(), written())


@given(numbers, numbers)
def test_numbers_that_are_no_ends_of_each_other_are_others(one: str, other: str) -> None:
    assert same_phone(one, other) == (one.endswith(other) or other.endswith(one))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+49 (0)228 / 123-456", "0228 123456", True),
        ("+49 228 123456", "0049228123456", True),
        ("+1 (555) 010-9999", "555.010.9999", True),
        ("+39 06 1234567", "06 1234567", True),
        ("\uff10\uff12\uff12\uff18 \u0661\u0662\u0663\u0664\u0665\u0666", "+49 228 123456", True),
        ("+49 228 123456", "+43 228 123456", False),
        ("+49 228 123456", "+49 228 123457", False),
        ("1234567", "1234567", True),
        ("123456", "123456", False),
        ("0228 123456", "123456", False),
        ("000000000", "0000000", False),
        ("n/a", "n/a", False),
        ("", "", False),
        (None, None, False),
        (None, "0228 123456", False),
    ],
)
def test_phones(one: str | None, other: str | None, same: bool) -> None:  # noqa: FBT001 - what is expected
    assert same_phone(one, other) is same
    assert same_phone(other, one) is same


@given(anything, anything)
def test_whatever_is_compared_the_order_does_not_matter(one: str | None, other: str | None) -> None:
    assert same_email(one, other) == same_email(other, one)
    assert same_phone(one, other) == same_phone(other, one)


def test_what_is_hashed_of_erased_identities_stays_as_it_was() -> None:
    """Who was erased is found again by hashes of these: they are no matter of likeness."""
    known = identities(Profile(email="Ann.Lee+shop@GoogleMail.com", phone="+49 (0)228 / 12-34"))
    assert known == [("email", "annlee@googlemail.com"), ("phone", "4902281234")]
