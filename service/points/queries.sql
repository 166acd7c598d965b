-- Statements of the ledger. Every one names one program.

-- name: transfer_insert
INSERT INTO transfer (
    program_id, customer_id, id, from_bucket, to_bucket, points, reason, cause_type, cause_id, rule, rule_version,
    customer_version, available_after, pending_after, held_after, debt_after, occurred_at, recorded_at
)
SELECT
    $1::integer, t.customer_id, t.id, t.from_bucket, t.to_bucket, t.points, t.reason, t.cause_type, t.cause_id, t.rule,
    t.rule_version, t.customer_version, t.available_after, t.pending_after, t.held_after, t.debt_after, t.occurred_at,
    $2::timestamptz
FROM unnest($3::transfer_row[]) AS t;

-- name: lot_insert
INSERT INTO lot (program_id, customer_id, id, granted, remaining, available_at, expires_at, cause_type, cause_id)
SELECT
    $1::integer, l.customer_id, l.id, l.granted, l.remaining, l.available_at, l.expires_at, l.cause_type, l.cause_id
FROM unnest($2::lot_row[]) AS l;

-- name: transfer_list
-- A page of a customer's transfers, newest first, behind an id.
SELECT
    t.id, t.reason, t.from_bucket::text AS from_bucket, t.to_bucket::text AS to_bucket, t.points, t.cause_type,
    t.cause_id, t.available_after, t.pending_after, t.held_after, t.debt_after, t.occurred_at, t.recorded_at
FROM transfer AS t
WHERE t.program_id = $1::integer AND t.customer_id = $2::bigint AND t.id < $3::uuid
ORDER BY t.id DESC
LIMIT $4::integer;

-- name: lot_list
-- A page of a customer's lots that have something left, newest first.
SELECT l.id, l.granted, l.remaining, l.available_at, l.expires_at, l.cause_type, l.cause_id
FROM lot AS l
WHERE
    l.program_id = $1::integer
    AND l.customer_id = $2::bigint
    AND l.remaining > 0
    AND l.expires_at > clock_timestamp()
    AND l.id < $3::uuid
ORDER BY l.id DESC
LIMIT $4::integer;
