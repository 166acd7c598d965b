"""What reports of early payment are made from."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from service.invoices.report.estimating import Sums
from service.invoices.report.figures import HORIZON_DAYS, MOST_GROUPS
from service.invoices.report.rules import Asked, Booked, Cell, Tally
from service.kernel.ids import lowest_id_at
from service.kernel.periods import start_of_day
from service.platform.statements import Db, load

_STATEMENTS = load(__file__)
_MARGIN: Final = timedelta(days=2)
"""A program may have changed its time zone since a payment was booked, and ids are of the database's time."""
_NO_IDS_BEFORE: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def read_booked(
    db: Db, *, program_id: int, asked: Asked, now: datetime, zone: ZoneInfo, year_days: int
) -> Booked:
    """Read what became of invoices of two times, and by customers."""
    period, before = asked.period, asked.before
    rows = await db.fetch(
        _STATEMENTS["report_invoices"].sql,
        program_id,
        before.first,
        before.to,
        period.first,
        period.to,
        asked.today,
        _id_before(start_of_day(before.first, zone)),
        asked.by,
        asked.attribute,
        HORIZON_DAYS,
        MOST_GROUPS,
    )
    groups, cells, by_place, others = dict[int, str](), list[Cell](), dict[tuple[int, str], Sums](), 0
    for kind, place, key, currency, is_after, state, days, sums in rows:
        numbers = [int(each) for each in sums]
        if kind == "invoices":
            cells.append(Cell(place, currency, is_after, state, days, Tally(*numbers)))
        elif kind == "customers":
            by_place[place, currency] = Sums(*numbers)
        elif place > MOST_GROUPS:
            others = numbers[0]
        else:
            groups[place] = key
    return Booked(now, groups, others, cells, by_place, year_days)


def _id_before(moment: datetime) -> UUID:
    """Return a bound below all ids of a moment and later: there are none from before 1970."""
    return lowest_id_at(max(moment - _MARGIN, _NO_IDS_BEFORE))
