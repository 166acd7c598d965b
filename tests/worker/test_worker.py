"""The worker: schedules, and partitions made ahead."""

import asyncio
import resource
import signal

import asyncpg
import pytest

from service.platform import jobs
from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.worker.workers import PATIENCE_SECONDS, SCHEDULES, start_worker, until


async def partitions(db: Db) -> set[str]:
    rows = await db.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'purchase'::regclass"
    )
    return {row["name"] for row in rows}


async def test_a_missing_partition_is_made_by_the_services_own_role(scratch: tuple[Settings, Db]) -> None:
    settings, owner = scratch
    before = await partitions(owner)
    assert len(before) == 3
    await owner.execute(f"DROP TABLE {max(before)}")
    database = Database(settings)
    await database.open(size=2)
    made = await asyncio.gather(jobs.make_partitions_ahead(database), jobs.make_partitions_ahead(database))
    await database.close()
    assert sorted(made, key=len) == [[], [max(before)]]
    assert await partitions(owner) == before


async def test_partitions_take_hot_tables_settings_and_constraints(scratch: tuple[Settings, Db]) -> None:
    _, owner = scratch
    options = await owner.fetchval("SELECT reloptions FROM pg_class WHERE relname = $1", max(await partitions(owner)))
    assert "autovacuum_vacuum_insert_threshold=1000000" in options
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute(
            """
            INSERT INTO transfer (
                program_id, customer_id, id, from_bucket, to_bucket, points, reason, cause_type, cause_id,
                customer_version, available_after, pending_after, held_after, debt_after, occurred_at, recorded_at
            ) SELECT 1, 1, (to_char(0, 'FM0') || substr(gen_random_uuid()::text, 2))::uuid, 'redeemed', 'debt', 1, '',
                '', '', 1, 0, 0, 0, 0, now(), now()
            """
        )


async def test_the_worker_makes_partitions_when_it_starts_keeps_its_schedule_and_stops_in_order(
    scratch: tuple[Settings, Db],
) -> None:
    settings, owner = scratch
    before = await partitions(owner)
    await owner.execute(f"DROP TABLE {max(before)}")
    worker = start_worker(settings)
    try:

        async def made() -> bool:
            return await partitions(owner) == before

        async def scheduled() -> bool:
            return await owner.fetchval("SELECT count(*) FROM pgqueuer_schedules") == SCHEDULES

        await until(made)
        await until(scheduled)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, PATIENCE_SECONDS) == 0
    finally:
        worker.kill()
        worker.wait()


async def test_a_worker_whose_connections_are_killed_goes_on(scratch: tuple[Settings, Db]) -> None:
    settings, owner = scratch
    worker = start_worker(settings)
    try:

        async def works() -> bool:
            return await owner.fetchval("SELECT count(*) FROM pgqueuer_schedules") == SCHEDULES

        await until(works)
        before = await partitions(owner)  # what is missing by then is made by the worker that began again
        await owner.execute(f"DROP TABLE {max(before)}")
        assert settings.database_url is not None
        same_login = await asyncpg.connect(settings.database_url)
        await same_login.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = session_user AND application_name = 'loyalty'"
        )
        await same_login.close()

        async def made() -> bool:
            return await partitions(owner) == before

        await until(made)
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()


async def test_a_job_that_fails_keeps_no_other_from_running(scratch: tuple[Settings, Db]) -> None:
    settings, owner = scratch
    await owner.execute(
        "CREATE OR REPLACE FUNCTION make_partitions(quarters_ahead integer) RETURNS SETOF text LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'it fails'; END $$"
    )
    worker = start_worker(settings)
    try:

        async def works() -> bool:
            return await owner.fetchval("SELECT count(*) FROM pgqueuer_schedules") == SCHEDULES

        await until(works)
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()


async def test_a_fault_of_the_sequencer_ends_neither_it_nor_the_worker(scratch: tuple[Settings, Db]) -> None:
    settings, owner = scratch
    await owner.execute(
        "INSERT INTO outbox (program_id, id, type, customer_id, subject_id, recorded_at)"
        " SELECT 7, gen_random_uuid(), 'x', NULL, gen_random_uuid(), now() FROM generate_series(1, 3)"
    )
    worker = start_worker(settings, "tests.worker.faulty")
    try:

        async def are_placed() -> bool:
            return await owner.fetchval("SELECT count(*) FROM event") == 3

        await until(are_placed)
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()


async def test_the_worker_takes_as_many_open_files_as_the_system_grants(scratch: tuple[Settings, Db]) -> None:
    """Endpoints that hang hold a connection each, and whoever comes after the last file would seem to be away."""
    settings, _ = scratch
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, soft), hard))
    try:
        worker = start_worker(settings)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(65536, hard)
    try:

        async def has_taken() -> bool:
            return resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)[0] == wanted

        await until(has_taken)
    finally:
        worker.terminate()
        worker.wait()
