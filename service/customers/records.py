"""What happens to a customer's whole record: it goes into another one, it is erased, it is given out."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from service.customers import store, usecases
from service.customers.keeping import Erasing, Keepers, Merging
from service.customers.rules import Customer, CustomerMerged, Profile, filled, identities
from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import IdSource
from service.platform.clock import database_time
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, RowsMissing, write_together

CUSTOMER_MERGED: Final = "customer.merged"
CUSTOMER_ERASED: Final = "customer.erased"


async def merge(db: Db, *, program_id: int, customer_id: str, into: str, keepers: Keepers, entropy: int) -> Customer:
    """Let a record go into another one, which has all of both from now on; gives that one.

    Both ids stand for it then. What is merged already stays so, and only what has come due is booked. Raises NotFound
    for an unknown record, Invalid where there is none to go into or it is the same id, CustomerMerged where it went
    into another one.
    """
    if customer_id == into:
        raise Invalid("A record doesn't go into itself.", pointer="/into", reason="same_customer")
    found = await store.read(db, program_id=program_id, customer_ids=[customer_id, into])
    if customer_id not in found:
        raise NotFound
    if into not in found:
        raise Invalid("There is no customer with this id.", pointer="/into", reason="customer_unknown")
    source, target = found[customer_id], found[into]
    if source.id != target.id and source.external_id != customer_id:
        raise CustomerMerged
    opened, _ = await _locked(db, program_id, {customer_id: source.id, into: target.id}, source.id)
    now, source, target = opened.now, opened.customers[customer_id], opened.customers[into]
    ids = IdSource(now, entropy)
    merging = Merging(ids.next(), program_id, source, target, now, entropy)
    for keeper in keepers:
        await keeper.merge(db, merging)
    if source.id != target.id:
        await _join_profiles(db, program_id, source, target)
        await store.merge(db, program_id=program_id, merge_id=merging.id, source=source.id, target=target.id, now=now)
        event = Event(ids.next(), CUSTOMER_MERGED, target.id, merging.id)
        await write_together(db, [announcing(program_id, [event], now)])
    return (await store.read(db, program_id=program_id, customer_ids=[into]))[into]


async def _locked(db: Db, program_id: int, named: Mapping[str, int], whole: int) -> tuple[usecases.Opened, list[int]]:
    """Lock records, by their names and the internal ids that these had, and all that went into one of them, `whole`.

    Gives them as they are then, and the internal ids of those that went in. Whom to lock was read unlocked: where that
    isn't so any more, one would be missed, or be locked out of order. Raises RowsMissing then: begin again.
    """
    others = await store.merged_into(db, program_id=program_id, customer_id=whole)
    await store.lock_all(db, program_id=program_id, customers=[*named.values(), *others])
    found = await store.read(db, program_id=program_id, customer_ids=list(named))
    are_same = {name: each.id for name, each in found.items()} == named
    if not are_same or await store.merged_into(db, program_id=program_id, customer_id=whole) != others:
        msg = "a customer was merged or erased meanwhile"
        raise RowsMissing(msg)
    return await usecases.lock(db, program_id=program_id, customer_ids=list(named)), others


async def _join_profiles(db: Db, program_id: int, source: Customer, target: Customer) -> None:
    """Fill what the target's profile leaves open from the source's, and empty that."""
    gone = await store.read_profile(db, program_id=program_id, customer_id=source.id)
    if gone == Profile():
        return
    kept = await store.read_profile(db, program_id=program_id, customer_id=target.id)
    await store.write_profile(db, program_id=program_id, customer_id=target.id, profile=filled(kept, gone))
    await store.write_profile(db, program_id=program_id, customer_id=source.id, profile=Profile())


async def erase(
    db: Db, *, program_id: int, customer_id: str, keepers: Keepers, entropy: int, earlier: Sequence[Customer] = ()
) -> Customer:
    """Erase a customer: all balances are closed, and no personal data is left. Gives the record as it was, settled.

    Its ids, and those of records that went into it, are unknown from now on; keyed hashes of them remain, by which a
    later newcomer can be known again. `earlier` is what earlier attempts of the same call gave: where that was
    committed and only the answer was lost, it is given again, whoever has the id since. Raises NotFound.
    """
    for record in earlier:
        if not await store.names(db, program_id=program_id, customers=[record.id]):
            return record
    found = await store.read(db, program_id=program_id, customer_ids=[customer_id])
    if customer_id not in found:
        raise NotFound
    own = found[customer_id].id
    opened, others = await _locked(db, program_id, {customer_id: own}, own)
    customer, ids = opened.customers[customer_id], IdSource(opened.now, entropy)
    erasing = Erasing(ids.next(), program_id, customer, [own, *others], opened.now, entropy)
    closed = customer.balance
    for keeper in keepers:
        closed = await keeper.erase(db, erasing) or closed
    await _forget(db, erasing)
    event = Event(ids.next(), CUSTOMER_ERASED, customer.id, erasing.id)
    await write_together(db, [announcing(program_id, [event], opened.now)])
    return msgspec.structs.replace(customer, balance=closed)


async def _forget(db: Db, erasing: Erasing) -> None:
    """Empty ids and profiles, and keep the keyed hashes of what named the customer."""
    program_id, known = erasing.program_id, list[tuple[str, str]]()
    for name in (await store.names(db, program_id=program_id, customers=erasing.all_ids)).values():
        known.append(("customer_id", name))
    for each in erasing.all_ids:
        known += identities(await store.read_profile(db, program_id=program_id, customer_id=each))
        await store.write_profile(db, program_id=program_id, customer_id=each, profile=Profile())
    hashes = [(kind, digest) for kind, digest in await hashed(db, program_id, known)]
    await store.forget(db, program_id=program_id, customers=erasing.all_ids, hashes=hashes, now=erasing.now)


async def was_erased(db: Db, *, program_id: int, customer_id: str, profile: Profile) -> bool:
    """Tell whether a customer with this id, e-mail address or phone number was erased before."""
    known = [("customer_id", customer_id), *identities(profile)]
    return await store.any_erased(db, program_id=program_id, hashes=await hashed(db, program_id, known))


async def hashed(db: Db, program_id: int, known: Sequence[tuple[str, str]]) -> list[tuple[str, bytes]]:
    """Give kinds with hashes of texts, keyed for the program: alike for like texts, and nobody reads them back."""
    key = await store.identity_key(db, program_id=program_id)
    return [(kind, hmac.digest(key, f"{kind}\n{text}".encode(), hashlib.sha256)) for kind, text in known]


class Export(msgspec.Struct, frozen=True):
    """All that is kept of a customer; `names` are the ids of records that went into this one."""

    customer: Customer
    profile: Profile
    names: list[str]
    exported_at: datetime
    records: Mapping[str, list[Any]]


async def export(db: Db, *, program_id: int, customer_id: str, keepers: Keepers) -> Export:
    """Read all that is kept of a customer, as of one moment. Raises NotFound."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        customer, profile = await usecases.get(db, program_id=program_id, customer_id=customer_id)
        others = await store.merged_into(db, program_id=program_id, customer_id=customer.id)
        records = dict[str, list[Any]]()
        for keeper in keepers:
            records |= await keeper.export(db, program_id, [customer.id, *others])
        names = [*(await store.names(db, program_id=program_id, customers=others)).values()]
        return Export(customer, profile, names, await database_time(db), records)
