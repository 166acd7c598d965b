"""Jobs that are looked for: a lane for each, which waits for no other."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from service.platform.database import Database
from service.platform.queue.job import Job, Subject
from service.platform.queue.turn import Turn
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.worker.workers import until_so, working

LANES = [Subject(1, f"00000000-0000-0000-0000-{number:012}") for number in range(40)]


async def test_lanes_that_hang_slow_no_other(scratch: tuple[Settings, Db]) -> None:
    """Three quarters hang for as long as the test lasts; each of the others is served again and again."""
    settings, _ = scratch
    served, hanging, release = Counter[str](), set[str](), asyncio.Event()

    async def with_work(_: Db) -> Sequence[Subject]:
        return LANES

    async def serve(_: Database, turn: Turn) -> bool:
        if int(turn.subject[-4:]) % 4:
            hanging.add(turn.subject)
            await release.wait()
        served[turn.subject] += 1
        return True

    job = Job(name="serve", looks_every=0.05, run=serve, subjects=with_work)
    async with working(settings, [job], places=64):
        await until_so(lambda: len(hanging) == 30 and len(served) == 10 and min(served.values()) >= 5)
        release.set()


async def test_work_that_comes_while_a_lane_is_served_is_found_afterwards(scratch: tuple[Settings, Db]) -> None:
    settings, _ = scratch
    waiting, served, at_once, most = ["a"], list[str](), 0, 0

    async def with_work(_: Db) -> Sequence[Subject]:
        return LANES[:1] if waiting else []

    async def serve(_: Database, __: Turn) -> bool:
        nonlocal at_once, most
        at_once, most = at_once + 1, max(most, at_once + 1)
        served.extend(waiting)
        waiting.clear()
        await asyncio.sleep(0.01)
        if served == ["a"]:
            waiting.append("b")  # comes when this run has looked already
        at_once -= 1
        return True

    async with working(settings, [Job(name="serve", looks_every=0.05, run=serve, subjects=with_work)], places=64):
        await until_so(lambda: served == ["a", "b"])
        waiting.append("c")
        await until_so(lambda: served == ["a", "b", "c"])
    assert most == 1
