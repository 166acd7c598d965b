"""Rows of codes, and how often they were followed."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from asyncpg import Record

from service.platform.statements import Db, load
from service.referrals.rules import Code

_STATEMENTS = load(__file__)


async def find_codes(db: Db, *, program_id: int, keys: Sequence[str]) -> dict[str, Code]:
    """Read codes by their keys, with whose they are now; the unknown ones are missing, and those of the erased."""
    rows = await db.fetch(_STATEMENTS["code_find"].sql, program_id, keys)
    return {row["key"]: _code(row) for row in rows}


def _code(row: Record) -> Code:
    return Code(*row[:8])


async def codes_of(db: Db, *, program_id: int, customers: Sequence[int]) -> list[Code]:
    """Read the codes of customers' records, the newest first; the tier is not read."""
    return [_code(row) for row in await db.fetch(_STATEMENTS["code_list"].sql, program_id, customers)]


async def add_code(db: Db, *, program_id: int, code: Code, now: datetime) -> bool:
    """Add a code; False where it is taken, or the customer has an open one for the offer."""
    row = (code.id, code.key, code.code, code.customer, code.offer, code.is_vanity, now)
    return await db.execute(_STATEMENTS["code_insert"].sql, program_id, *row) == "INSERT 0 1"


async def close_codes(db: Db, *, program_id: int, customers: Sequence[int], offer: str | None, now: datetime) -> None:
    """Close the open codes of customers' records for an offer, or their own; the customer is locked."""
    await db.execute(_STATEMENTS["code_close"].sql, program_id, customers, offer, now)


async def reopen_code(db: Db, *, program_id: int, code_id: UUID) -> None:
    """Give a closed code back to its customer, who is locked and has no other open one for the offer."""
    await db.execute(_STATEMENTS["code_reopen"].sql, program_id, code_id)


async def read_code(db: Db, *, program_id: int, code_id: UUID) -> str | None:
    """Read how a code is shown; None after an erasure."""
    shown: str | None = await db.fetchval(_STATEMENTS["code_read"].sql, program_id, code_id)
    return shown or None


async def add_click(db: Db, *, program_id: int, key: str, day: date) -> None:
    """Count a click on a code, by its key; where there is no such code, nothing is counted."""
    await db.execute(_STATEMENTS["click_add"].sql, program_id, key, day)


async def count_clicks(db: Db, *, program_id: int, customers: Sequence[int]) -> int:
    """Count the clicks on the codes of a customer's records, the closed ones, too."""
    counted: int = await db.fetchval(_STATEMENTS["click_count"].sql, program_id, customers)
    return counted


async def forget(db: Db, *, program_id: int, customers: Sequence[int], now: datetime) -> None:
    """Close the codes of records, and empty what these say. The records are locked."""
    await db.execute(_STATEMENTS["code_forget"].sql, program_id, customers, now)
