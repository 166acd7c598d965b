-- Statements of purchases. Every one names one program.

-- name: purchase_insert
INSERT INTO purchase (
    program_id, customer_id, id, external_id, currency, total, tax, shipping, points_paid, channel, referral_code,
    items, metadata, earned, pending, lines, available_after, pending_after, held_after, debt_after, occurred_at,
    recorded_at
)
SELECT
    $1::integer, p.customer_id, p.id, p.external_id, p.currency, p.total, p.tax, p.shipping, p.points_paid, p.channel,
    p.referral_code, p.items, p.metadata, p.earned, p.pending, p.lines, p.available_after, p.pending_after,
    p.held_after, p.debt_after, p.occurred_at, $2::timestamptz
FROM unnest($3::purchase_row[]) AS p;

-- name: purchase_earnings
-- What purchases were answered with, for repetitions of them.
SELECT
    p.id, p.earned, p.pending, p.lines, p.available_after, p.pending_after, p.held_after, p.debt_after, o.is_erased
FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u (id)) AS w
CROSS JOIN
    LATERAL (
        SELECT r.* FROM purchase AS r
        WHERE r.program_id = $1::integer AND r.id = w.id
        OFFSET 0
    ) AS p
CROSS JOIN LATERAL (
    SELECT c.external_id IS NULL AS is_erased FROM customer AS c
    WHERE c.program_id = $1::integer AND c.id = p.customer_id
    OFFSET 0
) AS o;

-- name: purchase_read
-- A purchase by the caller's id, with the customer's.
SELECT
    p.external_id, c.external_id AS customer_id, p.currency, p.total, p.occurred_at, p.tax, p.shipping, p.points_paid,
    p.channel, p.referral_code, p.items, p.metadata, p.earned, p.pending, p.lines, p.available_after, p.pending_after,
    p.held_after, p.debt_after, p.recorded_at, p.id, coalesce(c.merged_into, c.id) AS owner_id
FROM claim AS k
INNER JOIN purchase AS p ON k.program_id = p.program_id AND k.subject_id = p.id
INNER JOIN customer AS c ON p.program_id = c.program_id AND p.customer_id = c.id
WHERE k.program_id = $1::integer AND k.kind = $2::smallint AND k.id = $3::text;

-- name: purchase_list
-- Purchases by the ids of their rows, the oldest first, with the customer's as it was reported.
SELECT
    p.external_id, c.external_id AS customer_id, p.currency, p.total, p.occurred_at, p.tax, p.shipping, p.points_paid,
    p.channel, p.referral_code, p.items, p.metadata, p.earned, p.pending, p.lines, p.available_after, p.pending_after,
    p.held_after, p.debt_after, p.recorded_at, p.id, coalesce(c.merged_into, c.id) AS owner_id
FROM purchase AS p
INNER JOIN customer AS c ON p.program_id = c.program_id AND p.customer_id = c.id
WHERE p.program_id = $1::integer AND p.id = any($2::uuid[])
ORDER BY p.id;

-- name: purchase_without_points
SELECT p.id FROM purchase AS p
WHERE p.program_id = $1::integer AND p.customer_id = any($2::bigint[]) AND p.earned = 0;

-- name: purchase_empty
-- Only an erasure changes a fact, and only what callers worded freely.
UPDATE purchase SET channel = NULL, referral_code = NULL, items = '[]', metadata = '{}'
WHERE program_id = $1::integer AND id = any($2::uuid[]);

-- name: refund_empty
-- The state names the ids of items.
UPDATE refund SET state = '{}'
WHERE program_id = $1::integer AND purchase_id = any($2::uuid[]);

-- name: refund_insert
INSERT INTO refund (
    program_id, customer_id, id, external_id, purchase_id, amount, from_lots, to_debt, written_off, restored, state,
    available_after, pending_after, held_after, debt_after, occurred_at, recorded_at
) VALUES (
    $1::integer, $2::bigint, $3::uuid, $4::text, $5::uuid, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10::bigint,
    $11::jsonb, $12::bigint, $13::bigint, $14::bigint, $15::bigint, $16::timestamptz, $17::timestamptz
);

-- name: refund_list
-- The refunds of purchases, the oldest first.
SELECT
    r.id, r.external_id, r.amount, r.from_lots, r.to_debt, r.written_off, r.restored, r.state, r.available_after,
    r.pending_after, r.held_after, r.debt_after, r.occurred_at, r.purchase_id
FROM refund AS r
WHERE r.program_id = $1::integer AND r.purchase_id = any($2::uuid[])
ORDER BY r.id;

-- name: purchase_news
-- What is told of purchases, by the ids of their rows.
SELECT
    p.id, p.external_id, p.currency, p.total, p.earned, p.pending, p.available_after, p.pending_after, p.held_after,
    p.debt_after, p.occurred_at
FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u (id)) AS w
CROSS JOIN LATERAL (
    SELECT o.* FROM purchase AS o
    WHERE o.program_id = $1::integer AND o.id = w.id
    OFFSET 0
) AS p;

-- name: refund_news
-- What is told of refunds, by the ids of their rows.
SELECT
    r.id, r.external_id, p.external_id AS purchase_id, r.amount, r.from_lots, r.to_debt, r.written_off, r.restored,
    r.available_after, r.pending_after, r.held_after, r.debt_after, r.occurred_at
FROM unnest($2::uuid[]) AS w (id)
INNER JOIN refund AS r ON r.program_id = $1::integer AND w.id = r.id
INNER JOIN purchase AS p ON p.program_id = $1::integer AND r.purchase_id = p.id;
