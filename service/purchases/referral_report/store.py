"""What reports of referrals are made from."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from asyncpg import Record

from service.earning.rules import Limit
from service.kernel.ids import lowest_id_at
from service.kernel.shares import Share
from service.platform.statements import Db, load
from service.purchases.referral_report.rules import WINDOWS, Asked, Claims, Counted, Vouchers
from service.referrals.rules import ReferralReason, ReferralState
from service.rewards.rules import Piece, Terms

_STATEMENTS = load(__file__)
_decode_limit = msgspec.json.Decoder(Limit).decode
_decode_terms = msgspec.json.Decoder(Terms).decode
_decode_spent = msgspec.json.Decoder(dict[str, int]).decode
_MARGIN: Final = timedelta(days=1)
"""Ids are of the database's time, and so are the times of the rows; this much they may lie apart."""
_NO_IDS_BEFORE: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def read_clicks(db: Db, *, program_id: int, first: date, to: date) -> dict[str | None, int]:
    """Read the clicks of some days, `to` not among them, by the offers of codes; None: customers' own codes."""
    rows = await db.fetch(_STATEMENTS["report_clicks"].sql, program_id, first, to)
    return {row["offer"]: row["clicks"] for row in rows}


def _claimed_in(asked: Asked, now: datetime) -> tuple[UUID, UUID, datetime, datetime]:
    until = min(asked.until, now) + _MARGIN
    return _id_before(asked.since), lowest_id_at(max(asked.since, until)), asked.since, asked.until


def _id_before(moment: datetime) -> UUID:
    """Return a bound below all ids of a moment and later: there are none from before 1970, where days may begin."""
    return lowest_id_at(max(moment - _MARGIN, _NO_IDS_BEFORE))


async def read_claims(db: Db, *, program_id: int, asked: Asked, now: datetime) -> list[Claims]:
    """Read where the claims of a time stand."""
    rows = await db.fetch(_STATEMENTS["report_claims"].sql, program_id, *_claimed_in(asked, now))
    return [
        Claims(
            row["offer"],
            ReferralState(row["state"]),
            None if row["reason"] is None else ReferralReason(row["reason"]),
            None if row["reached_limit"] is None else _decode_limit(row["reached_limit"]),
            *row[4:],
        )
        for row in rows
    ]


async def read_taken_back(db: Db, *, program_id: int, asked: Asked, now: datetime) -> dict[tuple[str, str], int]:
    """Read the points that reversed claims of a time took back, by offer and side (`referrer`, `referee`)."""
    rows = await db.fetch(_STATEMENTS["report_taken_back"].sql, program_id, *_claimed_in(asked, now))
    return {(row["offer"], row["side"]): row["points"] for row in rows}


async def read_vouchers(db: Db, *, program_id: int, asked: Asked, now: datetime) -> list[Vouchers]:
    """Read the vouchers that claims of a time gave, by offer and the version of the reward."""
    rows = await db.fetch(_STATEMENTS["report_vouchers"].sql, program_id, *_claimed_in(asked, now))
    return [Vouchers(row[0], Piece(UUID(int=0), None, _decode_terms(row[1])).value, row[2], row[3]) for row in rows]


async def read_parts(db: Db, *, program_id: int, asked: Asked, now: datetime) -> dict[str, Counted]:
    """Read what customers did who were enrolled in a time: `referees`, `others`, `ended`."""
    span = (program_id, asked.since, asked.until)
    oldest: datetime | None = await db.fetchval(_STATEMENTS["report_oldest"].sql, *span)
    after = _id_before(asked.since if oldest is None else min(oldest, asked.since))
    (first, second), (_, third) = WINDOWS
    rows = await db.fetch(_STATEMENTS["report_groups"].sql, *span, now, after, asked.offer, first, second, third)
    return {row["part"]: _counted(row) for row in rows}


def _counted(row: Record) -> Counted:
    again: Sequence[Share] = (Share(row["in_first"], row["of_first"]), Share(row["in_second"], row["of_second"]))
    return Counted(row["customers"], row["days"], row["bought"], row["purchases"], again, _decode_spent(row["spent"]))
