"""Gifts that have waited: when their moment has come they are revealed, unless something stands against it now."""

from collections.abc import Sequence
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.customers.suppressions.rules import SuppressionReason
from service.kernel.errors import NotFound
from service.kernel.ids import from_wire
from service.platform.clock import database_time
from service.platform.statements import Db, Write, write_together
from service.points import usecases as points
from service.points.account import Account
from service.points.usecases import Granted, Opened
from service.programs.rules import Program
from service.rewards import usecases as rewards
from service.surprises import store
from service.surprises.chance import occasion_after
from service.surprises.gifts import REVEALED, TAKEN_BACK, Gift, GiftState, Halt, cause_of, grant
from service.surprises.had import read_had, write_had
from service.surprises.purse import COST, POINTS, given_back, stock_of
from service.tiers import usecases as tiers

_replace = msgspec.structs.replace
Change: TypeAlias = tuple[Gift, Gift]
"""A gift as it was, and as it is."""
GONE: Final = "gone"
"""Why a gift of somebody who was erased is stopped."""
RETURNED: Final = "returned"
"""Why a gift is stopped whose purchase came back before its moment."""
_ENTROPY_BITS: Final = 62


async def reveal(db: Db, *, program: Program, gift_id: UUID, entropy: int, code_bits: int) -> Gift | None:
    """Reveal a gift whose moment has come, or stop it where the customer is suppressed. None: it isn't due any more.

    `entropy` is at least 124 random bits, `code_bits` as `rewards.usecases.issue` asks for. Raises the refusals of
    rewards where a reward can't be had: nothing is done then, see `fail`; and RowsMissing: begin again.
    """
    found = await _open(db, program, gift_id, entropy)
    if found is None:
        return None
    gift, opened, account = found
    if account is None:
        return await _stop(db, program, gift, opened, None, ())
    reasons = await customers.suppressed(db, program_id=program.id, customers=[account.customer.id], now=opened.now)
    if reasons:
        return await _stop(db, program, gift, opened, account, reasons[account.customer.id])
    after = _replace(gift, state=GiftState.REVEALED, revealed_at=opened.now)
    if gift.points:
        grant(account, gift.id, gift.points, program)
    account.news.append((REVEALED, gift.id))
    await write_together(db, [store.writing_gifts(program.id, [(gift, after)])])
    await points.write(db, program_id=program.id, opened=opened, accounts=[account], following=tiers.following(program))
    if gift.reward_id is not None:
        await _issue(db, program, gift, account, entropy >> _ENTROPY_BITS, code_bits)
    return after


async def _issue(db: Db, program: Program, gift: Gift, account: Account, entropy: int, code_bits: int) -> None:
    """Take a piece of the reward, last of all, and issue its voucher, which has the gift's id."""
    reward_id = from_wire("rwd", gift.reward_id or "")
    if reward_id is None:
        raise NotFound
    now = await database_time(db)  # later than the booking, and so its event
    await rewards.take_stock(
        db, program=program, reward_id=reward_id, customer=account.customer, piece_id=gift.id, now=now
    )
    await rewards.issue(db, program=program, piece_id=gift.id, code_bits=code_bits, now=now, entropy=entropy)


async def _open(db: Db, program: Program, gift_id: UUID, entropy: int) -> tuple[Gift, Opened, Account | None] | None:
    """Lock the customer whose a gift is now, and read it as it is then; no account where the customer was erased.

    None where it is not due. Raises RowsMissing.
    """
    found = await store.read_gifts(db, program_id=program.id, ids=[gift_id])
    if not found:
        return None
    owner = (await customers.standing_for(db, program_id=program.id, records=[found[0].customer]))[found[0].customer]
    named = [owner.external_id] if owner.external_id else []
    opened = await points.open_accounts(db, program_id=program.id, customer_ids=named, entropy=entropy)
    account = points.owned(opened, owner.external_id, owner.id) if named else None
    (gift,) = await store.read_gifts(db, program_id=program.id, ids=[gift_id])
    if gift.state is not GiftState.WAITING or gift.reveal_at > opened.now:
        return None
    return gift, opened, account


async def _stop(
    db: Db,
    program: Program,
    gift: Gift,
    opened: Opened,
    account: Account | None,
    reasons: Sequence[SuppressionReason],
) -> Gift:
    """Stop a gift at its sending: that is recorded, and what it would have cost is given back."""
    after = _replace(gift, state=GiftState.STOPPED, ended_at=opened.now, reason=reasons[0].value if reasons else GONE)
    halts = (
        [Halt(opened.ids.next(), gift.campaign, gift.customer, "sending", gift.id, tuple(reasons))] if reasons else []
    )
    await write_together(
        db, [store.writing_gifts(program.id, [(gift, after)]), store.halting(program.id, halts, opened.now)]
    )
    await _not_had(db, program, gift, opened, account)
    return after


async def fail(db: Db, *, program: Program, gift_id: UUID, reason: str, entropy: int) -> Gift | None:
    """Let a gift fail whose reward can't be had, for the code of that refusal. None: it isn't due any more."""
    found = await _open(db, program, gift_id, entropy)
    if found is None:
        return None
    gift, opened, account = found
    after = _replace(gift, state=GiftState.FAILED, ended_at=opened.now, reason=reason)
    await write_together(db, [store.writing_gifts(program.id, [(gift, after)])])
    await _not_had(db, program, gift, opened, account)
    return after


async def _not_had(db: Db, program: Program, gift: Gift, opened: Opened, account: Account | None) -> None:
    """Count a gift no more for its customer, and give back what it took, last of all."""
    if account is not None:
        account.customer = _replace(account.customer, surprises=without(account.customer.surprises, gift))
        await points.write(
            db, program_id=program.id, opened=opened, accounts=[account], following=tiers.following(program)
        )
    await give_back(db, program_id=program.id, gift=gift)


def without(had: str | None, gift: Gift) -> str | None:
    """Return what a customer had, without a gift."""
    known = read_had(had)
    of = known.of(gift.campaign.hex)
    if gift.campaign.hex in known.campaigns:
        known = known.with_campaign(gift.campaign.hex, _replace(of, gifts=max(0, of.gifts - 1)))
    return write_had(known if gift.is_game else known.without_gift(gift.drawn_at))


async def give_back(db: Db, *, program_id: int, gift: Gift) -> None:
    """Give back to stock and budgets what a gift took. Their slices are locked here, behind all else."""
    slices = await store.lock_slices(db, program_id=program_id, campaign=gift.campaign)
    changed = given_back(slices, {stock_of(gift.prize): 1, POINTS: gift.points, COST: gift.cost})
    await write_together(db, [store.writing_slices(program_id, changed)])


async def look_later(db: Db, *, program_id: int, gift_id: UUID) -> None:
    """Look at a gift again some minutes later: it couldn't be revealed, whatever the reason."""
    await store.put_off(db, program_id=program_id, gift_id=gift_id)


async def taken_back(
    db: Db, *, program: Program, account: Account, draw_id: UUID, returned: int, of: int
) -> list[Change]:
    """Take back of what was drawn for a purchase, `returned` parts `of` which came back in all, in a whole account.

    That is inside it, or a while after it. Of points the part that came back, rounded down; of a reward all of it, once
    all came back, unless its voucher was redeemed: that has been had. What is waiting is stopped then. All of it goes
    on counting against the customer's limits: nobody buys and returns until the best prize is drawn. Gives what is to
    be written with the booking, before `finish_taking_back`.
    """
    records = await customers.all_ids(db, program_id=program.id, customer=account.customer)
    changed = list[Change]()
    found = await store.gifts_of_draws(
        db, program_id=program.id, customers=records, draws=[draw_id], occasions=[occasion_after(draw_id)]
    )
    for gift in found:
        after = await _taken_back(db, program, account, gift, returned, of)
        if after != gift:
            changed.append((gift, after))
    return changed


async def _taken_back(db: Db, program: Program, account: Account, gift: Gift, returned: int, of: int) -> Gift:
    is_whole = returned >= of
    if gift.state is GiftState.WAITING:
        if not is_whole:
            return gift
        return _replace(gift, state=GiftState.STOPPED, ended_at=account.now, reason=RETURNED)
    if gift.state is not GiftState.REVEALED or await _is_redeemed(db, program.id, gift):
        return gift
    due = gift.points if is_whole else gift.points * returned // of
    if due > gift.reversed:
        await points.refund(
            db,
            program=program,
            account=account,
            restored=0,
            granted=[Granted(gift.id, due - gift.reversed, gift.reversed)],
            cause=cause_of(gift.id),
            at=account.now,
        )
    if not is_whole:
        return _replace(gift, reversed=max(due, gift.reversed))
    account.news.append((TAKEN_BACK, gift.id))
    return _replace(gift, state=GiftState.TAKEN_BACK, ended_at=account.now, reversed=due)


async def _is_redeemed(db: Db, program_id: int, gift: Gift) -> bool:
    """Tell whether a gift is a voucher that was redeemed."""
    if gift.reward_id is None:
        return False
    voucher = await rewards.voucher_of(db, program_id=program_id, piece_id=gift.id)
    return voucher is not None and voucher.used > 0


def writing_gifts(program_id: int, changed: Sequence[Change]) -> list[Write]:
    """Write where gifts stand now: mostly there are none."""
    return [store.writing_gifts(program_id, changed)] if changed else []


async def finish_taking_back(db: Db, *, program_id: int, changed: Sequence[Change], entropy: int) -> None:
    """Cancel vouchers of gifts that were taken back, and give back to stock and budgets; behind all else."""
    for _, after in changed:
        if after.state is GiftState.TAKEN_BACK and after.reward_id is not None:
            await rewards.cancel_issued(db, program_id=program_id, piece_id=after.id, entropy=entropy)
    ended = [after for _, after in changed if after.ended_at is not None]
    for gift in sorted(ended, key=lambda each: each.campaign):
        await give_back(db, program_id=program_id, gift=gift)
