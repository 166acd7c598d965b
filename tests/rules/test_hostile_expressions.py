"""Whatever somebody saves as a condition: the process lives, and either it is refused or it is worked out quickly.

Each text is compiled and worked out in a process of its own (`compiling`), with little memory and stack, so that what
would take the service down fails here, with the text that did it. No test depends on a time; the dearest expressions
that are allowed were searched for by hand, with facts as large as they may be: `python -m benchmarks.expressions`
works them out. They took 7 to 15 ms (two filters of 100 items), and their compilation 10; the promise is 50.
"""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.compiling import Compiler

REASONS = {"too_long", "syntax", "unknown_variable", "unknown_function", "too_costly", "not_boolean"}
MANY = 16_000
NAME = "customer.attributes.a"
LIST = "activity.properties.b"


@pytest.fixture(scope="module")
def compiler() -> Iterator[Compiler]:
    running = Compiler()
    yield running
    running.end()


LONG = {
    "members": NAME + ".a" * MANY,
    "indexes": NAME + '["a"]' * MANY,
    "calls": "customer.tier" + ".size()" * MANY,
    "sums": "+".join(["1"] * MANY) + " > 1",
    "conjunctions": "&&".join(["true"] * MANY),
    "comparisons": "==".join(["1"] * MANY),
    "negations": "!" * MANY + "true",
    "parentheses": "(" * MANY + "true" + ")" * MANY,
    "open parentheses": "(" * MANY,
    "lists": "[" * MANY + "]" * MANY,
    "maps": "{1:" * MANY + "1" + "}" * MANY,
    "choices": "true?true:" * MANY + "true",
    "a text": '"' + "a" * MANY + '" == ""',
    "a number": "1" * MANY + " == 1",
    "a name": "a" * MANY,
    "blanks": " " * MANY + "true",
    "a remark": "//" + "a" * MANY,
    "two bytes each": '"' + "\u00e4" * 1_100 + '" == ""',
}


@pytest.mark.parametrize("shape", LONG)
def test_what_is_longer_than_two_kilobytes_is_refused(compiler: Compiler, shape: str) -> None:
    assert compiler.judge(LONG[shape]) == "too_long"


# All that follow are at most 2 KB; the library, let alone, dies of some of them, hangs on others or takes seconds.
WORDY = {
    "members": NAME + ".a" * 1_000,
    "sums": "+".join(["1"] * 1_000) + ">1",
    "negations": "!" * 1_000 + "true",
    "parentheses": "(" * 1_000 + "true" + ")" * 1_000,
    "open parentheses": "(" * 2_000,
    "open lists": "[" * 2_000,
    "open maps": "{" * 2_000,
    "calls": "size(" * 300 + '""' + ")" * 300 + " > 1",
    "maps": "{1:" * 400 + "1" + "}" * 400 + " == {}",
    "choices": "true?1:" * 250 + "1",
}


@pytest.mark.parametrize("shape", WORDY)
def test_what_has_more_than_five_hundred_words_is_refused(compiler: Compiler, shape: str) -> None:
    assert len(WORDY[shape]) <= 2_048
    assert compiler.judge(WORDY[shape]) == "too_long"


COSTLY = {
    "17 parentheses": "(" * 17 + "true" + ")" * 17,
    "240 parentheses": "(" * 240 + "true" + ")" * 240,
    "open parentheses": "(" * 499,
    "calls in calls": "size(" * 160 + '""' + ")" * 160 + " > 1",
    "lists in lists": "[" * 240 + "]" * 240 + " == []",
    "maps in maps": "{1:" * 120 + "1" + "}" * 120 + " == {}",
    "101 entries": "1 in [" + ",".join(["1"] * 101) + "]",
    "101 pairs": "1 in {" + ",".join(f"{number}:1" for number in range(101)) + "}",
    "a loop in a loop": "purchase.items.exists(i, purchase.items.exists(j, i.sku == j.sku))",
    "fifteen loops in one another": "[1].all(a," * 15 + "true" + ")" * 15,
    "loops in parentheses in loops": "[1,2].all(a,(" * 8 + "true" + "))" * 8,
    "a loop over another list in a loop": "purchase.items.all(i, [1, 2].exists(a, true))",
    "a loop in the list of a loop": "[[1].exists(a, true)].exists(b, b)",
    "the items in a loop": "purchase.items.exists(i, size(purchase.items) > 1)",
    "the items sought among the items": "purchase.items.exists(i, i.sku in purchase.items)",
    "the items compared": "purchase.items == purchase.items",
    "the items joined": "(purchase.items + purchase.items).all(i, true)",
    "the items in a list": "[purchase.items].size() > 1",
    "the items in a choice": "(true ? purchase.items : []).exists(i, true)",
    "one of the items": "purchase.items[0].amount > 1",
    "six loops": " && ".join(["purchase.items.exists(i, true)"] * 6),
    "three filters": "purchase.items" + ".filter(i, true)" * 3 + ".size() > 1",
    "long conditions in loops": "purchase.items.all(i, " + "&&".join(["i.amount > 0"] * 60) + ")",
    "a text that grows in a loop": "purchase.items.exists(i, " + "+".join(["i.sku"] * 60) + ' == "")',
    "a loop over lists joined": f"({NAME} + {NAME}).exists(x, true)",
    "a loop over a list in a list": f"[{NAME} + {NAME}][0].exists(x, true)",
    "a loop over a list in a map": f'{{"a": {NAME}}}["a"].exists(x, true)',
    "many attributes": "||".join([f"{NAME} == 1"] * 21),
    "lists compared in a loop": f"purchase.items.exists(i, {NAME} == {NAME} || {NAME} == {NAME})",
}


@pytest.mark.parametrize("shape", COSTLY)
def test_what_would_take_the_process_down_or_hold_it_is_refused(compiler: Compiler, shape: str) -> None:
    assert compiler.judge(COSTLY[shape]) == "too_costly"


EXPLODING = {
    "a regular expression": 'customer.tier.matches("(a+)+$")',
    "a large regular expression": 'customer.tier.matches("((a{1000}){1000}){1000}")',
    "texts that double": '["aaaa"]' + ".map(x, x + x)" * 30 + ".size() > 1",
    "lists that double": "[[1]]" + ".map(x, [x, x])" * 30 + ".size() > 1",
    "a list made of the items": "purchase.items.map(i, i.sku).size() > 1",
    "a map with a condition": "purchase.items.map(i, true, i.sku).size() > 1",
    "a bound variable": "cel.bind(x, [1, 2], cel.bind(y, x + x, y.size() > 1))",
    "formats": '"%s".format([purchase.total]) == ""',
    "repeated joins": '["a"].join("b") == ""',
    "ranges": "lists.range(1000000000).size() > 1",
}


@pytest.mark.parametrize("shape", EXPLODING)
def test_functions_whose_results_grow_without_end_are_not_known(compiler: Compiler, shape: str) -> None:
    assert compiler.judge(EXPLODING[shape]) == "unknown_function"


def fitting(unit: str, joint: str, count: int, before: str = "", behind: str = "") -> str:
    return before + joint.join([unit] * count) + behind


# The dearest of what is allowed, of each kind.
ALLOWED = {
    "sums": fitting("1", "+", 249, behind=" > 1"),
    "products": fitting("2", "*", 62, behind=" > 1"),
    "conjunctions": fitting("true", "&&", 250),
    "negations": "!" * 499 + "true",
    "parentheses": fitting("1<2", "&&", 100, "(" * 16, ")" * 16),
    "lists": "[" * 16 + "1" + "]" * 16 + " != []",
    "choices": fitting("true?true:", "", 90, behind="true"),
    "texts joined": fitting("customer.tier", "+", 120, behind=' != "a"'),
    "the longest text": fitting("a", "", 2_040, '"', '"!=""'),
    "loops": fitting("purchase.items.all(i,i.sku!=i.category&&i.amount>0)", "&&", 5),
    "filters": "purchase.items.filter(i,i.sku!=i.category&&i.amount>0).filter(i,i.quantity>0).size() > 1",
    "a long condition in a loop": fitting("i.amount", "-", 60, "purchase.items.all(i,", " < 1)"),
    "a hundred articles": fitting('"ABCDEF"', ",", 100, "purchase.items.exists(i,i.sku in [", "])"),
    "an attribute in a loop": fitting(f'{NAME}.contains("y")', "||", 3, "purchase.items.exists(i,", ")"),
    "attributes": fitting(f'{NAME} == "a"', "||", 20),
}
ALLOWED_OF_ACTIVITIES = {
    "lists joined": fitting(LIST, "+", 20, "size(", ") > 1"),
    "texts joined": fitting("activity.properties.a", "+", 20, "size(", ") > 1"),
    "lists sought in": fitting(f'"x" in {LIST}', "||", 3, f"{LIST}.exists(v,", ")"),
    "maps sought in": fitting('"x" in activity.properties.c', "||", 3, f"{LIST}.exists(v,", ")"),
    "lists filtered": f"{LIST}.filter(v, v != {LIST}[99]).filter(v, v.contains({LIST}[98])).size() > 1",
}


@pytest.mark.parametrize("shape", ALLOWED)
def test_the_dearest_that_is_allowed_of_purchases_is_worked_out(compiler: Compiler, shape: str) -> None:
    assert compiler.judge(ALLOWED[shape]) == "ok"


@pytest.mark.parametrize("shape", ALLOWED_OF_ACTIVITIES)
def test_the_dearest_that_is_allowed_of_activities_is_worked_out(compiler: Compiler, shape: str) -> None:
    assert compiler.judge(ALLOWED_OF_ACTIVITIES[shape], "activity") == "ok"


EXTREMES = ["-9223372036854775807", "9223372036854775807", "0", "-1", "1.0e18", '""', "null", "[]", "{}"]


@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "%", "<", "==", "in", "&&", "||"])
def test_extremes_bring_the_process_down_by_no_operation(compiler: Compiler, sign: str) -> None:
    for left in EXTREMES:
        for right in EXTREMES:
            for source in (
                f"({left} {sign} {right}) == null",
                f"-({left} {sign} ({right} - 1)) == 1",
                f"int({left} {sign} double({right})) == 1",
                f"[1][{left} {sign} {right}] == 1",
                f'"abc"[{left}] == {{{right}: 1}}[{left} {sign} {right}]',
            ):
                assert compiler.judge(source) in {"ok", *REASONS}


WORDS = [
    *(
        "purchase",
        "customer",
        "activity",
        "time",
        "items",
        "attributes",
        "properties",
        "total",
        "tier",
        "sku",
        "amount",
    ),
    *(".", ".", ".", "(", "(", ")", ")", "[", "]", "{", "}", ",", ",", ":", "?", "!", "-", "+", "*", "/", "%", "//"),
    *("&&", "||", "==", "!=", "<", "<=", "in", "true", "false", "null", "0", "1", "9223372036854775807", "1.5", '"x"'),
    *(
        "exists(",
        "all(",
        "filter(",
        "size(",
        "has(",
        "int(",
        "matches(",
        "map(",
        ".contains(",
        ".size()",
        "i,",
        "i.sku",
    ),
    *("i,", "purchase.items", NAME, 'customer.attributes["b"]', ".exists(i,", ".filter(j,", "i.amount", "_", "__x__"),
    *('r"', "b'", "'''", "''", '"', "\\", "\n", "\u00e4", "\u202e", "\0", "\ud800", "@", "`", "#", "1u", "0x1"),
]
UNITS = [*WORDS, "{1:", "true?", "true?1:", "1+", "true&&", ".a", '["a"]', "a.b(", "//("]


def _repeated(unit: str, count: int, middle: str, end: str) -> str:
    return ((unit * count)[:1_900] + middle + end * count)[:2_048]


REPEATED = st.builds(
    _repeated,
    st.sampled_from(UNITS),
    st.sampled_from([2, 15, 16, 17, 100, 249, 500, 1_000, 2_000]),
    st.sampled_from(["", "true", "1", "purchase.items", '"']),
    st.sampled_from(["", ")", "]", "}", ":1", "'"]),
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(["+", "-", "*", "/", "%", "&&", "||", "==", "!=", "<", ">=", "in"])
    lists = st.sampled_from(["purchase.items", NAME, LIST, '["x", 1, null]', "purchase.items.filter(i, i.amount > 1)"])
    loops = st.sampled_from(["exists", "all", "exists_one", "filter", "map"])
    functions = st.sampled_from(["size", "int", "double", "has", "-", "!"])
    methods = st.sampled_from(["startsWith", "endsWith", "contains", "size", "foo"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, signs, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("{}({})".format, functions, inner),
        st.builds("({}).{}({})".format, inner, methods, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{{}: {}}}".format, inner, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("{}.{}(i, {})".format, lists, loops, inner),
    )


LEAVES = [
    *(*EXTREMES, "true", "false", "purchase.total", "customer.tier", "purchase.channel", "time.hour"),
    *(NAME, LIST, 'customer.attributes["b"]', "activity.type", "i.sku", "i.amount", "i"),
]
GROWN = st.recursive(st.sampled_from(LEAVES), _grown, max_leaves=30)


@settings(max_examples=1_000)
@given(st.one_of(st.text(max_size=300), st.lists(st.sampled_from(WORDS), max_size=80).map(" ".join), REPEATED, GROWN))
def test_any_text_is_either_worked_out_or_refused(compiler: Compiler, source: str) -> None:
    for occasion in ("purchase", "activity", "invoice"):
        assert compiler.judge(source, occasion) in {"ok", *REASONS}
