-- The past: so many customers, each with so many purchases, as the service would have booked them. The books hold.

-- name: fill_customers
-- $1 program, $2 first customer, $3 last customer, $4 purchases of each
INSERT INTO customer (
    program_id, id, external_id, version, available, lifetime_earned, purchase_count, first_purchase_at,
    last_purchase_at, enrolled_at
)
SELECT
    $1::integer, n, 'c-' || n, $4::bigint, 100 * $4::bigint, 100 * $4::bigint, $4::bigint, '2026-01-01', '2026-01-01',
    '2026-01-01'
FROM generate_series($2::bigint, $3::bigint) AS n;

-- name: fill_sequence
SELECT setval('customer_id_seq', greatest($1::bigint, (SELECT s.last_value FROM customer_id_seq AS s)));

-- name: fill_claims
-- $1 program, $2 first number, $3 last number, $4 milliseconds of the first id, $5 milliseconds between ids
INSERT INTO claim (program_id, kind, id, content_hash, subject_id)
SELECT
    $1::integer, 1, 'past-' || md5(n::text), decode(md5(n::text), 'hex'),
    (lpad(to_hex(($4::float8 + n * $5::float8)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid
FROM generate_series($2::bigint, $3::bigint) AS n;

-- name: fill_purchases
-- As fill_claims; $6 customers
INSERT INTO purchase (
    program_id, customer_id, id, external_id, currency, total, tax, shipping, points_paid, channel, items, metadata,
    earned, pending, lines, available_after, pending_after, held_after, debt_after, occurred_at, recorded_at
)
SELECT
    $1::integer, 1 + (n - 1) % $6::bigint,
    (lpad(to_hex(($4::float8 + n * $5::float8)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
    'past-' || md5(n::text), 'EUR', 10000, 0, 0, 0, 'web',
    '[{"id": "1", "sku": "TEA-1", "amount": 10000, "category": "tea"}]', '{}', 100, 0,
    '[{"rule": "base", "version": 1, "points": 100, "why": "1 point for each 1.00 EUR of 100.00 EUR (total)"}]',
    100 * (1 + (n - 1) / $6::bigint), 0, 0, 0, '2026-01-01', '2026-01-01'
FROM generate_series($2::bigint, $3::bigint) AS n;

-- name: fill_transfers
INSERT INTO transfer (
    program_id, customer_id, id, from_bucket, to_bucket, points, reason, cause_type, cause_id, rule, rule_version,
    customer_version, available_after, pending_after, held_after, debt_after, occurred_at, recorded_at
)
SELECT
    $1::integer, 1 + (n - 1) % $6::bigint,
    (lpad(to_hex(($4::float8 + n * $5::float8)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
    'issued', 'available', 100, 'purchase', 'purchase', 'past-' || md5(n::text), 'base', 1,
    1 + (n - 1) / $6::bigint, 100 * (1 + (n - 1) / $6::bigint), 0, 0, 0, '2026-01-01', '2026-01-01'
FROM generate_series($2::bigint, $3::bigint) AS n;

-- name: fill_lots
INSERT INTO lot (program_id, customer_id, id, granted, remaining, available_at, expires_at, cause_type, cause_id)
SELECT
    $1::integer, 1 + (n - 1) % $6::bigint,
    (lpad(to_hex(($4::float8 + n * $5::float8)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
    100, 100, '2026-01-01', 'infinity', 'purchase', 'past-' || md5(n::text)
FROM generate_series($2::bigint, $3::bigint) AS n;

-- name: fill_events
-- What happened has its place, the customers' enrolment first: the outbox holds only what is new.
INSERT INTO event (program_id, position, id, type, customer_id, subject_id, recorded_at)
SELECT
    h.program_id, row_number() OVER (ORDER BY h.id), h.id, h.type, h.customer_id, h.id, h.recorded_at
FROM (
    SELECT
        c.program_id, (lpad(to_hex(c.id), 12, '0') || '70008' || lpad(to_hex(c.id), 15, '0'))::uuid AS id,
        'customer.enrolled' AS type, c.id AS customer_id, c.enrolled_at AS recorded_at
    FROM customer AS c
    WHERE c.program_id = $1::integer
    UNION ALL
    SELECT p.program_id, p.id, 'purchase.rewarded' AS type, p.customer_id, p.recorded_at
    FROM purchase AS p
    WHERE p.program_id = $1::integer
) AS h;

-- name: fill_feed
INSERT INTO feed (program_id, position)
SELECT $1::integer, count(*) FROM event AS e
WHERE e.program_id = $1::integer;
