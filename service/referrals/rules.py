"""What becomes of a referral: when it qualifies, what speaks against it, what it gives. Pure.

A referral is judged by all facts of its referee as they stand, whenever something may have changed: a purchase, a
return, time. So it makes no difference in what order these were reported.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec

from service.earning.limits import first_day
from service.earning.rules import Limit, Scope
from service.kernel.errors import Invalid, Kind, Refusal
from service.referrals.offers import (
    ALWAYS_REFUSE,
    ByActivity,
    ByPurchases,
    Cheating,
    PointsPrize,
    Qualification,
    ReferralOfferContent,
    Sign,
    Step,
)

_replace = msgspec.structs.replace
BEFORE_THE_CLAIM: Final = timedelta(days=1)
"""What occurred within a day before the claim counts, too: tills report late, and a purchase may be told first."""


_FOUND_BY_MERGES: Final = frozenset({Sign.SAME_CUSTOMER, Sign.ALREADY_REFERRED})
"""What shows when two records become one, also long after the reward."""


class ReferralState(Enum):
    """Where a referral stands."""

    SIGNED_UP = "signed_up"
    QUALIFIED = "qualified"
    """The referee has done what was asked; what speaks against it was not looked at yet."""
    WAITING = "waiting"
    IN_REVIEW = "in_review"
    REWARDED = "rewarded"
    REFUSED = "refused"
    EXPIRED = "expired"
    REVERSED = "reversed"


OPEN: Final = frozenset(
    {ReferralState.SIGNED_UP, ReferralState.QUALIFIED, ReferralState.WAITING, ReferralState.IN_REVIEW}
)
UNDECIDED: Final = OPEN - {ReferralState.SIGNED_UP}
"""The referee has done what was asked, and nothing was given yet."""


class ReferralReason(Enum):
    """Why a referral was refused, or reversed."""

    CHEATING = "cheating"
    """What speaks against it is among its signs."""
    RETURNED = "returned"
    """What is left after returns does not qualify."""
    LIMIT = "limit"
    BY_HAND = "by_hand"
    ERASED = "erased"
    """One of the two was erased before it was decided."""
    ALREADY_REFERRED = "already_referred"
    """The referee came by an earlier referral, as it turned out."""


class Fact(msgspec.Struct, frozen=True):
    """A purchase or an activity (`type`) of a referee; `amount` is what is left of it after returns, in minor units."""

    id: UUID
    at: datetime
    amount: int = 0
    currency: str | None = None
    type: str | None = None
    is_returned: bool = False


class Gave(msgspec.Struct, frozen=True):
    """What one side got: points as a lot, a piece of a reward, both or nothing."""

    points: int = 0
    lot: UUID | None = None
    piece: UUID | None = None


class Referral(msgspec.Struct, frozen=True):
    """A referral as it stands. Both sides are internal ids of records as they were at the claim.

    `look_at` is when it is to be judged next; None: nothing happens by time alone.
    """

    id: UUID
    referrer: int
    referee: int | None
    code_id: UUID
    offer: str
    offer_version: int
    terms: ReferralOfferContent
    state: ReferralState
    claimed_with: UUID | None
    claimed_at: datetime
    counts_from: datetime
    expires_at: datetime
    qualified_at: datetime | None = None
    waits_until: datetime | None = None
    rewarded_at: datetime | None = None
    ended_at: datetime | None = None
    reason: ReferralReason | None = None
    score: int | None = None
    signs: tuple[Sign, ...] = ()
    reviewed_by: UUID | None = None
    reviewed_at: datetime | None = None
    number: int | None = None
    step: int | None = None
    referrer_gave: Gave = Gave()
    referee_gave: Gave = Gave()
    look_at: datetime | None = None
    reached_limit: Limit | None = None


class Code(msgspec.Struct, frozen=True):
    """A code, whose it is now (after merges), and the tier of this customer; `offer` None: the customer's own code."""

    id: UUID
    key: str
    code: str
    customer: int
    tier: str | None
    offer: str | None
    is_vanity: bool
    closed_at: datetime | None


class CodeUnusable(Invalid):
    """Nobody can be claimed with this code. Why isn't told: who guesses codes learns nothing by it."""

    code = "referral_code_unusable"
    title = "Nobody can be claimed with this code"

    def __init__(self, *, is_guess: bool = True) -> None:
        """Refuse it; it was no guess where each code would have been refused, for whom it is about."""
        detail = "This code can't be used, or not for this customer."
        super().__init__(detail, pointer="/code", reason=self.code)
        self.is_guess = is_guess


class CodeTaken(Refusal):
    """A code that the program wants to set is a customer's, or was: it never becomes anybody else's."""

    kind = Kind.CONFLICT
    code = "referral_code_taken"
    title = "This code is taken"


class ReferralNotOpen(Refusal):
    """What is asked for doesn't go with where the referral stands."""

    kind = Kind.CONFLICT
    code = "referral_not_open"
    title = "The referral was decided otherwise, or isn't so far"


class Judgement(msgspec.Struct, frozen=True):
    """What there is to judge a referral by: its referee's facts, and what speaks against it, as of now."""

    facts: Sequence[Fact]
    signs: frozenset[Sign]
    now: datetime


class Reward(msgspec.Struct, frozen=True):
    """What both sides are to get: the referrer `number` times so far, with the points of a step among them."""

    number: int
    step: Step | None
    referrer_points: int
    referee_points: int

    @property
    def points(self) -> int:
        """The points of both sides."""
        return self.referrer_points + self.referee_points


class Before(msgspec.Struct, frozen=True):
    """A referral that a referrer was rewarded for before: the program's day, what both got, by which offer."""

    day: date
    points: int
    step: int | None
    offer: str
    is_reversed: bool


def qualified_by(qualification: Qualification, facts: Sequence[Fact]) -> Fact | None:
    """Return the fact with which a referee did what is asked, by when they occurred; None: not yet, or not any more."""
    in_order = sorted((each for each in facts if not each.is_returned), key=lambda each: (each.at, each.id))
    if isinstance(qualification, ByActivity):
        return next((each for each in in_order if each.type == qualification.type), None)
    purchases = [each for each in in_order if each.type is None]
    if isinstance(qualification, ByPurchases):
        minimum = qualification.minimum
        enough = [
            each
            for each in purchases
            if not minimum or ((least := minimum.get(each.currency or "")) is not None and each.amount >= least)
        ]
        return enough[qualification.number - 1] if len(enough) >= qualification.number else None
    spent = dict[str, int]()
    for each in purchases:
        currency = each.currency or ""
        spent[currency] = spent.get(currency, 0) + each.amount
        if (asked := qualification.amounts.get(currency)) is not None and spent[currency] >= asked:
            return each
    return None


def qualifies(referral: Referral, facts: Sequence[Fact]) -> bool:
    """Tell whether facts of the referee, those within the window and the one that the code came with, are enough."""
    counted = [
        each
        for each in facts
        if each.id == referral.claimed_with or referral.counts_from <= each.at < referral.expires_at
    ]
    return qualified_by(referral.terms.qualification, counted) is not None


def bought_before(referral: Referral, facts: Sequence[Fact]) -> bool:
    """Tell whether the referee had bought before, as it turned out: such a customer is not new."""
    return any(
        each.type is None and each.at < referral.counts_from and each.id != referral.claimed_with for each in facts
    )


def scored(cheating: Cheating, signs: frozenset[Sign]) -> int:
    """Add up what signs count; those that refuse always count as much as it takes."""
    if signs & ALWAYS_REFUSE:
        return max(cheating.refuse_from, 100)
    scores: dict[str, int] = msgspec.structs.asdict(cheating.scores)
    return sum(scores.get(sign.value, 0) for sign in signs)


def judge(referral: Referral, by: Judgement) -> Referral:
    """Return the referral as it stands by all that is known now; one whose wait is over is still `waiting`.

    Scores are not held against what a marketer approved; what is refused always, and returns, count all the same.
    """
    now, is_enough = by.now, qualifies(referral, by.facts)
    if referral.state is ReferralState.REWARDED:
        return _kept(referral, by, is_enough=is_enough)
    if referral.state not in OPEN:
        return _replace(referral, look_at=None)
    if is_enough:
        return _weighed(qualified(referral, now) if referral.state is ReferralState.SIGNED_UP else referral, by)
    if referral.state is not ReferralState.SIGNED_UP:
        return refused(referral, ReferralReason.RETURNED, now)
    if now < referral.expires_at:
        return _replace(referral, look_at=referral.expires_at)
    return _replace(referral, state=ReferralState.EXPIRED, ended_at=now, look_at=None)


def _kept(referral: Referral, by: Judgement, *, is_enough: bool) -> Referral:
    """Judge a rewarded referral again: it stays so, or is reversed; what a merge showed joins its signs."""
    found = by.signs & _FOUND_BY_MERGES
    if is_enough and not found:
        return _replace(referral, look_at=None)
    reason = _shown_by(found) if found else ReferralReason.RETURNED
    signs = tuple(sorted({*referral.signs, *found}, key=lambda sign: sign.value))
    return _replace(referral, state=ReferralState.REVERSED, reason=reason, signs=signs, ended_at=by.now, look_at=None)


def qualified(referral: Referral, now: datetime) -> Referral:
    """Mark a referral as qualified: the job looks at it from now on."""
    return _replace(referral, state=ReferralState.QUALIFIED, qualified_at=now, look_at=now)


def refused(referral: Referral, reason: ReferralReason, now: datetime, by: UUID | None = None) -> Referral:
    """Refuse a referral; `by` is the key of who did it by hand."""
    reviewed = {} if by is None else {"reviewed_by": by, "reviewed_at": now}
    return _replace(referral, state=ReferralState.REFUSED, reason=reason, ended_at=now, look_at=None, **reviewed)


def _shown_by(signs: frozenset[Sign]) -> ReferralReason:
    """Say why signs end a referral: who came by an earlier one has not cheated, if nothing else is refused always."""
    if signs & ALWAYS_REFUSE == frozenset({Sign.ALREADY_REFERRED}):
        return ReferralReason.ALREADY_REFERRED
    return ReferralReason.CHEATING


def _weighed(referral: Referral, by: Judgement) -> Referral:
    """Weigh what speaks against a qualified referral by the offer's scores; where that is little, let it wait.

    Who is reviewed stays so until somebody decides, also where what spoke against it is gone.
    """
    terms, signs = referral.terms.cheating, by.signs
    is_reviewed = referral.state is ReferralState.IN_REVIEW
    if is_reviewed:
        signs |= {Sign.PRIZE_UNAVAILABLE} & {*referral.signs}
    score = scored(terms, signs)
    referral = _replace(referral, signs=tuple(sorted(signs, key=lambda sign: sign.value)), score=score)
    if signs & ALWAYS_REFUSE or (referral.reviewed_by is None and score >= terms.refuse_from):
        return refused(referral, _shown_by(signs), by.now)
    if is_reviewed or (referral.reviewed_by is None and score >= terms.review_from):
        return _replace(referral, state=ReferralState.IN_REVIEW, look_at=None)
    until = _wait_ends_at(referral)
    return _replace(referral, state=ReferralState.WAITING, waits_until=until, look_at=until)


def _wait_ends_at(referral: Referral) -> datetime:
    """Return when the wait of a referral that has qualified is over: once it is set, it stays."""
    assert referral.qualified_at is not None  # noqa: S101 - it has qualified
    return referral.waits_until or referral.qualified_at + timedelta(days=referral.terms.waiting_days)


def is_due(referral: Referral, now: datetime) -> bool:
    """Tell whether both sides are to be rewarded now."""
    return referral.state is ReferralState.WAITING and referral.waits_until is not None and referral.waits_until <= now


def approved(referral: Referral, by: UUID, now: datetime) -> Referral:
    """Let a referral go on that is reviewed, or will be. Approved already: as it is. Raises ReferralNotOpen."""
    went_on = referral.reviewed_by is not None and referral.state in UNDECIDED - {ReferralState.IN_REVIEW}
    if referral.state is ReferralState.REWARDED or went_on:
        return referral
    if referral.state not in UNDECIDED:
        detail = f"It is {referral.state.value}: only one that has qualified and is not decided can be approved."
        raise ReferralNotOpen(detail)
    if referral.state is ReferralState.IN_REVIEW:
        until = _wait_ends_at(referral)
        referral = _replace(referral, state=ReferralState.WAITING, waits_until=until, look_at=max(until, now))
    return _replace(referral, reviewed_by=by, reviewed_at=now)


def refused_by_hand(referral: Referral, by: UUID, now: datetime) -> Referral:
    """Refuse a referral that was not rewarded yet. Refused already: as it is. Raises ReferralNotOpen."""
    if referral.state is ReferralState.REFUSED:
        return referral
    if referral.state not in OPEN:
        raise ReferralNotOpen(f"It is {referral.state.value}: only one that is not decided can be refused.")
    return refused(referral, ReferralReason.BY_HAND, now, by)


def points_of(prize: Any) -> int:  # noqa: ANN401 - of one of the kinds of prizes, or None
    """Return the points that a prize has; 0 for none, and for other prizes."""
    return prize.points if isinstance(prize, PointsPrize) else 0


def reward_of(terms: ReferralOfferContent, before: Sequence[Before]) -> Reward:
    """Tell what a referral gives now, after those that the referrer was rewarded for before.

    A step is given once, as long as it wasn't reversed: then it comes again, at the latest with the next referral that
    stands at its number or beyond.
    """
    kept = [each for each in before if not each.is_reversed]
    number, had = len(kept) + 1, {each.step for each in kept}
    again = {each.step for each in before} - had
    due = [each for each in terms.steps if each.number not in had and each.number <= number]
    step = next((each for each in due if each.number == number), None) or next(
        (each for each in due if each.number in again), None
    )
    more = 0 if step is None else step.points
    return Reward(number, step, points_of(terms.referrer) + more, points_of(terms.referee))


def reached_limit(
    terms: ReferralOfferContent, offer: str, before: Sequence[Before], reward: Reward, today: date
) -> Limit | None:
    """Return a limit of each referrer that a reward would break on a day of the program; None: it is within all.

    What was rewarded by the offer and reversed goes on counting.
    """
    for limit in terms.limits:
        if limit.scope is Scope.CUSTOMER:
            start = first_day(limit.every, today)
            used = [each for each in before if each.offer == offer and first_day(limit.every, each.day) >= start]
            if limit.times is not None and len(used) >= limit.times:
                return limit
            if limit.points is not None and sum(each.points for each in used) + reward.points > limit.points:
                return limit
    return None
