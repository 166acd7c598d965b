"""Reports in a running process: one at a time, so that whoever asks for many keeps no connections from others."""

import asyncio
from typing import Final

import asyncpg

from service.kernel.errors import Unavailable
from service.platform.database import Database
from service.programs.rules import Program
from service.purchases.referral_report import usecases
from service.purchases.referral_report.figures import ReferralReport

_PATIENCE_SECONDS: Final = 12.0
"""Longer than one statement may take: the database ends it by itself then."""
_BEGINS_WITHIN: Final = 4.0
"""Seconds after which whoever waits for a turn, or for a database that says nothing, is told so."""


class ReferralReports:
    """Makes reports, each in one snapshot, which a replica can give as well."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()

    async def make(self, program: Program, *, first: str | None, to: str | None, offer: str | None) -> ReferralReport:
        """Make a report of days as callers write them, of one offer or all. Raises Invalid and Unavailable."""
        try:
            async with (
                asyncio.timeout(_BEGINS_WITHIN) as patience,
                self._turn,
                self._database.reading(_PATIENCE_SECONDS) as db,
                db.transaction(isolation="repeatable_read", readonly=True),
            ):
                await usecases.begin(db)
                patience.reschedule(asyncio.get_running_loop().time() + _PATIENCE_SECONDS)
                return await usecases.make(db, program=program, first=first, to=to, offer=offer)
        except (TimeoutError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError) as fault:
            detail = "The report takes too long now. Ask later, or for fewer days."
            raise Unavailable(detail, retry_after=5) from fault
