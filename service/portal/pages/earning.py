"""Ways to earn, pending points, levels, referrals and invoices in the customer's words. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

import msgspec
from markupsafe import Markup

from service.kernel.periods import end_of_day
from service.portal.pages.offers import Names
from service.portal.pages.texts import message
from service.portal.pages.words import Words
from service.portal.schemas import FriendPrizeOut, OpenInvoiceOut, PendingOut, Until, WayOut
from service.programs.payment_terms import PaymentMode
from service.programs.tier_policy import QualifyBy
from service.referrals.codes.schemas import CountsOut, OfferedOut
from service.referrals.offers import ByActivity, ByPurchases, BySpend, PointsPrize, Prize
from service.referrals.rules import ReferralState
from service.tiers.standing import TierStanding

_MOST_STEPS: Final = 5
_STATES: Final[Mapping[ReferralState, str]] = {
    ReferralState.SIGNED_UP: message("Has signed up"),
    ReferralState.QUALIFIED: message("On its way to you"),
    ReferralState.WAITING: message("On its way to you"),
    ReferralState.IN_REVIEW: message("Being checked"),
    ReferralState.REWARDED: message("Rewarded"),
    ReferralState.REFUSED: message("Did not count"),
    ReferralState.EXPIRED: message("Ran out of time"),
    ReferralState.REVERSED: message("Taken back"),
}


def pending(its: PendingOut, words: Words) -> Markup:
    """Tell what pending points wait for."""
    if its.until is Until.DATE and its.available_at is not None:
        return words.t("Yours to spend from {date}", date=words.day_of(its.available_at))
    if its.lapses_at is not None:
        day = words.day(words.last_day(its.lapses_at))
        return words.t("Yours to spend once the order is confirmed, until {date} at the latest", date=day)
    return words.t("Yours to spend once the order is confirmed")


def way(its: WayOut, words: Words) -> Markup:  # noqa: PLR0911 - one for each kind
    """Tell what a way to earn brings."""
    points = words.points(its.points or 0)
    match its.kind:
        case "amount" if its.amount is not None and its.currency is not None:
            return words.t("{points} for every {amount}", points=points, amount=words.money(its.amount, its.currency))
        case "amount":
            return words.t(
                "{points} for every {number} of your currency", points=points, number=words.number(its.units or 1)
            )
        case "items":
            return words.n(
                "{points} for every item", "{points} for every {count} items", its.pieces or 1, points=points
            )
        case "visit":
            return words.t("{points} for your first purchase of the day", points=points)
        case "multiplier" | "tier":
            return words.t("{factor} times the points", factor=words.factor(its.factor_basis_points or 10_000))
        case "referral":
            return _both(_friend_prize(its.own, words), _friend_prize(its.friend, words), words)
        case "bonus":
            return points


def way_title(its: WayOut, words: Words) -> Markup:
    """Name a way to earn."""
    if its.kind == "tier":
        return words.t("Your level")
    if its.name is not None and its.kind != "referral":
        return Markup.escape(its.name)
    match its.rewards:
        case "purchase":
            return words.t("Every purchase")
        case "activity":
            return Markup.escape(its.activity or its.id)
        case "invoice":
            return words.t("Every invoice that you pay")
        case "referral":
            return words.t("Bring a friend")


def offer(its: OfferedOut, names: Names, words: Words) -> Markup | None:
    """Tell what a referral brings both sides; None where nobody gets anything."""
    if its.referrer is None and its.referee is None:
        return None
    return _both(_prize(its.referrer, names, words), _prize(its.referee, names, words), words)


def qualification(its: OfferedOut, words: Words) -> Markup:
    """Tell when a referral is certain."""
    match its.qualification:
        case ByPurchases() as asked:
            least = " / ".join(words.money(amount, currency) for currency, amount in asked.minimum.items())
            if least:
                return words.n(
                    "It counts with your friend's first purchase of {amount} or more.",
                    "It counts with your friend's {count} purchases of {amount} or more.",
                    asked.number,
                    amount=least,
                )
            return words.n(
                "It counts with your friend's first purchase.",
                "It counts with your friend's {count} purchases.",
                asked.number,
            )
        case BySpend() as asked:
            least = " / ".join(words.money(amount, currency) for currency, amount in asked.amounts.items())
            return words.t("It counts once your friend has spent {amount}.", amount=least)
        case ByActivity() as asked:
            return words.t("It counts once your friend has done this: {activity}.", activity=asked.type)


def referral_state(state: ReferralState, words: Words) -> Markup:
    """Tell where a referral stands."""
    return words.t(_STATES[state])


def counts(its: CountsOut, words: Words) -> Sequence[tuple[Markup, str]]:
    """Tell how many referrals stand where, those that matter to the customer."""
    on_the_way = its.signed_up + its.qualified + its.waiting + its.in_review
    return [
        (words.t("On their way"), words.number(on_the_way)),
        (words.t("Rewarded"), words.number(its.rewarded)),
    ]


def missing_for_tier(its: TierStanding, words: Words) -> Markup | None:
    """Tell what is missing for the next level; None in the highest."""
    if its.next is None:
        return None
    return words.t("{amount} more to {tier}", amount=_qualifying(its, its.next.missing, words), tier=its.next.name)


def tier_share(its: TierStanding | None, thresholds: Mapping[str, int]) -> int | None:
    """Return how much of the way to the next level is done, of a hundred; None where that can't be told."""
    threshold = thresholds.get(its.next.id, 0) if its is not None and its.next is not None else 0
    if its is None or its.next is None or threshold <= 0:
        return None
    return max(0, min(100, 100 - 100 * its.next.missing // threshold))


def keeping(its: TierStanding, words: Words) -> Markup | None:
    """Tell until when the level is kept; None where it lasts."""
    if its.keep is None or its.name is None:
        return None
    until = words.day(words.last_day(its.keep.until))
    if its.keep.missing <= 0:
        return words.t("{tier} is yours beyond {date}.", tier=its.name, date=until)
    missing = _qualifying(its, its.keep.missing, words)
    return words.t(
        "{tier} is yours until {date}. {amount} more keep it longer.", tier=its.name, date=until, amount=missing
    )


def _qualifying(its: TierStanding, missing: int, words: Words) -> Markup:
    unit, currency = (its.next.unit, its.next.currency) if its.next else (QualifyBy.POINTS, None)
    if unit is QualifyBy.SPEND and currency is not None:
        return Markup.escape(words.money(missing, currency))
    if unit is QualifyBy.PURCHASES:
        return words.n("{count} purchase", "{count} purchases", missing)
    return words.points(missing)


class Step(msgspec.Struct, frozen=True):
    """What closes an invoice up to a day, and what that saves; `ends` is the end of that day for a countdown."""

    until: str
    left: Markup
    pay: str
    saves: str
    ends: datetime | None


class Bill(msgspec.Struct, frozen=True):
    """An open invoice, told. `saves` and `points` are None where paying today brings nothing."""

    title: str
    open: str
    due: Markup | None
    pay: str
    saves: str | None
    points: Markup | None
    until: Markup | None
    steps: Sequence[Step]
    more: bool


def bill(its: OpenInvoiceOut, words: Words) -> Bill:
    """Tell an open invoice, and what paying it today comes to."""
    quote = its.quote
    in_points = quote.mode is PaymentMode.POINTS
    saved, last_day = its.open - quote.payable, quote.last_day
    steps = [] if in_points else [_step(each.until, each.payable, its, words) for each in quote.steps]
    if last_day is None and quote.steps:
        last_day = quote.steps[0].until
    due = None
    if its.due_on is not None:
        form = message("Was due on {date}") if its.due_on < words.today else message("Due on {date}")
        due = words.t(form, date=words.day(its.due_on))
    return Bill(
        its.number or its.id,
        words.money(its.open, its.currency),
        due,
        words.money(its.open if in_points else quote.payable, its.currency),
        words.money(saved, its.currency) if saved > 0 and not in_points else None,
        words.points(quote.points) if quote.points else None,
        words.days_left(last_day) if last_day is not None and (saved > 0 or quote.points) else None,
        steps[:_MOST_STEPS],
        len(steps) > _MOST_STEPS,
    )


def _step(until: date, payable: int, its: OpenInvoiceOut, words: Words) -> Step:
    return Step(
        words.day(until),
        words.days_left(until),
        words.money(payable, its.currency),
        words.money(its.open - payable, its.currency),
        end_of_day(until, words.zone),
    )


def _both(own: Markup | None, friend: Markup | None, words: Words) -> Markup:
    if own is not None and friend is not None:
        return words.t("You get {own}, your friend gets {friend}", own=own, friend=friend)
    if own is not None:
        return words.t("You get {own}", own=own)
    return words.t("Your friend gets {friend}", friend=friend or "")


def _friend_prize(its: FriendPrizeOut | None, words: Words) -> Markup | None:
    if its is None:
        return None
    if its.kind == "points":
        return words.points(its.points)
    return words.t("a reward") if its.reward_name is None else Markup.escape(its.reward_name)


def _prize(its: Prize | None, names: Names, words: Words) -> Markup | None:
    if its is None:
        return None
    if isinstance(its, PointsPrize):
        return words.points(its.points)
    name = names.rewards.get(its.reward_id)
    return words.t("a reward") if name is None else Markup.escape(name)
