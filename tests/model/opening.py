"""Steps: opening balances, what customers bring from elsewhere, new, repeated and in conflict."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from service.platform.roles import Role
from tests.model.ledger import FAR, Alive, Customer, Lot
from tests.model.operations import operation
from tests.model.steps import HOW, WHICH, WHO, Steps, newest, same

DAY = timedelta(days=1)
DAYS_AGO = st.sampled_from([1, 0, 5, 20, 200])
LOTS = st.lists(
    st.fixed_dictionaries(
        {
            "points": st.sampled_from([7, 15, 40]),
            "earned": DAYS_AGO,
            "ends": st.sampled_from(["policy", "policy", "never", 10, 40, 0]),
            "waits": st.sampled_from([None, None, None, 3, 20]),
        }
    ),
    max_size=3,
)
"""Lots: how many days ago they were earned, in how many days they end, and until when they wait."""


@dataclass
class Opening:
    """An opening balance that was booked: as it was reported, and what it was answered."""

    body: dict[str, Any]
    answer: dict[str, Any]
    reporter: Customer


class Openings(Steps):
    """Opening balances."""

    def __init__(self) -> None:
        super().__init__()
        self.openings: list[Opening] = []

    @operation(2, who=WHO, lots=LOTS, debt=st.sampled_from([0, 0, 0, 9, 30]), how=HOW)
    def bring(self, who: str, lots: list[dict[str, Any]], debt: int, how: str) -> None:
        """Report what a customer had elsewhere: lots, or a debt."""
        self.come()
        its_id = f"b-{len(self.openings) + 1}"
        reported = [self._reported(each) for each in lots]
        body: dict[str, Any] = {"id": its_id, "customer_id": who, "lots": reported, "debt": debt}
        seen = self._report(body, how)
        customer, cause = self.customers.get(who) or Customer(who), ("opening_balance", its_id)
        alive = self._alive(lots)
        made = [self._lot(cause, each) for each in lots]
        until = max((at for at in (customer.alive_until, alive and alive.until) if at is not None), default=FAR)
        for number, lot in enumerate(made):
            ends_at = min(lot.ends_at or FAR, until if lot.slides else FAR)
            if lot.needs_notice and lots[number]["ends"] == "policy":
                ends_at = FAR  # nothing ends before the customer was told
            if ends_at <= (lot.available_at if lot.is_pending and lot.available_at is not None else self.now):
                self._is_refused(seen, f"/lots/{number}/expires_at")
                return
        if debt and any(not lot.is_pending for lot in made):
            self._is_refused(seen, "/debt")
            return
        customer = self.enrolled(who)
        customer.touch(alive)
        if debt:
            customer.moves["opening_balance", "debt", "issued", *cause] += debt
            customer.debt += debt
            customer.repay(customer.within("available"), cause)
        for lot in made:
            customer.grant(lot.granted, lot, "opening_balance", self.now)
        told = {"id": its_id, "customer_id": who, "points": sum(lot.granted for lot in made), "debt": debt,
                "balance": customer.balance(), "tier": None}  # fmt: skip
        same("an opening balance", seen, {"status": 201, "opening_balance": told})
        self.openings.append(Opening(body, told, customer))

    @operation(1, needs="openings", which=WHICH, other=st.booleans())
    def bring_again(self, which: int, *, other: bool) -> None:
        """Report a known opening balance again, as it was or with other content."""
        self.come()
        known = newest(self.openings, which)
        seen = self._report(known.body | ({"debt": known.body["debt"] + 1} if other else {}), "once")
        if other:
            same("a conflict", (seen["status"], seen["problem"]["code"]), (409, "opening_balance_conflict"))
        elif known.reporter.whole.is_erased:
            same("what is gone", (seen["status"], seen["problem"]["code"]), (410, "customer_erased"))
        else:
            same("a repetition", seen, {"status": 200, "opening_balance": known.answer})

    def _report(self, body: dict[str, Any], how: str) -> dict[str, Any]:
        """Report one; gives what became of it. A dry run and a repetition come to the same."""
        sent, path, seen = {"balances": [body]}, "/v1/opening-balances", list[dict[str, Any]]()
        for each in (f"{path}?dry_run=true", path, path):
            answer = self.stand.post(each, sent, role=Role.ADMIN)
            assert answer.status == 200, answer.text
            (result,) = answer.body["results"]
            seen.append(result)
            if how == "once" and each == path:
                break
        _, booked, *again = seen
        if "problem" not in booked:
            same("a dry run", seen[0]["opening_balance"], booked["opening_balance"])
            for result in again:
                same("a repetition", result, booked | {"status": 200})
        return booked

    def _is_refused(self, seen: dict[str, Any], pointer: str) -> None:
        refusal = (seen["status"], seen["problem"]["errors"][0]["pointer"]) if "problem" in seen else seen
        same("the refusal", refusal, (422, pointer))

    def _reported(self, each: dict[str, Any]) -> dict[str, Any]:
        """Word a lot for the service."""
        found: dict[str, Any] = {"points": each["points"], "earned_at": self._earned(each).isoformat()}
        if each["ends"] != "policy":
            found["expires_at"] = None if each["ends"] == "never" else (self.now + each["ends"] * DAY).isoformat()
        if each["waits"] is not None:
            found["available_at"] = (self.now + each["waits"] * DAY).isoformat()
        return found

    def _earned(self, each: dict[str, Any]) -> datetime:
        return self.now - each["earned"] * DAY

    def _alive(self, lots: list[dict[str, Any]]) -> Alive | None:
        """Return until when having earned lots keeps alive what slides; None: nothing does."""
        earned = [self._earned(each) for each in lots if each["ends"] == "policy"]
        found = [self.program_at(at).alive_from(at) for at in earned]
        return max((each for each in found if each is not None), key=lambda each: each.until, default=None)

    def _lot(self, cause: tuple[str, str], each: dict[str, Any]) -> Lot:
        earned_at, waits = self._earned(each), each["waits"]
        program = self.program_at(earned_at).at_once()
        lot = program.lot(cause, each["points"], earned_at, self.now)
        if each["ends"] != "policy":
            lot = program.with_end(lot, None if each["ends"] == "never" else self.now + each["ends"] * DAY)
        if waits is not None:
            lot.available_at, lot.is_pending = self.now + waits * DAY, True
        return lot
