"""Conditions in CEL that are refused when they are saved: with a reason, and where it stands."""

import pytest

from service.earning.expressions import compile_expression
from service.earning.lexing import words_of, written
from service.earning.library import compile_program
from service.earning.scanning import scan
from service.earning.vocabulary import FactKind
from service.kernel.errors import Invalid


def refused(source: str, kind: FactKind = "purchase") -> Invalid:
    with pytest.raises(Invalid) as caught:
        compile_expression(source, pointer="/when", kind=kind)
    assert caught.value.pointer == "/when"
    return caught.value


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "syntax"),
        ("purchase.total >", "syntax"),
        ("&& true", "syntax"),
        ("purchase.total > 5 customer.tier", "syntax"),
        ("(purchase.total > 5", "syntax"),
        ("purchase.total > 5)", "syntax"),
        ("[purchase.total > 5)", "syntax"),
        ("true = true", "syntax"),
        (".purchase.total > 5", "syntax"),
        ("[1] in .purchase.items", "syntax"),
        ("5.size() > 1", "syntax"),
        ("if > 5", "unknown_variable"),
        ("purchase.items.exists(true)", "syntax"),
        ("purchase.items.exists(i, true, true)", "syntax"),
        ("purchase.items.exists(i.sku, true)", "syntax"),
        ("purchase.items.exists(purchase, true)", "syntax"),
        ("purchase.items.exists(activity, true)", "syntax"),
        ("purchase.items.exists(in, true)", "syntax"),
        ("purchase.items.exists(_purchase_total, true)", "syntax"),
        ("has(purchase.channel)", "syntax"),
        ("purchase.items.exists(i, has(i.sku))", "syntax"),
        ('has(customer.attributes["a"])', "syntax"),
        ("has(true)", "syntax"),
        ("Purchase{total: 5} == null", "syntax"),
        ("true{1: 1} == null", "syntax"),
        ("9223372036854775808 > 1", "syntax"),
        ("1e400 > 1.0", "syntax"),
        ("-9223372036854775808 < 1", "syntax"),
        ("total > 5", "unknown_variable"),
        ("purchase > 5", "unknown_variable"),
        ('purchase["total"] > 5', "unknown_variable"),
        ("purchase.totl > 5", "unknown_variable"),
        ("purchase.size() > 5", "unknown_variable"),
        ("purchase.total() > 5", "unknown_function"),
        ('activity.type == "review"', "unknown_variable"),
        ("_purchase_total > 5", "unknown_variable"),
        ("cel.bind(x, 1, x > 0)", "unknown_function"),
        ("optional.of(1) == null", "unknown_function"),
        ("customer.attributes.size() > 5", "unknown_variable"),
        ('"segment" in customer.attributes', "unknown_variable"),
        ("customer.attributes[customer.tier] == 5", "unknown_variable"),
        ('customer.attributes["seg" + "ment"] == 5', "unknown_variable"),
        ("purchase.items.exists(i, i == i)", "unknown_variable"),
        ("purchase.items.exists(i, i.price > 5)", "unknown_variable"),
        ('purchase.items.exists(i, i["sku"] == "a")', "unknown_variable"),
        ("purchase.items.exists(i, true) && i.sku == null", "unknown_variable"),
        ('purchase.channel.matches("(a+)+$")', "unknown_function"),
        ('matches(purchase.channel, "a")', "unknown_function"),
        ("purchase.items.map(i, i.sku) == []", "unknown_function"),
        ("string(purchase.total) == purchase.currency", "unknown_function"),
        ('timestamp("2026-01-01T00:00:00Z") == null', "unknown_function"),
        ("startsWith(purchase.currency, purchase.currency)", "unknown_function"),
        ("purchase.total.int() > 1", "unknown_function"),
        ("exists(purchase.items, true)", "unknown_function"),
        ("_+_(1, 2) == 3", "unknown_function"),
        ("purchase.total", "not_boolean"),
        ("customer.tier", "not_boolean"),
        ("null", "not_boolean"),
        ("customer.has_birthday ? 1 : 2", "not_boolean"),
        ('purchase.total > "5"', "not_boolean"),
        ("purchase.total + 1.5 > 3.0", "not_boolean"),
        ("1 / 0 > 1", "not_boolean"),
        ("purchase.items.exists(i, i.sku > 5)", "not_boolean"),
    ],
)
def test_what_can_not_be_a_condition_is_refused_when_it_is_saved(source: str, reason: str) -> None:
    assert refused(source).reason == reason


def test_a_refusal_says_where_and_repeats_nothing_of_the_source() -> None:
    assert refused('purchase.channel == "ä" &&\n  secret').detail.startswith("At character 30 stands")
    assert refused('purchase.channel == "\U0001f600" && && true').detail.startswith("At character 28 stands")
    assert refused('"<input>:1:1: " "ERROR: <input>:1:2: "').detail.startswith("At character 17 stands")
    assert refused("purchase.total > ").detail == "The expression ends too early."
    assert "regular expressions" in refused('customer.tier.matches("a")').detail
    assert "currency, total, tax" in refused("purchase.totl > 5").detail
    for source in ("secret > 5", "secret(5) > 5", '"secret', "purchase.secret > 5", 'purchase.total == "secret" "'):
        assert "secret" not in refused(source).detail


def test_an_expression_sees_either_a_purchase_or_an_activity() -> None:
    assert refused("purchase.total > 5", "activity").reason == "unknown_variable"
    assert "activity, customer, time" in refused("purchase.total > 5", "activity").detail
    assert "customer, purchase, time" in refused('activity.type == ""').detail


@pytest.mark.parametrize(
    "literal",
    [
        '"purchase.items.exists(i, purchase.items.exists(j, true))"',
        "'((((((((((((((((((((((((((((((((((('",
        '"//"',
        "'\"'",
        '"\'"',
        r'"\\"',
        r'"\\\""',
        r"'\''",
        r'"a\n\r\t\u00e4\U0001f600"',
        '"]})"',
        '"matches(x)"',
        "\"r'''\"",
    ],
)
def test_what_stands_in_a_text_is_only_text(literal: str) -> None:
    assert compile_expression(f"purchase.channel == {literal} || true", pointer="/when")
    assert refused(f"purchase.channel == {literal} && secret").reason == "unknown_variable"


@pytest.mark.parametrize(
    "source",
    [
        r'r"\" == "a" && secret == "',
        r'R"a" == "a"',
        'b"a" == b"a"',
        'rb"a" == rb"a"',
        '"""a""" == "a"',
        "'''a\"'''.size() > 0",
        '"""" && secret || """" == ""',
        '"a\nb" == "a"',
        '"a',
        "'a\\'",
        r'"\x41" == "A"',
        r'"\101" == "A"',
        r'"\q" == "q"',
        r'"\ud83d\ude00" == "x"',
        r'"\U00110000" == "x"',
        "true\0",
        '"\0" == "a"',
        "// \0\ntrue",
        "// \u202e\ntrue",
        '"\u202e" == "a"',
        '"\u200b" == "a"',
        '"\ud800" == "a"',
        "true\u2028",
        "\u00a0true",
        "tru\u0435",
        "\uff11 == 1",
        "`purchase`.total > 1",
        "purchase.`total` > 1",
        "purchase.?total > 1",
        "[?1] == []",
        "@in(1, [1])",
        "0x10 == 16",
        "1u == 1",
        "1. == 1.0",
        ".5 == 0.5",
        "/* a */ true",
        "true # a",
        "true; true",
    ],
)
def test_spellings_that_are_not_plain_are_refused(source: str) -> None:
    assert refused(source).reason in {"syntax", "unknown_variable"}


def test_the_library_is_given_nothing_but_what_was_read() -> None:
    source = "purchase.total > 5 /*"
    assert refused(source).reason == "syntax"
    scanned = scan(
        words_of(
            "purchase.items.exists(i, i.sku == 'ä\"') // x\n && customer.attributes['a b'] > -5.5e3 && time.hour in [1]"
        ),
        "purchase",
    )
    text, _ = written(scanned.words)
    assert text.isascii()
    assert text == (
        '_purchase_items . exists ( i , i[2] == "\\u00e4\\u0022" ) && _customer_attributes [ "a b" ] > - 5.5e3 '
        "&& _time_hour in [ 1 ]"
    )
    known = compile_program(text).references()
    assert set(known["variables"]) == {"i", "_purchase_items", "_customer_attributes", "_time_hour"}
    assert scanned.references == {"purchase.items", "purchase.items.sku", "customer.attributes.a b", "time.hour"}
