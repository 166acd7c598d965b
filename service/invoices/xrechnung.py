"""Terms as the machine-readable text of XRechnung, in its field "Payment terms" (BT-20): written and read. Pure.

The form is that of rule BR-DE-18 of XRechnung 3.0, as its keeper, KoSIT, tests it (itplr-kosit/xrechnung-schematron
2.5.0, `XRechnung-UBL-validation.sch`, `XRechnung-CII-validation.sch`, `common.sch`, and the invoices it is tried on):

- One line a step, `#SKONTO#TAGE=14#PROZENT=2.00#`; `BASISBETRAG=1000.00#` follows where less than the amount due
  (BT-115) is discounted. Capital letters; two decimals behind a point, always; no space inside; nothing behind the
  closing `#`. Spaces around a line are borne by the test, and are when reading; none are written.
- Lines that don't begin with `#` are free text. Behind the last `#...#` of the whole text the line must end, with a
  line feed: so the last step needs one, too.
- There is no line for interest on late payment: `VERZUG` was taken out of the rule.
- The rule knows no order of lines: they are sorted when read. It allows `PROZENT=0.00`, which promises nothing and is
  left out, and a negative `BASISBETRAG`, for credit notes: no invoice here has one.

Refused beyond the rule is what would change the promise: an entry in the middle of free text, which the test doesn't
see; two lines for as many days; lines that discount different parts, since terms have one base.

BASISBETRAG is with tax, terms' `base` without: the tax of a base is in the proportion of the invoice's, fixed taxes
aside, rounded half up. As tax is never negative, no two bases have the same BASISBETRAG, and each is found again.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from service.kernel.amounts import minor_units_in_one
from service.kernel.errors import Invalid
from service.kernel.rounding import Rounding, divide
from service.programs.payment_terms import (
    MOST_DAYS,
    MOST_STEPS,
    WHOLE,
    CountFrom,
    DiscountStep,
    Partial,
    PaymentMode,
    PaymentTerms,
    StepTerms,
    TaxMode,
)

_LINE: Final = re.compile(
    r"#SKONTO#TAGE=(?P<days>[0-9]+)#PROZENT=(?P<percent>[0-9]+\.[0-9]{2})#(?:BASISBETRAG=(?P<base>-?[0-9]+\.[0-9]{2})#)?"
)
_OTHER_DECIMALS: Final = re.compile(r"#SKONTO#TAGE=[0-9]+#PROZENT=[0-9.,]+#(?:BASISBETRAG=-?[0-9.,]+#)?")
_WHITE: Final = " \t\r\n"
"""What XML calls white space; all else is text."""
_LONGEST_NUMBER: Final = 15
"""Digits: more than any amount here has."""


class _Entry(msgspec.Struct, frozen=True):
    """What a line says: `basis_points`, 0 or more; `base`, with tax, in hundredths of the currency's whole unit."""

    line: int
    days: int
    basis_points: int
    base: int | None


def written(terms: PaymentTerms, *, currency: str, net: int, total: int, fixed_tax: int = 0) -> str | None:
    """Write what is promised, each line with its line feed; None where the text would promise something else.

    `net`, `total` (with all tax) and `fixed_tax` are the invoice's, in minor units. With fixed taxes, which aren't
    discounted, BASISBETRAG is always told. A base greater than the invoice is all of it. Raises KeyError for what is no
    currency.

    The text has no words for: no discount; a yearly rate; fixed amounts; days that count from the end of the month;
    tax that stays or is reduced from the start (who deducts by the text reduces it with the price); points; that only
    the payment that closes the invoice earns something. BASISBETRAG has two decimals: one of 1.234 KWD can't be told,
    one of 1.230 KWD or of 1000 JPY (`1000.00`) can. Days of grace, tolerance and working days are left out: by them the
    payee is more generous than promised. The due day has a field of its own (BT-9).
    """
    if not isinstance(terms, StepTerms) or not _is_plain(terms):
        return None
    taxed = total - fixed_tax
    ending = ""
    if terms.base is not None or fixed_tax:
        base = _base_told(net if terms.base is None else min(terms.base, net), currency, net, taxed)
        if base is None:
            return None
        ending = f"BASISBETRAG={_decimals(base)}#"
    lines: list[str] = []
    for step in terms.steps:
        if step.basis_points is None:
            return None
        lines.append(f"#SKONTO#TAGE={step.days}#PROZENT={_decimals(step.basis_points)}#{ending}\n")
    return "".join(lines)


def read(text: str, *, currency: str, net: int, total: int, pointer: str, fixed_tax: int = 0) -> StepTerms:
    """Read what was promised for an invoice of these sums; see `written` for them, and the module for the form.

    `net_days` and all that the text doesn't tell is as by default. A base between those that are possible is rounded to
    the nearest. With fixed taxes a text without BASISBETRAG would discount them, too, and is refused; a BASISBETRAG of
    all but them is no base of its own. Raises Invalid at `pointer`, which says the line, and KeyError for what is no
    currency.
    """
    lines = text.split("\n")
    entries = [entry for entry in _entries(lines, pointer) if entry.basis_points]
    if not entries:
        raise Invalid("No line promises a discount.", pointer=pointer, reason="missing")
    _check_ending(lines, pointer)
    if len(entries) > MOST_STEPS:
        raise Invalid(f"There are more than {MOST_STEPS} steps.", pointer=pointer, reason="too_many")
    for entry in entries:
        if entry.base != entries[0].base:
            raise _refused(entry.line, "all lines discount the same BASISBETRAG", pointer, "contradictory")
    base = _base_read(entries[0], currency=currency, net=net, taxed=total - fixed_tax, pointer=pointer)
    if fixed_tax and base is None:
        raise _refused(entries[0].line, "fixed taxes aren't discounted: tell BASISBETRAG", pointer, "missing")
    if fixed_tax and base == net:
        base = None
    return StepTerms(steps=_sorted(entries, pointer), base=base)


def _is_plain(terms: StepTerms) -> bool:
    return (
        terms.tax_mode is TaxMode.INCLUDED
        and terms.partial is Partial.PROPORTIONAL
        and terms.mode is PaymentMode.DISCOUNT
        and terms.count_from is CountFrom.ISSUED_ON
    )


def _base_told(base: int, currency: str, net: int, taxed: int) -> int | None:
    """Return a base with its tax, in hundredths; None where that is no part of the invoice or has more decimals."""
    if not 1 <= base <= net <= taxed:
        return None
    hundredths, rest = divmod(divide(base * taxed, net, Rounding.HALF_UP) * 100, minor_units_in_one(currency))
    return None if rest else hundredths


def _base_read(entry: _Entry, *, currency: str, net: int, taxed: int, pointer: str) -> int | None:
    if entry.base is None:
        return None
    minor_units, rest = divmod(entry.base * minor_units_in_one(currency), 100)
    if rest:
        raise _refused(entry.line, "the currency has no such amount", pointer, "out_of_range")
    base = divide(minor_units * net, taxed, Rounding.HALF_UP) if 1 <= minor_units <= taxed else 0
    if base < 1:
        raise _refused(entry.line, "BASISBETRAG is a part of the invoice's total", pointer, "out_of_range")
    return base


def _sorted(entries: Sequence[_Entry], pointer: str) -> tuple[DiscountStep, ...]:
    days: set[int] = set()
    for entry in entries:
        if entry.days in days:
            raise _refused(entry.line, "an earlier line is for as many days", pointer, "duplicate")
        days.add(entry.days)
    return tuple(DiscountStep(each.days, each.basis_points) for each in sorted(entries, key=lambda each: each.days))


def _entries(lines: Sequence[str], pointer: str) -> list[_Entry]:
    found: list[_Entry] = []
    for number, line in enumerate(lines, start=1):
        told = line.strip(_WHITE)
        if told.startswith("#"):
            found.append(_entry(number, told, pointer))
        elif "#SKONTO#" in told.upper():
            raise _refused(number, "nothing stands before `#SKONTO#`", pointer)
    return found


def _entry(number: int, line: str, pointer: str) -> _Entry:
    match = _LINE.fullmatch(line)
    if match is None:
        raise _refused(number, _fault(line), pointer)
    days, percent, base = match["days"], match["percent"], match["base"]
    if max(len(days), len(percent), len(base or "")) > _LONGEST_NUMBER:
        raise _refused(number, "a number is too long", pointer, "out_of_range")
    entry = _Entry(number, int(days), _hundredths(percent), None if base is None else _hundredths(base))
    if entry.days > MOST_DAYS:
        raise _refused(number, f"TAGE is at most {MOST_DAYS}", pointer, "out_of_range")
    if entry.basis_points > WHOLE:
        raise _refused(number, "PROZENT is at most 100.00", pointer, "out_of_range")
    return entry


def _check_ending(lines: Sequence[str], pointer: str) -> None:
    """Refuse a text in which the last `#...#`, be it free text, doesn't end its line, or has no line feed behind it."""
    for number in range(len(lines), 0, -1):
        line = lines[number - 1]
        if line.rfind("#") - line.find("#") > 1:
            if number == len(lines):
                raise _refused(number, "a line feed ends it", pointer)
            if line[line.rfind("#") + 1 :].strip(_WHITE):
                raise _refused(number, "nothing stands behind the last `#` of the text", pointer)
            return


def _fault(line: str) -> str:
    """Say what is wrong with a line, by what would put it right."""
    faults = (
        (_LINE.fullmatch(line.upper()), "capital letters are due"),
        (_LINE.fullmatch("".join(line.split())), "there are no spaces in it"),
        (_LINE.fullmatch(f"{line}#"), "a `#` closes it"),
        (_OTHER_DECIMALS.fullmatch(line), "two decimals are due, behind a point: `PROZENT=2.00`"),
        (line.startswith("#VERZUG#"), "interest on late payment isn't told here"),
        (_LINE.match(line), "nothing stands behind the closing `#`"),
    )
    general = "its form is `#SKONTO#TAGE=14#PROZENT=2.00#`, and `BASISBETRAG=1000.00#` may follow"
    return next((detail for found, detail in faults if found), general)


def _refused(line: int, detail: str, pointer: str, reason: str = "invalid_format") -> Invalid:
    return Invalid(f"Line {line}: {detail}.", pointer=pointer, reason=reason)


def _hundredths(number: str) -> int:
    return int(number.replace(".", ""))


def _decimals(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}"
