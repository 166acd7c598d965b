"""What a reward is, and who can have it now. Pure."""

from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.kernel.amounts import BOUND, CurrencyCode, Quantity, exponent
from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.times import Time

MOST_CATEGORIES: Final = 50
_MINIMUM_TIER: Final = "The tier that a customer must have, or a higher one; null: none."
Label = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Points = Annotated[int, Meta(ge=1, le=BOUND)]
Pieces = Annotated[int, Meta(ge=0, le=BOUND)]
Categories = Annotated[list[Label], Meta(max_length=MOST_CATEGORIES)]


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount above zero, in minor units of its currency."""

    amount: Annotated[int, Meta(ge=1, le=BOUND)]
    currency: CurrencyCode


class AmountOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="amount_off"):
    """So much less to pay: `amount` minor units of `currency`, at most what the order costs."""

    amount: Annotated[int, Meta(ge=1, le=BOUND)]
    currency: CurrencyCode


class PercentOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="percent_off"):
    """A part of the order less to pay, in basis points: 1250 is 12.5 %."""

    basis_points: Annotated[int, Meta(ge=1, le=10_000)]


class FreeProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="free_product"):
    """A product for nothing."""

    sku: Label
    quantity: Quantity = 1


class ServiceTrial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="service_trial"):
    """A service to try for some days."""

    service: Label
    days: Annotated[int, Meta(ge=1, le=3650)]


class Experience(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="experience"):
    """Something to live through: a tour, a tasting, a day in the workshop."""

    description: Text
    place: Label | None = None


class EventTicket(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="event_ticket"):
    """A seat at an event."""

    event: Name
    starts_at: Time | None = None
    place: Label | None = None


class Gift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="gift"):
    """A thing that is sent or handed over."""

    description: Text
    sku: Label | None = None


Gives = AmountOff | PercentOff | FreeProduct | ServiceTrial | Experience | EventTicket | Gift


class VoucherTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a voucher of the reward can be used; each limit that is left out doesn't exist.

    `days_valid` days begin with the one after the issue, and the last is whole, in the program's time zone. A voucher
    with `categories` is for orders with an item in one of them.
    """

    days_valid: Annotated[int, Meta(ge=0, le=36_500)] | None = None
    uses: Annotated[int, Meta(ge=1, le=10_000)] = 1
    minimum_order: Money | None = None
    maximum_discount: Money | None = None
    categories: Categories = []


class RewardStatus(Enum):
    """Whether a reward is offered."""

    DRAFT = "draft"
    """Not yet: it is being prepared."""
    ACTIVE = "active"
    ARCHIVED = "archived"
    """No more; what was issued goes on."""


class CodeSource(Enum):
    """Where the codes of a reward's vouchers come from."""

    GENERATED = "generated"
    THIRD_PARTY = "third_party"
    """Loaded, and handed out once each: tickets, vouchers of others. The stock is what was loaded."""


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a reward gives and asks for, at one version. What was held or issued keeps the terms that it had.

    It can be had from `valid_from` to before `valid_until`. `value` is what it is worth to the merchant's books.
    """

    name: Name
    gives: Gives
    points: Points
    value: Money | None = None
    limit_per_customer: Annotated[int, Meta(ge=1, le=BOUND)] | None = None
    valid_from: Time | None = None
    valid_until: Time | None = None
    minimum_tier: Annotated[Label | None, Meta(description=_MINIMUM_TIER)] = None
    voucher: VoucherTerms = VoucherTerms()


class NewReward(Terms, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A reward to make. Its `stock` is endless where it is null, and what was loaded for third-party codes."""

    status: RewardStatus = RewardStatus.ACTIVE
    codes: CodeSource = CodeSource.GENERATED
    stock: Pieces | None = None


class RewardChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A change of a reward. What is left out stays; `gives` and `voucher` are replaced whole; null takes away."""

    name: Name | UnsetType = UNSET
    gives: Gives | UnsetType = UNSET
    points: Points | UnsetType = UNSET
    value: Money | UnsetType | None = UNSET
    limit_per_customer: Annotated[int, Meta(ge=1, le=BOUND)] | UnsetType | None = UNSET
    valid_from: Time | UnsetType | None = UNSET
    valid_until: Time | UnsetType | None = UNSET
    minimum_tier: Label | UnsetType | None = UNSET
    voucher: VoucherTerms | UnsetType = UNSET
    status: RewardStatus | UnsetType = UNSET
    stock: Pieces | UnsetType | None = UNSET


class Reward(msgspec.Struct, frozen=True):
    """A reward as it stands. Of `stock` pieces (None: endless) `taken` are held or issued.

    `lapsed` of these were held by redemptions that lapsed: they can be had again, and whoever needs one gives it back.
    """

    id: UUID
    version: int
    status: RewardStatus
    codes: CodeSource
    stock: int | None
    taken: int
    created_at: datetime
    terms: Terms
    lapsed: int = 0

    @property
    def left(self) -> int | None:
        """How many can be had; None where the stock is endless."""
        return None if self.stock is None else self.stock - self.taken + self.lapsed


class Piece(msgspec.Struct, frozen=True):
    """One piece of a reward, with the terms at which it was taken; `order_id` is for information only."""

    reward_id: UUID
    order_id: str | None
    terms: Terms

    @property
    def value(self) -> Money | None:
        """What it is worth: as the merchant says, else the amount that it takes off; None where no money is named."""
        gives = self.terms.gives
        its_own = Money(gives.amount, gives.currency) if isinstance(gives, AmountOff) else None
        return self.terms.value or its_own


class WhyNot(Enum):
    """Why a customer can't have a reward now."""

    DRAFT = "draft"
    ARCHIVED = "archived"
    NOT_YET = "not_yet"
    OVER = "over"
    TIER_TOO_LOW = "tier_too_low"
    LIMIT_REACHED = "limit_reached"
    OUT_OF_STOCK = "out_of_stock"
    NOT_ENOUGH_POINTS = "not_enough_points"


class Hindrance(msgspec.Struct, frozen=True):
    """Why not, and for too few points how many are missing."""

    why: WhyNot
    missing_points: int | None = None


class RewardNotAvailable(Refusal):
    """The reward can't be had now."""

    kind = Kind.CONFLICT
    code = "reward_not_available"
    title = "This reward can't be had now"


class RewardOutOfStock(RewardNotAvailable):
    """All pieces are held or issued."""

    code = "reward_out_of_stock"
    title = "There is none of this reward left"


class RewardLimitReached(RewardNotAvailable):
    """The customer has had as many as one may."""

    code = "reward_limit_reached"
    title = "This customer has had as many of this reward as one may"


class RewardTierTooLow(RewardNotAvailable):
    """The customer has no tier that is high enough."""

    code = "reward_tier_too_low"
    title = "This customer's tier is too low for this reward"


class StockTaken(Refusal):
    """More pieces are held or issued than the new stock has."""

    kind = Kind.CONFLICT
    code = "stock_taken"
    title = "More pieces than that are held or issued already"


class CodesGenerated(Refusal):
    """The reward's codes are made here, so none are loaded."""

    kind = Kind.CONFLICT
    code = "codes_generated"
    title = "The codes of this reward are generated, not loaded"


class PieceNotHeld(Refusal):
    """The piece is given back, or its voucher is issued already."""

    kind = Kind.CONFLICT
    code = "reward_piece_not_held"
    title = "This piece of a reward is not held any more"


_SENTENCES: Final = {
    WhyNot.DRAFT: "This reward is a draft.",
    WhyNot.ARCHIVED: "This reward is offered no more.",
    WhyNot.NOT_YET: "This reward can't be had yet.",
    WhyNot.OVER: "This reward can't be had any more.",
}


def hindrance(reward: Reward, *, now: datetime, had: int, points: int | None, is_of_tier: bool) -> Hindrance | None:
    """Tell what keeps a customer from having a reward; None where nothing does.

    `had` counts the customer's pieces, held or issued; `points` are the available ones, None where they don't matter.
    `is_of_tier` tells whether the customer's tier is high enough for the reward. Of several hindrances it is the one
    that points alone wouldn't end.
    """
    terms, missing = reward.terms, 0 if points is None else reward.terms.points - points
    hindrances = (
        (WhyNot.DRAFT, reward.status is RewardStatus.DRAFT),
        (WhyNot.ARCHIVED, reward.status is RewardStatus.ARCHIVED),
        (WhyNot.NOT_YET, terms.valid_from is not None and now < terms.valid_from),
        (WhyNot.OVER, terms.valid_until is not None and now >= terms.valid_until),
        (WhyNot.TIER_TOO_LOW, not is_of_tier),
        (WhyNot.LIMIT_REACHED, terms.limit_per_customer is not None and had >= terms.limit_per_customer),
        (WhyNot.OUT_OF_STOCK, reward.left is not None and reward.left <= 0),
        (WhyNot.NOT_ENOUGH_POINTS, missing > 0),
    )
    why = next((why for why, is_so in hindrances if is_so), None)
    if why is None:
        return None
    return Hindrance(why, missing if why is WhyNot.NOT_ENOUGH_POINTS else None)


def refusal_of(why: WhyNot, terms: Terms) -> Refusal:
    """Refuse to give a reward of these terms for this reason."""
    if why is WhyNot.OUT_OF_STOCK:
        return RewardOutOfStock()
    if why is WhyNot.LIMIT_REACHED:
        return RewardLimitReached()
    if why is WhyNot.TIER_TOO_LOW:
        return RewardTierTooLow(f"This reward asks for at least the tier {terms.minimum_tier}.")
    return RewardNotAvailable(_SENTENCES.get(why, ""))


def terms_of(reward: NewReward) -> Terms:
    """Take the terms out of a new reward."""
    return Terms(**{name: getattr(reward, name) for name in Terms.__struct_fields__})


def stock_of(reward: NewReward) -> int | None:
    """Tell with how many pieces a new reward begins. Raises Invalid for a stock beside third-party codes."""
    if reward.codes is CodeSource.GENERATED:
        return reward.stock
    if reward.stock is not None:
        raise _loaded()
    return 0


def _loaded() -> Invalid:
    detail = "The stock of third-party codes is what is loaded."
    return Invalid(detail, pointer="/stock", reason="not_allowed")


def changed(reward: Reward, change: RewardChange) -> Reward:
    """Apply a change; other terms make a new version. Raises Invalid, StockTaken."""
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
    status, stock = given.pop("status", reward.status), given.pop("stock", reward.stock)
    if stock != reward.stock and reward.codes is CodeSource.THIRD_PARTY:
        raise _loaded()
    if stock is not None and stock < reward.taken:
        raise StockTaken
    terms = checked(msgspec.structs.replace(reward.terms, **given))
    version = reward.version + (terms != reward.terms)
    return msgspec.structs.replace(reward, version=version, status=status, stock=stock, terms=terms)


def checked(terms: Terms) -> Terms:
    """Refuse terms that contradict themselves; give them with times in UTC. Raises Invalid, with a pointer."""
    _check_money(terms)
    terms = msgspec.structs.replace(
        terms, valid_from=_utc(terms.valid_from, "/valid_from"), valid_until=_utc(terms.valid_until, "/valid_until")
    )
    if terms.valid_from is not None and terms.valid_until is not None and terms.valid_from >= terms.valid_until:
        raise Invalid("It ends after it begins.", pointer="/valid_until", reason="out_of_range")
    categories = terms.voucher.categories
    for number, category in enumerate(categories):
        if category in categories[:number]:
            raise Invalid("This category stands twice.", pointer=f"/voucher/categories/{number}", reason="duplicate")
    if isinstance(terms.gives, EventTicket):
        starts_at = _utc(terms.gives.starts_at, "/gives/starts_at")
        return msgspec.structs.replace(terms, gives=msgspec.structs.replace(terms.gives, starts_at=starts_at))
    return terms


def _check_money(terms: Terms) -> None:
    if terms.value is not None:
        _check_currency(terms.value.currency, "/value/currency")
    its_own = terms.gives.currency if isinstance(terms.gives, AmountOff) else None
    if its_own is not None:
        _check_currency(its_own, "/gives/currency")
    for name in ("minimum_order", "maximum_discount"):
        money: Money | None = getattr(terms.voucher, name)
        if money is None:
            continue
        _check_currency(money.currency, f"/voucher/{name}/currency")
        if its_own not in {None, money.currency}:
            detail = "A voucher has one currency in all its amounts."
            raise Invalid(detail, pointer=f"/voucher/{name}/currency", reason="other_currency")
        its_own = money.currency


def _check_currency(code: str, pointer: str) -> None:
    if exponent(code) is None:
        raise Invalid("This is no ISO 4217 currency with a minor unit.", pointer=pointer, reason="unknown_currency")


def _utc(at: datetime | None, pointer: str) -> datetime | None:
    """Give a time in UTC. Raises Invalid for what is outside the calendar there."""
    if at is None:
        return None
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise Invalid("This time is outside the calendar.", pointer=pointer, reason="out_of_range") from None
