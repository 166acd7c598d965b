"""Text as it is meant, whatever it was typed or pasted with. Pure."""

import unicodedata


def plain(text: str) -> str:
    """Bring text into compatibility form (NFKC: wide letters, ligatures, styles) without what nobody sees.

    What is not seen are format characters: zero-width blanks and joiners, soft hyphens, marks of direction.
    """
    if text.isascii():
        return text
    return "".join(each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf")
