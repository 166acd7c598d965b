"""From the texts of a line to a purchase. Pure.

A line becomes the JSON that a checkout would have sent and passes the same door: no rule stands here a second time.
"""

import re
from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import msgspec

from service.kernel.amounts import exponent
from service.kernel.errors import Invalid, Refusal
from service.platform.http.body import decode
from service.purchases.importing.mapping import FIELDS, ITEM, METADATA, Kind, Mapping, MappingFault, check_fields
from service.purchases.rules import Purchase, normalised

LONGEST_NUMBER: Final = 30
"""Digits. Every bound is far below; what is longer isn't worth reading."""
_HALVES: Final = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs: they stand where bytes didn't fit the encoding, and no text can hold them."""
_SOME_TIME: Final = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
_MINOR: Final = "This is no whole number of minor units (cents): --decimal reads whole units, such as 29.33."


class BadLine(Exception):  # noqa: N818 - it is told, and the next line is read
    """A line that can't be a purchase, in a sentence, without what the line holds: it may be personal data."""


class LineReader:
    """Reads lines by a mapping. `found` are the columns' places; `zone` is the zone of times that name none.

    `named` is how many columns the first line names, None where it names none: a line with more is out of step.
    """

    def __init__(self, mapping: Mapping, found: Pairs[str, int], zone: tzinfo, named: int | None = None) -> None:
        self._mapping = mapping
        self._found = found
        self._zone = zone
        self._needed = max(found.values(), default=-1) + 1
        self._named = named
        self._amount = re.compile(rf"(-?)([0-9]*)(?:{re.escape(mapping.decimal_mark or '.')}([0-9]*))?")

    def purchase(self, line: int, cells: Sequence[str]) -> Purchase:
        """Read the line with this number. Raises BadLine."""
        if len(cells) < self._needed:
            msg = f"The line has {len(cells)} columns, and column {self._needed} is needed."
            raise BadLine(msg)
        if self._named is not None and any(cells[self._named :]):
            msg = f"The line has {len(cells)} columns, and the first line {self._named}: are quotes missing?"
            raise BadLine(msg)
        by_column = {name: cells[place].strip() for name, place in self._found.items()}
        texts = {field: by_column[name] for field, name in self._mapping.columns.items()}
        if self._mapping.id_template is not None:
            texts["id"] = self._mapping.id_of(line, by_column)
        return self.purchase_of({**texts, **self._mapping.values})

    def purchase_of(self, texts: Pairs[str, str]) -> Purchase:
        """Make a purchase of its fields' texts; a field without text is left out. Raises BadLine."""
        given = {field: text for field, text in texts.items() if text}
        for field, text in given.items():
            if not text.isascii() and _HALVES.search(text):
                raise self._bad(field, "This doesn't fit the encoding: tell the right one with --encoding.")
        try:
            return decode(msgspec.json.encode(self._body(given)), Purchase)
        except Invalid as invalid:
            raise self.bad(invalid) from None

    def bad(self, refusal: Refusal) -> BadLine:
        """Say in words of the mapping why a purchase was refused: of columns, not of JSON."""
        reason = refusal.detail or f"{refusal.title}."
        pointer = refusal.pointer.removeprefix("/") if isinstance(refusal, Invalid) else ""
        return self._bad(pointer.replace("items/0/", ITEM).replace("/", "."), reason)

    def _bad(self, field: str, reason: str) -> BadLine:
        return BadLine(self._mapping.told(field, reason) if field else reason)

    def _body(self, texts: Pairs[str, str]) -> dict[str, Any]:
        body, item, metadata = dict[str, Any](), dict[str, Any](), dict[str, Any]()
        for field, text in texts.items():
            if field.startswith(METADATA):
                metadata[field.removeprefix(METADATA)] = text
            elif field.startswith(ITEM):
                item[field.removeprefix(ITEM)] = self._value(field, text, texts)
            else:
                body[field] = self._value(field, text, texts)
        if item:
            body["items"] = [{"id": "1"} | item]
        return body | {"metadata": metadata}

    def _value(self, field: str, text: str, texts: Pairs[str, str]) -> object:
        kind = FIELDS[field]
        if kind is Kind.TEXT:
            return text
        if kind is Kind.TIME:
            return self._time(field, text)
        if kind is Kind.AMOUNT and self._mapping.decimal_mark is not None:
            return self._decimal(field, text, texts.get("currency", ""))
        return self._whole(field, text, _MINOR if kind is Kind.AMOUNT else "This is no whole number.")

    def _time(self, field: str, text: str) -> datetime:
        form = self._mapping.date_format
        try:
            found = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)  # noqa: DTZ007
            return (found if found.tzinfo is not None else found.replace(tzinfo=self._zone)).astimezone(UTC)
        except OverflowError:
            raise self._bad(field, "This time is outside the calendar.") from None
        except ValueError:
            wanted = "ISO 8601 (other forms: --date-format)" if form is None else form
            raise self._bad(field, f"This is no time of the form {wanted}.") from None

    def _whole(self, field: str, text: str, otherwise: str) -> msgspec.Raw:
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER):
            raise self._bad(field, otherwise)
        return msgspec.Raw(str(int(text)).encode())

    def _decimal(self, field: str, text: str, currency: str) -> msgspec.Raw:
        """Move the decimal mark by the currency's decimals: text to text, nothing is rounded. 29.330 is 29.33."""
        decimals = exponent(currency)
        if decimals is None:
            raise self._bad("currency", "This is no ISO 4217 currency with a minor unit.")
        found = self._amount.fullmatch(text)
        if found is None or not (found[2] or found[3]):
            raise self._bad(field, "This is no amount.")
        fraction = (found[3] or "").rstrip("0")
        if len(fraction) > decimals:
            raise self._bad(field, f"This has more decimals than {currency} ({decimals}).")
        return self._whole(field, f"{found[1]}{found[2] or '0'}{fraction:0<{decimals}}", "This is no amount.")


def check(mapping: Mapping) -> None:
    """Refuse a mapping that no line could be read by, before the table is looked at. Raises MappingFault."""
    check_fields(mapping)
    reader = LineReader(mapping, {}, UTC)
    try:
        form = mapping.date_format
        today = _SOME_TIME.isoformat() if form is None else _SOME_TIME.strftime(form)
        _check_time(reader, today)
    except (BadLine, ValueError):
        msg = f"--date-format {mapping.date_format!r} can't be read: tell year, month and day, as in %Y-%m-%d %H:%M."
        raise MappingFault(msg) from None
    # A made-up line around the fixed texts: what is wrong with them would be wrong in every line.
    examples = {Kind.TEXT: "1", Kind.AMOUNT: "0", Kind.NUMBER: "1", Kind.TIME: today}
    texts = {field: examples[FIELDS.get(field, Kind.TEXT)] for field in (*mapping.columns, "id")}
    fixed = dict(mapping.values)
    if "currency" in mapping.columns:  # only a line tells how many decimals an amount may have
        texts["currency"] = "EUR"
        fixed |= {field: "0" for field in fixed if FIELDS.get(field) is Kind.AMOUNT}
    try:
        normalised(reader.purchase_of(texts | fixed))
    except (BadLine, Invalid) as fault:
        msg = f"--value can't be used for {reader.bad(fault) if isinstance(fault, Invalid) else fault}"
        raise MappingFault(msg) from None


def _check_time(reader: LineReader, today: str) -> None:
    read = reader.purchase_of({"id": "1", "customer_id": "1", "currency": "EUR", "total": "0", "occurred_at": today})
    if read.occurred_at.date() != _SOME_TIME.date():
        msg = "a day is not wholly told"
        raise ValueError(msg)
