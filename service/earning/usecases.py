"""What rooms above ask of earning rules beside deciding."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from service.earning import store
from service.earning.limits import Shared, Use
from service.earning.rules import EARNING_RULE, RuleContent
from service.platform.statements import Db, Write
from service.programs import defining
from service.programs.definitions import Definitions
from service.programs.rules import Program

_KNOWN_FOR: Final = timedelta(seconds=1)
_MOST_KNOWN: Final = 100
_Read = dict[frozenset[Use], tuple[datetime, dict[Use, list[int]]]]
"""When, and what, was read last of limits for all."""


def _nothing_read(_: Definitions) -> _Read:
    return {}


async def read_use(
    db: Db, *, program: Program, uses: frozenset[Use], now: datetime, at_once: bool
) -> dict[Use, list[int]]:
    """Read points and times that were used of limits for all; those of which nothing was used are missing.

    What is booked `at_once` may go by what was read in the second before: use only grows, so that at most too much is
    given, which the write refuses; then all is read anew.
    """
    read = program.definitions.once(_nothing_read)
    known = read.get(uses) if at_once else None
    if known is None or not timedelta() <= now - known[0] < _KNOWN_FOR:
        if len(read) >= _MOST_KNOWN:
            read.clear()
        known = read[uses] = now, await store.read_use(db, program_id=program.id, uses=list(uses))
    return {use: [*counts] for use, counts in known[1].items()}


def adding_use(program_id: int, shared: Shared) -> list[Write]:
    """Add what a batch used of limits for all. Where one doesn't hold any more, writing raises RowsMissing."""
    return [store.adding_use(program_id, shared)] if shared.added else []


async def rule_at(db: Db, *, program_id: int, rule: str, version: int) -> RuleContent | None:
    """Read what a rule said at a version; None where there is no such rule."""
    content = await defining.content_at(
        db, program_id=program_id, kind=EARNING_RULE, definition_id=rule, version=version
    )
    return None if content is None else msgspec.json.decode(content, type=RuleContent)
