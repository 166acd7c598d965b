"""Booking payments: each exactly once, on one invoice or on many; and taking back those that bounced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

import msgspec

from service.customers.rules import CustomerErased, with_activity
from service.earning import usecases as earning
from service.earning.preparing import Asked, prepare
from service.earning.rules import Line
from service.earning.terms import Terms, lots_of, terms_of
from service.invoices import payment_store, store
from service.invoices.documents import Accepted, Invoice, Payment, Reopened, Reversal, Rewards, Settled
from service.invoices.paying import PaymentReport, occurred, settle_all, today_of
from service.invoices.rules import PaymentConflict
from service.kernel.errors import NotFound, Refusal
from service.kernel.ids import to_wire
from service.platform.claims import ClaimKind, content_hash
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, RowsMissing, Write, write_together
from service.points import facts
from service.points import usecases as points
from service.points.account import Account
from service.points.facts import Booking, Draft, Facts
from service.points.policies import life_of
from service.points.rules import Cause, Reversed
from service.points.usecases import Granted
from service.programs.rules import Program
from service.tiers import usecases as tiers

INVOICE_SETTLED: Final = "invoice.settled"
INVOICE_REOPENED: Final = "invoice.reopened"
PAYMENT_RECORDED: Final = "payment.recorded"
PAYMENT_REVERSED: Final = "payment.reversed"
PAYMENT: Final = "payment"
_replace = msgspec.structs.replace


@dataclass(slots=True)
class _Paying:
    """Decides on the payments of a batch, by invoices as those before left them."""

    terms: Terms
    invoices: dict[str, Invoice]
    today: date
    changed: dict[str, Invoice] = field(default_factory=dict[str, Invoice])
    booked: list[tuple[UUID, PaymentReport, Accepted]] = field(
        default_factory=list[tuple[UUID, PaymentReport, Accepted]]
    )

    def decide(self, report: PaymentReport, account: Account, row_id: UUID, /) -> Accepted:
        """Settle invoices, and give points where that was agreed."""
        if report.is_single and self.invoices[report.allocations[0].invoice_id].owner != account.customer.id:
            msg = "the invoice's customer was merged or erased meanwhile"
            raise RowsMissing(msg)
        settled = settle_all(report, self.invoices, owner=account.customer.id, today=self.today)
        for after, its in settled:
            self.invoices[after.external_id] = self.changed[after.external_id] = after
            if its.settlement.closes:
                account.news.append((INVOICE_SETTLED, after.id))
        rewards = self._reward(report, account, [its for _, its in settled])
        accepted = Accepted(tuple(its for _, its in settled), rewards, settled[0][0].currency)
        self.booked.append((row_id, report, accepted))
        return accepted

    def _reward(self, report: PaymentReport, account: Account, settled: Sequence[Settled]) -> Rewards:
        pending, cause = account.customer.balance.pending, Cause(PAYMENT, report.id)
        lots, instead, program = dict[str, int](), dict[str, str](), self.terms.program
        at = occurred(report.paid_on, account.now, program.settings.time_zone)
        for each in settled:
            granted = each.settlement.points
            if granted:
                lot_id = account.ids.next()
                account.customer = with_activity(account.customer, granted)
                life = life_of(program.at(at).settings, "at_once", at)
                account.grant(
                    granted, transfer_id=lot_id, cause=cause, rule=None, rule_version=None, occurred_at=at, life=life
                )
                lots[lot_id.hex] = granted
                instead[each.invoice.hex] = lot_id.hex
        balance = account.customer.balance
        return Rewards(sum(lots.values()), balance.pending - pending, balance, (), lots, instead)

    def sharing(self) -> Sequence[Write]:
        """Write settlements and what became of invoices, then what was used of limits for all."""
        program_id = self.terms.program.id
        now = [*self.changed.values()]
        return [
            payment_store.adding_settlements(program_id, self.booked),
            store.standing(program_id, now, self.now),
            *tiers.writing(self.terms.climbing),
            *earning.adding_use(program_id, self.terms.shared),
        ]
