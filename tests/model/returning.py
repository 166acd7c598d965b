"""Steps: refunds by amount and by items, new, repeated, too much, in conflict; and confirmations."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from tests.model.operations import operation
from tests.model.returns import Purchase, Refund
from tests.model.steps import HOW, WHICH, Steps, newest, refused, same

PARTS = st.sampled_from(["half", "rest", "third", "rest", "bit", "beyond", "nothing"])


class Returning(Steps):
    """Refunds and confirmations."""

    refunds = 0

    @operation(4, needs="purchases", which=WHICH, part=PARTS, hours_ago=st.sampled_from([None, None, 0, 48]),
          how=HOW)  # fmt: skip
    def refund_an_amount(self, which: int, part: str, hours_ago: int | None, how: str) -> None:
        """Refund a part of what is left of a purchase, or more."""
        self.come()
        purchase = newest(self.purchases, which)
        left = purchase.total - purchase.refunded
        amount = {"bit": min(left, 101), "third": left // 3, "half": left // 2, "rest": left, "beyond": left + 1,
                  "nothing": 0}[part]  # fmt: skip
        self._refund(purchase, {"amount": amount}, hours_ago, how)

    @operation(3, needs="purchases", which=WHICH, tea=st.integers(0, 3), cup=st.integers(0, 2), how=HOW)
    def refund_items(self, which: int, tea: int, cup: int, how: str) -> None:
        """Refund pieces of a purchase's items, maybe more than there are, or of an item that it doesn't have."""
        self.come()
        purchase = newest([each for each in self.purchases if each.items()] or self.purchases, which)
        pieces = [{"id": name, "quantity": count} for name, count in (("tea", tea), ("cup", cup)) if count]
        self._refund(purchase, {"items": pieces or [{"id": "tea", "quantity": 1}]}, None, how)

    @operation(1, needs="refunds", which=WHICH, other=st.sampled_from(["", "", "amount", "purchase"]))
    def refund_again(self, which: int, other: str) -> None:
        """Report a known refund again, as it was, with other content, or of another purchase."""
        self.come()
        purchase, refund = newest([(each, refund) for each in self.purchases for refund in each.refunds], which)
        body, of = refund.body, purchase.id
        if other == "amount":
            body = {"id": body["id"], "amount": refund.amount + 1}
        elif other == "purchase" and purchase is not self.purchases[0]:
            of = self.purchases[0].id
        answer = self.stand.post(f"/v1/purchases/{of}/refunds", body)
        if next(each for each in self.purchases if each.id == of).customer.is_erased:
            refused(answer, 410, "customer_erased")
        elif body is refund.body and of == purchase.id:
            same("a repetition", (answer.status, answer.replayed, answer.text), (200, True, refund.answer))
        else:
            refused(answer, 409, "refund_conflict")

    @operation(2, needs="purchases", which=WHICH, how=HOW)
    def confirm(self, which: int, how: str) -> None:
        """Confirm what a purchase earned."""
        self.come()
        purchase = newest(self.purchases, which)
        customer, lot = purchase.customer, purchase.lot
        answer = self.command(f"/v1/purchases/{purchase.id}/confirm", {}, how)
        if customer.is_erased:
            refused(answer, 410, "customer_erased")
            return
        if lot is not None and lot.is_pending:
            if not customer.within("pending", lot):
                refused(answer, 409, "points_lapsed")
                return
            customer.activate(lot)
            lot.available_at = None
        points = {"earned": purchase.earned, "pending": 0}
        expected = {"id": purchase.id, "points": points, "balance": customer.balance()}
        same("a confirmation", (answer.status, answer.body), (200, expected))

    def _refund(self, purchase: Purchase, content: dict[str, Any], hours_ago: int | None, how: str) -> None:
        body = {"id": f"r-{self.refunds + 1}"} | content
        if hours_ago is not None:
            body["occurred_at"] = (self.now - timedelta(hours=hours_ago)).isoformat()
        answer = self.call(f"/v1/purchases/{purchase.id}/refunds", body, how)
        if purchase.customer.is_erased:
            refused(answer, 410, "customer_erased")
            return
        refusal = purchase.refusal(body)
        if refusal is not None:
            refused(answer, 422, *refusal)
            return
        self.refunds += 1
        amount, cause = purchase.worth(body), ("refund", body["id"])
        refund = Refund(body, answer.text, amount, taken=0)
        taken_before = sum(each.taken for each in purchase.refunds)
        purchase.refunds.append(refund)
        restored = self._restore(purchase, cause)
        taken = self._take_back(purchase, taken_before, cause)
        refund.taken = sum(taken)
        points = {"reversed": sum(taken), "from_lots": taken[0], "to_debt": taken[1], "written_off": taken[2],
                  "restored": restored}  # fmt: skip
        expected = {"id": body["id"], "purchase_id": purchase.id, "amount": amount, "points": points,
                    "balance": purchase.customer.balance()}  # fmt: skip
        same("a refund", (answer.status, answer.body), (201, expected))

    def _restore(self, purchase: Purchase, cause: tuple[str, str]) -> int:
        """Give back the points that paid, those of the newest redemption first; returns how many."""
        customer = purchase.customer
        paying = [hold for hold in customer.holds.values() if hold.order == purchase.id and hold.captured]
        due = purchase.restorable(sum(len(hold.captured) for hold in paying))
        purchase.restored += due
        left, days = due, self.program.restored_grace_days
        grace = None if days is None else timedelta(days=days)
        for hold in sorted(paying, key=lambda each: each.number, reverse=True):
            back = min(left, len(hold.spent))
            customer.restore(hold, back, self.now, cause, grace)
            left -= back
        return due

    def _take_back(self, purchase: Purchase, taken_before: int, cause: tuple[str, str]) -> tuple[int, int, int]:
        """Take back what the returned part earned, but what ended unspent."""
        customer, lot, due = purchase.customer, purchase.lot, purchase.reversible()
        purchase.decided += due
        if lot is None:
            return 0, 0, 0
        ended = sum(point.lot is lot and point.bucket == "expired" for point in customer.points)
        claimed = min(due, max(0, purchase.earned - ended - taken_before))
        customer.lifetime_earned -= claimed
        return customer.take_back(lot, claimed, self.program.debt_limit, cause)
