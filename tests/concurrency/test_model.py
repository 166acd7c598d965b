"""Random batches against a plain model of what booking means, each outcome and the books compared."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.customers import usecases as customers
from service.customers.rules import ProfileChange
from service.platform.database import Database
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points.facts import Accepted
from service.programs import usecases as programs
from service.programs.rules import Enrolment, Program, ProgramSettings
from service.purchases import usecases
from service.purchases.rules import Purchase
from service.purchases.usecases import PURCHASES, PurchaseDraft, PurchaseOutcome
from tests.conftest import prove
from tests.shop import unique

OLDEST_DAYS = 30
TIMES = {
    "fresh": timedelta(days=-1),
    "older": timedelta(days=-20),
    "too old": timedelta(days=-40),
    "in the future": timedelta(hours=1),
}
NOW = datetime.now(UTC).replace(microsecond=0)


class Report(msgspec.Struct, frozen=True):
    """A purchase as a caller reports it: few ids and customers, so that they meet."""

    id: int
    customer: int
    total: int
    time: str


class Batch(msgspec.Struct, frozen=True):
    """Reports in one transaction, and how that ends."""

    reports: Sequence[Report]
    ending: str


REPORTS = st.builds(
    Report,
    id=st.integers(0, 11),
    customer=st.integers(0, 4),
    total=st.sampled_from([0, 1, 99, 100, 12990, 10**12]),
    time=st.sampled_from([*TIMES, "fresh", "fresh", "older"]),
)
BATCHES = st.builds(
    Batch,
    reports=st.lists(REPORTS, min_size=1, max_size=12),
    # Twice: the commit's answer was lost, and the same drafts are booked again.
    ending=st.sampled_from(["commit", "commit", "commit", "roll back", "twice"]),
)


@dataclass
class Model:
    """What a program's books must say, by the simplest means."""

    enrolled: set[int]
    explicit: bool
    booked: dict[int, Report] = field(default_factory=dict[int, Report])
    answers: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    available: dict[int, int] = field(default_factory=dict[int, int])

    def copy(self) -> "Model":
        """Copy it, for a transaction that may come to nothing."""
        return Model(set(self.enrolled), self.explicit, dict(self.booked), dict(self.answers), dict(self.available))

    def report(self, report: Report) -> tuple[Any, ...]:
        """Book one; answer as `_seen` reads an outcome."""
        known = self.booked.get(report.id)
        if known is not None:
            return ("replayed", *self.answers[report.id]) if known == report else ("purchase_conflict",)
        if report.time in {"in the future", "too old"}:
            return ("invalid_content",)
        if report.customer not in self.enrolled:
            if self.explicit:
                return ("customer_unknown",)
            self.enrolled.add(report.customer)
        earned = report.total // 100
        self.available[report.customer] = self.available.get(report.customer, 0) + earned
        self.booked[report.id] = report
        self.answers[report.id] = (earned, self.available[report.customer])
        return ("booked", *self.answers[report.id])


def _seen(outcome: PurchaseOutcome) -> tuple[Any, ...]:
    if isinstance(outcome, Accepted):
        reward = outcome.answer
        return "replayed" if outcome.replayed else "booked", reward.earned, reward.balance.available
    return (outcome.code,)


def _drafts(batch: Batch) -> list[PurchaseDraft]:
    return [
        usecases.draft(
            Purchase(
                id=f"order-{each.id}",
                customer_id=f"c-{each.customer}",
                currency="EUR",
                total=each.total,
                occurred_at=NOW + TIMES[each.time],
            ),
            randomness=random.getrandbits(62),
        )
        for each in batch.reports
    ]


async def _book(
    database: Database, program: Program, drafts: list[PurchaseDraft], *, rollback: bool
) -> list[PurchaseOutcome]:
    return await transact(
        database.connection,
        lambda db: PURCHASES.report(db, program=program, drafts=drafts, entropy=random.getrandbits(62)),
        rollback=rollback,
    )


async def _program(database: Database, *, explicit: bool) -> Program:
    enrolment = Enrolment.EXPLICIT if explicit else Enrolment.IMPLICIT
    chosen = ProgramSettings(enrolment=enrolment, oldest_fact_days=OLDEST_DAYS)

    async def work(db: Db) -> Program:
        made = await programs.create_program(db, code=unique("model"), name="Model", live=False, settings=chosen)
        if explicit:
            await customers.put(db, program_id=made.id, customer_id="c-0", change=ProfileChange(), entropy=1)
        return made

    return await transact(database.connection, work)


@given(batches=st.lists(BATCHES, min_size=1, max_size=6), explicit=st.booleans())
@settings(
    max_examples=120,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_random_batches_come_to_what_a_plain_model_says(
    database: Database, batches: list[Batch], *, explicit: bool
) -> None:
    program = await _program(database, explicit=explicit)
    model = Model({0} if explicit else set(), explicit)
    for batch in batches:
        drafts, after = _drafts(batch), model.copy()
        expected = [after.report(each) for each in batch.reports]
        outcomes = await _book(database, program, drafts, rollback=batch.ending == "roll back")
        assert [_seen(outcome) for outcome in outcomes] == expected
        if batch.ending == "twice":
            again = await _book(database, program, drafts, rollback=False)
            # One that was refused may meet, the second time, a later report of the batch that has its id.
            assert [_seen(outcome) for outcome in again] == [
                seen if seen[0] in {"booked", "replayed"} else after.report(each)
                for seen, each in zip(expected, batch.reports, strict=True)
            ]
        if batch.ending != "roll back":
            model = after
        await _compare(database, program, model)


async def _compare(database: Database, program: Program, model: Model) -> None:
    async with database.connection() as db:
        rows = await db.fetch(
            "SELECT external_id, available, purchase_count FROM customer WHERE program_id = $1", program.id
        )
        purchases = await db.fetch("SELECT external_id, total FROM purchase WHERE program_id = $1", program.id)
    counts = [report.customer for report in model.booked.values()]
    assert {row["external_id"]: (row["available"], row["purchase_count"]) for row in rows} == {
        f"c-{customer}": (model.available.get(customer, 0), counts.count(customer)) for customer in model.enrolled
    }
    assert sorted((row["external_id"], row["total"]) for row in purchases) == sorted(
        (f"order-{report.id}", report.total) for report in model.booked.values()
    )


async def test_the_books_of_all_random_batches_hold(database: Database) -> None:
    await prove(database)
