"""Rows of rewards, of their stock, and of vouchers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Record

from service.events.rules import Placed
from service.platform.statements import Db, load
from service.rewards.rules import CodeSource, Piece, Reward, RewardStatus, Terms
from service.rewards.vouchers import Use, Voucher

_STATEMENTS = load(__file__)
_decode_terms = msgspec.json.Decoder(Terms).decode


def _reward(row: Record) -> Reward:
    status, codes = RewardStatus(row["status"]), CodeSource(row["codes"])
    terms = _decode_terms(row["terms"])
    numbers = (row["stock"], row["taken"], row["created_at"])
    return Reward(row["id"], row["version"], status, codes, *numbers, terms, row["lapsed"])


async def insert_reward(db: Db, *, program_id: int, reward: Reward) -> None:
    """Add a reward with its first version."""
    statement = _STATEMENTS["reward_insert"].sql
    status, codes = reward.status.value, reward.codes.value
    await db.execute(statement, program_id, reward.id, status, codes, reward.stock, reward.created_at)
    await insert_version(db, program_id=program_id, reward=reward, now=reward.created_at)


async def insert_version(db: Db, *, program_id: int, reward: Reward, now: datetime) -> None:
    """Add a version of a reward's terms."""
    text = msgspec.json.encode(reward.terms).decode()
    await db.execute(_STATEMENTS["version_insert"].sql, program_id, reward.id, reward.version, text, now)


async def list_rewards(
    db: Db, *, program_id: int, before: UUID, limit: int, status: RewardStatus | None
) -> list[Reward]:
    """Read up to `limit` rewards with an id below `before`, newest first."""
    only = None if status is None else status.value
    return [_reward(row) for row in await db.fetch(_STATEMENTS["reward_list"].sql, program_id, before, limit, only)]


async def read_reward(db: Db, *, program_id: int, reward_id: UUID) -> Reward | None:
    """Read a reward, unlocked."""
    row = await db.fetchrow(_STATEMENTS["reward_read"].sql, program_id, reward_id)
    return None if row is None else _reward(row)


async def lock_rewards(db: Db, *, program_id: int, reward_ids: Sequence[UUID]) -> None:
    """Lock rewards, sorted by their ids. Shared rows come last: nothing else is locked behind them."""
    await db.execute(_STATEMENTS["reward_lock"].sql, program_id, reward_ids)


async def update_reward(db: Db, *, program_id: int, reward: Reward) -> None:
    """Write a locked reward's version, status and stock."""
    statement = _STATEMENTS["reward_update"].sql
    await db.execute(statement, program_id, reward.id, reward.version, reward.status.value, reward.stock)


async def count_pieces(db: Db, *, program_id: int, customer_id: int, reward_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Count the pieces of rewards that a customer has, held or issued and not lapsed; those without are missing."""
    rows = await db.fetch(_STATEMENTS["piece_count"].sql, program_id, customer_id, reward_ids)
    return {row["reward_id"]: row["pieces"] for row in rows}


async def take_piece(
    db: Db,
    *,
    program_id: int,
    reward: Reward,
    piece_id: UUID,
    customer_id: int,
    now: datetime,
    expires_at: datetime | None,
    order_id: str | None,
) -> bool:
    """Take a piece of a reward as it was read; False where it isn't so any more, or none is left."""
    statement = _STATEMENTS["piece_take"].sql
    row = (piece_id, customer_id, now, expires_at, order_id)
    return None is not await db.fetchval(statement, program_id, reward.id, reward.version, *row)


async def give_back_pieces(db: Db, *, program_id: int, piece_ids: Sequence[UUID]) -> list[UUID]:
    """Give back the pieces that are held; gives the rewards that they are of, one for each piece."""
    rows = await db.fetch(_STATEMENTS["piece_give_back"].sql, program_id, piece_ids)
    reward_ids = [row["reward_id"] for row in rows]
    if reward_ids:
        await lock_rewards(db, program_id=program_id, reward_ids=reward_ids)
        await db.execute(_STATEMENTS["reward_give_back"].sql, program_id, reward_ids)
    return [row["id"] for row in rows]


async def read_piece(db: Db, *, program_id: int, piece_id: UUID) -> Piece | None:
    """Read a piece by its id, which is that of its hold or draw."""
    row = await db.fetchrow(_STATEMENTS["piece_read"].sql, program_id, piece_id)
    return None if row is None else Piece(row["reward_id"], row["order_id"], _decode_terms(row["terms"]))


async def lapsed_of_sold_out(db: Db, *, program_id: int, reward_id: UUID, count: int) -> list[tuple[UUID, str]]:
    """Find up to `count` lapsed pieces of a reward that has none left, and whose they are (`customer_id`)."""
    rows = await db.fetch(_STATEMENTS["piece_lapsed_of_sold_out"].sql, program_id, reward_id, count)
    return [(row["id"], row["external_id"]) for row in rows]


async def list_lapsed(db: Db, *, program_id: int, after: UUID, count: int) -> list[tuple[UUID, str]]:
    """Find the next `count` lapsed pieces behind an id, and whose they are (`customer_id`)."""
    rows = await db.fetch(_STATEMENTS["piece_lapsed_list"].sql, program_id, after, count)
    return [(row["id"], row["external_id"]) for row in rows]


async def ended_pieces(db: Db, *, program_id: int, piece_ids: Sequence[UUID]) -> list[UUID]:
    """Tell which of these pieces are held although their hold was released or lapsed."""
    return [row["id"] for row in await db.fetch(_STATEMENTS["piece_ended"].sql, program_id, piece_ids)]


async def piece_states(db: Db, *, program_id: int, piece_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Read in which state pieces are; the unknown ones are missing."""
    rows = await db.fetch(_STATEMENTS["piece_states"].sql, program_id, piece_ids)
    return {row["id"]: row["state"] for row in rows}


async def issue_piece(db: Db, *, program_id: int, piece_id: UUID) -> tuple[UUID, int, int] | None:
    """Make a held piece an issued one; gives its reward, the version and the customer. None where it isn't held."""
    row = await db.fetchrow(_STATEMENTS["piece_issue"].sql, program_id, piece_id)
    return None if row is None else (row[0], row[1], row[2])


async def read_version(db: Db, *, program_id: int, reward_id: UUID, version: int) -> tuple[Terms, CodeSource]:
    """Read a reward's terms at a version that exists, and whose codes its vouchers have."""
    row = await db.fetchrow(_STATEMENTS["version_read"].sql, program_id, reward_id, version)
    if row is None:
        raise LookupError(reward_id)
    return _decode_terms(row["terms"]), CodeSource(row["codes"])


async def load_codes(
    db: Db, *, program_id: int, reward_id: UUID, codes: Sequence[str], ids: Sequence[UUID]
) -> set[str]:
    """Add codes to a locked reward and its stock; gives those that are new to the program."""
    rows = await db.fetch(_STATEMENTS["code_insert"].sql, program_id, reward_id, ids, codes)
    await db.execute(_STATEMENTS["reward_stock_up"].sql, program_id, reward_id, len(rows))
    return {row["code"] for row in rows}


async def hand_out_code(db: Db, *, program_id: int, reward_id: UUID, voucher_id: UUID) -> str | None:
    """Hand out a loaded code; None where there is none left."""
    return await db.fetchval(_STATEMENTS["code_hand_out"].sql, program_id, reward_id, voucher_id)


async def insert_voucher(db: Db, *, program_id: int, voucher: Voucher) -> bool:
    """Add a voucher; False where another one has its code."""
    return None is not await db.fetchval(
        _STATEMENTS["voucher_insert"].sql,
        program_id,
        voucher.id,
        voucher.code,
        voucher.reward_id,
        voucher.reward_version,
        voucher.customer_id,
        voucher.uses,
        voucher.issued_at,
        voucher.valid_until,
    )


def _voucher(row: Record) -> Voucher:
    generated = CodeSource(row["codes"]) is CodeSource.GENERATED
    return Voucher(row["id"], row["code"], generated, *row[3:11], terms=_decode_terms(row["terms"]))


async def voucher_with_id(db: Db, *, program_id: int, voucher_id: UUID) -> Voucher | None:
    """Read a voucher by its id, which is that of its piece."""
    row = await db.fetchrow(_STATEMENTS["voucher_with_id"].sql, program_id, voucher_id)
    return None if row is None else _voucher(row)


async def find_voucher(db: Db, *, program_id: int, spellings: Sequence[str]) -> Voucher | None:
    """Read a voucher by its code, in one of some spellings, of which the first counts before the others."""
    row = await db.fetchrow(_STATEMENTS["voucher_read"].sql, program_id, spellings)
    return None if row is None else _voucher(row)


async def lock_voucher(db: Db, *, program_id: int, voucher_id: UUID) -> Voucher | None:
    """Lock a voucher and read it as it is then."""
    await db.execute(_STATEMENTS["voucher_lock"].sql, program_id, voucher_id)
    return await voucher_with_id(db, program_id=program_id, voucher_id=voucher_id)


async def read_use(db: Db, *, program_id: int, voucher_id: UUID, order_id: str) -> Use | None:
    """Read the use of a voucher for an order."""
    row = await db.fetchrow(_STATEMENTS["use_read"].sql, program_id, voucher_id, order_id)
    return None if row is None else Use(*row)


async def add_use(db: Db, *, program_id: int, voucher_id: UUID, use: Use) -> None:
    """Add a use of a locked voucher, and count it."""
    row = (use.id, use.number, use.order_id, use.amount, use.currency, use.discount, use.used_at)
    await db.execute(_STATEMENTS["use_insert"].sql, program_id, voucher_id, *row)
    await db.execute(_STATEMENTS["voucher_count"].sql, program_id, voucher_id)


async def cancel_voucher(db: Db, *, program_id: int, voucher_id: UUID, now: datetime) -> None:
    """Write that a locked voucher is cancelled."""
    await db.execute(_STATEMENTS["voucher_cancel"].sql, program_id, voucher_id, now)


async def rehome(db: Db, *, program_id: int, source: int, target: int) -> None:
    """Let pieces and vouchers of one customer be another's, by internal ids; both are locked."""
    for statement in ("piece_rehome", "voucher_rehome"):
        await db.execute(_STATEMENTS[statement].sql, program_id, source, target)


async def held_pieces(db: Db, *, program_id: int, customers: Sequence[int]) -> list[UUID]:
    """Read the ids of pieces that customers hold, by internal ids."""
    return [row["id"] for row in await db.fetch(_STATEMENTS["piece_held"].sql, program_id, customers)]


async def vouchers_of(db: Db, *, program_id: int, customer_id: int) -> list[Voucher]:
    """Read all vouchers of a customer, the oldest first."""
    return [_voucher(row) for row in await db.fetch(_STATEMENTS["voucher_list"].sql, program_id, customer_id)]


async def first_vouchers_of(db: Db, *, program_id: int, customer_id: int, now: datetime, limit: int) -> list[Voucher]:
    """Read up to `limit` vouchers of a customer: those that can be used now, then the newest."""
    rows = await db.fetch(_STATEMENTS["voucher_first_list"].sql, program_id, customer_id, now, limit)
    return [_voucher(row) for row in rows]


async def vouchers_with_ids(db: Db, *, program_id: int, voucher_ids: Sequence[UUID]) -> dict[UUID, Voucher]:
    """Read vouchers by their ids; those that were not issued are missing."""
    rows = await db.fetch(_STATEMENTS["voucher_with_ids"].sql, program_id, voucher_ids)
    return {row["id"]: _voucher(row) for row in rows}


async def read_names(db: Db, *, program_id: int, reward_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Read what rewards are called now; the unknown ones are missing."""
    rows = await db.fetch(_STATEMENTS["reward_names"].sql, program_id, reward_ids)
    return {row["id"]: row["name"] for row in rows}


async def news_of_redemptions(db: Db, *, program_id: int, hold_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of redemptions."""
    return await db.fetch(_STATEMENTS["redemption_news"].sql, program_id, hold_ids)


async def news_of_rewards(db: Db, *, program_id: int, events: Sequence[Placed]) -> list[Record]:
    """Read what is told of rewards: what they were when the events were recorded."""
    statement, ids = _STATEMENTS["reward_news"].sql, [event.id for event in events]
    times = [event.recorded_at for event in events]
    return await db.fetch(statement, program_id, ids, [event.subject_id for event in events], times)


async def news_of_vouchers(db: Db, *, program_id: int, voucher_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of vouchers."""
    return await db.fetch(_STATEMENTS["voucher_news"].sql, program_id, voucher_ids)


async def news_of_uses(db: Db, *, program_id: int, use_ids: Sequence[UUID]) -> list[Record]:
    """Read what is told of uses of vouchers."""
    return await db.fetch(_STATEMENTS["use_news"].sql, program_id, use_ids)
