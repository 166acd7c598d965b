"""`loyalty verify`: proves the invariants on a live database.

An invariant is a query that gives the rows that break it. Every room keeps its own in `invariants.sql`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.platform.session import BY_KEY
from service.platform.statements import Db, Statement, load_file

_SERVICE: Final = Path(__file__).resolve().parents[1]
SHOWN_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """What one invariant came to; `broken` holds the first 20 rows that break it."""

    invariant: Statement
    room: str
    broken: list[dict[str, Any]]


def invariants() -> Iterator[tuple[str, Statement]]:
    """Give every invariant with its room, in a fixed order."""
    for path in sorted(_SERVICE.glob("*/invariants.sql")):
        for statement in load_file(path).values():
            yield path.parent.name, statement


async def verify(db: Db) -> list[Finding]:
    """Prove all invariants on one snapshot: what is booked meanwhile doesn't disturb, and nothing waits for it."""
    findings = list[Finding]()
    async with db.transaction(isolation="repeatable_read", readonly=True):
        # A login behind a pooler brings settings for look-ups by key; here whole tables are read and joined. Where
        # nobody has counted those yet the planner takes them for small, and a loop within a loop takes minutes.
        allowed = "; ".join(f"SET LOCAL {name} = on" for name in BY_KEY)
        await db.execute(f"SET LOCAL statement_timeout = 0; {allowed}; SET LOCAL enable_nestloop = off")
        for room, statement in invariants():
            rows = await db.fetch(f"{statement.sql}\nLIMIT {SHOWN_ROWS}")
            findings.append(Finding(statement, room, [dict(row) for row in rows]))
    return findings
