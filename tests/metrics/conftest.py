"""Services that can be broken, as the tests of faults have them."""

from tests.faults.conftest import alone, behind

__all__ = ["alone", "behind"]
