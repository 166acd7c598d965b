"""From the texts of a line to a part of an opening balance: a lot, a debt, a tier, what was counted, nothing. Pure.

A line becomes the JSON that a caller would have sent and passes the same door: no rule stands here a second time.
"""

from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any, Final

import msgspec

from service.kernel.errors import Invalid, Refusal
from service.opening_balances.rules import OpeningBalance, normalised
from service.platform.http.body import decode
from service.platform.importing.line_reader import BadLine, LineReader, example_time
from service.platform.importing.mapping import Fields, Kind, Mapping, MappingFault, check_fields

FIELDS: Final = Fields(
    thing="balance",
    kinds={
        "id": Kind.TEXT,
        "customer_id": Kind.TEXT,
        "points": Kind.NUMBER,
        "earned_at": Kind.TIME,
        "expires_at": Kind.TIME,
        "available_at": Kind.TIME,
        "debt": Kind.NUMBER,
        "tier": Kind.TEXT,
        "tier_since": Kind.TIME,
        "tier_until": Kind.TIME,
        "counted": Kind.NUMBER,
        "counted_at": Kind.TIME,
    },
    required=["id", "customer_id", "points", "earned_at"],
)
"""What a column can be."""
OF_LOT: Final = ("points", "earned_at", "expires_at", "available_at")
NEVER: Final = "never"
"""Stands for no time in `expires_at` and `tier_until`; without text there, the program's policy says it."""
_NONE: Final = msgspec.Raw(b"0")
_TIMES: Final = {"tier": ("tier_since", "tier_until"), "counted": ("counted_at",)}
"""Which times say nothing in a line that doesn't tell this, so that they may be the same for all lines."""
_ENDLESS: Final = frozenset({"expires_at", "tier_until"})
_OF_TIER: Final = ("tier", "tier_since", "tier_until")
_OF_COUNT: Final = {"amount": "counted", "occurred_at": "counted_at"}
"""Which field tells what of what was counted."""


class BalanceReader(LineReader):
    """Reads lines as parts of opening balances, by a mapping."""

    def __init__(self, mapping: Mapping, found: Pairs[str, int], zone: tzinfo, named: int | None = None) -> None:
        super().__init__(FIELDS, mapping, found, zone, named)

    def id_and_texts(self, line: int, cells: Sequence[str]) -> tuple[str, dict[str, str]]:
        """Read the line with this number: of which balance it is, and its texts. Raises BadLine where nobody knows."""
        texts = self.texts(line, cells)
        if not texts["id"]:
            raise self.bad_field("id", "This field is required.")
        return texts["id"], texts

    def part_of(self, texts: Pairs[str, str]) -> OpeningBalance:
        """Make a balance with what one line tells of it, and a lot where it has points. Raises BadLine."""
        given = self.given(texts)
        body: dict[str, Any] = {field: given[field] for field in ("id", "customer_id") if field in given}
        if "tier" in given:
            body |= {field: self._read(field, given) for field in _OF_TIER if field in given}
        if "counted" in given and self.value("counted", given) != _NONE:
            body["counted"] = [{name: self.value(field, given) for name, field in _OF_COUNT.items() if field in given}]
        if "debt" in given:
            body["debt"] = self.value("debt", given)
        has_none = "points" in given and self.value("points", given) == _NONE
        lot = {field: self._read(field, given) for field in OF_LOT if field in given}
        try:
            return decode(msgspec.json.encode(body | {"lots": [] if has_none else [lot]}), OpeningBalance)
        except Invalid as invalid:
            raise self.refused(invalid) from None

    def _read(self, field: str, given: Pairs[str, str]) -> object:
        return None if field in _ENDLESS and given[field] == NEVER else self.value(field, given)

    def refused(self, refusal: Refusal) -> BadLine:
        """Say in words of the mapping why a balance was refused: of columns, not of JSON."""
        reason = refusal.detail or f"{refusal.title}."
        pointer = refusal.pointer if isinstance(refusal, Invalid) else ""
        field = pointer.rpartition("/")[2]
        if pointer.startswith("/counted/"):
            field = _OF_COUNT.get(field, field)
        return self.bad_field(field if field in FIELDS.kinds else "", reason)


def check(mapping: Mapping) -> None:
    """Refuse a mapping that no line could be read by, before the table is looked at. Raises MappingFault."""
    check_fields(mapping, FIELDS, FIELDS.required)
    reader = BalanceReader(mapping, {}, UTC)
    # A made-up line around the fixed texts: what is wrong with them would be wrong in every line.
    examples = {Kind.TEXT: "1", Kind.NUMBER: "1", Kind.TIME: example_time(mapping, reader)}
    told = [field for field, times in _TIMES.items() if any(time in mapping.values for time in times)]
    texts = {field: examples[FIELDS.kinds[field]] for field in (*FIELDS.required, *told)}
    texts |= {"counted_at": examples[Kind.TIME]}
    try:
        normalised(reader.part_of(texts | dict(mapping.values)))
    except (BadLine, Invalid) as fault:
        msg = f"--value can't be used for {reader.refused(fault) if isinstance(fault, Invalid) else fault}"
        raise MappingFault(msg) from None
