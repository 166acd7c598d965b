"""What is forgotten in time, and what is kept."""

from datetime import timedelta

from service.platform import jobs
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.statements import Db
from tests.conftest import NewShop


async def test_keys_of_commands_are_known_for_thirty_days_and_forgotten_then(
    new_shop: NewShop, database: Database, owner: Db
) -> None:
    shop, other = await new_shop(), await new_shop()
    keep = "INSERT INTO command VALUES ($1, $2, $3, 200, '{}', clock_timestamp() - $4::interval)"
    ages = {"new": timedelta(0), "almost": timedelta(days=30, minutes=-1), "old": timedelta(days=30, minutes=1)}
    for name, age in ages.items():
        await owner.executemany(
            keep, [(shop.program.id, f"{number:05}-{name}", bytes(16), age) for number in range(1500)]
        )
    await owner.execute(keep, other.program.id, "old", bytes(16), ages["old"])
    turn = Turn(shop.program.id, seconds=0)
    assert not await jobs.forget_commands(database, turn)  # a turn without time does one part
    assert 0 < turn.done < 1500
    rest = Turn(shop.program.id, place=turn.place, done=turn.done)
    assert await jobs.forget_commands(database, rest)
    assert rest.done == 1500
    left = await owner.fetch("SELECT key FROM command WHERE program_id = $1", shop.program.id)
    assert sorted(row["key"][6:] for row in left) == ["almost"] * 1500 + ["new"] * 1500
    assert await owner.fetchval("SELECT count(*) FROM command WHERE program_id = $1", other.program.id) == 1


async def test_the_queues_own_log_is_kept_for_an_hour(database: Database, owner: Db) -> None:
    row = (
        "INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint)"
        " VALUES (clock_timestamp() - $1::interval, 1, 'successful', 0, 'cleaned')"
    )
    for minutes in (1, 59, 61, 2 * 24 * 60):  # a busy webhook writes fifteen rows of it a second
        await owner.execute(row, timedelta(minutes=minutes))
    turn = Turn()
    assert await jobs.forget_queue_log(database, turn)
    assert turn.done == 2
    assert await owner.fetchval("SELECT count(*) FROM pgqueuer_log WHERE entrypoint = 'cleaned'") == 2
