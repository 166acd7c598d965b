"""Several steps at once, as at a shop's counter: with rewards and adjustments, as visits.py has them with purchases."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from service.platform.roles import Role
from tests.model.adjusting import Adjusting
from tests.model.opening import Openings
from tests.model.operations import operation
from tests.model.recording import Recording
from tests.model.rewarding import TERMS
from tests.model.steps import NAMES, PAYER
from tests.model.visits import Visits
from tests.model.vouchers import AMOUNTS, Vouchers

FATES = st.lists(
    st.sampled_from(["redeem", "redeem", "redeem", "cancel", "release", "wait", "look"]), min_size=1, max_size=3
)
FEW = st.sampled_from([12, 15, -5, 20])
LASTING: dict[str, Any] = {"points": 40, "earned": 0, "ends": "never", "waits": None}
"""Points that are there at once and for ever, whatever the program says."""
ENDING = LASTING | {"ends": 10}


class Counters(Adjusting, Vouchers, Recording, Openings, Visits):
    """What belongs together."""

    @operation(4, terms=TERMS, who=PAYER, amount=AMOUNTS, fates=FATES)
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

    @operation(3, source=st.sampled_from(NAMES), target=st.sampled_from(NAMES), what=st.sampled_from(
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

    @operation(1, names=st.permutations(NAMES), debt=st.sampled_from([30, 90, 9]), owes=st.sampled_from(
        ["target", "target", "source"]))  # fmt: skip
    def merge_with_who_owes(self, names: list[str], debt: int, owes: str) -> None:
        """Merge two of whom one owes some points, or more than the other one has."""
        source, target, _ = names
        self.bring(source if owes == "source" else target, [], debt, "once")
        self.bring(target if owes == "source" else source, [LASTING], 0, "once")
        self.merge(source, target, "once")

    @operation(2, who=st.sampled_from(NAMES), is_captured=st.booleans(), shares=st.lists(
        st.sampled_from(["third", "half"]), min_size=2, max_size=3))  # fmt: skip
    def pay_a_share(self, who: str, shares: list[str], *, is_captured: bool) -> None:
        """Pay for one order with several redemptions: each by itself is within its share, together they aren't."""
        self.bring(who, [LASTING], 0, "once")
        costs = self.program.value(self.available(who)) * 10_000 // (self.program.greatest_share or 10_000)
        for share in shares:
            known = len(self.holds)
            self.redeem(who, share, "next", None, "once", costs * 6 // 10)
            if is_captured and len(self.holds) > known:
                self.capture(0, None, "once")

    @operation(2, who=st.sampled_from(NAMES), part=st.sampled_from(["rest", "half"]), days=st.sampled_from([12, 40]))
    def return_after_the_end(self, who: str, part: str, days: int) -> None:
        """Return what points paid for that have ended meanwhile, and look what is left after some days."""
        self.bring(who, [ENDING], 0, "once")
        self._spend(who, "all", None, "next", 99_999)
        self.buy(who, 2000, "none", 0, "once")
        self.pass_time(24 * 31)
        self.refund_an_amount(0, part, None, "once")
        self.pass_time(24 * days)

    @operation(1, who=st.sampled_from(NAMES), hours=st.sampled_from([24 * 3, 24 * 6, 24 * 9, 24 * 31]),
               does=st.sampled_from(["job", "buy", "spend", "look"]))  # fmt: skip
    def wait_for_a_notice(self, who: str, hours: int, does: str) -> None:
        """Earn something, come again when its end is near or over, and once more after as long."""
        self.buy(who, 2000, "none", 0, "once")
        for _ in range(2):
            self.pass_time(hours)
            if does == "job":
                self.run_job()
            elif does == "buy":
                self.buy(who, 99, "none", 0, "once")
            elif does == "spend":
                self.redeem(who, "one", None, None, "once")
            else:
                self.look(0)

    @operation(1, names=st.permutations(NAMES), notice=st.sampled_from([None, {"days": 5, "required": True}]))
    def merge_who_is_told_earlier(self, names: list[str], notice: dict[str, Any] | None) -> None:
        """Merge two whose points slide: the one who was there first is told earlier, the other one maybe never."""
        source, target, _ = names
        for name, its_own in ((source, {"days": 20, "required": True}), (target, notice)):
            expiry = {"kind": "sliding", "days": 30, "counts": ["purchase"], "notice": its_own}
            self.change_program(replace(self.program, expiry=expiry, pending=None))
            self.buy(name, 2000, "none", 0, "once")
            self.pass_time(24)
        self.merge(source, target, "once")

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
