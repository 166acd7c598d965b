"""What the demo shop decides without asking anybody: its wheel, its visitors, its money."""

from datetime import UTC, datetime

import pytest

from service.kernel.errors import Invalid
from service.portal.demo.acting import Once
from service.portal.demo.shop import PRODUCTS, counted, product_of, written
from service.portal.demo.visits import Visit, Who, code_of, is_own_page, visit_of
from service.portal.demo.wheel import FIELDS, fields_of, lands_on
from service.portal.schemas import GamePrizeOut

PRIZES = [
    GamePrizeOut("ten", "points", 10, None),
    GamePrizeOut("leaves", "nothing", 0, None),
    GamePrizeOut("tin", "reward", 0, "A tin"),
]
VISIT = Visit("A" * 22)


def test_every_prize_has_a_field_and_the_wheel_stops_on_the_one_that_was_won() -> None:
    fields = fields_of(PRIZES)
    assert len(fields) == FIELDS
    for prize in PRIZES:
        stop = lands_on(fields, prize.id, PRIZES)
        assert stop is not None
        assert fields[stop].prize == prize.id
    nothing = lands_on(fields, "", PRIZES)
    assert nothing is not None
    assert fields[nothing].prize == "leaves"


def test_a_wheel_stands_still_where_it_was_not_played_or_knows_no_such_prize() -> None:
    fields = fields_of(PRIZES)
    assert lands_on(fields, None, PRIZES) is None
    assert lands_on(fields, "another", PRIZES) is None
    assert fields_of([]) == []


def test_a_visitor_is_two_customers_whose_names_tell_nothing_of_the_secret() -> None:
    names = {VISIT.customer_id(who) for who in Who}
    assert len(names) == 2
    assert all(VISIT.secret not in each and VISIT.form_token not in each for each in names)
    assert Visit("B" * 22).customer_id(Who.YOU) not in names
    assert VISIT.sent_form(VISIT.form_token)
    assert not VISIT.sent_form(Visit("B" * 22).form_token)


@pytest.mark.parametrize("cookie", [None, "", "A" * 21, "A" * 23, "A" * 21 + "\n", "A" * 22 + "\n", "é" * 22])
def test_another_cookie_is_no_visitor(cookie: str | None) -> None:
    assert visit_of(cookie) is None
    assert visit_of("A" * 22) == VISIT


@pytest.mark.parametrize(
    ("site", "origin", "host", "is_own"),
    [
        (None, None, "shop", True),
        ("same-origin", None, "shop", True),
        ("same-origin", "null", "shop", True),
        ("same-origin", "https://shop", "shop", True),
        (None, "https://shop", "shop", True),
        (None, "null", "shop", False),
        (None, "https://shop:1", "shop", False),
        (None, "https://shop", None, False),
        ("none", None, "shop", False),
        ("same-site", "https://shop", "shop", False),
        ("cross-site", None, "shop", False),
        ("same-origin", "https://other", "shop", False),
        (None, "https://[", "shop", False),
    ],
)
def test_only_the_shops_own_pages_send_its_forms(
    *, site: str | None, origin: str | None, host: str | None, is_own: bool
) -> None:
    assert is_own_page(site=site, origin=origin, host=host) is is_own


def test_a_form_names_when_its_page_was_made_and_is_like_no_other() -> None:
    now = datetime(2026, 11, 23, 12, 30, 15, 250_999, tzinfo=UTC)
    first, second = Once.new(now), Once.new(now)
    assert first != second
    assert Once.read(f"{first}7") == Once(now.replace(microsecond=250_000), f"{first}7")


@pytest.mark.parametrize(
    "text", ["", "-", "1a2075fa73a", "1a2075fa73a-5f3efe2", "1a2075fa73a-5f3efe21123", "1A2075fa73a-5f3efe21"]
)
def test_what_no_page_made_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Once.read(text)


def test_products_are_found_by_what_stands_in_forms() -> None:
    assert [product_of(each.sku) for each in PRODUCTS] == list(PRODUCTS)
    assert product_of("moon") is None


@pytest.mark.parametrize(("cents", "text"), [(0, "€0.00"), (5, "€0.05"), (123456, "€1,234.56"), (-250, "-€2.50")])
def test_money_is_written_as_people_do(cents: int, text: str) -> None:
    assert written(cents) == text


def test_one_point_is_no_points() -> None:
    assert (counted(0), counted(1), counted(1200)) == ("0 points", "1 point", "1,200 points")


@pytest.mark.parametrize("text", ["", "a b", "<b>", "x" * 65, "ä", "code\n"])
def test_what_can_be_no_code_is_none(text: str) -> None:
    assert code_of(text) is None
    assert code_of("2QNF-H1SM-6VP") == "2QNF-H1SM-6VP"
