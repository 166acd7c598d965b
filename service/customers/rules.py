"""What a customer is. Pure."""

import hashlib
import hmac
from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid, Kind, Refusal

MOST_ATTRIBUTES: Final = 50
LONGEST_ATTRIBUTE_NAME: Final = 40
LONGEST_ATTRIBUTE: Final = 500


class Balance(msgspec.Struct, frozen=True):
    """A customer's points by bucket, each >= 0. Debt is a number of its own and never beside available points."""

    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0


class Standing(msgspec.Struct, frozen=True):
    """What a customer has, as a page of a shop shows it."""

    customer_id: str
    balance: Balance
    lifetime_earned: int
    next_expiry_at: datetime | None = None
    next_expiry_points: int = 0
    is_due: bool = False
    """Something has changed by itself since the row was written: the row alone doesn't tell what there is now."""
    tier: str | None = None
    tier_state: str | None = None
    has_facts: bool = False
    """Whether the customer has bought something, or earned points."""
    has_moved: bool = False
    """Whether any points of the customer's ever moved."""


class Customer(msgspec.Struct, frozen=True):
    """A customer's row: the balance and what rules need to know, as of `version`."""

    id: int
    external_id: str
    version: int
    balance: Balance
    lifetime_earned: int
    purchase_count: int
    first_purchase_at: datetime | None
    last_purchase_at: datetime | None
    enrolled_at: datetime
    next_due_at: datetime | None = None
    """When the next of the customer's lots or holds changes by itself; who writes the row books that first."""
    alive_until: datetime | None = None
    """When the points that slide end, unless something qualifying happens before."""
    sliding: int = 0
    """How many of the available points slide."""
    next_expiry_at: datetime | None = None
    next_expiry_points: int = 0
    """How many of the available points end next, and when, of those that have a date of their own."""
    notify_at: datetime | None = None
    """When the customer is to be told that the points which slide end; None once it was, or where nobody is told."""
    limits_used: str | None = None
    """What the customer used of limits of earning rules, as the room of the rules writes it."""
    tier: str | None = None
    """The customer's tier, by its id."""
    tier_state: str | None = None
    """What the tier rests on, as the room of the tiers writes it."""
    tier_due_at: datetime | None = None
    """When time alone changes something about the tier next, or a little earlier."""
    open_referral: UUID | None = None
    """The referral by which the customer came, as long as facts are waited for that qualify it."""
    surprises: str | None = None
    """What the customer had of campaigns, as their room writes it."""
    is_suppressed: bool | None = None
    """Whether a reason held for no message and no surprise when the row was read; `suppressed` tells which."""
    merged_into: int | None = None
    """The record that this one went into, by its internal id: it keeps its history and nothing else."""
    is_new: bool = False
    """Enrolled by the booking under way: there is no row yet."""
    written_by: int = 0
    """Which transaction wrote the row as it was read: whoever writes it next proves that it is still that one."""

    @property
    def has_facts(self) -> bool:
        """Whether the customer has bought something, or earned points."""
        return self.purchase_count > 0 or self.lifetime_earned > 0

    @property
    def has_moved(self) -> bool:
        """Whether any points of the customer's ever moved."""
        return self.version > 0


def ending_next(
    own: datetime | None, points: int, alive_until: datetime | None, sliding: int
) -> tuple[datetime | None, int]:
    """Return when points of a customer end next and how many: by a date of their own, or because they slide."""
    if not sliding or alive_until is None or (own is not None and own < alive_until):
        return own, points
    return alive_until, sliding + (points if own == alive_until else 0)


def standing_of(customer: Customer, *, is_due: bool = False) -> Standing:
    """Tell what a customer's row shows."""
    ends = ending_next(customer.next_expiry_at, customer.next_expiry_points, customer.alive_until, customer.sliding)
    return Standing(
        customer.external_id,
        customer.balance,
        customer.lifetime_earned,
        *ends,
        is_due,
        customer.tier,
        customer.tier_state,
        customer.has_facts,
        customer.has_moved,
    )


# Blanks and control characters are named: what `\s` means differs from one language's patterns to another's.
_IN_EMAIL: Final = r"[^\s@\x00-\x1f\x7f-\x9f\ufeff]+"
Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=rf"^{_IN_EMAIL}@{_IN_EMAIL}$(?!\n)")]
Phone = Annotated[str, Meta(min_length=3, max_length=40)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Locale = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$(?!\n)", max_length=35)]
Attribute = str | bool | int | float | None
AttributeName = Annotated[str, Meta(min_length=1, max_length=LONGEST_ATTRIBUTE_NAME)]
AttributeChange = (
    Annotated[str, Meta(max_length=LONGEST_ATTRIBUTE)]
    | bool
    | Annotated[int, Meta(ge=-BOUND, le=BOUND)]
    | Annotated[float, Meta(ge=-BOUND, le=BOUND)]
    | None
)


class Profile(msgspec.Struct, frozen=True):
    """What callers told of a customer. Personal data: it is kept apart, where an erasure can empty it."""

    email: str | None = None
    phone: str | None = None
    name: str | None = None
    birthday: date | None = None
    locale: str | None = None
    attributes: dict[str, Attribute] = {}


class ProfileChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of a profile. What is left out stays; null empties; `attributes` are changed one by one."""

    email: Email | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    name: Name | UnsetType | None = UNSET
    birthday: date | UnsetType | None = UNSET
    locale: Locale | UnsetType | None = UNSET
    attributes: dict[AttributeName, AttributeChange] = {}


class CustomerUnknown(Invalid):
    """The program enrols customers explicitly, and nobody enrolled this one."""

    code = "customer_unknown"
    title = "The customer is not enrolled"

    def __init__(self, pointer: str) -> None:
        detail = "This program enrols customers with PUT /v1/customers/{id} only, and this one is not enrolled."
        super().__init__(detail, pointer=pointer, reason="customer_unknown")


class CustomerErased(Refusal):
    """What is asked for is of a customer who was erased."""

    kind = Kind.GONE
    code = "customer_erased"
    title = "The customer was erased"


class CustomerMerged(Refusal):
    """The record went into another one already."""

    kind = Kind.CONFLICT
    code = "customer_merged"
    title = "The record went into another one already"


def newcomer(internal_id: int, external_id: str, now: datetime) -> Customer:
    """Make a customer who is new."""
    return Customer(internal_id, external_id, 0, Balance(), 0, 0, None, None, now, is_new=True)


def with_purchase(customer: Customer, occurred_at: datetime, earned: int) -> Customer:
    """Count a purchase. Facts may come late, so the first and the last are those by `occurred_at`."""
    first, last = customer.first_purchase_at, customer.last_purchase_at
    return msgspec.structs.replace(
        customer,
        purchase_count=customer.purchase_count + 1,
        first_purchase_at=occurred_at if first is None else min(first, occurred_at),
        last_purchase_at=occurred_at if last is None else max(last, occurred_at),
        lifetime_earned=customer.lifetime_earned + earned,
    )


def with_activity(customer: Customer, earned: int) -> Customer:
    """Count what an activity earned. It is no purchase."""
    return msgspec.structs.replace(customer, lifetime_earned=customer.lifetime_earned + earned)


def changed(profile: Profile, change: ProfileChange, today: date) -> Profile:
    """Apply a change. Raises Invalid for too many attributes and for a birthday to come."""
    if isinstance(change.birthday, date) and change.birthday > today:
        raise Invalid("A birthday is not in the future.", pointer="/birthday", reason="out_of_range")
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
    given["attributes"] = _changed_attributes(profile.attributes, change.attributes)
    return msgspec.structs.replace(profile, **given)


def _changed_attributes(before: dict[str, Attribute], change: dict[str, Attribute]) -> dict[str, Attribute]:
    after: dict[str, Attribute] = {name: value for name, value in (before | change).items() if value is not None}
    if len(after) > MOST_ATTRIBUTES:
        detail = f"A customer has at most {MOST_ATTRIBUTES} attributes."
        raise Invalid(detail, pointer="/attributes", reason="out_of_range")
    return after


def filled(kept: Profile, gone: Profile) -> Profile:
    """Fill what a profile leaves open from another one; of attributes the most that a customer may have."""
    more = [(name, value) for name, value in gone.attributes.items() if name not in kept.attributes]
    room = MOST_ATTRIBUTES - len(kept.attributes)
    return Profile(
        kept.email or gone.email,
        kept.phone or gone.phone,
        kept.name or gone.name,
        kept.birthday or gone.birthday,
        kept.locale or gone.locale,
        kept.attributes | dict(more[:room]),
    )


def joined(source: Customer, target: Customer) -> tuple[Customer, Customer]:
    """Let the target's counters be those of both, and the source's of nothing."""
    firsts = [each.first_purchase_at for each in (source, target) if each.first_purchase_at is not None]
    lasts = [each.last_purchase_at for each in (source, target) if each.last_purchase_at is not None]
    replace = msgspec.structs.replace
    both = replace(
        target,
        purchase_count=source.purchase_count + target.purchase_count,
        lifetime_earned=source.lifetime_earned + target.lifetime_earned,
        first_purchase_at=min(firsts, default=None),
        last_purchase_at=max(lasts, default=None),
    )
    none = replace(source, purchase_count=0, lifetime_earned=0, first_purchase_at=None, last_purchase_at=None)
    return none, both


def identities(profile: Profile) -> list[tuple[str, str]]:
    """Name what a person is known by beside the caller's id, in a form that spelling doesn't change: kind and text.

    Hashes of these are kept of whoever was erased: another form would find none of them any more.
    """
    email = None if profile.email is None else normal_email(profile.email)
    digits = normal_phone(profile.phone or "")
    found = list[tuple[str, str]]()
    if email is not None and not email.startswith("@"):
        found.append(("email", email))
    if digits:
        found.append(("phone", digits))
    return found


def normal_email(email: str) -> str:
    """Bring an e-mail address into the form in which two of one mailbox are equal: case, dots and what follows a plus.

    Dots count for some providers; who differs by dots alone is taken for one person all the same.
    """
    name, _, domain = email.strip().casefold().rpartition("@")
    return f"{name.partition('+')[0].replace('.', '')}@{domain}"


def normal_phone(phone: str) -> str:
    """Bring a phone number into the form in which spelling doesn't matter: its digits behind leading zeros."""
    return "".join(each for each in phone if each.isdigit()).lstrip("0")


def reference(key: bytes, customer: int) -> str:
    """Make the reference of a customer from the internal id and the program's key: 32 digits that tell neither."""
    digest = hmac.digest(key, f"customer_ref\n{customer}".encode(), hashlib.sha256)
    return f"cus_{digest[:16].hex()}"
