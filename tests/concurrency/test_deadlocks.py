"""Bookings lock in one order, whatever order their purchases come in: they wait for each other, never in a circle."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import asyncpg
import pytest

from service.kernel.errors import Refusal
from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.writer import Writer
from service.points.facts import Accepted
from service.purchases.usecases import PURCHASES, AcceptedPurchase, PurchaseDraft, PurchaseOutcome
from tests.concurrency.till import draft
from tests.shop import Shop, unique

Verb = Callable[..., Awaitable[Sequence[PurchaseOutcome | Exception]]]
ROUNDS = 25
WRITERS = 3


class Rivals:
    """Writers of one shop that book at once, each by a connection of its own, and count the deadlocks they meet."""

    def __init__(self, settings: Settings, shop: Shop, verb: Verb, at_once: Verb | None = None) -> None:
        self._shop = shop
        self._verb = verb
        self.deadlocks = 0
        first = None if at_once is None else partial(self._book, verb=at_once)
        self.writers = [
            Writer[int, PurchaseDraft, AcceptedPurchase](Database(settings), self._book, first) for _ in range(WRITERS)
        ]

    async def _book(
        self, db: Db, _: int, drafts: Sequence[PurchaseDraft], verb: Verb | None = None
    ) -> Sequence[PurchaseOutcome | Exception]:
        try:
            return await (verb or self._verb)(
                db, program=self._shop.program, drafts=drafts, entropy=random.getrandbits(62)
            )
        except asyncpg.DeadlockDetectedError:
            self.deadlocks += 1
            raise

    async def book(self, batches: Sequence[Sequence[PurchaseDraft]]) -> list[Sequence[PurchaseOutcome | Exception]]:
        """Book one batch by each writer, all at once."""
        return await asyncio.gather(
            *(writer.write(self._shop.program.id, batch) for writer, batch in zip(self.writers, batches, strict=True))
        )


def _known_customers(_: int, __: int, place: int) -> tuple[str, str]:
    # Names whose order in text isn't that of their internal ids.
    return f"c-{place}", unique("order")


def _new_customers(round_: int, _: int, place: int) -> tuple[str, str]:
    return f"new-{round_}-{place}", unique("order")


def _ids_of_others(round_: int, writer: int, place: int) -> tuple[str, str]:
    return f"w{writer}-{place}", f"shared-{round_}-{place}"


@pytest.mark.parametrize("at_once", [False, True], ids=["with locks", "at once"])
@pytest.mark.parametrize("meeting", [_known_customers, _new_customers, _ids_of_others])
async def test_batches_that_meet_in_other_orders_never_deadlock(
    settings: Settings,
    shop: Shop,
    owner: Db,
    monkeypatch: pytest.MonkeyPatch,
    meeting: Callable[[int, int, int], tuple[str, str]],
    *,
    at_once: bool,
) -> None:
    """They meet at rows of customers, at names that all would enrol, or at ids that all would take."""
    monkeypatch.setattr("service.platform.writer.BATCHES_WITH_LOCKS", 0)  # at once again and again, however it fails
    first = partial(PURCHASES.report, lock=False) if at_once else None
    rivals, chance, total = Rivals(settings, shop, PURCHASES.report, first), random.Random(1), 0
    places = list(range(1, 31))
    async with AsyncExitStack() as closing:
        for writer in rivals.writers:
            closing.push_async_callback(writer.close)
        for round_ in range(ROUNDS):
            batches = list[list[PurchaseDraft]]()
            for number, order in enumerate([places, places[::-1], chance.sample(places, len(places))]):
                facts = [meeting(round_, number, place) for place in order]
                batches.append([draft(id=fact_id, customer_id=customer_id) for customer_id, fact_id in facts])
            for outcomes in await rivals.book(batches):
                total += sum(1 for outcome in outcomes if isinstance(outcome, Accepted) and not outcome.replayed)
    assert rivals.deadlocks == 0
    booked = await owner.fetchval("SELECT count(*) FROM purchase WHERE program_id = $1", shop.program.id)
    assert total == booked == ROUNDS * 30 * (1 if meeting is _ids_of_others else WRITERS)


@pytest.mark.parametrize("are_new", [False, True], ids=["known customers", "new customers"])
async def test_bulk_calls_with_a_row_that_is_refused_lock_in_one_order_too(
    settings: Settings, shop: Shop, *, are_new: bool
) -> None:
    """What is refused is found out row by row: were the locks kept meanwhile, two calls would form a circle."""
    rivals, rounds = Rivals(settings, shop, PURCHASES.report_apart), 5
    for number in range(20):
        await shop.buy(customer_id=f"c-{number}")
    async with AsyncExitStack() as closing:
        for writer in rivals.writers:
            closing.push_async_callback(writer.close)
        for round_ in range(rounds):
            names = [f"new-{round_}-{number}" if are_new else f"c-{number}" for number in range(20)]
            orders = [names, names[::-1], random.sample(names, 20)]
            for outcomes in await rivals.book(
                [
                    # The database takes no NUL character in a text; the door would have refused it.
                    [*(draft(customer_id=customer_id) for customer_id in order), draft(channel="\x00")]
                    for order in orders
                ]
            ):
                assert [isinstance(outcome, Refusal) for outcome in outcomes] == [False] * 20 + [True]
    assert rivals.deadlocks == 0
    expected = {"new-0-0": 3, "c-0": 1} if are_new else {"c-0": 1 + 3 * rounds}
    for customer_id, purchases in expected.items():
        assert (await shop.balance(customer_id))["available"] == 129 * purchases
