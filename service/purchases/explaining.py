"""Why a transfer was made: by which rule at which version, in words and in data."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from service.earning import usecases as earning
from service.earning.deciding import OF_TIER
from service.earning.rules import BASE_RULE, Line, RuleContent
from service.platform.statements import Db
from service.points.explaining import Traced, trace
from service.points.rules import Bucket
from service.points.wording import Facts, sentence
from service.programs import usecases as programs
from service.programs.rules import BaseRule, Program
from service.purchases import store
from service.tiers import usecases as tiers
from service.tiers.rules import TierContent


class AppliedRule(msgspec.Struct, frozen=True):
    """A rule as it was when it granted points. `why` says how it came to them, where that is known in words.

    `settings` are those of the program's base rule, `content` that of a rule which a marketer set, `tier` that of the
    customer's tier, whose multiplier gave them.
    """

    rule: str
    version: int
    points: int
    why: str | None
    settings: BaseRule | None
    content: RuleContent | None = None
    tier: TierContent | None = None


class Explanation(msgspec.Struct, frozen=True):
    """Why a transfer was made. Of several rules that gave its points together, `rule` is None."""

    why: str
    traced: Traced
    rule: AppliedRule | None
    rules: Sequence[AppliedRule] = ()


async def explain(db: Db, *, program: Program, transfer_id: UUID) -> Explanation:
    """Explain a transfer of a program by its id. Raises NotFound."""
    traced = await trace(db, program_id=program.id, transfer_id=transfer_id)
    rules = await _rules(db, program.id, traced)
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
        earned_by="; ".join(f"{each.rule}: {each.why}" if len(rules) > 1 else each.why for each in rules if each.why)
        or None,
        order_id=traced.order_id,
        reversed_cause=None if reverses is None else reverses.cause,
    )
    return Explanation(sentence(facts), traced, rules[0] if len(rules) == 1 else None, rules)


async def _rules(db: Db, program_id: int, traced: Traced) -> list[AppliedRule]:
    """Read by which rules points were granted: the lines, of what was answered, that are in this transfer's lot."""
    booked = traced.booked
    lines = await _lines(db, program_id, traced) if Bucket(booked.source) is Bucket.ISSUED else []
    if not lines and traced.rule is not None:
        lines = [Line(*traced.rule, booked.points, "")]
    return [await _applied(db, program_id, line) for line in lines]


async def _applied(db: Db, program_id: int, line: Line) -> AppliedRule:
    settings = content = tier = None
    if line.rule == BASE_RULE:
        settings = (await programs.settings_at(db, program_id=program_id, version=line.version)).base_rule
    elif line.rule.startswith(OF_TIER):
        its_id = line.rule.removeprefix(OF_TIER)
        tier = await tiers.tier_at(db, program_id=program_id, tier=its_id, version=line.version)
    else:
        content = await earning.rule_at(db, program_id=program_id, rule=line.rule, version=line.version)
    return AppliedRule(line.rule, line.version, line.points, line.why or None, settings, content, tier)


async def _lines(db: Db, program_id: int, traced: Traced) -> list[Line]:
    """Read what the rules that granted the points said of it in the answer of the purchase or the activity."""
    booked = traced.booked
    read = {"purchase": store.read, "activity": store.read_activity}.get(booked.cause.type)
    if read is None or booked.reason != booked.cause.type:
        return []
    recorded = await read(db, program_id, booked.cause.id)
    if recorded is None:
        return []
    return [line for line in recorded.earnings.lines if line.points and (line.lot or recorded.row_id) == booked.id]
