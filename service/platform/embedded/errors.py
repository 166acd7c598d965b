"""What the embedded servers tell: one sentence where they can't run, and lines of progress."""

from collections.abc import Callable
from typing import TypeAlias

Report: TypeAlias = Callable[[str], None]
"""Takes one line of progress, without a line end, for the person who started the service."""


class EmbeddedError(Exception):
    """The embedded servers can't run; `str()` is one sentence that says why and what to do."""
