"""Expressions compiled in a process of their own, so that a crash, a hang or a bomb is seen and names its text.

The process has a gigabyte, and compiles in a thread with a sixteenth of the usual stack.
"""

import json
import os
import resource
import select
import subprocess
import sys
import threading
from datetime import UTC, datetime

import msgspec
import pytest

from service.earning.contexts import Fault, Selection
from service.earning.expressions import compile_expression
from service.earning.vocabulary import (
    ActivityFacts,
    CustomerFacts,
    FactKind,
    Facts,
    ItemFacts,
    PurchaseFacts,
    time_facts,
)
from service.kernel.errors import Invalid

_MEMORY = 2**30
_STACK = 2**19
_SECONDS = 60
"""After which a process that says nothing counts as hanging, however busy the machine is."""
_FREE = {
    "a": "x" * 9_999,
    "b": [f"{number:099}" for number in range(100)],
    "c": {str(number): number for number in range(50)},
    "d": -(2**63) + 1,
    "e": 1e300,
    "f": None,
}
FULL = Facts(
    CustomerFacts(10**6, "\U0001f600" * 128, _FREE, 10**5, 10**5, has_birthday=True),
    time_facts(datetime(9999, 12, 31, 23, 59, tzinfo=UTC)),
    PurchaseFacts(
        "EUR",
        *[10**12] * 4,
        channel="\U0001f600" * 128,
        items=[ItemFacts(10**12, 10**6, "\U0001f600" * 128, f"{number:0128}") for number in range(100)],
    ),
    ActivityFacts("t" * 128, _FREE),
)
"""As much as a fact may bring."""


class Compiler:
    """A process that compiles."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def judge(self, source: str, kind: FactKind = "purchase") -> str:
        """Return `ok` or the reason for which the source is refused; fail if that costs the process its life."""
        if self._process is None:
            command = [sys.executable, "-m", "tests.rules.compiling"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([source, kind]) + "\n")
        process.stdin.flush()
        answered, _, _ = select.select([process.stdout], [], [], _SECONDS)
        answer = process.stdout.readline() if answered else ""
        if not answer:
            self.end()
            pytest.fail(f"{'it died' if answered else 'it hangs'}: {source!r}")
        return str(json.loads(answer))

    def end(self) -> None:
        """End the process."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _judged(source: str, kind: FactKind) -> str:
    try:
        expression = compile_expression(source, pointer="/when", kind=kind)
    except Invalid as refused:
        return refused.reason
    selection = Selection([expression.references])
    for facts in (FULL, msgspec.structs.replace(FULL, purchase=None, activity=None)):
        result = expression.holds(selection.context(facts))
        assert isinstance(result, bool | Fault)
        assert not (isinstance(result, Fault) and result.reason == "failed")
    return "ok"


def _serve() -> None:
    for line in sys.stdin:
        source, kind = json.loads(line)
        print(json.dumps(_judged(source, kind)), flush=True)  # noqa: T201 - it is how the processes speak


def _begin() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    threading.stack_size(_STACK)
    serving = threading.Thread(target=_serve)
    serving.start()
    serving.join()
    os._exit(0)


if __name__ == "__main__":
    _begin()
