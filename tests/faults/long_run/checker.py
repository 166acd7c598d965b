"""The proof at the end: what was acknowledged, and nothing else, is in the database, whole and once."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import aiohttp
from asyncpg import Record

from service.platform.verify import verify
from tests.faults.long_run.book import Book, Reported
from tests.faults.long_run.stand import Stand

_BOOKED = """
SELECT
    p.external_id AS id, c.external_id AS customer_id, p.currency, p.total, p.channel, p.occurred_at, p.earned,
    p.available_after,
    count(DISTINCT k.id) AS claims, count(DISTINCT t.id) AS transfers, count(DISTINCT l.id) AS lots,
    count(DISTINCT o.id) AS events
FROM purchase AS p
LEFT JOIN customer AS c ON c.program_id = p.program_id AND c.id = p.customer_id
LEFT JOIN claim AS k ON k.program_id = p.program_id AND k.id = p.external_id AND k.subject_id = p.id
LEFT JOIN transfer AS t ON t.program_id = p.program_id AND t.customer_id = p.customer_id AND t.id = p.id
    AND t.points = p.earned AND t.cause_id = p.external_id
LEFT JOIN lot AS l ON l.program_id = p.program_id AND l.customer_id = p.customer_id AND l.id = p.id
    AND l.granted = p.earned
LEFT JOIN outbox AS o ON o.program_id = p.program_id AND o.subject_id = p.id AND o.type = 'purchase.rewarded'
WHERE p.program_id = $1
GROUP BY p.id, p.program_id, c.external_id, p.external_id, p.currency, p.total, p.channel, p.occurred_at, p.earned,
    p.available_after
"""


async def what_is_wrong(stand: Stand, book: Book) -> list[str]:
    """Return a sentence for each thing that must not be: none, when all is well."""
    async with stand.database.connection() as db:
        await db.execute("SET statement_timeout = 0")
        booked = await db.fetch(_BOOKED, stand.program.id)
        findings = [finding for finding in await verify(db) if finding.broken]
    return [
        *book.wrong,
        *(f"{report.id} is not acknowledged" for report in book.reported.values() if not report.acknowledged),
        *_not_as_told(booked, book),
        *_not_a_chain(book),
        *await _balances_not_as_told(stand, book),
        *(f"broken: {finding.room}, {finding.invariant.name}: {finding.broken[0]}" for finding in findings),
    ]


def _not_as_told(booked: Sequence[Record], book: Book) -> list[str]:
    wrong: list[str] = []
    rows: dict[str, list[Record]] = defaultdict(list)
    for row in booked:
        rows[row["id"]].append(row)
    wrong += [f"{id_} is booked and was never reported" for id_ in rows.keys() - book.reported.keys()]
    for report in book.acknowledged:
        found = rows.get(report.id, [])
        if len(found) != 1:
            wrong.append(f"{report.id} is acknowledged and booked {len(found)} times")
        elif tuple(found[0]) != (*_content(report), report.points, book.balance_told(report), 1, 1, 1, 1):
            wrong.append(f"{report.id} is booked otherwise than it was told: {dict(found[0])}")
    return wrong


def _content(report: Reported) -> tuple[object, ...]:
    return (report.id, report.customer_id, "EUR", report.total, report.channel, report.occurred_at)


def _not_a_chain(book: Book) -> list[str]:
    """Each answer's balance is the one of the customer's answer before it and the points: none is lost between."""
    wrong: list[str] = []
    for customer_id, reports in _by_customer(book).items():
        balance = 0
        for told, report in sorted((book.balance_told(report), report.id) for report in reports):
            balance += book.reported[report].points
            if told != balance:
                wrong.append(f"{customer_id} was told {told} for {report} and should have {balance}")
                break
    return wrong


async def _balances_not_as_told(stand: Stand, book: Book) -> list[str]:
    """What the service tells of each customer is the sum of what was told for the customer's purchases."""
    wrong: list[str] = []
    customers = iter(sorted(_by_customer(book).items()))

    async def compare(client: aiohttp.ClientSession, key: str) -> None:
        for customer_id, reports in customers:
            address = f"{stand.api.address}/v1/customers/{customer_id}/balance"
            async with client.get(address, headers={"Authorization": f"Bearer {key}"}) as answer:
                available = (await answer.json(content_type=None)).get("available")
            due = sum(report.points for report in reports)
            if available != due:
                wrong.append(f"{customer_id} has {available} points and should have {due}")

    async with aiohttp.ClientSession() as client:
        await asyncio.gather(*(compare(client, key) for key in stand.keys))
    return wrong


def _by_customer(book: Book) -> dict[str, list[Reported]]:
    found: dict[str, list[Reported]] = defaultdict(list)
    for report in book.acknowledged:
        found[report.customer_id].append(report)
    return found
