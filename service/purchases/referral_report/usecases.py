"""Reading what a report of referrals is made from."""

import re
from zoneinfo import ZoneInfo

from service.kernel.errors import Invalid, NotFound
from service.kernel.periods import day_of
from service.platform.clock import database_time
from service.platform.statements import Db
from service.programs import defining
from service.programs.definitions import DEFINITION_ID_PATTERN
from service.programs.rules import Program
from service.purchases.referral_report import store
from service.purchases.referral_report.figures import ReferralReport
from service.purchases.referral_report.rules import Booked, asked_for, report
from service.referrals.offers import DEFAULT_OFFER, REFERRAL_OFFER


async def make(db: Db, *, program: Program, first: str | None, to: str | None, offer: str | None) -> ReferralReport:
    """Make a report, in the snapshot of a transaction: of days as callers write them, of one offer or all.

    That is one of `Reporting`. Raises Invalid, with a pointer to what was asked for.
    """
    now, zone = await database_time(db), ZoneInfo(program.settings.time_zone)
    asked = asked_for(first, to, offer, today=day_of(now, zone), zone=zone)
    if offer is not None:
        await _check_offer(db, program.id, offer)
    clicks = await store.read_clicks(db, program_id=program.id, first=asked.first, to=asked.to)
    claims = await store.read_claims(db, program_id=program.id, asked=asked, now=now)
    taken_back = await store.read_taken_back(db, program_id=program.id, asked=asked, now=now)
    vouchers = await store.read_vouchers(db, program_id=program.id, asked=asked, now=now)
    parts = await store.read_parts(db, program_id=program.id, asked=asked, now=now)
    return report(asked, Booked(now, clicks, claims, taken_back, vouchers, parts), program.settings)


async def _check_offer(db: Db, program_id: int, offer: str) -> None:
    """Refuse an offer that the program doesn't have. Raises Invalid."""
    can_be_one = re.match(DEFINITION_ID_PATTERN, offer) is not None
    try:
        if can_be_one and offer != DEFAULT_OFFER:
            await defining.read(db, program_id=program_id, kind=REFERRAL_OFFER, definition_id=offer)
    except NotFound:
        can_be_one = False
    if not can_be_one:
        raise Invalid("There is no such offer.", pointer="?offer", reason="unknown_offer")
