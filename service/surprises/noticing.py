"""Noticing occasions: the feed is gone through for what campaigns wait for, a moment after it happened.

Nothing of it is done where a purchase is booked. One transaction draws for the customers of one campaign; the place in
the feed goes on behind all of them, and a repetition finds the draws that were made.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.events import usecases as events
from service.events.kinds import EventKinds
from service.events.rules import Placed
from service.kernel.times import Time
from service.platform.clock import database_time
from service.platform.statements import Db, write_together
from service.programs.rules import Program
from service.surprises import store
from service.surprises.book import CampaignVersion, campaigns_of
from service.surprises.campaigns import AfterFact, Following, OnEarlyPayment, OnMilestone
from service.surprises.chance import occasion_after
from service.surprises.drawing import Due
from service.tiers.book import ladder_at
from service.tiers.climbing import TIER_CHANGED

PURCHASE: Final = "purchase.rewarded"
ACTIVITY: Final = "activity.rewarded"
REDEEMED: Final = "redemption.captured"
SETTLED: Final = "invoice.settled"
TYPES: Final = (PURCHASE, ACTIVITY, REDEEMED, TIER_CHANGED, SETTLED)
AT_ONCE: Final = 200
_BY_FEED: Final = (AfterFact, OnMilestone, OnEarlyPayment)
_FRESH: Final = timedelta(days=1)
"""What occurred longer before it was told is no occasion: it is brought from elsewhere."""
_BY_FACTS: Final = frozenset({"purchase", "activity"})
"""For which reasons a higher tier is a milestone."""


class Noticed(msgspec.Struct, frozen=True):
    """What a look at the feed came to: rounds of occasions by campaigns and the callers' ids, and where to go on.

    Each customer has one in a round: who has several is in as many. `before` is the place that was known; the same as
    `last` where nothing is new.
    """

    before: int
    last: int
    has_more: bool
    occasions: Mapping[UUID, Sequence[Mapping[str, Due]]] = {}
    """By campaigns: each customer's first ones, the second ones, and so on."""


class _Fact(msgspec.Struct):
    """What is told of a fact, as far as it matters."""

    occurred_at: Time | None = None
    type: str | None = None
    reward_id: str | None = None
    from_tier: str | None = None
    to_tier: str | None = None
    reason: str | None = None
    days_early: int | None = None
    invoice_id: str | None = None


async def programs_behind(db: Db) -> list[int]:
    """Read which programs have events that were not looked at."""
    last = await events.all_last_places(db)
    seen = await store.seen_of_all(db, program_ids=list(last))
    return [each for each, place in last.items() if place > seen[each]]


async def notice(db: Db, *, program: Program, kinds: EventKinds) -> Noticed:
    """Look at the next events of a program's feed. Where no campaign waits for any, all that is there is passed by."""
    before, now = await store.seen(db, program_id=program.id), await database_time(db)
    waiting = [each for each in campaigns_of(program).at(now) if isinstance(each.content.trigger, _BY_FEED)]
    if not waiting:
        last = (await events.last_places(db, program_ids=[program.id]))[program.id]
        return Noticed(before, max(before, last), has_more=False)
    read = await events.read(db, program_id=program.id, after=before, limit=AT_ONCE, types=TYPES)
    fresh = [each for each in read.events if each.recorded_at > now - _FRESH and each.customer_id is not None]
    told = {each.position: each.data for each in await kinds.tell(db, program_id=program.id, events=fresh)}
    found = defaultdict[UUID, list[Due]](list)
    for event in fresh:
        for its in waiting:
            due = _due(program, its, event, told[event.position], now)
            if due is not None:
                found[its.id].append(due)
    return Noticed(before, read.last, read.has_more, await _named(db, program.id, found))


async def go_on(db: Db, *, program_id: int, noticed: Noticed) -> None:
    """Note up to where the feed was looked through; who went on from there meanwhile has noted it, or will.

    Raises RowsMissing where that is so at this very moment: begin again.
    """
    if noticed.last > noticed.before and await store.seen(db, program_id=program_id) == noticed.before:
        await write_together(db, [store.going_on(program_id, noticed.before, noticed.last)])


async def _named(db: Db, program_id: int, found: Mapping[UUID, Sequence[Due]]) -> dict[UUID, list[dict[str, Due]]]:
    """Name the customers of occasions by the callers' ids as they are now; who was erased is left out."""
    records = sorted({due.customer for dues in found.values() for due in dues})
    standing = await customers.standing_for(db, program_id=program_id, records=records) if records else {}
    named = dict[UUID, list[dict[str, Due]]]()
    for campaign, dues in found.items():
        rounds = named[campaign] = []
        for due in dues:
            owner = standing.get(due.customer)
            if owner is None or not owner.external_id:
                continue
            free = next((each for each in rounds if owner.external_id not in each), None)
            if free is None:
                rounds.append(free := {})
            free[owner.external_id] = msgspec.structs.replace(due, customer=owner.id)
    return named


def _due(program: Program, its: CampaignVersion, event: Placed, data: Mapping[str, Any], now: datetime) -> Due | None:
    """Tell whether an event is an occasion of a campaign."""
    fact, trigger, at = msgspec.convert(data, _Fact), its.content.trigger, event.recorded_at
    if event.customer_id is None or (fact.occurred_at is not None and fact.occurred_at < at - _FRESH):
        return None
    name: str | None = None
    first = end = now
    if isinstance(trigger, AfterFact):
        is_reward = event.type == REDEEMED and fact.reward_id is not None
        if is_reward if trigger.fact is Following.REWARD else event.type == PURCHASE:
            name = occasion_after(event.subject_id)
            first = at + timedelta(minutes=trigger.minutes)
            end = first + timedelta(minutes=trigger.spread_minutes)
    elif isinstance(trigger, OnEarlyPayment):
        if event.type == SETTLED and fact.days_early is not None and fact.days_early >= trigger.days_early:
            name = f"early payment:{event.subject_id.hex}"
    elif isinstance(trigger, OnMilestone):
        name = _milestone(program, trigger, event, fact, now)
    return None if name is None else Due(event.customer_id, name, first, end)


def _milestone(program: Program, trigger: OnMilestone, event: Placed, fact: _Fact, now: datetime) -> str | None:
    if event.type == ACTIVITY and fact.type in trigger.activities:
        return f"activity:{event.subject_id.hex}"
    ladder = ladder_at(program, now)
    if event.type == TIER_CHANGED and trigger.tiers and ladder is not None and fact.reason in _BY_FACTS:
        is_higher = ladder.level(fact.to_tier) > ladder.level(fact.from_tier)
        return f"tier:{fact.to_tier}" if is_higher else None
    return None
