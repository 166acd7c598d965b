"""What a voucher is, how its code is written, and what it is worth for an order. Pure."""

from datetime import datetime, time, timedelta
from enum import Enum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from service.kernel import crockford
from service.kernel.amounts import CurrencyCode, MinorUnits, exponent
from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.ids import CallerId
from service.kernel.rounding import Rounding, divide
from service.rewards.rules import AmountOff, Categories, Money, PercentOff, Terms, VoucherTerms

_CHARACTERS: Final = 12
CODE_BITS: Final = _CHARACTERS * crockford.BITS
_TOLD: Final = 2
_WHOLE: Final = 10_000


class Order(msgspec.Struct, frozen=True):
    """What a voucher is held against: the amount to pay in minor units, and the categories of the order's items."""

    amount: int
    currency: str
    categories: frozenset[str] = frozenset()


class VoucherUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order that a voucher is redeemed for. Of a voucher for categories, `amount` is that of the items in these."""

    order_id: CallerId
    amount: MinorUnits
    currency: CurrencyCode
    categories: Categories = []


class Voucher(msgspec.Struct, frozen=True):
    """An issued piece of a reward, with the terms that it was issued with. `valid_until` None is for ever."""

    id: UUID
    code: str
    generated: bool
    """Whether the code is one of `code_of`; else it is a third party's, and stays as it was loaded."""
    reward_id: UUID
    reward_version: int
    customer_id: int
    uses: int
    used: int
    issued_at: datetime
    valid_until: datetime | None
    cancelled_at: datetime | None
    terms: Terms


class Use(msgspec.Struct, frozen=True):
    """One redemption of a voucher, the `number`th. `discount` is None where the reward is no discount."""

    id: UUID
    number: int
    order_id: str
    amount: int
    currency: str
    discount: int | None
    used_at: datetime


class Unredeemable(Enum):
    """Why a voucher can't be redeemed now, or not for this order."""

    CANCELLED = "cancelled"
    USED_UP = "used_up"
    EXPIRED = "expired"
    OTHER_CURRENCY = "other_currency"
    BELOW_MINIMUM_ORDER = "below_minimum_order"
    OTHER_CATEGORIES = "other_categories"


class VoucherNotForOrder(Refusal):
    """The voucher could be redeemed, and not for this order."""

    kind = Kind.CONFLICT
    code = "voucher_not_for_order"
    title = "This voucher is not for such an order"


class VoucherCancelled(Refusal):
    """It was cancelled."""

    kind = Kind.CONFLICT
    code = "voucher_cancelled"
    title = "This voucher was cancelled"


class VoucherUsedUp(Refusal):
    """It was redeemed as often as it may be."""

    kind = Kind.CONFLICT
    code = "voucher_used_up"
    title = "This voucher was redeemed as often as it may be"


class VoucherExpired(Refusal):
    """Its validity is over."""

    kind = Kind.CONFLICT
    code = "voucher_expired"
    title = "This voucher is not valid any more"


class VoucherUseConflict(Refusal):
    """The voucher was redeemed for this order with other content."""

    kind = Kind.CONFLICT
    code = "voucher_use_conflict"
    title = "This voucher was redeemed for this order with another amount"


_REFUSALS: Final[dict[Unredeemable, Refusal]] = {
    Unredeemable.CANCELLED: VoucherCancelled(),
    Unredeemable.USED_UP: VoucherUsedUp(),
    Unredeemable.EXPIRED: VoucherExpired(),
    Unredeemable.OTHER_CURRENCY: VoucherNotForOrder("This voucher is for orders in another currency."),
    Unredeemable.BELOW_MINIMUM_ORDER: VoucherNotForOrder("The order is below the voucher's minimum."),
    Unredeemable.OTHER_CATEGORIES: VoucherNotForOrder("Nothing in the order is of the voucher's categories."),
}


def code_of(bits: int) -> str:
    """Write a code of 12 characters out of the lowest 60 of random bits, which must be fit for secrets."""
    return crockford.write(bits, _CHARACTERS)


def shown(code: str) -> str:
    """Write a code of `code_of` for people, in groups of four: `7K3M-9QXA-2PHT`."""
    return crockford.grouped(code)


def last_characters(code: str) -> str | None:
    """Give the end of a code, by which people tell vouchers apart; None of one too short to stay a secret then.

    Of the 60 bits of a code of ours 50 stay secret.
    """
    return None if len(code) < _CHARACTERS else code[-_TOLD:]


def read_code(text: str) -> str | None:
    """Read a code of `code_of` as people type it; None for what can't be one."""
    code = crockford.read(text) or ""
    return code if len(code) == _CHARACTERS and set(code) <= set(crockford.SYMBOLS) else None


def valid_until(terms: VoucherTerms, issued_at: datetime, time_zone: str) -> datetime | None:
    """Give the moment when a voucher ends: midnight behind its last day, in the program's time zone."""
    if terms.days_valid is None:
        return None
    zone = ZoneInfo(time_zone)
    day = issued_at.astimezone(zone).date() + timedelta(days=terms.days_valid + 1)
    return datetime.combine(day, time.min, zone).astimezone(issued_at.tzinfo)


def checked_order(amount: int, currency: str, categories: list[str], *, pointer: str) -> Order:
    """Refuse a currency that is none; `pointer` is where the order's fields stand. Raises Invalid."""
    if exponent(currency) is None:
        detail = "This is no ISO 4217 currency with a minor unit."
        raise Invalid(detail, pointer=f"{pointer}currency", reason="unknown_currency")
    return Order(amount, currency, frozenset(categories))


def unredeemable(voucher: Voucher, *, now: datetime, order: Order | None) -> Unredeemable | None:
    """Tell why a voucher can't be redeemed now for an order, or, without one, at all; None where it can."""
    limits = voucher.terms.voucher
    reasons = [
        (Unredeemable.CANCELLED, voucher.cancelled_at is not None),
        (Unredeemable.USED_UP, voucher.used >= voucher.uses),
        (Unredeemable.EXPIRED, voucher.valid_until is not None and now >= voucher.valid_until),
    ]
    if order is not None:
        minimum, its_own = limits.minimum_order, currency_of(voucher.terms)
        reasons += [
            (Unredeemable.OTHER_CURRENCY, its_own not in {None, order.currency}),
            (Unredeemable.BELOW_MINIMUM_ORDER, minimum is not None and order.amount < minimum.amount),
            (Unredeemable.OTHER_CATEGORIES, bool(limits.categories) and order.categories.isdisjoint(limits.categories)),
        ]
    return next((reason for reason, is_so in reasons if is_so), None)


def currency_of(terms: Terms) -> str | None:
    """Tell the one currency of a voucher's amounts; None where it has none."""
    limits = terms.voucher
    amounts = (terms.gives if isinstance(terms.gives, AmountOff) else None, limits.minimum_order)
    return next((each.currency for each in (*amounts, limits.maximum_discount) if each is not None), None)


def refusal_of(reason: Unredeemable) -> Refusal:
    """Refuse to redeem a voucher for this reason."""
    refusal = _REFUSALS[reason]
    return type(refusal)(refusal.detail)


def discount(terms: Terms, order: Order) -> Money | None:
    """Tell how much less is to pay for an order; None where the reward is no discount.

    A percentage is rounded down. It is at most the voucher's maximum, and what the order costs.
    """
    if isinstance(terms.gives, AmountOff):
        worth = min(terms.gives.amount, order.amount)
    elif isinstance(terms.gives, PercentOff):
        worth = divide(order.amount * terms.gives.basis_points, _WHOLE, Rounding.DOWN)
    else:
        return None
    greatest = terms.voucher.maximum_discount
    worth = worth if greatest is None else min(worth, greatest.amount)
    return Money(worth, order.currency)
