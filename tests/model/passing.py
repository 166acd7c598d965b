"""Steps: time passes, the job runs or doesn't, the program changes, somebody looks."""

from collections import Counter
from datetime import datetime, timedelta

from hypothesis import strategies as st

from tests.model import pictures
from tests.model.operations import operation
from tests.model.program import PROGRAMS, Program
from tests.model.steps import BY_ITSELF, WHICH, Steps, same

HOURS = st.sampled_from([24, 1, 3, 48, 24 * 3, 24 * 4, 24 * 9, 24 * 11, 24 * 15, 24 * 31, 24 * 100])


class Passing(Steps):
    """What happens by itself, and what nobody sees."""

    @operation(4, hours=HOURS)
    def pass_time(self, hours: int) -> None:
        """Let time pass."""
        self.shift(timedelta(hours=hours))

    @operation(2)
    def run_job(self) -> None:
        """Book what has come due."""
        self.come()
        self.stand.run_job()
        self.job_ran()

    @operation(1, program=PROGRAMS)
    def change_program(self, program: Program) -> None:
        """Change the program, for what occurs from now on: what was granted stays as it was."""
        self.come()
        placed = program.placed(self.now)
        since = self.stand.change_program(placed.settings())["valid_from"]
        if since is not None:  # else nothing was to change
            self.programs.append((datetime.fromisoformat(since), placed))

    @operation(2, needs="customers", which=WHICH)
    def look(self, which: int) -> None:
        """Read lots and history of a customer."""
        self.come()
        customer = list(self.customers.values())[which % len(self.customers)]
        expected = pictures.open_lots(customer)
        lots = self.stand.pages(f"/v1/customers/{customer.name}/lots")
        same(f"the lots that {customer.name} sees", pictures.open_lots_told(lots, expected), expected)
        told, missing = Counter[tuple[str, ...]](), customer.all_moves(self.records)
        for each in self.stand.pages(f"/v1/customers/{customer.name}/transactions"):
            cause = each["cause"]
            told[pictures.move(each["reason"], each["from"], each["to"], cause["type"], cause["id"])] += each["points"]
        missing.subtract(told)
        unbooked = {key: points for key, points in missing.items() if points}
        assert all(points > 0 and key[0] in BY_ITSELF for key, points in unbooked.items()), unbooked
