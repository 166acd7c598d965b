"""Two records that become one, and one that is closed: nothing is lost, and nothing comes from nowhere."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.customers.rules import (
    Attribute,
    Balance,
    Profile,
    filled,
    identities,
    newcomer,
    normal_email,
    with_purchase,
)
from service.kernel.ids import IdSource
from service.points.account import Account
from service.points.merging import close, merge
from service.points.reversing import take_back
from service.points.rules import Alive, Bucket, Cause, HoldStatus, Life
from service.points.settling import settle

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MERGE, BOUGHT = Cause("merge", "mrg_1"), Cause("purchase", "o-1")


class Owns(msgspec.Struct, frozen=True):
    """What a record has before: lots, some pending, points held, and points owed where it has spent all."""

    lots: list[int]
    pending: list[int]
    held: int
    owes: int


OWNS = st.builds(
    Owns,
    st.lists(st.integers(1, 50), max_size=3),
    st.lists(st.integers(1, 50), max_size=2),
    st.integers(0, 30),
    st.integers(0, 80),
)


def account(number: int, owns: Owns) -> Account:
    made = Account(newcomer(number, f"c-{number}", NOW), NOW, IdSource(NOW, number), {}, {})
    for points in owns.lots:
        grant(made, points, Life(expires_at=NOW + points * DAY))
    for points in owns.pending:
        grant(made, points, Life(available_at=NOW + DAY))
    made.customer = with_purchase(made.customer, NOW - number * DAY, sum(owns.lots))
    held = min(owns.held, made.customer.balance.available)
    if held:
        made.hold(held, hold_id=made.ids.next(), expires_at=NOW + DAY, cause=BOUGHT)
    if owns.owes:
        take_back(made, owns.owes, lot_id=made.ids.next(), cause=BOUGHT, at=NOW, debt_limit=None)
    return made


def grant(into: Account, points: int, life: Life) -> None:
    into.grant(
        points,
        transfer_id=into.ids.next(),
        cause=BOUGHT,
        rule="base",
        rule_version=1,
        occurred_at=NOW,
        life=life,
    )


def worth(balance: Balance) -> int:
    return balance.available + balance.pending + balance.held - balance.debt


@given(OWNS, OWNS)
def test_a_merge_keeps_what_both_have_and_owe_together(first: Owns, second: Owns) -> None:
    source, target = account(1, first), account(2, second)
    before = worth(source.customer.balance) + worth(target.customer.balance)
    held = source.customer.balance.held + target.customer.balance.held
    merge(source, target, MERGE)
    gone, kept = source.closed(), target.closed()
    assert gone.balance == Balance()
    assert (gone.purchase_count, gone.lifetime_earned, gone.next_due_at) == (0, 0, None)
    assert worth(kept.balance) == before
    assert kept.balance.held == held
    assert not (kept.balance.debt and kept.balance.available)
    lots, holds = target.read()
    assert kept.balance.available + kept.balance.pending == sum(lot.remaining for lot in lots.values())
    assert kept.balance.held == sum(hold.points for hold in holds.values())
    assert {each.customer_id for each in [*lots.values(), *holds.values()]} <= {2}
    assert kept.purchase_count == 2
    assert kept.first_purchase_at == NOW - 2 * DAY
    assert kept.last_purchase_at == NOW - DAY
    # What the merge took out of one record it put into the other.
    moves = [each for each in [*source.transfers, *target.transfers] if each.reason == "merge"]
    out = sum(each.points for each in moves if each.target is Bucket.ISSUED)
    assert out == sum(each.points for each in moves if each.source is Bucket.ISSUED)


@given(OWNS)
def test_who_is_erased_has_nothing_and_owes_nothing(owns: Owns) -> None:
    closed = account(1, owns)
    told = len(closed.news)
    close(closed, Cause("erasure", "ers_1"))
    assert closed.closed().balance == Balance()
    assert closed.customer.next_due_at is None
    lots, holds = closed.read()
    assert not any(lot.remaining for lot in lots.values())
    assert all(hold.status is HoldStatus.LAPSED for hold in holds.values())
    assert len(closed.news) == told


def test_what_slides_is_kept_alive_by_whoever_was_there_last() -> None:
    source, target = (account(number, Owns([], [], 0, 0)) for number in (1, 2))
    source.touch(Alive(NOW + 30 * DAY, NOW + 20 * DAY))
    target.touch(Alive(NOW + 10 * DAY, NOW + 5 * DAY))
    grant(source, 10, Life(slides=True))
    grant(target, 5, Life(slides=True))
    merge(source, target, MERGE)
    kept = target.closed()
    assert (kept.alive_until, kept.notify_at, kept.sliding) == (NOW + 30 * DAY, NOW + 20 * DAY, 15)
    assert kept.next_due_at == NOW + 20 * DAY


@pytest.mark.parametrize("told_is_target", [False, True])
def test_who_was_not_told_yet_of_the_end_that_the_other_was_told_of_is_told_before_it_comes(
    *, told_is_target: bool
) -> None:
    """The end that is later is the one of both; ten days before it is when those must know whose end was sooner."""
    told, untold = (account(number, Owns([], [], 0, 0)) for number in (1, 2))
    told.touch(Alive(NOW + 9 * DAY, None))
    untold.touch(Alive(NOW + 8 * DAY, NOW - 2 * DAY))
    for each in (told, untold):
        grant(each, 10, Life(slides=True, needs_notice=True))
    source, target = (untold, told) if told_is_target else (told, untold)
    merge(source, target, MERGE)
    kept = target.closed()
    assert (kept.alive_until, kept.notify_at, kept.sliding) == (NOW + 9 * DAY, NOW - 1 * DAY, 20)
    settle(target)
    # The notice comes a day late, so that the points end a day later.
    assert [(each.points, each.ends_at) for each in target.notices] == [(20, NOW + 10 * DAY)]
    target.now = NOW + 10 * DAY
    settle(target)
    assert target.closed().balance == Balance()


def test_who_was_told_and_has_nothing_that_slides_from_the_other_is_told_once() -> None:
    told, other = (account(number, Owns([], [], 0, 0)) for number in (1, 2))
    told.touch(Alive(NOW + 9 * DAY, None))
    other.touch(Alive(NOW + 8 * DAY, NOW - 2 * DAY))
    grant(told, 10, Life(slides=True, needs_notice=True))
    merge(other, told, MERGE)
    assert told.closed().notify_at is None


def test_a_profile_keeps_its_own_and_takes_what_it_lacks() -> None:
    many: dict[str, Attribute] = {f"a{number}": number for number in range(49)}
    kept = filled(Profile(email="a@x.de", attributes={"one": 1}), Profile(email="b@x.de", name="Ann", attributes=many))
    assert (kept.email, kept.name, kept.attributes["one"], len(kept.attributes)) == ("a@x.de", "Ann", 1, 50)
    assert filled(kept, Profile(attributes={"more": 1})) == kept


def test_one_person_is_known_again_in_other_spellings() -> None:
    assert normal_email("Ann.Lee+shop@Example.ORG") == normal_email("annlee@example.org") == "annlee@example.org"
    known = identities(Profile(email="Ann@x.de", phone="+49 (0)228 / 12-34"))
    assert known == [("email", "ann@x.de"), ("phone", "4902281234")]
    assert identities(Profile()) == []


def test_what_names_nobody_is_nobodys_identity() -> None:
    """Else whoever leaves as little would be taken for the one who was erased."""
    assert identities(Profile(email="+shop@x.de", phone="n/a")) == []
    assert identities(Profile(phone="000")) == []
