"""From the cells of a line to the values of its fields. Pure.

What they are values of, a room says: they become the JSON that a caller would have sent and pass the same door, so that
no rule stands here a second time.
"""

import re
from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

import msgspec

from service.kernel.amounts import exponent
from service.platform.importing.mapping import Fields, Kind, Mapping, MappingFault

LONGEST_NUMBER: Final = 30
"""Digits. Every bound is far below; what is longer isn't worth reading."""
_HALVES: Final = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs: they stand where bytes didn't fit the encoding, and no text can hold them."""
_SOME_TIME: Final = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
_MINOR: Final = "This is no whole number of minor units (cents): --decimal reads whole units, such as 29.33."


class BadLine(Exception):  # noqa: N818 - it is told, and the next line is read
    """A line that can't be used, in a sentence, without what the line holds: it may be personal data."""


class LineReader:
    """Reads lines by a mapping. `found` are the columns' places; `zone` is the zone of times that name none.

    `named` is how many columns the first line names, None where it names none: a line with more is out of step.
    """

    def __init__(
        self, fields: Fields, mapping: Mapping, found: Pairs[str, int], zone: tzinfo, named: int | None = None
    ) -> None:
        self._fields = fields
        self._mapping = mapping
        self._found = found
        self._zone = zone
        self._needed = max(found.values(), default=-1) + 1
        self._named = named
        self._amount = re.compile(rf"(-?)([0-9]*)(?:{re.escape(mapping.decimal_mark or '.')}([0-9]*))?")

    def texts(self, line: int, cells: Sequence[str]) -> dict[str, str]:
        """Read the texts of the fields from the line with this number. Raises BadLine."""
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
        return {**texts, **self._mapping.values}

    def given(self, texts: Pairs[str, str]) -> dict[str, str]:
        """Leave out the fields without text. Raises BadLine for what doesn't fit the encoding."""
        found = {field: text for field, text in texts.items() if text}
        for field, text in found.items():
            if not text.isascii() and _HALVES.search(text):
                raise self.bad_field(field, "This doesn't fit the encoding: tell the right one with --encoding.")
        return found

    def bad_field(self, field: str, reason: str) -> BadLine:
        """Say what is wrong with a field, in words of the mapping: of columns, not of JSON."""
        return BadLine(self._mapping.told(field, reason) if field else reason)

    def value(self, field: str, texts: Pairs[str, str]) -> object:
        """Read the value of a field for JSON; the texts of the others tell the currency. Raises BadLine."""
        kind, text = self._fields.kinds[field], texts[field]
        if kind is Kind.TEXT:
            return text
        if kind is Kind.TIME:
            return self.time(field, text)
        if kind is Kind.AMOUNT and self._mapping.decimal_mark is not None:
            return self._decimal(field, text, texts.get("currency", ""))
        return self._whole(field, text, _MINOR if kind is Kind.AMOUNT else "This is no whole number.")

    def time(self, field: str, text: str) -> datetime:
        """Read a time, in UTC. Raises BadLine."""
        form = self._mapping.date_format
        try:
            found = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)  # noqa: DTZ007
            return (found if found.tzinfo is not None else found.replace(tzinfo=self._zone)).astimezone(UTC)
        except OverflowError:
            raise self.bad_field(field, "This time is outside the calendar.") from None
        except ValueError:
            wanted = "ISO 8601 (other forms: --date-format)" if form is None else form
            raise self.bad_field(field, f"This is no time of the form {wanted}.") from None

    def _whole(self, field: str, text: str, otherwise: str) -> msgspec.Raw:
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER):
            raise self.bad_field(field, otherwise)
        return msgspec.Raw(str(int(text)).encode())

    def _decimal(self, field: str, text: str, currency: str) -> msgspec.Raw:
        """Move the decimal mark by the currency's decimals: text to text, nothing is rounded. 29.330 is 29.33."""
        decimals = exponent(currency)
        if decimals is None:
            raise self.bad_field("currency", "This is no ISO 4217 currency with a minor unit.")
        found = self._amount.fullmatch(text)
        if found is None or not (found[2] or found[3]):
            raise self.bad_field(field, "This is no amount.")
        fraction = (found[3] or "").rstrip("0")
        if len(fraction) > decimals:
            raise self.bad_field(field, f"This has more decimals than {currency} ({decimals}).")
        return self._whole(field, f"{found[1]}{found[2] or '0'}{fraction:0<{decimals}}", "This is no amount.")


def example_time(mapping: Mapping, reader: LineReader) -> str:
    """Write some time as the lines do, and read it again. Raises MappingFault where that doesn't tell the whole day."""
    try:
        form = mapping.date_format
        text = _SOME_TIME.isoformat() if form is None else _SOME_TIME.strftime(form)
        is_whole = reader.time("", text).date() == _SOME_TIME.date()
    except (BadLine, ValueError):
        is_whole, text = False, ""
    if not is_whole:
        msg = f"--date-format {mapping.date_format!r} can't be read: tell year, month and day, as in %Y-%m-%d %H:%M."
        raise MappingFault(msg)
    return text
