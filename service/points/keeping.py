"""What the ledger keeps of customers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from service.customers import usecases as customers
from service.customers.keeping import Erasing, Merging
from service.customers.rules import Balance
from service.kernel.ids import GREATEST_ID, to_wire
from service.kernel.times import Time
from service.platform.outbox import announcing
from service.platform.statements import Db, Write, write_together
from service.points import store, usecases
from service.points.account import Account
from service.points.merging import close, merge
from service.points.rules import Cause, Hold
from service.points.schemas import lot_out, transfer_out
from service.points.usecases import FollowingOf

_MANY: Final = 10**9


class PointsKeeper:
    """Answers for the ledger. Of what a merge finds due a room above is told; who is erased is counted no more."""

    def __init__(self, following_of: FollowingOf) -> None:
        self._following_of = following_of

    tables = frozenset({"customer", "transfer", "lot", "lot_entry", "hold", "hold_part", "expiry_notice"})

    async def merge(self, db: Db, merging: Merging) -> None:
        """Move all points, and let lots and holds be the target's."""
        program_id, source, target = merging.program_id, merging.source, merging.target
        accounts = await _accounts(db, program_id, [source.external_id, target.external_id], merging.entropy)
        besides = (await self._following_of(db, program_id))(usecases.each_once(accounts.values()))
        if source.id == target.id:
            await _write(db, program_id, list(accounts.values()), besides)
            return
        merge(
            accounts[source.external_id],
            accounts[target.external_id],
            Cause("merge", to_wire("mrg", merging.id)),
        )
        await _write(db, program_id, list(accounts.values()), besides)
        await store.rehome(db, program_id=program_id, source=source.id, target=target.id)

    async def erase(self, db: Db, erasing: Erasing) -> Balance:
        """Close all balances, and give what they were; what went into the record has none."""
        name = erasing.customer.external_id
        account = (await _accounts(db, erasing.program_id, [name], erasing.entropy))[name]
        closed = account.customer.balance
        close(account, Cause("erasure", to_wire("ers", erasing.id)))
        await _write(db, erasing.program_id, [account])
        return closed

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all lots, transfers, redemptions of points and notices."""
        (customer,) = await customers.read_by_id(db, program_id=program_id, customers=all_ids[:1])
        booked = await store.list_transfers(
            db, program_id=program_id, customer_ids=all_ids, before=GREATEST_ID, limit=_MANY
        )
        lots = await store.all_lots(db, program_id=program_id, customer_id=all_ids[0])
        holds = await store.all_holds(db, program_id=program_id, customer_id=all_ids[0])
        notices = await store.all_notices(db, program_id=program_id, customer_ids=all_ids)
        return {
            "transactions": [transfer_out(each) for each in booked],
            "lots": [lot_out(each, customer.alive_until) for each in lots],
            "redemptions": [_hold_out(each) for each in holds],
            "notices": [NoticeOut(each.points, each.ends_at, told_at) for each, told_at in notices],
        }


class HeldOut(msgspec.Struct, frozen=True):
    """A redemption as an export shows it."""

    id: str
    status: str
    points: int
    captured: int
    order_id: str | None
    held_at: Any
    ended_at: Any


class NoticeOut(msgspec.Struct, frozen=True):
    """What the customer was told when, as an export shows it: so many points end at that moment."""

    points: int
    ends_at: Time
    told_at: Time


def _hold_out(hold: Hold) -> HeldOut:
    return HeldOut(
        to_wire("hold", hold.id),
        hold.status.value,
        hold.points,
        hold.captured,
        hold.order_id,
        hold.recorded_at,
        hold.ended_at,
    )


async def _accounts(db: Db, program_id: int, names: Sequence[str], entropy: int) -> dict[str, Account]:
    """Read whole accounts, whose customers are locked already, and settle what is due."""
    opened = await usecases.open_accounts(db, program_id=program_id, customer_ids=names, entropy=entropy)
    return opened.accounts


async def _write(db: Db, program_id: int, accounts: Sequence[Account], besides: Sequence[Write] = ()) -> None:
    now, ids = accounts[0].now, accounts[0].ids
    writes = usecases.booking(program_id, accounts, recorded_at=now)
    await write_together(db, [*writes, *besides, announcing(program_id, usecases.news(accounts, ids), now)])
