"""Steps: vouchers are checked, redeemed as often as they may be, and cancelled."""

from hypothesis import strategies as st

from tests.model.operations import operation
from tests.model.pieces import told
from tests.model.rewarding import Rewarding
from tests.model.steps import HOW, WHICH, newest, refused, same

AMOUNTS = st.sampled_from([2000, 999, 250, 0, 3333, 999])
BOUGHT = st.sampled_from([["tea", "cups"], ["tea"], [], ["cups"]])
CURRENCIES = st.sampled_from(["EUR", "EUR", "EUR", "USD"])
REFUSALS = {
    "cancelled": "voucher_cancelled",
    "used_up": "voucher_used_up",
    "expired": "voucher_expired",
    "other_currency": "voucher_not_for_order",
    "below_minimum_order": "voucher_not_for_order",
    "other_categories": "voucher_not_for_order",
}


class Vouchers(Rewarding):
    """Vouchers."""

    @operation(1, needs="vouchers", which=WHICH, amount=AMOUNTS, currency=CURRENCIES, categories=BOUGHT)
    def check_voucher(self, which: int, amount: int, currency: str, categories: list[str]) -> None:
        """Check a voucher, for an order and for none."""
        self.come()
        voucher = newest(list(self.vouchers.values()), which)
        seen = told(self.stand.get(f"/v1/vouchers/{voucher.code}").body)
        same("a voucher", seen, voucher.picture(self.now))
        query = f"amount={amount}&currency={currency}&categories={','.join(categories)}"
        seen = told(self.stand.get(f"/v1/vouchers/{voucher.code}?{query}").body)
        same("a voucher for an order", seen, voucher.picture(self.now, (amount, currency, categories)))

    @operation(3, needs="vouchers", which=WHICH, order=st.sampled_from(["v-1", "v-2", "v-3"]), amount=AMOUNTS,
               currency=CURRENCIES, categories=BOUGHT, how=HOW)  # fmt: skip
    def redeem_voucher(
        self, which: int, order: str, amount: int, currency: str, categories: list[str], how: str
    ) -> None:
        """Redeem a voucher for an order, which it may have been redeemed for already."""
        self.come()
        voucher = newest(list(self.vouchers.values()), which)
        body = {"order_id": order, "amount": amount, "currency": currency, "categories": categories}
        answer = self.command(f"/v1/vouchers/{voucher.code}/redeem", body, how, unlike=("used_at",))
        if order in voucher.uses:
            if voucher.uses[order][0] != (amount, currency):
                refused(answer, 409, "voucher_use_conflict")
                return
        else:
            why = voucher.why_not(self.now, (amount, currency, categories))
            if why is not None:
                refused(answer, 409, REFUSALS[why])
                return
            voucher.uses[order] = ((amount, currency), voucher.discount(amount))
        (its_amount, its_currency), discount = voucher.uses[order]
        expected = {"code": voucher.code, "order_id": order, "amount": its_amount, "currency": its_currency,
                    "discount": discount, "number": list(voucher.uses).index(order) + 1,
                    "uses": voucher.limits["uses"]}  # fmt: skip
        seen = {name: value for name, value in answer.body.items() if name != "used_at"}
        same("a redeemed voucher", (answer.status, seen), (200, expected))

    @operation(1, needs="vouchers", which=WHICH, how=HOW)
    def cancel_voucher(self, which: int, how: str) -> None:
        """Cancel a voucher."""
        self.come()
        voucher = newest(list(self.vouchers.values()), which)
        answer = self.command(f"/v1/vouchers/{voucher.code}/cancel", {}, how, unlike=("cancelled_at",))
        if not voucher.is_cancelled and len(voucher.uses) == voucher.limits["uses"]:
            refused(answer, 409, "voucher_used_up")
            return
        voucher.is_cancelled = True
        assert answer.status == 200, answer.text
        same("a cancelled voucher", told(answer.body), voucher.picture(self.now))
