"""Judging referrals that are due, one by one: both sides are rewarded in one transaction, or both give back."""

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Customer
from service.earning.rules import Limit, Scope
from service.kernel.ids import from_wire, to_wire
from service.kernel.periods import day_of
from service.platform.clock import database_time
from service.platform.statements import Db, write_together
from service.points import usecases as points
from service.points.account import Account
from service.points.policies import life_of
from service.points.rules import Cause
from service.points.usecases import Granted
from service.programs.rules import Program
from service.referrals import store
from service.referrals.offers import Prize, RewardPrize, Sign
from service.referrals.opening import FactsOf, OpenReferral, open_referral, write_changed
from service.referrals.rules import (
    OPEN,
    Before,
    Fact,
    Gave,
    Judgement,
    Referral,
    ReferralReason,
    ReferralState,
    Reward,
    is_due,
    judge,
    qualified,
    reached_limit,
    refused,
    reward_of,
)
from service.referrals.signs import against, shown_by_merges
from service.rewards import usecases as rewards

REFERRAL: Final = "referral"
_replace = msgspec.structs.replace
_ENTROPY_BITS: Final = 62


async def settle(
    db: Db, *, program: Program, referral_id: UUID, facts_of: FactsOf, entropy: int, code_bits: Sequence[int]
) -> Referral | None:
    """Judge a referral by all that is known now, and do what that comes to. None: it is not due any more.

    `entropy` is at least 248 random bits, `code_bits` those of two vouchers' codes. Raises RowsMissing: begin again;
    and the refusals of rewards where a prize can't be had: nothing is done then, see `set_aside`.
    """
    found = await store.read(db, program_id=program.id, referral_id=referral_id)
    if found is None or found.look_at is None:
        return None
    if found.referee is None:  # whom it named may have been enrolled in time, and nobody looked since
        attached = await attach(db, program=program, referral_id=referral_id, entropy=entropy)
        if attached is not None:
            return attached
    opened = await open_referral(db, program=program, found=found, entropy=entropy)
    before, now, referrer, referee = opened.referral, opened.now, opened.referrer, opened.referee
    if before.look_at is None or before.look_at > now:
        return None
    after = await _judged(db, opened, facts_of)
    if is_due(after, now) and referrer is not None and referee is not None:
        return await _reward(db, opened, after, (referrer, referee), entropy, code_bits)
    if after.state is ReferralState.REVERSED:
        await _take_back(db, opened, after)
    await write_changed(db, opened, after)
    if after.state is ReferralState.REVERSED:
        await _cancel_vouchers(db, program.id, after, entropy)
    return after


async def _judged(db: Db, opened: OpenReferral, facts_of: FactsOf) -> Referral:
    """Judge an open referral. Where a side was erased, nothing is given any more, and what was given stands."""
    if opened.referral.state in OPEN and opened.is_of_erased:
        return refused(opened.referral, ReferralReason.ERASED, opened.now)
    return judge(opened.referral, await _evidence(db, opened, facts_of))


async def _evidence(db: Db, opened: OpenReferral, facts_of: FactsOf) -> Judgement:
    """Read what there is to judge an open referral by: of the erased, facts and what merges show."""
    facts, signs, referral, program = list[Fact](), frozenset[Sign](), opened.referral, opened.program
    if referral.referee is not None:
        owner = opened.records[referral.referee]
        facts = [*(await facts_of(db, program.id, [owner.id])).get(owner.id, ())]
        if opened.referrer is not None and opened.referee is not None:
            both = (opened.referrer.customer, opened.referee.customer)
            signs = await against(
                db, program=program, referral=referral, referrer=both[0], referee=both[1], facts=facts
            )
        else:
            referrer = opened.records[referral.referrer]
            signs = await shown_by_merges(
                db, program_id=program.id, referral=referral, referrer=referrer, referee=owner
            )
    return Judgement(facts, signs, opened.now)


async def _reward(
    db: Db,
    opened: OpenReferral,
    after: Referral,
    both: tuple[Account, Account],
    entropy: int,
    code_bits: Sequence[int],
) -> Referral:
    """Give both sides what was agreed, or refuse where a limit stands against it."""
    program, now = opened.program, opened.now
    today = day_of(now, ZoneInfo(program.settings.time_zone))
    past = await _past(db, opened, both[0].customer)
    reward = reward_of(after.terms, past)
    limit = reached_limit(after.terms, after.offer, past, reward, today) or await _budget_reached(
        db, program.id, after, reward, today
    )
    if limit is not None:
        after = _replace(refused(after, ReferralReason.LIMIT, now), reached_limit=limit)
        await write_changed(db, opened, after)
        return after
    after = _replace(
        after,
        state=ReferralState.REWARDED,
        rewarded_at=now,
        number=reward.number,
        step=None if reward.step is None else reward.step.number,
        look_at=None,
        referrer_gave=_give(opened, both[0], reward.referrer_points, after.terms.referrer, after.id),
        referee_gave=_give(opened, both[1], reward.referee_points, after.terms.referee, after.id),
    )
    await write_changed(db, opened, after)
    # Shared rows come last: budgets, then stock by the rewards' ids.
    await write_together(db, [store.using(program.id, after.offer, after.terms.limits, reward.points, today)])
    prizes = [
        (_reward_id(prize), account.customer, gave.piece, bits)
        for prize, account, gave, bits in (
            (after.terms.referrer, both[0], after.referrer_gave, code_bits[0]),
            (after.terms.referee, both[1], after.referee_gave, code_bits[1]),
        )
        if gave.piece is not None
    ]
    for shift, (reward_id, customer, piece_id, bits) in enumerate(sorted(prizes, key=lambda each: each[0]), start=1):
        await rewards.take_stock(
            db, program=program, reward_id=reward_id, customer=customer, piece_id=piece_id, now=now
        )
        await rewards.issue(
            db,
            program=program,
            piece_id=piece_id,
            code_bits=bits,
            now=await database_time(db),  # later than the booking, and so its event
            entropy=entropy >> shift * _ENTROPY_BITS,
        )
    return after


def _give(opened: OpenReferral, account: Account, granted: int, prize: Prize | None, referral_id: UUID) -> Gave:
    """Grant points to one side, and name the piece of a reward that it is to have."""
    lot_id = None
    if granted:
        lot_id = opened.ids.next()
        lifetime = account.customer.lifetime_earned + granted
        account.customer = _replace(account.customer, lifetime_earned=lifetime)
        account.grant(
            granted,
            transfer_id=lot_id,
            cause=_cause(referral_id),
            rule=None,
            rule_version=None,
            occurred_at=opened.now,
            life=life_of(opened.program.settings, "at_once", opened.now),
        )
    return Gave(granted, lot_id, opened.ids.next() if isinstance(prize, RewardPrize) else None)


def _cause(referral_id: UUID) -> Cause:
    return Cause(REFERRAL, to_wire("ref", referral_id))


def _reward_id(prize: Prize | None) -> UUID:
    found = from_wire("rwd", prize.reward_id) if isinstance(prize, RewardPrize) else None
    assert found is not None  # noqa: S101 - it was checked when the offer was saved
    return found


async def _past(db: Db, opened: OpenReferral, referrer: Customer) -> list[Before]:
    """Read what the referrer, whose row is locked, was rewarded for before."""
    program_id, zone = opened.program.id, ZoneInfo(opened.program.settings.time_zone)
    records = await customers.all_ids(db, program_id=program_id, customer=referrer)
    past = await store.rewarded_before(db, program_id=program_id, customers=records)
    return [
        Before(day_of(each.at, zone), each.points, each.step, each.offer, is_reversed=each.is_reversed) for each in past
    ]


async def _budget_reached(db: Db, program_id: int, referral: Referral, reward: Reward, today: date) -> Limit | None:
    """Return a limit for all that a reward would break. What was read may be old: the write proves it."""
    limits = [each for each in referral.terms.limits if each.scope is Scope.ALL]
    if not limits:
        return None
    use = await store.read_use(db, program_id=program_id, offer=referral.offer)
    for limit in limits:
        points_used, times = store.used_in(use, limit, today)
        if limit.times is not None and times >= limit.times:
            return limit
        if limit.points is not None and points_used + reward.points > limit.points:
            return limit
    return None


async def _take_back(db: Db, opened: OpenReferral, referral: Referral) -> None:
    """Take back what both sides got, of those who are still there; what is spent becomes debt, as with refunds."""
    for account, gave in ((opened.referrer, referral.referrer_gave), (opened.referee, referral.referee_gave)):
        if account is not None and gave.lot is not None:
            await points.refund(
                db,
                program=opened.program,
                account=account,
                restored=0,
                granted=[Granted(gave.lot, gave.points, 0)],
                cause=_cause(referral.id),
                at=opened.now,
            )


async def _cancel_vouchers(db: Db, program_id: int, referral: Referral, entropy: int) -> None:
    """Cancel the vouchers that both sides got; what they were redeemed for stays."""
    for shift, gave in enumerate((referral.referrer_gave, referral.referee_gave), start=1):
        if gave.piece is not None:
            await rewards.cancel_issued(
                db, program_id=program_id, piece_id=gave.piece, entropy=entropy >> shift * _ENTROPY_BITS
            )


async def set_aside(db: Db, *, program: Program, referral_id: UUID, entropy: int) -> Referral | None:
    """Let somebody look at a referral whose prize can't be had, which is due. None: it is not any more."""
    found = await store.read(db, program_id=program.id, referral_id=referral_id)
    if found is None:
        return None
    opened = await open_referral(db, program=program, found=found, entropy=entropy)
    before = opened.referral
    if before.look_at is None or before.look_at > opened.now or before.state not in OPEN:
        return None
    after = qualified(before, opened.now) if before.state is ReferralState.SIGNED_UP else before
    signs = (*(each for each in before.signs if each is not Sign.PRIZE_UNAVAILABLE), Sign.PRIZE_UNAVAILABLE)
    after = _replace(after, state=ReferralState.IN_REVIEW, signs=signs, look_at=None)
    await write_changed(db, opened, after)
    return after


async def attach(db: Db, *, program: Program, referral_id: UUID, entropy: int) -> Referral | None:
    """Let a claim that came ahead of the enrolment be that of the customer who is enrolled since.

    None: there is nothing to do any more. It is refused where the customer came by another one, or brought the
    referrer; whether the customer is new is judged with the facts.
    """
    name = await store.ahead_of(db, program_id=program.id, referral_id=referral_id)
    found = await store.read(db, program_id=program.id, referral_id=referral_id)
    if name is None or found is None:
        return None
    opened = await open_referral(db, program=program, found=found, entropy=entropy, ahead=name)
    before, referee = opened.referral, opened.referee
    if before.referee is not None or before.state is not ReferralState.SIGNED_UP or referee is None:
        return None
    own = referee.customer
    both = [own.id, *([] if opened.referrer is None else [opened.referrer.customer.id])]
    came = await store.came_by(db, program_id=program.id, customers=both)
    is_taken = any(own.id in {each.referee, each.referrer} for each in came)
    if opened.referrer is None:
        after = refused(before, ReferralReason.ERASED, opened.now)
    elif is_taken or own.id in {before.referrer, opened.referrer.customer.id}:
        after = refused(before, ReferralReason.ALREADY_REFERRED if is_taken else ReferralReason.CHEATING, opened.now)
        after = _replace(after, signs=() if is_taken else (Sign.SAME_CUSTOMER,))
    else:
        after = _replace(before, referee=own.id, look_at=opened.now)
        referee.customer = _replace(own, open_referral=before.id)
    await write_changed(db, opened, after)
    if after.state is ReferralState.SIGNED_UP:
        await store.settle_ahead(db, program_id=program.id, referral_id=referral_id)
    return after
