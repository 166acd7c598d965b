"""The machine of all operations: a new group of them is a file beside these, and one name here."""

from tests.model.counters import Counters


class Machine(Counters):
    """Random lives of a program's customers."""
