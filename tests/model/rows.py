"""What the database holds of a program, read as one document: after each step it is held against the model."""

from datetime import datetime
from uuid import UUID

import msgspec

from service.platform.statements import Db


class CustomerRow(msgspec.Struct, frozen=True):
    """A record: a customer's, or one that went into another one or was erased."""

    id: int
    external_id: str | None
    available: int
    pending: int
    held: int
    debt: int
    lifetime_earned: int
    purchase_count: int
    alive_until: datetime | None
    merged_into: int | None
    is_erased: bool
    is_due: bool


class LotRow(msgspec.Struct, frozen=True):
    """A lot; `ends_at` None: never, or as the customer's inactivity says."""

    id: UUID
    customer_id: int
    cause_type: str
    cause_id: str
    granted: int
    remaining: int
    expired: int
    is_pending: bool
    slides: bool
    available_at: datetime
    ends_at: datetime | None


class HoldRow(msgspec.Struct, frozen=True):
    """A hold, with what it took from which lot: held, captured, restored."""

    customer_id: int
    id: UUID
    status: str
    points: int
    captured: int
    order_id: str | None
    expires_at: datetime
    parts: dict[UUID, tuple[int, int, int]]


class MoveRow(msgspec.Struct, frozen=True):
    """All transfers of a record alike, added up."""

    customer_id: int
    reason: str
    source: str
    target: str
    cause_type: str
    cause_id: str
    points: int


class AdjustmentRow(msgspec.Struct, frozen=True):
    """An adjustment; `is_decided`: another key, or an erasure, decided on it."""

    id: UUID
    points: int
    status: str
    is_decided: bool


class RewardRow(msgspec.Struct, frozen=True):
    """A reward, and how many of its pieces are held or issued."""

    id: UUID
    taken: int


class PieceRow(msgspec.Struct, frozen=True):
    """A piece of a reward, with the id of its hold."""

    id: UUID
    customer_id: int
    state: str


class VoucherRow(msgspec.Struct, frozen=True):
    """A voucher, and how often it was used."""

    code: str
    used: int
    is_cancelled: bool


class NoticeRow(msgspec.Struct, frozen=True):
    """What a customer was told when: so many points end at that moment."""

    customer_id: int
    points: int
    ends_at: datetime
    told_at: datetime


class Rows(msgspec.Struct, frozen=True):
    """What the database holds of the program."""

    customers: list[CustomerRow]
    lots: list[LotRow]
    holds: list[HoldRow]
    moves: list[MoveRow]
    adjustments: list[AdjustmentRow]
    rewards: list[RewardRow]
    pieces: list[PieceRow]
    vouchers: list[VoucherRow]
    notices: list[NoticeRow]


_TABLES = {
    "customers": """
        SELECT c.id, c.external_id, c.available, c.pending, c.held, c.debt, c.lifetime_earned, c.purchase_count,
            c.alive_until, c.merged_into, c.erased_at IS NOT NULL AS is_erased,
            coalesce(c.next_due_at <= clock_timestamp(), FALSE) AS is_due
        FROM customer AS c WHERE c.program_id = $1
    """,
    "lots": """
        SELECT l.id, l.customer_id, l.cause_type, l.cause_id, l.granted, l.remaining, l.expired, l.is_pending, l.slides,
            l.available_at, nullif(l.expires_at, 'infinity') AS ends_at
        FROM lot AS l WHERE l.program_id = $1
        ORDER BY l.id
    """,
    "holds": """
        SELECT h.customer_id, h.id, h.status, h.points, h.captured, h.order_id, h.expires_at,
            (
                SELECT json_object_agg(p.lot_id, ARRAY[p.points, p.captured, p.restored])
                FROM hold_part AS p WHERE p.program_id = h.program_id AND p.hold_id = h.id
            ) AS parts
        FROM hold AS h WHERE h.program_id = $1
    """,
    "moves": """
        SELECT t.customer_id, t.reason, t.from_bucket::text AS source, t.to_bucket::text AS target, t.cause_type,
            t.cause_id, sum(t.points)::bigint AS points
        FROM transfer AS t WHERE t.program_id = $1 GROUP BY 1, 2, 3, 4, 5, 6
    """,
    "adjustments": """
        SELECT a.id, a.points, a.status, a.decided_at IS NOT NULL AS is_decided
        FROM adjustment AS a WHERE a.program_id = $1
    """,
    "rewards": "SELECT r.id, r.taken FROM reward AS r WHERE r.program_id = $1",
    "pieces": "SELECT p.id, p.customer_id, p.state FROM reward_piece AS p WHERE p.program_id = $1",
    "vouchers": """
        SELECT v.code, v.used, v.cancelled_at IS NOT NULL AS is_cancelled FROM voucher AS v WHERE v.program_id = $1
    """,
    "notices": """
        SELECT n.customer_id, n.points, n.ends_at, n.told_at FROM expiry_notice AS n WHERE n.program_id = $1
        ORDER BY n.id
    """,
}
_LISTS = [
    f"'{name}', (SELECT coalesce(json_agg(listed), '[]') FROM ({sql}) AS listed)" for name, sql in _TABLES.items()
]
_ALL = f"SELECT json_build_object({', '.join(_LISTS)})"
_decode = msgspec.json.Decoder(Rows).decode


async def read_rows(owner: Db, program_id: int) -> Rows:
    """Read all rows of a program."""
    return _decode(await owner.fetchval(_ALL, program_id))
