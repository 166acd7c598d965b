"""Customers on the wire. The request is `rules.ProfileChange` itself."""

from datetime import date

import msgspec
from msgspec import UNSET, UnsetType

from service.customers.rules import Attribute, Customer, Profile, ProfileChange
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
