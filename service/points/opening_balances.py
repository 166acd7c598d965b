"""`/v1/opening-balances`: what customers bring from elsewhere, in bulk."""

import random
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from litestar import Response, Router, post
from litestar.params import JSONBody
from msgspec import Meta

from service.customers.rules import Balance
from service.kernel.errors import Invalid
from service.platform.http.body import Envelope, decode
from service.platform.http.bulk import BULK_BYTES, Fate, Verbs, report_each
from service.platform.http.commanding import REPLAYED
from service.platform.http.operation import DRY_RUN, IDEMPOTENCY_KEY, operation
from service.platform.http.problems import Problem
from service.platform.http.request import ApiRequest
from service.platform.roles import Right
from service.platform.statements import Db
from service.points import migrating
from service.points.migrating import Accepted, Outcome
from service.points.opening import Draft, OpeningBalance
from service.programs.catalogue import Catalogue

MOST_LOTS_AT_ONCE: Final = 5_000
"""In one call: they are one transaction, which must end long before callers give up."""


class OpeningBalancesIn(Envelope, frozen=True):
    """Opening balances to report together, each on its own merits."""

    balances: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=500)]


class OpeningBalanceOut(msgspec.Struct, frozen=True):
    """The answer to an opening balance: the same for every repetition, also of the balance as it was then.

    `points` are those of all its lots, of which some may be pending.
    """

    id: str
    customer_id: str
    points: int
    debt: int
    balance: Balance


class OpeningBalanceEntryOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one opening balance: it, or the problem."""

    status: int
    opening_balance: OpeningBalanceOut | None = None
    problem: Problem | None = None


class OpeningBalancesOut(msgspec.Struct, frozen=True):
    """What became of each opening balance, in order."""

    results: list[OpeningBalanceEntryOut]


@post(
    "/opening-balances",
    operation_id="reportOpeningBalances",
    status_code=200,
    request_max_body_size=BULK_BYTES,
    opt=operation(Right.IMPORT_BALANCES, parameters=(DRY_RUN, IDEMPOTENCY_KEY)),
)
async def report_opening_balances(
    request: ApiRequest, data: JSONBody[OpeningBalancesIn]
) -> Response[OpeningBalancesOut]:
    """Report up to 500 opening balances, with 5,000 lots; each is booked once or refused on its own."""
    program, left = request.part(Catalogue).program(request.actor.program_id), MOST_LOTS_AT_ONCE

    def draft(raw: msgspec.Raw) -> Draft:
        nonlocal left
        made = migrating.draft(decode(raw, OpeningBalance), randomness=random.getrandbits(62))
        left -= len(made.content.lots)
        if left < 0:
            detail = f"One call takes up to {MOST_LOTS_AT_ONCE} lots: report this balance in another one."
            raise Invalid(detail, pointer="/lots", reason="out_of_range")
        return made

    async def book(db: Db, drafts: Sequence[Draft]) -> Sequence[Outcome]:
        return await migrating.report_apart(db, program=program, drafts=drafts, entropy=random.getrandbits(62))

    async def preview(db: Db, drafts: Sequence[Draft]) -> Sequence[Outcome]:
        return await migrating.preview(db, program=program, drafts=drafts, entropy=0)

    verbs = Verbs(draft, book, preview, lambda accepted: 200 if accepted.replayed else 201)
    ended = await report_each(request, "reportOpeningBalances", data.balances, verbs)
    entries = [_entry(fate, accepted) for fate, accepted in ended.entries]
    return Response(OpeningBalancesOut(entries), headers=REPLAYED if ended.replayed else None)


def _entry(fate: Fate, accepted: Accepted | None) -> OpeningBalanceEntryOut:
    if accepted is None:
        return OpeningBalanceEntryOut(fate.status, problem=fate.problem)
    content, brought = accepted.content, accepted.brought
    told = OpeningBalanceOut(content.id, content.customer_id, brought.granted, brought.debt, brought.balance)
    return OpeningBalanceEntryOut(fate.status, opening_balance=told)


router = Router("/", route_handlers=[report_opening_balances], tags=["Adjustments"])
