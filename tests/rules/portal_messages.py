"""The texts that templates and modules of the customer's page tell, found as translators' tools find them."""

from collections.abc import Iterator
from typing import Any, Final

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from service.portal.pages.texts import CATALOGUES

_PAGES: Final = CATALOGUES.parent
_METHODS: Final = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
_OPTIONS: Final = {"templates/**.html": {"silent": "false", "trimmed": "true"}}
_KEYWORDS: Final[dict[str, Any]] = {"t": (1,), "n": (1, 2), "message": (1,)}

Message = str | tuple[str, ...]


def messages() -> set[Message]:
    """Find all texts; those that depend on a number are pairs."""
    found = extract_from_dir(_PAGES, _METHODS, _OPTIONS, keywords=_KEYWORDS)
    return {tuple(each[2]) if isinstance(each[2], list | tuple) else each[2] for each in found}


def translated(language: str) -> Iterator[tuple[Message, Message]]:
    """Read a catalogue: texts with what they are in its language."""
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        for entry in read_po(file, locale=language):
            if entry.id:
                source = tuple(entry.id) if isinstance(entry.id, list | tuple) else entry.id
                text = entry.string or ""
                yield source, tuple(text) if isinstance(text, list | tuple) else text
