"""Points set aside for a redemption, and what becomes of them: captured, released, lapsed."""

from datetime import timedelta
from uuid import UUID

import msgspec

from service.customers.rules import Balance, CustomerErased, CustomerUnknown
from service.kernel.errors import Invalid, NotFound
from service.platform.clock import database_time
from service.platform.statements import Db
from service.points import store
from service.points.account import Account
from service.points.policies import kept_alive
from service.points.rules import (
    REDEMPTION_CAPTURED,
    REDEMPTION_HELD,
    REDEMPTION_RELEASED,
    Hold,
    HoldStatus,
    check_redeemable,
    check_share,
    most_payable,
    redemption,
)
from service.points.usecases import Following, Opened, balances, open_accounts, owned, write
from service.programs.policies import QualifyingActivity
from service.programs.rules import Program


class Redeemed(msgspec.Struct, frozen=True):
    """A hold as it is now, and the customer's balance with it."""

    hold: Hold
    balance: Balance


async def hold(  # noqa: PLR0913 - what a caller asks for, one by one
    db: Db,
    *,
    program: Program,
    customer_id: str,
    points: int,
    order_id: str | None,
    expires_in: timedelta | None,
    following: Following,
    entropy: int,
    order_total: int | None = None,
) -> Redeemed:
    """Set points of a customer aside, to pay for a part of an order where `order_id` names one.

    `order_total` is in minor units of the program's currency; a program that limits the part needs it. Orders of other
    customers with this id don't count. Raises CustomerUnknown, Invalid, GreatestShareExceeded, InsufficientPoints.
    """
    settings = program.settings
    check_redeemable(points, settings.point_value)
    most = None if order_id is None else most_payable(order_total, settings.point_value)
    opened = await open_accounts(db, program_id=program.id, customer_ids=[customer_id], entropy=entropy)
    account = opened.accounts.get(customer_id)
    if account is None:
        raise CustomerUnknown("/customer_id")
    if order_id is not None and most is not None:
        check_share(points, settings.point_value, most - await _paying(db, program.id, account, order_id))
    hold_id = opened.ids.next()
    lasts = expires_in or timedelta(seconds=settings.hold_seconds)
    held = account.hold(
        points, hold_id=hold_id, expires_at=opened.now + lasts, cause=redemption(hold_id), order_id=order_id
    )
    account.news.append((REDEMPTION_HELD, hold_id))
    await write(db, program_id=program.id, opened=opened, accounts=[account], following=following)
    return Redeemed(held, account.customer.balance)


async def _paying(db: Db, program_id: int, account: Account, order_id: str) -> int:
    """Count the points that pay for an order: those that are held for it, and those captured of others."""
    captured = await store.read_captured(db, program_id=program_id, customer_id=account.customer.id, order_id=order_id)
    _, holds = account.read()
    held = [each.points for each in holds.values() if each.order_id == order_id and each.status is HoldStatus.HELD]
    return sum(each.captured for each in captured) + sum(held)


async def capture(
    db: Db, *, program: Program, hold_id: UUID, points: int | None = None, following: Following, entropy: int
) -> Redeemed:
    """Spend held points, all or some: the rest is released. Captured alike already: told again.

    Raises NotFound, Invalid for more than is held, HoldNotOpen.
    """
    opened, account, found = await _open_hold(db, program.id, hold_id, entropy)
    if points is not None and points > found.points:
        detail = f"{found.points} points are held."
        raise Invalid(detail, pointer="/points", reason="out_of_range")
    if found.status is HoldStatus.CAPTURED and points in {None, found.captured}:
        return Redeemed(found, account.customer.balance)
    captured = account.capture(hold_id, points or found.points, redemption(hold_id))
    account.touch(kept_alive(program.settings, QualifyingActivity.REDEMPTION, opened.now))
    account.news.append((REDEMPTION_CAPTURED, hold_id))
    await write(db, program_id=program.id, opened=opened, accounts=[account], following=following)
    return Redeemed(captured, account.customer.balance)


async def release(db: Db, *, program: Program, hold_id: UUID, following: Following, entropy: int) -> Redeemed:
    """Give held points back. Released or lapsed already: told again. Raises NotFound, HoldNotOpen."""
    opened, account, found = await _open_hold(db, program.id, hold_id, entropy)
    if found.status in {HoldStatus.RELEASED, HoldStatus.LAPSED}:
        if account.transfers:  # it lapsed just now, or something else did
            await write(db, program_id=program.id, opened=opened, accounts=[account], following=following)
        return Redeemed(found, account.customer.balance)
    released = account.release(hold_id, redemption(hold_id), opened.now)
    account.news.append((REDEMPTION_RELEASED, hold_id))
    await write(db, program_id=program.id, opened=opened, accounts=[account], following=following)
    return Redeemed(released, account.customer.balance)


async def read_hold(db: Db, *, program_id: int, hold_id: UUID) -> Redeemed:
    """Read a hold. One whose time is over counts as lapsed, booked or not. Raises NotFound, CustomerErased."""
    customer_id, held = await _hold_of(db, program_id, hold_id)
    now = await database_time(db)
    if held.status is HoldStatus.HELD and held.expires_at <= now:
        held = msgspec.structs.replace(held, status=HoldStatus.LAPSED, ended_at=held.expires_at)
    (standing,) = await balances(db, program_id=program_id, customer_ids=[customer_id])
    if isinstance(standing, NotFound):
        raise CustomerErased
    return Redeemed(held, standing.balance)


async def _open_hold(db: Db, program_id: int, hold_id: UUID, entropy: int) -> tuple[Opened, Account, Hold]:
    """Lock the customer of a hold, and read the hold under the lock, with all settled that is due."""
    name, held = await _hold_of(db, program_id, hold_id)
    opened = await open_accounts(db, program_id=program_id, customer_ids=[name], entropy=entropy)
    account = owned(opened, name, held.customer_id)
    _, holds = account.read()
    if hold_id not in holds:
        _, holds[hold_id] = await _hold_of(db, program_id, hold_id)
    return opened, account, holds[hold_id]


async def _hold_of(db: Db, program_id: int, hold_id: UUID) -> tuple[str, Hold]:
    """Read a hold and the customer's id. Raises NotFound, CustomerErased."""
    found = await store.read_hold(db, program_id=program_id, hold_id=hold_id)
    if found is None:
        raise NotFound
    customer_id, held = found
    if customer_id is None:
        raise CustomerErased
    return customer_id, held
