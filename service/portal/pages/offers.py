"""Rewards, vouchers, games and surprises in the customer's words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from markupsafe import Markup

from service.portal.pages.texts import message
from service.portal.pages.words import Words
from service.portal.schemas import Everything, GameOut, GamePrizeOut
from service.rewards.rules import (
    AmountOff,
    EventTicket,
    Experience,
    FreeProduct,
    Gift,
    Gives,
    PercentOff,
    ServiceTrial,
    WhyNot,
)
from service.rewards.schemas import RewardOut, VoucherOut
from service.rewards.vouchers import Unredeemable
from service.surprises.gift_schemas import SurpriseOut

_WHY_NOT: Final[Mapping[WhyNot, str]] = {
    WhyNot.DRAFT: message("Not available now"),
    WhyNot.ARCHIVED: message("Not offered any more"),
    WhyNot.NOT_YET: message("Not available yet"),
    WhyNot.OVER: message("Not offered any more"),
    WhyNot.TIER_TOO_LOW: message("For a higher level"),
    WhyNot.LIMIT_REACHED: message("You have had as many as one can have"),
    WhyNot.OUT_OF_STOCK: message("Sold out"),
}
_UNUSABLE: Final[Mapping[Unredeemable, str]] = {
    Unredeemable.CANCELLED: message("Cancelled"),
    Unredeemable.USED_UP: message("Used"),
    Unredeemable.EXPIRED: message("Expired"),
}
_UNUSABLE_NOW: Final = message("Can't be used now")


class Names(msgspec.Struct, frozen=True):
    """What rewards and tiers are called, by their ids, as far as the page knows them."""

    rewards: Mapping[str, str]
    tiers: Mapping[str, str]


def names_of(everything: Everything, tiers: Mapping[str, str]) -> Names:
    """Gather the names that the sections of a page can tell each other, and those of tiers."""
    rewards = {each.reward_id: each.name for each in everything.vouchers}
    return Names(rewards | {each.id: each.name for each in everything.rewards}, tiers)


def gives(its: Gives, words: Words) -> Markup:  # noqa: PLR0911 - one for each kind
    """Tell what a reward is."""
    match its:
        case AmountOff():
            return words.t("{amount} off", amount=words.money(its.amount, its.currency))
        case PercentOff():
            return words.t("{percent} off", percent=words.percent(its.basis_points))
        case FreeProduct():
            return words.n("A free product", "{count} free products", its.quantity)
        case ServiceTrial():
            return words.n("{service} for {count} day", "{service} for {count} days", its.days, service=its.service)
        case Experience():
            return Markup.escape(_joined(its.description, its.place))
        case EventTicket():
            when = None if its.starts_at is None else words.moment(its.starts_at)
            return Markup.escape(_joined(its.event, when, its.place))
        case Gift():
            return Markup.escape(its.description)


def kind_of(its: Gives) -> str:
    """Name the kind of a reward, for its picture."""
    return str(its.__struct_config__.tag)


def why_not(reward: RewardOut, names: Names, words: Words) -> Markup | None:
    """Tell why a reward can't be had now; None where it can."""
    its = reward.for_customer
    if its is None or its.available:
        return None
    if its.missing_points is not None:
        return words.n("{count} point to go", "{count} points to go", its.missing_points)
    tier = names.tiers.get(reward.minimum_tier or "")
    if its.why is WhyNot.TIER_TOO_LOW and tier is not None:
        return words.t("From level {tier} on", tier=tier)
    return words.t(_WHY_NOT.get(its.why or WhyNot.DRAFT, _WHY_NOT[WhyNot.DRAFT]))


def conditions(voucher: VoucherOut, words: Words) -> Sequence[Markup]:
    """Tell what holds for a voucher's use."""
    said = list[Markup]()
    if voucher.redeemable and voucher.valid_until is not None:
        said.append(words.t("Valid until {date}", date=words.day(words.last_day(voucher.valid_until))))
    if voucher.uses > 1:
        left, uses = words.number(voucher.uses - voucher.used), words.number(voucher.uses)
        said.append(words.t("{left} of {uses} uses left", left=left, uses=uses))
    if voucher.minimum_order is not None:
        amount = words.money(voucher.minimum_order.amount, voucher.minimum_order.currency)
        said.append(words.t("For orders from {amount}", amount=amount))
    if voucher.maximum_discount is not None:
        amount = words.money(voucher.maximum_discount.amount, voucher.maximum_discount.currency)
        said.append(words.t("At most {amount} off", amount=amount))
    if voucher.categories:
        said.append(words.t("For certain products: {categories}", categories=", ".join(voucher.categories)))
    return said


def unusable(voucher: VoucherOut, words: Words) -> Markup:
    """Tell why a voucher can't be used."""
    return words.t(_UNUSABLE_NOW if voucher.why is None else _UNUSABLE.get(voucher.why, _UNUSABLE_NOW))


def prize(its: GamePrizeOut, words: Words) -> Markup:
    """Tell what a play may bring."""
    if its.kind == "points":
        return words.points(its.points)
    if its.kind == "reward":
        return words.t("A reward") if its.reward_name is None else Markup.escape(its.reward_name)
    return words.t("Better luck next time")


def price(game: GameOut, words: Words) -> Sequence[Markup]:
    """Tell what a play costs, and how many are left."""
    said = [words.t("{points} a play", points=words.points(game.points)) if game.points else words.t("Free to play")]
    if game.left_granted is not None:
        said.append(words.n("{count} play left", "{count} plays left", game.left_granted))
    if game.left_today is not None:
        said.append(words.n("{count} more today", "{count} more today", game.left_today))
    return said


def closed(game: GameOut, available: int, words: Words) -> Markup | None:
    """Tell why a game can't be played; None where it can."""
    if game.left_granted == 0:
        return words.t("You have no play left. New ones come from time to time.")
    if game.left_today == 0:
        return words.t("That was all for today. Come back tomorrow!")
    if game.points > available:
        return words.n("{count} point to go", "{count} points to go", game.points - available)
    return None if game.open else words.t("Not open at the moment")


def surprise(its: SurpriseOut, names: Names, words: Words) -> Markup:
    """Tell what was in a surprise."""
    if its.kind == "points":
        return words.points(its.points)
    name = names.rewards.get(its.reward_id or "")
    return words.t("A reward") if name is None else Markup.escape(name)


def _joined(*parts: str | None) -> str:
    return " · ".join(each for each in parts if each)
