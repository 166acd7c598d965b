"""Customers on the wire. The request is `rules.ProfileChange` itself."""

from datetime import date
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from service.customers.records import Export
from service.customers.rules import Attribute, Balance, Customer, Profile, ProfileChange
from service.kernel.ids import CallerId
from service.kernel.times import Time


class PurchasesOut(msgspec.Struct, frozen=True):
    """What is known of a customer's purchases; first and last by when they occurred."""

    count: int
    first_at: Time | None
    last_at: Time | None


class CustomerOut(msgspec.Struct, frozen=True):
    """A customer's record. Who may enrol and not read is told back what the call gave, and nothing else."""

    customer_id: str
    enrolled_at: Time
    attributes: dict[str, Attribute]
    email: str | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    birthday: date | UnsetType | None = UNSET
    locale: str | UnsetType | None = UNSET
    purchases: PurchasesOut | UnsetType = UNSET


def customer_out(customer: Customer, profile: Profile) -> CustomerOut:
    """Render a customer's record, for those who may read it."""
    purchases = PurchasesOut(customer.purchase_count, customer.first_purchase_at, customer.last_purchase_at)
    return _out(customer, profile, purchases)


def change_out(customer: Customer, change: ProfileChange) -> CustomerOut:
    """Render what a call gave, for those who may enrol and not read."""
    return _out(customer, change, UNSET)


def _out(customer: Customer, told: Profile | ProfileChange, purchases: PurchasesOut | UnsetType) -> CustomerOut:
    return CustomerOut(
        customer_id=customer.external_id,
        enrolled_at=customer.enrolled_at,
        attributes=told.attributes,
        email=told.email,
        phone=told.phone,
        name=told.name,
        birthday=told.birthday,
        locale=told.locale,
        purchases=purchases,
    )


class Merge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The customer whose record takes this one in."""

    into: CallerId


class MergedOut(msgspec.Struct, frozen=True):
    """Which record there is now, and what it has."""

    customer_id: str
    into: str
    balance: Balance


class ErasedOut(msgspec.Struct, frozen=True):
    """Who is erased, and the balances that were closed."""

    customer_id: str
    erased: bool
    closed: Balance


class ExportOut(msgspec.Struct, frozen=True):
    """All that is kept of a customer as of `exported_at`; `merged` are the ids of records that went into this one.

    `records` holds lists by what they are: transactions, lots, redemptions, purchases, refunds, vouchers and others,
    each as its own route shows it.
    """

    customer: CustomerOut
    merged: list[str]
    exported_at: Time
    records: dict[str, list[dict[str, Any]]]


def export_out(export: Export) -> ExportOut:
    """Render an export."""
    records = {name: [msgspec.to_builtins(one) for one in each] for name, each in export.records.items()}
    return ExportOut(customer_out(export.customer, export.profile), export.names, export.exported_at, records)
