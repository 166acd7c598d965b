"""What a program is and how it is set. Pure."""

import re
from bisect import bisect_right
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import available_timezones

import msgspec
from msgspec import Meta

from service.kernel.amounts import BOUND, CurrencyCode, exponent
from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.rounding import Rounding
from service.kernel.times import FIRST_MOMENT, in_utc
from service.kernel.urls import GREATEST_PORT, HTTPS, url_of
from service.platform.http.body import as_invalid
from service.platform.roles import Role
from service.programs.definitions import NO_DEFINITIONS, Definitions
from service.programs.payment_terms import EarlyPayment, check_early_payment
from service.programs.policies import ExpiryPolicy, OwnPending, PendingPolicy, check_expiry
from service.programs.portal_policy import PortalPolicy, check_portal
from service.programs.surprise_policy import SurprisePolicy, check_surprises
from service.programs.tier_policy import TierPolicy, check_tiers
from service.programs.versions import applying

LONGEST_NAME: Final = 200
PROGRAM_CODE_PATTERN: Final = "^[a-z][a-z0-9-]{0,62}$(?!\n)"


class Enrolment(Enum):
    """How customers come into a program."""

    IMPLICIT = "implicit"
    """By their first fact."""
    EXPLICIT = "explicit"
    """By PUT /v1/customers/{id} only; facts of others are refused."""


class Part(Enum):
    """Whether a part of what the customer paid earns points."""

    INCLUDED = "included"
    EXCLUDED = "excluded"


Label = Annotated[str, Meta(min_length=1, max_length=128)]


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Items by their SKU or by their category; either does."""

    skus: Annotated[tuple[Label, ...], Meta(max_length=500)] = ()
    categories: Annotated[tuple[Label, ...], Meta(max_length=200)] = ()


class EarnRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`points` for each `amount` of minor units: 1 point per 10.00 EUR is `{"points": 1, "amount": 1000}`."""

    points: Annotated[int, Meta(ge=0, le=10**6)]
    amount: Annotated[int, Meta(ge=1, le=BOUND)]


class UnitRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`points` for each `units` of whole units of whatever currency: dollars, yen, dinars."""

    points: Annotated[int, Meta(ge=0, le=10**6)]
    units: Annotated[int, Meta(ge=1, le=10**6)]


class BaseRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every purchase earns: points for each amount of a currency.

    A currency without a rate of its own takes `any_currency`, and earns nothing where that is null. `tax` and
    `shipping` say whether these parts of the total count; a program that leaves both out is told shipping net. What
    points paid is not in the total: it earns only where `points_paid` is included. The items of `without`, gift cards
    for one, don't earn.
    """

    rates: dict[CurrencyCode, EarnRate] = {}
    any_currency: UnitRate | None = UnitRate(points=1, units=1)
    tax: Part = Part.INCLUDED
    shipping: Part = Part.INCLUDED
    points_paid: Part = Part.EXCLUDED
    without: Selection | None = None
    rounding: Rounding = Rounding.DOWN
    pending: Annotated[
        OwnPending | None,
        Meta(description="How the rule's points are held back; null: as the program says; `at_once`: not at all."),
    ] = None


TimeZone = Annotated[
    str,
    Meta(
        max_length=64,
        description="A time zone of the IANA database: Europe/Berlin.",
        extra_json_schema={"format": "iana-time-zone"},
    ),
]


class PointValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What points are worth: `points` are worth `amount` minor units of the program's currency."""

    points: Annotated[int, Meta(ge=1, le=BOUND)] = 1
    amount: Annotated[int, Meta(ge=1, le=BOUND)] = 1
    minimum: Annotated[int, Meta(ge=1, le=BOUND)] = 1
    step: Annotated[int, Meta(ge=1, le=BOUND)] = 1
    greatest_share: Annotated[int, Meta(ge=1, le=10_000, description="Basis points of an order.")] | None = None


Link = Annotated[
    str,
    Meta(
        max_length=500,
        pattern=r"^https?://[!-~]+$(?!\n)",
        description="An absolute https URL in ASCII, without credentials; of test programs also http.",
    ),
]


class ProgramSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a merchant sets. Each change is a new version, and what was booked names its version."""

    currency: CurrencyCode = "EUR"
    time_zone: TimeZone = "UTC"
    enrolment: Enrolment = Enrolment.IMPLICIT
    oldest_fact_days: Annotated[int, Meta(ge=0, le=36_500)] | None = None
    base_rule: BaseRule = BaseRule()
    expiry: Annotated[ExpiryPolicy, Meta(description="When points end, in the program's time zone.")] = "never"
    pending: Annotated[PendingPolicy | None, Meta(description="How points are held back; null: not at all.")] = None
    point_value: PointValue = PointValue()
    restored_grace_days: Annotated[
        Annotated[int, Meta(ge=1, le=3_650)] | None,
        Meta(description="Days for which points can be spent that come back by a refund after their end; null: none."),
    ] = None
    debt_limit: Annotated[int, Meta(ge=0, le=BOUND)] | None = None
    hold_seconds: Annotated[int, Meta(ge=1, le=30 * 86_400)] = 900
    adjustment_limit: Annotated[
        Annotated[int, Meta(ge=0, le=BOUND)] | None,
        Meta(
            description="How many points one key may give to or take from one customer by adjustments within 24 hours, "
            "counted without their sign; what goes beyond waits for a second key. Null: no limit."
        ),
    ] = None
    tiers: Annotated[
        TierPolicy | None, Meta(description="How customers qualify for tiers; null: the program has none.")
    ] = None
    referral_link: Annotated[
        Link | None,
        Meta(
            description="Where the links of referrals lead: the code is added to its query as `ref`. Null: referrals "
            "have codes and no links."
        ),
    ] = None
    early_payment: Annotated[
        EarlyPayment | None,
        Meta(description="What is given for paying invoices early, where nothing else is agreed; null: nothing."),
    ] = None
    surprises: Annotated[SurprisePolicy, Meta(description="What holds for all campaigns of surprises together.")] = (
        SurprisePolicy()
    )
    portal: Annotated[PortalPolicy, Meta(description="The pages that customers see.")] = PortalPolicy()


class SettingsVersion(msgspec.Struct, frozen=True):
    """A version of a program's settings. It applies to what occurs from `valid_from` on, until a later one does.

    The first version of all is valid from FIRST_MOMENT on, no other is.
    """

    number: int
    settings: ProgramSettings
    valid_from: datetime = FIRST_MOMENT


class Program(msgspec.Struct, frozen=True):
    """One merchant's programme, with its newest settings, those that applied before, and what it has defined.

    `settings` and `version` are the newest: for what is about now. What a fact comes to is decided by what `at` gives.
    `earlier` are versions that still apply to some moment before `newest.valid_from`, the oldest first.
    """

    id: int
    code: str
    name: str
    live: bool
    newest: SettingsVersion
    earlier: tuple[SettingsVersion, ...] = ()
    definitions: Definitions = NO_DEFINITIONS

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self.newest.number

    @property
    def settings(self) -> ProgramSettings:
        """The settings of the newest version."""
        return self.newest.settings

    def at(self, moment: datetime) -> SettingsVersion:
        """Return the version that applies to what occurred at an aware moment: the highest of those valid by then."""
        if moment >= self.newest.valid_from:
            return self.newest
        return self.earlier[bisect_right(self.earlier, moment, key=_valid_from) - 1]


class KeyLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often a key may call: `per_second` in the long run, `burst` at once; at least what a second brings."""

    per_second: Annotated[int, Meta(ge=1, le=10**6)]
    burst: Annotated[int, Meta(ge=1, le=10**7)]


class ApiKey(msgspec.Struct, frozen=True):
    """A key without its secret. `hint` is its last four characters; without a `limit` the default counts.

    `origin` is the first key of its line of rotations; None where that is the key itself.
    """

    id: UUID
    program_id: int
    role: Role
    name: str
    hint: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    limit: KeyLimit | None = None
    origin: UUID | None = None


class ProgramExists(Refusal):
    """The code of a new program is taken."""

    kind = Kind.CONFLICT
    code = "program_exists"
    title = "There is a program with this code already"


class KeyEnds(Refusal):
    """A key that is revoked or has a successor already is not rotated."""

    kind = Kind.CONFLICT
    code = "key_ends"
    title = "This key is revoked, or has a successor already"


def changed(settings: ProgramSettings, change: dict[str, Any], *, live: bool = True) -> ProgramSettings:
    """Replace the given settings and keep the others. Raises Invalid, with a pointer to the setting.

    A test program may have what a live one can't.
    """
    merged = msgspec.to_builtins(settings) | change
    try:
        return checked(msgspec.convert(merged, ProgramSettings, strict=True), live=live)
    except msgspec.ValidationError as fault:
        raise as_invalid(str(fault), within="/settings") from None


def with_settings(
    program: Program, settings: ProgramSettings, *, valid_from: datetime | None, now: datetime
) -> Program:
    """Give a program a version of its settings that applies to what occurs from `valid_from` on, or from `now` on.

    The same settings are a version only where they are to apply from an earlier moment on. Raises Invalid for a moment
    that is still to come.
    """
    since = now if valid_from is None else in_utc(valid_from, "/valid_from")
    if since > now:
        detail = "This is in the future. Leave it out for a change from now on."
        raise Invalid(detail, pointer="/valid_from", reason="in_the_future")
    newest = program.newest
    if settings == newest.settings and (valid_from is None or since >= newest.valid_from):
        return program
    made = SettingsVersion(newest.number + 1, settings, since)
    *earlier, _ = applying([*program.earlier, newest, made])
    return msgspec.structs.replace(program, newest=made, earlier=tuple(earlier))


def checked_limit(limit: KeyLimit | None) -> KeyLimit | None:
    """Refuse a burst that is smaller than what a second brings. Raises Invalid."""
    if limit is not None and limit.burst < limit.per_second:
        detail = "A burst is at least as many requests as per_second."
        raise Invalid(detail, pointer="/rate_limit/burst", reason="out_of_range")
    return limit


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    """Return the names of the IANA database. It is hundreds of files, which are looked through once."""
    return frozenset(available_timezones())


def check_names(*, code: str, name: str) -> None:
    """Refuse a code or a name that a program can't have. Raises Invalid."""
    if re.match(PROGRAM_CODE_PATTERN, code) is None:
        detail = "A code has up to 63 lower-case letters, digits and hyphens, and begins with a letter."
        raise Invalid(detail, pointer="/code", reason="invalid_format")
    if not 1 <= len(name) <= LONGEST_NAME:
        detail = f"A name has 1 to {LONGEST_NAME} characters."
        raise Invalid(detail, pointer="/name", reason="out_of_range")


def checked(settings: ProgramSettings, *, live: bool) -> ProgramSettings:
    """Refuse currencies and time zones that don't exist, policies that contradict themselves, links that lead nowhere.

    Raises Invalid.
    """
    for pointer, currency in [("/settings/currency", settings.currency)] + [
        (f"/settings/base_rule/rates/{code}", code) for code in settings.base_rule.rates
    ]:
        if exponent(currency) is None:
            raise Invalid("This is no ISO 4217 currency with a minor unit.", pointer=pointer, reason="unknown_currency")
    if settings.time_zone not in _time_zones():
        detail = "This is no time zone of the IANA database."
        raise Invalid(detail, pointer="/settings/time_zone", reason="unknown_time_zone")
    check_expiry(settings.expiry, "/settings/expiry")
    if settings.tiers is not None:
        check_tiers(settings.tiers, "/settings/tiers")
    if settings.early_payment is not None:
        check_early_payment(settings.early_payment, "/settings/early_payment")
    check_surprises(settings.surprises, "/settings/surprises")
    check_portal(settings.portal, "/settings/portal", live=live)
    if settings.portal.home is not None:
        _check_link(settings.portal.home, "/settings/portal/home", live=live)
    if settings.referral_link is not None:
        _check_link(settings.referral_link, "/settings/referral_link", live=live)
    return settings


def _check_link(link: str, pointer: str, *, live: bool) -> None:
    url = url_of(link)
    if url is None or (url.port is not None and not 1 <= url.port <= GREATEST_PORT):
        detail = (
            "This is an absolute https URL in ASCII (a name in another script as `xn--`, other characters"
            " percent-encoded), without a user or a password."
        )
        raise Invalid(detail, pointer=pointer, reason="invalid_format")
    if live and url.scheme != HTTPS:
        raise Invalid("Only test programs may have a link of http.", pointer=pointer, reason="not_https")


def _valid_from(version: SettingsVersion) -> datetime:
    return version.valid_from
