"""Reading what facts are rewarded by, beside their customers: profiles, and what was used of limits."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import msgspec
import structlog

from service.customers import usecases as customers
from service.earning import usecases as earning
from service.earning.book import RuleSet
from service.earning.limits import CountedLimit, Use, end_day, first_day
from service.earning.rules import Scope
from service.kernel.periods import day_of, start_of_day
from service.platform.statements import Db
from service.points.account import Account
from service.points.rules import NEVER
from service.programs.rules import Program
from service.purchases import store
from service.purchases.terms import Terms, terms_of

_log = structlog.get_logger()


class Asked(msgspec.Struct, frozen=True):
    """A new fact as far as it tells what to read: the type of an activity (None: a purchase), when, and whose."""

    type: str | None
    occurred_at: datetime
    account: Account


_Period: TypeAlias = tuple[CountedLimit, int, Asked]
"""A limit, the first day of one of its periods, and a fact that falls into it."""


async def prepare(db: Db, program: Program, facts: Sequence[Asked]) -> Terms:
    """Read all that deciding on new facts needs, with as few statements as their rules ask for: mostly none."""
    terms = terms_of(program)
    rules = [terms.rules.at(each.occurred_at) for each in facts]
    while terms.rules.unusable:
        its = terms.rules.unusable.pop()
        _log.error("earning_rule_unusable", program=program.code, rule=its.rule, version=its.version, reason=its.reason)
    asking = [each.account.customer.id for each, its in zip(facts, rules, strict=True) if its.asks_profile]
    if asking:
        terms.profiles = await customers.read_profiles(db, program_id=program.id, customers=sorted(set(asking)))
    asked = _asked(program, facts, rules)
    if not asked:
        return terms
    shared = {Use(None, limit.rule, limit.every, start) for limit, start, _ in asked if limit.scope is Scope.ALL}
    if shared:
        terms.shared.all = await earning.read_use(db, program_id=program.id, uses=shared)
    past = _past(terms, [each for each in asked if each[0].scope is Scope.CUSTOMER])
    if past:
        terms.shared.past = await _read_past(db, program, past)
    return terms


def _asked(program: Program, facts: Sequence[Asked], rules: Iterable[RuleSet]) -> list[_Period]:
    """Name the periods of limits that facts fall into."""
    found = list[_Period]()
    for each, its in zip(facts, rules, strict=True):
        limits = its.limits(each.type)
        if limits:
            day = day_of(each.occurred_at, ZoneInfo(program.at(each.occurred_at).settings.time_zone))
            found += [(limit, first_day(limit.every, day), each) for limit in limits]
    return found


def _past(terms: Terms, asked: Sequence[_Period]) -> dict[Use, Asked]:
    """Leave the periods of customers of which the rows won't tell: behind a newer one, also one of the same batch."""
    newest, found = dict[tuple[int, str, str], int](), dict[Use, Asked]()
    for limit, start, each in asked:
        key = each.account.customer.id, limit.rule, limit.period
        if start > newest.get(key, -1):
            newest[key] = start
    for limit, start, each in asked:
        customer = each.account.customer
        is_newest = start == newest[customer.id, limit.rule, limit.period]
        if not (is_newest and terms.allowance(customer).is_known(limit, start)):
            found[Use(customer.id, limit.rule, limit.every, start)] = each
    return found


async def _read_past(db: Db, program: Program, past: dict[Use, Asked]) -> dict[Use, list[int]]:
    rows = list[store.PastPeriod]()
    for place, (use, asked) in enumerate(past.items()):
        zone = ZoneInfo(program.at(asked.occurred_at).settings.time_zone)
        rows.append((place, asked.account.customer.id, use.rule, *_moments(use, zone)))
    found = await store.past_use(db, program_id=program.id, periods=rows)
    return dict(zip(past, found, strict=True))


def _moments(use: Use, zone: ZoneInfo) -> tuple[datetime, datetime]:
    end = end_day(use.every, use.start)
    start = start_of_day(datetime.fromordinal(use.start).date(), zone)
    return start, NEVER if end is None else start_of_day(end, zone)
