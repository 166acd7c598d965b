"""What a purchase is, when it can be accepted, and what it comes to. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from service.customers.rules import Balance, with_purchase
from service.earning.occasion import Known, Occasion
from service.earning.rules import Line
from service.earning.terms import points_of
from service.kernel.amounts import CurrencyCode, MinorUnits, Quantity, exponent
from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.ids import CallerId
from service.kernel.times import Time, check_happened, in_utc
from service.points.account import Account
from service.points.policies import kept_alive
from service.points.rules import Cause
from service.programs.policies import QualifyingActivity
from service.programs.rules import Label, Program, ProgramSettings
from service.purchases.terms import ReferringTerms
from service.referrals.claiming import Told
from service.referrals.rules import Fact
from service.surprises.gifts import ToldSurprise
from service.surprises.occurring import bought
from service.tiers.climbing import TierName
from service.tiers.rules import Ladder, Reason, purchase_counts


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of a purchase; `amount` is that of the whole line, gross, in minor units."""

    id: CallerId
    amount: MinorUnits
    quantity: Quantity = 1
    sku: Label | None = None
    category: Label | None = None


class Purchase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A purchase as a checkout reports it. `total` is what is paid: gross, after discounts, in minor units."""

    id: CallerId
    customer_id: CallerId
    currency: CurrencyCode
    total: MinorUnits
    occurred_at: Time
    tax: MinorUnits = 0
    shipping: MinorUnits = 0
    points_paid: MinorUnits = 0
    channel: Label | None = None
    referral_code: str | None = None
    items: Annotated[list[Item], Meta(max_length=1000)] = []
    metadata: dict[str, Any] = {}


class PurchaseConflict(Refusal):
    """The id belongs to a purchase with other content."""

    kind = Kind.CONFLICT
    code = "purchase_conflict"
    title = "This id belongs to a purchase with other content"


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """What rules saw of a customer beside the profile: which purchase it was, since when, the one before, the tier."""

    purchase_number: int
    since: Time
    last_purchase_at: Time | None = None
    tier: str | None = None

    @classmethod
    def of(cls, known: Known) -> "Seen":
        """Keep what is known of a customer."""
        return cls(known.purchase_count + 1, known.enrolled_at, known.last_purchase_at, known.tier)


class Earnings(msgspec.Struct, frozen=True):
    """What a purchase is answered with, for ever. `earned` includes what is `pending`.

    `seen` is what the rules saw of the customer, where there were any beside the program's own; `tier` is the one
    after it, `referral` what became of the code that a purchase came with, `surprises` what was drawn for it.
    """

    earned: int
    pending: int
    lines: Sequence[Line]
    balance: Balance
    seen: Seen | None = None
    tier: TierName | None = None
    referral: Told | None = None
    surprises: tuple[ToldSurprise, ...] = ()


def normalised(purchase: Purchase) -> Purchase:
    """Bring a purchase into the form that is compared and stored: times in UTC. Raises Invalid with a pointer."""
    if exponent(purchase.currency) is None:
        detail = "This is no ISO 4217 currency with a minor unit."
        raise Invalid(detail, pointer="/currency", reason="unknown_currency")
    seen = set[str]()
    for number, item in enumerate(purchase.items):
        if item.id in seen:
            raise Invalid("Two items have this id.", pointer=f"/items/{number}/id", reason="duplicate")
        seen.add(item.id)
    occurred_at = in_utc(purchase.occurred_at, "/occurred_at")
    return msgspec.structs.replace(purchase, occurred_at=occurred_at)


def check_occurred(occurred_at: datetime, *, now: datetime, oldest_fact_days: int | None) -> None:
    """Refuse a fact from the future, or from before what the program takes. Raises Invalid."""
    check_happened(occurred_at, now=now, pointer="/occurred_at")
    if oldest_fact_days is not None and occurred_at < now - timedelta(days=oldest_fact_days):
        detail = f"This program takes facts of the last {oldest_fact_days} days."
        raise Invalid(detail, pointer="/occurred_at", reason="too_old")


def check_purchase(purchase: Purchase, now: datetime, program: Program) -> None:
    """Refuse a purchase from the future, or from before what the program takes. Raises Invalid."""
    check_occurred(purchase.occurred_at, now=now, oldest_fact_days=program.settings.oldest_fact_days)


def occasion_of(purchase: Purchase, known: Known, settings: ProgramSettings) -> Occasion:
    """Show a purchase to earning rules."""
    return Occasion(
        purchase.occurred_at,
        ZoneInfo(settings.time_zone),
        known,
        purchase.currency,
        purchase.total,
        purchase.tax,
        purchase.shipping,
        purchase.points_paid,
        purchase.channel,
        purchase.items,
    )


def book(purchase: Purchase, account: Account, terms: ReferringTerms, purchase_id: UUID) -> Earnings:
    """Decide what a new purchase comes to, and move the points that it earns into the account. Raises Invalid.

    Rules, policies and calendar are those that applied when it occurred, however late it is reported.
    """
    applied, climber = terms.program.at(purchase.occurred_at), terms.climbing.climber(account)
    occasion = occasion_of(purchase, terms.known(climber.customer), applied.settings)
    decided = terms.decide(occasion, climber.customer, applied)
    fact = Fact(purchase_id, purchase.occurred_at, purchase.total, purchase.currency)
    referral = terms.referring.bought(purchase.referral_code, account, fact)
    account.customer = with_purchase(account.customer, purchase.occurred_at, decided.points)
    account.touch(kept_alive(applied.settings, QualifyingActivity.PURCHASE, purchase.occurred_at))
    pending_before = account.customer.balance.pending
    cause = Cause("purchase", purchase.id)
    lines = terms.reward(decided, account, applied, occasion=occasion, row_id=purchase_id, cause=cause)
    pending = account.customer.balance.pending - pending_before
    surprises = (
        ()
        if terms.surprising is None
        else bought(terms.surprising, account, occasion, purchase_id=purchase.id, row_id=purchase_id)
    )
    amount = 0 if climber.ladder is None else _counts(purchase, lines, climber.ladder)
    tier = terms.climbing.count(
        account, climber, occurred_at=purchase.occurred_at, amount=amount, reason=Reason.PURCHASE
    )
    seen = None if decided.by_base_alone else Seen.of(occasion.known)
    return Earnings(decided.points, pending, lines, account.customer.balance, seen, tier, referral, surprises)


def _counts(purchase: Purchase, lines: Sequence[Line], ladder: Ladder) -> int:
    points, bonus = points_of(lines)
    return purchase_counts(ladder, currency=purchase.currency, total=purchase.total, points=points, bonus=bonus)
