"""Campaigns as marketers treat them: made, changed, started, paused, closed."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import IdSource, from_wire, to_wire
from service.platform.clock import database_time
from service.platform.statements import Db, write_together
from service.programs import defining
from service.programs.definitions import Change, Definition, DefinitionEnded, State, StateNotReachable, Status
from service.rewards import usecases as rewards
from service.rewards.rules import RewardStatus
from service.surprises import store
from service.surprises.book import PREFIX, Run
from service.surprises.calendar import check_trigger
from service.surprises.campaigns import CAMPAIGN, CampaignContent, RewardGift
from service.surprises.changing import check_started, cut_all, resized_all
from service.surprises.defining import CAMPAIGNS
from service.surprises.planning import LOOK_BACK


class Campaign(msgspec.Struct, frozen=True):
    """A campaign as its newest version has it, where it stands, and since when it runs."""

    definition: Definition
    status: Status
    run: Run | None
    is_early: bool = False
    """Whether its period is still to come."""

    @property
    def content(self) -> CampaignContent:
        """What the newest version says."""
        return content_of(self.definition)


def content_of(definition: Definition) -> CampaignContent:
    """Return what the newest version of a campaign says."""
    return msgspec.json.decode(definition.newest.content, type=CampaignContent)


def id_of(wire_id: str) -> UUID:
    """Read a campaign's id as callers have it. Raises NotFound."""
    found = from_wire(PREFIX, wire_id)
    if found is None:
        raise NotFound
    return found


def reward_of(gift: RewardGift) -> UUID:
    """Read the id of a prize's reward as callers have it. Raises NotFound."""
    found = from_wire("rwd", gift.reward_id)
    if found is None:
        raise NotFound
    return found


async def create(db: Db, *, program_id: int, content: CampaignContent, entropy: int) -> Campaign:
    """Make a draft. Raises Invalid."""
    now = await database_time(db)
    check_trigger(content.trigger, year=now.year)
    await _check_rewards(db, program_id, content)
    wire_id = to_wire(PREFIX, IdSource(now, entropy ^ (entropy >> 1)).next())
    made, status = await defining.create(
        db,
        program_id=program_id,
        kind=CAMPAIGNS,
        definition_id=wire_id,
        content=content,
        change=Change(state=State.DRAFT),
        entropy=entropy,
    )
    return _campaign(made, status, None, now)


async def _check_rewards(db: Db, program_id: int, content: CampaignContent) -> None:
    """Refuse prizes of rewards that there aren't, or that can't be had. Raises Invalid."""
    for place, prize in enumerate(content.prizes):
        if not isinstance(prize.gift, RewardGift):
            continue
        pointer = f"/prizes/{place}/gift/reward_id"
        try:
            reward_id = reward_of(prize.gift)
            reward = await rewards.read_reward(db, program_id=program_id, reward_id=reward_id)
        except NotFound:
            detail = "The program has no reward with this id."
            raise Invalid(detail, pointer=pointer, reason="unknown_reward") from None
        if reward.status is not RewardStatus.ACTIVE:
            raise Invalid("This reward is not active.", pointer=pointer, reason="reward_not_active")


async def read(db: Db, *, program_id: int, wire_id: str) -> Campaign:
    """Read a campaign. Raises NotFound."""
    its_id = id_of(wire_id)
    definition, status = await defining.read(db, program_id=program_id, kind=CAMPAIGN, definition_id=wire_id)
    runs = await store.read_runs(db, program_id=program_id, campaigns=[its_id])
    return _campaign(definition, status, runs.get(its_id), await database_time(db))


def _campaign(definition: Definition, status: Status, run: Run | None, now: datetime) -> Campaign:
    starts_at = content_of(definition).starts_at
    return Campaign(definition, status, run, starts_at is not None and starts_at > now)


async def list_campaigns(
    db: Db, *, program_id: int, before: UUID | None, limit: int, status: Status | None
) -> list[Campaign]:
    """Read up to `limit` + 1 campaigns, the newest first; those of one status, where given."""
    found = await defining.list_definitions(
        db, program_id=program_id, kind=CAMPAIGN, before=before, limit=limit, status=status
    )
    ids = [id_of(definition.id) for definition, _ in found]
    runs = await store.read_runs(db, program_id=program_id, campaigns=ids)
    now = await database_time(db)
    return [_campaign(each, stands, runs.get(its_id), now) for (each, stands), its_id in zip(found, ids, strict=True)]


async def change(
    db: Db, *, program_id: int, wire_id: str, members: Mapping[str, Any], version: int | None, entropy: int
) -> Campaign:
    """Make a version with these members replaced, from now on. Nothing to change makes none.

    Raises NotFound, Invalid, DefinitionEnded, VersionConflict, CampaignTaken.
    """
    before = await read(db, program_id=program_id, wire_id=wire_id)
    now = await database_time(db)
    if before.definition.newest.is_over(now):
        raise DefinitionEnded
    if "trigger" in members:
        check_trigger(members["trigger"], year=now.year)
    made, status = await defining.change(
        db,
        program_id=program_id,
        kind=CAMPAIGNS,
        definition_id=wire_id,
        members=members,
        change=Change(version=version),
        entropy=entropy,
    )
    after, its_id = content_of(made), id_of(wire_id)
    if "prizes" in members:
        await _check_rewards(db, program_id, after)
    # What was read before the program's lock may be old: what started meanwhile is found here.
    run = (await store.read_runs(db, program_id=program_id, campaigns=[its_id])).get(its_id)
    if run is not None:
        check_started(await _content_at_start(db, program_id, wire_id, made), after)
        slices = await store.lock_slices(db, program_id=program_id, campaign=its_id)
        new, changed = resized_all(its_id, slices, after)
        await write_together(db, [store.adding_slices(program_id, new)])
        await write_together(db, [store.writing_slices(program_id, changed)])
    return _campaign(made, status, run, now)


async def _content_at_start(db: Db, program_id: int, wire_id: str, made: Definition) -> CampaignContent:
    """Read what the version before the newest says: since the start each was checked against the one before it."""
    number = max(1, made.newest.number - 1)
    content = await defining.content_at(db, program_id=program_id, kind=CAMPAIGN, definition_id=wire_id, version=number)
    assert content is not None  # noqa: S101 - versions stay
    return msgspec.json.decode(content, type=CampaignContent)


async def activate(db: Db, *, program_id: int, wire_id: str, key: bytes, entropy: int) -> Campaign:
    """Start a draft, or go on with what was paused; one that runs already stays so.

    `key` are 32 random bytes fit for secrets: they make the draws of a campaign that starts. Raises NotFound, Invalid,
    DefinitionEnded.
    """
    its_id = id_of(wire_id)

    async def start(campaign: Campaign, now: datetime) -> None:
        content = campaign.content
        await _check_rewards(db, program_id, content)
        if content.ends_at is not None and content.ends_at <= now:
            raise Invalid("This is over already.", pointer="/ends_at", reason="out_of_range")
        if campaign.run is None:
            await write_together(db, [store.starting(program_id, its_id, Run(key, now), now - LOOK_BACK)])
            await write_together(db, [store.adding_slices(program_id, cut_all(its_id, content))])

    return await _move(db, program_id, wire_id, State.ACTIVE, entropy, start)


async def pause(db: Db, *, program_id: int, wire_id: str, entropy: int) -> Campaign:
    """Let a campaign draw nothing for a while; one that is paused stays so.

    Raises NotFound, DefinitionEnded, and StateNotReachable for a draft.
    """
    return await _move(db, program_id, wire_id, State.PAUSED, entropy)


async def close(db: Db, *, program_id: int, wire_id: str, entropy: int) -> Campaign:
    """End a campaign for ever; one that is closed stays so. What was drawn is still revealed. Raises NotFound."""
    return await _move(db, program_id, wire_id, State.ENDED, entropy)


async def _move(
    db: Db,
    program_id: int,
    wire_id: str,
    state: State,
    entropy: int,
    besides: Callable[[Campaign, datetime], Any] | None = None,
) -> Campaign:
    """Bring a campaign into a state. One that is over by itself is closed."""
    campaign, now = await read(db, program_id=program_id, wire_id=wire_id), await database_time(db)
    newest = campaign.definition.newest
    if newest.is_over(now):
        if state is State.ENDED:
            return campaign
        raise DefinitionEnded
    if newest.state is state:
        return campaign
    if newest.state is State.DRAFT and state is State.PAUSED:
        raise StateNotReachable
    made, status = await defining.change(
        db,
        program_id=program_id,
        kind=CAMPAIGNS,
        definition_id=wire_id,
        members={},
        change=Change(state=state),
        entropy=entropy,
    )
    moved = _campaign(made, status, campaign.run, now)
    if besides is not None:
        # The program is locked from the change on: of two who start it, the second finds the first one's run.
        runs = await store.read_runs(db, program_id=program_id, campaigns=[id_of(wire_id)])
        await besides(Campaign(made, status, runs.get(id_of(wire_id))), now)
        return await read(db, program_id=program_id, wire_id=wire_id)
    return moved
