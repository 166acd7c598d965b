"""Gathering what speaks against a referral: read, and compared by pure rules."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from service.customers import records
from service.customers import usecases as customers
from service.customers.rules import Customer, Profile
from service.platform.statements import Db
from service.programs.rules import Program
from service.referrals import store
from service.referrals.likeness import same_email, same_phone
from service.referrals.offers import Sign
from service.referrals.rules import OPEN, Fact, Referral, ReferralState, bought_before

_STEPS_UP: Final = 10
"""How far a ring is looked for: longer ones are no one's trick."""
_OF_MARKS: Final = {"payment": Sign.SAME_PAYMENT, "device": Sign.SAME_DEVICE, "address": Sign.SAME_ADDRESS}


async def against(
    db: Db, *, program: Program, referral: Referral, referrer: Customer, referee: Customer, facts: Sequence[Fact]
) -> frozenset[Sign]:
    """Tell what speaks against a referral, of both sides as they are now. They are locked."""
    found = {*await shown_by_merges(db, program_id=program.id, referral=referral, referrer=referrer, referee=referee)}
    if Sign.SAME_CUSTOMER in found:
        return frozenset(found)
    if await _is_ring(db, program.id, referral, referrer.id, referee.id):
        found.add(Sign.RING)
    profiles = await customers.read_profiles(db, program_id=program.id, customers=[referrer.id, referee.id])
    one, other = profiles.get(referrer.id, Profile()), profiles.get(referee.id, Profile())
    name = referee.external_id
    if bought_before(referral, facts) or await records.was_erased(
        db, program_id=program.id, customer_id=name, profile=other
    ):
        found.add(Sign.NOT_NEW)
    if one.email and other.email and same_email(one.email, other.email):
        found.add(Sign.SAME_EMAIL)
    if one.phone and other.phone and same_phone(one.phone, other.phone):
        found.add(Sign.SAME_PHONE)
    return frozenset(found | await _by_marks(db, program.id, referral, referrer, referee))


async def shown_by_merges(
    db: Db, *, program_id: int, referral: Referral, referrer: Customer, referee: Customer
) -> frozenset[Sign]:
    """Tell what merges show of both sides as they are now, also where one was erased since."""
    if referrer.id == referee.id:
        return frozenset({Sign.SAME_CUSTOMER})
    records_of = await customers.all_ids(db, program_id=program_id, customer=referee)
    others = await store.of_referee(db, program_id=program_id, customers=records_of)
    is_taken = any(_is_earlier(each, referral) for each in others)
    return frozenset({Sign.ALREADY_REFERRED}) if is_taken else frozenset()


def _is_earlier(other: Referral, referral: Referral) -> bool:
    """Tell whether another referral of the same referee came before, and still counts."""
    counts = other.state in OPEN or other.state is ReferralState.REWARDED
    is_before = (other.claimed_at, other.id) < (referral.claimed_at, referral.id)
    return counts and is_before


async def _is_ring(db: Db, program_id: int, referral: Referral, referrer: int, referee: int) -> bool:
    """Tell whether the referee brought the referrer, or somebody by whom that one came.

    Only what was claimed before counts: who closes a ring takes nothing from those who were there first.
    """
    above = [referrer]
    for _ in range(_STEPS_UP):
        came = await store.came_by(db, program_id=program_id, customers=above)
        above = [each.referrer for each in came if each.claimed_at <= referral.claimed_at]
        if referee in above:
            return True
        if not above:
            return False
    return False


async def _by_marks(db: Db, program_id: int, referral: Referral, referrer: Customer, referee: Customer) -> set[Sign]:
    cheating = referral.terms.cheating
    of_referrer = await customers.all_ids(db, program_id=program_id, customer=referrer)
    of_referee = await customers.all_ids(db, program_id=program_id, customer=referee)
    shared = await store.shared_marks(
        db, program_id=program_id, referral_id=referral.id, referee=of_referee, referrer=of_referrer
    )
    found = {_OF_MARKS[kind] for kind in shared}
    around = timedelta(hours=cheating.burst_hours)
    claims = await store.count_burst(
        db,
        program_id=program_id,
        referral_id=referral.id,
        since=referral.claimed_at - around,
        until=referral.claimed_at + around,
    )
    if claims > cheating.burst_claims:
        found.add(Sign.BURST)
    if await store.count_returned(db, program_id=program_id, referrer=of_referrer) >= cheating.returning_referees:
        found.add(Sign.RETURNS)
    return found
