"""SQL in files: each room's `queries.sql` holds its named statements, and this is how they get to the database.

A statement that writes can be sent alone or together with those of other rooms as one statement: each becomes a common
table expression of it, so that a booking over many rooms costs one round trip and no room reads another's SQL.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from asyncpg import PostgresError

if TYPE_CHECKING:
    from asyncpg import Connection, Record

Db: TypeAlias = "Connection[Record]"
"""A connection, inside a transaction of the caller's where something is written."""

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)
_PARAMETER = re.compile(r"\$(\d+)")
_ROWS_MISSING = "LY001"
"""The state with which the database's function `all_or_nothing` fails."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One named statement. Its text is the same for ever, so that it is prepared once for each connection."""

    name: str
    sql: str
    purpose: str = ""
    """The comment behind its name, as one line."""

    @property
    def parameters(self) -> int:
        """How many parameters it takes."""
        return max((int(number) for number in _PARAMETER.findall(self.sql)), default=0)


@dataclass(frozen=True, slots=True)
class Write:
    """A statement that writes, with its arguments, not sent yet; `rows` is how many rows it must write.

    One `also_empty` is sent though it writes none: each set of statements that are sent together is prepared for
    itself, so those that come mostly, but not always, together are better sent always.
    """

    statement: Statement
    arguments: Sequence[object]
    rows: int
    also_empty: bool = False


class RowsMissing(Exception):  # noqa: N818 - raised where a write met somebody else's, which the caller expects
    """A write would write fewer rows than it must: somebody else's was first. Nothing of it was written."""


def load(source: str) -> Mapping[str, Statement]:
    """Read the statements of `queries.sql` beside a module: `load(__file__)`."""
    return load_file(Path(source).with_name("queries.sql"))


def load_file(path: Path) -> Mapping[str, Statement]:
    """Read a file of named statements. Raises ValueError for text outside a statement or a name used twice."""
    head, *parts = _NAME.split(path.read_text(encoding="utf-8"))
    names, bodies = parts[::2], parts[1::2]
    if any(line and not line.startswith("--") for line in head.splitlines()) or len(set(names)) != len(names):
        msg = f"{path.name}: text outside a statement, or a name used twice"
        raise ValueError(msg)
    return {
        name: Statement(name, _without_comments(body), _purpose(body)) for name, body in zip(names, bodies, strict=True)
    }


def _purpose(body: str) -> str:
    return " ".join(line.removeprefix("--").strip() for line in takewhile(_is_comment, body.strip().splitlines()))


def _is_comment(line: str) -> bool:
    return line.startswith("--")


def _without_comments(body: str) -> str:
    lines = (line for line in body.splitlines() if line.strip() and not line.lstrip().startswith("--"))
    return "\n".join(lines).removesuffix(";")


@lru_cache(maxsize=256)
def _together(statements: tuple[Statement, ...]) -> str:
    """Join statements into one that fails unless each writes as many rows as its last parameter says."""
    parts: list[str] = []
    shift = 0
    for number, statement in enumerate(statements):
        sql = _PARAMETER.sub(lambda found, by=shift: f"${int(found[1]) + by}", statement.sql)
        parts.append(f"w{number} AS (\n{sql}\nRETURNING 1)")
        shift += statement.parameters
    # Only numbers are put in: the statements are those of files.
    counts = ", ".join(f"(SELECT count(*) FROM w{number})" for number in range(len(statements)))  # noqa: S608
    return f"WITH {', '.join(parts)}\nSELECT all_or_nothing(ARRAY[{counts}], ${shift + 1}::bigint[])"


async def write_together(db: Db, writes: Sequence[Write]) -> None:
    """Send writes as one statement that writes all their rows or nothing. Raises RowsMissing.

    All see the same snapshot and none sees another's rows, so each table may be written by one of them only.
    """
    due = [write for write in writes if write.rows or write.also_empty]
    if not due:
        return
    arguments = [argument for write in due for argument in write.arguments]
    try:
        await db.fetchval(_together(tuple(each.statement for each in due)), *arguments, [each.rows for each in due])
    except PostgresError as fault:
        if fault.sqlstate != _ROWS_MISSING:
            raise
        raise RowsMissing(str(fault)) from None
