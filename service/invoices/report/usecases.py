"""Reading what a report of early payment is made from."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from service.invoices.report import store
from service.invoices.report.figures import EarlyPaymentReport
from service.invoices.report.rules import asked_for, report
from service.kernel.periods import day_of
from service.platform.clock import database_time
from service.platform.statements import Db
from service.programs.payment_terms import EarlyPayment
from service.programs.rules import Program


async def make(db: Db, *, program: Program, given: Mapping[str, str]) -> EarlyPaymentReport:
    """Make a report, in the snapshot of a transaction, of what callers ask for as they write it.

    That is one of `Reporting`. Raises Invalid, with a pointer to what was asked for.
    """
    now, zone = await database_time(db), ZoneInfo(program.settings.time_zone)
    asked = asked_for(given, day_of(now, zone))
    policy = program.settings.early_payment or EarlyPayment()
    booked = await store.read_booked(
        db, program_id=program.id, asked=asked, now=now, zone=zone, year_days=policy.year_days
    )
    return report(asked, booked)
