"""Invoices of two half-years, as a billing system reports them; the report against a plain reckoning of each."""

import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil, sqrt
from typing import Any

import pytest

from service.platform.roles import Role
from tests import billing
from tests.conftest import NewShop
from tests.shop import Shop, unique

DAY = timedelta(days=1)
HALF_YEAR = 180
HORIZON = 90
REGIONS = ("north", "south", None)
POINTS = {"points": 3, "amount": 100}


@dataclass
class Paid:
    """What is left of a settlement."""

    paid_on: date
    settled: int
    cash: int
    discount: int
    tax_reduction: int
    points: int

    @property
    def off(self) -> int:
        """What was taken off."""
        return self.discount + self.tax_reduction


@dataclass
class Known:
    """An invoice, and all that was told of it."""

    id: str
    customer: str
    currency: str
    issued_on: date
    due_on: date | None
    source: str
    total: int
    tax: int
    credited: int = 0
    payments: dict[str, Paid] = field(default_factory=dict[str, Paid])

    @property
    def charged(self) -> int:
        """What it charges less credit notes."""
        return self.total - self.credited

    @property
    def open(self) -> int:
        """What isn't settled."""
        return self.charged - sum(each.settled for each in self.payments.values())

    @property
    def state(self) -> str:
        """How it stands."""
        return "nothing" if not self.charged else "open" if self.open else "settled"

    @property
    def paid_on(self) -> date:
        """The day on which all was paid."""
        return max(each.paid_on for each in self.payments.values() if each.settled)

    @property
    def days(self) -> int:
        """How long that took."""
        return (self.paid_on - self.issued_on).days

    def sums(self, name: str) -> int:
        """Sum a number over its payments."""
        return sum(getattr(each, name) for each in self.payments.values())

    @property
    def instead(self) -> int:
        """The least discount for which its points are given."""
        return sum(ceil(each.points * POINTS["amount"] / POINTS["points"]) for each in self.payments.values())

    @property
    def money_days(self) -> int:
        """For how long its money was open within the days that it is watched."""
        waited = sum(
            each.settled * min((each.paid_on - self.issued_on).days, HORIZON) for each in self.payments.values()
        )
        return waited + self.open * HORIZON


def quartiles(days: Iterable[int]) -> list[int | None]:
    """Give the first days by which a quarter, a half and three quarters were paid."""
    ordered = sorted(days)
    return [ordered[ceil(len(ordered) * part / 4) - 1] if ordered else None for part in (1, 2, 3)]


def until_paid(known: list[Known], today: date) -> list[int | None]:
    """Give likewise the days of all, by the product of what each day left."""
    times = [(each.days, True) if each.state == "settled" else ((today - each.issued_on).days, False) for each in known]
    left, found, quarter = Fraction(1), list[int | None](), 1
    for day in sorted({each for each, paid in times if paid}):
        at_risk = sum(each >= day for each, _ in times)
        left *= 1 - Fraction(sum(each == day and paid for each, paid in times), at_risk)
        while quarter < 4 and 1 - left >= Fraction(quarter, 4):
            found.append(day)
            quarter += 1
    return found + [None] * (4 - quarter)


def place(number: float | Fraction) -> float:
    """Round to one place, half away from zero."""
    size = int(abs(Fraction(number)) * 10 + Fraction(1, 2)) / 10
    return size if number >= 0 else -size


def reckon_one(known: list[Known], today: date) -> dict[str, Any]:
    """Reckon how invoices stand."""
    settled = [each for each in known if each.state == "settled"]
    waiting = [each for each in known if each.state == "open"]
    late = [each for each in settled if each.due_on and each.paid_on > each.due_on]
    over = [each for each in (*settled, *waiting) if each.due_on and each.due_on <= today]
    overdue = [each for each in waiting if each.due_on and each.due_on < today]
    early = [each for each in settled if each.due_on and each.paid_on < each.due_on]
    amount = sum(each.charged for each in settled)
    return {
        "invoices": len(known),
        "amount": sum(each.charged for each in known),
        "credited": sum(each.credited for each in known),
        "settled": len(settled),
        "open": len(waiting),
        "nothing": len(known) - len(settled) - len(waiting),
        "open_amount": sum(each.open for each in known),
        "settled_rate": (len(settled), len(settled) + len(waiting)),
        "days_to_pay": [
            place(statistics.mean(Fraction(each.days) for each in settled)) if settled else None,
            place(Fraction(sum(each.days * each.charged for each in settled), amount)) if settled else None,
            *quartiles(each.days for each in settled),
        ],
        "days_until_paid": until_paid([*settled, *waiting], today),
        "paid_early": (len(early), sum(each.due_on is not None for each in settled)),
        "paid_early_of_due": (len([each for each in early if each in over]), len(over)),
        "discounted": (sum(each.sums("off") > 0 for each in settled), len(settled)),
        "late": (len(late), sum(each.due_on is not None for each in settled)),
        "mean_days_late": place(Fraction(sum((each.paid_on - (each.due_on or today)).days for each in late), len(late)))
        if late
        else None,
        "overdue": len(overdue),
        "overdue_amount": sum(each.open for each in overdue),
        "given": {
            "discount": sum(each.sums("discount") for each in known),
            "tax_reduction": sum(each.sums("tax_reduction") for each in known),
            "cash": sum(paid.cash for each in known for paid in each.payments.values() if paid.off),
            "points": sum(each.sums("points") for each in known),
            "with_points": sum(each.sums("points") > 0 for each in known),
            "instead_of": sum(each.instead for each in known),
        },
    }


def told_one(body: dict[str, Any]) -> dict[str, Any]:
    """Give what a report tells of that."""
    shares = ("settled_rate", "paid_early", "paid_early_of_due", "discounted", "late")
    return (
        body
        | {name: [*body[name].values()] for name in ("days_to_pay", "days_until_paid")}
        | {name: (body[name]["many"], body[name]["of"]) for name in shares}
    )


def reckon_cost(known: list[Known], before: list[Known], year_days: int) -> dict[str, Any]:
    """Reckon what earlier cash cost, payment by payment."""
    settled = [each for each in before if each.state == "settled"]
    amount = sum(each.charged for each in settled)
    usual = Fraction(sum(each.days * each.charged for each in settled), amount) if amount else None

    def against(then: Callable[[Known], Fraction | int | None]) -> dict[str, Any]:
        given = cash = 0
        gained = Fraction()
        for each in known:
            for paid in each.payments.values():
                day = then(each)
                if paid.off and day is not None:
                    given, cash = given + paid.off, cash + paid.cash
                    gained += paid.cash * (day - (paid.paid_on - each.issued_on).days)
        rate = given * year_days * 10_000 / gained if gained > 0 and given else None
        return {
            "given": given,
            "cash": cash,
            "mean_days": place(gained / cash) if cash else None,
            "basis_points": None if rate is None else int(rate + Fraction(1, 2)),
        }

    return {
        "year_days": year_days,
        "against_due_day": against(lambda each: (each.due_on - each.issued_on).days if each.due_on else None),
        "against_before": against(lambda _: usual),
    }


def reckon_worth(known: list[Known], before: list[Known], today: date, capital: int, year_days: int) -> dict[str, Any]:
    """Reckon what earlier money was worth, with the error of each customer."""
    watched = [each for each in known if each.charged and (today - each.issued_on).days >= HORIZON]
    watched_before = [each for each in before if each.charged and (today - each.issued_on).days >= HORIZON]
    charged, money = defaultdict[str, list[int]](lambda: [0, 0]), defaultdict[str, list[int]](lambda: [0, 0])
    for number, times in enumerate((watched, watched_before)):
        for each in times:
            charged[each.customer][number] += each.charged
            money[each.customer][number] += each.money_days
    a1, a0 = (sum(each[number] for each in charged.values()) for number in (0, 1))
    r1, r0 = (sum(each[number] for each in money.values()) / of for number, of in ((0, a1), (1, a0)))
    errors = [
        (money[name][0] - r1 * charged[name][0]) / a1 - (money[name][1] - r0 * charged[name][1]) / a0
        for name in charged
    ]
    customers = len({each.customer for each in watched}), len({each.customer for each in watched_before})
    few = min(customers)
    spread = 1.959964 * sqrt(sum(each * each for each in errors) * few / (few - 1))
    given = [sum(each.sums("off") + each.instead for each in times) for times in (watched, watched_before)]
    more = given[0] - given[1] * a1 / a0
    a_day = (a1 - sum(each.sums("off") for each in watched)) * capital / 10_000 / year_days
    return {
        "invoices": (len(watched), len(watched_before)),
        "customers": customers,
        "outstanding": (r1, r0),
        "days": (r0 - r1, r0 - r1 - spread, r0 - r1 + spread),
        "more": more,
        "even": more / a_day,
        "gain": tuple(a_day * each - more for each in (r0 - r1, r0 - r1 - spread, r0 - r1 + spread)),
    }


class Biller:
    """A billing system with customers who pay as they do."""

    def __init__(self, shop: Shop, seed: int, customers: int, today: date) -> None:
        self.shop, self.dice, self.today = shop, random.Random(seed), today
        self.customers = [f"c-{number}" for number in range(customers)]
        self.known = list[Known]()

    async def issue(self, customer: str, issued_on: date, **changes: Any) -> Known:
        """Issue an invoice, with a discount of 2 % within 10 days where nothing else is said."""
        terms = changes.pop("terms", billing.TWO_PERCENT)
        body: dict[str, Any] = {"customer_id": customer, "issued_on": issued_on.isoformat(), "terms": terms} | changes
        answer = await billing.put(self.shop, unique("inv"), **body)
        assert answer.status == 201, answer.text
        its = answer.body
        due_on = None if its["due_on"] is None else date.fromisoformat(its["due_on"])
        source = its["agreed"]["source"]
        known = Known(its["id"], customer, its["currency"], issued_on, due_on, source, its["total"], its["tax"])
        self.known.append(known)
        return known

    async def pay(self, known: Known, days: int, part: float = 1.0, **more: Any) -> str | None:
        """Pay what closes it on a day, or a part; nothing where that day is still to come."""
        paid_on = known.issued_on + days * DAY
        if paid_on > self.today:
            return None
        payable = (await billing.quote(self.shop, known.id, paid_on.isoformat()))["payable"]
        if more.get("mode") == "points":
            payable = known.open
        amount = max(1, int(payable * part))
        answer = await billing.pay(self.shop, known.id, amount, paid_on.isoformat(), **more)
        assert answer.status == 201, answer.text
        its = answer.body
        cash, points = its["amount"] - its["overpaid"], its["points"]["instead_of_discount"]
        paid = Paid(paid_on, its["settled"], cash, its["discount"], its["tax_reduction"], points)
        known.payments[its["id"]] = paid
        return its["id"]

    async def bounce(self, known: Known, payment: str) -> None:
        """Let a payment bounce."""
        assert (await billing.reverse(self.shop, known.id, payment)).status == 200
        del known.payments[payment]

    async def credit(self, known: Known, of: int) -> None:
        """Credit one of so many parts of it today."""
        total = known.total // of
        told = {"total": total, "tax": known.tax // of, "issued_on": self.today.isoformat()}
        answer = await billing.credit(self.shop, known.id, **told)
        assert answer.status == 201, answer.text
        known.credited += total
        for each in answer.body["taken_back"]:
            its = known.payments[each["payment_id"]]
            its.settled -= each["settled"]
            its.cash -= each["cash"]
            its.discount -= each["discount"]
            its.tax_reduction -= each["tax_reduction"]
            its.points -= each["points"]

    async def live(self, first: date, days: int, usual: int, number: int, **changes: Any) -> None:
        """Let `number` invoices be issued on some days, which are paid about `usual` days later, or never."""
        for each in range(number):
            total = self.dice.randrange(1_000, 500_000)
            currency = "EUR" if each % 8 else "USD"
            issued_on = first + self.dice.randrange(days) * DAY
            tax = self.dice.choice([0, total // 6])
            customer = self.dice.choice(self.customers)
            known = await self.issue(customer, issued_on, total=total, tax=tax, currency=currency, **changes)
            await self._settle(known, max(0, usual + self.dice.randrange(-15, 20)))

    async def _settle(self, known: Known, days: int) -> None:
        what = self.dice.random()
        if what < 0.08:
            return
        if what < 0.2:
            await self.pay(known, days // 2, 0.4)
            await self.pay(known, days)
        elif what < 0.3:
            # Points are for invoices in the program's currency.
            await self.pay(known, days, mode="points" if known.currency == "EUR" else "discount")
        elif what < 0.36:
            paid = await self.pay(known, days)
            if paid is not None:
                await self.bounce(known, paid)
                await self.pay(known, days + 20, 0.999 if what < 0.33 else 1)
        elif what < 0.42:
            await self.pay(known, days)
            await self.credit(known, 1 if what < 0.38 else 3)
        else:
            await self.pay(known, days)


async def report(shop: Shop, query: str) -> dict[str, Any]:
    answer = await shop.get(f"/v1/early-payment-report{query}", Role.MARKETER)
    assert answer.status == 200, answer.text
    return answer.body


def split(known: list[Known], first: date) -> tuple[list[Known], list[Known]]:
    """Give those of the period, and those of the time before."""
    return [each for each in known if each.issued_on >= first], [each for each in known if each.issued_on < first]


def check(body: list[dict[str, Any]], known: list[Known], first: date, today: date) -> None:
    """Compare what is told of some invoices, by currency, with what is reckoned of them."""
    assert [each["currency"] for each in body] == sorted({each.currency for each in known})
    for told in body:
        its = [each for each in known if each.currency == told["currency"]]
        after, before = (
            [each for each in its if each.issued_on >= first],
            [each for each in its if each.issued_on < first],
        )
        assert told_one(told["period"]) == reckon_one(after, today)
        assert told_one(told["before"]) == reckon_one(before, today)
        assert told["cost"] == reckon_cost(after, before, 360)


@pytest.fixture
async def biller(new_shop: NewShop) -> Biller:
    """Give a billing system whose program gives points instead of a discount, too, and has years of 360 days."""
    shop = await new_shop(early_payment={"points": POINTS, "year_days": 360})
    today = datetime.fromisoformat((await report(shop, ""))["made_at"]).date()
    biller = Biller(shop, 7, 45, today)
    for number, customer in enumerate(biller.customers):
        attributes = {"region": REGIONS[number % 3]} if REGIONS[number % 3] else {}
        body = {"attributes": attributes}
        answer = await shop.call("PUT", f"/v1/customers/{customer}", body, role=Role.ADMIN)
        assert answer.status in {200, 201}, answer.text
    return biller


async def test_two_half_years_are_told_as_they_were(biller: Biller) -> None:
    shop, first = biller.shop, biller.today - 240 * DAY
    await biller.live(first - HALF_YEAR * DAY, HALF_YEAR, 45, 170, terms={"kind": "none", "net_days": 30})
    await biller.live(first, 241, 15, 200)
    await biller.live(first, 60, 20, 10, terms=...)  # of no terms at all, and so without a due day
    query = f"?from={first}&compare_from={first - HALF_YEAR * DAY}&capital_basis_points=900"
    body = await report(shop, query)
    today = datetime.fromisoformat(body["made_at"]).date()
    check(body["total"], biller.known, first, today)
    assert (body["groups"], body["others"], body["group_by"]) == ([], None, None)
    eur, its = body["total"][0]["worth"], [each for each in biller.known if each.currency == "EUR"]
    after, before = split(its, first)
    reckoned = reckon_worth(after, before, today, 900, 360)
    assert (eur["invoices"], eur["invoices_before"]) == reckoned["invoices"]
    assert (eur["customers"], eur["customers_before"]) == reckoned["customers"]
    outstanding = (eur["days_outstanding"], eur["days_outstanding_before"])
    assert outstanding == pytest.approx(reckoned["outstanding"], abs=0.051)
    assert [*eur["earlier"].values()] == pytest.approx(reckoned["days"], abs=0.101)
    assert eur["more_given"] == pytest.approx(reckoned["more"], abs=1)
    assert eur["break_even_days"] == pytest.approx(reckoned["even"], abs=0.051)
    assert (eur["gain"], eur["low"], eur["high"]) == pytest.approx(reckoned["gain"], rel=1e-5, abs=2)
    assert (eur["verdict"], eur["why"], eur["low"] > 0) == ("pays", None, True)
    cheap = (await report(shop, query.replace("=900", "=100")))["total"][0]["worth"]
    assert (cheap["verdict"], cheap["why"], cheap["high"] < 0) == ("does_not_pay", None, True)
    for group_by, of in (("attributes.region", region_of), ("terms", source_of)):
        body = await report(shop, f"{query}&group_by={group_by}")
        check(body["total"], biller.known, first, today)
        assert {each["group"] for each in body["groups"]} == {of(each) for each in biller.known}
        for group in body["groups"]:
            check(group["currencies"], [each for each in biller.known if of(each) == group["group"]], first, today)


def region_of(known: Known) -> str | None:
    return REGIONS[int(known.customer.removeprefix("c-")) % 3]


def source_of(known: Known) -> str:
    return known.source
