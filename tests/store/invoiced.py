"""Invoices in books whose invariants are broken: paid early in parts and over many, bounced, credited."""

from datetime import date, timedelta
from itertools import count

from service.app import KEEPERS
from service.customers import records
from service.earning.defining import EARNING_RULES
from service.earning.rules import INVOICE_PAID, Bonus, Conditions, Every, Limit, RuleContent, Scope
from service.invoices import payments, taking_back, usecases
from service.invoices.bills import InvoiceLine, Tax
from service.invoices.paying import PaymentReport
from service.invoices.rules import Allocation, NewCreditNote, NewInvoice
from service.platform.clock import database_time
from service.platform.statements import Db
from service.programs import defining
from service.programs import usecases as programs
from service.programs.definitions import Change, State
from service.programs.payment_terms import DiscountStep, PaymentMode, StepTerms, Tolerance
from service.programs.rules import Program

TERMS = StepTerms(steps=(DiscountStep(10, 200),), net_days=30, tolerance=Tolerance(amount=1))
LINES = (
    InvoiceLine(80_000, (Tax("VAT", basis_points=1500), Tax("eco", fixed=500))),
    InvoiceLine(20_000, (Tax("VAT", basis_points=700),)),
)
ISSUED = 60
"""How many days ago all of them were issued."""


class Billing:
    """Reports what a billing system does, each time with random bits of its own."""

    def __init__(self, db: Db, program: Program, today: date, *, bits: int = 5_000) -> None:
        self._db, self._program = db, program
        self._issued_on = today - timedelta(days=ISSUED)
        self._bits = count(bits)

    async def put(self, invoice_id: str, customer_id: str, total: int | None = 100_000) -> None:
        """Put an invoice, with lines where it has no `total`."""
        new = NewInvoice(
            customer_id,
            self._issued_on,
            "EUR",
            number=f"No {invoice_id}",
            total=total,
            lines=LINES if total is None else None,
            terms=TERMS,
        )
        entropy = next(self._bits)
        await usecases.put(self._db, program=self._program, invoice_id=invoice_id, new=new, entropy=entropy)

    async def pay(
        self, payment_id: str, parts: dict[str, int], *, customer_id: str | None = None, in_points: bool = False
    ) -> None:
        """Pay invoices five days after they were issued; where a customer is named, as one payment over them."""
        report = PaymentReport(
            payment_id,
            self._issued_on + timedelta(days=5),
            tuple(Allocation(invoice_id, amount) for invoice_id, amount in parts.items()),
            customer_id,
            PaymentMode.POINTS if in_points else None,
        )
        randomness, entropy = next(self._bits), next(self._bits)
        await payments.report_payment(
            self._db, program=self._program, report=report, randomness=randomness, entropy=entropy
        )

    async def bounce(self, payment_id: str, invoice_id: str) -> None:
        """Take a payment back."""
        await taking_back.reverse(
            self._db, program=self._program, invoice_id=invoice_id, payment_id=payment_id, entropy=next(self._bits)
        )

    async def credit(self, note_id: str, invoice_id: str, total: int) -> None:
        """Credit a part of an invoice."""
        note = NewCreditNote(note_id, self._issued_on + timedelta(days=8), total)
        randomness, entropy = next(self._bits), next(self._bits)
        await taking_back.report_credit_note(
            self._db,
            program=self._program,
            invoice_id=invoice_id,
            note=note,
            randomness=randomness,
            entropy=entropy,
        )


async def invoice(db: Db, program: Program) -> None:
    """Let a firm and its branch pay invoices: with discounts, with points; some of it bounces, some is credited.

    A rule rewards each that is paid early, up to a limit for all customers. Points instead of a discount are offered.
    """
    today = (await database_time(db)).date()
    await _reward(db, program)
    billing = Billing(db, await programs.program_with_code(db, program.code), today)
    for number, payer in enumerate(("firm", "firm", "branch", "branch", "firm", "firm"), 1):
        await billing.put(f"i-{number}", payer)
    await billing.put("i-2", "firm", None)  # another version of it
    await billing.put("i-l", "firm")  # nothing is paid on it, and its number looks like another one's
    await billing.pay("pay-1", {"i-1": 49_000})
    await billing.credit("note-1", "i-1", 60_000)  # all that is open, and a part of what was settled
    await billing.pay("pay-many", {"i-2": 60_000, "i-5": 10_000}, customer_id="firm")
    await billing.bounce("pay-many", "i-5")
    await billing.pay("pay-2", {"i-2": 20_000})
    await billing.credit("note-2", "i-2", 5_000)
    await billing.pay("pay-points", {"i-3": 100_000}, in_points=True)
    await billing.credit("note-3", "i-3", 40_000)
    await billing.pay("pay-tolerated", {"i-6": 97_999})
    await billing.pay("pay-too-much", {"i-6": 5})
    await billing.pay("pay-bounced", {"i-4": 120_000}, in_points=True)


async def join(db: Db, program: Program) -> None:
    """Let the branch go into the firm, one of its payments bounce, and another pay invoices of both."""
    program = await programs.program_with_code(db, program.code)
    billing = Billing(db, program, (await database_time(db)).date(), bits=6_000)
    merged = await records.merge(
        db, program_id=program.id, customer_id="branch", into="firm", keepers=KEEPERS, entropy=5_900
    )
    assert merged.external_id == "firm"
    await billing.bounce("pay-bounced", "i-4")
    await billing.pay("pay-together", {"i-4": 98_000, "i-5": 30_000}, customer_id="firm")
    await billing.credit("note-4", "i-4", 50_000)
    await billing.put("i-7", "branch")
    await billing.pay("pay-branch", {"i-7": 40_000}, customer_id="branch")


async def erase(db: Db, program: Program) -> None:
    """Erase the firm."""
    await records.erase(db, program_id=program.id, customer_id="firm", keepers=KEEPERS, entropy=5_902)


async def _reward(db: Db, program: Program) -> None:
    early = Conditions(expression="activity.properties.early")
    limits = (Limit(Every.LIFE, times=9), Limit(Every.LIFE, Scope.ALL, times=9))
    rule = RuleContent(name="Early", effect=Bonus(100), activity=INVOICE_PAID, conditions=early, limits=limits)
    since = await database_time(db) - timedelta(days=90)
    await defining.create(
        db,
        program_id=program.id,
        kind=EARNING_RULES,
        definition_id="early",
        content=rule,
        change=Change(State.ACTIVE, since),
        entropy=5_901,
    )
