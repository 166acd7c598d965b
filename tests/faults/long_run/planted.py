"""Mistakes for the API to have, so that the long run proves its power: it must find each of them.

`PLANTED_BUG=... python -m tests.faults.long_run.planted serve` is `loyalty serve` with one of them. The workers that it
starts import this module as it does, and so have the mistake too.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.customers import store as customers
from service.platform import batching
from service.platform.statements import Statement, Write
from service.platform.writer import Writer
from service.points import facts
from service.purchases.rules import PurchaseConflict

_Writer: Any = Writer
_write = _Writer.write


def answer_before_the_commit() -> None:
    """Answer a batch when it is decided and written, and commit it meanwhile."""

    async def write(writer: Any, scope: Any, rows: Sequence[Any]) -> Sequence[Any]:
        if not hasattr(writer, "committing"):
            writer.committing, writer.real_work = None, writer._work  # noqa: SLF001
            writer._at_once = None  # noqa: SLF001
        elif writer.committing is not None:
            await asyncio.wait([writer.committing])
        decided = asyncio.get_running_loop().create_future()

        async def work(*arguments: Any) -> Sequence[Any]:
            outcomes = await writer.real_work(*arguments)
            if not decided.done():
                decided.set_result(outcomes)
            return outcomes

        writer._work = work  # noqa: SLF001
        writer.committing = asyncio.ensure_future(_write(writer, scope, rows))
        await asyncio.wait([decided, writer.committing], return_when=asyncio.FIRST_COMPLETED)
        return decided.result() if decided.done() else writer.committing.result()

    _replace(Writer, "write", write)


def take_no_claims() -> None:
    """Book without the claim that makes a purchase's id unique."""

    def write_nothing(*_: object) -> Write:
        return Write(Statement("nothing", ""), (), 0)

    _replace(facts, "claiming", write_nothing)


def refuse_what_is_unknown() -> None:
    """Tell a caller whose purchase waited too long that it is refused."""
    _replace(batching, "Unavailable", PurchaseConflict)


def forget_who_reported() -> None:
    """Tell the report whose commit's answer was lost that it is a repetition."""

    def nobody(_: object) -> int:
        return -1

    _replace(facts, "randomness_of", nobody)


def overwrite_what_others_wrote() -> None:
    """Write customers as they were decided, whoever has written them since they were read."""
    _replace(customers, "_STATEMENTS", _Overwriting(customers._STATEMENTS))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


class _Overwriting(dict[str, Any]):
    def __init__(self, statements: Mapping[str, Statement]) -> None:
        super().__init__(statements)
        updating, condition = statements["customer_update"], "AND c.xmin = u.written_by"
        assert condition in updating.sql
        self["customer_update"] = replace(updating, sql=updating.sql.replace(condition, ""))


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        answer_before_the_commit,
        take_no_claims,
        refuse_what_is_unknown,
        forget_who_reported,
        overwrite_what_others_wrote,
    )
}


def _replace(owner: Any, name: str, by: Any) -> None:
    assert hasattr(owner, name), f"{name} has moved: plant the mistake where it is now"
    setattr(owner, name, by)


if planted := os.environ.get("PLANTED_BUG"):
    BUGS[planted]()

if __name__ == "__main__":
    from service.__main__ import main

    main()
