"""What reports and forecasts of surprises are made from."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from asyncpg import Record

from service.customers.suppressions.rules import SuppressionReason
from service.kernel.ids import lowest_id_at
from service.platform.statements import Db, load
from service.purchases.surprise_report.rules import Given, Halted, Outcomes
from service.surprises.gifts import GiftState

_STATEMENTS = load(__file__)
_MARGIN: Final = timedelta(days=1)
"""Ids are of the database's time, and so are the times of the rows; this much they may lie apart."""
_LATE: Final = timedelta(days=1)
"""How much earlier than it occurred a purchase may be recorded: clocks of callers may be ahead."""
_HOURS: Final = 24


async def read_arms(
    db: Db, *, program_id: int, comparison: UUID, window_days: int, now: datetime, currency: str
) -> tuple[Outcomes, Outcomes]:
    """Read what the two arms of a comparison did: the treated, and those held out."""
    first: datetime | None = await db.fetchval(_STATEMENTS["report_first_enrolment"].sql, program_id, comparison)
    if first is None:
        return Outcomes(), Outcomes()
    rows = await db.fetch(
        _STATEMENTS["report_arms"].sql,
        program_id,
        lowest_id_at(first - _MARGIN),
        now,
        window_days * _HOURS,
        comparison,
        currency,
    )
    arms = {row["held_out"]: _outcomes(row) for row in rows}
    return arms.get(False, Outcomes()), arms.get(True, Outcomes())


def _outcomes(row: Record) -> Outcomes:
    spent, squares = int(row["spent"]), int(row["squares"])
    return Outcomes(row["customers"], row["closed"], row["bought"], row["spenders"], spent, squares)


async def read_gifts(
    db: Db, *, program_id: int, comparison: UUID, campaign: UUID | None, window_days: int, now: datetime
) -> list[Given]:
    """Read where the gifts stand of a campaign, or of all, and what fell into closed windows of a comparison."""
    rows = await db.fetch(_STATEMENTS["report_gifts"].sql, program_id, comparison, campaign, now, window_days * _HOURS)
    return [Given(row[0], GiftState(row[1]), *row[2:]) for row in rows]


async def read_stops(db: Db, *, program_id: int, campaign: UUID | None) -> list[Halted]:
    """Read what suppressions stopped of a campaign, or of all."""
    rows = await db.fetch(_STATEMENTS["report_stops"].sql, program_id, campaign)
    return [Halted(row[0], SuppressionReason(row[1]), row[2], row[3]) for row in rows]


async def read_sample(db: Db, *, program_id: int, most: int) -> tuple[list[int], int]:
    """Read up to so many customers by internal ids, evenly by when they came, and how many there are in all."""
    rows = await db.fetch(_STATEMENTS["forecast_customers"].sql, program_id, most)
    return [row["id"] for row in rows], rows[0]["customers"] if rows else 0


async def read_history(
    db: Db, *, program_id: int, customers: Sequence[int], window_days: int, now: datetime, currency: str
) -> Outcomes:
    """Read what customers, by their internal ids, did over the days before `now`."""
    since = now - timedelta(days=window_days)
    row = await db.fetchrow(
        _STATEMENTS["forecast_history"].sql,
        program_id,
        customers,
        since,
        now,
        lowest_id_at(since - _LATE),
        currency,
    )
    assert row is not None  # noqa: S101 - it counts
    of = len(customers)
    return Outcomes(of, of, row["bought"], row["spenders"], int(row["spent"]), int(row["squares"]))
