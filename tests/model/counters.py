"""Several steps at once, as at a shop's counter: with rewards and adjustments, as visits.py has them with purchases."""

from typing import Any

from hypothesis import strategies as st

from service.platform.roles import Role
from tests.model.adjusting import Adjusting
from tests.model.operations import operation
from tests.model.recording import Recording
from tests.model.rewarding import TERMS
from tests.model.steps import NAMES, PAYER
from tests.model.visits import Visits
from tests.model.vouchers import AMOUNTS, Vouchers

FATES = st.lists(st.sampled_from(["redeem", "redeem", "cancel", "release", "wait", "look"]), min_size=1, max_size=3)
FEW = st.sampled_from([12, 15, -5, 20])


class Counters(Adjusting, Vouchers, Recording, Visits):
    """What belongs together."""

    @operation(3, terms=TERMS, who=PAYER, amount=AMOUNTS, fates=FATES)
    def get_a_voucher(self, terms: dict[str, Any], who: str, amount: int, fates: list[str]) -> None:
        """Redeem a reward for its voucher, and use it, cancel it, or come again too late."""
        known = len(self.holds)
        self.redeem_reward(terms, who, 0, None, "once")
        if len(self.holds) > known:
            if "release" not in fates:
                self.capture(0, None, "once")
            for number, fate in enumerate(fates):
                self._use(fate, f"v-{number}", amount)

    @operation(2, who=st.sampled_from(NAMES), few=st.lists(FEW, min_size=2, max_size=3), key=st.sampled_from(
        [Role.SUPPORT, Role.ADMIN]))  # fmt: skip
    def adjust_often(self, who: str, few: list[int], key: Role) -> None:
        """Give or take a few points again and again."""
        for points in few:
            self.adjust(who, points, "policy", key, "once")

    @operation(2, source=st.sampled_from(NAMES), target=st.sampled_from(NAMES), what=st.sampled_from(
        ["hold", "return", "spend", "erase"]))  # fmt: skip
    def merge_meanwhile(self, source: str, target: str, what: str) -> None:
        """Merge somebody who has points held, owes some, or has just spent them; then go on with what was begun.

        Whether who goes or who stays owes or holds, the names say; an erasure may come instead.
        """
        self.buy(target, 1250, "none", 0, "once")
        self.buy(source, 2000, "none", 0, "once")
        known = len(self.holds)
        self.redeem(source, "most", "last", None, "once")
        if what in {"return", "spend"} and len(self.holds) > known:
            self.capture(0, None, "once")
        if what == "return":
            self.refund_an_amount(0, "rest", None, "once")
        if what == "erase":
            self.erase(source, is_tried=False)
        elif source < target:
            self.merge(source, target, "once")
        else:
            self.merge(target, source, "once")
        if what == "hold" and len(self.holds) > known:
            self.capture(0, "half", "once")
        self.refund_an_amount(0, "third", None, "once")

    def _use(self, fate: str, order: str, amount: int) -> None:
        if fate == "wait":
            self.pass_time(24 * 11)
        elif fate == "release":
            self.release(0, "once")
        elif fate == "look":
            self.read_reward(0)
        elif self.vouchers and fate == "cancel":
            self.cancel_voucher(0, "once")
        elif self.vouchers:
            self.redeem_voucher(0, order, amount, "EUR", ["tea"], "once")
