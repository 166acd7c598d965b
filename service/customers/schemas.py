"""Customers on the wire. The request is `rules.ProfileChange` itself."""

from datetime import date, datetime

import msgspec

from service.customers.rules import Attribute, Customer, Profile


class PurchasesOut(msgspec.Struct, frozen=True):
    """What is known of a customer's purchases; first and last by when they occurred."""

    count: int
    first_at: datetime | None
    last_at: datetime | None


class CustomerOut(msgspec.Struct, frozen=True):
    """A customer's record."""

    customer_id: str
    email: str | None
    phone: str | None
    name: str | None
    birthday: date | None
    locale: str | None
    attributes: dict[str, Attribute]
    purchases: PurchasesOut
    enrolled_at: datetime


def customer_out(customer: Customer, profile: Profile) -> CustomerOut:
    """Render a customer's record."""
    purchases = PurchasesOut(customer.purchase_count, customer.first_purchase_at, customer.last_purchase_at)
    return CustomerOut(
        customer.external_id,
        profile.email,
        profile.phone,
        profile.name,
        profile.birthday,
        profile.locale,
        profile.attributes,
        purchases,
        customer.enrolled_at,
    )
