"""The words of an expression: names, numbers, texts and signs, as they are read and as they are written. Pure."""

import re
import sys
from typing import Final, NamedTuple

LONGEST_SOURCE: Final = 2_048
"""Bytes of UTF-8."""
MOST_WORDS: Final = 500

_WORD: Final = re.compile(
    r"""(?P<blank>[ \t\r\n]+|//[^\r\n]*)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.]))
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*+(?!["']))
      | (?P<text>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
      | (?P<sign>&&|\|\||[=!<>]=|[-+*/%<>!?:,.()\[\]{}])""",
    re.VERBOSE,
)
_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))")
_PLAIN_ESCAPES: Final = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "r": "\r", "t": "\t"}
_TOO_LARGE: Final = 2.0**63
_SURROGATES: Final = range(0xD800, 0xE000)


class Unfit(Exception):  # noqa: N818 - it becomes a refusal
    """Why an expression can't be saved. `reason` is machine-readable, `detail` for whoever writes it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Word(NamedTuple):
    """A word of kind `name`, `number`, `text` or `sign`, and the character of the source where it begins, from 1."""

    kind: str
    text: str
    """As it is written; of a text literal, what it means."""
    place: int


def words_of(source: str) -> list[Word]:
    """Read a source. Raises Unfit: too_long, syntax.

    Texts stand in plain quotes: raw, triple-quoted and byte literals of CEL are not taken, nor hexadecimal, unsigned
    and otherwise unusual numbers, nor characters that can't be seen. Comments are, and go.
    """
    if len(source.encode(errors="replace")) > LONGEST_SOURCE:
        raise Unfit("too_long", f"An expression has at most {LONGEST_SOURCE} bytes.")
    for place, character in enumerate(source, 1):
        if not character.isprintable() and character not in "\t\r\n":
            raise Unfit("syntax", f"Character {place} can't be seen: in a text it is written as an escape, \\u200d.")
    words, at = list[Word](), 0
    while at < len(source):
        found = _WORD.match(source, at)
        if found is None:
            detail = "what begins here isn't taken: texts stand in plain quotes, numbers are decimal."
            raise Unfit("syntax", f"At character {at + 1} {detail}")
        kind = found.lastgroup or ""
        if kind == "number" and float(found[0]) >= _TOO_LARGE:
            raise Unfit("syntax", f"The number at character {at + 1} is too large.")
        if kind != "blank":
            text = _meant(found[0][1:-1], at + 1) if kind == "text" else found[0]
            words.append(Word(kind, text, at + 1))
        at = found.end()
    if len(words) > MOST_WORDS:
        raise Unfit("too_long", f"An expression has at most {MOST_WORDS} words, numbers, texts and signs.")
    return words


def written(words: list[Word]) -> tuple[str, list[int]]:
    """Write words so that CEL reads the same ones, in ASCII and on one line; and tell where each of them begins."""
    texts, begins, length = list[str](), list[int](), 0
    for word in words:
        text = _quoted(word.text) if word.kind == "text" else word.text
        texts.append(text)
        begins.append(length)
        length += len(text) + 1
    return " ".join(texts), begins


def _meant(literal: str, place: int) -> str:
    """Return what a text literal means. Raises Unfit."""

    def unescaped(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        if code is None:
            meant = _PLAIN_ESCAPES.get(found[3])
        else:
            number = int(code, 16)
            meant = None if number > sys.maxunicode or number in _SURROGATES else chr(number)
        if meant is None:
            raise Unfit("syntax", f"The text at character {place} has an escape that is not known.")
        return meant

    return _ESCAPED.sub(unescaped, literal)


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if " " <= character <= "~" and character not in '"\\':
        return character
    return f"\\u{ord(character):04x}" if character <= "\uffff" else f"\\U{ord(character):08x}"
