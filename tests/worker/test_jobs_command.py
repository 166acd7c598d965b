"""`loyalty jobs`, as an operator runs it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from service.__main__ import loyalty
from service.platform.queue.job import Subject
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.conftest import NewShop
from tests.stories.months import pass_time

LANE = str(UUID(int=7))


async def ask(settings: Settings, *arguments: str) -> Result:
    environment = {
        "DATABASE_URL": settings.database_url,
        "DATABASE_OWNER_URL": settings.database_owner_url,
        "REDIS_URL": settings.redis_url,
    }
    return await asyncio.to_thread(CliRunner().invoke, loyalty, ["jobs", *arguments], env=environment)


@pytest.fixture
async def some(scratch: tuple[Settings, Db]) -> tuple[Settings, int]:
    """Give a database with a job of each state, and the number of the one that is set aside."""
    settings, owner = scratch
    await owner.execute(
        "INSERT INTO program (code, name, live, settings_version, created_at) VALUES ('tea', 'Tea', FALSE, 1, now());"
        "INSERT INTO program_settings (program_id, version, settings, recorded_at)"
        " SELECT p.id, 1, '{}', now() FROM program AS p"
    )
    program: int = await owner.fetchval("SELECT id FROM program")
    await owner.execute(
        "INSERT INTO pgqueuer_schedules (expression, entrypoint, next_run)"
        " VALUES ('*/10 * * * *', 'settle_due', '2026-11-22 08:50:00Z')"
    )
    for status, name in (("picked", "settle_due"), ("queued", "give_back_lapsed")):
        await owner.execute(
            "INSERT INTO pgqueuer (priority, status, entrypoint, payload, execute_after)"
            f" VALUES (0, '{status}', $1, $2, '2026-11-22 08:40:00Z')",
            name,
            Subject(program).payload(),
        )
    row = "INSERT INTO job (program_id, name, subject, run, attempts, done, begun_at, error, dead_at) VALUES"
    await owner.execute(f"{row} ({program}, 'settle_due', '', 1, 1, 1200, '2026-11-22 08:40:01Z', NULL, NULL)")
    await owner.execute(f"{row} ({program}, 'deliver', '{LANE}', 5, 5, 0, NULL, 'ValueError at x.py:1 y', now())")
    return settings, await owner.fetchval("SELECT id FROM job WHERE name = 'deliver'")


async def test_it_lists_what_is_scheduled_running_waiting_and_set_aside(some: tuple[Settings, int]) -> None:
    settings, number = some
    listed = await ask(settings)
    assert listed.exit_code == 0, listed.output
    text = [" ".join(line.split()) for line in listed.stdout.splitlines()]
    assert text[:6] == [
        "Scheduled",
        "settle_due */10 * * * * next 2026-11-22 08:50:00Z",
        "Running",
        "settle_due tea since 2026-11-22 08:40:01Z, 1,200 done",
        "Waiting",
        "give_back_lapsed tea due 2026-11-22 08:40:00Z",
    ]
    assert text[6] == "Set aside"
    assert text[7].startswith(f"{number} deliver tea {LANE} ")
    assert text[7].endswith("after 5 attempts: ValueError at x.py:1 y")


async def test_a_job_that_is_set_aside_can_be_run_again(
    some: tuple[Settings, int], scratch: tuple[Settings, Db]
) -> None:
    settings, number = some
    _, owner = scratch
    again = await ask(settings, "retry", str(number))
    assert (again.exit_code, again.output) == (0, "deliver is in the queue again.\n")
    assert await owner.fetchval("SELECT status::text FROM pgqueuer WHERE entrypoint = 'deliver'") == "queued"
    assert await owner.fetchval("SELECT attempts FROM job WHERE name = 'deliver' AND dead_at IS NULL") == 0
    twice = await ask(settings, "retry", str(number))
    assert twice.exit_code == 1
    assert twice.output == (
        f"Error: No job {number} is set aside: `loyalty jobs` lists those that are, with their numbers.\n"
    )


async def test_a_job_that_is_set_aside_can_be_forgotten(some: tuple[Settings, int]) -> None:
    settings, number = some
    assert (await ask(settings, "discard", str(number))).output == "deliver is forgotten.\n"
    assert "Set aside: nothing" in (await ask(settings)).stdout
    assert (await ask(settings, "discard", str(number))).exit_code == 1


async def test_a_job_is_run_now_to_its_end(new_shop: NewShop, settings: Settings, owner: Db) -> None:
    shop = await new_shop(expiry={"kind": "rolling", "days": 10})
    for name in ("a", "b"):
        await shop.buy(customer_id=name, occurred_at=datetime.now(UTC).isoformat(), total=1_000)
    await pass_time(owner, shop.program.id, timedelta(days=12))
    code = shop.program.code
    done = await ask(settings, "run", "settle_due", "--program", code)
    assert (done.exit_code, done.output) == (0, f"settle_due of {code}: done, 2\n")
    assert (await ask(settings, "run", "settle_due", "--program", code)).output == f"settle_due of {code}: done, 0\n"
    assert (await shop.balance("a"))["available"] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "settle"), "There is no job settle that can be run so: choose one of "),
        (("run", "settle_due", "--program", "nobody"), "There is no such thing: check the program's code"),
        (("run", "make_partitions_ahead", "--program", "tea"), "make_partitions_ahead is no job of single programs"),
    ],
)
async def test_what_can_not_be_run_is_told_in_one_sentence(
    some: tuple[Settings, int], arguments: tuple[str, ...], sentence: str
) -> None:
    told = await ask(some[0], *arguments)
    assert told.exit_code == 1
    assert told.output.startswith(f"Error: {sentence}")
    assert told.output.count("\n") == 1
