"""The codes of customers: each has one of its own, and one for each campaign that is offered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Customer
from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import IdSource
from service.platform.clock import database_time
from service.platform.statements import Db, RowsMissing
from service.programs.rules import Program
from service.referrals.book import Offer, offered_to, offers_of
from service.referrals.codes import store
from service.referrals.codes.rules import code_of, key_of, vanity
from service.referrals.rules import Code, CodeTaken


@dataclass(frozen=True, slots=True)
class Bringing:
    """What a customer can bring others with now; `records` are the customer's, those that went into it among them.

    `codes` are the open ones by their offers (None: the customer's own); `missing` those that were never made. Where
    one was closed and not replaced, none is missing.
    """

    customer: Customer
    records: Sequence[int]
    offers: Sequence[Offer]
    codes: Mapping[str | None, Code]
    missing: Sequence[str | None]


async def look(db: Db, *, program: Program, customer_id: str) -> Bringing:
    """Read a customer's codes, and for which offers there is none yet. Raises NotFound."""
    found = await customers.read(db, program_id=program.id, customer_ids=[customer_id])
    if customer_id not in found:
        raise NotFound
    customer = found[customer_id]
    records = await customers.all_ids(db, program_id=program.id, customer=customer)
    codes = await store.codes_of(db, program_id=program.id, customers=records)
    offers = offered_to(program, customer.tier, await database_time(db))
    had = {each.offer for each in codes}
    asked = [None if each.content.campaign is None else each.id for each in offers]
    missing = [each for each in asked if each not in had]
    return Bringing(customer, records, offers, _open_ones(codes, customer), missing)


def _open_ones(codes: Sequence[Code], customer: Customer) -> dict[str | None, Code]:
    """Choose one open code for each offer: of several records' the customer's own comes first, then the newest."""
    newest_last = sorted(codes, key=lambda each: (each.customer == customer.id, each.id))
    return {each.offer: each for each in newest_last if each.closed_at is None}


async def make_missing(
    db: Db, *, program: Program, customer_id: str, code_bits: Callable[[], int], entropy: int
) -> Bringing:
    """Make the codes that a customer has not yet. `code_bits` gives bits that are fit for secrets.

    Raises NotFound, and RowsMissing where a code is taken: begin again.
    """
    opened = await customers.lock(db, program_id=program.id, customer_ids=[customer_id])
    found = await look(db, program=program, customer_id=customer_id)
    ids, codes = IdSource(opened.now, entropy), dict(found.codes)
    for offer in found.missing:
        code = _random(ids, found.customer, offer, code_bits())
        await _add(db, program.id, code, opened.now)
        codes[offer] = code
    return Bringing(found.customer, found.records, found.offers, codes, ())


async def replace(
    db: Db,
    *,
    program: Program,
    customer_id: str,
    offer: str | None,
    wanted: str | None,
    code_bits: Callable[[], int],
    entropy: int,
) -> tuple[Code, bool]:
    """Close a customer's code for an offer of a campaign, or the own one, and make another: random, or the `wanted`.

    A code that the customer has or had for the same is given back by its name: who asks for it knows that it was
    closed, and what was brought with it stays its own. Anybody else's is taken, also a closed one. Tells whether it is
    another one than before. Raises NotFound, Invalid, CodeTaken, and RowsMissing where a random code is taken: begin
    again.
    """
    shown, key = (None, None) if wanted is None else vanity(wanted, "/code")
    opened = await customers.lock(db, program_id=program.id, customer_ids=[customer_id])
    found = await look(db, program=program, customer_id=customer_id)
    if not _is_of_campaign(program, offer, opened.now):
        raise _unknown_offer()
    ids, records = IdSource(opened.now, entropy), found.records
    known = None if key is None else await _known(db, program.id, key)
    if known is not None:
        if known.customer != found.customer.id or known.offer != offer:
            raise CodeTaken
        shown_now = found.codes.get(offer)
        if shown_now is not None and shown_now.id == known.id:
            return known, False
    await store.close_codes(db, program_id=program.id, customers=records, offer=offer, now=opened.now)
    if known is not None:
        await store.reopen_code(db, program_id=program.id, code_id=known.id)
        return msgspec.structs.replace(known, closed_at=None), True
    if shown is None or key is None:
        code = _random(ids, found.customer, offer, code_bits())
        await _add(db, program.id, code, opened.now)
        return code, True
    code = Code(ids.next(), key, shown, found.customer.id, None, offer, is_vanity=True, closed_at=None)
    if not await store.add_code(db, program_id=program.id, code=code, now=opened.now):
        raise CodeTaken  # by somebody who was given it at the same moment
    return code, True


async def close(
    db: Db, *, program: Program, customer_id: str, offer: str | None, code_bits: Callable[[], int], entropy: int
) -> None:
    """Close a customer's code for an offer of a campaign, or the own one, without another. Closed already: it stays so.

    Where there was none yet, one is made and closed, so that none is made when the customer is looked at. Raises
    NotFound, Invalid, and RowsMissing where a random code is taken: begin again.
    """
    opened = await customers.lock(db, program_id=program.id, customer_ids=[customer_id])
    found = await look(db, program=program, customer_id=customer_id)
    codes = await store.codes_of(db, program_id=program.id, customers=found.records)
    if all(each.offer != offer for each in codes):
        if not _is_of_campaign(program, offer, opened.now):
            raise _unknown_offer()
        code = _random(IdSource(opened.now, entropy), found.customer, offer, code_bits())
        await _add(db, program.id, code, opened.now)
    await store.close_codes(db, program_id=program.id, customers=found.records, offer=offer, now=opened.now)


def _is_of_campaign(program: Program, offer: str | None, now: datetime) -> bool:
    """Tell whether an offer has codes of its own now, for whomever; None is a customer's own code."""
    return offer is None or any(
        each.id == offer and each.content.campaign is not None for each in offers_of(program).at(now)
    )


def _unknown_offer() -> Invalid:
    detail = "There is no offer of a campaign with this id now."
    return Invalid(detail, pointer="/offer", reason="unknown_offer")


def _random(ids: IdSource, customer: Customer, offer: str | None, bits: int) -> Code:
    text = code_of(bits)
    return Code(ids.next(), key_of(text) or "", text, customer.id, None, offer, is_vanity=False, closed_at=None)


async def _known(db: Db, program_id: int, key: str) -> Code | None:
    return (await store.find_codes(db, program_id=program_id, keys=[key])).get(key)


async def _add(db: Db, program_id: int, code: Code, now: datetime) -> None:
    if not await store.add_code(db, program_id=program_id, code=code, now=now):
        msg = "the code is taken"
        raise RowsMissing(msg)
