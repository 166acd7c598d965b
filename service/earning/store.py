"""Rows of what all customers used of limits."""

from collections.abc import Sequence
from datetime import date

from asyncpg import Record

from service.earning.limits import Shared, Use
from service.earning.rules import Every
from service.platform.statements import Db, Write, load

_STATEMENTS = load(__file__)
_ALWAYS = date(1970, 1, 1)
"""The first day of what has no period."""


async def read_use(db: Db, *, program_id: int, uses: Sequence[Use]) -> dict[Use, list[int]]:
    """Read points and times that were used of limits for all; those of which nothing was used are missing."""
    rows = [(use.rule, use.every.value, _day(use.start), None, None, None, None) for use in uses]
    return {
        _use(row): [row["points"], row["times"]]
        for row in await db.fetch(_STATEMENTS["use_read"].sql, program_id, rows)
    }


def adding_use(program_id: int, shared: Shared) -> Write:
    """Add what a batch used of limits for all. It writes fewer rows where a limit doesn't hold any more."""
    rows = sorted(
        (use.rule, use.every.value, _day(use.start), its.points, its.times, its.most_points, its.most_times)
        for use, its in shared.added.items()
    )
    return Write(_STATEMENTS["use_add"], (program_id, rows), len(rows))


def _day(start: int) -> date:
    return date.fromordinal(start) if start else _ALWAYS


def _use(row: Record) -> Use:
    every = Every(row["every"])
    start = 0 if every is Every.LIFE else row["starts_on"].toordinal()
    return Use(None, row["rule"], every, start)
