"""Hot statements are prepared once, planned once, and find every row by its key."""

import json
import random
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from service.platform.database import Database
from service.platform.reporting import for_whole_programs
from service.platform.settings import CHECKOUT
from service.platform.statements import Db, Statement, load_file
from service.points import usecases as points
from service.purchases.usecases import PURCHASES
from tests.concurrency.till import draft
from tests.store.conftest import Books

LEDGER = {"customer", "claim", "purchase", "transfer", "lot", "outbox"}


@pytest.fixture
async def hot(books: Books) -> AsyncGenerator[Db]:
    """Give a connection of the hot path that has booked all kinds of batches; nothing of it is kept."""
    db = await Database(books.settings).connect()
    for size in (1, 64, 5, 20, 64, 1, 7):
        known = [draft(customer_id=f"old-{number}") for number in random.sample(range(1, 20_001), size)]
        new = [draft(customer_id=f"new-{random.getrandbits(60)}") for _ in range(size)]
        for drafts in (known, new, [*known, *new], known):
            await db.execute("BEGIN")
            for _ in range(2):  # the second time as repetitions
                await PURCHASES.report(db, program=books.program, drafts=drafts, entropy=random.getrandbits(62))
            await db.execute("ROLLBACK")
        await points.balances(db, program_id=books.program.id, customer_ids=["old-1"] * size)
    yield db
    await db.close()


async def test_statements_of_the_hot_path_are_prepared_once_and_planned_generically(hot: Db) -> None:
    prepared = [
        row
        for row in await hot.fetch("SELECT name, statement, generic_plans, custom_plans FROM pg_prepared_statements")
        if not row["statement"].startswith("SELECT name, statement")
    ]
    texts = [row["statement"] for row in prepared]
    assert len(texts) == len(set(texts))
    assert all(row["name"] and row["generic_plans"] > 0 for row in prepared)
    assert {row["statement"]: row["custom_plans"] for row in prepared} == dict.fromkeys(texts, 0)
    assert len([text for text in texts if "transfer" in text]) == 3  # for known customers, for new ones, for both


async def test_statements_of_the_hot_path_scan_no_table_of_the_ledger(hot: Db) -> None:
    names = await hot.fetch(
        "SELECT name, statement, cardinality(parameter_types) AS parameters FROM pg_prepared_statements"
    )
    seen = set[str]()
    for row in names:
        nulls = ", ".join(["NULL"] * row["parameters"])
        plan = await hot.fetchval(f'EXPLAIN (FORMAT JSON) EXECUTE "{row["name"]}"{f"({nulls})" if nulls else ""}')
        for node in _nodes(json.loads(plan)):
            if node.get("Relation Name", "").split("_")[0] in LEDGER and "Scan" in node["Node Type"]:
                assert node["Node Type"] in {"Index Scan", "Index Only Scan"}, (row["statement"], node)
                seen.add(node["Relation Name"].split("_")[0])
    assert seen >= {"customer", "claim", "purchase"}


def _statements() -> Iterator[tuple[str, Statement]]:
    for room in (
        "customers",
        "customers/suppressions",
        "purchases",
        "earning",
        "tiers",
        "points",
        "adjustments",
        "opening_balances",
        "rewards",
        "tiers",
        "programs",
        "events",
        "webhooks",
        "referrals",
        "referrals/asks",
        "referrals/codes",
        "invoices",
        "surprises",
    ):
        for statement in load_file(CHECKOUT / "service" / room / "queries.sql").values():
            yield f"{room}.{statement.name}", statement


@pytest.mark.parametrize(("name", "statement"), [pytest.param(*each, id=each[0]) for each in _statements()])
async def test_no_statement_of_a_room_scans_a_filled_table(books: Books, name: str, statement: Statement) -> None:
    """On the pool's connections, where the planner is free: it must find the indexes worth it."""
    database = Database(books.settings)
    await database.open(size=1)
    try:
        async with database.connection() as db:
            # Else NULL is what is planned for: no row at all, and so no scan of any table.
            await db.execute("SET plan_cache_mode = force_generic_plan")
            await db.execute(f"PREPARE tried AS {statement.sql}")
            nulls = ", ".join(["NULL"] * statement.parameters)
            plan = await db.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE tried{f'({nulls})' if nulls else ''}")
            await db.execute("DEALLOCATE tried")
            await db.execute("RESET plan_cache_mode")
    finally:
        await database.close()
    scanned = {node["Relation Name"] for node in _nodes(json.loads(plan)) if node["Node Type"] == "Seq Scan"}
    filled = await books.owner.fetch("SELECT relname FROM pg_class WHERE reltuples > 1000 AND relkind = 'r'")
    assert scanned & {row["relname"] for row in filled} == set(), name


@pytest.mark.parametrize(
    "name",
    [
        "purchases.past_use",
        "purchases.purchases_since",
        "purchases.activities_since",
        "purchases.refunds_of_named",
        "points.moved_list",
        "points.spent_list",
        "tiers.brought_tier_list",
        "customers/suppressions.suppression_reasons",
        "customers/suppressions.suppression_open",
        "customers/suppressions.suppression_read",
        "purchases.facts_of_referees",
        "referrals/codes.code_find",
        "referrals.came_by",
        "referrals.ahead_find",
        "referrals.referral_read",
        "referrals.look_again",
        "referrals/asks.ask_read",
        "referrals/asks.told_read",
        "invoices.invoice_read",
        "invoices.invoice_list_of_customer",
        "invoices.payment_answers",
        "invoices.payment_read",
        "invoices.payments_of_invoice",
        "invoices.settlement_left",
        "invoices.closings_of",
        "invoices.credit_notes_of_invoice",
        "invoices.credit_note_read",
        "invoices.payment_past_use",
    ],
)
async def test_what_is_counted_again_is_found_by_its_customers_also_behind_a_pooler(books: Books, name: str) -> None:
    """There every connection has the settings of the hot path; one of them must not go through a whole program."""
    room, _, statement = name.partition(".")
    asked = load_file(CHECKOUT / "service" / room / "queries.sql")[statement]
    db = await Database(books.settings).connect()
    await db.execute(f"PREPARE tried AS {asked.sql}")
    plan = await db.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE tried({', '.join(['NULL'] * asked.parameters)})")
    await db.close()
    for node in _nodes(json.loads(plan)):
        if node["Node Type"] == "ModifyTable":
            continue
        if node.get("Relation Name", "refund") != "refund":  # it is empty here, and one index is as good as the other
            assert " AND " in node.get("Index Cond", ""), (node["Relation Name"], node.get("Index Cond"))


@pytest.mark.parametrize("name", ["programs_due", "referral_due"])
async def test_referrals_that_are_due_are_found_without_looking_at_those_that_wait(books: Books, name: str) -> None:
    """Every worker asks each second, and most wait for weeks."""
    asked = load_file(CHECKOUT / "service" / "referrals" / "queries.sql")[name]
    db = await Database(books.settings).connect()
    await db.execute(f"PREPARE tried AS {asked.sql}")
    nulls = ", ".join(["NULL"] * asked.parameters)
    plan = await db.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE tried{f'({nulls})' if nulls else ''}")
    await db.close()
    (scan,) = (node for node in _nodes(json.loads(plan)) if node.get("Relation Name") == "referral")
    assert "look_at <=" in scan["Index Cond"]


ARGUMENTS = {
    "integer": ("%(program)s", "30", "60", "90"),
    "uuid": ("'00000000-0000-0000-0000-000000000000'", "'ffffffff-0000-0000-0000-000000000000'"),
    "timestamp with time zone": ("now() - interval '1 year'", "now()", "now()"),
    "date": ("current_date - 365", "current_date", "current_date", "current_date", "current_date"),
    "text": ("NULL", "NULL"),
    "bigint[]": ("ARRAY[1, 2, 3]",),
}
"""By their types, what statements of reports are planned with: each is planned for its own program and time."""
OF_A_CURRENCY = {"report_arms", "forecast_history"}
SETTLEMENTS = {"settlement_pkey", "settlement_of_invoice"}
REPORT = {
    name: statement
    for room in ("purchases/referral_report", "purchases/surprise_report", "invoices/report")
    for name, statement in load_file(CHECKOUT / "service" / room / "queries.sql").items()
}


@pytest.mark.parametrize("name", REPORT)
async def test_what_goes_through_a_program_reads_nothing_of_others_behind_a_pooler(books: Books, name: str) -> None:
    """It reads by the program's key, and what it has read is joined without looking up row by row."""
    db = await Database(books.settings).connect()
    await db.execute("BEGIN")
    await for_whole_programs(db)
    await db.execute(f"PREPARE tried AS {REPORT[name].sql}")
    types: list[str] = await db.fetchval(
        "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'tried'"
    )
    given = [ARGUMENTS[each][types[:place].count(each)] for place, each in enumerate(types)]
    if name in OF_A_CURRENCY:
        given[-1] = "'EUR'"
    execute = f"EXECUTE tried({', '.join(given)})" % {"program": books.program.id}
    nodes = list(_nodes(json.loads(await db.fetchval(f"EXPLAIN (FORMAT JSON) {execute}"))))
    await db.close()
    assert not [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"]
    if name == "report_groups":
        assert sum(node["Node Type"] == "Nested Loop" for node in nodes) == 1  # over what one customer bought
        assert any(node.get("Relation Name", "").startswith("purchase_") for node in nodes)
    if name in OF_A_CURRENCY:
        assert not [node for node in nodes if node["Node Type"] == "Nested Loop"]
        assert any(node.get("Relation Name", "").startswith("purchase_") for node in nodes)
    if name == "report_invoices":
        loops = [node["Plans"][1] for node in nodes if node["Node Type"] == "Nested Loop"]
        assert {each["Node Type"] for each in loops} <= {"Result"}  # over nothing: what isn't grouped by
        (read,) = (node for node in nodes if node.get("Index Name") in SETTLEMENTS)
        assert "payment_id >=" in read["Index Cond"]  # of an old program only what was paid since


def _nodes(explained: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give all nodes of a plan."""
    nodes: list[dict[str, Any]] = [each["Plan"] for each in explained]
    while nodes:
        node = nodes.pop()
        yield node
        nodes += node.get("Plans", [])


async def test_a_purchase_of_a_known_customer_writes_at_most_five_b_trees(books: Books) -> None:
    db = await Database(books.settings).connect()
    await db.execute("BEGIN")
    await PURCHASES.report(db, program=books.program, drafts=[draft(customer_id="old-1")], entropy=1)
    written = await db.fetch("""
        SELECT s.relname, s.n_tup_ins, s.n_tup_upd, s.n_tup_hot_upd,
            (SELECT count(*) FROM pg_index AS i
             INNER JOIN pg_class AS x ON i.indexrelid = x.oid
             INNER JOIN pg_am AS a ON x.relam = a.oid
             WHERE i.indrelid = s.relid AND a.amname = 'btree'
                 -- that of purchases which earned nothing
                 AND pg_get_expr(i.indpred, i.indrelid) IS DISTINCT FROM '(earned = 0)') AS btrees
        FROM pg_stat_xact_user_tables AS s
        WHERE s.n_tup_ins + s.n_tup_upd > 0
    """)
    await db.execute("ROLLBACK")
    await db.close()
    touched = {
        row["relname"]: row["btrees"] for row in written if row["n_tup_ins"] or row["n_tup_upd"] > row["n_tup_hot_upd"]
    }
    assert {name.split("_")[0] for name in touched} == {"claim", "lot", "outbox", "purchase", "transfer"}
    assert sum(touched.values()) <= 5
