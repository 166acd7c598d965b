"""What all steps share: how a call is made and its answer held against the model, and all books after each step."""

import sys
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar, cast

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.platform.roles import Role
from tests.model import notices, pictures
from tests.model.ledger import Customer, Hold
from tests.model.operations import among, operations
from tests.model.program import PROGRAMS, Program
from tests.model.returns import Purchase
from tests.model.rows import CustomerRow, Rows
from tests.model.stand import Stand
from tests.shop import Answer

T = TypeVar("T")
NAMES = ("ann", "bob", "eve")
WHO = st.sampled_from(["ann", "ann", "ann", "bob", "bob", "eve"])
PAYER = st.sampled_from(["richest", "richest", "ann", "bob", "eve"])
WHICH = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4])
"""Which of those that there are, counted from the newest."""
HOW = st.sampled_from(["once", "once", "once", "rehearsed", "repeated"])
"""How a call is made: once, after a dry run, or twice with the same id or key."""
BY_ITSELF = {"expiry", "activation", "lapse", "debt_repayment"}
"""Why points move when nobody calls."""


class Steps(RuleBasedStateMachine):
    """One sequence: a program of its own, some customers, and the model of both."""

    stand: ClassVar[Stand]
    skipped: ClassVar[bool] = False
    """Whether the next sequence is left out: each round begins with the simplest of all, which the first one played."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = self.stand.now()
        self.programs: list[tuple[datetime, Program]] = []
        """The program's settings, each from a moment on; the first also before."""
        self.customers: dict[str, Customer] = {}
        """By all the names that they have."""
        self.records: list[Customer] = []
        """All that there ever were."""
        self.purchases: list[Purchase] = []
        self.holds: list[tuple[Customer, Hold]] = []
        self.script: list[str] = []

    @initialize(program=PROGRAMS)
    def begin(self, program: Program) -> None:
        """Make the program."""
        skipped, type(self).skipped = self.skipped, False
        assume(not skipped)
        self.programs.append((self.now, program.placed(self.now)))
        self.stand.begin(self.program.settings())

    @property
    def program(self) -> Program:
        """The program as it is set now."""
        return self.programs[-1][1]

    def program_at(self, moment: datetime) -> Program:
        """Return the program as it was set at a moment."""
        return [program for since, program in self.programs if since <= moment or since == self.programs[0][0]][-1]

    @rule(data=st.data())
    def happens(self, data: st.DataObject) -> None:
        """Let one thing happen."""
        possible = (each for each in operations(type(self)) if each.needs is None or getattr(self, each.needs))
        chosen = data.draw(among(tuple(possible)))
        values = data.draw(chosen.values)
        self.script.append(f"{chosen.name} {values}")
        getattr(self, chosen.name)(**values)

    def shift(self, passing: timedelta) -> None:
        """Let time pass: all that was lies further back."""
        self.learn()
        self.stand.pass_time(passing)
        self.age(passing)
        self.come()

    def age(self, passing: timedelta) -> None:
        """Let all that is remembered lie further back."""
        for record in self.records:
            record.shift(passing)
        self.programs = [(since - passing, program) for since, program in self.programs]

    def enrolled(self, name: str) -> Customer:
        """Give the customer with a name, a new one where there is none."""
        if name not in self.customers:
            self.customers[name] = Customer(name)
            self.records.append(self.customers[name])
        return self.customers[name]

    def forget(self, customer: Customer) -> None:
        """Do what an erasure does to what a group of operations keeps besides."""

    def everybody(self) -> list[Customer]:
        """Give all customers: two ids may be of one."""
        return list(dict.fromkeys(self.customers.values()))

    def come(self) -> None:
        """Come to now: what was due until then has happened, and what is due now is taken for told."""
        self.learn()
        self.now = self.stand.now()
        for customer in self.everybody():
            customer.settle(self.now)
            notices.announce(customer, self.now)

    def learn(self) -> None:
        """Learn from the books whether those were told who are to be."""
        if any(record.announced for record in self.records):
            self._read(self.stand.rows())

    def _read(self, rows: Rows) -> None:
        """Learn from rows what the model can't know: whose they are, who was told, and when a grace ends."""
        known = {record.row_id for record in self.records}
        new = {row.external_id: row for row in rows.customers if row.id not in known}
        for record in self.records:
            record.row_id = record.row_id or new[record.name].id
            told = [row for row in rows.notices if row.customer_id == record.row_id]
            for row in told[len(record.notices) :]:
                assert abs(row.told_at - self.now) < pictures.A_MINUTE, (row, self.now)
            seen, expected = notices.learn(record, [(row.points, row.ends_at) for row in told])
            same(f"what {record.name} was told", seen, expected)
            if any(lot.ends_about for lot in record.lots):
                pictures.learn_ends(record, [row for row in rows.lots if row.customer_id == record.row_id])

    def call(
        self,
        path: str,
        body: dict[str, Any],
        how: str,
        *,
        key: str | None = None,
        unlike: tuple[str, ...] = (),
        role: Role = Role.CHECKOUT,
    ) -> Answer:
        """Make a call, in one of the ways how. `unlike` names what a dry run answers differently."""
        tried = self.stand.post(f"{path}?dry_run=true", body, key, role) if how == "rehearsed" else None
        answer = self.stand.post(path, body, key, role)
        done = answer.status in {200, 201}
        if tried is not None:
            assert tried.status == (200 if done else answer.status), (tried.text, answer.text)
            expected = _without(answer.body, *unlike) if done else answer.code
            same("a dry run", _without(tried.body, *unlike) if done else tried.code, expected)
        if how == "repeated":
            again = self.stand.post(path, body, key, role)
            if done:
                assert again.replayed, again.text
                same("a repetition", again.text, answer.text)
                assert again.status == (answer.status if key is not None else 200)
            else:
                same("a repeated refusal", again.code, answer.code)
        return answer

    def command(
        self, path: str, body: dict[str, Any], how: str, unlike: tuple[str, ...] = (), role: Role = Role.CHECKOUT
    ) -> Answer:
        """Give a command, under a key of its own."""
        return self.call(path, body, how, key=self.stand.new_key(), unlike=unlike, role=role)

    def named(self, who: str) -> str:
        """Name a customer: the one with the most to spend is asked for as the richest."""
        self.come()
        return max(NAMES, key=self.available) if who == "richest" else who

    def available(self, name: str) -> int:
        """Return what a customer has to spend."""
        return self.customers[name].balance()["available"] if name in self.customers else 0

    @invariant()
    def books_agree(self) -> None:
        """Compare every balance, and the rows, with the model."""
        rows = self.stand.look()
        self._read(rows)
        self.come()
        for name, customer in self.customers.items():
            told = pictures.balance_told(self.stand.get(f"/v1/customers/{name}/balance").body)
            same(f"the balance of {name}", told, pictures.balance(customer))
        by_id = {row.id: row for row in rows.customers}
        same("the records", sorted(by_id), sorted(record.row_id for record in self.records))
        for record in self.records:
            self._compare(record, by_id[record.row_id], rows)
        self.compare_more(rows)

    def job_ran(self) -> None:
        """Remember what the jobs must have done: nothing is due any more."""
        same("who has something due", [row.id for row in self.stand.rows().customers if row.is_due], [])

    def compare_more(self, rows: Rows) -> None:
        """Compare what a group of operations keeps besides."""

    def _compare(self, customer: Customer, row: CustomerRow, rows: Rows) -> None:
        """Compare one customer's rows. While something is due that nobody booked yet, the ledger may lag behind."""
        name, balance, whole = customer.name, customer.balance(), customer.whole
        standing = (row.external_id, row.is_erased, row.merged_into)
        expected_name = None if whole.is_erased else name
        same(f"who {name} is", standing, (expected_name, whole.is_erased, customer.into and whole.row_id))
        lasting = (row.lifetime_earned, row.purchase_count, row.alive_until)
        booked = (customer.lifetime_earned, customer.purchases, notices.alive_as_booked(customer))
        same(f"the row of {name}", lasting, booked)
        moved = pictures.moves(each for each in rows.moves if each.customer_id == row.id)
        if row.is_due:
            missing = Counter(customer.moves)
            missing.subtract(moved)
            assert all(points >= 0 for points in missing.values()), (moved, customer.moves)
            assert {key[0] for key, points in missing.items() if points} <= BY_ITSELF, missing
            return
        same(f"what {name} is still to be told", customer.announced, [])
        same(f"the points of {name}", {each: getattr(row, each) for each in balance}, balance)
        same(f"the transfers of {name}", moved, customer.moves)
        lots, expected = [each for each in rows.lots if each.customer_id == row.id], pictures.lots(customer)
        same(f"the lots of {name}", pictures.lot_rows(lots, expected), expected)
        holds = [each for each in rows.holds if each.customer_id == row.id]
        same(f"the holds of {name}", pictures.hold_rows(holds, pictures.row_names(lots)), pictures.holds(customer))

    def teardown(self) -> None:
        """End the sequence: the rest of all time passes, is booked, and all invariants hold."""
        if sys.exc_info()[0] is not None:
            return
        for passing in (timedelta(days=40), timedelta(days=1000)):
            self.shift(passing)
            self.books_agree()
        self.stand.run_job()
        self.job_ran()
        self.books_agree()
        same("broken invariants", self.stand.broken(), [])
        self.stand.sequences.add("\n".join(self.script))


def newest(those: list[T], which: int) -> T:
    """Choose one, counting from the newest."""
    return those[-1 - which % len(those)]


def same(what: str, seen: object, expected: object) -> None:
    """Compare, and tell what differs."""
    if seen == expected:
        return
    if isinstance(seen, dict) and isinstance(expected, dict):
        left, right = cast("dict[Any, Any]", seen), cast("dict[Any, Any]", expected)
        keys = [key for key in left | right if left.get(key) != right.get(key)]
        seen, expected = {key: left.get(key) for key in keys}, {key: right.get(key) for key in keys}
    raise AssertionError(f"{what}:\n  the service: {seen}\n  the model:   {expected}")


def refused(answer: Answer, status: int, code: str, pointer: str | None = None) -> None:
    """Expect a refusal."""
    assert answer.status == status, answer.text
    same("the refusal", (answer.code, pointer and answer.pointer), (code, pointer))


def _without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}
