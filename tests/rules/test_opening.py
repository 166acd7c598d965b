"""What customers bring from elsewhere, and what it comes to."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from service.customers.rules import Balance, newcomer
from service.kernel.errors import Invalid
from service.kernel.ids import IdSource
from service.opening_balances.rules import MOST_LOTS, Brought, OpeningBalance, bring_in, normalised
from service.platform.claims import content_hash
from service.points.account import Account
from service.points.rules import NEVER, Alive, Bucket, Cause
from service.programs.policies import ExpiryNotice, ExpiryPolicy, RollingExpiry, SlidingExpiry
from service.programs.rules import Program, ProgramSettings, SettingsVersion
from service.tiers.climbing import Climbing

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ROW = UUID(int=7)


def program(expiry: ExpiryPolicy = "never") -> Program:
    return Program(1, "shop", "Shop", live=False, newest=SettingsVersion(1, ProgramSettings(expiry=expiry)))


def account(balance: Balance | None = None) -> Account:
    customer = msgspec.structs.replace(newcomer(1, "c-1", NOW), balance=balance or Balance())
    return Account(customer, NOW, IdSource(NOW, 1), {}, {})


def lot(points: int = 100, earned_at: datetime = NOW - 400 * DAY, **more: Any) -> dict[str, Any]:
    return {"points": points, "earned_at": earned_at} | more


def opening(*lots: dict[str, Any], **more: Any) -> OpeningBalance:
    body = {"id": "old-1", "customer_id": "c-1", "lots": list(lots)} | more
    return normalised(msgspec.convert(body, OpeningBalance))


def brought(to: Account, of: OpeningBalance, expiry: ExpiryPolicy = "never") -> Brought:
    return bring_in(of, to, Climbing(program(expiry)), ROW)


def test_each_lot_is_a_transfer_out_of_issued_with_its_own_times() -> None:
    to = account()
    lots = (lot(100, expires_at=NOW + DAY), lot(50, NOW - DAY, expires_at=None), lot(30, available_at=NOW + 2 * DAY))
    assert brought(to, opening(*lots)) == Brought(180, 0, Balance(available=150, pending=30))
    first, second, third = to.granted.values()
    assert (first.granted, first.expires_at, second.expires_at) == (100, NOW + DAY, NEVER)
    assert (third.is_pending, third.available_at, third.lapses) == (True, NOW + 2 * DAY, False)
    assert [each.occurred_at for each in to.transfers] == [NOW - 400 * DAY, NOW - DAY, NOW - 400 * DAY]
    assert {(each.reason, each.cause) for each in to.transfers} == {
        ("opening_balance", Cause("opening_balance", "old-1"))
    }
    assert len({each.id for each in to.transfers}) == 3
    assert to.customer.lifetime_earned == 0


def test_it_adds_to_what_the_customer_has_and_repays_what_the_customer_owes() -> None:
    rich = account()
    brought(rich, opening(lot(100)))
    assert brought(rich, opening(lot(50), id="old-2")).balance == Balance(available=150)
    poor = account(Balance(debt=70))
    assert brought(poor, opening(lot(100))).balance == Balance(available=30)


def test_a_debt_is_brought_too_and_points_that_are_there_repay_it() -> None:
    to = account()
    assert brought(to, opening(debt=70)) == Brought(0, 70, Balance(debt=70))
    (transfer,) = to.transfers
    assert (transfer.source, transfer.target, transfer.occurred_at) == (Bucket.DEBT, Bucket.ISSUED, NOW)
    rich = account()
    brought(rich, opening(lot(100)))
    assert brought(rich, opening(debt=70, id="old-2")).balance == Balance(available=30)
    richer = account()
    brought(richer, opening(lot(10), lot(10)))
    assert brought(richer, opening(debt=70, id="old-2")).balance == Balance(debt=50)


def test_who_has_a_debt_brings_no_available_points_but_may_bring_pending_ones() -> None:
    to = account()
    for lots in ((lot(1),), (lot(1, available_at=NOW),), (lot(1, available_at=NOW + DAY), lot(1))):
        with pytest.raises(Invalid) as refusal:
            brought(to, opening(*lots, debt=70))
        assert refusal.value.pointer == "/debt"
    assert to.transfers == []
    assert brought(to, opening(lot(1, available_at=NOW + DAY), debt=70)).balance == Balance(pending=1, debt=70)


def test_it_may_be_nothing_at_all() -> None:
    assert brought(account(), opening()) == Brought(0, 0, Balance())


def test_without_a_time_of_their_own_points_end_as_the_program_says_of_when_they_were_earned() -> None:
    to = account()
    brought(to, opening(lot(1, NOW - 10 * DAY), lot(2, NOW - 400 * DAY, expires_at=None)), RollingExpiry(days=30))
    assert [each.expires_at for each in to.granted.values()] == [datetime(2026, 12, 12, tzinfo=UTC), NEVER]


@pytest.mark.parametrize(
    ("given", "expiry"),
    [
        (lot(expires_at=NOW), "never"),
        (lot(expires_at=NOW + DAY, available_at=NOW + DAY), "never"),
        (lot(earned_at=NOW - 40 * DAY), RollingExpiry(days=30)),
        (lot(earned_at=NOW - DAY, available_at=NOW + 35 * DAY), RollingExpiry(days=30)),
        (lot(earned_at=NOW - 40 * DAY), SlidingExpiry(days=30)),
        (lot(expires_at=NOW), RollingExpiry(days=30, notice=ExpiryNotice(days=5, required=True))),
    ],
)
def test_what_has_ended_is_refused_and_nothing_is_moved(given: dict[str, Any], expiry: ExpiryPolicy) -> None:
    to = account()
    with pytest.raises(Invalid) as refusal:
        brought(to, opening(lot(1, expires_at=None), given), expiry)
    assert refusal.value.pointer == "/lots/1/expires_at"
    assert (to.transfers, to.customer.alive_until) == ([], None)


def test_points_that_need_a_notice_have_not_ended_without_one() -> None:
    to = account()
    policy = RollingExpiry(days=30, notice=ExpiryNotice(days=5, required=True))
    assert brought(to, opening(lot(1, NOW - 40 * DAY)), policy).balance == Balance(available=1)


def test_sliding_points_live_from_the_last_time_that_any_were_earned() -> None:
    to = account()
    lots = (lot(1, NOW - 40 * DAY), lot(2, NOW - 10 * DAY))
    assert brought(to, opening(*lots), SlidingExpiry(days=30)).balance == Balance(available=3)
    assert to.customer.alive_until == datetime(2026, 12, 12, tzinfo=UTC)
    active = account()
    active.touch(Alive(NOW + 20 * DAY))
    assert brought(active, opening(lot(1, NOW - 40 * DAY)), SlidingExpiry(days=30)).balance.available == 1
    assert active.customer.alive_until == NOW + 20 * DAY


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        (lot(earned_at=NOW + timedelta(minutes=6)), "/lots/0/earned_at"),
        (lot(available_at=NOW + 3651 * DAY), "/lots/0/available_at"),
        (lot(earned_at=datetime(1, 1, 1, tzinfo=UTC)), "/lots/0/earned_at"),
    ],
)
def test_times_that_can_not_be_are_refused(given: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refusal:
        brought(account(), opening(given))
    assert refusal.value.pointer == pointer


def test_all_lots_together_are_bounded() -> None:
    with pytest.raises(Invalid) as refusal:
        opening(lot(10**12), lot(1))
    assert refusal.value.pointer == "/lots"
    with pytest.raises(msgspec.ValidationError):
        opening(*[lot(1)] * (MOST_LOTS + 1))


def test_content_is_the_same_however_a_time_is_spelled_and_null_is_another_content_than_nothing() -> None:
    def hashed(**more: Any) -> bytes:
        body = {"id": "old-1", "customer_id": "c-1", "lots": [{"points": 1, **more}]}
        return content_hash(normalised(msgspec.json.decode(msgspec.json.encode(body), type=OpeningBalance)))

    at = "2026-01-02T10:00:00Z"
    same = {hashed(earned_at=at), hashed(earned_at="2026-01-02T11:00:00+01:00", available_at=None)}
    assert len(same) == 1
    assert hashed(earned_at=at, expires_at=None) not in same
