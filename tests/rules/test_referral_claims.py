"""Who is claimed by which code: alone, and among the facts of one batch."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.customers.rules import Customer, newcomer, with_purchase
from service.kernel.ids import IdSource
from service.points.account import Account
from service.programs.definitions import State
from service.programs.rules import Program
from service.referrals.claiming import Came, Known, Referring, Told, claim
from service.referrals.codes.rules import key_of
from service.referrals.offers import FOLLOWED_ONLY
from service.referrals.rules import Code, CodeUnusable, Fact, Referral, ReferralState
from tests.rules.referrals import CLAIMED, DAY, MOMENT, REFEREE, REFERRER, bought, broken, did, offer, program, version
from tests.rules.test_referral_book import TIERED, TIERS

S = ReferralState
FRIENDS = program(friends=[version(3, offer(qualification={"kind": "purchase", "minimum": {"EUR": 2_000}}))])
MADE: Final = UUID(int=1)


def code(text: str = "ANNA", customer: int = REFERRER, **given: Any) -> Code:
    made = Code(UUID(int=customer), key_of(text) or "", text, customer, None, None, is_vanity=True, closed_at=None)
    return msgspec.structs.replace(made, **given)


def customer(its_id: int = REFEREE, **given: Any) -> Customer:
    return msgspec.structs.replace(newcomer(its_id, f"c-{its_id}", CLAIMED), **given)


def claimed(
    by: Code | None = None, referee: Customer | None = None, came: Sequence[Came] = (), **given: Any
) -> Referral:
    """Claim somebody who enrolled just now."""
    told: dict[str, Any] = {"program": FRIENDS, "referral_id": MADE, "now": CLAIMED} | given
    made = claim(by or code(), referee=referee or customer(), came=came, **told)
    assert not broken(made)
    return made


def is_refused(
    by: Code | None = None, referee: Customer | None = None, came: Sequence[Came] = (), **given: Any
) -> bool:
    try:
        claimed(by, referee, came, **given)
    except CodeUnusable:
        return True
    return False


def test_a_claim_is_by_the_offer_of_now_whatever_becomes_of_it() -> None:
    made = claimed()
    assert (made.referrer, made.referee, made.code_id) == (REFERRER, REFEREE, code().id)
    assert (made.offer, made.offer_version, made.state) == ("friends", 3, S.SIGNED_UP)
    assert (made.claimed_at, made.counts_from, made.expires_at) == (CLAIMED, CLAIMED - DAY, CLAIMED + 30 * DAY)
    assert made.look_at == made.expires_at
    assert made.terms == offer(qualification={"kind": "purchase", "minimum": {"EUR": 2_000}})
    assert claimed(program=program()).terms == FOLLOWED_ONLY


def test_all_that_can_not_be_claimed_is_refused_alike() -> None:
    with pytest.raises(CodeUnusable) as unknown:
        claim(None, program=FRIENDS, referee=customer(), came=[], referral_id=MADE, now=CLAIMED)
    with pytest.raises(CodeUnusable) as own:
        claimed(code(customer=REFEREE))
    assert (unknown.value.pointer, unknown.value.detail) == (own.value.pointer, own.value.detail)
    assert is_refused(code(closed_at=CLAIMED))
    assert is_refused(code(offer="summer")), "there is no such offer"
    assert is_refused(program=program(friends=[version(1, offer(), state=State.PAUSED)]))


def test_a_code_stands_for_what_its_owner_has_the_tier_for() -> None:
    its = program(tiers=TIERS, settings=TIERED, golden=[version(1, offer(minimum_tier="gold"))])
    assert is_refused(program=its)
    assert claimed(code(tier="gold"), program=its).offer == "golden"
    summer = program(summer=[version(1, offer(campaign="S"))], friends=[version(1, offer())])
    assert claimed(code(offer="summer"), program=summer).offer == "summer"
    assert claimed(program=summer).offer == "friends"


def test_who_is_claimed_is_new() -> None:
    assert is_refused(referee=with_purchase(customer(), CLAIMED, 0))
    month = 30 * DAY
    assert not is_refused(referee=customer(enrolled_at=CLAIMED - month))
    assert is_refused(referee=customer(enrolled_at=CLAIMED - month - MOMENT))
    assert not is_refused(referee=customer(lifetime_earned=50)), "an activity makes nobody an old customer"


def test_nobody_is_claimed_twice_and_no_two_bring_each_other() -> None:
    assert is_refused(came=[Came(REFEREE, 99)])
    assert is_refused(came=[Came(REFERRER, REFEREE)])
    assert not is_refused(came=[Came(REFERRER, 99), Came(99, REFEREE), Came(99, REFERRER)])


def test_somebody_who_is_not_enrolled_yet_is_claimed_ahead() -> None:
    made = claim(code(), program=FRIENDS, referee=None, came=[Came(REFERRER, 99)], referral_id=MADE, now=CLAIMED)
    assert (made.referee, made.state, made.look_at) == (None, S.SIGNED_UP, CLAIMED + 30 * DAY)
    assert not broken(made)


FIRST = datetime.min.replace(tzinfo=CLAIMED.tzinfo)


@pytest.mark.parametrize(
    ("occurred_at", "counts_from"),
    [
        (CLAIMED + timedelta(minutes=5), CLAIMED - DAY),
        (CLAIMED - 90 * DAY, CLAIMED - 91 * DAY),
        (FIRST + DAY + MOMENT, FIRST + MOMENT),
        (FIRST + DAY, FIRST + MOMENT),
        (FIRST + MOMENT, FIRST + MOMENT),
    ],
)
def test_what_occurred_within_a_day_before_counts_also_in_the_year_one(
    occurred_at: datetime, counts_from: datetime
) -> None:
    """The very first moment can't be stored: nothing begins with it."""
    made = claimed(occurred_at=occurred_at, claimed_with=UUID(int=5))
    assert (made.counts_from, made.claimed_with) == (counts_from, UUID(int=5))


# Facts of one batch.


class Batch:
    """A batch of facts of new customers, in which codes of others are known."""

    def __init__(self, its: Program = FRIENDS, *codes: Code, **known: Any) -> None:
        self.ids = IdSource(CLAIMED, 0)
        self.referring = Referring(its, Known(codes={each.key: each for each in codes}, **known))
        self.accounts = dict[int, Account]()

    def account(self, its_id: int, **given: Any) -> Account:
        """Give a customer's account; who is not there yet enrolled just now."""
        if its_id not in self.accounts:
            self.accounts[its_id] = Account(customer(its_id, **given), CLAIMED, self.ids, {}, {})
        return self.accounts[its_id]

    def buy(self, its_id: int, purchase: Fact, typed: str | None = None) -> Told | None:
        """Report a purchase, as booking does: the code first, then the customer's counters. None: no referral."""
        told = self.tell(its_id, purchase, typed)
        return None if told is None or told.id is None else told

    def tell(self, its_id: int, purchase: Fact, typed: str | None) -> Told | None:
        """Report it likewise; gives what is kept of the answer."""
        to = self.account(its_id)
        told = self.referring.bought(typed, to, purchase)
        to.customer = with_purchase(to.customer, purchase.at, 0)
        return told

    def news(self, its_id: int) -> list[str]:
        """Give what is told of a customer, in order."""
        return [each for each, _ in self.accounts[its_id].news]


def test_only_who_is_new_can_learn_by_a_purchase_whether_a_code_is_good() -> None:
    """So only these count as guesses."""
    batch = Batch(FRIENDS, code())
    guessed = batch.tell(8, bought(5), "no such code")
    assert guessed == Told(S.REFUSED)
    assert [batch.tell(8, bought(6), each) for each in ("no such code", "ANNA", None)] == [None, None, None]


def test_a_purchase_with_a_code_claims_and_qualifies_in_one() -> None:
    batch = Batch(FRIENDS, code())
    told = batch.buy(8, bought(5, 2_000), " an-na ")
    (made,) = batch.referring.claimed.values()
    assert told == Told(S.QUALIFIED, made.id)
    assert (made.state, made.qualified_at, made.look_at, made.claimed_with) == (
        S.QUALIFIED,
        CLAIMED,
        CLAIMED,
        UUID(int=5),
    )
    assert batch.news(8) == ["referral.signed_up", "referral.qualified"]
    assert (batch.accounts[8].customer.open_referral, batch.referring.changed) == (None, {})
    assert not broken(made)


def test_one_that_is_not_enough_waits_for_the_next() -> None:
    batch = Batch(FRIENDS, code())
    told = batch.buy(8, bought(5, 1_999), "ANNA")
    (made,) = batch.referring.claimed.values()
    assert told == Told(S.SIGNED_UP, made.id)
    assert batch.accounts[8].customer.open_referral == made.id
    assert batch.buy(8, bought(6, 2_000)) is None
    assert [each.state for each in batch.referring.claimed.values()] == [S.QUALIFIED]
    assert batch.news(8) == ["referral.signed_up", "referral.qualified"]
    batch.buy(8, bought(7, 2_000))
    assert batch.news(8) == ["referral.signed_up", "referral.qualified"], "it qualified once"


def test_of_two_codes_of_one_new_customer_the_first_claims() -> None:
    for total in (2_000, 1):
        batch = Batch(FRIENDS, code("ANNA", 7), code("BERT", 9))
        first, second = batch.buy(8, bought(5, total), "ANNA"), batch.buy(8, bought(6, total), "BERT")
        assert first is not None
        assert second is None
        assert [(each.referrer, each.referee) for each in batch.referring.claimed.values()] == [(7, 8)]


def test_a_code_that_can_not_be_used_books_the_purchase_and_the_next_one_comes_too_late() -> None:
    batch = Batch(FRIENDS, code())
    assert [batch.buy(8, bought(5), typed) for typed in ("NOBODY", "ANNA")] == [None, None]
    for typed in ("", "x", "ANNA\x00", "\U0001f600" * 5_000, "\ud800"):
        assert batch.buy(10, bought(7), typed) is None
    assert not batch.referring.claimed
    assert batch.news(8) == []


def test_two_new_customers_with_each_others_codes_are_one_referral() -> None:
    batch = Batch(FRIENDS, code("ANNA", 7), code("BERT", 8))
    told = [batch.buy(7, bought(5), "BERT"), batch.buy(8, bought(6), "ANNA")]
    assert [each is None for each in told] == [False, True]
    assert [(each.referrer, each.referee) for each in batch.referring.claimed.values()] == [(8, 7)]


def test_many_new_customers_with_one_code_are_claimed_each() -> None:
    batch = Batch(FRIENDS, code("ANNA", 7))
    for each in range(10, 30):
        assert batch.buy(each, bought(each), "ANNA") is not None
    assert {each.referee for each in batch.referring.claimed.values()} == set(range(10, 30))
    assert len({each.id for each in batch.referring.claimed.values()}) == 20


def test_who_was_claimed_already_in_whatever_way_is_not_claimed_again() -> None:
    assert Batch(FRIENDS, code(), came=[Came(8, 99)]).buy(8, bought(5), "ANNA") is None
    assert Batch(FRIENDS, code(), ahead=frozenset({"c-8"})).buy(8, bought(5), "ANNA") is None
    batch = Batch(FRIENDS, code())
    batch.account(8, open_referral=UUID(int=99))
    assert batch.buy(8, bought(5), "ANNA") is None
    assert batch.accounts[8].customer.open_referral == UUID(int=99)


def open_one(*so_far: Fact, **terms: Any) -> Batch:
    """Make a batch in which customer 8 came by a referral before."""
    its = msgspec.structs.replace(claimed(referral_id=UUID(int=42)), terms=offer(**terms))
    batch = Batch(FRIENDS, open={its.id: (its, so_far)})
    batch.account(8, open_referral=its.id)
    return batch


def test_facts_so_far_count_with_those_of_the_batch() -> None:
    batch = open_one(bought(4, 600), qualification={"kind": "spend", "amounts": {"EUR": 1_000}})
    batch.buy(8, bought(5, 399))
    assert (batch.referring.changed, batch.news(8)) == ({}, [])
    batch.buy(8, bought(6, 1))
    (done,) = batch.referring.changed.values()
    assert (done.id, done.state, done.qualified_at) == (UUID(int=42), S.QUALIFIED, CLAIMED)
    assert (batch.accounts[8].customer.open_referral, batch.referring.claimed) == (None, {})
    batch.buy(8, bought(7, 9_999))
    assert batch.news(8) == ["referral.qualified"]


def test_activities_count_where_one_is_asked() -> None:
    batch = open_one(qualification={"kind": "activity", "type": "install"})
    for fact, state in ((did(4, "survey"), []), (did(5, "install"), [S.QUALIFIED])):
        batch.referring.count(batch.accounts[8], fact)
        assert [each.state for each in batch.referring.changed.values()] == state


def test_an_activity_from_before_the_claim_is_found_soon_and_not_when_its_time_is_over() -> None:
    """The claim doesn't know it: the job looks at once."""
    its = program(friends=[version(1, offer(qualification={"kind": "activity", "type": "install"}))])
    assert claimed(referee=customer(is_new=False), program=its).look_at == CLAIMED
    assert claimed(referee=customer(is_new=True), program=its).look_at == CLAIMED + 30 * DAY
    ahead = claim(code(), program=its, referee=None, came=[], referral_id=MADE, now=CLAIMED)
    assert ahead.look_at == CLAIMED + 30 * DAY, "who isn't enrolled has done nothing"


def test_what_did_not_happen_in_the_window_does_not_count() -> None:
    batch = open_one()
    batch.buy(8, bought(5, at=CLAIMED - DAY - MOMENT))
    assert batch.referring.changed == {}
    batch.buy(8, bought(6, at=CLAIMED - DAY))
    assert [each.state for each in batch.referring.changed.values()] == [S.QUALIFIED]


@pytest.mark.parametrize("state", [each for each in S if each is not S.SIGNED_UP])
def test_a_row_that_names_what_is_open_no_more_keeps_nobody_from_buying(state: S) -> None:
    its = msgspec.structs.replace(claimed(), state=state)
    batch = Batch(FRIENDS, open={its.id: (its, ())})
    batch.account(8, open_referral=its.id)
    batch.buy(8, bought(5))
    assert (batch.referring.changed, batch.news(8)) == ({}, [])
    assert batch.accounts[8].customer.open_referral is None


def test_a_referral_that_was_not_read_changes_nothing() -> None:
    batch = Batch()
    batch.account(8, open_referral=UUID(int=42))
    batch.buy(8, bought(5))
    assert (batch.referring.claimed, batch.referring.changed) == ({}, {})


def test_a_dry_run_claims_who_would_be_enrolled_by_it() -> None:
    """Who isn't enrolled has an id below zero there."""
    batch = Batch(FRIENDS, code("ANNA", 7))
    told = [batch.buy(each, bought(5 - each), "ANNA") for each in (-1, -2)]
    assert [each.status for each in told if each] == [S.QUALIFIED, S.QUALIFIED]


people = st.integers(1, 4)
steps = st.lists(
    st.tuples(people, st.none() | people, st.sampled_from([1, 1_999, 2_000])),
    max_size=12,
)


@given(steps)
def test_whatever_codes_come_in_a_batch_each_is_claimed_once_and_never_by_who_was_brought(made: list[Any]) -> None:
    batch = Batch(FRIENDS, *(code(f"CODE{each}", each) for each in range(1, 5)))
    had_bought = set[int]()
    for number, (buyer, brought_by, total) in enumerate(made, 1):
        told = batch.buy(buyer, bought(number, total), None if brought_by is None else f"code-{brought_by}")
        assert told is None or (buyer not in had_bought and buyer != brought_by)
        had_bought.add(buyer)
    found = list(batch.referring.claimed.values())
    referees = [each.referee for each in found]
    assert len(referees) == len(set(referees))
    pairs = [frozenset({each.referee, each.referrer}) for each in found]
    assert len(pairs) == len(set(pairs))
    for each in found:
        assert not broken(each)
        spent = [total for buyer, _, total in made if buyer == each.referee]
        assert each.state is (S.QUALIFIED if max(spent) >= 2_000 else S.SIGNED_UP)
        account = batch.accounts[each.referee or 0]
        assert (account.customer.open_referral == each.id) == (each.state is S.SIGNED_UP)
        assert batch.news(each.referee or 0).count("referral.qualified") == (each.state is S.QUALIFIED)
