"""What becomes of a referral by all that is known, and by hand: from each state, by facts, signs and time."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.referrals.offers import ALWAYS_REFUSE, Sign
from service.referrals.rules import (
    OPEN,
    UNDECIDED,
    Fact,
    Judgement,
    Referral,
    ReferralNotOpen,
    ReferralReason,
    ReferralState,
    approved,
    is_due,
    judge,
    qualified,
    refused,
    refused_by_hand,
)
from tests.rules.referrals import CLAIMED, DAY, END, KEY, MOMENT, bought, broken, offer, reason_of, referral, seen

S = ReferralState
NOW = CLAIMED + 10 * DAY
DUE = CLAIMED + 15 * DAY
"""When the wait of what qualified after a day is over."""
NONE: set[Sign] = set()
BOUGHT = (bought(5, at=CLAIMED + DAY),)
RETURNED = (bought(5, at=CLAIMED + DAY, returned=True),)
TABLE: list[tuple[S, tuple[Fact, ...], set[Sign], datetime, S, ReferralReason | None, datetime | None]] = [
    # Nothing is bought yet: it goes on until its time is over.
    (S.SIGNED_UP, (), NONE, NOW, S.SIGNED_UP, None, END),
    (S.SIGNED_UP, RETURNED, NONE, NOW, S.SIGNED_UP, None, END),
    (S.SIGNED_UP, (), {Sign.RING}, NOW, S.SIGNED_UP, None, END),
    (S.SIGNED_UP, (), NONE, END - MOMENT, S.SIGNED_UP, None, END),
    (S.SIGNED_UP, (), NONE, END, S.EXPIRED, None, None),
    (S.SIGNED_UP, (bought(5, at=END),), NONE, END, S.EXPIRED, None, None),
    # What is enough is weighed at once, also when it is looked at late.
    (S.SIGNED_UP, BOUGHT, NONE, NOW, S.WAITING, None, NOW + 14 * DAY),
    (S.SIGNED_UP, BOUGHT, NONE, END + DAY, S.WAITING, None, END + 15 * DAY),
    (S.SIGNED_UP, BOUGHT, {Sign.RING}, NOW, S.REFUSED, ReferralReason.CHEATING, None),
    (S.SIGNED_UP, BOUGHT, {Sign.SAME_DEVICE}, NOW, S.IN_REVIEW, None, None),
    (S.QUALIFIED, BOUGHT, NONE, NOW, S.WAITING, None, DUE),
    (S.QUALIFIED, BOUGHT, {Sign.SAME_ADDRESS}, NOW, S.WAITING, None, DUE),
    (S.QUALIFIED, BOUGHT, {Sign.SAME_ADDRESS, Sign.BURST}, NOW, S.IN_REVIEW, None, None),
    (S.QUALIFIED, BOUGHT, {Sign.SAME_DEVICE, Sign.BURST}, NOW, S.REFUSED, ReferralReason.CHEATING, None),
    (S.QUALIFIED, BOUGHT, {Sign.SAME_EMAIL}, NOW, S.REFUSED, ReferralReason.CHEATING, None),
    *((S.QUALIFIED, BOUGHT, {sign}, NOW, S.REFUSED, reason_of(sign), None) for sign in sorted(ALWAYS_REFUSE, key=str)),
    (S.QUALIFIED, RETURNED, NONE, NOW, S.REFUSED, ReferralReason.RETURNED, None),
    (S.QUALIFIED, RETURNED, {Sign.SAME_EMAIL}, NOW, S.REFUSED, ReferralReason.RETURNED, None),
    # The wait isn't made longer by looking again; when it is over, the rule leaves it waiting, and due.
    (S.WAITING, BOUGHT, NONE, NOW, S.WAITING, None, DUE),
    (S.WAITING, BOUGHT, NONE, DUE + 99 * DAY, S.WAITING, None, DUE),
    (S.WAITING, BOUGHT, {Sign.SAME_DEVICE}, DUE, S.IN_REVIEW, None, None),
    (S.WAITING, BOUGHT, {Sign.ALREADY_REFERRED}, DUE, S.REFUSED, ReferralReason.ALREADY_REFERRED, None),
    (S.WAITING, RETURNED, NONE, DUE, S.REFUSED, ReferralReason.RETURNED, None),
    (S.IN_REVIEW, BOUGHT, {Sign.SAME_DEVICE}, NOW, S.IN_REVIEW, None, None),
    (S.IN_REVIEW, BOUGHT, {Sign.SAME_DEVICE, Sign.SAME_PHONE}, NOW, S.REFUSED, ReferralReason.CHEATING, None),
    (S.IN_REVIEW, RETURNED, {Sign.SAME_DEVICE}, NOW, S.REFUSED, ReferralReason.RETURNED, None),
    # What was given stays, but for returns, and for two records that were one person.
    (S.REWARDED, BOUGHT, NONE, DUE, S.REWARDED, None, None),
    (S.REWARDED, BOUGHT, {Sign.SAME_EMAIL, Sign.RING, Sign.NOT_NEW}, DUE, S.REWARDED, None, None),
    (S.REWARDED, RETURNED, NONE, DUE, S.REVERSED, ReferralReason.RETURNED, None),
    (S.REWARDED, BOUGHT, {Sign.SAME_CUSTOMER}, DUE, S.REVERSED, ReferralReason.CHEATING, None),
    (S.REWARDED, BOUGHT, {Sign.ALREADY_REFERRED}, DUE, S.REVERSED, ReferralReason.ALREADY_REFERRED, None),
    # What is decided stays decided.
    (S.REFUSED, BOUGHT, NONE, NOW, S.REFUSED, ReferralReason.RETURNED, None),
    (S.EXPIRED, BOUGHT, NONE, NOW, S.EXPIRED, None, None),
    (S.REVERSED, BOUGHT, NONE, NOW, S.REVERSED, ReferralReason.RETURNED, None),
]


@pytest.mark.parametrize(("state", "facts", "signs", "now", "after", "reason", "look_at"), TABLE)
def test_a_referral_is_judged_by_all_that_is_known(
    state: S,
    facts: tuple[Fact, ...],
    signs: set[Sign],
    now: datetime,
    after: S,
    reason: ReferralReason | None,
    look_at: datetime | None,
) -> None:
    found = judge(referral(state), seen(*facts, now=now, signs=signs))
    assert (found.state, found.reason, found.look_at) == (after, reason, look_at)
    assert not broken(found)
    if found.state is not state and found.state in {S.REFUSED, S.EXPIRED, S.REVERSED}:
        assert found.ended_at == now


def test_what_speaks_against_it_stands_in_the_referral() -> None:
    found = judge(referral(S.QUALIFIED), seen(*BOUGHT, now=NOW, signs={Sign.SAME_DEVICE, Sign.SAME_ADDRESS}))
    assert (found.signs, found.score) == ((Sign.SAME_ADDRESS, Sign.SAME_DEVICE), 90)
    assert judge(found, seen(*BOUGHT, now=NOW)).signs == (), "as of now"


def test_without_a_wait_it_is_due_at_once() -> None:
    found = judge(referral(terms=offer(waiting_days=0)), seen(*BOUGHT, now=NOW))
    assert (found.state, found.waits_until, is_due(found, NOW)) == (S.WAITING, NOW, True)
    assert not is_due(found, NOW - MOMENT)
    assert not is_due(msgspec.structs.replace(found, state=S.IN_REVIEW), NOW)


def test_a_claim_ahead_of_the_enrolment_expires_like_any_other() -> None:
    its = referral(referee=None)
    assert judge(its, seen(now=END - MOMENT)) == its
    assert judge(its, seen(now=END)).state is S.EXPIRED


# By hand.


def test_who_approves_lets_it_wait_to_its_end_and_not_longer() -> None:
    found = approved(referral(S.IN_REVIEW), KEY, NOW)
    assert (found.state, found.waits_until, found.look_at) == (S.WAITING, DUE, DUE)
    assert (found.reviewed_by, found.reviewed_at) == (KEY, NOW)
    late = approved(referral(S.IN_REVIEW), KEY, DUE + DAY)
    assert (late.state, late.waits_until, late.look_at) == (S.WAITING, DUE, DUE + DAY)
    assert is_due(late, DUE + DAY)


@pytest.mark.parametrize("state", [S.QUALIFIED, S.WAITING])
def test_what_is_not_in_review_can_be_approved_ahead(state: S) -> None:
    found = approved(referral(state), KEY, NOW)
    assert found == referral(state, reviewed_by=KEY, reviewed_at=NOW)
    judged = judge(found, seen(*BOUGHT, now=NOW, signs={Sign.SAME_EMAIL, Sign.SAME_DEVICE}))
    assert (judged.state, judged.look_at) == (S.WAITING, DUE)


def test_what_was_approved_is_as_it_is_whoever_approves_it_again() -> None:
    for state in (S.QUALIFIED, S.WAITING, S.REWARDED):
        its = referral(state, reviewed_by=UUID(int=99), reviewed_at=CLAIMED)
        assert approved(its, KEY, NOW) is its
    assert approved(referral(S.REWARDED), KEY, NOW) == referral(S.REWARDED), "that is what was asked for"


def test_what_is_reviewed_again_after_it_was_approved_can_be_approved_again() -> None:
    """As where the prize was sold out when it was due."""
    its = referral(S.IN_REVIEW, reviewed_by=UUID(int=99), reviewed_at=CLAIMED, waits_until=DUE)
    found = approved(its, KEY, DUE + DAY)
    assert (found.state, found.look_at, found.reviewed_by) == (S.WAITING, DUE + DAY, KEY)


def test_what_was_approved_is_not_held_against_signs_again_but_returns_count() -> None:
    its = approved(referral(S.IN_REVIEW), KEY, NOW)
    signs = {Sign.SAME_DEVICE, Sign.SAME_EMAIL}
    assert judge(its, seen(*BOUGHT, now=DUE, signs=signs)).state is S.WAITING
    found = judge(its, seen(*RETURNED, now=DUE, signs=signs))
    assert (found.state, found.reason) == (S.REFUSED, ReferralReason.RETURNED)


@pytest.mark.parametrize("sign", [Sign.SAME_CUSTOMER, Sign.ALREADY_REFERRED])
def test_nobody_approves_what_shows_later_that_two_records_are_one(sign: Sign) -> None:
    """A reward would be taken back for it, so none is given."""
    its = approved(referral(S.IN_REVIEW), KEY, NOW)
    found = judge(its, seen(*BOUGHT, now=DUE, signs={sign}))
    assert (found.state, found.reason) == (S.REFUSED, reason_of(sign))


def test_who_reviews_is_told_where_a_referral_stands_that_is_not_open() -> None:
    with pytest.raises(ReferralNotOpen, match="It is signed_up: only one that has qualified"):
        approved(referral(S.SIGNED_UP), KEY, NOW)
    with pytest.raises(ReferralNotOpen, match="It is rewarded: only one that is not decided"):
        refused_by_hand(referral(S.REWARDED), KEY, NOW)


@pytest.mark.parametrize("sign", [Sign.SAME_CUSTOMER, Sign.ALREADY_REFERRED])
def test_what_takes_back_a_reward_is_among_the_signs(sign: Sign) -> None:
    found = judge(referral(S.REWARDED), seen(*BOUGHT, now=DUE, signs={sign, Sign.SAME_EMAIL}))
    assert (found.state, sign in found.signs, Sign.SAME_EMAIL in found.signs) == (S.REVERSED, True, False)


@pytest.mark.parametrize("state", [S.SIGNED_UP, S.REFUSED, S.EXPIRED, S.REVERSED])
def test_what_did_not_qualify_or_was_decided_otherwise_can_not_be_approved(state: S) -> None:
    with pytest.raises(ReferralNotOpen):
        approved(referral(state), KEY, NOW)


@pytest.mark.parametrize("state", [each for each in S if each in OPEN])
def test_what_was_not_rewarded_can_be_refused_by_hand(state: S) -> None:
    found = refused_by_hand(referral(state), KEY, NOW)
    assert (found.state, found.reason, found.ended_at, found.look_at) == (S.REFUSED, ReferralReason.BY_HAND, NOW, None)
    assert (found.reviewed_by, found.reviewed_at) == (KEY, NOW)
    assert refused_by_hand(found, UUID(int=99), DUE) is found
    with pytest.raises(ReferralNotOpen):
        approved(found, KEY, NOW)


def test_what_was_approved_can_be_refused_before_it_is_rewarded() -> None:
    found = refused_by_hand(approved(referral(S.IN_REVIEW), UUID(int=99), CLAIMED), KEY, NOW)
    assert (found.state, found.reviewed_by, found.reviewed_at) == (S.REFUSED, KEY, NOW)


@pytest.mark.parametrize("state", [S.REWARDED, S.EXPIRED, S.REVERSED])
def test_what_is_rewarded_or_over_can_not_be_refused(state: S) -> None:
    with pytest.raises(ReferralNotOpen):
        refused_by_hand(referral(state), KEY, NOW)


def test_who_refused_is_told_only_where_somebody_did() -> None:
    assert refused(referral(S.WAITING), ReferralReason.ERASED, NOW).reviewed_by is None
    its = referral(S.WAITING, reviewed_by=KEY, reviewed_at=CLAIMED)
    assert refused(its, ReferralReason.RETURNED, NOW).reviewed_by == KEY, "who approved it stays"


# Whatever happens.

moments = st.sampled_from([CLAIMED + hours * DAY / 2 for hours in range(100)])
purchases = st.builds(
    bought,
    st.integers(1, 6),
    st.integers(0, 4_000),
    at=st.sampled_from([CLAIMED + days * DAY for days in range(-3, 33)]),
    returned=st.booleans(),
)
evidence = st.builds(
    Judgement,
    st.lists(purchases, max_size=4, unique_by=lambda fact: fact.id),
    st.frozensets(st.sampled_from(Sign), max_size=3) | st.just(frozenset[Sign]()),
    moments,
)
by_hand: list[Callable[[Referral, datetime], Referral]] = [
    lambda its, now: approved(its, KEY, now),
    lambda its, now: refused_by_hand(its, KEY, now),
]
moves = st.lists(evidence | st.tuples(st.sampled_from(by_hand), moments), max_size=8)
claims = st.builds(
    referral,
    claimed_with=st.none() | st.integers(1, 6).map(lambda number: UUID(int=number)),
    terms=st.builds(
        offer,
        waiting_days=st.sampled_from([0, 14]),
        qualification=st.sampled_from([{"kind": "purchase", "minimum": {"EUR": 2_000}}, {"kind": "purchase"}]),
    ),
)


def moved(its: Referral, move: Any) -> Referral:
    """Judge a referral, or decide by hand; where that can't be, it stays as it is."""
    if isinstance(move, Judgement):
        return judge(its, move)
    decide, now = move
    try:
        return decide(its, now)
    except ReferralNotOpen:
        return its


@given(claims, moves)
def test_a_referral_can_be_stored_wherever_it_gets_to(its: Referral, made: list[Any]) -> None:
    for move in made:
        its = moved(its, move)
        assert not broken(its)


@given(claims, moves, evidence)
def test_to_judge_twice_by_the_same_changes_nothing(its: Referral, made: list[Any], by: Judgement) -> None:
    for move in made:
        its = moved(its, move)
    once = judge(its, by)
    assert judge(once, by) == once


@given(st.sampled_from(S), moves)
def test_what_is_decided_stays_so_and_what_was_given_is_only_taken_back(state: S, made: list[Any]) -> None:
    its = referral(state)
    for move in made:
        before, its = its, moved(its, move)
        assert not broken(its)
        if before.state is S.REWARDED:
            assert its.state in {S.REWARDED, S.REVERSED}
        elif before.state not in OPEN:
            assert its == before
        elif before.state in UNDECIDED:
            assert its.state is not S.SIGNED_UP
        gave = (before.referrer_gave, before.referee_gave, before.number, before.rewarded_at)
        assert (its.referrer_gave, its.referee_gave, its.number, its.rewarded_at) == gave


@given(claims, evidence, st.randoms(use_true_random=False))
def test_the_order_in_which_facts_are_known_changes_no_judgement(its: Referral, by: Judgement, random: Any) -> None:
    other = msgspec.structs.replace(by, facts=random.sample(list(by.facts), len(by.facts)))
    assert judge(its, by) == judge(its, other)


@given(claims, evidence)
def test_one_that_a_purchase_marked_is_judged_as_if_the_job_had_found_it(its: Referral, by: Judgement) -> None:
    marked = judge(qualified(its, by.now), by)
    found = judge(its, by)
    assert marked == found or marked.reason is ReferralReason.RETURNED


def test_who_is_reviewed_stays_so_until_somebody_decides() -> None:
    """Also where what spoke against it is gone: somebody was to look at it."""
    reviewed = referral(S.IN_REVIEW, signs=(Sign.PRIZE_UNAVAILABLE, Sign.SAME_DEVICE))
    found = judge(reviewed, seen(bought(), now=NOW))
    assert (found.state, found.signs, found.look_at) == (S.IN_REVIEW, (Sign.PRIZE_UNAVAILABLE,), None)
    assert judge(reviewed, seen(now=NOW)).state is S.REFUSED, "but what came back ends it"


@pytest.mark.parametrize("sign", [Sign.RING, Sign.NOT_NEW, Sign.SAME_CUSTOMER, Sign.ALREADY_REFERRED])
def test_what_is_refused_always_is_refused_whoever_approved_it(sign: Sign) -> None:
    its = referral(S.WAITING, reviewed_by=KEY, reviewed_at=NOW)
    found = judge(its, seen(bought(), now=NOW, signs={sign}))
    assert (found.state, found.reason) == (S.REFUSED, reason_of(sign))
