"""What can be asked of the ledger, and how rooms above book into it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Balance, Customer, Standing, standing_of
from service.kernel.errors import NotFound
from service.kernel.ids import GREATEST_ID, IdSource
from service.platform.claims import Claim, ClaimKind
from service.platform.clock import database_time
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, RowsMissing, Write, write_together
from service.points import store
from service.points.account import Account
from service.points.reversing import restore, take_back
from service.points.rules import (
    Cause,
    HoldStatus,
    Lot,
    PointsLapsed,
    Reversed,
    Transfer,
)
from service.points.settling import is_due, settle
from service.points.store import Booked
from service.programs.rules import Program


@dataclass(frozen=True, slots=True)
class Opened:
    """A booking that is open: what it may change, as of `now`, with all booked that had come due."""

    now: datetime
    """The database's time, after all locks were had. No decision rests on another clock."""
    ids: IdSource
    accounts: dict[str, Account]
    """By the callers' ids; those of unknown customers are missing."""
    claims: dict[str, Claim]
    """By the facts' ids; the new ones are missing."""


Following: TypeAlias = Callable[[Sequence[Account]], Sequence[Write]]
"""What a room above makes of what accounts moved, before that is written. It may change their customers and tell more,
and gives the rows that it writes with them."""
FollowingOf: TypeAlias = Callable[[Db, int], Awaitable[Following]]
"""Reads what that is in a program, by its internal id."""


async def open_booking(
    db: Db,
    *,
    program_id: int,
    facts: Sequence[tuple[str, str]],
    kind: ClaimKind,
    entropy: int,
    lock: bool = True,
    whole: bool = False,
) -> Opened:
    """Begin a booking: lock the customers of facts, pairs of `customer_id` and the fact's id, and settle what is due.

    Without `lock` it only looks. With `whole`, all accounts have their lots and holds, so that points can leave them.
    """
    opened = await customers.open_booking(db, program_id=program_id, facts=facts, kind=kind, lock=lock)
    ids = IdSource(opened.now, entropy)
    found = await _accounts(db, program_id, opened.customers, opened.now, ids, whole=whole)
    return Opened(opened.now, ids, found, opened.claims)


async def _accounts(
    db: Db, program_id: int, found: Mapping[str, Customer], now: datetime, ids: IdSource, *, whole: bool
) -> dict[str, Account]:
    """Make accounts by the callers' ids; of those customers with something due, all is read and settled.

    Two ids of one customer, after a merge, have one account.
    """
    accounts = {customer.id: Account(customer, now, ids) for customer in found.values()}
    read = [account.customer.id for account in accounts.values() if whole or is_due(account.customer, now)]
    if read:
        await _read_whole(db, program_id, [accounts[customer_id] for customer_id in read])
    return {name: accounts[customer.id] for name, customer in found.items()}


async def _read_whole(db: Db, program_id: int, accounts: Sequence[Account]) -> None:
    """Read the lots and holds of accounts, and settle what is due."""
    read = [account.customer.id for account in accounts]
    lots = await store.read_lots(db, program_id=program_id, customers=read)
    holds = await store.read_holds(db, program_id=program_id, customers=read)
    for account in accounts:
        account.lots, account.holds = {}, {}
    by_id = {account.customer.id: account.read() for account in accounts}
    for lot in lots:
        by_id[lot.customer_id][0][lot.id] = lot
    for hold in holds:
        by_id[hold.customer_id][1][hold.id] = hold
    for account in accounts:
        settle(account)


def newcomers(found: Iterable[Customer], now: datetime, ids: IdSource) -> dict[str, Account]:
    """Make the accounts of customers who are about to be enrolled: they have nothing yet."""
    return {customer.external_id: Account(customer, now, ids, {}, {}) for customer in found}


def each_once(accounts: Iterable[Account]) -> list[Account]:
    """Give accounts without repetition: after a merge two ids are of one customer."""
    return list({account.customer.id: account for account in accounts}.values())


def booking(program_id: int, accounts: Sequence[Account], *, recorded_at: datetime) -> list[Write]:
    """Write what was moved in accounts, with the balances that it led to: all or none."""
    after = [account.closed() for account in accounts]
    # First the customers: the rule of locks puts them before all else.
    return [*customers.storing(program_id, after), *store.writing(program_id, accounts, recorded_at)]


def news(accounts: Sequence[Account], ids: IdSource) -> list[Event]:
    """Tell what happened in accounts."""
    return [
        Event(ids.next(), kind, account.customer.id, subject_id)
        for account in accounts
        for kind, subject_id in account.news
    ]


def announcing_news(program_id: int, accounts: Sequence[Account], opened: Opened) -> Write:
    """Tell what happened in accounts of an open booking; together with what `booking` writes."""
    return announcing(program_id, news(accounts, opened.ids), opened.now)


async def confirm(
    db: Db,
    *,
    program_id: int,
    customer_id: str,
    owner: int,
    lot_ids: Sequence[UUID],
    held_back: int,
    following: Following,
    entropy: int,
) -> Balance:
    """Make pending points available, those of lots of a customer; what is available already stays. Gives the balance.

    `owner` is the customer's internal id. Of the lots so many points were `held_back` when they were granted. Raises
    PointsLapsed where none of these is there, and none became available; RowsMissing where the id isn't that
    customer's.
    """
    opened = await open_accounts(db, program_id=program_id, customer_ids=[customer_id], entropy=entropy)
    account = owned(opened, customer_id, owner)
    found = [await _lot_of(db, program_id, account, lot_id) for lot_id in lot_ids]
    pending = [lot for lot in found if lot is not None and lot.is_pending]
    remaining = [lot for lot in pending if lot.remaining]
    if pending and not remaining and sum(lot.granted for lot in pending) >= held_back:
        raise PointsLapsed
    if remaining:
        for lot in remaining:
            account.activate(lot.id, opened.now)
        await write(db, program_id=program_id, opened=opened, accounts=[account], following=following)
    return account.customer.balance


async def read_spent_on(db: Db, *, program_id: int, account: Account, order_id: str) -> int:
    """Read the captured redemptions of an order into a whole account, with their lots; returns the points captured."""
    found = await store.read_captured(db, program_id=program_id, customer_id=account.customer.id, order_id=order_id)
    lots, holds = account.read()
    missing = [part.lot_id for hold in found for part in hold.parts if part.lot_id not in lots]
    if missing:
        read = await store.read_lots_by_id(db, program_id=program_id, customer_id=account.customer.id, lot_ids=missing)
        lots |= {lot.id: lot for lot in read}
    holds |= {hold.id: hold for hold in found}
    return sum(hold.captured for hold in found)


class Granted(msgspec.Struct, frozen=True):
    """A lot of which a refund takes back so many points; earlier ones took some `before`."""

    lot_id: UUID
    reversed: int
    before: int


async def refund(
    db: Db,
    *,
    program: Program,
    account: Account,
    restored: int,
    granted: Sequence[Granted],
    cause: Cause,
    at: datetime,
) -> list[Reversed]:
    """Move what a refund gives back and takes back, in an account into which `read_spent_on` read.

    First the points that paid are restored, those of the newest redemption first. Of what the purchase earned, points
    that ended unspent are not claimed again: with those taken before, no more is taken than was granted and did not.
    Gives what was taken for each lot.
    """
    days = program.settings.restored_grace_days
    grace = None if days is None else timedelta(days=days)
    for hold_id, captured in sorted(account.read()[1].items(), reverse=True):
        if captured.status is HoldStatus.CAPTURED:
            back = min(restored, captured.captured - sum(part.restored for part in captured.parts))
            if back:
                restore(account, hold_id, back, cause=cause, at=at, grace=grace)
            restored -= back
    taken = list[Reversed]()
    for each in granted:
        own = await _lot_of(db, program.id, account, each.lot_id)
        claimed = 0 if own is None else min(each.reversed, max(0, own.granted - own.expired - each.before))
        if not claimed:
            taken.append(Reversed(0, 0, 0))
            continue
        lifetime = account.customer.lifetime_earned - claimed
        account.customer = msgspec.structs.replace(account.customer, lifetime_earned=lifetime)
        limit = program.settings.debt_limit
        taken.append(take_back(account, claimed, lot_id=each.lot_id, cause=cause, at=at, debt_limit=limit))
    return taken


async def _lot_of(db: Db, program_id: int, account: Account, lot_id: UUID) -> Lot | None:
    """Return a lot of an account, read now where nothing is left of it; None where no points were granted."""
    if account.lots is not None and lot_id in account.lots:
        return account.lots[lot_id]
    found = await store.read_lots_by_id(db, program_id=program_id, customer_id=account.customer.id, lot_ids=[lot_id])
    return found[0] if found else None


async def open_accounts(db: Db, *, program_id: int, customer_ids: Sequence[str], entropy: int) -> Opened:
    """Begin a booking that reports no fact: lock customers by the callers' ids, and read their accounts whole."""
    facts = [(customer_id, "") for customer_id in customer_ids]  # no fact has an empty id
    return await open_booking(
        db, program_id=program_id, facts=facts, kind=ClaimKind.PURCHASE, entropy=entropy, whole=True
    )


def owned(opened: Opened, customer_id: str, owner: int) -> Account:
    """Give the account of who has something, by the caller's id and the internal id that were read with it, unlocked.

    Raises RowsMissing where the id isn't the owner's any more, who was merged or erased meanwhile: begin again.
    Somebody new may have it since.
    """
    account = opened.accounts.get(customer_id)
    if account is None or account.customer.id != owner:
        msg = "the customer was merged or erased meanwhile"
        raise RowsMissing(msg)
    return account


async def write(db: Db, *, program_id: int, opened: Opened, accounts: Sequence[Account], following: Following) -> None:
    """Write what was moved in accounts of an open booking, and tell of it. Raises RowsMissing."""
    besides = following(accounts)
    events = news(accounts, opened.ids)
    writes = booking(program_id, accounts, recorded_at=opened.now)
    await write_together(db, [*writes, *besides, announcing(program_id, events, opened.now)])


async def settle_customers(
    db: Db,
    *,
    program_id: int,
    customer_ids: Sequence[str],
    following: Following,
    entropy: int,
    lock: bool = True,
) -> int:
    """Book what has come due of customers; returns of how many. Without `lock` it may raise RowsMissing."""
    facts = [(customer_id, "") for customer_id in customer_ids]
    opened = await open_booking(
        db, program_id=program_id, facts=facts, kind=ClaimKind.PURCHASE, entropy=entropy, lock=lock
    )
    due = each_once(account for account in opened.accounts.values() if account.lots is not None)
    await write(db, program_id=program_id, opened=opened, accounts=due, following=following)
    return len(due)


async def history(db: Db, *, program_id: int, customer_id: str, before: UUID | None, limit: int) -> list[Booked]:
    """Read up to `limit` + 1 transfers of a customer, newest first, behind `before`. Raises NotFound.

    Those of records that went into the customer's are among them.
    """
    customer = await _customer(db, program_id=program_id, customer_id=customer_id)
    all_ids = await customers.all_ids(db, program_id=program_id, customer=customer)
    return await store.list_transfers(
        db, program_id=program_id, customer_ids=all_ids, before=before or GREATEST_ID, limit=limit + 1
    )


async def lots(
    db: Db, *, program_id: int, customer_id: str, before: UUID | None, limit: int
) -> tuple[list[Lot], datetime | None]:
    """Read up to `limit` + 1 lots of a customer with something left, newest first, behind `before`.

    What is due and not booked counts as done. Gives besides when the lots that slide end. Raises NotFound.
    """
    last = before or GREATEST_ID
    async with db.transaction(isolation="repeatable_read", readonly=True):
        customer = await _customer(db, program_id=program_id, customer_id=customer_id)
        now = await database_time(db)
        if not is_due(customer, now):
            found = await store.list_lots(
                db, program_id=program_id, customer_id=customer.id, before=last, limit=limit + 1
            )
            return found, customer.alive_until
        (account,) = (
            await _accounts(db, program_id, {customer_id: customer}, now, IdSource(now, 0), whole=False)
        ).values()
    open_lots = [lot for lot in account.read()[0].values() if lot.remaining and lot.id < last]
    return sorted(open_lots, key=lambda lot: lot.id, reverse=True)[: limit + 1], account.customer.alive_until


async def balances(
    db: Db, *, program_id: int, customer_ids: Sequence[str], following: Following | None = None
) -> Sequence[Standing | NotFound]:
    """Read what many customers have now; NotFound for each unknown one. What is due and not booked counts as done."""
    found = await customers.read_standings(db, program_id=program_id, customer_ids=customer_ids)
    due = [customer_id for customer_id, standing in found.items() if standing.is_due]
    if due:
        for customer_id in due:
            del found[customer_id]  # who is gone meanwhile is not there
        found |= await _settled(db, program_id, due, following)
    return [found.get(customer_id) or NotFound() for customer_id in customer_ids]


async def _settled(
    db: Db, program_id: int, customer_ids: Sequence[str], following: Following | None
) -> dict[str, Standing]:
    """Work out what customers have once all is booked that is due; nothing is written."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        rows = await customers.read(db, program_id=program_id, customer_ids=customer_ids)
        now = await database_time(db)
        accounts = await _accounts(db, program_id, rows, now, IdSource(now, 0), whole=False)
    if following is not None:
        following(each_once(accounts.values()))
    return {customer_id: standing_of(account.closed()) for customer_id, account in accounts.items()}


async def _customer(db: Db, *, program_id: int, customer_id: str) -> Customer:
    found = await customers.read(db, program_id=program_id, customer_ids=[customer_id])
    if customer_id not in found:
        raise NotFound
    return found[customer_id]


async def read_moved(db: Db, *, program_id: int, customers: Sequence[int]) -> list[tuple[int, Transfer]]:
    """Read what was adjusted of customers and what ended by time, in the order in which it was booked.

    Each with the internal id of the customer whose it is now: after merges another one than it was booked for.
    """
    return await store.read_moved(db, program_id=program_id, customers=customers)


async def read_spent(
    db: Db, *, program_id: int, customers: Sequence[int], since: datetime
) -> list[tuple[int, datetime, int]]:
    """Read what customers spent from a moment on, less what refunds gave back of it: whose, when, how many points."""
    return await store.read_spent(db, program_id=program_id, customers=customers, since=since)


async def purchases_of(db: Db, *, program_id: int, all_ids: Sequence[int]) -> list[UUID]:
    """Read the ids of the purchases that brought customers points, by the customers' internal ids."""
    return await store.grants(db, program_id=program_id, customer_ids=all_ids, reason="purchase")
