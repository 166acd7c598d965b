"""Rewards and vouchers on the wire. The requests of the catalogue are structs of `rules`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from service.kernel.ids import CallerId, to_wire
from service.kernel.times import Time
from service.rewards.rules import (
    CodeSource,
    Gives,
    Hindrance,
    Money,
    Reward,
    RewardStatus,
    VoucherTerms,
    WhyNot,
)
from service.rewards.vouchers import Order, Unredeemable, Use, Voucher, discount, shown

MOST_CODES = 5000


class ForCustomerOut(msgspec.Struct, frozen=True):
    """Whether the customer can have the reward now; if not, why, and of points how many are missing."""

    available: bool
    why: WhyNot | None
    missing_points: int | None


class RewardOut(msgspec.Struct, frozen=True):
    """A reward. `version` grows with each change of its terms; `left` of `stock` pieces can be had, null is endless.

    `for_customer` is there where the list was asked for a customer.
    """

    id: str
    version: int
    status: RewardStatus
    name: str
    gives: Gives
    points: int
    value: Money | None
    codes: CodeSource
    stock: int | None
    left: int | None
    limit_per_customer: int | None
    valid_from: Time | None
    valid_until: Time | None
    minimum_tier: str | None
    voucher: VoucherTerms
    created_at: Time
    for_customer: ForCustomerOut | None = None


def reward_out(reward: Reward, for_customer: ForCustomerOut | None = None) -> RewardOut:
    """Render a reward."""
    terms = reward.terms
    return RewardOut(
        id=to_wire("rwd", reward.id),
        version=reward.version,
        status=reward.status,
        name=terms.name,
        gives=terms.gives,
        points=terms.points,
        value=terms.value,
        codes=reward.codes,
        stock=reward.stock,
        left=reward.left,
        limit_per_customer=terms.limit_per_customer,
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        minimum_tier=terms.minimum_tier,
        voucher=terms.voucher,
        created_at=reward.created_at,
        for_customer=for_customer,
    )


def for_customer_out(hindrance: Hindrance | None) -> ForCustomerOut:
    """Render what keeps a customer from having a reward."""
    if hindrance is None:
        return ForCustomerOut(available=True, why=None, missing_points=None)
    return ForCustomerOut(available=False, why=hindrance.why, missing_points=hindrance.missing_points)


class LoadedCodes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Codes of a third party to load: 1 to 128 printable ASCII characters each, kept as they are."""

    codes: Annotated[list[CallerId], Meta(min_length=1, max_length=MOST_CODES)]


class LoadOut(msgspec.Struct, frozen=True):
    """What loading came to. `duplicates` are the places, from 0, of codes that were there already or stand twice."""

    loaded: int
    duplicates: list[int]
    stock: int
    left: int


class VoucherOut(msgspec.Struct, frozen=True):
    """A voucher, with what its reward gave when it was issued.

    `redeemable` and `why` are for now and, where one was told, for the order; `discount` is what it takes off this
    order, null where none was told, it can't be redeemed for it, or the reward is no discount.
    """

    code: str
    reward_id: str
    reward_version: int
    name: str
    gives: Gives
    value: Money | None
    uses: int
    used: int
    minimum_order: Money | None
    maximum_discount: Money | None
    categories: list[str]
    issued_at: Time
    valid_until: Time | None
    cancelled_at: Time | None
    redeemable: bool
    why: Unredeemable | None
    discount: int | None


class UseOut(msgspec.Struct, frozen=True):
    """A voucher redeemed for an order, the `number`th of its `uses`. `discount` is null where it is none."""

    code: str
    order_id: str
    amount: int
    currency: str
    discount: int | None
    number: int
    uses: int
    used_at: Time


def code_out(voucher: Voucher) -> str:
    """Write a voucher's code for people."""
    return shown(voucher.code) if voucher.generated else voucher.code


def voucher_out(voucher: Voucher, why: Unredeemable | None, order: Order | None = None) -> VoucherOut:
    """Render a voucher."""
    terms = voucher.terms
    less = discount(terms, order) if order is not None and why is None else None
    return VoucherOut(
        code=code_out(voucher),
        reward_id=to_wire("rwd", voucher.reward_id),
        reward_version=voucher.reward_version,
        name=terms.name,
        gives=terms.gives,
        value=terms.value,
        uses=voucher.uses,
        used=voucher.used,
        minimum_order=terms.voucher.minimum_order,
        maximum_discount=terms.voucher.maximum_discount,
        categories=terms.voucher.categories,
        issued_at=voucher.issued_at,
        valid_until=voucher.valid_until,
        cancelled_at=voucher.cancelled_at,
        redeemable=why is None,
        why=why,
        discount=None if less is None else less.amount,
    )


def use_out(voucher: Voucher, use: Use) -> UseOut:
    """Render a use."""
    return UseOut(
        code_out(voucher),
        use.order_id,
        use.amount,
        use.currency,
        use.discount,
        use.number,
        voucher.uses,
        use.used_at,
    )


def load_out(sent: int, duplicates: list[int], reward: Reward) -> LoadOut:
    """Render what loading codes came to."""
    return LoadOut(sent - len(duplicates), duplicates, reward.stock or 0, reward.left or 0)
