"""Ids in paths: however a caller spells one, the handler gets the id."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.errors import NotFound
from service.platform.http.request import caller_id
from service.platform.http.shell import canonical

visible = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
caller_ids = st.text(visible, min_size=1, max_size=128).filter(lambda text: text == text.strip(" "))


def spelled(text: str, random: Random) -> bytes:
    """Percent-encode what must be, and some of the rest, in either case."""
    escapes = ("%{:02x}", "%{:02X}")
    return "".join(
        random.choice(escapes).format(ord(character)) if character in "/?#% " or random.random() < 0.5 else character
        for character in text
    ).encode()


@given(caller_ids, st.randoms(use_true_random=False))
def test_an_id_is_found_under_every_spelling_of_it(text: str, random: Random) -> None:
    path = canonical(b"/v1/purchases/" + spelled(text, random))
    head, _, segment = path.rpartition("/")
    assert head == "/v1/purchases"
    assert caller_id(segment) == text


@given(st.binary(max_size=40))
def test_a_path_has_one_spelling_or_none(raw: bytes) -> None:
    try:
        path = canonical(b"/" + raw)
    except ValueError:
        return
    assert canonical(path.encode()) == path
    assert path.count("/") == raw.count(b"/") + 1


@pytest.mark.parametrize(
    "raw",
    [
        b"/%",
        b"/%2",
        b"/%zz",
        b"/%2/",
        b"/%%41",
        b"/%ff",
        b"/\xff",
        b"/%ed%a0%80",
        b"/%c0%af",
    ],
)
def test_a_broken_escape_is_no_path(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical(raw)


@pytest.mark.parametrize("segment", ["", "%20a", "a%20", "%00", "a%0Ab", "%C3%A4", "%7F", "x" * 129])
def test_what_can_be_no_id_is_not_found(segment: str) -> None:
    with pytest.raises(NotFound):
        caller_id(segment)
