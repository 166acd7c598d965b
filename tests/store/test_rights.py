"""The service's role adds to history and can't change it, whichever way it tries."""

import asyncpg
import pytest

from service.platform.database import Database
from service.platform.statements import Db
from tests.store.conftest import Books

COLUMN = {
    "transfer": "points",
    "claim": "subject_id",
    "purchase": "total",
    "program_settings": "settings",
    "reward_version": "terms",
    "voucher_use": "amount",
    "refund": "amount",
    "expiry_notice": "points",
    "customer_merge": "target_id",
    "erased_identity": "hash",
    "lot_entry": "points",
    "opening_balance": "granted",
    "brought_tier": "tier",
    "activity": "earned",
    "webhook_disabling": "reason",
    "definition_version": "content",
    "referral_ask_told": "milestone",
}
HISTORY = list(COLUMN)


async def _refused(books: Books, statement: str) -> None:
    db = await Database(books.settings).connect()
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute(statement)
    finally:
        await db.close()


async def _with_partitions(owner: Db, table: str) -> list[str]:
    rows = await owner.fetch("SELECT relid::regclass::text AS name FROM pg_partition_tree($1::regclass)", table)
    return [row["name"] for row in rows] or [table]


@pytest.mark.parametrize("table", HISTORY)
async def test_the_service_can_neither_change_nor_delete_history_also_not_in_a_partition(
    books: Books, table: str
) -> None:
    names = await _with_partitions(books.owner, table)
    assert (len(names) > 1) == (table in {"transfer", "purchase"})
    for name in names:
        await _refused(books, f"UPDATE {name} SET {COLUMN[table]} = {COLUMN[table]}")
        await _refused(books, f"DELETE FROM {name}")
        await _refused(books, f"TRUNCATE {name}")
        await _refused(books, f"DROP TABLE {name}")
        if table not in {"purchase", "refund", "activity"}:  # who may empty a column for an erasure may lock the row
            await _refused(books, f"SELECT FROM {name} FOR UPDATE")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM customer",
        "DELETE FROM lot",
        "TRUNCATE customer",
        "TRUNCATE lot",
        "DELETE FROM program",
        "DELETE FROM api_key",
        "UPDATE command SET status = 200",
        "UPDATE outbox SET type = ''",
        "DELETE FROM adjustment",
        "UPDATE adjustment SET points = 1",
        "UPDATE adjustment SET asked_origin = id",
        "DELETE FROM suppression",
        "UPDATE suppression SET until = NULL",
        "UPDATE suppression SET customer_id = 1",
        "UPDATE referral_ask SET until = reached_at",
        "UPDATE referral_ask SET milestone = 'purchase:1'",
        "DELETE FROM referral_ask_seen",
        "DELETE FROM voucher",
        "UPDATE voucher SET uses = 2",
        "UPDATE reward_piece SET reward_id = id",
        "UPDATE reward_code SET code = 'x'",
        "DELETE FROM webhook",
        "UPDATE webhook SET created_at = now()",
        "UPDATE webhook_secret SET secret = secret",
        "UPDATE webhook_delivery SET position = 1",
        "UPDATE webhook_delivery SET event_id = event_id",
        "DELETE FROM definition",
        "UPDATE definition SET kind = kind",
        "ALTER TABLE transfer DISABLE TRIGGER ALL",
        "ALTER TABLE transfer DROP CONSTRAINT transfer_is_legal",
        "CREATE TABLE public.other ()",
        "CREATE FUNCTION public.other() RETURNS void LANGUAGE sql AS ''",
        "SET session_replication_role = replica",
        "ALTER TABLE transfer DETACH PARTITION {partition}",
        "INSERT INTO {partition} SELECT * FROM transfer",
        "SELECT setval('customer_id_seq', 1)",
    ],
)
async def test_the_service_can_do_nothing_else_that_would_change_what_was_booked(books: Books, statement: str) -> None:
    partition = (await _with_partitions(books.owner, "transfer"))[-1]
    await _refused(books, statement.format(partition=partition))
