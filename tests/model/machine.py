"""The machine of all operations: a new group of them is a file beside these, and one name here."""

from tests.model.adjusting import Adjusting
from tests.model.visits import Visits


class Machine(Adjusting, Visits):
    """Random lives of a program's customers."""
