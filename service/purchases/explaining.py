"""Why a transfer was made: by which rule at which version, in words and in data."""

from uuid import UUID

import msgspec

from service.earning.rules import BASE_RULE, Line
from service.platform.statements import Db
from service.points.explaining import Traced, trace
from service.points.rules import Bucket
from service.points.wording import Facts, sentence
from service.programs import usecases as programs
from service.programs.rules import BaseRule, Program
from service.purchases import store


class AppliedRule(msgspec.Struct, frozen=True):
    """A rule as it was when it granted points. `why` says how it came to them, where that is known in words.

    `settings` are those of the program's base rule; None for other rules.
    """

    rule: str
    version: int
    points: int
    why: str | None
    settings: BaseRule | None


class Explanation(msgspec.Struct, frozen=True):
    """Why a transfer was made."""

    why: str
    traced: Traced
    rule: AppliedRule | None


async def explain(db: Db, *, program: Program, transfer_id: UUID) -> Explanation:
    """Explain a transfer of a program by its id. Raises NotFound."""
    traced = await trace(db, program_id=program.id, transfer_id=transfer_id)
    rule = await _rule(db, program.id, traced)
    booked, reverses = traced.booked, traced.reverses
    facts = Facts(
        booked.reason,
        Bucket(booked.source),
        Bucket(booked.target),
        booked.points,
        booked.cause,
        occurred_at=booked.occurred_at,
        recorded_at=booked.recorded_at,
        time_zone=program.settings.time_zone,
        lot=traced.shares[0].lot if len(traced.shares) == 1 else None,
        earned_by=None if rule is None else rule.why,
        order_id=traced.order_id,
        reversed_cause=None if reverses is None else reverses.cause,
    )
    return Explanation(sentence(facts), traced, rule)


async def _rule(db: Db, program_id: int, traced: Traced) -> AppliedRule | None:
    if traced.rule is None:
        return None
    name, version = traced.rule
    line = await _line(db, program_id, traced)
    settings = None
    if name == BASE_RULE:
        settings = (await programs.settings_at(db, program_id=program_id, version=version)).base_rule
    return AppliedRule(name, version, traced.booked.points, None if line is None else line.why, settings)


async def _line(db: Db, program_id: int, traced: Traced) -> Line | None:
    """Read what the rule that granted the points said of it in the purchase's answer."""
    cause = traced.booked.cause
    recorded = await store.read(db, program_id=program_id, purchase_id=cause.id) if cause.type == "purchase" else None
    lines = () if recorded is None else recorded.earnings.lines
    return next((line for line in lines if (line.rule, line.version) == traced.rule), None)
