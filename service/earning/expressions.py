"""Conditions of rules and audiences that need more than fields: CEL, checked when they are saved. Pure.

An expression that fails, because it asks what isn't there or adds a number to a text, doesn't hold; why is told. What
it may cost is bounded in `scanning`, before the library sees it; what a fact may make it cost in `contexts`.
"""

import re
from bisect import bisect
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import asdict

from service.earning.contexts import Context, Fault, Selection
from service.earning.lexing import Unfit, Word, words_of, written
from service.earning.library import Program, compile_program
from service.earning.rules import INVOICE_PAID
from service.earning.scanning import MOST_ENTRIES, scan
from service.earning.vocabulary import (
    BUILT_IN,
    FREE,
    ActivityFacts,
    AudienceCustomer,
    FactKind,
    Facts,
    InvoicePaid,
    ItemFacts,
    PurchaseFacts,
    time_facts,
)
from service.kernel.errors import Invalid

MISSING: Final = Fault("missing_value", "It asks for something that is not there; has(...) tells whether it is.")
WRONG_TYPE: Final = Fault("wrong_type", "It joins what doesn't go together, such as a number and a text, or asks null.")
OUT_OF_RANGE: Final = Fault("out_of_range", "It comes to a number that is too large.")
BY_ZERO: Final = Fault("division_by_zero", "It divides by zero.")
NOT_BOOLEAN: Final = Fault("not_boolean", "It comes to something else than true or false.")
OUTDATED: Final = Fault("outdated", "It was saved when more was taken; it must be saved anew.")
FAILED: Final = Fault("failed", "It can't be worked out.")

_FAULTS: Final[tuple[tuple[type[BaseException], Fault], ...]] = (
    (KeyError, MISSING),
    (IndexError, MISSING),
    (TypeError, WRONG_TYPE),
    (OverflowError, OUT_OF_RANGE),
    (ZeroDivisionError, BY_ZERO),
    (RuntimeError, WRONG_TYPE),  # no function takes what it is called with
)


class Expression:
    """A compiled condition. `references` are the members that it names, dotted."""

    def __init__(self, source: str, references: frozenset[str], program: Program | None) -> None:
        self.source = source
        self.references = references
        self._program = program

    @property
    def is_outdated(self) -> bool:
        """Whether it was taken when it was saved, and isn't any more."""
        return self._program is None

    def holds(self, context: Context) -> bool | Fault:
        """Work it out for a fact, in a context of a selection that has this expression. Whatever fails is a fault."""
        if self._program is None:
            return OUTDATED
        for name, fault in context.unusable.items():
            if name in self.references:
                return fault
        try:
            result: object = self._program.execute(context.values)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as fault:  # noqa: BLE001 - a panic of the library is one, too, and must end nothing
            return next((told for kind, told in _FAULTS if isinstance(fault, kind)), FAILED)
        return result if isinstance(result, bool) else NOT_BOOLEAN


def compile_expression(source: str, *, pointer: str, kind: FactKind = "purchase") -> Expression:
    """Check and compile the condition of a rule that rewards facts of this kind, or of an audience.

    Raises Invalid for one of the reasons too_long, syntax, unknown_variable, unknown_function, too_costly, not_boolean.
    """
    try:
        scanned = scan(words_of(source), kind)
        expression = Expression(source, scanned.references, _compiled(scanned.words))
        _check_result(expression, kind)
    except Unfit as unfit:
        raise Invalid(unfit.detail, pointer=pointer, reason=unfit.reason) from None
    return expression


def stored_expression(source: str, kind: FactKind) -> Expression:
    """Compile a condition that was checked when it was saved.

    One that is no longer taken never holds, and says so: what is stored must keep no fact from being booked.
    """
    try:
        scanned = scan(words_of(source), kind)
        return Expression(source, scanned.references, _compiled(scanned.words))
    except Unfit:
        return Expression(source, frozenset(), None)


def _compiled(words: list[Word]) -> Program:
    """Have the library read the words. Raises Unfit."""
    text, begins = written(words)
    try:
        return compile_program(text)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # noqa: BLE001 - see `holds`
        said = str(fault).removeprefix(f"Failed to parse expression '{text}': ")
    found = re.match(r"ERROR: <input>:1:([0-9]+): ", said)
    column = int(found[1]) - 1 if found else 0
    if column >= len(text):
        raise Unfit("syntax", "The expression ends too early.")
    place = words[bisect(begins, column) - 1].place
    raise Unfit("syntax", f"At character {place} stands what can't stand there.")


_FULL: Final[Mapping[FactKind, str]] = {
    "purchase": "a purchase",
    "activity": "an activity",
    "invoice": "a paid invoice",
    "audience": "a customer",
    "audience_of_purchase": "a purchase",
}
_SAMPLES: Final = ("text", 1, 1.5, True, ["text"], None)
"""What a value of the caller's may be."""
_PAID_LATE: Final = InvoicePaid(
    early=False, days_early=0, days_to_pay=0, discounted=False, streak=0, total=0, currency="EUR"
)
_PAID_EARLY: Final = InvoicePaid(
    early=True, days_early=10, days_to_pay=20, discounted=True, streak=3, total=119_000, currency="EUR"
)


def _check_result(expression: Expression, kind: FactKind) -> None:
    """Work an expression out for samples of what may happen. Raises Unfit where it comes to no truth value.

    One that joins the wrong types where nothing is missing, or fails whatever happens, is refused, too; but not where
    it asks for values of the caller's, which may be anything.
    """
    selection = Selection([expression.references])
    free = FREE - {"activity.properties"} if kind in BUILT_IN else FREE
    named = [each for each in expression.references if each.startswith(tuple(f"{its}." for its in free))]
    results = [expression.holds(selection.context(each)) for each in _samples(named, kind)]
    if NOT_BOOLEAN in results:
        raise Unfit("not_boolean", "A condition comes to true or false; this comes to something else.")
    full = results[-1]
    if named or isinstance(full, bool) or full is MISSING:
        return
    if full is WRONG_TYPE or not any(isinstance(each, bool) for each in results):
        raise Unfit("not_boolean", f"This fails also for {_FULL[kind]} in which nothing is missing. {full.detail}")


def _samples(named: list[str], kind: FactKind) -> list[Facts]:
    """Return facts with as little in them as there can be, then some with all that there can be."""
    is_paid = kind == "invoice"
    time = time_facts(datetime(2026, 11, 21, 10, 30, tzinfo=UTC))
    keys = [each.removeprefix(f"{free}.") for each in named for free in FREE if each.startswith(f"{free}.")]
    samples = [
        Facts(
            AudienceCustomer(), time, PurchaseFacts("EUR", 0), _paid(_PAID_LATE) if is_paid else ActivityFacts("visit")
        )
    ]
    items = [ItemFacts(100 * number, number, f"A-{number}", "tea") for number in range(1, MOST_ENTRIES + 1)]
    for value in _SAMPLES if keys else (None,):
        given = dict.fromkeys(keys, value)
        samples.append(
            Facts(
                AudienceCustomer(7, "gold", given, 30, 400, has_birthday=True, purchases=7, lifetime_earned=12_990),
                time,
                PurchaseFacts("EUR", 12_990, 2_074, 490, 500, "web", items),
                _paid(_PAID_EARLY) if is_paid else ActivityFacts("review", given),
            )
        )
    return samples


def _paid(invoice: InvoicePaid) -> ActivityFacts:
    return ActivityFacts(INVOICE_PAID, asdict(invoice))
