"""What customers are told of themselves, on the wire: `/v1/me`, the page and the widget show the same.

What other rooms show already has their structs. Nothing here tells odds, stock of prizes, or sides of comparisons.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from enum import Enum
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from service.earning.rules import INVOICE_PAID
from service.earning.ways import Way
from service.invoices.schemas import QuoteOut
from service.kernel.ids import from_wire
from service.kernel.times import Time
from service.platform.http.paging import Page
from service.points.rules import NEVER, Cause, Lot
from service.points.schemas import TransferOut
from service.referrals.book import Offer
from service.referrals.codes.schemas import CustomerReferralOut
from service.referrals.offers import Prize, RewardPrize
from service.rewards.schemas import RewardOut, VoucherOut
from service.surprises.games import Game, GamePrize
from service.surprises.gift_schemas import SurpriseOut
from service.tiers.schemas import BalanceOut

Item = TypeVar("Item")


class ListOut(msgspec.Struct, Generic[Item], frozen=True):
    """A short list, whole or the first of it."""

    data: list[Item]


class MoneyOut(msgspec.Struct, frozen=True):
    """An amount in minor units."""

    amount: int
    currency: str


class PartnerOut(msgspec.Struct, frozen=True):
    """Whose points these are, and what the customer may do with this token besides reading.

    `name` is the partner's for customers, `program` the program's code. `live` is false in test programs. Points are
    worth something in `currency`; days are those of `time_zone`. `accent` is a colour, `home` leads back to the shop.
    """

    name: str
    program: str
    live: bool
    currency: str
    time_zone: str
    accent: str
    home: str | None
    may_redeem: bool
    may_play: bool


class NextRewardOut(msgspec.Struct, frozen=True):
    """The reward that is nearest: the cheapest for which points are missing, else the dearest that can be had."""

    id: str
    name: str
    points: int
    missing_points: int
    available: bool


class MeOut(msgspec.Struct, frozen=True):
    """A customer at a glance. `value` is what the available points are worth; null: nothing can be told of it.

    `next_reward` is null where neither points are missing for a reward, nor one can be had.
    """

    customer_id: str
    name: str | None
    locale: str | None
    partner: PartnerOut
    balance: BalanceOut
    value: MoneyOut | None
    next_reward: NextRewardOut | None


class Until(Enum):
    """What pending points wait for."""

    DATE = "date"
    CONFIRMED = "confirmed"


class PendingOut(msgspec.Struct, frozen=True):
    """Points that can't be spent yet, and what brought them.

    `until` a `date`: they come at `available_at`, or before, once they are confirmed. Until `confirmed`: only then, and
    at `lapses_at` they are gone without it.
    """

    points: int
    cause: Cause
    available_at: Time | None
    until: Until
    lapses_at: Time | None


class ExpiringOut(msgspec.Struct, frozen=True):
    """So many of the available points end at that moment, unless they are spent before, or something keeps them."""

    points: int
    at: Time


class FriendPrizeOut(msgspec.Struct, frozen=True):
    """What one side of a referral gets: points, or a reward."""

    kind: Literal["points", "reward"]
    points: int
    reward_name: str | None


class WayOut(msgspec.Struct, frozen=True):
    """A way to earn points that is open to the customer now.

    By `kind`: `amount`: `points` for each `amount` of minor units of `currency`, or of `units` whole units of whatever
    currency; `items`: `points` for each `pieces` of certain items; `visit`: `points` for the first purchase of a day;
    `bonus`: `points` at once; `multiplier`: what other ways bring times `factor_basis_points` / 10,000; `tier`: the
    same, for the customer's tier; `referral`: what the customer and a `friend` get.

    `rewards` tells for what: a `purchase`, an `activity` (with its name), an `invoice` that is paid, a `referral`.
    `name` is null for what every purchase earns. `restricted`: there are conditions or limits besides. `ends_at` null:
    no end is set.
    """

    id: str
    kind: Literal["amount", "items", "visit", "bonus", "multiplier", "tier", "referral"]
    rewards: Literal["purchase", "activity", "invoice", "referral"]
    name: str | None
    points: int | None = None
    amount: int | None = None
    currency: str | None = None
    units: int | None = None
    pieces: int | None = None
    factor_basis_points: int | None = None
    activity: str | None = None
    own: FriendPrizeOut | None = None
    friend: FriendPrizeOut | None = None
    ends_at: Time | None = None
    restricted: bool = False


class MyTransactionOut(TransferOut, frozen=True):
    """One transfer of points between two buckets, and `why`, in words."""

    why: str


class OpenInvoiceOut(msgspec.Struct, frozen=True):
    """An invoice that isn't settled yet, and what closes it today."""

    id: str
    number: str | None
    issued_on: date
    due_on: date | None
    currency: str
    total: int
    open: int
    quote: QuoteOut


class GamePrizeOut(msgspec.Struct, frozen=True):
    """Something that a play may bring; `nothing` is a prize, too."""

    id: str
    kind: Literal["points", "reward", "nothing"]
    points: int
    reward_name: str | None


class GameOut(msgspec.Struct, frozen=True):
    """A game: a play costs `points`, or one that was `granted`. `open`: the customer can play now, with enough points.

    `left_today` null: as often a day as one likes; `left_granted` null: no play need be granted.
    """

    id: str
    name: str
    points: int
    granted: bool
    open: bool
    left_today: int | None
    left_granted: int | None
    prizes: list[GamePrizeOut]


class MyRedemption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which reward the customer wants."""

    reward_id: Annotated[str, Meta(min_length=1, max_length=128)]


class Everything(msgspec.Struct, frozen=True):
    """All that the page of a customer shows, as of one moment."""

    me: MeOut
    pending: list[PendingOut]
    expiring: list[ExpiringOut]
    ways: list[WayOut]
    rewards: list[RewardOut]
    vouchers: list[VoucherOut]
    transactions: Page[MyTransactionOut]
    referral: CustomerReferralOut
    invoices: list[OpenInvoiceOut]
    games: list[GameOut]
    surprises: list[SurpriseOut]


def pending_out(lot: Lot) -> PendingOut:
    """Render points that are held back. Those that never come by themselves wait for a confirmation alone."""
    comes_at = None if lot.lapses or lot.available_at == NEVER else lot.available_at
    return PendingOut(
        lot.remaining,
        lot.cause,
        comes_at,
        Until.CONFIRMED if comes_at is None else Until.DATE,
        lot.available_at if lot.lapses and lot.available_at != NEVER else None,
    )


def way_out(way: Way) -> WayOut:
    """Render a way to earn by a rule."""
    return WayOut(
        id=way.rule,
        kind=way.kind.value,
        rewards="purchase" if way.rewards is None else "invoice" if way.rewards == INVOICE_PAID else "activity",
        name=way.name,
        points=way.points,
        amount=way.amount,
        currency=way.currency,
        units=way.units,
        pieces=way.pieces,
        factor_basis_points=way.basis_points,
        activity=way.activity,
        ends_at=way.ends_at,
        restricted=way.restricted,
    )


def referral_way_out(offer: Offer, names: Mapping[UUID, str]) -> WayOut:
    """Render what a customer can offer others; `names` are those of `rewards_of`."""
    terms = offer.content
    own, friend = _prize_out(terms.referrer, names), _prize_out(terms.referee, names)
    points = None if own is None else own.points
    return WayOut(offer.id, "referral", "referral", terms.name, points, own=own, friend=friend, ends_at=terms.ends_at)


def rewards_of(offers: Iterable[Offer]) -> list[UUID]:
    """Give the ids of the rewards that offers have as prizes."""
    prizes = [each for offer in offers for each in (offer.content.referrer, offer.content.referee)]
    found = {from_wire("rwd", each.reward_id) for each in prizes if isinstance(each, RewardPrize)}
    return sorted(each for each in found if each is not None)


def _prize_out(prize: Prize | None, names: Mapping[UUID, str]) -> FriendPrizeOut | None:
    if isinstance(prize, RewardPrize):
        its_id = from_wire("rwd", prize.reward_id)
        return FriendPrizeOut("reward", 0, None if its_id is None else names.get(its_id))
    return None if prize is None else FriendPrizeOut("points", prize.points, None)


def game_out(game: Game) -> GameOut:
    """Render a game."""
    return GameOut(
        game.wire_id,
        game.name,
        game.trigger.points,
        game.trigger.granted,
        game.is_open,
        game.left_today,
        game.left_granted,
        [_game_prize_out(each) for each in game.prizes],
    )


def _game_prize_out(prize: GamePrize) -> GamePrizeOut:
    kind = "nothing" if prize.is_nothing else "points" if prize.points else "reward"
    return GamePrizeOut(prize.id, kind, prize.points, prize.reward_name)
