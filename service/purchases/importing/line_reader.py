"""From the texts of a line to a purchase. Pure.

A line becomes the JSON that a checkout would have sent and passes the same door: no rule stands here a second time.
"""

from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any, Final, get_type_hints

import msgspec

from service.kernel.amounts import MinorUnits, Quantity
from service.kernel.errors import Invalid, Refusal
from service.kernel.times import Time
from service.platform.http.body import decode
from service.platform.importing.line_reader import BadLine, LineReader, example_time
from service.platform.importing.mapping import Fields, Kind, Mapping, MappingFault, check_fields
from service.purchases.rules import Item, Purchase, normalised

METADATA: Final = "metadata."
ITEM: Final = "item."


def _kinds(struct: type[msgspec.Struct], prefix: str = "") -> dict[str, Kind]:
    known = ((MinorUnits, Kind.AMOUNT), (Quantity, Kind.NUMBER), (Time, Kind.TIME))
    return {
        prefix + name: next((kind for hint, kind in known if hint == found), Kind.TEXT)
        for name, found in get_type_hints(struct, include_extras=True).items()
        if name not in {"items", "metadata"}
    }


FIELDS: Final = Fields(
    thing="purchase",
    kinds=_kinds(Purchase) | _kinds(Item, ITEM),
    required=[each.name for each in msgspec.structs.fields(Purchase) if each.required],
    own=METADATA,
)
"""What a column can be. A line may have one item, whose id is 1 unless it is told."""


class PurchaseReader(LineReader):
    """Reads lines as purchases, by a mapping."""

    def __init__(self, mapping: Mapping, found: Pairs[str, int], zone: tzinfo, named: int | None = None) -> None:
        super().__init__(FIELDS, mapping, found, zone, named)

    def purchase(self, line: int, cells: Sequence[str]) -> Purchase:
        """Read the line with this number. Raises BadLine."""
        return self.purchase_of(self.texts(line, cells))

    def purchase_of(self, texts: Pairs[str, str]) -> Purchase:
        """Make a purchase of its fields' texts; a field without text is left out. Raises BadLine."""
        try:
            return decode(msgspec.json.encode(self._body(self.given(texts))), Purchase)
        except Invalid as invalid:
            raise self.bad(invalid) from None

    def bad(self, refusal: Refusal) -> BadLine:
        """Say in words of the mapping why a purchase was refused: of columns, not of JSON."""
        reason = refusal.detail or f"{refusal.title}."
        pointer = refusal.pointer.removeprefix("/") if isinstance(refusal, Invalid) else ""
        return self.bad_field(pointer.replace("items/0/", ITEM).replace("/", "."), reason)

    def _body(self, texts: Pairs[str, str]) -> dict[str, Any]:
        body, item, metadata = dict[str, Any](), dict[str, Any](), dict[str, Any]()
        for field, text in texts.items():
            if field.startswith(METADATA):
                metadata[field.removeprefix(METADATA)] = text
            elif field.startswith(ITEM):
                item[field.removeprefix(ITEM)] = self.value(field, texts)
            else:
                body[field] = self.value(field, texts)
        if item:
            body["items"] = [{"id": "1"} | item]
        return body | {"metadata": metadata}


def check(mapping: Mapping) -> None:
    """Refuse a mapping that no line could be read by, before the table is looked at. Raises MappingFault."""
    told = {*mapping.columns, *mapping.values}
    needed = [*FIELDS.required, *([f"{ITEM}amount"] if any(field.startswith(ITEM) for field in told) else [])]
    check_fields(mapping, FIELDS, needed)
    reader = PurchaseReader(mapping, {}, UTC)
    # A made-up line around the fixed texts: what is wrong with them would be wrong in every line.
    examples = {Kind.TEXT: "1", Kind.AMOUNT: "0", Kind.NUMBER: "1", Kind.TIME: example_time(mapping, reader)}
    texts = {field: examples[FIELDS.kinds.get(field, Kind.TEXT)] for field in (*mapping.columns, "id")}
    fixed = dict(mapping.values)
    if "currency" in mapping.columns:  # only a line tells how many decimals an amount may have
        texts["currency"] = "EUR"
        fixed |= {field: "0" for field in fixed if FIELDS.kinds.get(field) is Kind.AMOUNT}
    try:
        normalised(reader.purchase_of(texts | fixed))
    except (BadLine, Invalid) as fault:
        msg = f"--value can't be used for {reader.bad(fault) if isinstance(fault, Invalid) else fault}"
        raise MappingFault(msg) from None
