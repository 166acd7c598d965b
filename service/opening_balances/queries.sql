-- Statements of opening balances. Every one names one program.

-- name: opening_balance_insert
INSERT INTO opening_balance (
    program_id, customer_id, id, external_id, granted, debt, available_after, pending_after, held_after, debt_after,
    recorded_at, tier
)
SELECT
    $1::integer, o.customer_id, o.id, o.external_id, o.granted, o.debt, o.available_after, o.pending_after,
    o.held_after, o.debt_after, $2::timestamptz, o.tier
FROM unnest($3::opening_balance_row_2[]) AS o;

-- name: opening_balance_read
-- What opening balances were answered with, and whether their customer is erased.
SELECT
    b.id, b.granted, b.debt, b.available_after, b.pending_after, b.held_after, b.debt_after, b.tier,
    c.external_id IS NULL AS is_erased
FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u (id)) AS w
CROSS JOIN
    LATERAL (
        SELECT o.* FROM opening_balance AS o
        WHERE o.program_id = $1::integer AND o.id = w.id
        OFFSET 0
    ) AS b
CROSS JOIN LATERAL (
    SELECT r.external_id FROM customer AS r
    WHERE r.program_id = $1::integer AND r.id = b.customer_id
    OFFSET 0
) AS c;

-- name: opening_balance_list
SELECT
    b.id, b.granted, b.debt, b.available_after, b.pending_after, b.held_after, b.debt_after, b.tier, b.external_id
FROM opening_balance AS b
WHERE b.program_id = $1::integer AND b.customer_id = any($2::bigint[])
ORDER BY b.id;

-- name: opening_balance_news
-- What is told of opening balances, by the ids of their rows.
SELECT
    b.id, b.external_id, b.granted, b.debt, b.available_after, b.pending_after, b.held_after, b.debt_after
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN LATERAL (
    SELECT o.* FROM opening_balance AS o
    WHERE o.program_id = $1::integer AND o.id = w.id
    OFFSET 0
) AS b;
