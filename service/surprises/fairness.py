"""How a campaign's draws came about, by pages: first its draws, then the sides of its customers."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.platform.clock import database_time
from service.platform.statements import Db
from service.surprises import lifecycle, store
from service.surprises.chance import Keyed
from service.surprises.fair import (
    KEY_AFTER,
    FairDraw,
    FairSide,
    VersionOdds,
    ended_at,
    odds_of,
    published_draws,
    published_sides,
)
from service.surprises.lifecycle import Campaign

_FIRST: Final = UUID(int=0)


class Place(msgspec.Struct, frozen=True):
    """Behind what a page begins: a draw, or with `customer` (an internal id, 0: before the first) a side."""

    draw: UUID = _FIRST
    customer: int | None = None


class Fairness(msgspec.Struct, frozen=True):
    """A page of all that there is to recompute; `key` None: it isn't out, and nothing is listed.

    `to_come` draws between those of this page are left out, since their gifts are still to come.
    """

    campaign: Campaign
    ended_at: datetime | None
    key_at: datetime | None
    key: bytes | None
    versions: tuple[VersionOdds, ...]
    draws: tuple[FairDraw, ...] = ()
    to_come: int = 0
    sides: tuple[FairSide, ...] = ()
    following: Place | None = None


async def read(db: Db, *, program_id: int, wire_id: str, place: Place, limit: int) -> Fairness:
    """Read a page of up to `limit` draws and sides together, behind a place. Raises NotFound."""
    campaign, now = await lifecycle.read(db, program_id=program_id, wire_id=wire_id), await database_time(db)
    odds = {} if campaign.run is None else odds_of(campaign.definition.versions)
    over = None if campaign.run is None else ended_at(campaign.definition.newest, now)
    key_at = None if over is None else over + KEY_AFTER
    found = Fairness(campaign, over, key_at, None, tuple(odds.values()))
    if campaign.run is None or key_at is None or key_at > now:
        return found
    its_id = lifecycle.id_of(wire_id)
    secret = Keyed(await customers.secret(db, program_id=program_id))
    draws, listed, following = list[FairDraw](), 0, None
    to_come, customer = 0, place.customer
    if customer is None:
        drawn = await store.list_draws(db, program_id=program_id, campaign=its_id, after=place.draw, limit=limit + 1)
        listed, customer = min(len(drawn), limit), 0
        draws = published_draws(drawn[:limit], odds, secret=secret, campaign=its_id)
        to_come = listed - len(draws)
        following = Place(drawn[limit - 1].id) if len(drawn) > limit else None
    sides = list[FairSide]()
    if following is None:
        room = limit - listed
        held = await store.list_sides(db, program_id=program_id, campaign=its_id, after=customer, limit=room + 1)
        sides = published_sides(held[:room], secret=secret, campaign=its_id)
        if len(held) > room:
            following = Place(customer=held[room - 1].customer if room else customer)
    return msgspec.structs.replace(
        found,
        key=campaign.run.key,
        draws=tuple(draws),
        to_come=to_come,
        sides=tuple(sides),
        following=following,
    )
