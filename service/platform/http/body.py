"""From bytes to a typed struct, strictly: what JSON leaves open is refused here, before any room sees it."""

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from service.kernel.errors import Invalid, Kind, Refusal

DEEPEST = 64
"""Levels of nesting that a body may have."""
_MOST_TO_SEARCH = 64 * 1024
"""Bytes of content in which the key is looked for at which a fault lies."""

T = TypeVar("T")


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body that holds entries as `msgspec.Raw`: each is decoded on its own, and its fault is that entry's alone."""


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to tell: the body is empty or `{}`."""


class Undecodable(Refusal):
    """The body, or the path, is no text that could mean anything."""

    kind = Kind.UNDECODABLE
    code = "undecodable"
    title = "The request can't be decoded"


# A string that isn't closed goes to the end: then nothing is tried twice, whatever the body is.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_PLACE = re.compile(r" - at (?:`key` in )?`(\$.*)`$")
_INSIDE_MAPPING = "[...]"
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_FIELD = re.compile(r"^Object (missing required|contains unknown) field `(.*?)`?$", re.DOTALL)
_UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""An escape in a string; group 1 is one of half a surrogate pair."""


def check_syntax(raw: bytes) -> None:
    """Refuse what is no JSON text (RFC 8259) or means different things to different readers. Raises Undecodable.

    That is: broken UTF-8, a byte order mark, NaN, more than 64 levels, a key twice in one object.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        detail = f"The body is not UTF-8: byte {fault.start} is wrong."
        raise Undecodable(detail) from None
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _levels(raw) > DEEPEST:
        detail = f"The body is nested more than {DEEPEST} levels deep."
        raise Undecodable(detail)
    try:
        _syntax.decode(text)
    except json.JSONDecodeError as fault:
        detail = f"The body is not JSON: line {fault.lineno}, column {fault.colno}."
        raise Undecodable(detail) from None
    except ValueError as fault:
        raise Undecodable(str(fault)) from None


def _levels(raw: bytes) -> int:
    level = deepest = 0
    for bracket in _STRINGS.sub(b"", raw).translate(None, _NOT_BRACKETS):
        level += 1 if bracket in b"[{" else -1
        deepest = max(deepest, level)
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        msg = "A key stands twice in one object of the body."
        raise ValueError(msg)
    return decoded


def _no_text(_: str) -> None:
    """Read a number as nothing, where only texts are looked at."""


def _no_constant(_: str) -> NoReturn:
    msg = "NaN and Infinity are not JSON."
    raise ValueError(msg)


# Numbers are kept as text: Python refuses to read one of more than 4,300 digits, and no number counts here.
_syntax = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=str, parse_float=str)
_texts = json.JSONDecoder(parse_int=_no_text, parse_float=_no_text)


def decode(raw: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Decode JSON whose syntax was checked into a struct, without any leniency. Raises Invalid with a pointer."""
    content = bytes(raw)
    if b"\\u" in content:
        if _is_envelope(kind):
            content = _ESCAPE.sub(_whole, content)
        else:
            _check_characters(_texts.decode(content.decode()), "")
    try:
        return msgspec.json.decode(content, type=kind, strict=True)
    except (msgspec.ValidationError, OverflowError) as fault:
        raise as_invalid(str(fault), keys=_keys(content, kind, str(fault))) from None
    except msgspec.DecodeError as fault:
        raise Undecodable(str(fault)) from None


def _is_envelope(kind: object) -> bool:
    """Tell whether entries are decoded one by one. What is one of several kinds is no class."""
    return isinstance(kind, type) and issubclass(kind, Envelope)


def _whole(found: re.Match[bytes]) -> bytes:
    """Write NUL for half a surrogate pair: an envelope's parser fails at that one, an entry is refused for both."""
    return rb"\u0000" if found[1] else found[0]


def _check_characters(value: object, pointer: str) -> None:
    """Refuse what escapes can write and Postgres or UTF-8 can't hold: NUL and lone surrogates."""
    if isinstance(value, str) and _UNPRINTABLE.search(value):
        detail = "A text may hold neither the NUL character nor half of a surrogate pair."
        raise Invalid(detail, pointer=pointer, reason="invalid_character")
    if isinstance(value, dict):
        for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            _check_characters(str(key), pointer)  # pyright: ignore[reportUnknownArgumentType]
            _check_characters(item, f"{pointer}/{escape(str(key))}")  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for number, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            _check_characters(item, f"{pointer}/{number}")  # pyright: ignore[reportUnknownArgumentType]


def escape(key: str) -> str:
    """Escape one step of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _keys(content: bytes, kind: type, message: str) -> list[str]:
    """Find the keys on the way to a fault that msgspec leaves out: it names fields and places, but no key of a mapping.

    The fault is there with all entries of a mapping up to that one, and isn't with fewer.
    """
    place = _PLACE.search(message)
    if place is None or _INSIDE_MAPPING not in place[1] or len(content) > _MOST_TO_SEARCH:
        return []
    found = list[str]()
    try:
        at = whole = msgspec.json.decode(content)
        for name, index, inside in _STEP.findall(place[1]):
            key = _first_fault(whole, at, kind, message) if inside else name
            found += [key] if inside else []
            at = at[int(index)] if index else at[key]
    except (msgspec.MsgspecError, OverflowError, LookupError):
        return []
    return found


def _first_fault(whole: object, mapping: dict[str, Any], kind: type, message: str) -> str:
    """Return the first key of a mapping in `whole` with which decoding says this. Raises LookupError."""
    entries = dict(mapping)

    def is_there(count: int) -> bool:
        mapping.clear()
        mapping.update(islice(entries.items(), count))
        try:
            msgspec.json.decode(msgspec.json.encode(whole), type=kind, strict=True)
        except msgspec.ValidationError as fault:
            return str(fault) == message
        return False

    place = bisect_left(range(1, len(entries) + 1), x=True, key=is_there)
    mapping.update(entries)
    return list(entries)[place]


_FORM: Final = "This text doesn't have the form that the documentation tells for the field."
_FORMS: Final = (
    ("Invalid RFC3339 encoded datetime", "A time is written with its zone: 2026-11-21T10:00:00Z."),
    ("Invalid RFC3339 encoded date", "A date is written as 2026-11-21."),
    ("Invalid enum value", "This is none of the values that the documentation tells for the field."),
    ("Invalid value", "This is none of the values that the documentation tells for the field."),
)
"""What msgspec says of texts, and what callers are told."""


def as_invalid(message: str, within: str = "", keys: Sequence[str] = ()) -> Invalid:
    """Turn msgspec's words about what stands at the pointer `within` into a pointer, a reason and a sentence.

    `keys` are those of the mappings on the way, or none: then the pointer ends at the first mapping.
    """
    place = _PLACE.search(message)
    pointer = within + (_pointer(place[1], keys) if place else "")
    said = message[: place.start()] if place else message
    if field := _FIELD.match(said):
        if keys or not (place and _INSIDE_MAPPING in place[1]):
            pointer = f"{pointer}/{escape(field[2])}"
        if field[1] == "missing required":
            return Invalid("This field is required.", pointer=pointer, reason="missing")
        return Invalid("There is no such field here.", pointer=pointer, reason="unknown_field")
    if "matching regex" in said or said.startswith("Invalid"):
        detail = next((told for words, told in _FORMS if said.startswith(words)), _FORM)
        return Invalid(detail, pointer=pointer, reason="invalid_format")
    if "timezone" in said:
        return Invalid("A time needs its zone: end it with Z or an offset.", pointer=pointer, reason="naive_time")
    range_words = (">=", "<=", "length", "out of range")
    reason = "out_of_range" if any(word in said for word in range_words) else "type"
    return Invalid(f"{said}.", pointer=pointer, reason=reason)


def _pointer(path: str, keys: Sequence[str]) -> str:
    steps, left = list[str](), iter(keys)
    for name, index, inside in _STEP.findall(path):
        if inside and not keys:
            break
        steps.append(escape(next(left)) if inside else escape(name) or index)
    return "".join(f"/{step}" for step in steps)
