"""What earning rules look at: a purchase, an activity, a paid invoice, and what is known of its customer then. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from service.customers.rules import Customer, Profile
from service.earning.contexts import Context
from service.kernel.periods import day_of

NO_PROFILE: Final = Profile()


class Piece(Protocol):
    """One line of what was bought; `amount` is the line's, gross, in minor units."""

    @property
    def amount(self) -> int:
        """Minor units of the line."""
        ...

    @property
    def quantity(self) -> int:
        """How many pieces."""
        ...

    @property
    def sku(self) -> str | None:
        """The article."""
        ...

    @property
    def category(self) -> str | None:
        """What kind of article."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a customer before the fact; `attributes` and `birthday` only where a rule asks for them."""

    purchase_count: int
    enrolled_at: datetime
    last_purchase_at: datetime | None = None
    tier: str | None = None
    attributes: Mapping[str, str | bool | int | float | None] = field(
        default_factory=dict[str, str | bool | int | float | None]
    )
    birthday: date | None = None
    lifetime_earned: int = 0
    """What was earned in the customer's lifetime, pending points included; rules don't see it, audiences do."""


def known_of(customer: Customer, profile: Profile | None) -> Known:
    """Tell what a customer's row tells. The relation began with the first purchase, if not before."""
    first, told = customer.first_purchase_at, NO_PROFILE if profile is None else profile
    return Known(
        customer.purchase_count,
        customer.enrolled_at if first is None else min(first, customer.enrolled_at),
        customer.last_purchase_at,
        customer.tier,
        told.attributes,
        told.birthday,
        customer.lifetime_earned,
    )


@dataclass(slots=True)
class Occasion:
    """A purchase, or with a `type` an activity, which the paying of an invoice is to rules, too.

    Money is in minor units of `currency`, which has them. Its local time is worked out once, when a rule asks for it.
    """

    occurred_at: datetime
    zone: ZoneInfo
    known: Known
    currency: str = ""
    total: int = 0
    tax: int = 0
    shipping: int = 0
    points_paid: int = 0
    channel: str | None = None
    items: Sequence[Piece] = ()
    type: str | None = None
    properties: Mapping[str, object] = field(default_factory=dict[str, object])
    context: Context | None = None
    """What expressions see of it, once one was asked."""
    _day: date | None = None
    _clock: datetime | None = None

    @property
    def day(self) -> date:
        """The program's day on which it occurred."""
        if self._day is None:
            self._day = day_of(self.occurred_at, self.zone)
        return self._day

    @property
    def clock(self) -> datetime:
        """What the program's clock on the wall showed; in the year 0 it would be the first moment of the year 1."""
        if self._clock is None:
            try:
                self._clock = self.occurred_at.astimezone(self.zone)
            except OverflowError:
                self._clock = datetime.min.replace(tzinfo=self.zone)
        return self._clock

    @property
    def purchase_number(self) -> int:
        """Which of the customer's purchases it is: 1 for the first; of an activity, the next one."""
        return self.known.purchase_count + 1

    @property
    def purchases(self) -> int:
        """How many purchases of the customer there are, with this one where it is one."""
        return self.known.purchase_count + (self.type is None)


class CustomerOccasion(Occasion):
    """A customer at some moment, by whatever a surprise was occasioned: nothing is bought, and its type is empty."""

    __slots__ = ()

    @property
    def purchase_number(self) -> int:
        """Which of the customer's purchases was the last; 0 before the first."""
        return self.known.purchase_count
