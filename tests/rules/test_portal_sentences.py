"""What the customer's page says of rewards, games, invoices, levels and ways to earn, by what it is told."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from service.points.rules import Cause
from service.portal.pages import earning, history, offers
from service.portal.pages.words import Words
from service.portal.schemas import PendingOut, Until, WayOut
from service.programs.payment_terms import PaymentMode
from service.rewards.rules import Gift, WhyNot
from tests.portal_examples import NOW, invoice, reward, transfer, usual

WORDS = Words("en_GB", "Europe/Berlin", NOW)
NAMES = offers.Names({}, {"gold": "Gold"})
GAME = usual().games[0]
_replace = msgspec.structs.replace


def test_of_every_reward_out_of_reach_it_is_told_why() -> None:
    def why(why: WhyNot | None, missing: int | None = None, tier: str | None = None) -> str | None:
        its = reward("rwd_1", "Mug", 900, Gift("A mug"), missing=missing, why=why, tier=tier)
        return offers.why_not(its, NAMES, WORDS)

    assert why(None) is None
    assert why(None, 1) == "1 point to go"
    assert why(None, 1200) == "1,200 points to go"
    assert why(WhyNot.TIER_TOO_LOW, tier="gold") == "From level Gold on"
    assert why(WhyNot.TIER_TOO_LOW, tier="gone") == "For a higher level"
    assert all(why(each) for each in WhyNot)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"left_today": 0}, "That was all for today. Come back tomorrow!"),
        ({"left_granted": 0}, "You have no play left. New ones come from time to time."),
        ({"points": 3000}, "520 points to go"),
        ({"open": False}, "Not open at the moment"),
    ],
)
def test_of_a_game_that_cant_be_played_it_is_told_why(changes: dict[str, Any], said: str | None) -> None:
    assert offers.closed(_replace(GAME, **changes), 2480, WORDS) == said


def test_an_invoice_tells_what_paying_now_saves_and_counts_down_its_steps() -> None:
    told = earning.bill(invoice("2026-0117", 200_000), WORDS)
    assert (told.title, told.open, told.pay, told.saves) == ("2026-0117", "€2,000.00", "€1,940.00", "€60.00")
    assert told.due == "Due on 17 Dec 2026"
    assert [(each.until, each.left, each.pay, each.saves) for each in told.steps] == [
        ("24 Nov 2026", "1 day left", "€1,940.00", "€60.00"),
        ("4 Dec 2026", "11 days left", "€1,960.00", "€40.00"),
    ]
    ends = told.steps[0].ends
    assert ends is not None
    assert ends.isoformat() == "2026-11-24T23:00:00+00:00"  # midnight in Berlin
    assert not told.more


def test_an_invoice_that_brings_points_says_to_pay_it_whole() -> None:
    its = invoice("2026-0117", 200_000)
    quote = _replace(its.quote, mode=PaymentMode.POINTS, points=6000)
    told = earning.bill(_replace(its, quote=quote, due_on=date(2026, 11, 20)), WORDS)
    assert (told.pay, told.saves, told.points) == ("€2,000.00", None, "6,000 points")
    assert told.until == "1 day left"
    assert told.due == "Was due on 20 Nov 2026"
    assert told.steps == []


def test_of_very_many_steps_the_next_are_told() -> None:
    its = invoice("2026-0117", 200_000)
    step = its.quote.steps[0]
    days = [_replace(step, until=step.until + timedelta(days=day)) for day in range(30)]
    told = earning.bill(_replace(its, quote=_replace(its.quote, steps=days)), WORDS)
    assert (len(told.steps), told.more) == (5, True)


def test_pending_points_tell_what_they_wait_for() -> None:
    cause = Cause("purchase", "1")
    later = NOW + timedelta(days=6)
    assert earning.pending(PendingOut(1, cause, later, Until.DATE, None), WORDS) == "Yours to spend from 29 Nov 2026"
    assert earning.pending(PendingOut(1, cause, None, Until.CONFIRMED, None), WORDS) == (
        "Yours to spend once the order is confirmed"
    )
    assert earning.pending(PendingOut(1, cause, None, Until.CONFIRMED, later), WORDS).endswith(
        "until 29 Nov 2026 at the latest"
    )


def test_every_way_to_earn_is_told() -> None:
    def way(kind: Any, **more: Any) -> str:
        return earning.way(WayOut("x", kind, "purchase", None, **more), WORDS)

    assert way("amount", points=1, amount=100, currency="EUR") == "1 point for every €1.00"
    assert way("amount", points=2, units=10) == "2 points for every 10 of your currency"
    assert way("items", points=5, pieces=3) == "5 points for every 3 items"
    assert way("items", points=5, pieces=1) == "5 points for every item"
    assert way("visit", points=10) == "10 points for your first purchase of the day"
    assert way("bonus", points=50) == "50 points"
    assert way("multiplier", factor_basis_points=15_000) == "1.5 times the points"
    assert way("tier", factor_basis_points=20_000) == "2 times the points"


def test_the_way_to_the_next_level_is_a_share() -> None:
    tier = usual().me.balance.tier
    assert tier is not None
    assert earning.tier_share(tier, {"gold": 1000}) == 38
    assert earning.tier_share(tier, {"gold": 620}) == 0
    assert earning.tier_share(tier, {"gold": 0}) is None
    assert earning.tier_share(tier, {}) is None
    assert earning.tier_share(None, {"gold": 1000}) is None
    assert earning.missing_for_tier(tier, WORDS) == "620 points more to Gold"
    assert earning.keeping(tier, WORDS) == "Silver is yours until 30 Jun 2027. 620 points more keep it longer."


@pytest.mark.parametrize(
    ("reason", "source", "target", "title", "sign", "where"),
    [
        ("purchase", "issued", "available", "Purchase 7", "+", None),
        ("purchase", "issued", "pending", "Purchase 7", "", "on their way"),
        ("redemption", "available", "held", "Purchase 7", "-", None),
        ("redemption", "held", "redeemed", "Purchase 7", "", "spent"),
        ("adjustment", "available", "issued", "Purchase 7", "-", None),
        ("something_new", "issued", "available", "Purchase 7", "+", None),
    ],
)
def test_history_tells_what_became_of_what_can_be_spent(
    reason: str, source: str, target: str, title: str, sign: str, where: str | None
) -> None:
    told = history.told(transfer(reason, source, target, 120, Cause("purchase", "7"), 1), WORDS)
    assert (told.title, told.sign, told.where, told.amount) == (title, sign, where, "120")
    assert (told.day, told.machine_day) == ("22 Nov 2026", "2026-11-22")
    assert told.sentence


def test_ids_that_say_nothing_to_a_customer_are_not_told() -> None:
    assert history.named(Cause("redemption", "hold_0190"), WORDS) == "Reward"
    assert history.named(Cause("unheard_of", "x_0190"), WORDS) == "Booking"
