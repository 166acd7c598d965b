-- Statements of invoices, payments and credit notes. Every one names one program.

-- name: invoice_insert
-- One whose id or number is taken, also by who comes at the same moment, writes no row.
INSERT INTO invoice (
    program_id, id, external_id, customer_id, content_hash, number, number_key, likeness, issued_on, due_on, currency,
    lines, terms, agreement, bill, charged, total, tax, open, recorded_at, changed_at
) VALUES (
    $1::integer, $2::uuid, $3::text, $4::bigint, $5::bytea, $6::text, $7::bytea, $8::bytea, $9::date, $10::date,
    $11::text, $12::jsonb, $13::jsonb, $14::jsonb, $15::jsonb, $15::jsonb, $16::bigint, $17::bigint, $16::bigint,
    $18::timestamptz, $18::timestamptz
)
ON CONFLICT DO NOTHING;

-- name: invoice_change
-- Of one on which something was paid or credited, or that was changed since it was read, no row is written.
UPDATE invoice AS i SET
    customer_id = $3::bigint, content_hash = $4::bytea, number = $5::text, number_key = $6::bytea,
    likeness = $7::bytea, issued_on = $8::date, due_on = $9::date, currency = $10::text, lines = $11::jsonb,
    terms = $12::jsonb, agreement = $13::jsonb, bill = $14::jsonb, charged = $14::jsonb, total = $15::bigint,
    tax = $16::bigint, open = $15::bigint, version = i.version + 1, revision = i.revision + 1,
    changed_at = $17::timestamptz
WHERE i.program_id = $1::integer AND i.id = $2::uuid AND i.revision = $18::integer AND NOT i.is_frozen;

-- name: invoice_version_insert
INSERT INTO invoice_version (
    program_id, id, invoice_id, version, customer_id, issued_on, due_on, currency, total, tax, recorded_at
) VALUES (
    $1::integer, $2::uuid, $3::uuid, $4::integer, $5::bigint, $6::date, $7::date, $8::text, $9::bigint, $10::bigint,
    $11::timestamptz
);

-- name: invoice_stand
-- What payments, their reversals and credit notes change. One that was changed since it was read writes no row.
UPDATE invoice AS i SET
    open = s.open, credited = s.credited, charged = s.charged, is_frozen = TRUE, revision = i.revision + 1,
    changed_at = $2::timestamptz
FROM unnest($3::invoice_standing_row[]) AS s
WHERE i.program_id = $1::integer AND i.id = s.id AND i.revision = s.revision;

-- name: invoice_read
-- Invoices by the callers' ids.
SELECT
    i.id, i.external_id, i.customer_id AS customer, coalesce(c.merged_into, c.id) AS owner,
    c.external_id AS customer_id, i.content_hash, i.number, i.issued_on, i.due_on, i.currency, i.lines, i.terms,
    i.agreement, i.bill, i.charged, i.credited, i.open, i.is_frozen, i.version, i.revision, i.recorded_at, i.changed_at
FROM (SELECT DISTINCT u.external_id FROM unnest($2::text[]) AS u (external_id)) AS w
CROSS JOIN
    LATERAL (
        SELECT o.* FROM invoice AS o
        WHERE o.program_id = $1::integer AND o.external_id = w.external_id
        OFFSET 0
    ) AS i
CROSS JOIN
    LATERAL (
        SELECT k.id, k.merged_into, k.external_id FROM customer AS k
        WHERE k.program_id = $1::integer AND k.id = i.customer_id
        OFFSET 0
    ) AS c;

-- name: invoice_read_by_id
-- Likewise by their own.
SELECT
    i.id, i.external_id, i.customer_id AS customer, coalesce(c.merged_into, c.id) AS owner,
    c.external_id AS customer_id, i.content_hash, i.number, i.issued_on, i.due_on, i.currency, i.lines, i.terms,
    i.agreement, i.bill, i.charged, i.credited, i.open, i.is_frozen, i.version, i.revision, i.recorded_at, i.changed_at
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT o.* FROM invoice AS o
        WHERE o.program_id = $1::integer AND o.id = w.id
        OFFSET 0
    ) AS i
CROSS JOIN
    LATERAL (
        SELECT k.id, k.merged_into, k.external_id FROM customer AS k
        WHERE k.program_id = $1::integer AND k.id = i.customer_id
        OFFSET 0
    ) AS c;

-- name: invoice_list
-- A page of a program's invoices, newest first; only those open, or those settled, where that is asked for.
SELECT
    i.id, i.external_id, i.customer_id AS customer, coalesce(c.merged_into, c.id) AS owner,
    c.external_id AS customer_id, i.content_hash, i.number, i.issued_on, i.due_on, i.currency, i.lines, i.terms,
    i.agreement, i.bill, i.charged, i.credited, i.open, i.is_frozen, i.version, i.revision, i.recorded_at, i.changed_at
FROM invoice AS i
INNER JOIN customer AS c ON i.program_id = c.program_id AND i.customer_id = c.id
WHERE i.program_id = $1::integer AND i.id < $2::uuid AND ($4::boolean IS NULL OR (i.open > 0) = $4::boolean)
ORDER BY i.id DESC
LIMIT $3::integer;

-- name: invoice_list_of_customer
-- Likewise of records.
SELECT
    i.id, i.external_id, i.customer_id AS customer, coalesce(c.merged_into, c.id) AS owner,
    c.external_id AS customer_id, i.content_hash, i.number, i.issued_on, i.due_on, i.currency, i.lines, i.terms,
    i.agreement, i.bill, i.charged, i.credited, i.open, i.is_frozen, i.version, i.revision, i.recorded_at, i.changed_at
FROM invoice AS i
INNER JOIN customer AS c ON i.program_id = c.program_id AND i.customer_id = c.id
WHERE
    i.program_id = $1::integer
    AND i.id < $2::uuid
    AND ($4::boolean IS NULL OR (i.open > 0) = $4::boolean)
    AND i.customer_id = any($5::bigint[])
ORDER BY i.id DESC
LIMIT $3::integer;

-- name: invoice_with_number
-- The invoice that has a number, whatever its spelling.
SELECT i.external_id FROM invoice AS i
WHERE i.program_id = $1::integer AND i.number_key = $2::bytea;

-- name: invoice_look_alike
-- Up to five other invoices whose numbers look like one.
SELECT i.external_id FROM invoice AS i
WHERE i.program_id = $1::integer AND i.likeness = $2::bytea AND i.external_id != $3::text
ORDER BY i.external_id
LIMIT 5;

-- name: terms_write
INSERT INTO payment_terms AS t (program_id, customer_id, terms, changed_at)
VALUES ($1::integer, $2::bigint, $3::jsonb, $4::timestamptz)
ON CONFLICT (program_id, customer_id) DO UPDATE SET terms = excluded.terms, changed_at = excluded.changed_at;

-- name: terms_read
SELECT t.terms FROM payment_terms AS t
WHERE t.program_id = $1::integer AND t.customer_id = $2::bigint;

-- name: terms_remove
DELETE FROM payment_terms AS t
WHERE t.program_id = $1::integer AND t.customer_id = any($2::bigint[]);

-- name: terms_rehome
-- Gives a record's terms to another one that has none.
INSERT INTO payment_terms (program_id, customer_id, terms, changed_at)
SELECT t.program_id, $3::bigint, t.terms, t.changed_at FROM payment_terms AS t
WHERE t.program_id = $1::integer AND t.customer_id = $2::bigint
ON CONFLICT DO NOTHING;

-- name: invoice_empty
-- Empties what callers worded freely. The hashes of the number stay, so that an invoice is discounted once.
UPDATE invoice SET number = NULL, lines = NULL
WHERE program_id = $1::integer AND customer_id = any($2::bigint[]);

-- name: payments_of_customer
SELECT p.id FROM payment AS p
WHERE p.program_id = $1::integer AND p.customer_id = any($2::bigint[])
ORDER BY p.id DESC;

-- name: credit_notes_of_invoices
SELECT
    n.invoice_id, n.id, n.external_id, n.issued_on, n.total, n.tax, n.from_open, n.overpaid, n.remaining, n.answer,
    n.recorded_at
FROM credit_note AS n
WHERE n.program_id = $1::integer AND n.invoice_id = any($2::uuid[])
ORDER BY n.id DESC;

-- name: payment_insert
INSERT INTO payment (
    program_id, id, external_id, customer_id, paid_on, currency, amount, mode, is_single, earned, rewards, occurred_at,
    recorded_at
)
SELECT
    $1::integer, p.id, p.external_id, p.customer_id, p.paid_on, p.currency, p.amount, p.mode, p.is_single, p.earned,
    p.rewards, p.occurred_at, $2::timestamptz
FROM unnest($3::payment_row[]) AS p;

-- name: settlement_insert
INSERT INTO settlement (
    program_id, payment_id, invoice_id, place, amount, settled, discount, tax_reduction, overpaid, remaining, points,
    paid_on, last_day, details, closes, is_early
)
SELECT
    $1::integer, s.payment_id, s.invoice_id, s.place, s.amount, s.settled, s.discount, s.tax_reduction, s.overpaid,
    s.remaining, s.points, s.paid_on, s.last_day, s.details, s.closes, s.is_early
FROM unnest($2::settlement_row[]) AS s;

-- name: payment_answers
-- What payments came to, for repetitions of them, in the order of their allocations.
SELECT
    p.id, p.rewards, p.currency, p.occurred_at, o.is_erased, i.external_id AS invoice_id, s.invoice_id AS invoice,
    s.amount, s.settled,
    s.discount, s.tax_reduction, s.overpaid, s.remaining, s.points, s.last_day, s.details, s.is_early
FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u (id)) AS w
CROSS JOIN
    LATERAL (
        SELECT r.* FROM payment AS r
        WHERE r.program_id = $1::integer AND r.id = w.id
        OFFSET 0
    ) AS p
CROSS JOIN
    LATERAL (
        SELECT c.external_id IS NULL AS is_erased FROM customer AS c
        WHERE c.program_id = $1::integer AND c.id = p.customer_id
        OFFSET 0
    ) AS o
CROSS JOIN
    LATERAL (
        SELECT t.* FROM settlement AS t
        WHERE t.program_id = $1::integer AND t.payment_id = p.id
        OFFSET 0
    ) AS s
CROSS JOIN
    LATERAL (
        SELECT n.external_id FROM invoice AS n
        WHERE n.program_id = $1::integer AND n.id = s.invoice_id
        OFFSET 0
    ) AS i
ORDER BY p.id, s.place;

-- name: payment_read
-- Payments by their own ids, with what became of them.
SELECT
    p.id, p.external_id, p.customer_id AS customer, coalesce(c.merged_into, c.id) AS owner,
    c.external_id AS customer_id, p.paid_on, p.currency, p.amount, p.mode, p.is_single, p.recorded_at,
    r.answer AS reversal, r.recorded_at AS reversed_at
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT o.* FROM payment AS o
        WHERE o.program_id = $1::integer AND o.id = w.id
        OFFSET 0
    ) AS p
CROSS JOIN
    LATERAL (
        SELECT k.id, k.merged_into, k.external_id FROM customer AS k
        WHERE k.program_id = $1::integer AND k.id = p.customer_id
        OFFSET 0
    ) AS c
LEFT JOIN
    LATERAL (
        SELECT v.answer, v.recorded_at FROM payment_reversal AS v
        WHERE v.program_id = $1::integer AND v.payment_id = p.id
        OFFSET 0
    ) AS r
    ON TRUE
ORDER BY p.id DESC;

-- name: payment_claimed
-- The row of a payment, or of a credit note, by the caller's id.
SELECT k.subject_id FROM claim AS k
WHERE k.program_id = $1::integer AND k.kind = $2::smallint AND k.id = $3::text;

-- name: payments_of_invoice
-- A page of the payments on an invoice, newest first.
SELECT s.payment_id FROM settlement AS s
WHERE s.program_id = $1::integer AND s.invoice_id = $2::uuid AND s.payment_id < $3::uuid
ORDER BY s.payment_id DESC
LIMIT $4::integer;

-- name: settlement_left
-- What credit notes have left of the settlements of invoices by payments that weren't taken back, the newest first.
SELECT
    s.invoice_id, s.payment_id, s.settled - coalesce(t.settled, 0)::bigint AS settled,
    s.amount - s.overpaid - coalesce(t.cash, 0)::bigint AS cash,
    s.discount - coalesce(t.discount, 0)::bigint AS discount,
    s.tax_reduction - coalesce(t.tax_reduction, 0)::bigint AS tax_reduction,
    s.points - coalesce(t.points, 0)::bigint AS points, p.external_id AS payment
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT o.* FROM settlement AS o
        WHERE o.program_id = $1::integer AND o.invoice_id = w.id
        OFFSET 0
    ) AS s
CROSS JOIN
    LATERAL (
        SELECT r.external_id FROM payment AS r
        WHERE r.program_id = $1::integer AND r.id = s.payment_id
        OFFSET 0
    ) AS p
CROSS JOIN
    LATERAL (
        SELECT
            sum(k.settled) AS settled, sum(k.cash) AS cash, sum(k.discount) AS discount,
            sum(k.tax_reduction) AS tax_reduction, sum(k.points) AS points
        FROM settlement_taken AS k
        WHERE k.program_id = $1::integer AND k.invoice_id = s.invoice_id AND k.payment_id = s.payment_id
        OFFSET 0
    ) AS t
WHERE
    NOT EXISTS (
        SELECT FROM payment_reversal AS v
        WHERE v.program_id = $1::integer AND v.payment_id = s.payment_id
    )
ORDER BY s.payment_id DESC;

-- name: reversal_insert
-- Of a payment that was taken back already no row is written.
INSERT INTO payment_reversal (program_id, payment_id, id, reversed_points, answer, recorded_at)
VALUES ($1::integer, $2::uuid, $3::uuid, $4::bigint, $5::jsonb, $6::timestamptz)
ON CONFLICT DO NOTHING;

-- name: credit_note_insert
INSERT INTO credit_note (
    program_id, id, external_id, customer_id, invoice_id, issued_on, total, tax, from_open, overpaid, remaining,
    answer, recorded_at
)
SELECT
    $1::integer, n.id, n.external_id, n.customer_id, n.invoice_id, n.issued_on, n.total, n.tax, n.from_open,
    n.overpaid, n.remaining, n.answer, $2::timestamptz
FROM unnest($3::credit_note_row[]) AS n;

-- name: settlement_taken_insert
INSERT INTO settlement_taken (
    program_id, credit_note_id, payment_id, invoice_id, settled, cash, discount, tax_reduction, points
)
SELECT
    $1::integer, t.credit_note_id, t.payment_id, t.invoice_id, t.settled, t.cash, t.discount, t.tax_reduction, t.points
FROM unnest($2::settlement_taken_row[]) AS t;

-- name: credit_notes_of_invoice
-- The credit notes on an invoice, newest first.
SELECT
    n.id, n.external_id, n.issued_on, n.total, n.tax, n.from_open, n.overpaid, n.remaining, n.answer, n.recorded_at
FROM credit_note AS n
WHERE n.program_id = $1::integer AND n.invoice_id = $2::uuid AND n.id < $3::uuid
ORDER BY n.id DESC
LIMIT $4::integer;

-- name: credit_note_read
-- A credit note on an invoice by the caller's id.
SELECT
    n.id, n.external_id, n.issued_on, n.total, n.tax, n.from_open, n.overpaid, n.remaining, n.answer, n.recorded_at
FROM credit_note AS n
WHERE n.program_id = $1::integer AND n.invoice_id = $2::uuid AND n.external_id = $3::text;

-- name: closings_of
-- How the newest invoices were closed that records have, by payments that weren't taken back, the newest first: whether
-- before the due day.
SELECT s.payment_id, s.invoice_id, s.is_early
FROM unnest($2::bigint[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT p.id FROM payment AS p
        WHERE p.program_id = $1::integer AND p.customer_id = w.id
        ORDER BY p.id DESC
        LIMIT 1000
    ) AS p
CROSS JOIN
    LATERAL (
        SELECT o.* FROM settlement AS o
        WHERE o.program_id = $1::integer AND o.payment_id = p.id
        OFFSET 0
    ) AS s
WHERE
    s.closes
    AND NOT EXISTS (
        SELECT FROM payment_reversal AS v
        WHERE v.program_id = $1::integer AND v.payment_id = s.payment_id
    )
ORDER BY s.payment_id DESC, s.place DESC;

-- name: payment_past_use
-- What rules gave customers for payments in periods of when these occurred, in the order asked for, with those of the
-- records that went into theirs.
SELECT w.place, coalesce(sum(g.points), 0)::bigint AS points, count(g.points) AS times
FROM unnest($2::past_period_row[]) AS w
LEFT JOIN LATERAL (
    SELECT (l.line ->> 'points')::bigint AS points
    FROM (
        SELECT w.customer_id AS id
        UNION ALL
        SELECT c.id FROM customer AS c
        WHERE c.program_id = $1::integer AND c.merged_into = w.customer_id
    ) AS o
    INNER JOIN payment AS p
        ON
            p.program_id = $1::integer AND o.id = p.customer_id
            AND w.since <= p.occurred_at AND w.until > p.occurred_at
    CROSS JOIN LATERAL jsonb_array_elements(p.rewards -> 'lines') AS l (line)
    WHERE l.line ->> 'rule' = w.rule AND (l.line ->> 'points')::bigint > 0
) AS g ON TRUE
GROUP BY w.place
ORDER BY w.place;

-- name: version_news
SELECT v.id, i.external_id, v.version, v.issued_on, v.due_on, v.currency, v.total, v.tax
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT o.* FROM invoice_version AS o
        WHERE o.program_id = $1::integer AND o.id = w.id
        OFFSET 0
    ) AS v
CROSS JOIN
    LATERAL (
        SELECT n.external_id FROM invoice AS n
        WHERE n.program_id = $1::integer AND n.id = v.invoice_id
        OFFSET 0
    ) AS i;

-- name: settled_news
-- What is told of invoices of which nothing was open any more, by the events that tell of it: the payment that was
-- booked at that very moment closed it, or none did, and it was a credit note. Something paid on it keeps the due day
-- as it is.
SELECT w.event_id, i.external_id, i.currency, v.due_on, p.paid_on
FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) AS w (event_id, id, recorded_at)
CROSS JOIN
    LATERAL (
        SELECT o.id, o.external_id, o.currency FROM invoice AS o
        WHERE o.program_id = $1::integer AND o.id = w.id
        OFFSET 0
    ) AS i
CROSS JOIN
    LATERAL (
        SELECT n.due_on FROM invoice_version AS n
        WHERE n.program_id = $1::integer AND n.invoice_id = w.id
        ORDER BY n.version DESC
        LIMIT 1
    ) AS v
LEFT JOIN
    LATERAL (
        SELECT s.paid_on FROM settlement AS s
        WHERE
            s.program_id = $1::integer AND s.invoice_id = w.id AND s.closes
            AND EXISTS (
                SELECT FROM payment AS m
                WHERE m.program_id = $1::integer AND m.id = s.payment_id AND m.recorded_at = w.recorded_at
            )
        LIMIT 1
    ) AS p
    ON TRUE;

-- name: credit_note_news
SELECT
    n.id, n.external_id, i.external_id AS invoice_id, n.issued_on, i.currency, n.total, n.tax, n.from_open,
    n.overpaid, n.remaining
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT o.* FROM credit_note AS o
        WHERE o.program_id = $1::integer AND o.id = w.id
        OFFSET 0
    ) AS n
CROSS JOIN
    LATERAL (
        SELECT k.external_id, k.currency FROM invoice AS k
        WHERE k.program_id = $1::integer AND k.id = n.invoice_id
        OFFSET 0
    ) AS i;
