"""What the room tells of: redemptions, rewards, vouchers."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
from asyncpg import Record

from service.events.kinds import EventKind, by_event
from service.events.rules import Placed
from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.platform.statements import Db
from service.points.rules import REDEMPTION_CAPTURED, REDEMPTION_HELD, REDEMPTION_LAPSED, REDEMPTION_RELEASED
from service.rewards import store
from service.rewards.usecases import (
    REWARD_CHANGED,
    REWARD_CREATED,
    VOUCHER_CANCELLED,
    VOUCHER_ISSUED,
    VOUCHER_REDEEMED,
)
from service.rewards.vouchers import last_characters


class RedemptionHeld(msgspec.Struct, frozen=True):
    """Points set aside until `expires_at`, for an order or a reward, where it was told or is one."""

    redemption_id: str
    points: int
    order_id: str | None
    reward_id: str | None
    expires_at: Time


class RedemptionCaptured(msgspec.Struct, frozen=True):
    """Points that were spent (`captured`) of those that were set aside; the rest was given back."""

    redemption_id: str
    points: int
    captured: int
    order_id: str | None
    reward_id: str | None
    captured_at: Time


class RedemptionEnded(msgspec.Struct, frozen=True):
    """Points that were set aside and given back, those whose end had come meanwhile expired."""

    redemption_id: str
    points: int
    order_id: str | None
    reward_id: str | None
    ended_at: Time


class RewardTold(msgspec.Struct, frozen=True):
    """A reward at the version that it had then. Its status and stock are read where it is kept."""

    reward_id: str
    version: int
    name: str
    points: int


class VoucherIssued(msgspec.Struct, frozen=True):
    """A voucher, by its own id; `redemption_id` where points bought it. `valid_until` null is for ever.

    A code buys things: only its last two characters are told, and none of one with fewer than twelve.
    """

    voucher_id: str
    redemption_id: str | None
    reward_id: str
    reward_version: int
    code_ends_in: str | None
    uses: int
    issued_at: Time
    valid_until: Time | None


class VoucherRedeemed(msgspec.Struct, frozen=True):
    """The `number`th of a voucher's `uses`, for an order. `discount` is null where the reward is none."""

    voucher_id: str
    reward_id: str
    code_ends_in: str | None
    order_id: str
    amount: int
    currency: str
    discount: int | None
    number: int
    uses: int
    used_at: Time


class VoucherEnded(msgspec.Struct, frozen=True):
    """A voucher that can't be redeemed any more."""

    voucher_id: str
    reward_id: str
    code_ends_in: str | None
    cancelled_at: Time


async def _redemptions(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, msgspec.Struct]:
    rows = await store.news_of_redemptions(db, program_id=program_id, hold_ids=[event.subject_id for event in events])
    found = {row["id"]: row for row in rows}
    return {event.id: _redemption(event.type, found[event.subject_id]) for event in events if event.subject_id in found}


def _redemption(kind: str, row: Record) -> msgspec.Struct:
    redemption_id, points, order_id = to_wire("hold", row["id"]), row["points"], row["order_id"]
    reward_id = None if row["reward_id"] is None else to_wire("rwd", row["reward_id"])
    if kind == REDEMPTION_HELD:
        return RedemptionHeld(redemption_id, points, order_id, reward_id, row["expires_at"])
    if kind == REDEMPTION_CAPTURED:
        return RedemptionCaptured(redemption_id, points, row["captured"], order_id, reward_id, row["ended_at"])
    return RedemptionEnded(redemption_id, points, order_id, reward_id, row["ended_at"])


async def _rewards(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, RewardTold]:
    rows = await store.news_of_rewards(db, program_id=program_id, events=events)
    return {
        row["event_id"]: RewardTold(to_wire("rwd", row["reward_id"]), row["version"], row["name"], row["points"])
        for row in rows
    }


async def _vouchers(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, msgspec.Struct]:
    rows = await store.news_of_vouchers(db, program_id=program_id, voucher_ids=[event.subject_id for event in events])
    found = {row["id"]: row for row in rows}
    return {event.id: _voucher(event.type, found[event.subject_id]) for event in events if event.subject_id in found}


def _voucher(kind: str, row: Record) -> msgspec.Struct:
    voucher_id, reward_id = to_wire("vch", row["id"]), to_wire("rwd", row["reward_id"])
    code_ends_in = last_characters(row["code"])
    if kind == VOUCHER_CANCELLED:
        return VoucherEnded(voucher_id, reward_id, code_ends_in, row["cancelled_at"])
    return VoucherIssued(
        voucher_id,
        None if row["redemption_id"] is None else to_wire("hold", row["redemption_id"]),
        reward_id,
        row["reward_version"],
        code_ends_in,
        row["uses"],
        row["issued_at"],
        row["valid_until"],
    )


async def _uses(db: Db, program_id: int, events: Sequence[Placed]) -> Mapping[UUID, VoucherRedeemed]:
    rows = await store.news_of_uses(db, program_id=program_id, use_ids=[event.subject_id for event in events])
    found = {
        row["id"]: VoucherRedeemed(
            to_wire("vch", row["voucher_id"]),
            to_wire("rwd", row["reward_id"]),
            last_characters(row["code"]),
            row["order_id"],
            row["amount"],
            row["currency"],
            row["discount"],
            row["number"],
            row["uses"],
            row["used_at"],
        )
        for row in rows
    }
    return by_event(events, found)


_REDEMPTION: Final = "hold_019aa5f0601c7b3e8d11223344556677"
_REWARD: Final = "rwd_019aa5f0601c7b3e8d11223344556677"
_VOUCHER: Final = "vch_019aa5f0601c7b3e8d11223344556677"
_TIME: Final = msgspec.convert("2026-11-21T10:00:00Z", Time)
_LATER: Final = msgspec.convert("2026-11-21T10:30:00Z", Time)
KINDS: Final = (
    EventKind(
        REDEMPTION_HELD,
        "Points were set aside for an order or a reward.",
        RedemptionHeld(_REDEMPTION, 500, "order-1002", None, _LATER),
        _redemptions,
    ),
    EventKind(
        REDEMPTION_CAPTURED,
        "Points that were set aside were spent, all or some.",
        RedemptionCaptured(_REDEMPTION, 500, 300, "order-1002", None, _TIME),
        _redemptions,
    ),
    EventKind(
        REDEMPTION_RELEASED,
        "A redemption was given up: its points were given back.",
        RedemptionEnded(_REDEMPTION, 500, "order-1002", None, _TIME),
        _redemptions,
    ),
    EventKind(
        REDEMPTION_LAPSED,
        "The time of a redemption ran out: its points were given back.",
        RedemptionEnded(_REDEMPTION, 500, None, _REWARD, _LATER),
        _redemptions,
    ),
    EventKind(
        REWARD_CREATED,
        "A reward was made.",
        RewardTold(_REWARD, 1, "10 % off", 500),
        _rewards,
        concerns_customer=False,
    ),
    EventKind(
        REWARD_CHANGED,
        "A reward's terms, status or stock changed.",
        RewardTold(_REWARD, 2, "10 % off", 400),
        _rewards,
        concerns_customer=False,
    ),
    EventKind(
        VOUCHER_ISSUED,
        "A customer got a voucher.",
        VoucherIssued(_VOUCHER, _REDEMPTION, _REWARD, 1, "HT", 1, _TIME, None),
        _vouchers,
    ),
    EventKind(
        VOUCHER_REDEEMED,
        "A voucher was redeemed for an order.",
        VoucherRedeemed(_VOUCHER, _REWARD, "HT", "order-1003", 5000, "EUR", 500, 1, 1, _TIME),
        _uses,
    ),
    EventKind(
        VOUCHER_CANCELLED,
        "A voucher was cancelled: it can't be redeemed any more.",
        VoucherEnded(_VOUCHER, _REWARD, "HT", _TIME),
        _vouchers,
    ),
)
