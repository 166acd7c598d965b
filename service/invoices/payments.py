"""Booking payments: each exactly once, on one invoice or on many."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias
from uuid import UUID

from service.customers import usecases as customers
from service.customers.rules import CustomerErased, CustomerUnknown, with_activity
from service.earning import usecases as earning
from service.earning.preparing import Asked, prepare
from service.earning.rules import INVOICE_PAID, Line
from service.earning.terms import Terms, terms_of
from service.invoices import payment_store, store, streaks
from service.invoices.documents import Accepted, Invoice, Rewards, Settled
from service.invoices.paying import PaymentReport, settle_all, without_defaults
from service.invoices.rules import PaymentConflict
from service.invoices.streaks import Closing
from service.kernel.errors import NotFound, Refusal
from service.kernel.periods import moment_of, today_in
from service.platform.claims import ClaimKind, content_hash
from service.platform.statements import Db, RowsMissing, Write
from service.points.account import Account
from service.points.facts import Accepted as AcceptedFact
from service.points.facts import Draft, Facts, Mode
from service.points.policies import life_of
from service.points.rules import Cause
from service.programs.rules import Program
from service.tiers import usecases as tiers

INVOICE_SETTLED: Final = "invoice.settled"
PAYMENT_RECORDED: Final = "payment.recorded"
PAYMENT: Final = "payment"
PaymentDraft: TypeAlias = Draft[PaymentReport]
AcceptedPayment: TypeAlias = AcceptedFact[PaymentReport, Accepted]


@dataclass(slots=True)
class _Paying:
    """Decides on the payments of a batch, by invoices as those before left them."""

    terms: Terms
    now: datetime
    invoices: dict[str, Invoice]
    closings: dict[int, dict[UUID, bool]]
    """Which invoices customers closed so far, by internal ids, and whether early; of those for whom a rule may ask."""
    booked: list[tuple[UUID, PaymentReport, Accepted]] = field(
        default_factory=list[tuple[UUID, PaymentReport, Accepted]]
    )
    changed: set[str] = field(default_factory=set[str])

    def decide(self, report: PaymentReport, account: Account, row_id: UUID, /) -> Accepted:
        """Settle invoices, and give points where that was agreed or rules say so. Raises Invalid, RowsMissing.

        A refusal may leave points moved: payments are reported one at a time, and a refusal rolls all back.
        """
        owner = account.customer.id
        if report.is_single and self.invoices[report.allocations[0].invoice_id].owner != owner:
            msg = "the invoice's customer was merged or erased meanwhile"
            raise RowsMissing(msg)
        if without_defaults(report, self.invoices) != report:
            msg = "an invoice's terms or currency were changed meanwhile: its hash would be another"
            raise RowsMissing(msg)
        settled = settle_all(
            report, self.invoices, owner=owner, today=today_in(self.now, self.terms.program.settings.time_zone)
        )
        at = moment_of(report.paid_on, self.terms.program.settings.time_zone, self.now)
        rewards = self._reward(report, account, settled, at)
        for after, its in settled:
            self.invoices[after.external_id] = after
            self.changed.add(after.external_id)
            if its.settlement.closes:
                account.news.append((INVOICE_SETTLED, after.id))
        self.terms.climbing.follow(account)  # what came due of points may count for tiers
        accepted = Accepted(tuple(its for _, its in settled), rewards, settled[0][0].currency, at)
        self.booked.append((row_id, report, accepted))
        return accepted

    def _reward(
        self, report: PaymentReport, account: Account, settled: Sequence[tuple[Invoice, Settled]], at: datetime
    ) -> Rewards:
        """Give points instead of a discount, then what rules give for each invoice that this closes."""
        pending, cause = account.customer.balance.pending, Cause(PAYMENT, report.id)
        lots, instead, lines = dict[str, int](), dict[str, str](), list[Line]()
        for invoice, its in settled:
            points = its.settlement.points
            if points:
                lot_id = account.ids.next()
                _grant(self.terms.program, account, points, lot_id, cause, at)
                lots[lot_id.hex], instead[invoice.id.hex] = points, lot_id.hex
            if its.settlement.closes and self._is_first(account.customer.id, its):
                closing = self._closing(report, account.customer.id, invoice, its, at)
                given = streaks.reward(closing, account, self.terms, row_id=account.ids.next(), cause=cause)
                lines += given.lines
                lots |= {lot.hex: points for lot, points in streaks.granted_in(given.lines).items() if points}
        balance = account.customer.balance
        return Rewards(sum(lots.values()), max(0, balance.pending - pending), balance, tuple(lines), lots, instead)

    def _is_first(self, owner: int, its: Settled) -> bool:
        """Take down that an invoice is closed; tell whether no payment did so that stands.

        One that was opened again because another part of it bounced has been rewarded: it is once, and early where all
        that closed it was.
        """
        known = self.closings.setdefault(owner, {})
        is_first = its.invoice not in known
        known[its.invoice] = known.get(its.invoice, True) and its.is_early
        return is_first

    def _closing(self, report: PaymentReport, owner: int, invoice: Invoice, its: Settled, at: datetime) -> Closing:
        return Closing(
            occurred_at=at,
            currency=invoice.currency,
            total=invoice.charged.total,
            issued_on=invoice.issued_on,
            due_on=invoice.agreement.due_on,
            paid_on=report.paid_on,
            discounted=its.settlement.pays,
            streak=streaks.streak_of([*self.closings[owner].values()]),
        )

    def sharing(self) -> Sequence[Write]:
        """Write settlements and what became of invoices, then what was used of limits for all."""
        program_id = self.terms.program.id
        return [
            payment_store.adding_settlements(program_id, self.booked),
            store.standing(program_id, [self.invoices[each] for each in self.changed], self.now),
            *tiers.writing(self.terms.climbing),
            *earning.adding_use(program_id, self.terms.shared),
        ]


async def _prepare(
    db: Db, program: Program, facts: Sequence[tuple[PaymentReport, Account]], /, *, mode: Mode
) -> _Paying:
    """Read the invoices that payments are for, whose customers are locked, and how these closed others before."""
    terms = terms_of(program)
    now = facts[0][1].now if facts else datetime.min.replace(tzinfo=UTC)
    named = sorted({each.invoice_id for report, _ in facts for each in report.allocations})
    found = await store.read(db, program_id=program.id, external_ids=named) if named else {}
    zone = program.settings.time_zone
    asked = [Asked(INVOICE_PAID, moment_of(report.paid_on, zone, now), account) for report, account in facts]
    await prepare(db, terms, asked, past_use=payment_store.past_use, at_once=mode is Mode.AT_ONCE)
    asking = {
        each.account.customer.id: each.account.customer
        for each in asked
        if terms.rules.at(each.occurred_at).giving(INVOICE_PAID) and not each.account.customer.is_new
    }
    closings = {
        its_id: await payment_store.closings(
            db,
            program_id=program.id,
            customers=await customers.all_ids(db, program_id=program.id, customer=customer),
        )
        for its_id, customer in asking.items()
    }
    return _Paying(terms, now, found, closings)


PAYMENTS: Final = Facts(
    kind=ClaimKind.PAYMENT,
    conflict=PaymentConflict,
    event=PAYMENT_RECORDED,
    prepare=_prepare,
    adding=payment_store.adding_payments,
    answered=payment_store.answers,
)


async def report_payment(
    db: Db, *, program: Program, report: PaymentReport, randomness: int, entropy: int, dry_run: bool = False
) -> tuple[str, AcceptedPayment]:
    """Book a payment in the caller's transaction; one that is booked already is answered alike. Gives whose it is.

    `randomness` is 62 random bits of this report, by which it knows its own booking again. Raises NotFound where the
    one invoice is unknown, CustomerErased, PaymentConflict, Invalid.
    """
    named = [each.invoice_id for each in report.allocations]
    invoices = await store.read(db, program_id=program.id, external_ids=named)
    customer_id = report.customer_id
    if customer_id is None:
        invoice = invoices.get(named[0])
        if invoice is None:
            raise NotFound
        if invoice.customer_id is None:
            raise CustomerErased
        customer_id = invoice.customer_id
    given, report = report, without_defaults(report, invoices)
    draft = Draft(report.id, customer_id, report, content_hash(report), randomness)
    if dry_run:
        (outcome,) = await PAYMENTS.preview(db, program=program, drafts=[draft])
    else:
        (outcome,) = await PAYMENTS.report(db, program=program, drafts=[draft], entropy=entropy)
    if isinstance(outcome, CustomerUnknown) and report.is_single:
        msg = "the invoice's customer was erased meanwhile"
        raise RowsMissing(msg)
    if isinstance(outcome, Refusal):
        raise outcome
    if given != report and not outcome.replayed:
        # What was left out held for the invoices as they were read, before the wait for the lock.
        invoices = await store.read(db, program_id=program.id, external_ids=named)
        if without_defaults(given, invoices) != report:
            msg = "an invoice's terms or currency were changed meanwhile: they aren't those that were named"
            raise RowsMissing(msg)
    return customer_id, outcome


def _grant(program: Program, account: Account, points: int, lot_id: UUID, cause: Cause, at: datetime) -> None:
    """Give points instead of a discount. Nobody holds them back: the money is there."""
    account.customer = with_activity(account.customer, points)
    life = life_of(program.at(at).settings, "at_once", at)
    account.grant(points, transfer_id=lot_id, cause=cause, rule=None, rule_version=None, occurred_at=at, life=life)
