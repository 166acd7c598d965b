"""Purchases with three campaigns that draw inside them, and without: `python -m benchmarks.campaigns`.

One of them draws for each purchase, one for each large one, one asks by CEL; all have a holdout, a budget or stock, so
that slices are read and taken, and two have limits for each customer. They are paused and active by turns, in one run
on one service. How many draws there were for a purchase, and how many gifts, is told with each.
"""

import asyncio
import random
import secrets
import time
from functools import partial
from statistics import median
from typing import Any, Final

import asyncpg
import click
import msgspec
from rich.console import Console

from benchmarks.measuring import PURCHASES_AT_64, run_load
from benchmarks.processes import machine
from benchmarks.stand import Stand
from benchmarks.turns import Run, by_turns, options, report, stand_for
from service.platform.database import Database
from service.platform.statements import Db
from service.platform.transaction import transact
from service.surprises import lifecycle
from service.surprises.campaigns import CampaignContent

_NOTHING: Final = {"id": "nothing", "gift": {"kind": "nothing"}, "weight": 19}
_CAMPAIGNS: Final[dict[str, dict[str, Any]]] = {
    "one in twenty": {
        "prizes": [{"id": "sweet", "gift": {"kind": "points", "points": 50}, "stock": 10**8, "cost": 10}, _NOTHING],
        "gifts_per_customer": 5,
    },
    "large ones": {
        "prizes": [{"id": "sweet", "gift": {"kind": "points", "points": 200}, "cost": 40}, _NOTHING],
        "audience": {"purchase": {"minimum": {"EUR": 15_000}}},
        "budget": {"points": 10**9, "cost": 10**9},
        "gifts_per_customer": 2,
    },
    "by CEL": {
        "prizes": [{"id": "sweet", "gift": {"kind": "points", "points": 100}, "stock": 10**8}, _NOTHING],
        "audience": {"expression": "customer.purchases > 5 && customer.lifetime_earned > 100"},
        "gifts_per_customer": None,
    },
}


@click.command()
@options
def main(purchases: int, customers: int, seconds: int, repetitions: int, processes: int) -> None:
    """Measure purchases with campaigns and without."""
    console = Console(width=140)
    with stand_for(console, customers=customers, purchases=purchases, processes=processes) as stand:
        ids = asyncio.run(_make(stand))

        def run(*, active: bool) -> Run:
            asyncio.run(_set(stand, ids, active=active))
            time.sleep(1)  # each process has them within half a second
            before = asyncio.run(_drawn(stand))
            seen = run_load(stand, PURCHASES_AT_64, seconds, 0.0)
            after = asyncio.run(_drawn(stand))
            return seen | {"drawn": [(late - early) / seen["sent"] for early, late in zip(before, after, strict=True)]}

        sides = {"no campaign": partial(run, active=False), "three campaigns": partial(run, active=True)}
        seen = by_turns(console, stand, sides, repetitions)
        more = {"draws a purchase": partial(_told, 0), "gifts a purchase": partial(_told, 1)}
        report(console, seen, compared="of the rate without", more=more)
        statuses = {status for runs in seen.values() for each in runs for status in each["statuses"]}
        console.print(f"Answers: {', '.join(sorted(statuses))}. On {machine()}.")


def _told(place: int, runs: list[Run]) -> str:
    return f"{median(each['drawn'][place] for each in runs):.2f}"


async def _drawn(stand: Stand) -> tuple[int, int]:
    """Count draws and gifts so far."""
    owner = await asyncpg.connect(stand.url)
    row = await owner.fetchrow("SELECT (SELECT count(*) FROM campaign_draw), (SELECT count(*) FROM surprise)")
    await owner.close()
    assert row is not None
    return row[0], row[1]


async def _make(stand: Stand) -> list[str]:
    """Make the campaigns, as drafts; gives their ids."""
    database = Database(stand.settings)
    await database.open(size=1)

    async def work(db: Db) -> list[str]:
        made = list[str]()
        for name, content in _CAMPAIGNS.items():
            whole = {"name": name, "trigger": {"kind": "purchase"}, "holdout": 2_000} | content
            campaign = await lifecycle.create(
                db,
                program_id=stand.program_id,
                content=msgspec.convert(whole, CampaignContent),
                entropy=random.getrandbits(62),
            )
            made.append(campaign.definition.id)
        return made

    try:
        return await transact(database.connection, work)
    finally:
        await database.close()


async def _set(stand: Stand, ids: list[str], *, active: bool) -> None:
    """Let all campaigns run, or none."""
    database = Database(stand.settings)
    await database.open(size=1)

    async def work(db: Db) -> None:
        for wire_id in ids:
            program_id, entropy = stand.program_id, random.getrandbits(62)
            if active:
                key = secrets.token_bytes(32)
                await lifecycle.activate(db, program_id=program_id, wire_id=wire_id, key=key, entropy=entropy)
            elif (await lifecycle.read(db, program_id=program_id, wire_id=wire_id)).run is not None:
                await lifecycle.pause(db, program_id=program_id, wire_id=wire_id, entropy=entropy)

    try:
        await transact(database.connection, work)
    finally:
        await database.close()


if __name__ == "__main__":
    main()
