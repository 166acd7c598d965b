"""`/v1/transactions`: why a transfer was made."""

from datetime import datetime

import msgspec
from litestar import Router, get
from litestar.params import FromPath

from service.customers.rules import Balance
from service.earning.rules import RuleContent
from service.kernel.ids import to_wire
from service.kernel.times import Time
from service.platform.database import Database
from service.platform.http.operation import operation
from service.platform.http.request import ApiRequest, own_id
from service.platform.roles import Right
from service.points.explaining import Share
from service.points.rules import NEVER, Cause, lot_ends_at
from service.points.schemas import TransferOut, transfer_out
from service.programs.catalogue import program_of
from service.programs.rules import BaseRule
from service.purchases.explaining import Explanation, explain
from service.tiers.rules import TierContent


class AppliedRuleOut(msgspec.Struct, frozen=True):
    """The rule that granted the points, as it was then.

    `why` says how it came to them; `settings` are those of the program's base rule at that version, `content` is what
    any other rule said at it. `tier:<id>` is what the customer's tier multiplied: `tier` is the tier at that version.
    """

    rule: str
    version: int
    points: int
    why: str | None
    settings: BaseRule | None
    content: RuleContent | None
    tier: TierContent | None


class LotShareOut(msgspec.Struct, frozen=True):
    """A lot, as it is now, and how many of its points the transaction moved.

    `change` is what that did to what remains of the lot: above zero it was granted or given back, below zero taken; 0
    where the points had left it before, or only became available. `granted_by` is the transaction that made the lot.
    """

    id: str
    points: int
    change: int
    granted: int
    remaining: int
    available_at: Time
    expires_at: Time | None
    cause: Cause
    granted_by: str


class ExplanationOut(msgspec.Struct, frozen=True):
    """Why a transaction was made: in words, by which rule, of which lots, and what it reversed or what reversed it.

    `rules` are all that granted these points together, `rule` is the only one of them. `customer_id` is null for an
    erased customer.
    """

    id: str
    customer_id: str | None
    why: str
    transaction: TransferOut
    rule: AppliedRuleOut | None
    rules: list[AppliedRuleOut]
    lots: list[LotShareOut]
    reverses: TransferOut | None
    reversed_by: list[TransferOut]
    balance_before: Balance
    balance_after: Balance


@get("/{transaction_id:str}/explain", operation_id="explainTransaction", opt=operation(Right.READ_HISTORY))
async def explain_transaction(request: ApiRequest, transaction_id: FromPath[str]) -> ExplanationOut:
    """Explain a transaction: why its number is what it is."""
    transfer_id = own_id("txn", transaction_id)
    program = program_of(request)
    async with request.part(Database).reading() as db:
        return _rendered(await explain(db, program=program, transfer_id=transfer_id))


def _rendered(found: Explanation) -> ExplanationOut:
    traced = found.traced
    rules = [AppliedRuleOut(*msgspec.structs.astuple(rule)) for rule in found.rules]
    transaction = transfer_out(traced.booked)
    return ExplanationOut(
        transaction.id,
        traced.owner.external_id,
        found.why,
        transaction,
        rules[0] if found.rule is not None else None,
        rules,
        [_share(share, traced.owner.alive_until) for share in traced.shares],
        None if traced.reverses is None else transfer_out(traced.reverses),
        [transfer_out(each) for each in traced.reversed_by],
        traced.before,
        transaction.balance_after,
    )


def _share(share: Share, alive_until: datetime | None) -> LotShareOut:
    lot = share.lot
    # What is left of a sliding lot ends with the customer's inactivity; of an empty one that says nothing.
    ends_at = lot_ends_at(lot, alive_until if lot.remaining else None)
    return LotShareOut(
        to_wire("lot", lot.id),
        share.points,
        share.change,
        lot.granted,
        lot.remaining,
        lot.available_at,
        None if ends_at == NEVER else ends_at,
        lot.cause,
        to_wire("txn", lot.id),
    )


router = Router("/transactions", route_handlers=[explain_transaction], tags=["Points"])
