-- Statements of tiers. Every one names one program.

-- name: tier_change_insert
INSERT INTO tier_change (program_id, customer_id, id, from_tier, to_tier, reason, occurred_at, recorded_at)
SELECT $1::integer, c.customer_id, c.id, c.from_tier, c.to_tier, c.reason, c.occurred_at, $2::timestamptz
FROM unnest($3::tier_change_row[]) AS c;

-- name: tier_notice_insert
INSERT INTO tier_notice (program_id, customer_id, id, tier, then_tier, ends_at, told_at)
SELECT $1::integer, n.customer_id, n.id, n.tier, n.then_tier, n.ends_at, $2::timestamptz
FROM unnest($3::tier_notice_row[]) AS n;

-- name: brought_tier_insert
INSERT INTO brought_tier (
    program_id, customer_id, id, tier, since, until, counted, qualify_by, currency, recorded_at
)
SELECT
    $1::integer, b.customer_id, b.id, b.tier, b.since, b.until, b.counted, b.qualify_by, b.currency, $2::timestamptz
FROM unnest($3::brought_tier_row[]) AS b;

-- name: brought_tier_list
-- What customers brought along of tiers, and records that went into them, the oldest first.
SELECT w.id AS owner_id, b.tier, b.since, b.until, b.counted, b.qualify_by, b.currency
FROM unnest($2::bigint[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT w.id
        UNION ALL
        SELECT c.id FROM customer AS c
        WHERE c.program_id = $1::integer AND c.merged_into = w.id
    ) AS o
CROSS JOIN
    LATERAL (
        SELECT t.* FROM brought_tier AS t
        WHERE t.program_id = $1::integer AND t.customer_id = o.id
        OFFSET 0
    ) AS b
ORDER BY b.id;

-- name: tier_due_list
-- Of the next customers behind an internal id: the last of them, and those whose tier is to be settled, or counted
-- again, in the order of their internal ids. By $3 it was counted, by $4 decided; null: the program has no tiers, and
-- an empty state is what is left of who had one.
SELECT
    max(w.id) AS last_id,
    coalesce(array_agg(w.id ORDER BY w.id) FILTER (WHERE w.is_due), '{}') AS due_ids,
    coalesce(array_agg(w.external_id ORDER BY w.id) FILTER (WHERE w.is_due), '{}') AS due
FROM (
    SELECT
        c.id, c.external_id,
        c.external_id IS NOT NULL AND c.merged_into IS NULL
        AND (
            c.tier_due_at <= clock_timestamp()
            OR c.tier_state ->> 'basis' IS DISTINCT FROM $3::text
            OR c.tier_state ->> 'ladder' IS DISTINCT FROM $4::text
            OR ($3::text IS NULL AND (c.tier_state != '{}' OR c.tier IS NOT NULL))
        ) AS is_due
    FROM customer AS c
    WHERE c.program_id = $1::integer AND c.id > $2::bigint
    ORDER BY c.id
    LIMIT $5::integer
) AS w;

-- name: tier_change_list
-- The changes of customers, newest first.
SELECT c.id, c.from_tier, c.to_tier, c.reason, c.occurred_at
FROM tier_change AS c
WHERE c.program_id = $1::integer AND c.customer_id = any($2::bigint[])
ORDER BY c.id DESC;

-- name: tier_history
-- The changes of customers, of each the oldest first.
SELECT c.customer_id, c.id, c.from_tier, c.to_tier, c.reason, c.occurred_at
FROM tier_change AS c
WHERE c.program_id = $1::integer AND c.customer_id = any($2::bigint[])
ORDER BY c.customer_id, c.id;

-- name: tier_change_news
-- What is told of changes, by their customers' internal ids and their own.
SELECT c.id, c.from_tier, c.to_tier, c.reason, c.occurred_at
FROM unnest($2::bigint[], $3::uuid[]) AS w (customer_id, id)
INNER JOIN tier_change AS c ON c.program_id = $1::integer AND w.customer_id = c.customer_id AND w.id = c.id;

-- name: tier_notice_news
-- What is told of notices, likewise.
SELECT n.id, n.tier, n.then_tier, n.ends_at
FROM unnest($2::bigint[], $3::uuid[]) AS w (customer_id, id)
INNER JOIN tier_notice AS n ON n.program_id = $1::integer AND w.customer_id = n.customer_id AND w.id = n.id;
