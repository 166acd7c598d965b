"""What breaks the invariants of invoices in books that `tests.store.invoiced` fills, and others by payments."""

from typing import Final

FIRST: Final = "'00000000-0000-7000-8000-000000000000'"
"""An id below all others."""
BRANCH: Final = "(SELECT c.id FROM customer AS c WHERE c.external_id = 'branch')"
ERASED: Final = (
    "UPDATE customer SET external_id = NULL, erased_at = now(), available = 0, held = 0, sliding = 0,"
    " next_expiry_at = NULL, next_expiry_points = 0"
)
OF_INVOICES: Final = ("payment.recorded", "payment.reversed", "invoice.credited")
"""Events of facts, each announced once."""


def _put(table: str, column: str, path: str, value: int) -> str:
    """Put a number into JSON of all rows that have something there; in braces twice, as they are formatted."""
    return f"UPDATE {table} SET {column} = jsonb_set({column}, '{{{{{path}}}}}', '{value}', FALSE)"


BROKEN: Final[dict[str, list[str]]] = {
    "open_is_what_was_not_settled": [
        "UPDATE invoice SET open = open - 1 WHERE is_frozen AND open > 0",
        "DELETE FROM payment_reversal",
        "DELETE FROM settlement_taken",
        "DELETE FROM settlement WHERE discount > 0",
        "UPDATE invoice SET is_frozen = TRUE",
        "UPDATE invoice SET is_frozen = FALSE WHERE open = total",
    ],
    "what_is_open_chains": [
        "UPDATE settlement SET remaining = remaining + 1 WHERE remaining > 0",
        "UPDATE credit_note SET remaining = remaining + 1",
        _put("payment_reversal", "answer", "invoices,1,open", 1),
        "UPDATE payment_reversal SET answer = answer - 'invoices'",
        "UPDATE settlement SET invoice_id = gen_random_uuid()",
        f"UPDATE credit_note SET id = {FIRST} WHERE external_id = 'note-1'",
        f"UPDATE payment_reversal SET id = {FIRST}",
        (
            "UPDATE settlement_taken SET settled = settled + 1, cash = cash + 1, payment_id ="
            " (SELECT v.payment_id FROM payment_reversal AS v), invoice_id = (SELECT i.id FROM invoice AS i"
            " WHERE i.external_id = 'i-5') WHERE points = 0"
        ),
    ],
    "bills_come_to_their_invoices": [
        *(
            _put("invoice", bill, path, 1)
            for bill in ("bill", "charged")
            for path in ("groups,0,net", "groups,0,taxes,0,amount", "fixed")
        ),
        "UPDATE credit_note SET total = total + 1",
        "UPDATE credit_note SET tax = tax + 1",
        "UPDATE invoice SET credited = credited - 1 WHERE credited > 0",
    ],
    "charged_is_within_the_bill": [
        _put("invoice", "charged", "groups,0,net", -1),
        _put("invoice", "charged", "fixed", 501),
        """UPDATE invoice SET charged = '{{"groups":[],"fixed":0}}'""",
        """UPDATE invoice SET bill = '{{"groups":[],"fixed":0}}'""",
    ],
    "payments_are_their_settlements": [
        "UPDATE payment SET amount = amount + 1",
        "UPDATE payment SET currency = 'USD'",
        "UPDATE invoice SET currency = 'USD' WHERE external_id = 'i-2'",
        "UPDATE settlement SET place = place + 1",
        "UPDATE settlement SET place = 1 WHERE place = 0",
        "UPDATE settlement SET paid_on = paid_on + 1 WHERE place = 1",
        "UPDATE payment SET paid_on = paid_on + 1",
        "UPDATE invoice SET issued_on = issued_on + 6",
        "UPDATE payment SET is_single = TRUE",
        f"UPDATE payment SET customer_id = {BRANCH}",
        f"UPDATE invoice SET customer_id = {BRANCH} WHERE external_id = 'i-2'",
        "UPDATE invoice SET customer_id = 0",
        "DELETE FROM settlement",
        "DELETE FROM payment",
    ],
    "discounts_are_those_of_tax_groups": [
        "UPDATE settlement SET details = details - 'groups'",
        _put("settlement", "details", "groups,0,net", 1),
        _put("settlement", "details", "groups,0,taxes,0,amount", 1),
    ],
    "discounts_are_within_the_bill": [
        "UPDATE settlement SET settled = settled + 200000, discount = discount + 200000 WHERE discount > 0",
        (
            "UPDATE settlement SET settled = settled + 14000, tax_reduction = tax_reduction + 14000"
            " WHERE tax_reduction > 0"
        ),
        _put("invoice", "bill", "fixed", 13_700),
    ],
    "an_invoice_is_discounted_once": [
        "UPDATE invoice SET number = 'NO  I-1' WHERE external_id = 'i-3'",
        "UPDATE invoice SET likeness = number_key WHERE external_id = 'i-l'",
    ],
    "taken_is_within_its_settlement": [
        "UPDATE settlement_taken SET settled = 49500, cash = 49500, discount = 0, tax_reduction = 0",
        "UPDATE settlement_taken SET discount = discount + cash, cash = 0",
        "UPDATE settlement_taken SET tax_reduction = tax_reduction + cash, cash = 0",
        "UPDATE settlement_taken SET settled = settled + 100000, cash = cash + 100000",
        "UPDATE settlement_taken SET points = points + 1000",
        *(
            f"UPDATE settlement_taken SET {name} = gen_random_uuid()"
            for name in ("invoice_id", "payment_id", "credit_note_id")
        ),
        (
            f"UPDATE credit_note SET id = {FIRST} WHERE external_id = 'note-1';"
            f" UPDATE settlement_taken SET credit_note_id = {FIRST} WHERE points = 0"
        ),
    ],
    "credit_notes_add_up": [
        "UPDATE credit_note SET overpaid = overpaid + 1",
        "UPDATE credit_note SET from_open = from_open - 1 WHERE from_open > 0",
        "DELETE FROM settlement_taken",
        "UPDATE settlement_taken SET points = 0",
        "UPDATE credit_note SET answer = answer - 'points'",
        "UPDATE credit_note SET issued_on = issued_on - 9",
        f"UPDATE credit_note SET customer_id = {BRANCH}",
        "UPDATE credit_note SET invoice_id = gen_random_uuid()",
    ],
    "invoice_versions_are_whole": [
        "DELETE FROM invoice_version WHERE version = 1",
        "UPDATE invoice_version SET version = version + 2",
        "UPDATE invoice SET version = version + 1, revision = revision + 1",
        *(f"UPDATE invoice_version SET {name} = {name} + 1" for name in ("total", "tax", "issued_on", "customer_id")),
        "UPDATE invoice_version SET currency = 'USD'",
        "UPDATE invoice_version SET recorded_at = recorded_at + interval '1 day'",
        "DELETE FROM invoice",
        "DELETE FROM invoice_version",
    ],
    "payments_earned_their_lots": [
        "UPDATE payment SET earned = earned + 1",
        "UPDATE payment SET earned = earned + 1 WHERE earned = 0",
        "UPDATE payment SET rewards = rewards - 'lots'",
        "UPDATE payment SET customer_id = -customer_id",
        "UPDATE transfer SET cause_id = 'other' WHERE reason = 'payment'",
        "UPDATE transfer SET cause_type = 'purchase' WHERE reason = 'payment'",
        "UPDATE transfer SET points = points + 1 WHERE reason = 'payment'",
        "UPDATE transfer SET from_bucket = 'available', to_bucket = 'held' WHERE reason = 'payment'",
        "UPDATE transfer SET reason = 'payment' WHERE reason = 'purchase'",
        "DELETE FROM transfer WHERE reason = 'payment'",
    ],
    "points_instead_have_their_lot": [
        "UPDATE payment SET rewards = rewards - 'instead'",
        "UPDATE settlement SET points = points + 1 WHERE points > 0",
    ],
    "what_was_taken_back_was_booked": [
        "UPDATE payment_reversal SET reversed_points = reversed_points + 1",
        *(
            _put(table, "answer", f"points,{part}", 1)
            for table in ("payment_reversal", "credit_note")
            for part in ("from_lots", "to_debt", "written_off")
        ),
        "UPDATE transfer SET cause_id = 'other' WHERE cause_type = 'credit_note'",
        "UPDATE transfer SET cause_type = 'payment_reversal' WHERE cause_type = 'credit_note'",
        "UPDATE transfer SET cause_type = 'credit_note' WHERE cause_type = 'refund'",
        "DELETE FROM payment",
    ],
    "no_more_is_taken_back_than_was_earned": [
        "UPDATE transfer SET points = points + 1000 WHERE cause_type = 'credit_note'",
        "UPDATE transfer SET reverses = NULL WHERE cause_type = 'credit_note'",
    ],
    "one_event_for_each_step_of_an_invoice": [
        *(f"DELETE FROM outbox WHERE type = 'invoice.{step}'" for step in ("recorded", "changed", "settled")),
        "UPDATE outbox SET subject_id = gen_random_uuid() WHERE type = 'invoice.settled'",
        "UPDATE outbox SET type = 'invoice.changed' WHERE type = 'invoice.recorded'",
        (
            "INSERT INTO outbox SELECT program_id, gen_random_uuid(), type, customer_id, subject_id, now() FROM outbox"
            " WHERE type = 'invoice.settled'"
        ),
        "UPDATE settlement SET remaining = 1, closes = FALSE, is_early = FALSE WHERE closes AND overpaid = 0",
        "UPDATE credit_note SET remaining = 1 WHERE from_open > 0",
        "UPDATE credit_note SET from_open = 1, remaining = 0 WHERE from_open = 0",
    ],
    "nothing_of_the_erased_is_on_invoices": [
        ERASED,
        "UPDATE invoice SET number = NULL",
        "UPDATE invoice SET number = NULL;" + ERASED,
        (
            "UPDATE invoice SET number = NULL, lines = NULL; INSERT INTO payment_terms"
            " SELECT program_id, id, '{{}}', now() FROM customer;" + ERASED
        ),
        "UPDATE invoice SET customer_id = 0",
    ],
}
"""What breaks them; each line is there for something."""

BESIDE: Final[dict[str, list[str]]] = {
    "one_claim_one_fact": [
        "DELETE FROM claim WHERE kind = 5",
        "DELETE FROM claim WHERE kind = 6",
        *(f"UPDATE {table} SET external_id = 'other'" for table in ("payment", "credit_note")),
    ],
    "one_event_for_each_fact": [
        *(f"DELETE FROM outbox WHERE type = '{kind}'" for kind in OF_INVOICES),
        *(f"UPDATE outbox SET subject_id = gen_random_uuid() WHERE type = '{kind}'" for kind in OF_INVOICES),
        *(
            f"UPDATE outbox SET id = gen_random_uuid(), type = '{kind}' WHERE type = 'customer.enrolled'"
            for kind in OF_INVOICES
        ),
    ],
    "facts_earned_what_was_issued": [
        "UPDATE payment SET earned = earned + 1",
        "UPDATE payment SET rewards = rewards - 'lines'",
        "UPDATE settlement SET points = points + 1 WHERE points > 0",
        "UPDATE transfer SET reason = 'purchase', cause_type = 'purchase' WHERE reason = 'payment'",
        "UPDATE transfer SET reason = 'payment', cause_type = 'payment' WHERE reason = 'purchase'",
    ],
    "facts_answered_their_balance": [
        _put("payment", "rewards", f"balance,{bucket}", 7) for bucket in ("available", "pending", "held", "debt")
    ],
    "rules_had_their_versions": [
        _put("payment", "rewards", "lines,0,version", 2),
        "UPDATE payment SET occurred_at = occurred_at - interval '1 year'",
    ],
    "limits_used_were_given": ["UPDATE payment SET rewards = rewards - 'lines'"],
    "limits_for_all_were_given": ["UPDATE payment SET rewards = rewards - 'lines'"],
    "customer_counts_purchases": [
        "UPDATE payment SET earned = earned + 1",
        "UPDATE payment_reversal SET reversed_points = reversed_points + 1",
        *(_put("credit_note", "answer", f"points,{part}", 1) for part in ("from_lots", "to_debt", "written_off")),
    ],
    "history_is_append_only": [
        f"GRANT UPDATE ON {table} TO loyalty_service"
        for table in (
            "invoice_version",
            "payment",
            "settlement",
            "payment_reversal",
            "credit_note",
            "settlement_taken",
        )
    ],
}
"""What breaks invariants of what payments and credit notes have in common with other facts."""
