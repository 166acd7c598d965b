"""What `-n 2` keeps apart is there."""

from collections import Counter

from service.platform.settings import CHECKOUT
from tests.conftest import ONE_AT_A_TIME, is_alone


def test_what_never_runs_side_by_side_is_named_as_it_is_called() -> None:
    files = [path.relative_to(CHECKOUT).as_posix() for path in sorted((CHECKOUT / "tests").rglob("test_*.py"))]
    of_each = Counter(name for file in files for name in ONE_AT_A_TIME & set(file.split("/")))
    assert of_each.keys() == ONE_AT_A_TIME
    assert of_each["test_rate_limits.py"] > 1
    alone = {file for file in files if is_alone(f"{file}::test_something[a/faults/b]")}
    assert {"tests/faults/long_run/test_long_run.py", "tests/concurrency/test_rate_limits.py"} <= alone
    assert "tests/api/test_access.py" not in alone
