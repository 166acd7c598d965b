"""Reading what facts are rewarded by, beside their customers: profiles, what was used of limits, what came before."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec
import structlog

from service.customers import usecases as customers
from service.earning import usecases as earning
from service.earning.book import RuleSet
from service.earning.limits import CountedLimit, PastPeriod, Use, end_day
from service.earning.terms import Terms
from service.kernel.periods import day_of, start_of_day
from service.platform.statements import Db
from service.points.account import Account
from service.points.rules import NEVER
from service.programs.rules import Program

_log = structlog.get_logger()


class Asked(msgspec.Struct, frozen=True):
    """A new fact as far as it tells what to read: what rules call it (None: a purchase), when, and whose."""

    type: str | None
    occurred_at: datetime
    account: Account


class PastUse(Protocol):
    """Counts points and times that rules gave customers in periods, in their order, by facts of the room that asks.

    A limit is counted for each rule, and a rule rewards facts of one kind: so no other room's are among them.
    """

    async def __call__(self, db: Db, *, program_id: int, periods: Sequence[PastPeriod]) -> Sequence[list[int]]:
        """Count what was given."""
        ...


class _Limited(msgspec.Struct, frozen=True):
    """A fact that is under limits, and the program's day on which it occurred."""

    asked: Asked
    day: date
    limits: Sequence[CountedLimit]


async def prepare(db: Db, terms: Terms, facts: Sequence[Asked], *, past_use: PastUse, at_once: bool = False) -> None:
    """Read into the terms all that deciding on new facts needs, with as few statements as their rules ask for.

    Mostly that is none. `past_use` is asked where the customers' rows don't tell: of what comes behind later facts.
    """
    program = terms.program
    rules = [terms.rules.at(each.occurred_at) for each in facts]
    while terms.rules.unusable:
        its = terms.rules.unusable.pop()
        _log.error("earning_rule_unusable", program=program.code, rule=its.rule, version=its.version, reason=its.reason)
    asking = [each.account.customer.id for each, its in zip(facts, rules, strict=True) if its.asks_profile]
    if asking:
        terms.profiles = await customers.read_profiles(db, program_id=program.id, customers=sorted(set(asking)))
    asked = _asked(program, facts, rules)
    if not asked:
        return
    shared = _shared(asked)
    if shared:
        now = asked[0].asked.account.now
        terms.shared.all = await earning.read_use(db, program=program, uses=shared, now=now, at_once=at_once)
    past = _past(terms, asked)
    if past:
        terms.shared.past = await _read_past(db, program, past, past_use)


def _asked(program: Program, facts: Sequence[Asked], rules: Iterable[RuleSet]) -> list[_Limited]:
    """Leave the facts that are under limits."""
    found = list[_Limited]()
    for each, its in zip(facts, rules, strict=True):
        limits = its.limits(each.type)
        if limits:
            zone = ZoneInfo(program.at(each.occurred_at).settings.time_zone)
            found.append(_Limited(each, day_of(each.occurred_at, zone), limits))
    return found


def _shared(asked: Sequence[_Limited]) -> frozenset[Use]:
    """Name the periods of limits for all: mostly the facts of a batch are of one day, under the same limits."""
    days = {(each.day, id(each.limits)): each for each in asked}
    return frozenset(
        Use(None, limit.rule, limit.every, limit.start(each.day))
        for each in days.values()
        for limit in each.limits
        if limit.of_all
    )


def _past(terms: Terms, asked: Sequence[_Limited]) -> dict[Use, Asked]:
    """Leave the periods of customers of which the rows won't tell: behind a newer one, also one of the same batch."""
    newest, found = dict[int, date](), dict[Use, Asked]()
    for each in asked:
        customer_id = each.asked.account.customer.id
        if each.day > newest.get(customer_id, date.min):
            newest[customer_id] = each.day
    for each in asked:
        customer, day = each.asked.account.customer, each.day
        last, allowance = newest.get(customer.id, day), terms.allowance(customer)
        if allowance.text is None and last == day:
            continue
        for limit in each.limits:
            if not limit.of_all:
                start = limit.start(day)
                is_newest = last == day or start == limit.start(last)
                if not (is_newest and allowance.is_known(limit, start)):
                    found[Use(customer.id, limit.rule, limit.every, start)] = each.asked
    return found


async def _read_past(db: Db, program: Program, past: dict[Use, Asked], past_use: PastUse) -> dict[Use, list[int]]:
    rows = list[PastPeriod]()
    for place, (use, asked) in enumerate(past.items()):
        zone = ZoneInfo(program.at(asked.occurred_at).settings.time_zone)
        rows.append((place, asked.account.customer.id, use.rule, *_moments(use, zone)))
    found = await past_use(db, program_id=program.id, periods=rows)
    return dict(zip(past, found, strict=True))


def _moments(use: Use, zone: ZoneInfo) -> tuple[datetime, datetime]:
    end = end_day(use.every, use.start)
    start = start_of_day(datetime.fromordinal(use.start).date(), zone)
    return start, NEVER if end is None else start_of_day(end, zone)
