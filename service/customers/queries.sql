-- Statements of customers. Every one names one program.

-- name: booking_open
-- The first statement of every booking: lock the customers, sorted by id, and look up what the facts' ids are known
-- for. Gives a row for each fact, in order, and the database's time after all locks were had. Claims are read with the
-- snapshot from before the wait, so the write proves again that they are free.
WITH locked AS MATERIALIZED (
    SELECT
        c.id, c.external_id, c.version, c.available, c.pending, c.held, c.debt, c.lifetime_earned,
        c.purchase_count, c.first_purchase_at, c.last_purchase_at, c.enrolled_at
    FROM customer AS c
    WHERE c.program_id = $1::integer AND c.external_id = any($2::text[])
    ORDER BY c.id
    FOR NO KEY UPDATE
),

-- Counting them takes all locks before the first row, and so the time below, is given.
all_locked AS MATERIALIZED (SELECT count(*) AS customers FROM locked)

SELECT
    l.id, l.external_id, l.version, l.available, l.pending, l.held, l.debt, l.lifetime_earned,
    l.purchase_count, l.first_purchase_at, l.last_purchase_at, l.enrolled_at,
    k.content_hash, k.subject_id,
    clock_timestamp() AS now
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS f (external_id, claim_id, place)
CROSS JOIN all_locked
LEFT JOIN locked AS l ON f.external_id = l.external_id
LEFT JOIN claim AS k ON k.program_id = $1::integer AND k.kind = $4::smallint AND f.claim_id = k.id
ORDER BY f.place;

-- name: customer_reserve
-- Internal ids for customers to enrol; the ones that come to nothing leave gaps.
SELECT nextval('customer_id_seq') AS id
FROM generate_series(1, $1::integer);

-- name: customer_insert
-- Enrols customers, sorted by the caller's id. One that somebody else enrolled meanwhile writes no row.
INSERT INTO customer (
    program_id, id, external_id, version, available, pending, held, debt, lifetime_earned, purchase_count,
    first_purchase_at, last_purchase_at, enrolled_at
)
SELECT
    $1::integer, n.id, n.external_id, n.version, n.available, n.pending, n.held, n.debt, n.lifetime_earned,
    n.purchase_count, n.first_purchase_at, n.last_purchase_at, n.enrolled_at
FROM
    unnest(
        $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::bigint[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[]
    )
        AS n (
            id,
            external_id,
            version,
            available,
            pending,
            held,
            debt,
            lifetime_earned,
            purchase_count,
            first_purchase_at,
            last_purchase_at, enrolled_at
        )
ORDER BY n.external_id
ON CONFLICT DO NOTHING;

-- name: customer_update
-- Writes customers' rows that are locked.
UPDATE customer AS c
SET
    version = u.version,
    available = u.available,
    pending = u.pending,
    held = u.held,
    debt = u.debt,
    lifetime_earned = u.lifetime_earned,
    purchase_count = u.purchase_count,
    first_purchase_at = u.first_purchase_at,
    last_purchase_at = u.last_purchase_at
FROM
    unnest(
        $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::timestamptz[], $11::timestamptz[]
    )
        AS u (
            id,
            version,
            available,
            pending,
            held,
            debt,
            lifetime_earned,
            purchase_count,
            first_purchase_at,
            last_purchase_at
        )
WHERE c.program_id = $1::integer AND c.id = u.id;

-- name: customer_read
-- Customers' rows by the callers' ids, unlocked.
SELECT
    c.id, c.external_id, c.version, c.available, c.pending, c.held, c.debt, c.lifetime_earned,
    c.purchase_count, c.first_purchase_at, c.last_purchase_at, c.enrolled_at
FROM customer AS c
WHERE c.program_id = $1::integer AND c.external_id = any($2::text[]);

-- name: profile_read
SELECT p.email, p.phone, p.name, p.birthday, p.locale, p.attributes
FROM customer_profile AS p
WHERE p.program_id = $1::integer AND p.customer_id = $2::bigint;

-- name: profile_write
INSERT INTO customer_profile (
    program_id, customer_id, email, phone, name, birthday, locale, attributes, updated_at
) VALUES (
    $1::integer, $2::bigint, $3::text, $4::text, $5::text, $6::date, $7::text, $8::jsonb, clock_timestamp()
)
ON CONFLICT (program_id, customer_id) DO UPDATE SET
    email = excluded.email,
    phone = excluded.phone,
    name = excluded.name,
    birthday = excluded.birthday,
    locale = excluded.locale,
    attributes = excluded.attributes,
    updated_at = excluded.updated_at;

-- name: customer_list
-- A page of customers that are not erased, newest first, with their profiles.
SELECT
    c.id, c.external_id, c.version, c.available, c.pending, c.held, c.debt, c.lifetime_earned,
    c.purchase_count, c.first_purchase_at, c.last_purchase_at, c.enrolled_at,
    p.email, p.phone, p.name, p.birthday, p.locale, p.attributes
FROM customer AS c
LEFT JOIN customer_profile AS p ON c.program_id = p.program_id AND c.id = p.customer_id
WHERE
    c.program_id = $1::integer
    AND c.external_id IS NOT NULL
    AND c.id < $2::bigint
    AND ($3::text IS NULL OR p.email = $3::text)
ORDER BY c.id DESC
LIMIT $4::integer;
