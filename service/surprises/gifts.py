"""Gifts that were drawn: where they stand, and how they are told. Pure."""

from datetime import date, datetime
from enum import Enum
from typing import Final
from uuid import UUID

import msgspec

from service.customers.suppressions.rules import SuppressionReason
from service.kernel.ids import to_wire
from service.points.account import Account
from service.points.policies import life_of
from service.points.rules import Cause
from service.programs.rules import Program

SURPRISE: Final = "surprise"
"""What causes points to be booked, and why."""
PREFIX: Final = "sur"
REVEALED: Final = "surprise.revealed"
TAKEN_BACK: Final = "surprise.taken_back"
_replace = msgspec.structs.replace


class GiftState(Enum):
    """Where a gift stands."""

    WAITING = "waiting"
    """It was drawn, and its moment hasn't come: nobody is told of it."""
    REVEALED = "revealed"
    STOPPED = "stopped"
    """When it was to be sent, the customer was suppressed, or gone. It was given back."""
    FAILED = "failed"
    """The reward couldn't be had any more. It was given back."""
    TAKEN_BACK = "taken_back"
    """What it was drawn for was returned."""


class Gift(msgspec.Struct, frozen=True):
    """A gift as it stands: so many points, or a voucher of a reward, drawn by a customer, by the internal id."""

    id: UUID
    campaign: UUID
    draw: UUID
    customer: int
    version: int
    prize: str
    points: int
    cost: int
    reward_id: str | None
    is_game: bool
    state: GiftState
    drawn_at: datetime
    reveal_at: datetime
    revealed_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    reversed: int = 0


class Halt(msgspec.Struct, frozen=True):
    """What a suppression stopped: an occasion, or with `gift` the sending of one that was drawn."""

    id: UUID
    campaign: UUID
    customer: int
    occasion: str
    gift: UUID | None
    reasons: tuple[SuppressionReason, ...]


class Stop(msgspec.Struct, frozen=True):
    """What was stopped: at the draw an occasion, or with `gift`, by its id, the sending of one that was drawn.

    `customer` is the internal id of then; `occasion` the name of what it was, or would have been, drawn for.
    """

    id: UUID
    customer: int
    occasion: str
    gift: UUID | None
    reasons: tuple[SuppressionReason, ...]
    stopped_at: datetime


class Play(msgspec.Struct, frozen=True):
    """A play: which of the customer's it was, what was paid for it, and what was won, if anything."""

    id: UUID
    campaign: UUID
    customer: int
    number: int
    played_on: date
    paid: int
    is_granted: bool
    hold: UUID | None


class ToldSurprise(msgspec.Struct, frozen=True):
    """A surprise as the answer to a purchase tells it, for ever. A reward's voucher comes a moment later."""

    id: UUID
    campaign: UUID
    prize: str
    points: int
    reward_id: str | None = None


def cause_of(gift_id: UUID) -> Cause:
    """Name a gift as what caused points to move."""
    return Cause(SURPRISE, to_wire(PREFIX, gift_id))


def grant(account: Account, gift_id: UUID, points: int, program: Program) -> None:
    """Move the points of a gift into an account, available at once, and tell of it."""
    lifetime = account.customer.lifetime_earned + points
    account.customer = _replace(account.customer, lifetime_earned=lifetime)
    account.grant(
        points,
        transfer_id=gift_id,
        cause=cause_of(gift_id),
        rule=None,
        rule_version=None,
        occurred_at=account.now,
        life=life_of(program.settings, "at_once", account.now),
    )
