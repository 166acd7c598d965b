"""Steps: purchases, new, repeated, and in conflict with one that is known."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from tests.model.operations import operation
from tests.model.returns import Purchase
from tests.model.steps import HOW, WHICH, WHO, Steps, newest, refused, same

TOTALS = st.sampled_from([2000, 3333, 4000, 1250, 2750, 3333, 4999, 700, 99, 0])
BASKETS = st.sampled_from(["none", "two", "two", "one", "less", "more", "free"])
AGO = st.sampled_from([0, 0, 0, 1, 30, 24 * 6, 24 * 25])


class Buying(Steps):
    """Purchases."""

    @operation(8, who=WHO, total=TOTALS, basket=BASKETS, hours_ago=AGO, how=HOW)
    def buy(self, who: str, total: int, basket: str, hours_ago: int, how: str) -> None:
        """Report a purchase, maybe late."""
        self.come()
        occurred_at = self.now - timedelta(hours=hours_ago)
        body: dict[str, Any] = {
            "id": f"o-{len(self.purchases) + 1}",
            "customer_id": who,
            "occurred_at": occurred_at.isoformat(),
            "currency": "EUR",
            "total": total,
        } | ({} if basket == "none" else {"items": _items(basket, total)})
        answer = self.call("/v1/purchases", body, how, unlike=("quote",))
        customer = self.enrolled(who)
        program = self.program_at(occurred_at)
        customer.touch(program.kept_alive("purchase", occurred_at))
        earned, before = program.earned(total), customer.balance()["pending"]
        lot = program.lot(("purchase", body["id"]), earned, occurred_at, self.now)
        customer.grant(earned, lot, "purchase", self.now)
        customer.purchases += 1
        customer.lifetime_earned += earned
        balance = customer.balance()
        self.purchases.append(Purchase(body, answer.text, customer, earned, lot if earned else None))
        assert answer.status == 201, answer.text
        told = answer.body | {"points": {name: answer.body["points"][name] for name in ("earned", "pending")}}
        points = {"earned": earned, "pending": balance["pending"] - before}
        same("a purchase", told, _answer(body, points, balance))
        assert sum(line["points"] for line in answer.body["points"]["lines"]) == earned

    @operation(1, needs="purchases", which=WHICH, other=st.sampled_from(["", "", "total", "customer"]))
    def report_again(self, which: int, other: str) -> None:
        """Report a known purchase again, as it was or with other content."""
        self.come()
        known, change = newest(self.purchases, which), dict[str, Any]()
        if other == "total":
            change = {"total": known.total + 1}
        elif other == "customer":
            change = {"customer_id": "nobody"}
        answer = self.stand.post("/v1/purchases", known.body | change)
        if other:
            refused(answer, 409, "purchase_conflict")
        elif known.customer.is_erased:
            refused(answer, 410, "customer_erased")
        else:
            same("a repetition", (answer.status, answer.replayed, answer.text), (200, True, known.answer))


def _items(basket: str, total: int) -> list[dict[str, Any]]:
    """Make items that come to the total, to less or to more, or cost nothing."""
    tea = {"less": total // 2, "more": total, "free": 0}.get(basket, total * 7 // 10)
    cup = {"two": total - tea, "more": total // 3 + 10}.get(basket, 0)
    if basket == "one":
        return [{"id": "tea", "amount": total, "quantity": 4}]
    return [{"id": "tea", "amount": tea, "quantity": 3}, {"id": "cup", "amount": cup}]


def _answer(body: dict[str, Any], points: dict[str, int], balance: dict[str, int]) -> dict[str, Any]:
    named = {name: body[name] for name in ("id", "customer_id")}
    return named | {"points": points, "balance": balance, "tier": None, "referral": None, "surprises": []}
