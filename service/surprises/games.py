"""Games as a customer sees them: which there are now, whether one can be played, and what may come of it.

Nothing tells odds or stock. Who is held out sees the same as everybody else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Customer
from service.kernel.errors import NotFound
from service.kernel.ids import IdSource
from service.kernel.periods import day_of
from service.platform.clock import database_time
from service.platform.statements import Db
from service.programs.rules import Program
from service.rewards import wallet
from service.surprises import lifecycle, playing, store, usecases
from service.surprises.book import RunningCampaign
from service.surprises.campaigns import ByPlay, CampaignPrize, NoGift, PointsGift, RewardGift
from service.surprises.drawing import Drawing
from service.surprises.purse import stock_of

MOST_GAMES: Final = 20


class GamePrize(msgspec.Struct, frozen=True):
    """What a play may bring: points, a reward that is called so, or nothing at all."""

    id: str
    points: int
    reward_name: str | None
    is_nothing: bool


class Game(msgspec.Struct, frozen=True):
    """A game, and what of it is left for the customer; `is_open`: a play would be taken now, given the points."""

    wire_id: str
    name: str
    trigger: ByPlay
    is_open: bool
    left_today: int | None
    left_granted: int | None
    prizes: Sequence[GamePrize]


async def games_for(db: Db, *, program: Program, customer_id: str) -> list[Game]:
    """Read the games that run now and are for a customer, the newest first. Raises NotFound."""
    found = await customers.read(db, program_id=program.id, customer_ids=[customer_id])
    if customer_id not in found:
        raise NotFound
    customer, now = found[customer_id], await database_time(db)
    drawing = await usecases.look(db, program=program, on=(ByPlay,), of=[customer], now=now, ids=IdSource(now, 0))
    profile = await playing.profile_for(db, drawing, drawing.campaigns, customer)
    shown = [each for each in drawing.campaigns if playing.is_for(drawing, each, customer, profile)]
    shown = sorted(shown, key=lambda each: each.id, reverse=True)[:MOST_GAMES]
    prizes = await _prizes(db, program.id, shown)
    names = await wallet.names_of(db, program_id=program.id, reward_ids=sorted(_rewards(prizes.values())))
    return [_game(drawing, each, customer, _told(prizes[each.id], names)) for each in shown]


async def _prizes(db: Db, program_id: int, campaigns: Sequence[RunningCampaign]) -> dict[UUID, Sequence[CampaignPrize]]:
    """Give the prizes that are drawn at all, without those of which the whole stock is gone.

    One that waits for its time to be released is there: when that is nobody shall read.
    """
    limited = [each.id for each in campaigns if each.is_limited]
    slices = await store.read_slices(db, program_id=program_id, campaigns=limited) if limited else []
    left = dict[tuple[UUID, str], int]()
    for each in slices:
        key = each.campaign, each.resource
        left[key] = left.get(key, 0) + each.cap - each.taken
    return {
        its.id: [each for each in its.content.prizes if each.weight and left.get((its.id, stock_of(each.id)), 1)]
        for its in campaigns
    }


def _rewards(prizes: Iterable[Sequence[CampaignPrize]]) -> set[UUID]:
    gifts = [each.gift for its in prizes for each in its]
    return {lifecycle.reward_of(gift) for gift in gifts if isinstance(gift, RewardGift)}


def _told(prizes: Sequence[CampaignPrize], names: Mapping[UUID, str]) -> list[GamePrize]:
    return [
        GamePrize(
            each.id,
            each.gift.points if isinstance(each.gift, PointsGift) else 0,
            names.get(lifecycle.reward_of(each.gift)) if isinstance(each.gift, RewardGift) else None,
            isinstance(each.gift, NoGift),
        )
        for each in prizes
    ]


def _game(drawing: Drawing, its: RunningCampaign, customer: Customer, prizes: Sequence[GamePrize]) -> Game:
    trigger = its.content.trigger
    assert isinstance(trigger, ByPlay)  # noqa: S101 - others were not looked for
    of, today = drawing.had(customer).of(its.hex), day_of(drawing.now, ZoneInfo(drawing.program.settings.time_zone))
    return Game(
        wire_id=its.wire,
        name=its.content.name,
        trigger=trigger,
        is_open=playing.has_something_for(drawing, its, customer) and playing.has_plays(trigger, of, today),
        left_today=playing.left_today(trigger, of, today),
        left_granted=of.granted if trigger.granted else None,
        prizes=prizes,
    )
