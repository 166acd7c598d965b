"""Links of referrals carry the code and keep what they were; their picture holds the link and nothing else."""

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from service.referrals.codes.links import link_of, qr_svg
from service.referrals.codes.rules import CODE_BITS, code_of

SVG = "{http://www.w3.org/2000/svg}"
LINK = "https://shop.example/welcome?utm_source=mail&ref=7KQM-2XRA-9TD#top"
_DARK = re.compile(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z")

pieces = st.text("abcABC019-._~!$'()*,;:@/%2C+", max_size=20)
codes = st.integers(0, 2**CODE_BITS - 1).map(code_of)


def picture(text: str) -> tuple[Any, list[list[int]]]:
    """Read an SVG: its element, and its modules by rows, with the quiet zone."""
    svg = ET.fromstring(qr_svg(text))  # noqa: S314 - it is our own
    assert svg.tag == f"{SVG}svg"
    _, _, across, down = map(int, svg.attrib["viewBox"].split())
    modules = [[0] * across for _ in range(down)]
    path = svg.findall(f"{SVG}path")[1].attrib["d"]
    assert _DARK.sub("", path) == ""
    for x, y, width, back in (map(int, each) for each in _DARK.findall(path)):
        assert width == back
        assert modules[y][x : x + width] == [0] * width, "no module is drawn twice"
        modules[y][x : x + width] = [1] * width
    return svg, modules


@pytest.mark.parametrize(
    ("base", "link"),
    [
        ("https://shop.example", "https://shop.example?ref=7KQM-2XRA-9TD"),
        ("https://shop.example/", "https://shop.example/?ref=7KQM-2XRA-9TD"),
        ("https://shop.example/a?", "https://shop.example/a?ref=7KQM-2XRA-9TD"),
        ("https://shop.example/a?b=c&", "https://shop.example/a?b=c&ref=7KQM-2XRA-9TD"),
        ("https://shop.example/a?b=%20+&b&=", "https://shop.example/a?b=%20+&b&=&ref=7KQM-2XRA-9TD"),
        ("https://shop.example/?ref=x&a=1&%72ef=y", "https://shop.example/?a=1&ref=7KQM-2XRA-9TD"),
        ("https://shop.example/?reference=x", "https://shop.example/?reference=x&ref=7KQM-2XRA-9TD"),
        ("https://shop.example/#/shop?a=b", "https://shop.example/?ref=7KQM-2XRA-9TD#/shop?a=b"),
        ("https://shop.example/?a=b#", "https://shop.example/?a=b&ref=7KQM-2XRA-9TD#"),
        (None, None),
    ],
)
def test_a_link_carries_the_code_and_keeps_the_rest(base: str | None, link: str | None) -> None:
    assert link_of(base, "7KQM-2XRA-9TD") == link


@given(pieces, pieces, pieces, codes | st.text(st.characters(codec="utf-8"), min_size=1))
def test_who_opens_a_link_finds_the_code_once_and_all_else_as_it_was(
    path: str, query: str, fragment: str, code: str
) -> None:
    base = f"https://shop.example/{path}" + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
    link = link_of(base, code)
    assert link is not None
    found, before = urlsplit(link), urlsplit(base)
    assert (found.scheme, found.netloc, found.path) == (before.scheme, before.netloc, before.path)
    assert found.fragment == before.fragment
    assert parse_qsl(found.query, keep_blank_values=True) == [
        *parse_qsl(before.query, keep_blank_values=True),
        ("ref", code),
    ]
    assert link_of(link, code) == link


@given(codes)
def test_a_code_of_ours_stands_in_a_link_as_it_is_shown(code: str) -> None:
    assert link_of("https://shop.example/", code) == f"https://shop.example/?ref={code}"


@settings(max_examples=20)
@given(pieces, codes)
def test_the_picture_of_a_link_has_the_modules_of_its_code_and_a_quiet_zone_around(path: str, code: str) -> None:
    link = link_of(f"https://shop.example/{path}", code)
    assert link is not None
    _, modules = picture(link)
    meant = segno.make_qr(link, error="m")
    assert modules == [list(row) for row in meant.matrix_iter(border=4)]
    assert meant.error in {"M", "Q", "H"}


def test_a_picture_scales_says_what_it_is_and_runs_nothing() -> None:
    svg, modules = picture(LINK)
    assert set(svg.attrib) == {"viewBox", "role", "shape-rendering"}, "no size, no style, nothing that runs"
    assert len(modules) == len(modules[0])
    assert {each.tag for each in svg.iter()} == {f"{SVG}svg", f"{SVG}title", f"{SVG}path"}
    assert svg[0].tag == f"{SVG}title"
    assert svg[0].text == f"QR code: {LINK}"
    background = svg[1]
    assert (background.attrib["fill"], background.attrib["d"]) == ("#fff", f"M0 0h{len(modules)}v{len(modules)}H0z")


@pytest.mark.parametrize("text", ["</title><script>x()</script>", '"&<>\x00\x1b\n', "\ufffe\u202e"])
def test_whatever_the_text_is_a_picture_stays_one(text: str) -> None:
    svg, _ = picture(text)
    assert {each.tag for each in svg.iter()} == {f"{SVG}svg", f"{SVG}title", f"{SVG}path"}


def test_the_longest_link_has_a_picture() -> None:
    link = link_of("https://shop.example/" + "a" * 479, "A-" * 31 + "A")
    assert link is not None
    assert len(picture(link)[1]) <= 177 + 8
