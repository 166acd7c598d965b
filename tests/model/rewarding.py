"""Steps: rewards with a stock are made, and redeemed."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from service.platform.roles import Role
from tests.model.operations import operation
from tests.model.pictures import A_MINUTE
from tests.model.pieces import Piece, Reward
from tests.model.program import HOLD_SECONDS
from tests.model.redeeming import LASTS, Redeeming
from tests.model.rows import Rows
from tests.model.steps import HOW, PAYER, WHICH, newest, refused, same

_EUROS = st.sampled_from([300, 1000])
_MONEY = st.fixed_dictionaries({"amount": _EUROS, "currency": st.just("EUR")})
_PERCENT = st.fixed_dictionaries({"kind": st.just("percent_off"), "basis_points": st.sampled_from([1250, 3333])})
_GIVES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    _PERCENT,
    _PERCENT,
    st.fixed_dictionaries({"kind": st.just("amount_off"), "amount": _EUROS, "currency": st.just("EUR")}),
    st.just({"kind": "gift", "description": "A cup", "sku": None}),
)
_LIMITS = st.fixed_dictionaries(
    {"uses": st.sampled_from([1, 2])},
    optional={
        "days_valid": st.sampled_from([10, 0]),
        "minimum_order": _MONEY,
        "maximum_discount": _MONEY,
        "categories": st.just(["tea"]),
    },
)
TERMS = st.fixed_dictionaries(
    {
        "name": st.just("Thanks"),
        "gives": _GIVES,
        "points": st.sampled_from([5, 3, 12]),
        "stock": st.sampled_from([1, 2, 3, None]),
        "limit_per_customer": st.sampled_from([None, None, 1, 2]),
        "voucher": _LIMITS,
    },
    optional={"value": _MONEY},
)


class Rewarding(Redeeming):
    """Rewards."""

    def __init__(self) -> None:
        super().__init__()
        self.rewards: list[Reward] = []

    @operation(1, terms=TERMS)
    def make_reward(self, terms: dict[str, Any]) -> None:
        """Make a reward."""
        made = self.stand.post("/v1/rewards", terms, role=Role.MARKETER)
        assert made.status == 201, made.text
        self.rewards.append(Reward(made.body["id"], terms))

    @operation(5, terms=TERMS, who=PAYER, which=st.sampled_from([0, 0, 1]), lasts=LASTS, how=HOW)
    def redeem_reward(self, terms: dict[str, Any], who: str, which: int, lasts: int | None, how: str) -> None:
        """Set aside what a reward costs, and take a piece of it."""
        if not self.rewards:
            self.make_reward(terms)
        who, reward, known = self.named(who), newest(self.rewards, which), self.customers
        body: dict[str, Any] = {"customer_id": who, "reward_id": reward.id, "order_id": "o-1"}
        if lasts is not None:
            body["expires_in"] = lasts
        answer = self.command("/v1/redemptions", body, how, unlike=("id", "expires_at"))
        customer, limit = known.get(who), reward.terms["limit_per_customer"]
        if customer is None:
            refused(answer, 422, "customer_unknown", "/customer_id")
        elif limit is not None and reward.had(customer) >= limit:
            refused(answer, 409, "reward_limit_reached")
        elif reward.left == 0:
            refused(answer, 409, "reward_out_of_stock")
        elif reward.terms["points"] > customer.balance()["available"]:
            refused(answer, 409, "insufficient_points")
        else:
            assert answer.status == 201, answer.text
            lapses_at = datetime.fromisoformat(answer.body["expires_at"])
            assert abs(lapses_at - self.now - timedelta(seconds=lasts or HOLD_SECONDS)) < A_MINUTE
            customer.hold(answer.body["id"], reward.terms["points"], lapses_at, None)
            hold = customer.holds[answer.body["id"]]
            self.pieces[hold] = Piece(reward, customer, hold, "o-1")
            reward.pieces.append(self.pieces[hold])
            self.holds.append((customer, hold))
            self._told(answer, customer, hold)

    @operation(1, needs="rewards", which=WHICH)
    def read_reward(self, which: int) -> None:
        """Read how many of a reward are left, and what keeps somebody from having it."""
        self.come()
        reward = newest(self.rewards, which)
        same("what is left", self.stand.get(f"/v1/rewards/{reward.id}").body["left"], reward.left)
        for name, customer in self.customers.items():
            listed = self.stand.pages("/v1/rewards", f"&customer_id={name}")
            (seen,) = (each["for_customer"] for each in listed if each["id"] == reward.id)
            limit = reward.terms["limit_per_customer"]
            missing = reward.terms["points"] - customer.balance()["available"]
            why = None
            if limit is not None and reward.had(customer) >= limit:
                why = "limit_reached"
            elif reward.left == 0:
                why = "out_of_stock"
            elif missing > 0:
                why = "not_enough_points"
            told = {"available": why is None, "why": why,
                    "missing_points": missing if why == "not_enough_points" else None}  # fmt: skip
            same(f"what keeps {name} from a reward", seen, told)

    def age(self, passing: timedelta) -> None:
        """Let vouchers lie further back."""
        super().age(passing)
        for voucher in self.vouchers.values():
            voucher.shift(passing)

    def job_ran(self) -> None:
        """Lapsed pieces are given back by the job."""
        super().job_ran()
        for piece in self.pieces.values():
            piece.is_back = not piece.is_taken

    def compare_more(self, rows: Rows) -> None:
        """Compare the rows of rewards, pieces and vouchers."""
        super().compare_more(rows)
        state = {f"hold_{row.id.hex}": row.state for row in rows.pieces}
        same("the pieces", sorted(state), sorted(hold.id for hold in self.pieces))
        for hold, piece in self.pieces.items():
            assert state[hold.id] in piece.states, (state[hold.id], piece.states)
            piece.is_back = piece.is_back or state[hold.id] == "given_back"
        taken = {f"rwd_{row.id.hex}": row.taken for row in rows.rewards}
        counted = {each.id: sum(state[piece.hold.id] != "given_back" for piece in each.pieces) for each in self.rewards}
        same("what is taken", taken, counted)
        owners = {row.id: row.external_id for row in rows.customers}
        pieces = {f"hold_{row.id.hex}": owners[row.customer_id] for row in rows.pieces if row.state != "given_back"}
        whose = {hold.id: _owner(piece) for hold, piece in self.pieces.items() if hold.id in pieces}
        same("whose the pieces are", pieces, whose)
        seen = sorted((row.code, row.used, row.is_cancelled) for row in rows.vouchers)
        known = [(_stored(each.code), len(each.uses), each.is_cancelled) for each in self.vouchers.values()]
        same("the vouchers", seen, sorted(known))


def _owner(piece: Piece) -> str | None:
    owner = piece.customer.whole
    return None if owner.is_erased else owner.name


def _stored(code: str) -> str:
    return code.replace("-", "")
