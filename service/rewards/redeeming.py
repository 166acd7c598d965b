"""Redemptions as callers know them: of points, or of a reward, with its stock at the hold, its voucher at the capture.

A piece of a reward has the id of its hold and follows it: held, then issued or given back. One whose hold lapsed by
time is given back by whoever releases it, by who finds the reward sold out, or by a job; until then it counts as free.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import Balance, CustomerUnknown
from service.kernel.errors import Invalid
from service.platform.clock import database_time
from service.platform.statements import Db, RowsMissing
from service.points import holding
from service.points import usecases as points
from service.points.holding import Redeemed
from service.points.rules import REDEMPTION_HELD, Hold, HoldStatus, redemption
from service.programs.rules import Program
from service.rewards import store, usecases
from service.rewards.rules import Piece, RewardOutOfStock
from service.rewards.vouchers import Unredeemable, Voucher, unredeemable
from service.tiers import usecases as tiers
from service.tiers.reaching import reached_by

GIVEN_BACK_AT_ONCE: Final = 100
_ENTROPY_BITS: Final = 62


class Redemption(msgspec.Struct, frozen=True):
    """A redemption as it is now, with the customer's balance; `piece` None: of points.

    A captured one of a reward has its voucher, and `why` this can't be redeemed now, None where it can.
    """

    hold: Hold
    balance: Balance
    piece: Piece | None = None
    voucher: Voucher | None = None
    why: Unredeemable | None = None


async def redeem_reward(
    db: Db,
    *,
    program: Program,
    customer_id: str,
    reward_id: UUID,
    order_id: str | None,
    expires_in: timedelta | None,
    entropy: int,
) -> Redemption:
    """Set aside what a reward costs, and take a piece of it. `order_id` is kept with the piece, for information.

    Where the reward is sold out, pieces that lapsed are given back first: their customers are locked with this one.
    Raises NotFound, CustomerUnknown, RewardNotAvailable, InsufficientPoints, and RowsMissing: begin again.
    """
    lapsed = await store.lapsed_of_sold_out(db, program_id=program.id, reward_id=reward_id, count=GIVEN_BACK_AT_ONCE)
    named = list(dict.fromkeys([customer_id, *(each for _, each in lapsed)]))
    opened = await points.open_accounts(db, program_id=program.id, customer_ids=named, entropy=entropy)
    account = opened.accounts.get(customer_id)
    if account is None:
        raise CustomerUnknown("/customer_id")
    customer = account.customer
    # What has come due may have cost the tier: it is moved in the account, and counted when that is written.
    tier = reached_by(account, program)
    reward = await usecases.offered(
        db, program_id=program.id, reward_id=reward_id, customer=customer, tier=tier, now=opened.now
    )
    hold_id = opened.ids.next()
    held = account.hold(
        reward.terms.points,
        hold_id=hold_id,
        expires_at=opened.now + (expires_in or timedelta(seconds=program.settings.hold_seconds)),
        cause=redemption(hold_id),
    )
    account.news.append((REDEMPTION_HELD, hold_id))
    moved = points.each_once(each for each in opened.accounts.values() if each.transfers)
    await points.write(db, program_id=program.id, opened=opened, accounts=moved, following=tiers.following(program))
    await give_back_ended(db, program_id=program.id, piece_ids=[piece_id for piece_id, _ in lapsed])
    try:
        await usecases.take(
            db,
            program_id=program.id,
            reward=reward,
            customer=customer,
            piece_id=hold_id,
            now=opened.now,
            expires_at=held.expires_at,
            order_id=order_id,
        )
    except RewardOutOfStock:
        lapsed = await store.lapsed_of_sold_out(
            db, program_id=program.id, reward_id=reward_id, count=GIVEN_BACK_AT_ONCE
        )
        if {each for _, each in lapsed} <= set(named):
            raise
        msg = "a piece has lapsed whose customer is not locked"
        raise RowsMissing(msg) from None
    return Redemption(held, account.customer.balance, Piece(reward_id, order_id, reward.terms))


async def give_back_ended(db: Db, *, program_id: int, piece_ids: Sequence[UUID]) -> int:
    """Give back those of these pieces whose hold was released or lapsed; tells of how many. It comes last."""
    if not piece_ids:
        return 0
    ended = await store.ended_pieces(db, program_id=program_id, piece_ids=piece_ids)
    await usecases.give_back_stock(db, program_id=program_id, piece_ids=ended)
    return len(ended)


async def give_back_lapsed(db: Db, *, program: Program, lapsed: Sequence[tuple[UUID, str]], entropy: int) -> int:
    """Book the lapses of holds, and give back their pieces, told with their customers' ids; tells of how many."""
    customer_ids = sorted({customer_id for _, customer_id in lapsed})
    await points.settle_customers(
        db,
        program_id=program.id,
        customer_ids=customer_ids,
        following=tiers.following(program),
        entropy=entropy,
    )
    return await give_back_ended(db, program_id=program.id, piece_ids=[piece_id for piece_id, _ in lapsed])


async def capture(
    db: Db, *, program: Program, hold_id: UUID, spent: int | None, entropy: int, code_bits: int
) -> Redemption:
    """Spend held points, all or, of a redemption of points, some; of a reward's, issue the voucher.

    Captured alike already: told again. `entropy` is at least 124 random bits, `code_bits` as `usecases.issue` asks for.
    Raises NotFound, Invalid for more than is held or a part of a reward, HoldNotOpen, and RowsMissing: begin again.
    """
    captured = await holding.capture(
        db, program=program, hold_id=hold_id, points=spent, following=tiers.following(program), entropy=entropy
    )
    piece = await store.read_piece(db, program_id=program.id, piece_id=hold_id)
    if piece is None:
        return Redemption(captured.hold, captured.balance)
    if captured.hold.captured < captured.hold.points:
        detail = f"A reward is captured whole: {captured.hold.points} points, or without telling points."
        raise Invalid(detail, pointer="/points", reason="not_whole")
    await usecases.issue(
        db,
        program=program,
        piece_id=hold_id,
        code_bits=code_bits,
        now=await database_time(db),  # later than the capture, and so its event
        entropy=entropy >> _ENTROPY_BITS,  # bits of its own: the ids' microseconds may be the same
    )
    return await _told(db, program.id, captured, piece)


async def release(db: Db, *, program: Program, hold_id: UUID, entropy: int) -> Redemption:
    """Give held points back, and a reward's piece. Released or lapsed already: told again.

    Raises NotFound, HoldNotOpen.
    """
    released = await holding.release(
        db, program=program, hold_id=hold_id, following=tiers.following(program), entropy=entropy
    )
    piece = await store.read_piece(db, program_id=program.id, piece_id=hold_id)
    if piece is not None:
        await usecases.give_back_stock(db, program_id=program.id, piece_ids=[hold_id])
    return Redemption(released.hold, released.balance, piece)


async def read(db: Db, *, program_id: int, hold_id: UUID) -> Redemption:
    """Read a redemption. One whose time is over counts as lapsed, booked or not. Raises NotFound."""
    found = await holding.read_hold(db, program_id=program_id, hold_id=hold_id)
    piece = await store.read_piece(db, program_id=program_id, piece_id=hold_id)
    return await _told(db, program_id, found, piece)


async def _told(db: Db, program_id: int, found: Redeemed, piece: Piece | None) -> Redemption:
    if piece is None or found.hold.status is not HoldStatus.CAPTURED:
        return Redemption(found.hold, found.balance, piece)
    voucher = await store.voucher_with_id(db, program_id=program_id, voucher_id=found.hold.id)
    if voucher is None:
        return Redemption(found.hold, found.balance, piece)
    why = unredeemable(voucher, now=await database_time(db), order=None)
    return Redemption(found.hold, found.balance, piece, voucher, why)
