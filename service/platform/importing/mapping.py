"""What an operator says about a table: which columns are which fields, and how they are written. Pure."""

import re
from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

MOST_COLUMNS: Final = 10_000
_LINE: Final = "line"
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


class Kind(Enum):
    """How the text of a field is read."""

    TEXT = auto()
    AMOUNT = auto()
    NUMBER = auto()
    TIME = auto()


@dataclass(frozen=True, slots=True)
class Fields:
    """What a line of a table can tell of a `thing`: each field, and how its text is read.

    What begins with `own`, where there is such a beginning, is a text under a name of the operator's.
    """

    thing: str
    kinds: Pairs[str, Kind]
    required: Sequence[str]
    own: str = ""

    def has(self, field: str) -> bool:
        """Tell whether there is such a field."""
        return field in self.kinds or (
            bool(self.own) and field.startswith(self.own) and field != self.own and field.isprintable()
        )


class MappingFault(Exception):  # noqa: N818 - an answer to the operator
    """What was said about the table can't be used; one sentence that tells what to do."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Where each field comes from (a column, a fixed text, the template of the id), and how it is written.

    The template may hold `{line}` and columns: `cdnow-{line}`, `{invoice}-{row}`. `decimal_mark` is None where amounts
    are in minor units. `date_format` is strptime's, None for ISO 8601. Without `header` columns are numbers from 1.
    Fields in `by_name` come from the columns of their own names, where the first line names such.
    """

    columns: Pairs[str, str]
    values: Pairs[str, str]
    id_template: str | None = None
    date_format: str | None = None
    decimal_mark: str | None = None
    header: bool = True
    by_name: Sequence[str] = ()

    def wanted(self) -> set[str]:
        """Return the columns that are needed, as they were named."""
        in_id = set(_PLACEHOLDER.findall(self.id_template or "")) - {_LINE}
        return {*self.columns.values(), *in_id}

    def id_of(self, line: int, texts: Pairs[str, str]) -> str:
        """Fill in the template of the id, from the line's number and the texts of its columns."""
        return _PLACEHOLDER.sub(
            lambda found: str(line) if found[1] == _LINE else texts[found[1]], self.id_template or ""
        )

    def told(self, field: str, reason: str) -> str:
        """Say what is wrong with a field, and where its text comes from."""
        column = self.columns.get(field, field)
        return f"{field}: {reason}" if column == field else f"{field} (column {column}): {reason}"


def check_fields(mapping: Mapping, fields: Fields, needed: Sequence[str]) -> None:
    """Refuse fields that don't exist, are told twice or, of those `needed`, are missing. Raises MappingFault."""
    told = [*mapping.columns, *mapping.values, *(["id"] if mapping.id_template is not None else [])]
    for field in told:
        if not fields.has(field):
            own = f" and {fields.own}NAME" if fields.own else ""
            msg = f"There is no field {field!r}: the fields are {', '.join(fields.kinds)}{own}."
            raise MappingFault(msg)
        if told.count(field) > 1:
            msg = f"The field {field} is told twice: leave out one --column, --value or --id."
            raise MappingFault(msg)
    found = {*told, *(mapping.by_name if mapping.header else ())}
    if missing := [field for field in needed if field not in found]:
        wanted = f"--column {missing[0]}=COLUMN, or --value {missing[0]}=TEXT for all lines alike"
        if missing[0] == "id":
            wanted = "--column id=COLUMN, or --id 'FILE-{line}' to number the lines"
        msg = f"Tell where {' and '.join(missing)} can be found: {wanted}."
        raise MappingFault(msg)
    if "id" in mapping.values or (mapping.id_template is not None and not _PLACEHOLDER.search(mapping.id_template)):
        thing = fields.thing
        msg = f"Every {thing} needs an id of its own: --column id=COLUMN, or --id 'FILE-{{line}}' to number the lines."
        raise MappingFault(msg)
    if not mapping.header and (names := sorted(name for name in mapping.wanted() if not _is_number(name))):
        msg = f"With --no-header the columns are numbers from 1 on, not {', '.join(map(repr, names))}."
        raise MappingFault(msg)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and 0 < int(name) <= MOST_COLUMNS


def places(mapping: Mapping, header: Sequence[str] | None) -> dict[str, int]:
    """Find the needed columns: the place of each, from 0. `header` is None where there is none. Raises MappingFault."""
    if header is None:
        return {name: int(name) - 1 for name in mapping.wanted()}
    names = [name.strip() for name in header]
    for name in sorted(mapping.wanted()):
        if name not in names:
            msg = f"There is no column {name!r}: the first line names {', '.join(map(repr, names[:50]))}."
            raise MappingFault(msg)
        if names.count(name) > 1:
            msg = f"Two columns are called {name!r}: use --no-header --from-line 2 and the columns' numbers."
            raise MappingFault(msg)
    return {name: names.index(name) for name in mapping.wanted()}


def with_names(mapping: Mapping, header: Sequence[str] | None, required: Sequence[str]) -> Mapping:
    """Take the columns that bear fields' names: those that the first line names, and the required ones anyway."""
    names = {name.strip() for name in header or ()}
    found = {field: field for field in mapping.by_name if header is not None and (field in names or field in required)}
    return replace(mapping, columns={**found, **mapping.columns}, by_name=())
