"""What rules that are only tried would have given for purchases that were made, beside what was given. Pure.

Purchases are taken in the order in which they were booked, and each as if it were booked then: what is known of its
customer goes on from what was known before, with the tier that there was. Limits begin with nothing used. Nothing is
moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nlargest
from operator import itemgetter
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from service.customers.rules import Customer, with_purchase
from service.earning.book import RuleBook
from service.earning.defining import EARNING_RULES
from service.earning.limits import Taken, Use
from service.earning.rules import BASE_RULE, EARNING_RULE, Every, RuleContent, Scope
from service.earning.terms import Terms
from service.kernel.errors import Invalid, Refusal
from service.kernel.times import FIRST_MOMENT, Time, in_utc
from service.points.rules import worth
from service.programs.definitions import DefinitionId, DefinitionVersion, State, check_content
from service.programs.rules import BaseRule, Program, SettingsVersion
from service.purchases.rules import Purchase, occasion_of
from service.tiers.history import TierHistory

MOST_EXAMPLES: Final = 10
_NO_POINTS: Final = BaseRule(any_currency=None)


class TriedRule(RuleContent, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule to try: one that is there is replaced by it, any other is added."""

    id: DefinitionId


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to try on the purchases that occurred from `since` to before `until`.

    The `rules`, and those of `drafts`, which are there already and taken at their newest version whatever its state,
    apply for the whole period; those of `without`, the program's own `base` among them, never do. All others apply as
    they did when a purchase occurred.
    """

    since: Time
    until: Time
    rules: Annotated[tuple[TriedRule, ...], Meta(max_length=20)] = ()
    drafts: Annotated[tuple[DefinitionId, ...], Meta(max_length=20)] = ()
    without: Annotated[tuple[DefinitionId, ...], Meta(max_length=200)] = ()


class PointsGiven(msgspec.Struct, frozen=True):
    """How many points, for how many purchases of how many customers."""

    points: int
    purchases: int
    customers: int


class Outlay(PointsGiven, frozen=True):
    """The same with the `cost`: what the points are worth now, in minor units of the program's currency."""

    cost: int


class SimulatedByRule(msgspec.Struct, frozen=True):
    """What one rule gave, and what it would have given."""

    rule: str
    given: PointsGiven
    simulated: PointsGiven


class Quantiles(msgspec.Struct, frozen=True):
    """Points of one customer: the least, those that 10, 50, 90 and 99 % have at most, the greatest."""

    least: int
    p10: int
    p50: int
    p90: int
    p99: int
    greatest: int


class Distribution(msgspec.Struct, frozen=True):
    """How points are spread over the customers; of these so many would have got `more`, the `same`, `less`."""

    given: Quantiles
    simulated: Quantiles
    difference: Quantiles
    more: int
    same: int
    less: int


class CustomerSimulated(msgspec.Struct, frozen=True):
    """What one customer got in the period, and would have got."""

    customer_id: str
    given: int
    simulated: int


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial comes to, next to what was `given`; `difference` is what is simulated less that.

    `purchases` and `customers` are those of the period. All count as bought: of what was given, refunds took back
    `reversed` points. `refused` purchases would have given more than 10^12 points, and are left out.
    """

    since: Time
    until: Time
    purchases: int
    customers: int
    refused: int
    currency: str
    given: Outlay
    reversed: int
    simulated: Outlay
    difference: Outlay
    by_rule: list[SimulatedByRule]
    distribution: Distribution
    most_gained: list[CustomerSimulated]
    most_lost: list[CustomerSimulated]


class GivenLine(msgspec.Struct, frozen=True):
    """What a rule gave for a purchase."""

    rule: str
    points: int


def checked(trial: Trial, program: Program) -> Trial:
    """Bring a trial's times to UTC, and refuse ids that can't be tried. What its rules say is another matter.

    Raises Invalid.
    """
    since, until = in_utc(trial.since, "/since"), in_utc(trial.until, "/until")
    if until <= since:
        raise Invalid("This is not after the beginning.", pointer="/until", reason="out_of_range")
    seen, places = set[str](), list[tuple[str, str]]()
    places += [(f"/rules/{place}/id", rule.id) for place, rule in enumerate(trial.rules)]
    places += [(f"/drafts/{place}", rule) for place, rule in enumerate(trial.drafts)]
    for pointer, rule in places:
        if rule in EARNING_RULES.reserved:
            detail = "No rule can have this id. The program's own is left out by `without`; try another in its place."
            raise Invalid(detail, pointer=pointer, reason="reserved")
    places += [(f"/without/{place}", rule) for place, rule in enumerate(trial.without)]
    for pointer, rule in places:
        if rule in seen:
            raise Invalid("This rule is named already.", pointer=pointer, reason="duplicate")
        seen.add(rule)
    known = program.definitions.of(EARNING_RULE)
    for place, rule in enumerate(trial.without):
        if rule not in known and rule != BASE_RULE:
            detail = "There is no such rule that applies to anything."
            raise Invalid(detail, pointer=f"/without/{place}", reason="unknown_rule")
    return msgspec.structs.replace(trial, since=since, until=until)


def checked_rule(rule: TriedRule, program: Program, since: datetime, pointer: str) -> TriedRule:
    """Bring a rule that stands at a pointer into the form that is stored. It may take 20 ms. Raises Invalid."""
    content = checked_content(content_of(rule), program, since, pointer)
    return TriedRule(id=rule.id, **msgspec.structs.asdict(content))


def checked_content(content: RuleContent, program: Program, since: datetime, pointer: str) -> RuleContent:
    """Check a rule that stands at a pointer as if it were made, to apply from a moment on. Raises Invalid."""
    if content.activity is not None:
        detail = "This rule rewards activities or the paying of invoices; only purchases are simulated."
        raise Invalid(detail, pointer=f"{pointer}/activity", reason="not_for_purchases")
    try:
        return check_content(EARNING_RULES, "", content, program, moment=since)
    except Invalid as fault:
        raise Invalid(fault.detail, pointer=pointer + fault.pointer, reason=fault.reason) from None


def content_of(rule: TriedRule) -> RuleContent:
    """Return what a rule to try says."""
    return RuleContent(**{name: getattr(rule, name) for name in RuleContent.__struct_fields__})


def as_before(customer: Customer, purchases: int, span: tuple[datetime, datetime] | None) -> Customer:
    """Return a customer with so many purchases, of which the first and the last occurred then."""
    first, last = span or (None, None)
    return msgspec.structs.replace(
        customer, purchase_count=purchases, first_purchase_at=first, last_purchase_at=last, limits_used=None
    )


def tried_terms(program: Program, rules: Mapping[str, RuleContent], without: Sequence[str]) -> Terms:
    """Make the terms of a program where these rules always apply in place of those of their ids, and others never."""
    versions = dict(program.definitions.of(EARNING_RULE))
    for rule in without:
        versions.pop(rule, None)  # the program's own isn't one of them
    for rule, content in rules.items():
        text = msgspec.json.encode(content)
        versions[rule] = [DefinitionVersion(1, UUID(int=0), State.ACTIVE, text, FIRST_MOMENT, FIRST_MOMENT)]
    if BASE_RULE in without:
        program = msgspec.structs.replace(
            program,
            newest=_without_base(program.newest),
            earlier=tuple(_without_base(version) for version in program.earlier),
        )
    return Terms(program, RuleBook(versions))


def _without_base(version: SettingsVersion) -> SettingsVersion:
    settings = msgspec.structs.replace(version.settings, base_rule=_NO_POINTS)
    return msgspec.structs.replace(version, settings=settings)


@dataclass(slots=True)
class _Counted:
    """What is counted of one rule, or of all."""

    points: int = 0
    purchases: int = 0
    customers: set[int] = field(default_factory=set[int])

    def add(self, points: int, customer: int) -> None:
        """Count points of a purchase."""
        if points:
            self.points += points
            self.purchases += 1
            self.customers.add(customer)

    def told(self) -> PointsGiven:
        """Tell what was counted."""
        return PointsGiven(self.points, self.purchases, len(self.customers))


class Simulation:
    """Takes purchases one after the other, in the order in which they were booked.

    `customers` are the customers, by internal ids, as they were before the first of these; `tiers` the tiers that they
    had in the course of time, of those whose tier ever changed.
    """

    def __init__(
        self, terms: Terms, customers: Mapping[int, Customer], tiers: Mapping[int, TierHistory] | None = None
    ) -> None:
        self.terms = terms
        self.purchases = 0
        self._tiers = tiers or {}
        self._customers = dict(customers)
        self._refused = self._reversed = 0
        self._given, self._simulated = dict[str, _Counted](), dict[str, _Counted]()
        self._all_given, self._all_simulated = _Counted(), _Counted()
        self._of_customers = dict[int, list[int]]()

    def pass_by(self, customer_id: int, occurred_at: datetime) -> None:
        """Let a purchase be known that isn't of the period; it earned what it earned."""
        customer = self._customers.get(customer_id)
        if customer is not None:  # else nothing of the customer's is asked for
            self._customers[customer_id] = with_purchase(customer, occurred_at, 0)

    @property
    def by_customer(self) -> Mapping[str | None, Sequence[int]]:
        """What customers got and would have got, by the callers' ids; the erased have none."""
        return {self._external_id(customer): points for customer, points in self._of_customers.items()}

    def take(
        self, customer_id: int, row_id: UUID, purchase: Purchase, lines: Sequence[GivenLine], taken_back: int
    ) -> None:
        """Decide on a purchase. `lines` are what it earned, of which refunds took some points back."""
        self.purchases += 1
        had = self._tiers.get(customer_id)
        if had is not None:
            customer = self._customers[customer_id]
            self._customers[customer_id] = msgspec.structs.replace(customer, tier=had.tier_for(row_id))
        self._reversed += taken_back
        of_customer = self._of_customers.setdefault(customer_id, [0, 0])
        try:
            decided = self._decide(customer_id, purchase)
        except Refusal:
            self._refused += 1
            decided = ()
        for place, all_lines, by_rule, everything in (
            (0, lines, self._given, self._all_given),
            (1, decided, self._simulated, self._all_simulated),
        ):
            total = 0
            for line in all_lines:
                counted = by_rule.get(line.rule)
                if counted is None:
                    counted = by_rule[line.rule] = _Counted()
                counted.add(line.points, customer_id)
                total += line.points
            everything.add(total, customer_id)
            of_customer[place] += total

    def _decide(self, customer_id: int, purchase: Purchase) -> Sequence[GivenLine]:
        customer, terms = self._customers[customer_id], self.terms
        applied = terms.program.at(purchase.occurred_at)
        occasion = occasion_of(purchase, terms.known(customer), applied.settings)
        decided = terms.decide(occasion, customer, applied)
        taken = [each for candidate in decided.given for each in candidate.taken]
        if taken:
            self._count(customer, taken)
        self._customers[customer_id] = with_purchase(customer, purchase.occurred_at, decided.points)
        return [GivenLine(each.line.rule, each.line.points) for each in decided.given]

    def _count(self, customer: Customer, taken: Sequence[Taken]) -> None:
        """Count what limits are used, in whichever period: the row keeps only the newest, and so isn't used here."""
        past = self.terms.shared.past
        for each in taken:
            if each.limit.scope is Scope.CUSTOMER and each.limit.every is not Every.FACT:
                past.setdefault(Use(customer.id, each.limit.rule, each.limit.every, each.start), [0, 0])
        self.terms.allowance(customer).take(taken)

    def report(self, trial: Trial) -> Simulated:
        """Tell what came of it."""
        value = self.terms.program.settings.point_value
        given, simulated = self._all_given.told(), self._all_simulated.told()
        of_given, of_simulated = worth(given.points, value), worth(simulated.points, value)
        nothing, tried = _Counted(), {rule.id for rule in trial.rules} | set(trial.drafts)
        return Simulated(
            since=trial.since,
            until=trial.until,
            purchases=self.purchases,
            customers=len(self._of_customers),
            refused=self._refused,
            currency=self.terms.program.settings.currency,
            given=Outlay(given.points, given.purchases, given.customers, of_given),
            reversed=self._reversed,
            simulated=Outlay(simulated.points, simulated.purchases, simulated.customers, of_simulated),
            difference=Outlay(
                simulated.points - given.points,
                simulated.purchases - given.purchases,
                simulated.customers - given.customers,
                of_simulated - of_given,
            ),
            by_rule=[
                SimulatedByRule(rule, self._given.get(rule, nothing).told(), self._simulated.get(rule, nothing).told())
                for rule in sorted(self._given.keys() | self._simulated.keys() | tried)
            ],
            distribution=_distribution([*self._of_customers.values()]),
            most_gained=self._examples(1),
            most_lost=self._examples(-1),
        )

    def _examples(self, sign: int) -> list[CustomerSimulated]:
        """Name those who would have gained or lost most; the erased have no name."""
        told = (
            (sign * (simulated - given), CustomerSimulated(external_id, given, simulated))
            for customer_id, (given, simulated) in self._of_customers.items()
            if sign * (simulated - given) > 0 and (external_id := self._external_id(customer_id)) is not None
        )
        return [example for _, example in nlargest(MOST_EXAMPLES, told, key=itemgetter(0))]

    def _external_id(self, customer_id: int) -> str | None:
        return self._customers[customer_id].external_id


def _distribution(points: Sequence[Sequence[int]]) -> Distribution:
    given = sorted(each[0] for each in points)
    simulated = sorted(each[1] for each in points)
    difference = sorted(each[1] - each[0] for each in points)
    more, less = sum(1 for each in difference if each > 0), sum(1 for each in difference if each < 0)
    return Distribution(
        quantiles(given), quantiles(simulated), quantiles(difference), more, len(difference) - more - less, less
    )


def quantiles(points: Sequence[int]) -> Quantiles:
    """Give quantiles of sorted numbers by the nearest rank: the smallest of which at least so many % are at most it."""
    if not points:
        return Quantiles(0, 0, 0, 0, 0, 0)
    p10, p50, p90, p99 = (points[-(-len(points) * percent // 100) - 1] for percent in (10, 50, 90, 99))
    return Quantiles(points[0], p10, p50, p90, p99, points[-1])
