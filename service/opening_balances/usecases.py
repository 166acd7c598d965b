"""What can be done with opening balances: reporting many at once."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from service.opening_balances import store
from service.opening_balances.rules import Brought, OpeningBalance, OpeningBalanceConflict, bring_in, normalised
from service.platform.claims import ClaimKind, content_hash
from service.platform.statements import Db
from service.points.account import Account
from service.points.facts import Accepted, Alone, Draft, Facts, Outcome
from service.programs.rules import Program

BalanceDraft: TypeAlias = Draft[OpeningBalance]
AcceptedBalance: TypeAlias = Accepted[OpeningBalance, Brought]
BalanceOutcome: TypeAlias = Outcome[OpeningBalance, Brought]


async def _prepare(
    _: Db,
    program: Program,
    __: Sequence[tuple[OpeningBalance, Account]],
    /,
    *,
    at_once: bool,  # noqa: ARG001
) -> Alone[OpeningBalance, Brought]:
    return Alone(program, bring_in)


OPENING_BALANCES: Final = Facts(
    kind=ClaimKind.OPENING_BALANCE,
    conflict=OpeningBalanceConflict,
    event="opening_balance.booked",
    prepare=_prepare,
    adding=store.adding,
    answered=store.brought,
    takes_points=lambda opening: opening.debt > 0,  # which may be repaid from what there is
)


def draft(opening: OpeningBalance, *, randomness: int) -> BalanceDraft:
    """Prepare a reported opening balance. Raises Invalid."""
    normal = normalised(opening)
    return Draft(normal.id, normal.customer_id, normal, content_hash(normal), randomness)
