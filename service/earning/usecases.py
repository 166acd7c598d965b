"""What rooms above ask of earning rules beside deciding."""

from collections.abc import Iterable

import msgspec

from service.earning import store
from service.earning.limits import Shared, Use
from service.earning.rules import EARNING_RULE, RuleContent
from service.platform.statements import Db, Write
from service.programs import defining


async def read_use(db: Db, *, program_id: int, uses: Iterable[Use]) -> dict[Use, list[int]]:
    """Read points and times that were used of limits for all; those of which nothing was used are missing."""
    return await store.read_use(db, program_id=program_id, uses=list(uses))


def adding_use(program_id: int, shared: Shared) -> list[Write]:
    """Add what a batch used of limits for all. Where one doesn't hold any more, writing raises RowsMissing."""
    return [store.adding_use(program_id, shared)] if shared.added else []


async def rule_at(db: Db, *, program_id: int, rule: str, version: int) -> RuleContent | None:
    """Read what a rule said at a version; None where there is no such rule."""
    content = await defining.content_at(
        db, program_id=program_id, kind=EARNING_RULE, definition_id=rule, version=version
    )
    return None if content is None else msgspec.json.decode(content, type=RuleContent)
