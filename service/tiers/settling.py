"""What time and facts do to a customer's tier. Pure.

Whoever books something of a customer's settles first, so that what time did is done, then counts the fact. A tier that
is over by time, by a program's new terms or by points that were spent falls as the policy says: by one step at most,
where it says so, and what is stepped down to is guaranteed for a whole period. A refund, a correction or a merge leaves
what the facts say, at once, and with days of grace only where what is left would have had them: what came back was
never bought.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from service.programs.tier_policy import Downgrade
from service.tiers.bringing import BroughtAlong, amounts_of, guarantees_of
from service.tiers.rules import (
    Guarantee,
    Ladder,
    Reason,
    Settled,
    TierChange,
    TierNotice,
    TierState,
    is_counted_otherwise,
    is_due,
)
from service.tiers.windows import NEVER_DAY

_replace = msgspec.structs.replace
_WITHOUT_STEPS: Final = frozenset({Reason.REFUND, Reason.ADJUSTMENT, Reason.MERGE})


def newcomer(ladder: Ladder, now: datetime) -> TierState:
    """Make the state of a customer of whom there are no facts yet: the tier that asks for nothing, if there is one."""
    tier = ladder.tiers[0].id if ladder.tiers and ladder.thresholds[0] == 0 else None
    return TierState(tier, now if tier is not None else None, ladder.basis, ladder.key)


def settle(state: TierState, ladder: Ladder, now: datetime) -> Settled:
    """Do what time did until now, in its order, and what the program's new terms do.

    What comes of it is the same whether it is done at each moment or once. A state of another basis stays as it is.
    """
    if not is_due(state, ladder, now):
        return Settled(state)
    today, changes, after = ladder.day_of(now), list[TierChange](), state
    if state.ladder != ladder.key:
        after = _decided(_replace(state, ladder=ladder.key), ladder, today, now, Reason.TERMS, changes)
    while after.next_day is not None and after.next_day <= today:
        at = ladder.start_of(after.next_day) or now
        after = _decided(after, ladder, after.next_day, at, Reason.TIME, changes)
    return Settled(_pruned(after, ladder, today), tuple(changes), _notice(state, after, ladder))


def contribute(state: TierState, ladder: Ladder, *, now: datetime, day: int, amount: int, reason: Reason) -> Settled:
    """Settle, and count an amount on the day on which it occurred, below 0 for what is taken off."""
    settled = settle(state, ladder, now)
    state = settled.state
    if not amount or is_counted_otherwise(state, ladder):
        return settled
    days, amounts = _added(state.days, state.amounts, ladder.window.bucket(day), amount)
    return _contributed(settled, _counting(state, days, amounts), ladder, now, day, amount, reason)


def contribute_all(
    state: TierState, ladder: Ladder, *, now: datetime, amounts: Sequence[tuple[int, int]], reason: Reason
) -> Settled:
    """Settle, and count amounts, each on its day: they change the tier together, once."""
    settled = settle(state, ladder, now)
    state, days, sums = settled.state, settled.state.days, settled.state.amounts
    amounts = [each for each in amounts if each[1]]
    if not amounts or is_counted_otherwise(state, ladder):
        return settled
    for day, amount in amounts:
        days, sums = _added(days, sums, ladder.window.bucket(day), amount)
    least = min(amount for _, amount in amounts)
    return _contributed(settled, _counting(state, days, sums), ladder, now, amounts[0][0], least, reason)


def _contributed(
    settled: Settled, counted: TierState, ladder: Ladder, now: datetime, near: int, least: int, reason: Reason
) -> Settled:
    """Decide after something was counted, near a day; the `least` of it is below 0 where something was taken off."""
    state = settled.state
    at = now if state.since is None else max(now, state.since)
    today = ladder.day_of(at, near=near)
    if _changes_nothing(counted, ladder, today, least):
        # The next change may be later than it was; whoever finds it due too early looks again.
        return Settled(_pruned(counted, ladder, today), settled.changes, settled.notice)
    changes = list(settled.changes)
    after = _decided(counted, ladder, today, at, reason, changes)
    after = Settled(_pruned(after, ladder, today), tuple(changes), _notice(state, after, ladder))
    return _replace(after, notice=told_after(settled, after))


def recounted(
    state: TierState,
    ladder: Ladder,
    *,
    now: datetime,
    amounts: Mapping[int, int],
    brought: Sequence[BroughtAlong] = (),
) -> Settled:
    """Count all facts again, by the day on which they occurred: the basis is another one, or tiers are new.

    What was `brought` along is a fact, too: by new terms a tier may last longer, or less long.
    """
    buckets = dict[int, int]()
    elsewhere = [each for along in brought for each in amounts_of(along, ladder)]
    for day, amount in (*amounts.items(), *elsewhere):
        bucket = ladder.window.bucket(day)
        buckets[bucket] = buckets.get(bucket, 0) + amount
    days = sorted(day for day, amount in buckets.items() if amount)
    counted = _counting(state, tuple(days), tuple(buckets[day] for day in days))
    stepped = [each for each in state.guarantees if not each.brought]
    guarantees = (*stepped, *guarantees_of(brought, ladder))
    counted = _replace(counted, basis=ladder.basis, ladder=ladder.key, guarantees=guarantees)
    changes = list[TierChange]()
    today = ladder.day_of(now)
    after = _decided(counted, ladder, today, now, Reason.TERMS, changes)
    return Settled(_pruned(after, ladder, today), tuple(changes), _notice(state, after, ladder))


def brought_in(
    state: TierState,
    ladder: Ladder,
    *,
    now: datetime,
    tier: str | None,
    since: datetime,
    until: int | None,
    amounts: Iterable[tuple[int, int]] = (),
) -> Settled:
    """Let a customer have a tier that was reached elsewhere, before the day `until`, and what was counted there by day.

    No day: as long as it would have lasted here. No tier: only what was counted. A higher tier stays. Where the
    customer was counted otherwise, the higher one is had at once, and all is to be counted again.
    """
    settled = settle(state, ladder, now)
    state, changes, guarantees = settled.state, list(settled.changes), settled.state.guarantees
    if tier is not None:
        ends = ladder.window.kept_from(ladder.day_of(since)) if until is None else until
        guarantees = (*guarantees, Guarantee(tier, ends, brought=True))
    today = ladder.day_of(now)
    if is_counted_otherwise(state, ladder):
        granted = _replace(state, guarantees=guarantees, basis="", days=(), amounts=(), next_day=None)
        if tier is not None and ladder.level(tier) > ladder.level(state.tier) and guarantees[-1].until > today:
            granted = _replace(granted, tier=tier, since=since)
            changes.append(TierChange(state.tier, tier, now, Reason.OPENING_BALANCE))
        return Settled(granted, tuple(changes), settled.notice)
    days, counted = state.days, state.amounts
    for day, amount in amounts:
        days, counted = _added(days, counted, ladder.window.bucket(day), amount)
    granted = _replace(_counting(state, days, counted), guarantees=guarantees)
    after = _decided(granted, ladder, today, now, Reason.OPENING_BALANCE, changes)
    if tier is not None and after.tier == tier and (state.tier != tier or state.since is None or since < state.since):
        after = _replace(after, since=since)
    after = Settled(_pruned(after, ladder, today), tuple(changes), _notice(state, after, ladder))
    return _replace(after, notice=told_after(settled, after))


def joined(source: TierState, target: TierState, ladder: Ladder, now: datetime) -> Settled:
    """Let one customer have what was counted for two. What either is guaranteed stays; changes are the target's.

    Where one of them was counted otherwise, the higher tier stays until both are counted again.
    """
    source, settled = settle(source, ladder, now).state, settle(target, ladder, now)
    target, changes = settled.state, list(settled.changes)
    guarantees = (*target.guarantees, *source.guarantees)
    days, amounts = target.days, target.amounts
    for day, amount in zip(source.days, source.amounts, strict=True):
        days, amounts = _added(days, amounts, day, amount)
    both = _replace(_counting(target, days, amounts), guarantees=guarantees)
    today = ladder.day_of(now)
    if is_counted_otherwise(source, ladder) or is_counted_otherwise(target, ladder):
        higher = source if ladder.level(source.tier) > ladder.level(target.tier) else target
        after = _replace(both, basis="", tier=higher.tier, since=higher.since)
        if higher is source:
            changes.append(TierChange(target.tier, source.tier, now, Reason.MERGE))
        return Settled(after, tuple(changes))
    after = _decided(both, ladder, today, now, Reason.MERGE, changes)
    since = [each.since for each in (source, target) if each.tier == after.tier and each.since is not None]
    after = _replace(_pruned(after, ladder, today), since=min(since, default=after.since))
    after = Settled(after, tuple(changes), _notice(target, after, ladder))
    return _replace(after, notice=told_after(settled, after))


def and_then(earlier: Settled, later: Settled) -> Settled:
    """Join two decisions of one booking, of which the later one went on from the earlier."""
    return Settled(later.state, (*earlier.changes, *later.changes), told_after(earlier, later))


def told_after(earlier: Settled, later: Settled) -> TierNotice | None:
    """Return what a customer is told after two decisions of one moment: not of an end that the later one put off."""
    one, other = earlier.state, later.state
    still = (one.noticed_day, one.tier) == (other.noticed_day, other.tier)
    return later.notice or (earlier.notice if still else None)


def _changes_nothing(state: TierState, ladder: Ladder, today: int, least: int) -> bool:
    """Tell whether more was counted, and that is not enough for another tier, and brings nothing forward."""
    return (
        least > 0
        and state.noticed_day is None
        and min(state.amounts, default=0) >= 0
        and (not state.days or state.days[-1] <= today)
        and _reached(state, ladder, today) <= ladder.level(state.tier)
    )


def _decided(
    state: TierState, ladder: Ladder, day: int, at: datetime, reason: Reason, changes: list[TierChange]
) -> TierState:
    """Give a customer the tier of a day, with a guarantee where the fall is one of several steps."""
    level, found = ladder.level(state.tier), _held(state, ladder, day)
    guarantees = _lasting(state.guarantees, ladder, day)
    if found < level - 1 and ladder.policy.downgrade is Downgrade.ONE_STEP and reason not in _WITHOUT_STEPS:
        found = level - 1
        guarantees = (*guarantees, Guarantee(ladder.tiers[found].id, ladder.window.step_from(day)))
    after = _replace(state, guarantees=guarantees)
    tier = ladder.at(found)
    if (None if tier is None else tier.id) != state.tier:
        after = _replace(after, tier=None if tier is None else tier.id, since=at)
        changes.append(TierChange(state.tier, after.tier, at, reason))
    return _scheduled(after, ladder, found, day)


def _scheduled(state: TierState, ladder: Ladder, level: int, day: int) -> TierState:
    """Note when time alone changes something next: the tier is over, a higher one begins, or a notice is due."""
    ends, begins, days = ends_on(state, ladder, level, day), NEVER_DAY, ladder.policy.notice_days
    if state.days and (state.days[-1] > day or min(state.amounts) < 0) and level + 1 < len(ladder.tiers):
        begins = ladder.window.begins(state.days, state.amounts, ladder.thresholds[level + 1], day)
    noticed, turns = state.noticed_day if state.noticed_day == ends else None, [ends, begins]
    if days is not None and noticed is None and ends < min(begins, NEVER_DAY):
        if ends - days <= day:
            noticed = ends
        else:
            turns.append(ends - days)
    turn = min(turns)
    return _replace(state, next_day=None if turn >= NEVER_DAY else turn, noticed_day=noticed)


def ends_on(state: TierState, ladder: Ladder, level: int, day: int) -> int:
    """Return the first day on which a tier that a customer has on a day is over, if nothing more is counted."""
    if level < 0 or ladder.thresholds[level] == 0:
        return NEVER_DAY
    ends = max([day, *(each.until for each in state.guarantees if ladder.level(each.tier) >= level)])
    return ladder.window.until(state.days, state.amounts, ladder.thresholds[level], day, ends)


def _held(state: TierState, ladder: Ladder, day: int) -> int:
    """Return the place of the tier that a customer has on a day, by what was counted and what is guaranteed."""
    guaranteed = (ladder.level(each.tier) for each in state.guarantees if each.until > day)
    return max(_reached(state, ladder, day), *guaranteed, -1)


def _reached(state: TierState, ladder: Ladder, day: int) -> int:
    return ladder.reached_by(ladder.window.best(state.days, state.amounts, day))


def _notice(before: TierState, after: TierState, ladder: Ladder) -> TierNotice | None:
    """Tell of the end that is near, unless the customer was told of it; after it nobody is told any more."""
    ends = after.noticed_day
    ends_at = None if ends is None else ladder.start_of(ends)
    if ends is None or ends_at is None or after.tier is None or (before.noticed_day, before.tier) == (ends, after.tier):
        return None
    then = _decided(after, ladder, ends, ends_at, Reason.TIME, [])
    return TierNotice(after.tier, then.tier, ends_at)


def _lasting(guarantees: Iterable[Guarantee], ladder: Ladder, day: int) -> tuple[Guarantee, ...]:
    """Leave out guarantees that are over, and those beside which another one is as high and as long."""
    left = list[Guarantee]()
    for each in sorted(guarantees, key=lambda each: (ladder.level(each.tier), each.until), reverse=True):
        if each.until > day and all(each.until > other.until for other in left):
            left.append(each)
    return tuple(left)


def _pruned(state: TierState, ladder: Ladder, today: int) -> TierState:
    """Leave out what was counted on days that don't matter any more."""
    gone = bisect_left(state.days, ladder.window.oldest(today))
    return _counting(state, state.days[gone:], state.amounts[gone:]) if gone else state


def _added(
    days: tuple[int, ...], amounts: tuple[int, ...], day: int, amount: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Add an amount to those of a day, in its place; a day of which nothing is left is left out."""
    if not days or day > days[-1]:
        return (*days, day), (*amounts, amount)
    place = bisect_left(days, day)
    if days[place] != day:
        return (*days[:place], day, *days[place:]), (*amounts[:place], amount, *amounts[place:])
    total = amounts[place] + amount
    if not total:
        return days[:place] + days[place + 1 :], amounts[:place] + amounts[place + 1 :]
    return days, (*amounts[:place], total, *amounts[place + 1 :])


def _counting(state: TierState, days: tuple[int, ...], amounts: tuple[int, ...]) -> TierState:
    """Put other amounts into a state: quicker than to replace them, on the way of each purchase."""
    return TierState(
        state.tier,
        state.since,
        state.basis,
        state.ladder,
        days,
        amounts,
        state.guarantees,
        state.next_day,
        state.noticed_day,
    )
