"""What can be done with opening balances: reporting many at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from service.opening_balances import store
from service.opening_balances.rules import Brought, OpeningBalance, OpeningBalanceConflict, bring_in, normalised
from service.platform.claims import ClaimKind, content_hash
from service.platform.statements import Db, Write
from service.points.account import Account
from service.points.facts import Accepted, Draft, Facts, Mode, Outcome
from service.programs.rules import Program
from service.tiers import usecases as tiers
from service.tiers.climbing import Climbing

BalanceDraft: TypeAlias = Draft[OpeningBalance]
AcceptedBalance: TypeAlias = Accepted[OpeningBalance, Brought]
BalanceOutcome: TypeAlias = Outcome[OpeningBalance, Brought]


@dataclass(frozen=True, slots=True)
class _Deciding:
    """Decides by the fact and its customer, whose tier may change."""

    climbing: Climbing

    def decide(self, content: OpeningBalance, account: Account, row_id: UUID, /) -> Brought:
        """Decide on one opening balance."""
        return bring_in(content, account, self.climbing, row_id)

    def sharing(self) -> Sequence[Write]:
        """Write what was brought of tiers, and how they changed."""
        return tiers.writing(self.climbing)


async def _prepare(
    _: Db,
    program: Program,
    __: Sequence[tuple[OpeningBalance, Account]],
    /,
    *,
    mode: Mode,  # noqa: ARG001
) -> _Deciding:
    return _Deciding(Climbing(program))


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
