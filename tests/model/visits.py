"""Several steps at once, as customers come and go: what single steps seldom come to in so short a life."""

from hypothesis import strategies as st

from tests.model.buying import BASKETS, TOTALS, Buying
from tests.model.operations import operation
from tests.model.passing import Passing
from tests.model.redeeming import ORDERS, Redeeming
from tests.model.returning import Returning
from tests.model.steps import WHO

SHARES = st.sampled_from(["all", "half", "most", "third"])
SPENT = st.sampled_from([None, None, None, "half", "one"])
RETURNED = st.sampled_from(["rest", "half", "third", "beyond"])
LATE = st.sampled_from([24 * 6, 24, 24 * 25])
WAITS = st.sampled_from([0, 0, 24 * 4, 24 * 12, 24 * 33, 24 * 100])


class Visits(Buying, Redeeming, Returning, Passing):
    """What belongs together."""

    @operation(3, share=SHARES, part=SPENT, order=ORDERS)
    def spend(self, share: str, part: str | None, order: str | None) -> None:
        """Spend points at once, maybe for a purchase of somebody else."""
        self._spend(self.named("richest"), share, part, order)

    @operation(5, shares=st.lists(SHARES, min_size=1, max_size=2), part=SPENT, total=TOTALS, basket=BASKETS,
               wait=WAITS, back=st.none() | RETURNED, costs=st.sampled_from([9999, 100, 200, 60]))  # fmt: skip
    def pay_with_points(
        self, shares: list[str], part: str | None, total: int, basket: str, wait: int, back: str | None, costs: int
    ) -> None:
        """Buy something that points of one or two redemptions pay for, and maybe return it, at once or later."""
        who = self.named("richest")
        for share in shares:
            self._spend(who, share, part, "next", costs)
        self.buy(who, total, basket, 0, "once")
        if back is not None:
            self.pass_time(wait)
            self.refund_an_amount(0, back, None, "once")

    @operation(5, needs="purchases", parts=st.lists(RETURNED, min_size=1, max_size=2), total=st.none() | TOTALS)
    def spend_and_return(self, parts: list[str], total: int | None) -> None:
        """Spend all points, return what earned some of them, and maybe buy something again."""
        who = self.named("richest")
        self._spend(who, "all", None, None)
        for part in parts:
            own = [
                place for place, each in enumerate(reversed(self.purchases)) if each.customer is self.customers.get(who)
            ]
            if own:
                self.refund_an_amount(own[0], part, None, "once")
        if total is not None:
            self.buy(who, total, "none", 0, "once")

    @operation(3, who=WHO, hours_ago=LATE, share=st.sampled_from(["half", "third"]), part=SPENT)
    def report_late_and_spend(self, who: str, hours_ago: int, share: str, part: str | None) -> None:
        """Buy twice, the earlier purchase being reported later, and spend some of both: the older points end first."""
        self.buy(who, 2000, "none", 0, "once")
        self.buy(who, 1250, "none", hours_ago, "once")
        self._spend(who, share, part, None)

    def _spend(self, who: str, share: str, part: str | None, order: str | None, costs: int = 9999) -> None:
        known = len(self.holds)
        self.redeem(who, share, order, None, "once", costs)
        if len(self.holds) > known:
            self.capture(0, part, "once")
