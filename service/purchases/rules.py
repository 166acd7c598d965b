"""What a purchase is, when it can be accepted, and what it comes to. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from service.customers.rules import Balance, with_purchase
from service.earning.rules import Line, Spending, base_line
from service.kernel.amounts import CurrencyCode, MinorUnits, Quantity, exponent
from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.ids import CallerId
from service.kernel.times import Time, check_happened, in_utc
from service.points.account import Account
from service.points.policies import kept_alive, life_of
from service.points.rules import Cause
from service.programs.policies import QualifyingActivity
from service.programs.rules import Program

Label = Annotated[str, Meta(min_length=1, max_length=128)]


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


class Earnings(msgspec.Struct, frozen=True):
    """What a purchase is answered with, for ever. `earned` includes what is `pending`."""

    earned: int
    pending: int
    lines: Sequence[Line]
    balance: Balance


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


def book(purchase: Purchase, account: Account, program: Program, purchase_id: UUID) -> Earnings:
    """Decide what a new purchase comes to, and move the points that it earns into the account. Raises Invalid.

    Rules, policies and calendar are those that applied when it occurred, however late it is reported.
    """
    spending = Spending(purchase.currency, purchase.total, purchase.tax, purchase.shipping)
    applied = program.at(purchase.occurred_at)
    settings = applied.settings
    line = base_line(settings.base_rule, applied.number, spending)
    account.customer = with_purchase(account.customer, purchase.occurred_at, line.points)
    account.touch(kept_alive(settings, QualifyingActivity.PURCHASE, purchase.occurred_at))
    pending_before = account.customer.balance.pending
    account.grant(
        line.points,
        transfer_id=purchase_id,
        cause=Cause("purchase", purchase.id),
        rule=line.rule,
        rule_version=line.version,
        occurred_at=purchase.occurred_at,
        life=life_of(settings, settings.base_rule.pending, purchase.occurred_at),
    )
    balance = account.customer.balance
    return Earnings(line.points, balance.pending - pending_before, (line,), balance)
