"""The machine of all operations: a new group of them is a file beside these, and one name here."""

from tests.model.adjusting import Adjusting
from tests.model.opening import Openings
from tests.model.recording import Recording
from tests.model.visits import Visits
from tests.model.vouchers import Vouchers


class Machine(Adjusting, Openings, Vouchers, Recording, Visits):
    """Random lives of a program's customers."""
