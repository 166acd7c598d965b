"""Surprises on the wire, once they are revealed."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.customers.rules import Balance
from service.kernel.ids import CallerId, to_wire
from service.kernel.times import Time
from service.rewards.vouchers import Voucher
from service.surprises.book import PREFIX as CAMPAIGN_PREFIX
from service.surprises.gifts import PREFIX, Gift, GiftState, ToldSurprise
from service.surprises.playing import Played


class DrawnSurprise(msgspec.Struct, frozen=True):
    """What was drawn for a purchase: points, which are in its balance, or a reward, whose voucher comes a moment later.

    `GET /v1/surprises/{id}` tells the voucher then.
    """

    id: str
    campaign_id: str
    prize: str
    kind: Literal["points", "reward"]
    points: int
    reward_id: str | None = None


def drawn_out(told: ToldSurprise) -> DrawnSurprise:
    """Render what was drawn for a purchase."""
    return DrawnSurprise(
        to_wire(PREFIX, told.id),
        to_wire(CAMPAIGN_PREFIX, told.campaign),
        told.prize,
        "points" if told.reward_id is None else "reward",
        told.points,
        told.reward_id,
    )


class PlayPrize(msgspec.Struct, frozen=True):
    """What a play won: points, which are in the balance, or a reward, whose voucher comes a moment later."""

    surprise_id: str
    prize: str
    kind: Literal["points", "reward"]
    points: int
    reward_id: str | None = None


class NewPlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who plays."""

    customer_id: CallerId


class PlayOut(msgspec.Struct, frozen=True):
    """A play, the `number`th of its customer, what was paid for it, and what was won; `prize` null: nothing.

    `left_today` null: there is no bound; `left_granted` null: no play need be granted.
    """

    id: str
    campaign_id: str
    customer_id: str
    number: int
    paid: int
    prize: PlayPrize | None
    balance: Balance
    left_today: int | None
    left_granted: int | None


class NewPlayGrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many plays for a customer."""

    customer_id: CallerId
    plays: Annotated[int, Meta(ge=1, le=1000)] = 1


class PlayGrantOut(msgspec.Struct, frozen=True):
    """Plays that were granted to a customer, and how many are left now."""

    id: str
    campaign_id: str
    customer_id: str
    plays: int
    left_granted: int


class ListedCustomers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Customers for the list of a campaign."""

    customer_ids: Annotated[tuple[CallerId, ...], Meta(min_length=1, max_length=500)]


class ListedOut(msgspec.Struct, frozen=True):
    """How many were put on the list; the others are on it already, or unknown."""

    added: int
    unknown: list[str]


class SurpriseOut(msgspec.Struct, frozen=True):
    """A gift that was revealed. Only a reward has a voucher; it has a code once it is issued.

    `taken_back`: what it was drawn for was returned.
    """

    id: str
    campaign_id: str
    customer_id: str | None
    prize: str
    kind: Literal["points", "reward"]
    points: int
    reward_id: str | None
    voucher_code: str | None
    state: Literal["revealed", "taken_back"]
    revealed_at: Time


def play_out(customer_id: str, played: Played) -> PlayOut:
    """Render a play."""
    play, won = played.play, played.won
    return PlayOut(
        to_wire("play", play.id),
        to_wire(CAMPAIGN_PREFIX, play.campaign),
        customer_id,
        play.number,
        play.paid,
        None
        if won is None
        else PlayPrize(
            to_wire(PREFIX, won.id),
            won.prize,
            "points" if won.reward_id is None else "reward",
            won.points,
            won.reward_id,
        ),
        played.balance,
        played.left_today,
        played.left_granted,
    )


def surprise_out(gift: Gift, customer_id: str | None, voucher: Voucher | None) -> SurpriseOut:
    """Render a gift that was revealed."""
    assert gift.revealed_at is not None  # noqa: S101 - others are told to nobody
    return SurpriseOut(
        to_wire(PREFIX, gift.id),
        to_wire(CAMPAIGN_PREFIX, gift.campaign),
        customer_id,
        gift.prize,
        "points" if gift.reward_id is None else "reward",
        gift.points,
        gift.reward_id,
        None if voucher is None else voucher.code,
        "taken_back" if gift.state is GiftState.TAKEN_BACK else "revealed",
        gift.revealed_at,
    )
