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
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, RowsMissing, write_together

CUSTOMER_MERGED: Final = "customer.merged"
CUSTOMER_ERASED: Final = "customer.erased"


async def merge(db: Db, *, program_id: int, customer_id: str, into: str, keepers: Keepers, entropy: int) -> Customer:
    """Let a record go into another one, which has all of both from now on; gives that one.

    Both ids stand for it then. What is merged already stays so. Raises NotFound for an unknown record, Invalid where
    there is none to go into or it is the same id, CustomerMerged where it went into another one.
    """
    if customer_id == into:
        raise Invalid("A record doesn't go into itself.", pointer="/into", reason="same_customer")
    found = await store.read(db, program_id=program_id, customer_ids=[customer_id, into])
    if customer_id not in found:
        raise NotFound
    if into not in found:
        raise Invalid("There is no customer with this id.", pointer="/into", reason="customer_unknown")
    source, target = found[customer_id], found[into]
    if source.id == target.id:
        return target
    if source.external_id != customer_id:
        raise CustomerMerged
    others = await store.merged_into(db, program_id=program_id, customer_id=source.id)
    await store.lock_all(db, program_id=program_id, customers=[source.id, target.id, *others])
    now, source, target = await _locked(db, program_id, customer_id, into)
    ids = IdSource(now, entropy)
    merging = Merging(ids.next(), program_id, source, target, now, entropy)
    for keeper in keepers:
        await keeper.merge(db, merging)
    await _join_profiles(db, program_id, source, target)
    await store.merge(db, program_id=program_id, merge_id=merging.id, source=source.id, target=target.id, now=now)
    event = Event(ids.next(), CUSTOMER_MERGED, target.id, merging.id)
    await write_together(db, [announcing(program_id, [event], now)])
    return (await store.read(db, program_id=program_id, customer_ids=[into]))[into]


async def _locked(db: Db, program_id: int, customer_id: str, into: str) -> tuple[datetime, Customer, Customer]:
    """Read two records under their locks. Raises RowsMissing where they aren't any more what they were."""
    opened = await usecases.lock(db, program_id=program_id, customer_ids=[customer_id, into])
    source, target = opened.customers.get(customer_id), opened.customers.get(into)
    if source is None or target is None or source.external_id != customer_id or source.id == target.id:
        msg = "a customer was merged or erased meanwhile"
        raise RowsMissing(msg)
    return opened.now, source, target


async def _join_profiles(db: Db, program_id: int, source: Customer, target: Customer) -> None:
    """Fill what the target's profile leaves open from the source's, and empty that."""
    gone = await store.read_profile(db, program_id=program_id, customer_id=source.id)
    if gone == Profile():
        return
    kept = await store.read_profile(db, program_id=program_id, customer_id=target.id)
    await store.write_profile(db, program_id=program_id, customer_id=target.id, profile=filled(kept, gone))
    await store.write_profile(db, program_id=program_id, customer_id=source.id, profile=Profile())


async def erase(db: Db, *, program_id: int, customer_id: str, keepers: Keepers, entropy: int) -> Customer:
    """Erase a customer: all balances are closed, and no personal data is left. Gives the record as it was.

    Its ids, and those of records that went into it, are unknown from now on; keyed hashes of them remain, by which a
    later newcomer can be known again. Raises NotFound.
    """
    found = await store.read(db, program_id=program_id, customer_ids=[customer_id])
    if customer_id not in found:
        raise NotFound
    others = await store.merged_into(db, program_id=program_id, customer_id=found[customer_id].id)
    all_ids = [found[customer_id].id, *others]
    await store.lock_all(db, program_id=program_id, customers=all_ids)
    opened = await usecases.lock(db, program_id=program_id, customer_ids=[customer_id])
    customer = opened.customers.get(customer_id)
    if customer is None:
        raise NotFound
    if customer.id != all_ids[0]:
        msg = "the customer was merged meanwhile"
        raise RowsMissing(msg)
    ids = IdSource(opened.now, entropy)
    erasing = Erasing(ids.next(), program_id, customer, all_ids, opened.now, entropy)
    for keeper in keepers:
        await keeper.erase(db, erasing)
    await _forget(db, erasing)
    event = Event(ids.next(), CUSTOMER_ERASED, customer.id, erasing.id)
    await write_together(db, [announcing(program_id, [event], opened.now)])
    return customer


async def _forget(db: Db, erasing: Erasing) -> None:
    """Empty ids and profiles, and keep the keyed hashes of what named the customer."""
    program_id, known = erasing.program_id, list[tuple[str, str]]()
    for name in await store.names(db, program_id=program_id, customers=erasing.all_ids):
        known.append(("customer_id", name))
    for each in erasing.all_ids:
        known += identities(await store.read_profile(db, program_id=program_id, customer_id=each))
        await store.write_profile(db, program_id=program_id, customer_id=each, profile=Profile())
    hashes = [(kind, digest) for kind, digest in await _hashed(db, program_id, known)]
    await store.forget(db, program_id=program_id, customers=erasing.all_ids, hashes=hashes, now=erasing.now)


async def was_erased(db: Db, *, program_id: int, customer_id: str, profile: Profile) -> bool:
    """Tell whether a customer with this id, e-mail address or phone number was erased before."""
    known = [("customer_id", customer_id), *identities(profile)]
    return await store.any_erased(db, program_id=program_id, hashes=await _hashed(db, program_id, known))


async def _hashed(db: Db, program_id: int, known: Sequence[tuple[str, str]]) -> list[tuple[str, bytes]]:
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
        names = await store.names(db, program_id=program_id, customers=others)
        return Export(customer, profile, names, await store.read_time(db), records)
