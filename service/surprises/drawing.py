"""What an occasion comes to for a customer: held out or not, drawn or not, which prize. Pure.

A batch of occasions reads what is known before, decides with it one after the other, and writes all rows together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from service.customers.rules import Customer
from service.customers.suppressions.rules import SuppressionReason
from service.earning.contexts import Selection
from service.kernel.ids import IdSource
from service.programs.rules import Program
from service.programs.surprise_policy import SurprisePolicy
from service.surprises.book import RunningCampaign
from service.surprises.campaigns import NoGift, PointsGift, RewardGift
from service.surprises.chance import (
    Keyed,
    drawn,
    is_held_out,
    is_held_out_of_all,
    mask_of,
    pick,
    pseudonym_of,
)
from service.surprises.had import Arm, Had, OfCampaign, read_had, write_had
from service.surprises.purse import COST, POINTS, Purse, stock_of

_replace = msgspec.structs.replace
_NOTHING_SHOWN: Final = Selection(())
_DAY: Final = 86_400
_NO_SECRET: Final = Keyed(b"")
OF_PROGRAM: Final = UUID(int=0)
"""In place of a campaign: the program's own holdout."""


class Draw(msgspec.Struct, frozen=True):
    """A draw: the number u of a customer's occasion, and what was left of each prize as it saw them.

    `lefts` come by the prizes of the campaign's version, None: without a limit. `prize` is the place of what was drawn.
    """

    campaign: UUID
    id: UUID
    customer: int
    occasion: str
    version: int
    u: int
    lefts: tuple[int | None, ...]
    prize: int


class Surprise(msgspec.Struct, frozen=True):
    """A gift that was drawn. It comes at `reveal_at`, of points or of a reward, and cost so much."""

    id: UUID
    campaign: UUID
    draw: UUID
    customer: int
    version: int
    prize: str
    points: int
    cost: int
    reward_id: str | None
    reveal_at: datetime
    drawn_at: datetime
    game: bool = False


class Enrolled(msgspec.Struct, frozen=True):
    """A customer's first occasion of a campaign, or of any (`OF_PROGRAM`), with the side that the lot put them on."""

    campaign: UUID
    customer: int
    held_out: bool


class Stopped(msgspec.Struct, frozen=True):
    """An occasion at which a customer was suppressed."""

    campaign: UUID
    customer: int
    occasion: str
    reasons: tuple[SuppressionReason, ...]


class Due(msgspec.Struct, frozen=True):
    """An occasion of a customer, by the internal id: its name, and from when to when a gift for it may come."""

    customer: int
    occasion: str
    first: datetime
    end: datetime


class Occurred(msgspec.Struct, frozen=True):
    """An occasion of a customer: what it is called, the id of its draw, and how long after it a gift comes."""

    name: str
    draw: UUID
    reveal_at: datetime


class Offer(NamedTuple):
    """What a campaign has to give: what is left of each prize (None: without a limit), and the weights of what is.

    It `gives` where any of these is something.
    """

    lefts: tuple[int | None, ...]
    weights: tuple[int, ...]
    gives: bool


def _never(_: str) -> bool:
    return False


@dataclass(slots=True)
class Drawing:
    """The draws of a batch. `secret` is the program's own; what is to be written besides customers' rows adds up."""

    program: Program
    now: datetime
    ids: IdSource
    shown: Selection = _NOTHING_SHOWN
    """What the expressions of audiences name."""
    secret: Keyed = _NO_SECRET
    campaigns: Sequence[RunningCampaign] = ()
    is_forgotten: Callable[[str], bool] = _never
    """Whether rows need keep nothing more of a campaign, by the hex digits of its id."""
    suppressed: Mapping[int, Sequence[SuppressionReason]] = field(
        default_factory=dict[int, Sequence[SuppressionReason]]
    )
    purse: Purse = field(default_factory=Purse)
    draws: list[Draw] = field(default_factory=list[Draw])
    gifts: list[Surprise] = field(default_factory=list[Surprise])
    enrolled: list[Enrolled] = field(default_factory=list[Enrolled])
    stopped: list[Stopped] = field(default_factory=list[Stopped])
    revealed: set[UUID] = field(default_factory=set[UUID])
    """Those of the gifts, by their ids, that are revealed at once."""
    _offers: dict[str, Offer] = field(default_factory=dict[str, Offer])
    _masks: dict[int, bytes] = field(default_factory=dict[int, bytes])
    _had: dict[int, tuple[str | None, Had]] = field(default_factory=dict[int, tuple[str | None, Had]])

    policy: SurprisePolicy = field(init=False)
    """What the program says of all its surprises."""

    _second: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing drawn."""
        self.policy = self.program.settings.surprises
        self._second = int(self.now.timestamp())

    def had(self, customer: Customer) -> Had:
        """Return what a customer had so far; what the row holds of it is read once, and again where it is another."""
        known = self._had.get(customer.id)
        if known is None or known[0] != customer.surprises:
            known = self._had[customer.id] = customer.surprises, read_had(customer.surprises)
        return known[1]

    def keep(self, customer: Customer, had: Had) -> Customer:
        """Return the customer with what was had now."""
        text = write_had(had)
        self._had[customer.id] = text, had
        return _replace(customer, surprises=text)

    def occur(self, its: RunningCampaign, customer: Customer, occasion: Occurred) -> tuple[Customer, Surprise | None]:
        """Decide on an occasion whose audience the customer is in; gives the customer after it, and what was drawn.

        It is none where the campaign can give nothing now: so nobody is enrolled any more on either side.
        """
        if not self.offer(its).gives:
            return customer, None
        if customer.is_suppressed:
            reasons = self.suppressed.get(customer.id)
            if reasons:
                self.stopped.append(Stopped(its.id, customer.id, occasion.name, tuple(reasons)))
                return customer, None
        had = self.had(customer)
        of = had.of(its.hex)
        if of.arm is Arm.UNKNOWN or had.arm is Arm.UNKNOWN:
            before, had = had, self._enrol(its, customer, had, of)
            if had is not before:
                customer, of = self.keep(customer, had), had.of(its.hex)
        if had.arm is Arm.HELD_OUT or of.arm is Arm.HELD_OUT or self._is_limited(its, had, of):
            return customer, None
        return self.draw(its, customer, had, occasion)

    def draw(
        self, its: RunningCampaign, customer: Customer, had: Had, occasion: Occurred
    ) -> tuple[Customer, Surprise | None]:
        """Draw a prize of what is left, and take it; nothing may be among them."""
        offer, pseudonym = self.offer(its), self.pseudonym(its, customer)
        u = drawn(its.key, campaign=its.wire, pseudonym=pseudonym, occasion=occasion.name)
        place = pick(u, offer.weights)
        if place is None:
            return customer, None
        prize = its.content.prizes[place]
        self.draws.append(Draw(its.id, occasion.draw, customer.id, occasion.name, its.version, u, offer.lefts, place))
        if isinstance(prize.gift, NoGift):
            return customer, None
        points = prize.gift.points if isinstance(prize.gift, PointsGift) else 0
        if its.is_limited:
            self.purse.take(its.id, stock_of(prize.id), 1)
            self.purse.take(its.id, POINTS, points)
            self.purse.take(its.id, COST, prize.cost)
            del self._offers[its.hex]
        gift = Surprise(
            self.ids.next(),
            its.id,
            occasion.draw,
            customer.id,
            its.version,
            prize.id,
            points,
            prize.cost,
            prize.gift.reward_id if isinstance(prize.gift, RewardGift) else None,
            occasion.reveal_at,
            self.now,
            its.is_game,
        )
        self.gifts.append(gift)
        of = had.of(its.hex)
        had = had.with_campaign(its.hex, _replace(of, gifts=of.gifts + 1))
        if not gift.game:
            had = had.with_gift(self.now)
        return self.keep(customer, had), gift

    def pseudonym(self, its: RunningCampaign, customer: Customer) -> str:
        """Name a customer in a campaign's draws."""
        mask = self._masks.get(customer.id)
        if mask is None:
            mask = self._masks[customer.id] = mask_of(self.secret, customer.id)
        return pseudonym_of(mask, its.id)

    def has_all(self, its: RunningCampaign, customer: Customer) -> bool:
        """Tell whether a customer had all gifts of a campaign that there are for each."""
        return _has_all(its, self.had(customer).of(its.hex))

    def offer(self, its: RunningCampaign) -> Offer:
        """Return what a campaign has to give now: by the stock of its prizes, and by the budgets."""
        known = self._offers.get(its.hex)
        if known is None:
            lefts = self._lefts(its) if its.is_limited else its.unlimited
            known = self._offers[its.hex] = _offer(its, lefts)
        return known

    def _lefts(self, its: RunningCampaign) -> tuple[int | None, ...]:
        points, cost, found = self.purse.left(its.id, POINTS), self.purse.left(its.id, COST), list[int | None]()
        for prize in its.content.prizes:
            if isinstance(prize.gift, NoGift):
                found.append(None)
                continue
            bounds = [self.purse.left(its.id, stock_of(prize.id))]
            if points is not None and isinstance(prize.gift, PointsGift):
                bounds.append(points // prize.gift.points)
            if cost is not None and prize.cost:
                bounds.append(cost // prize.cost)
            found.append(min((each for each in bounds if each is not None), default=None))
        return tuple(found)

    def _enrol(self, its: RunningCampaign, customer: Customer, had: Had, of: OfCampaign) -> Had:
        """Note the first occasion of all and that of the campaign, with the side that the lot puts the customer on."""
        if had.arm is Arm.UNKNOWN:
            share = self.policy.holdout
            held_out = is_held_out_of_all(self.secret, customer=customer.id, share=share)
            self.enrolled.append(Enrolled(OF_PROGRAM, customer.id, held_out))
            had = _replace(had.without(self.is_forgotten), arm=Arm.HELD_OUT if held_out else Arm.TREATED)
        if of.arm is Arm.UNKNOWN and had.arm is Arm.TREATED:
            share, pseudonym = its.content.holdout, self.pseudonym(its, customer)
            held_out = is_held_out(its.key, campaign=its.wire, pseudonym=pseudonym, share=share)
            self.enrolled.append(Enrolled(its.id, customer.id, held_out))
            arm = Arm.HELD_OUT if held_out else Arm.TREATED
            had = had.without(self.is_forgotten).with_campaign(its.hex, _replace(of, arm=arm))
        return had

    def _is_limited(self, its: RunningCampaign, had: Had, of: OfCampaign) -> bool:
        """Tell whether a limit for each customer stands against a gift."""
        policy, given = self.policy, had.given
        if _has_all(its, of):
            return True
        if its.is_game:
            return False
        if given and self._second < given[-1] + policy.cool_down_days * _DAY:
            return True
        if policy.per_year is None or len(given) < policy.per_year:
            return False
        return had.in_year(self.now) >= policy.per_year


def _has_all(its: RunningCampaign, of: OfCampaign) -> bool:
    most = its.content.gifts_per_customer
    return most is not None and of.gifts >= most


def _offer(its: RunningCampaign, lefts: tuple[int | None, ...]) -> Offer:
    prizes = its.content.prizes
    weights = tuple([0 if left == 0 else each.weight for each, left in zip(prizes, lefts, strict=True)])
    gives = any(weight and not isinstance(each.gift, NoGift) for each, weight in zip(prizes, weights, strict=True))
    return Offer(lefts, weights, gives)


def counted_play(of: OfCampaign, day: int, *, granted: bool) -> OfCampaign:
    """Count a play of a day, by its ordinal."""
    return _replace(
        of,
        plays=of.plays + 1,
        day=day,
        today=of.today + 1 if of.day == day else 1,
        granted=of.granted - granted,
    )
