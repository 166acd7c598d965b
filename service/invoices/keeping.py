"""What invoices keep of customers."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.customers.keeping import Erasing, Merging
from service.invoices import store, taking_back, usecases
from service.invoices.payment_schemas import credit_note_out, recorded_payment_out
from service.invoices.schemas import invoice_out
from service.invoices.usecases import Recorded
from service.platform.statements import Db


class InvoicesKeeper:
    """Answers for what billing reported, and what was agreed with customers."""

    tables = frozenset(
        {
            "invoice",
            "invoice_version",
            "payment",
            "settlement",
            "payment_reversal",
            "credit_note",
            "settlement_taken",
            "payment_terms",
        }
    )

    async def merge(self, db: Db, merging: Merging) -> None:
        """Leave documents as they were reported; what was agreed with the target holds, else what was with the source.

        Documents go on naming the record that they were reported for; the target stands for it.
        """
        source, target = merging.source.id, merging.target.id
        if source != target:
            await store.rehome_terms(db, program_id=merging.program_id, source=source, target=target)

    async def erase(self, db: Db, erasing: Erasing) -> None:
        """Empty the numbers and lines of invoices, and remove what was agreed. Amounts and names of taxes stay."""
        await store.empty(db, program_id=erasing.program_id, customers=erasing.all_ids)
        await store.remove_terms(db, program_id=erasing.program_id, customers=erasing.all_ids)

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all invoices, payments and credit notes, and what was agreed."""
        invoices = await usecases.all_of(db, program_id=program_id, all_ids=all_ids)
        payments = await taking_back.payments_of(db, program_id=program_id, customers=all_ids)
        names = {each.id: each.external_id for each in invoices}
        notes = await taking_back.credit_notes_of(db, program_id=program_id, invoices=list(names))
        terms = await store.read_terms(db, program_id=program_id, customer=all_ids[0])
        return {
            "invoices": [invoice_out(Recorded(each, [], None)) for each in invoices],
            "payments": [recorded_payment_out(each) for each in payments],
            "credit_notes": [credit_note_out(names[invoice], note) for invoice, note in notes],
            "payment_terms": [] if terms is None else [terms],
        }
