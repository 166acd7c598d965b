"""What can be done with purchases and activities: reporting many at once, reading, confirming."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar
from uuid import UUID

import structlog

from service.customers import usecases as customers
from service.customers.rules import Balance, CustomerErased, newcomer
from service.earning import usecases as earning
from service.earning.activity_types import types_of
from service.earning.preparing import Asked
from service.earning.terms import lots_of
from service.kernel.errors import NotFound, Refusal
from service.platform.claims import ClaimKind, content_hash
from service.platform.statements import Db, Write
from service.points import usecases as points
from service.points.account import Account
from service.points.facts import Accepted, Draft, Facts, Mode, Outcome
from service.programs.rules import Program
from service.purchases import store
from service.purchases.engaging import (
    Activity,
    ActivityConflict,
    ActivityEarnings,
    book_activity,
    check_activity,
)
from service.purchases.engaging import normalised as normalised_activity
from service.purchases.preparing import facts_of, prepare
from service.purchases.quoting import Quote, quote
from service.purchases.rules import Earnings, Purchase, PurchaseConflict, book, check_purchase, normalised
from service.purchases.store import Recorded, RecordedActivity
from service.purchases.terms import ReferringTerms
from service.referrals import usecases as referrals
from service.surprises import usecases as surprises
from service.surprises.campaigns import OnMilestone, OnPurchase
from service.tiers import usecases as tiers

PurchaseDraft: TypeAlias = Draft[Purchase]
AcceptedPurchase: TypeAlias = Accepted[Purchase, Earnings]
PurchaseOutcome: TypeAlias = Outcome[Purchase, Earnings]
ActivityDraft: TypeAlias = Draft[Activity]
AcceptedActivity: TypeAlias = Accepted[Activity, ActivityEarnings]
_log = structlog.get_logger()


_Told = TypeVar("_Told")
_Answered = TypeVar("_Answered")


@dataclass(frozen=True, slots=True)
class _Deciding(Generic[_Told, _Answered]):
    """Decides by the terms that were read for a batch."""

    terms: ReferringTerms
    by: Callable[[_Told, Account, ReferringTerms, UUID], _Answered]

    def decide(self, content: _Told, account: Account, row_id: UUID, /) -> _Answered:
        """Decide on one fact."""
        return self.by(content, account, self.terms, row_id)

    def sharing(self) -> Sequence[Write]:
        """Write referrals that were claimed and qualified, how tiers changed, what was used of limits, and drawn."""
        used = earning.adding_use(self.terms.program.id, self.terms.shared)
        drawn = [] if self.terms.surprising is None else surprises.writing(self.terms.surprising)
        return [*referrals.writing(self.terms.referring), *tiers.writing(self.terms.climbing), *used, *drawn]


async def _prepare(
    db: Db, program: Program, facts: Sequence[tuple[Purchase, Account]], /, *, mode: Mode
) -> _Deciding[Purchase, Earnings]:
    asked = [Asked(None, purchase.occurred_at, account) for purchase, account in facts]
    terms = await prepare(db, program, asked, at_once=mode is Mode.AT_ONCE)
    came_with = [(purchase.referral_code, account) for purchase, account in facts]
    terms.referring = await referrals.look(db, program=program, came_with=came_with, facts_of=facts_of)
    if facts and mode is not Mode.PREVIEW:
        await _look_for_surprises(db, terms, [account for _, account in facts], at_once=mode is Mode.AT_ONCE)
    return _Deciding(terms, book)


async def _look_for_surprises(db: Db, terms: ReferringTerms, accounts: Sequence[Account], *, at_once: bool) -> None:
    """Read what drawing inside purchases needs; mostly that is nothing."""
    program, first = terms.program, accounts[0]
    records = {account.customer.id for account in accounts}
    terms.surprising = await surprises.look(
        db,
        program=program,
        on=(OnPurchase, OnMilestone),
        of=[account.customer for account in accounts],
        now=first.now,
        ids=first.ids,
        at_once=at_once,
    )
    missing = records - terms.profiles.keys()
    if missing and any(each.audience.asks_profile for each in terms.surprising.campaigns):
        terms.profiles |= await customers.read_profiles(db, program_id=program.id, customers=sorted(missing))


async def _prepare_activities(
    db: Db, program: Program, facts: Sequence[tuple[Activity, Account]], /, *, mode: Mode
) -> _Deciding[Activity, ActivityEarnings]:
    unreadable = types_of(program).unreadable
    while unreadable:
        its = unreadable.pop()
        _log.error(
            "activity_type_unreadable", program=program.code, type=its.type, version=its.version, reason=its.reason
        )
    asked = [Asked(activity.type, activity.occurred_at or account.now, account) for activity, account in facts]
    terms = await prepare(db, program, asked, at_once=mode is Mode.AT_ONCE)
    of = [(None, account) for _, account in facts]
    terms.referring = await referrals.look(db, program=program, came_with=of, facts_of=facts_of)
    return _Deciding(terms, book_activity)


PURCHASES: Final = Facts(
    kind=ClaimKind.PURCHASE,
    conflict=PurchaseConflict,
    event="purchase.rewarded",
    check=check_purchase,
    prepare=_prepare,
    adding=store.adding,
    answered=store.earnings,
)
ACTIVITIES: Final = Facts(
    kind=ClaimKind.ACTIVITY,
    conflict=ActivityConflict,
    event="activity.rewarded",
    check=check_activity,
    prepare=_prepare_activities,
    adding=store.adding_activities,
    answered=store.activity_earnings,
)


def draft(purchase: Purchase, *, randomness: int) -> PurchaseDraft:
    """Prepare a reported purchase. Raises Invalid."""
    normal = normalised(purchase)
    return Draft(normal.id, normal.customer_id, normal, content_hash(normal), randomness)


def draft_activity(activity: Activity, *, randomness: int) -> ActivityDraft:
    """Prepare a reported activity. Raises Invalid."""
    normal = normalised_activity(activity)
    return Draft(normal.id, normal.customer_id, normal, content_hash(normal), randomness)


async def preview(db: Db, *, program: Program, draft: PurchaseDraft) -> tuple[AcceptedPurchase, Quote | None]:
    """Answer what reporting a purchase would, with what to show of a new one. Nothing is booked. Raises Refusal."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        (outcome,) = await PURCHASES.preview(db, program=program, drafts=[draft])
        if isinstance(outcome, Refusal):
            raise outcome
        if outcome.replayed:
            return outcome, None
        opened = await points.open_booking(
            db, program_id=program.id, facts=[(draft.customer_id, draft.id)], kind=PURCHASES.kind, entropy=0, lock=False
        )
        account = opened.accounts.get(draft.customer_id)
        if account is None:
            account = Account(newcomer(-1, draft.customer_id, opened.now), opened.now, opened.ids)
        terms = await prepare(db, program, [Asked(None, draft.content.occurred_at, account)])
    return outcome, quote(draft.content, terms.climbing.climber(account).customer, terms)


async def read(db: Db, *, program_id: int, purchase_id: str) -> Recorded:
    """Read a purchase by the caller's id. Raises NotFound."""
    recorded = await store.read(db, program_id, purchase_id)
    if recorded is None:
        raise NotFound
    return recorded


async def read_of_customer(db: Db, *, program_id: int, purchase_id: str) -> Recorded:
    """Read a purchase whose customer is there. Raises NotFound, CustomerErased."""
    recorded = await read(db, program_id=program_id, purchase_id=purchase_id)
    if recorded.is_erased:
        raise CustomerErased
    return recorded


async def confirm(db: Db, *, program: Program, purchase_id: str, entropy: int) -> tuple[Recorded, Balance]:
    """Make available what a purchase earned, if it is pending. Raises NotFound, CustomerErased, PointsLapsed."""
    recorded = await read_of_customer(db, program_id=program.id, purchase_id=purchase_id)
    balance = await points.confirm(
        db,
        program_id=program.id,
        customer_id=recorded.purchase.customer_id,
        owner=recorded.owner,
        lot_ids=lots_of(recorded.earnings.lines, recorded.row_id),
        held_back=recorded.earnings.pending,
        following=tiers.following(program),
        entropy=entropy,
    )
    return recorded, balance


async def read_activity(db: Db, *, program_id: int, activity_id: str) -> RecordedActivity:
    """Read an activity by the caller's id. Raises NotFound."""
    recorded = await store.read_activity(db, program_id, activity_id)
    if recorded is None:
        raise NotFound
    return recorded


async def report_activity(
    db: Db, *, program: Program, draft: ActivityDraft, entropy: int, dry_run: bool = False
) -> AcceptedActivity:
    """Book an activity in the caller's transaction, or tell in a dry run what that would come to. Raises Refusal."""
    if dry_run:
        (outcome,) = await ACTIVITIES.preview(db, program=program, drafts=[draft])
    else:
        (outcome,) = await ACTIVITIES.report(db, program=program, drafts=[draft], entropy=entropy)
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome
