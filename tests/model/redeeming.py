"""Steps: points are set aside, spent, given back."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.model.ledger import Customer, Hold
from tests.model.operations import operation
from tests.model.pictures import A_MINUTE
from tests.model.pieces import Piece, Voucher, told
from tests.model.program import HOLD_SECONDS
from tests.model.steps import HOW, PAYER, WHICH, Steps, newest, refused, same
from tests.shop import Answer

SHARES = st.sampled_from(["half", "all", "most", "third", "one", "more"])
ORDERS = st.sampled_from([None, "next", "next", "last", "first"])
LASTS = st.sampled_from([None, 7200, 86_400 * 9, 86_400 * 30])


class Redeeming(Steps):
    """Redemptions, of points and of rewards, and what becomes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: dict[Hold, Piece] = {}
        self.vouchers: dict[Hold, Voucher] = {}
        """What redemptions of rewards took and gave, by their holds."""

    @operation(6, who=PAYER, share=SHARES, order=ORDERS, lasts=LASTS, how=HOW, total=st.sampled_from([2500, 100, None]))
    def redeem(
        self, who: str, share: str, order: str | None, lasts: int | None, how: str, total: int | None = 9999
    ) -> None:
        """Set points aside, for no order, for the next purchase, or for one that is known."""
        who = self.named(who)
        customer, there = self.customers.get(who), self.available(who)
        points = max(1, {"one": 1, "third": there // 3, "half": there // 2, "most": there - 1, "all": there,
                         "more": there + 1}[share])  # fmt: skip
        order_id = self._order(order)
        total = None if order_id is None else total
        body = {"customer_id": who, "points": points, "order_id": order_id, "order_total": total, "expires_in": lasts}
        given = {name: value for name, value in body.items() if value is not None}
        answer = self.command("/v1/redemptions", given, how, unlike=("id", "expires_at"))
        if not self.program.redeems(points):
            refused(answer, 422, "invalid_content", "/points")
        elif order_id is not None and self.program.greatest_share is not None and total is None:
            refused(answer, 422, "invalid_content", "/order_total")
        elif customer is None:
            refused(answer, 422, "customer_unknown", "/customer_id")
        elif total is not None and order_id is not None and self._is_too_much(customer, points, order_id, total):
            refused(answer, 422, "greatest_share_exceeded", "/points")
        elif points > there:
            refused(answer, 409, "insufficient_points")
        else:
            assert answer.status == 201, answer.text
            lapses_at = datetime.fromisoformat(answer.body["expires_at"])
            assert abs(lapses_at - self.now - timedelta(seconds=lasts or HOLD_SECONDS)) < A_MINUTE
            customer.hold(answer.body["id"], points, lapses_at, order_id)
            self.holds.append((customer, customer.holds[answer.body["id"]]))
            self._told(answer, *self.holds[-1])

    @operation(5, needs="holds", which=WHICH, part=st.sampled_from([None, None, "one", "half", "all", "more"]),
          how=HOW)  # fmt: skip
    def capture(self, which: int, part: str | None, how: str) -> None:
        """Spend what is set aside, all or some."""
        self.come()
        customer, hold = self._hold(which)
        points, held = None, len(hold.held)
        if part is not None:
            points = {"one": 1, "half": held // 2 or 1, "all": held, "more": held + 1}[part]
        body = {} if points is None else {"points": points}
        answer = self.command(f"/v1/redemptions/{hold.id}/capture", body, how, unlike=("voucher",))
        if customer.is_erased:
            refused(answer, 410, "customer_erased")
        elif points is not None and points > held:
            refused(answer, 422, "invalid_content", "/points")
        elif hold.status == "captured" and points in {None, len(hold.captured)}:
            self._told(answer, customer, hold)
        elif hold.status != "held":
            refused(answer, 409, "hold_not_open")
        elif hold in self.pieces and points not in {None, held}:
            refused(answer, 422, "invalid_content", "/points")
        else:
            self._issue(hold, answer)
            customer.capture(hold, points or held, self.now)
            customer.touch(self.program.kept_alive("redemption", self.now))
            self._told(answer, customer, hold)

    @operation(2, needs="holds", which=WHICH, how=HOW)
    def release(self, which: int, how: str) -> None:
        """Give back what is set aside."""
        self.come()
        customer, hold = self._hold(which)
        answer = self.command(f"/v1/redemptions/{hold.id}/release", {}, how)
        if customer.is_erased or hold.status == "captured":
            refused(answer, *((410, "customer_erased") if customer.is_erased else (409, "hold_not_open")))
            return
        if hold.status == "held":
            customer.release(hold, self.now)
        if hold in self.pieces:
            self.pieces[hold].is_back = True
        self._told(answer, customer, hold)

    @operation(1, needs="holds", which=WHICH)
    def read_redemption(self, which: int) -> None:
        """Read a redemption."""
        self.come()
        customer, hold = self._hold(which)
        answer = self.stand.get(f"/v1/redemptions/{hold.id}")
        if customer.is_erased:
            refused(answer, 410, "customer_erased")
        else:
            self._told(answer, customer, hold)

    def _hold(self, which: int) -> tuple[Customer, Hold]:
        """Choose a hold, with the customer whose it is now."""
        customer, hold = newest(self.holds, which)
        return customer.whole, hold

    def _order(self, order: str | None) -> str | None:
        if order is None:
            return None
        known = len(self.purchases)
        return f"o-{ {'next': known + 1, 'last': known, 'first': 1}[order] or 1 }"

    def _is_too_much(self, customer: Customer, points: int, order_id: str, total: int) -> bool:
        """Tell whether points would pay for more of an order than they may, with those that do already."""
        if self.program.greatest_share is None:
            return False
        paying = [each for each in customer.holds.values() if each.order == order_id]
        paid = sum(len(each.held if each.status == "held" else each.captured) for each in paying)
        return paid + points > self.program.most_payable(total)

    def _issue(self, hold: Hold, answer: Answer) -> None:
        """Expect a voucher where what is captured bought a reward."""
        if hold in self.pieces:
            assert answer.status == 200, answer.text
            reward, days = self.pieces[hold].reward, self.pieces[hold].reward.terms["voucher"].get("days_valid")
            valid_until = None if days is None else self.program.day_after(self.now, days)
            self.vouchers[hold] = Voucher(answer.body["voucher"]["code"], reward, valid_until)

    def _told(self, answer: Answer, customer: Customer, hold: Hold) -> None:
        """Expect a redemption as it is now."""
        assert answer.status in {200, 201}, answer.text
        piece = self.pieces.get(hold)
        counted = len(hold.captured) if hold.status == "captured" else len(hold.held)
        expected: dict[str, Any] = {
            "id": hold.id,
            "status": hold.status,
            "points": len(hold.held),
            "captured": len(hold.captured),
            "reward_id": None if piece is None else piece.reward.id,
            "order_id": hold.order if piece is None else piece.order,
            "value": {"amount": self.program.value(counted), "currency": "EUR"},
            "voucher": None,
            "expires_at": hold.lapses_at,
            "balance": customer.balance(),
        }
        if piece is not None:
            terms = piece.reward.terms
            its_own = {"amount": terms["gives"]["amount"], "currency": "EUR"} if "amount" in terms["gives"] else None
            expected["value"] = terms.get("value") or its_own or expected["value"]
        seen = answer.body | {"expires_at": datetime.fromisoformat(answer.body["expires_at"])}
        if hold in self.vouchers:
            expected["voucher"] = self.vouchers[hold].picture(self.now)
            seen["voucher"] = told(answer.body["voucher"])
        same("a redemption", seen, expected)
