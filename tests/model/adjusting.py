"""Steps: points given or taken by hand, above the limit only once a second key approves."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from service.platform.roles import Role
from tests.model.ledger import Customer
from tests.model.operations import operation
from tests.model.rows import AdjustmentRow, Rows
from tests.model.steps import HOW, WHICH, WHO, Steps, newest, refused, same
from tests.shop import Answer

POINTS = st.sampled_from([12, -5, 40, 3, -20, 100, -1, 0])
ENDS = st.sampled_from(["policy", "policy", "never", 10, 3, 40, 0, "sliding"])
"""When points end that are given: as the program says, never, in so many days, or together with what slides."""
KEYS = st.sampled_from([Role.SUPPORT, Role.SUPPORT, Role.ADMIN])
DAY = timedelta(days=1)


@dataclass
class Adjustment:
    """An adjustment: who asked for it, and what became of it."""

    id: str
    customer: Customer
    points: int
    ends: str | datetime
    asked_by: Role
    asked_at: datetime
    status: str
    is_counted: bool
    """Whether it counts towards the limit of who asked: what a second key approved doesn't."""


class Adjusting(Steps):
    """Adjustments."""

    def __init__(self) -> None:
        super().__init__()
        self.adjustments: list[Adjustment] = []

    @operation(3, who=WHO, points=POINTS, ends=ENDS, key=KEYS, how=HOW)
    def adjust(self, who: str, points: int, ends: str | int, key: Role, how: str) -> None:
        """Give or take points by hand."""
        self.come()
        customer, its_end = self.customers.get(who), ends if isinstance(ends, str) else self.now + ends * DAY
        if its_end == "sliding":
            alive_until = None if customer is None else customer.alive_until
            its_end = alive_until if alive_until is not None and alive_until > self.now else "policy"
        if points < 0 and ends != 0:
            its_end = "policy"
        body: dict[str, Any] = {"points": points, "reason": "goodwill"}
        if its_end != "policy":
            body["expires_at"] = None if isinstance(its_end, str) else its_end.isoformat()
        unlike = ("id", "transaction_id")
        answer = self.command(f"/v1/customers/{who}/adjustments", body, how, unlike=unlike, role=key)
        if customer is None:
            refused(answer, 404, "not_found")
        elif points == 0:
            refused(answer, 422, "invalid_content", "/points")
        elif ends == 0:  # in the past, or of points that are taken
            refused(answer, 422, "invalid_content", "/expires_at")
        elif -points > customer.balance()["available"]:
            refused(answer, 409, "insufficient_points")
        else:
            waits = self._must_wait(customer, points, key)
            status = "waiting" if waits else "booked"
            assert "id" in answer.body, answer.text
            made = Adjustment(answer.body["id"], customer, points, its_end, key, self.now, status, not waits)
            self.adjustments.append(made)
            if not waits:
                self._book_adjustment(made)
            self._tell_adjusted(answer, made, 201)

    @operation(3, needs="adjustments", which=WHICH, how=HOW)
    def approve(self, which: int, how: str) -> None:
        """Approve an adjustment that waits."""
        self.come()
        found = self._adjustment(which)
        answer = self.command(
            f"/v1/adjustments/{found.id}/approve", {}, how, unlike=("transaction_id",), role=Role.ADMIN
        )
        customer = found.customer.whole
        if customer.is_erased:
            refused(answer, 410, "customer_erased")
        elif found.status == "refused":
            refused(answer, 409, "adjustment_not_waiting")
        elif found.status == "booked":
            self._tell_adjusted(answer, found, 200)
        elif found.asked_by is Role.ADMIN:
            refused(answer, 409, "second_key_needed")
        elif isinstance(found.ends, datetime) and found.ends <= self.now:
            refused(answer, 409, "adjustment_ended")
        elif -found.points > customer.balance()["available"]:
            refused(answer, 409, "insufficient_points")
        else:
            found.status = "booked"
            self._book_adjustment(found)
            self._tell_adjusted(answer, found, 200)

    @operation(1, needs="adjustments", which=WHICH, how=HOW)
    def refuse(self, which: int, how: str) -> None:
        """Refuse an adjustment that waits."""
        self.come()
        found = self._adjustment(which)
        answer = self.command(f"/v1/adjustments/{found.id}/refuse", {}, how, role=Role.ADMIN)
        if found.customer.whole.is_erased:
            refused(answer, 410, "customer_erased")
        elif found.status == "booked":
            refused(answer, 409, "adjustment_not_waiting")
        else:
            found.status = "refused"
            self._tell_adjusted(answer, found, 200)

    def age(self, passing: timedelta) -> None:
        """Let adjustments lie further back."""
        super().age(passing)
        for each in self.adjustments:
            each.asked_at -= passing
            if isinstance(each.ends, datetime):
                each.ends -= passing

    def forget(self, customer: Customer) -> None:
        """Refuse what waits of a customer who is erased."""
        super().forget(customer)
        for each in self.adjustments:
            if each.customer.whole is customer and each.status == "waiting":
                each.status = "refused"

    def compare_more(self, rows: Rows) -> None:
        """Compare the rows of adjustments."""
        super().compare_more(rows)
        expected = {each.id: (each.points, each.status, not each.is_counted and each.status == "booked")
                    for each in self.adjustments}  # fmt: skip
        same("the adjustments", _pictured(rows.adjustments), expected)

    def _adjustment(self, which: int) -> Adjustment:
        """Choose an adjustment, rather one that waits."""
        waiting = [each for each in self.adjustments if each.status == "waiting"]
        return newest(waiting if waiting and which < 2 else self.adjustments, which)

    def _must_wait(self, customer: Customer, points: int, key: Role) -> bool:
        """Tell whether it is above the limit, with what the key gave and took of the customer within a day."""
        limit = self.program.adjustment_limit
        counted = sum(
            abs(each.points)
            for each in self.adjustments
            if each.is_counted and each.asked_by is key and each.customer.whole is customer
            and self.now - each.asked_at < DAY
        )  # fmt: skip
        return limit is not None and counted + abs(points) > limit

    def _book_adjustment(self, adjustment: Adjustment) -> None:
        customer, cause = adjustment.customer.whole, ("adjustment", adjustment.id)
        if adjustment.points < 0:
            customer.move(customer.within("available")[: -adjustment.points], "issued", "adjustment", cause)
            return
        lot = self.program.at_once().lot(cause, adjustment.points, self.now, self.now)
        if adjustment.ends != "policy":
            ends_at = adjustment.ends if isinstance(adjustment.ends, datetime) else None
            lot = self.program.with_end(lot, ends_at)
        if lot.slides and (customer.alive_until is None or customer.alive_until <= self.now):
            # Who was away for too long begins anew.
            customer.touch(self.program.alive_from(self.now))
        customer.grant(adjustment.points, lot, "adjustment", self.now)

    def _tell_adjusted(self, answer: Answer, adjustment: Adjustment, status: int) -> None:
        expected = {"id": adjustment.id, "status": adjustment.status, "points": adjustment.points, "reason": "goodwill",
                    "balance": adjustment.customer.whole.balance()}  # fmt: skip
        assert (answer.body["transaction_id"] is not None) == (adjustment.status == "booked")
        told = {name: value for name, value in answer.body.items() if name != "transaction_id"}
        same("an adjustment", (answer.status, told), (status, expected))


def _pictured(rows: Iterable[AdjustmentRow]) -> dict[str, tuple[int, str, bool]]:
    """Read rows: points, status, and whether a second key approved."""
    return {f"adj_{row.id.hex}": (row.points, row.status, row.status == "booked" and row.is_decided) for row in rows}
