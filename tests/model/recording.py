"""Steps: whole records are merged and erased."""

from hypothesis import strategies as st

from service.platform.roles import Role
from tests.model.operations import operation
from tests.model.rewarding import Rewarding
from tests.model.steps import HOW, NAMES, refused, same

ANYBODY = st.sampled_from([*NAMES, "nobody"])


class Recording(Rewarding):
    """Merges and erasures."""

    @operation(2, needs="customers", source=ANYBODY, target=ANYBODY, how=HOW)
    def merge(self, source: str, target: str, how: str) -> None:
        """Let a record go into another one, maybe one of the same customer, or where there is none."""
        self.come()
        answer = self.command(f"/v1/customers/{source}/merge", {"into": target}, how, role=Role.ADMIN)
        goes, stays = self.customers.get(source), self.customers.get(target)
        if source == target:
            refused(answer, 422, "invalid_content", "/into")
        elif goes is None:
            refused(answer, 404, "not_found")
        elif stays is None:
            refused(answer, 422, "invalid_content", "/into")
        elif goes is not stays and goes.name != source:
            refused(answer, 409, "customer_merged")
        else:
            if goes is not stays:
                goes.go_into(stays)
                self.customers |= {name: stays for name, customer in self.customers.items() if customer is goes}
            expected = {"customer_id": source, "into": target, "balance": stays.balance()}
            same("a merge", (answer.status, answer.body), (200, expected))

    @operation(1, needs="customers", who=ANYBODY, is_tried=st.booleans())
    def erase(self, who: str, *, is_tried: bool) -> None:
        """Erase a customer: from then on it is unknown by all its names."""
        self.come()
        customer, path = self.customers.get(who), f"/v1/customers/{who}"
        if customer is not None and not all(each.row_id for each in self.records):
            self.books_agree()  # afterwards nobody knows whose row is whose
        tried = self.stand.call("DELETE", f"{path}?dry_run=true", role=Role.ADMIN) if is_tried else None
        answer = self.stand.call("DELETE", path, role=Role.ADMIN)
        for each in (answer, answer if tried is None else tried):
            if customer is None:
                refused(each, 404, "not_found")
            else:
                expected = {"customer_id": who, "erased": True, "closed": customer.balance()}
                same("an erasure", (each.status, each.body), (200, expected))
        if customer is None:
            return
        customer.erase()
        for piece in self.pieces.values():
            piece.is_back = piece.is_back or (piece.customer.whole is customer and not piece.is_taken)
        self.forget(customer)
        for name in [name for name, each in self.customers.items() if each is customer]:
            del self.customers[name]
            for place in ("/balance", "/lots", "/transactions"):
                refused(self.stand.get(f"/v1/customers/{name}{place}"), 404, "not_found")
