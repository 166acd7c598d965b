"""What can be done with rewards and vouchers."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Customer
from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import GREATEST_ID, IdSource
from service.platform.clock import database_time
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, RowsMissing, write_together
from service.points import usecases as points
from service.programs import usecases as programs
from service.programs.rules import Program
from service.rewards import store, vouchers
from service.rewards.rules import (
    CodesGenerated,
    CodeSource,
    Hindrance,
    NewReward,
    PieceNotHeld,
    Reward,
    RewardChange,
    RewardOutOfStock,
    RewardStatus,
    changed,
    checked,
    hindrance,
    refusal_of,
    stock_of,
    terms_of,
)
from service.rewards.vouchers import (
    Order,
    Unredeemable,
    Use,
    Voucher,
    VoucherUseConflict,
    VoucherUsedUp,
    code_of,
    discount,
    read_code,
    unredeemable,
    valid_until,
)
from service.tiers import usecases as tiers
from service.tiers.reaching import Reached, is_offered, reached

REWARD_CREATED = "reward.created"
REWARD_CHANGED = "reward.changed"
VOUCHER_ISSUED = "voucher.issued"
VOUCHER_REDEEMED = "voucher.redeemed"
VOUCHER_CANCELLED = "voucher.cancelled"


async def create_reward(db: Db, *, program_id: int, new: NewReward, entropy: int) -> Reward:
    """Make a reward. Raises Invalid."""
    terms, stock, now = checked(terms_of(new)), stock_of(new), await database_time(db)
    await _check_tier(db, program_id, terms.minimum_tier, now)
    ids = IdSource(now, entropy)
    made = Reward(ids.next(), 1, new.status, new.codes, stock, 0, now, terms)
    await store.insert_reward(db, program_id=program_id, reward=made)
    event = Event(ids.next(), REWARD_CREATED, None, made.id)
    await write_together(db, [announcing(program_id, [event], now)])
    return made


async def list_rewards(
    db: Db, *, program_id: int, before: UUID | None, limit: int, status: RewardStatus | None = None
) -> list[Reward]:
    """Read up to `limit` + 1 rewards, newest first, behind `before`."""
    return await store.list_rewards(
        db, program_id=program_id, before=before or GREATEST_ID, limit=limit + 1, status=status
    )


async def read_reward(db: Db, *, program_id: int, reward_id: UUID) -> Reward:
    """Read a reward. Raises NotFound."""
    reward = await store.read_reward(db, program_id=program_id, reward_id=reward_id)
    if reward is None:
        raise NotFound
    return reward


async def change_reward(db: Db, *, program_id: int, reward_id: UUID, change: RewardChange, entropy: int) -> Reward:
    """Change a reward, from now on; other terms make a version. Nothing to change tells nobody.

    Raises NotFound, Invalid, StockTaken.
    """
    await store.lock_rewards(db, program_id=program_id, reward_ids=[reward_id])
    before = await read_reward(db, program_id=program_id, reward_id=reward_id)
    after = changed(before, change)
    if after == before:
        return before
    now = await database_time(db)
    if after.terms.minimum_tier != before.terms.minimum_tier:
        await _check_tier(db, program_id, after.terms.minimum_tier, now)
    if after.version != before.version:
        await store.insert_version(db, program_id=program_id, reward=after, now=now)
    await store.update_reward(db, program_id=program_id, reward=after)
    event = Event(IdSource(now, entropy).next(), REWARD_CHANGED, None, reward_id)
    await write_together(db, [announcing(program_id, [event], now)])
    return after


async def _check_tier(db: Db, program_id: int, tier: str | None, now: datetime) -> None:
    """Refuse a minimum tier that there is neither now nor later. Raises Invalid."""
    if tier is None or is_offered(tier, await programs.read_program(db, program_id=program_id), now):
        return
    detail = "The program has no tier with this id that is active or scheduled."
    raise Invalid(detail, pointer="/minimum_tier", reason="unknown_tier")


async def hindrances(
    db: Db, *, program: Program, customer_id: str, rewards: Sequence[Reward]
) -> list[Hindrance | None]:
    """Tell for each reward what keeps a customer, named by the caller's id, from having it now. Raises NotFound."""
    found = await customers.read(db, program_id=program.id, customer_ids=[customer_id])
    (standing,) = await points.balances(
        db, program_id=program.id, customer_ids=[customer_id], following=tiers.following(program)
    )
    if isinstance(standing, NotFound) or customer_id not in found:
        raise NotFound
    customer, now = found[customer_id], await database_time(db)
    had = await store.count_pieces(
        db, program_id=program.id, customer_id=customer.id, reward_ids=[reward.id for reward in rewards]
    )
    tier, available = reached(standing, program, now), standing.balance.available
    return [_hindrance(reward, now=now, had=had, points=available, tier=tier) for reward in rewards]


def _hindrance(
    reward: Reward, *, now: datetime, had: Mapping[UUID, int], points: int | None, tier: Reached
) -> Hindrance | None:
    is_of_tier = tier.is_at_least(reward.terms.minimum_tier)
    return hindrance(reward, now=now, had=had.get(reward.id, 0), points=points, is_of_tier=is_of_tier)


async def load_codes(
    db: Db, *, program_id: int, reward_id: UUID, codes: Sequence[str], entropy: int
) -> tuple[list[int], Reward]:
    """Load codes of a third party into a reward's stock.

    Gives the places, in `codes`, of those that stand there or in the program already, and the reward then. Codes that
    are all known tell nobody.
    Raises NotFound, CodesGenerated.
    """
    await store.lock_rewards(db, program_id=program_id, reward_ids=[reward_id])
    reward = await read_reward(db, program_id=program_id, reward_id=reward_id)
    if reward.codes is not CodeSource.THIRD_PARTY:
        raise CodesGenerated
    once = list(dict.fromkeys(codes))
    now = await database_time(db)
    ids = IdSource(now, entropy)
    new = await store.load_codes(
        db, program_id=program_id, reward_id=reward_id, codes=once, ids=[ids.next() for _ in once]
    )
    if new:
        event = Event(ids.next(), REWARD_CHANGED, None, reward_id)
        await write_together(db, [announcing(program_id, [event], now)])
    duplicates = list[int]()
    for place, code in enumerate(codes):
        if code in new:
            new.remove(code)
        else:
            duplicates.append(place)
    return duplicates, await read_reward(db, program_id=program_id, reward_id=reward_id)


async def take_stock(
    db: Db, *, program: Program, reward_id: UUID, customer: Customer, piece_id: UUID, now: datetime
) -> Reward:
    """Take a piece of a reward for a customer, to be issued or given back by its id: that of a draw.

    The customer is locked, so that the limit for each holds. The reward's row is locked from here on: it comes behind
    everything else that is locked, and of several rewards the one with the lowest id comes first. Points are not looked
    at: the ledger refuses them. The reward is given with the terms that the piece has. Raises NotFound,
    RewardNotAvailable, and RowsMissing where the reward was changed meanwhile: begin again.
    """
    tier = reached(customer, program, now)
    reward = await offered(db, program_id=program.id, reward_id=reward_id, customer=customer, tier=tier, now=now)
    await take(db, program_id=program.id, reward=reward, customer=customer, piece_id=piece_id, now=now)
    return reward


async def offered(
    db: Db, *, program_id: int, reward_id: UUID, customer: Customer, tier: Reached, now: datetime
) -> Reward:
    """Read a reward that a locked customer can have but for the points, with the `tier` of this moment.

    Raises NotFound, RewardNotAvailable.
    """
    reward = await read_reward(db, program_id=program_id, reward_id=reward_id)
    had = await store.count_pieces(db, program_id=program_id, customer_id=customer.id, reward_ids=[reward_id])
    found = _hindrance(reward, now=now, had=had, points=None, tier=tier)
    if found is not None:
        raise refusal_of(found.why, reward.terms)
    return reward


async def take(
    db: Db,
    *,
    program_id: int,
    reward: Reward,
    customer: Customer,
    piece_id: UUID,
    now: datetime,
    expires_at: datetime | None = None,
    order_id: str | None = None,
) -> None:
    """Take a piece of what `offered` gave, last of all; one that a hold takes lapses with it at `expires_at`.

    Raises RewardOutOfStock, and RowsMissing where the reward was changed meanwhile: begin again.
    """
    if await store.take_piece(
        db,
        program_id=program_id,
        reward=reward,
        piece_id=piece_id,
        customer_id=customer.id,
        now=now,
        expires_at=expires_at,
        order_id=order_id,
    ):
        return
    again = await read_reward(db, program_id=program_id, reward_id=reward.id)
    if again.stock is not None and again.taken >= again.stock:
        raise RewardOutOfStock
    msg = "the reward was changed"
    raise RowsMissing(msg)


async def give_back_stock(db: Db, *, program_id: int, piece_ids: Sequence[UUID]) -> None:
    """Give held pieces back; those that were given back already stay so. Locks their rewards, sorted: it comes last.

    Raises NotFound, and PieceNotHeld where a voucher was issued: nothing is to be kept of the transaction then.
    """
    given_back = await store.give_back_pieces(db, program_id=program_id, piece_ids=piece_ids)
    others = set(piece_ids) - set(given_back)
    if not others:
        return
    states = await store.piece_states(db, program_id=program_id, piece_ids=list(others))
    if len(states) < len(others):
        raise NotFound
    if set(states.values()) != {"given_back"}:
        raise PieceNotHeld


async def issue(db: Db, *, program: Program, piece_id: UUID, code_bits: int, now: datetime, entropy: int) -> Voucher:
    """Issue the voucher of a held piece, with the terms at which it was taken; one that is issued is given again.

    `code_bits` are at least 60 random bits that are fit for secrets; they make the code where it is generated.
    Raises NotFound, PieceNotHeld, and RowsMissing where another voucher has the code: begin again with other bits.
    """
    issued = await store.issue_piece(db, program_id=program.id, piece_id=piece_id)
    if issued is None:
        return await _issued_before(db, program_id=program.id, piece_id=piece_id)
    reward_id, version, customer_id = issued
    terms, source = await store.read_version(db, program_id=program.id, reward_id=reward_id, version=version)
    code: str | None = code_of(code_bits)
    if source is CodeSource.THIRD_PARTY:
        code = await store.hand_out_code(db, program_id=program.id, reward_id=reward_id, voucher_id=piece_id)
    if code is None:
        msg = "no code was free"
        raise RowsMissing(msg)
    voucher = Voucher(
        id=piece_id,
        code=code,
        generated=source is CodeSource.GENERATED,
        reward_id=reward_id,
        reward_version=version,
        customer_id=customer_id,
        uses=terms.voucher.uses,
        used=0,
        issued_at=now,
        valid_until=valid_until(terms.voucher, now, program.settings.time_zone),
        cancelled_at=None,
        terms=terms,
    )
    if not await store.insert_voucher(db, program_id=program.id, voucher=voucher):
        msg = "the code is another voucher's"
        raise RowsMissing(msg)
    await _tell(db, program.id, VOUCHER_ISSUED, voucher, voucher.id, now, entropy)
    return voucher


async def _issued_before(db: Db, *, program_id: int, piece_id: UUID) -> Voucher:
    voucher = await store.voucher_with_id(db, program_id=program_id, voucher_id=piece_id)
    if voucher is not None:
        return voucher
    if await store.piece_states(db, program_id=program_id, piece_ids=[piece_id]):
        raise PieceNotHeld
    raise NotFound


async def _tell(
    db: Db, program_id: int, kind: str, voucher: Voucher, subject_id: UUID, now: datetime, entropy: int
) -> None:
    event = Event(IdSource(now, entropy).next(), kind, voucher.customer_id, subject_id)
    await write_together(db, [announcing(program_id, [event], now)])


async def voucher_of(db: Db, *, program_id: int, piece_id: UUID) -> Voucher | None:
    """Read the voucher of a piece; None where there is none yet."""
    return await store.voucher_with_id(db, program_id=program_id, voucher_id=piece_id)


async def find_voucher(db: Db, *, program_id: int, code: str) -> Voucher:
    """Find a voucher by its code as somebody typed it. Raises NotFound."""
    typed = read_code(code)
    spellings = [code] if typed is None else [code, typed]
    voucher = await store.find_voucher(db, program_id=program_id, spellings=spellings)
    if voucher is None:
        raise NotFound
    return voucher


async def check(db: Db, *, program_id: int, code: str, order: Order | None) -> tuple[Voucher, Unredeemable | None]:
    """Find a voucher, and tell whether it can be redeemed now, for an order where one is given. Raises NotFound."""
    voucher = await find_voucher(db, program_id=program_id, code=code)
    return voucher, unredeemable(voucher, now=await database_time(db), order=order)


async def redeem(
    db: Db, *, program_id: int, code: str, order_id: str, order: Order, entropy: int
) -> tuple[Voucher, Use]:
    """Redeem a voucher for an order, once for each order, and at most as often as it may be.

    An order for which it was redeemed is answered with that use again. Raises NotFound, VoucherUseConflict, and
    VoucherCancelled, VoucherUsedUp, VoucherExpired, VoucherNotForOrder.
    """
    voucher = await _locked(db, program_id=program_id, code=code)
    now = await database_time(db)
    before = await store.read_use(db, program_id=program_id, voucher_id=voucher.id, order_id=order_id)
    if before is not None:
        if (before.amount, before.currency) != (order.amount, order.currency):
            raise VoucherUseConflict
        return voucher, before
    reason = unredeemable(voucher, now=now, order=order)
    if reason is not None:
        raise vouchers.refusal_of(reason)
    ids, less = IdSource(now, entropy), discount(voucher.terms, order)
    use = Use(
        ids.next(),
        voucher.used + 1,
        order_id,
        order.amount,
        order.currency,
        None if less is None else less.amount,
        now,
    )
    await store.add_use(db, program_id=program_id, voucher_id=voucher.id, use=use)
    await _tell(db, program_id, VOUCHER_REDEEMED, voucher, use.id, now, entropy)
    return msgspec.structs.replace(voucher, used=use.number), use


async def cancel(db: Db, *, program_id: int, code: str, entropy: int) -> Voucher:
    """Cancel a voucher, so that it can't be redeemed any more; one that is cancelled stays so.

    What it was redeemed for stays, and the piece counts as had. Raises NotFound, VoucherUsedUp.
    """
    voucher = await _locked(db, program_id=program_id, code=code)
    if voucher.cancelled_at is not None:
        return voucher
    if voucher.used >= voucher.uses:
        raise VoucherUsedUp
    now = await database_time(db)
    await store.cancel_voucher(db, program_id=program_id, voucher_id=voucher.id, now=now)
    await _tell(db, program_id, VOUCHER_CANCELLED, voucher, voucher.id, now, entropy)
    return msgspec.structs.replace(voucher, cancelled_at=now)


async def cancel_issued(db: Db, *, program_id: int, piece_id: UUID, entropy: int) -> None:
    """Cancel the voucher of a piece, where there is something left of it; what it was redeemed for stays."""
    voucher = await store.voucher_with_id(db, program_id=program_id, voucher_id=piece_id)
    if voucher is not None:
        with suppress(VoucherUsedUp):
            await cancel(db, program_id=program_id, code=voucher.code, entropy=entropy)


async def _locked(db: Db, *, program_id: int, code: str) -> Voucher:
    found = await find_voucher(db, program_id=program_id, code=code)
    voucher = await store.lock_voucher(db, program_id=program_id, voucher_id=found.id)
    if voucher is None:
        raise NotFound
    return voucher
