"""Codes of referrals: made out of random bits, set by programs, and found however people type them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel import crockford
from service.kernel.errors import Invalid
from service.referrals.codes.rules import CODE_BITS, code_of, key_of, vanity

bits = st.integers(0, 2**CODE_BITS - 1)
thought_of = st.from_regex(r"[A-Za-z0-9](-?[A-Za-z0-9]){3,31}", fullmatch=True)
LOOK_ALIKES = {"0": "0oO", "1": "1iIlL"}
BETWEEN = ["", "", "-", " ", "\u00a0", "\u2011", "\u2013", "\u200b", "\u00ad", "\t", "--"]


def typed(code: str, random: Any) -> str:
    """Type a code as somebody might."""
    text = ""
    for character in code:
        spellings = LOOK_ALIKES.get(character, character.lower() + character.upper())
        chosen = random.choice(spellings)
        wide = chr(ord(chosen) + 0xFEE0) if chosen != "-" else "\uff0d"
        text += random.choice(BETWEEN) + random.choice([chosen, wide])
    return text


@given(bits)
def test_a_code_holds_55_bits_in_groups_that_can_be_read_out(number: int) -> None:
    code = code_of(number)
    assert CODE_BITS >= 55
    assert [len(group) for group in code.split("-")] == [4, 4, 3]
    assert not set(code) & set("ILOU")
    assert code == code.upper()
    assert code_of(number | 1 << CODE_BITS) == code, "further bits don't matter"


@given(bits, bits)
def test_other_bits_make_another_key(one: int, other: int) -> None:
    assert (key_of(code_of(one)) == key_of(code_of(other))) == (one == other)


@given(st.one_of(bits.map(code_of), thought_of), st.randoms(use_true_random=False))
def test_a_code_is_found_however_it_is_typed(code: str, random: Any) -> None:
    shown, key = vanity(code, "/code")
    assert key_of(typed(shown, random)) == key == key_of(code)


@given(st.text() | thought_of)
def test_a_key_is_its_own_key_and_plain(text: str) -> None:
    key = key_of(text)
    if key is not None:
        assert key_of(key) == key
        assert 4 <= len(key) <= 32
        assert key.isascii()
        assert key.isalnum()
        assert not set(key) & set("OIL")


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-", "---- ----", "ABC", "A B-C", "A" * 33, "ABCD_EFGH", "ABCD.", "ABCD\x00", "ABCD/..", "'; --"),
        *("\u00c4BCD", "\u0410BCD", "ABC\u0664", "\u00df\u00df\u00df\u00df", "\ufb03\u00df", "ABCD\U0001f600"),
        "ABCD\ud800",
    ],
)
def test_what_can_be_no_code_has_no_key(text: str) -> None:
    assert key_of(text) is None


@pytest.mark.parametrize("each", ["A", "-", "\ufdfa", "\u200b"])
def test_what_is_absurdly_long_is_not_even_looked_at(each: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: object) -> str:
        raise AssertionError

    monkeypatch.setattr(crockford, "plain", looked)
    assert key_of(each * 4_000_000) is None


def test_a_code_that_a_program_sets_is_shown_as_given_in_upper_case() -> None:
    assert vanity("summer-sale", "/code") == ("SUMMER-SALE", "SUMMERSA1E")
    assert vanity("OLLI", "/code") == ("OLLI", "0111")
    assert vanity("BlackFriday", "/code") == ("BLACKFRIDAY", "B1ACKFR1DAY"), "although it has 11 symbols"
    assert vanity("A-" * 31 + "A", "/code") == ("A-" * 31 + "A", "A" * 32)


@given(thought_of)
def test_a_code_that_a_program_sets_shows_its_own_key(code: str) -> None:
    shown, key = vanity(code, "/code")
    assert shown == code.upper()
    assert vanity(shown, "/code") == (shown, key)


@pytest.mark.parametrize(
    "code",
    [
        *("", "ABC", "A-B-C", "A" * 33, "-ABCD", "ABCD-", "AB--CD", "AB CD", " ABCD", "ABCD\n", "AB_CD", "AB/CD"),
        *("\u00c4BCD", "\uff21BCD", "AB\u00adCD", "AB\u2011CD", "A" * 4_000_000, "A-" * 40),
    ],
)
def test_other_codes_are_pointed_at(code: str) -> None:
    with pytest.raises(Invalid) as refused:
        vanity(code, "/vanity")
    assert (refused.value.pointer, refused.value.reason) == ("/vanity", "invalid_format")
