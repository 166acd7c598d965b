"""Steps: points are set aside, spent, given back."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.model.ledger import Customer, Hold
from tests.model.operations import operation
from tests.model.program import HOLD_SECONDS
from tests.model.steps import HOW, PAYER, WHICH, Steps, newest, refused, same
from tests.shop import Answer

SHARES = st.sampled_from(["half", "all", "most", "third", "one", "more"])
ORDERS = st.sampled_from([None, "next", "next", "last", "first"])
LASTS = st.sampled_from([None, 7200, 86_400 * 9, 86_400 * 30])
A_MINUTE = timedelta(minutes=1)


class Redeeming(Steps):
    """Redemptions of points."""

    @operation(6, who=PAYER, share=SHARES, order=ORDERS, lasts=LASTS, how=HOW)
    def redeem(self, who: str, share: str, order: str | None, lasts: int | None, how: str) -> None:
        """Set points aside, for no order, for the next purchase, or for one that is known."""
        who = self.named(who)
        customer, there = self.customers.get(who), self.available(who)
        points = max(1, {"one": 1, "third": there // 3, "half": there // 2, "most": there - 1, "all": there,
                         "more": there + 1}[share])  # fmt: skip
        order_id = self._order(order)
        body = {"customer_id": who, "points": points, "order_id": order_id, "expires_in": lasts}
        told = {name: value for name, value in body.items() if value is not None}
        answer = self.command("/v1/redemptions", told, how, unlike=("id", "expires_at"))
        if not self.program.redeems(points):
            refused(answer, 422, "invalid_content", "/points")
        elif customer is None:
            refused(answer, 422, "customer_unknown", "/customer_id")
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
        customer, hold = newest(self.holds, which)
        points, held = None, len(hold.held)
        if part is not None:
            points = {"one": 1, "half": held // 2 or 1, "all": held, "more": held + 1}[part]
        body = {} if points is None else {"points": points}
        answer = self.command(f"/v1/redemptions/{hold.id}/capture", body, how)
        if points is not None and points > held:
            refused(answer, 422, "invalid_content", "/points")
        elif hold.status == "captured" and points in {None, len(hold.captured)}:
            self._told(answer, customer, hold)
        elif hold.status != "held":
            refused(answer, 409, "hold_not_open")
        else:
            customer.capture(hold, points or held, self.now)
            customer.touch(self.program.kept_alive_until("redemption", self.now))
            self._told(answer, customer, hold)

    @operation(2, needs="holds", which=WHICH, how=HOW)
    def release(self, which: int, how: str) -> None:
        """Give back what is set aside."""
        self.come()
        customer, hold = newest(self.holds, which)
        answer = self.command(f"/v1/redemptions/{hold.id}/release", {}, how)
        if hold.status == "captured":
            refused(answer, 409, "hold_not_open")
            return
        if hold.status == "held":
            customer.release(hold, self.now)
        self._told(answer, customer, hold)

    @operation(1, needs="holds", which=WHICH)
    def read_redemption(self, which: int) -> None:
        """Read a redemption."""
        self.come()
        customer, hold = newest(self.holds, which)
        self._told(self.stand.get(f"/v1/redemptions/{hold.id}"), customer, hold)

    def _order(self, order: str | None) -> str | None:
        if order is None:
            return None
        known = len(self.purchases)
        return f"o-{ {'next': known + 1, 'last': known, 'first': 1}[order] or 1 }"

    def _told(self, answer: Answer, customer: Customer, hold: Hold) -> None:
        """Expect a redemption as it is now."""
        assert answer.status in {200, 201}, answer.text
        counted = len(hold.captured) if hold.status == "captured" else len(hold.held)
        expected: dict[str, Any] = {
            "id": hold.id,
            "status": hold.status,
            "points": len(hold.held),
            "captured": len(hold.captured),
            "reward_id": None,
            "order_id": hold.order,
            "value": {"amount": self.program.value(counted), "currency": "EUR"},
            "voucher": None,
            "expires_at": hold.lapses_at,
            "balance": customer.balance(),
        }
        seen = answer.body | {"expires_at": datetime.fromisoformat(answer.body["expires_at"])}
        same("a redemption", seen, expected)
