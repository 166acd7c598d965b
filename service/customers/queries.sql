-- Statements of customers. Every one names one program.

-- name: booking_open
-- The first statement of every booking: lock the customers, sorted by id, and look up what the facts' ids are known
-- for. Gives the locked customers, then the names that stand for another record with its id, then the claims that
-- there are, then the database's time after all locks were had, each in columns of its own. Claims are read with the
-- snapshot from before the wait, so the write proves again that they are free; likewise who was merged or erased while
-- his lock was waited for is told by the locked row. Each look-up is a query of its own by a whole unique key, so that
-- no plan can choose anything else.
WITH known AS MATERIALIZED (
    SELECT w.external_id, coalesce(i.merged_into, i.id) AS id, i.merged_into IS NOT NULL AS is_merged
    FROM (SELECT DISTINCT u.external_id FROM unnest($2::text[]) AS u (external_id)) AS w
    CROSS JOIN
        LATERAL (
            SELECT c.id, c.merged_into FROM customer AS c
            WHERE c.program_id = $1::integer AND c.external_id = w.external_id
            OFFSET 0
        ) AS i
),

locked AS MATERIALIZED (
    SELECT r.*
    FROM (
        SELECT DISTINCT n.id FROM known AS n
        ORDER BY n.id
    ) AS o
    CROSS JOIN LATERAL (
        SELECT
            c.id, c.xmin AS written_by, c.external_id, c.version, c.available, c.pending, c.held, c.debt,
            c.lifetime_earned, c.purchase_count, c.first_purchase_at, c.last_purchase_at, c.enrolled_at, c.next_due_at,
            c.alive_until, c.sliding, c.next_expiry_at, c.next_expiry_points, c.notify_at, c.limits_used, c.tier,
            c.tier_state, c.tier_due_at, c.open_referral, c.surprises,
            c.suppressed_until > clock_timestamp() AS is_suppressed, c.merged_into
        FROM customer AS c
        WHERE c.program_id = $1::integer AND c.id = o.id
        FOR NO KEY UPDATE
    ) AS r
),

-- Counting them takes all locks before the time is read.
all_locked AS MATERIALIZED (SELECT count(*) AS customers FROM locked)

SELECT
    l.id, l.written_by, l.external_id, l.version, l.available, l.pending, l.held, l.debt, l.lifetime_earned,
    l.purchase_count, l.first_purchase_at, l.last_purchase_at, l.enrolled_at, l.next_due_at, l.alive_until, l.sliding,
    l.next_expiry_at, l.next_expiry_points, l.notify_at, l.limits_used, l.tier, l.tier_state, l.tier_due_at,
    l.open_referral, l.surprises, l.is_suppressed, l.merged_into, NULL::text AS claim_id,
    NULL::bytea AS content_hash, NULL::uuid AS subject_id, NULL::timestamptz AS now
FROM locked AS l
UNION ALL
SELECT
    n.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, n.external_id, NULL, NULL, NULL
FROM known AS n
WHERE n.is_merged
UNION ALL
SELECT
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, k.id, k.content_hash, k.subject_id, NULL
FROM (SELECT DISTINCT u.claim_id FROM unnest($3::text[]) AS u (claim_id)) AS f
CROSS JOIN
    LATERAL (
        SELECT c.id, c.content_hash, c.subject_id FROM claim AS c
        WHERE c.program_id = $1::integer AND c.kind = $4::smallint AND c.id = f.claim_id
        OFFSET 0
    ) AS k
UNION ALL
SELECT
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, clock_timestamp()
FROM all_locked;

-- name: booking_look
-- As booking_open, and locks nothing. Records that went into others are given as they are.
SELECT
    l.id, l.written_by, l.external_id, l.version, l.available, l.pending, l.held, l.debt, l.lifetime_earned,
    l.purchase_count, l.first_purchase_at, l.last_purchase_at, l.enrolled_at, l.next_due_at, l.alive_until, l.sliding,
    l.next_expiry_at, l.next_expiry_points, l.notify_at, l.limits_used, l.tier, l.tier_state, l.tier_due_at,
    l.open_referral, l.surprises, l.is_suppressed, l.merged_into, NULL::text AS claim_id,
    NULL::bytea AS content_hash, NULL::uuid AS subject_id, NULL::timestamptz AS now
FROM (SELECT DISTINCT u.external_id FROM unnest($2::text[]) AS u (external_id)) AS w
CROSS JOIN
    LATERAL (
        SELECT c.xmin AS written_by, c.suppressed_until > clock_timestamp() AS is_suppressed, c.* FROM customer AS c
        WHERE c.program_id = $1::integer AND c.external_id = w.external_id
        OFFSET 0
    ) AS l
UNION ALL
SELECT
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, k.id, k.content_hash, k.subject_id, NULL
FROM (SELECT DISTINCT u.claim_id FROM unnest($3::text[]) AS u (claim_id)) AS f
CROSS JOIN
    LATERAL (
        SELECT c.id, c.content_hash, c.subject_id FROM claim AS c
        WHERE c.program_id = $1::integer AND c.kind = $4::smallint AND c.id = f.claim_id
        OFFSET 0
    ) AS k
UNION ALL
SELECT
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, clock_timestamp();

-- name: customer_reserve
-- Internal ids for customers to enrol; the ones that come to nothing leave gaps.
SELECT nextval('customer_id_seq') AS id
FROM generate_series(1, $1::integer);

-- name: customer_insert
-- Enrols customers, sorted by the caller's id. One that somebody else enrolled meanwhile writes no row.
INSERT INTO customer (
    program_id, id, external_id, version, available, pending, held, debt, lifetime_earned, purchase_count,
    first_purchase_at, last_purchase_at, enrolled_at, next_due_at, alive_until, sliding, next_expiry_at,
    next_expiry_points, notify_at, limits_used, tier, tier_state, tier_due_at, open_referral, surprises
)
SELECT
    $1::integer, n.id, n.external_id, n.version, n.available, n.pending, n.held, n.debt, n.lifetime_earned,
    n.purchase_count, n.first_purchase_at, n.last_purchase_at, n.enrolled_at, n.next_due_at, n.alive_until, n.sliding,
    n.next_expiry_at, n.next_expiry_points, n.notify_at, n.limits_used, n.tier, n.tier_state, n.tier_due_at,
    n.open_referral, n.surprises
FROM unnest($2::customer_row_6[]) AS n
ORDER BY n.external_id
ON CONFLICT DO NOTHING;

-- name: customer_update
-- Writes customers' rows, those that are still as they were read: a row's xmin is the transaction that wrote it.
UPDATE customer AS c SET
    version = u.version,
    available = u.available,
    pending = u.pending,
    held = u.held,
    debt = u.debt,
    lifetime_earned = u.lifetime_earned,
    purchase_count = u.purchase_count,
    first_purchase_at = u.first_purchase_at,
    last_purchase_at = u.last_purchase_at,
    next_due_at = u.next_due_at,
    alive_until = u.alive_until,
    sliding = u.sliding,
    next_expiry_at = u.next_expiry_at,
    next_expiry_points = u.next_expiry_points,
    notify_at = u.notify_at,
    limits_used = u.limits_used,
    tier = u.tier,
    tier_state = u.tier_state,
    tier_due_at = u.tier_due_at,
    open_referral = u.open_referral,
    surprises = u.surprises
FROM unnest($2::customer_row_6[]) AS u
WHERE c.program_id = $1::integer AND c.id = u.id AND c.xmin = u.written_by;

-- name: customer_read
-- Customers' rows by the callers' ids, unlocked. Ids of records that went into others stand for those: both are read
-- with one snapshot, so that nobody is found who went into a third or was erased in between.
SELECT
    c.id, c.xmin AS written_by, c.external_id, c.version, c.available, c.pending, c.held, c.debt, c.lifetime_earned,
    c.purchase_count, c.first_purchase_at, c.last_purchase_at, c.enrolled_at, c.next_due_at, c.alive_until, c.sliding,
    c.next_expiry_at, c.next_expiry_points, c.notify_at, c.limits_used, c.tier, c.tier_state, c.tier_due_at,
    c.open_referral, c.surprises,
    c.suppressed_until > clock_timestamp() AS is_suppressed, c.merged_into, w.external_id AS named
FROM (SELECT DISTINCT u.external_id FROM unnest($2::text[]) AS u (external_id)) AS w
CROSS JOIN
    LATERAL (
        SELECT coalesce(i.merged_into, i.id) AS id FROM customer AS i
        WHERE i.program_id = $1::integer AND i.external_id = w.external_id
        OFFSET 0
    ) AS k
CROSS JOIN LATERAL (
    SELECT r.xmin, r.* FROM customer AS r
    WHERE r.program_id = $1::integer AND r.id = k.id
    OFFSET 0
) AS c;

-- name: customer_read_by_id
SELECT
    c.id, c.xmin AS written_by, c.external_id, c.version, c.available, c.pending, c.held, c.debt, c.lifetime_earned,
    c.purchase_count, c.first_purchase_at, c.last_purchase_at, c.enrolled_at, c.next_due_at, c.alive_until, c.sliding,
    c.next_expiry_at, c.next_expiry_points, c.notify_at, c.limits_used, c.tier, c.tier_state, c.tier_due_at,
    c.open_referral, c.surprises,
    c.suppressed_until > clock_timestamp() AS is_suppressed, c.merged_into
FROM (SELECT DISTINCT u.id FROM unnest($2::bigint[]) AS u (id)) AS w
CROSS JOIN LATERAL (
    SELECT r.xmin, r.* FROM customer AS r
    WHERE r.program_id = $1::integer AND r.id = w.id
    OFFSET 0
) AS c;

-- name: standing_read
-- What a balance shows of customers, by the callers' ids.
SELECT
    c.external_id, c.available, c.pending, c.held, c.debt, c.lifetime_earned, c.next_expiry_at, c.next_expiry_points,
    c.alive_until, c.sliding, c.next_due_at <= clock_timestamp() AS is_due, c.merged_into, c.tier, c.tier_state,
    c.purchase_count > 0 OR c.lifetime_earned > 0 AS has_facts, c.version > 0 AS has_moved
FROM (SELECT DISTINCT u.external_id FROM unnest($2::text[]) AS u (external_id)) AS w
CROSS JOIN LATERAL (
    SELECT r.* FROM customer AS r
    WHERE r.program_id = $1::integer AND r.external_id = w.external_id
    OFFSET 0
) AS c;

-- name: profile_read
SELECT p.email, p.phone, p.name, p.birthday, p.locale, p.attributes
FROM customer_profile AS p
WHERE p.program_id = $1::integer AND p.customer_id = $2::bigint;

-- name: limits_keep
-- Writes what customers used of limits; they are locked.
UPDATE customer AS c SET limits_used = u.used
FROM unnest($2::bigint[], $3::jsonb[]) AS u (id, used)
WHERE c.program_id = $1::integer AND c.id = u.id;

-- name: tiers_keep
-- Writes customers' tiers, with what they rest on; they are locked.
UPDATE customer AS c SET tier = u.tier, tier_state = u.tier_state, tier_due_at = u.tier_due_at
FROM unnest($2::bigint[], $3::text[], $4::jsonb[], $5::timestamptz[]) AS u (id, tier, tier_state, tier_due_at)
WHERE c.program_id = $1::integer AND c.id = u.id;

-- name: surprises_keep
-- Writes what customers had of campaigns; they are locked.
UPDATE customer AS c SET surprises = u.had
FROM unnest($2::bigint[], $3::jsonb[]) AS u (id, had)
WHERE c.program_id = $1::integer AND c.id = u.id;

-- name: suppressed_keep
-- Writes until when customers, who are locked, are suppressed for whatever reason: a booking reads it with the row, and
-- one that read it before finds another row now.
UPDATE customer AS c SET
    suppressed_until = (
        SELECT max(coalesce(s.until, 'infinity')) FROM suppression AS s
        WHERE s.program_id = $1::integer AND s.customer_id = c.id AND s.ended_at IS NULL
    )
WHERE c.program_id = $1::integer AND c.id = any($2::bigint[]);

-- name: open_referral_keep
-- Writes by which referrals customers came that are open; they are locked.
UPDATE customer AS c SET open_referral = u.referral
FROM unnest($2::bigint[], $3::uuid[]) AS u (id, referral)
WHERE c.program_id = $1::integer AND c.id = u.id;

-- name: profile_list
-- What rules ask of many customers beside their rows.
SELECT p.customer_id, p.email, p.phone, p.name, p.birthday, p.locale, p.attributes
FROM unnest($2::bigint[]) AS w (id)
CROSS JOIN LATERAL (
    SELECT r.* FROM customer_profile AS r
    WHERE r.program_id = $1::integer AND r.customer_id = w.id
    OFFSET 0
) AS p;

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
-- A page of customers, newest first, with their profiles.
SELECT
    c.id, c.xmin AS written_by, c.external_id, c.version, c.available, c.pending, c.held, c.debt, c.lifetime_earned,
    c.purchase_count, c.first_purchase_at, c.last_purchase_at, c.enrolled_at, c.next_due_at, c.alive_until, c.sliding,
    c.next_expiry_at, c.next_expiry_points, c.notify_at, c.limits_used, c.tier, c.tier_state, c.tier_due_at,
    c.open_referral, c.surprises,
    c.suppressed_until > clock_timestamp() AS is_suppressed, c.merged_into, p.email, p.phone, p.name, p.birthday,
    p.locale, p.attributes
FROM customer AS c
LEFT JOIN customer_profile AS p ON c.program_id = p.program_id AND c.id = p.customer_id
WHERE
    c.program_id = $1::integer
    AND c.external_id IS NOT NULL
    AND c.merged_into IS NULL
    AND c.id < $2::bigint
ORDER BY c.id DESC
LIMIT $3::integer;

-- name: customer_list_by_email
-- As customer_list, of those with this e-mail address, whatever its case.
SELECT
    c.id, c.xmin AS written_by, c.external_id, c.version, c.available, c.pending, c.held, c.debt, c.lifetime_earned,
    c.purchase_count, c.first_purchase_at, c.last_purchase_at, c.enrolled_at, c.next_due_at, c.alive_until, c.sliding,
    c.next_expiry_at, c.next_expiry_points, c.notify_at, c.limits_used, c.tier, c.tier_state, c.tier_due_at,
    c.open_referral, c.surprises,
    c.suppressed_until > clock_timestamp() AS is_suppressed, c.merged_into, p.email, p.phone, p.name, p.birthday,
    p.locale, p.attributes
FROM customer AS c
INNER JOIN customer_profile AS p ON c.program_id = p.program_id AND c.id = p.customer_id
WHERE
    c.program_id = $1::integer
    AND c.external_id IS NOT NULL
    AND c.merged_into IS NULL
    AND c.id < $2::bigint
    AND lower(p.email) = lower($4::text)
ORDER BY c.id DESC
LIMIT $3::integer;

-- name: merged_list
-- The records that went into one.
SELECT c.id FROM customer AS c
WHERE c.program_id = $1::integer AND c.merged_into = $2::bigint
ORDER BY c.id;

-- name: merged_lock
-- Locks records that went into others, sorted: only merges and erasures change these.
SELECT c.id FROM customer AS c
WHERE c.program_id = $1::integer AND c.id = any($2::bigint[])
ORDER BY c.id
FOR NO KEY UPDATE;

-- name: customer_merge
-- Lets a record stand for another from now on, and all that went into it.
UPDATE customer SET merged_into = $3::bigint
WHERE
    program_id = $1::integer
    AND id = any(
        array(
            SELECT $2::bigint
            UNION ALL
            SELECT c.id FROM customer AS c
            WHERE c.program_id = $1::integer AND c.merged_into = $2::bigint
        )
    );

-- name: merge_insert
INSERT INTO customer_merge (program_id, id, source_id, target_id, recorded_at)
VALUES ($1::integer, $2::uuid, $3::bigint, $4::bigint, $5::timestamptz);

-- name: identity_key
SELECT p.identity_key FROM program AS p
WHERE p.id = $1::integer;

-- name: identity_keep
INSERT INTO erased_identity (program_id, kind, hash, erased_at)
SELECT $1::integer, i.kind, i.hash, $4::timestamptz
FROM unnest($2::text[], $3::bytea[]) AS i (kind, hash)
ON CONFLICT DO NOTHING;

-- name: identity_find
SELECT exists(
    SELECT FROM unnest($2::text[], $3::bytea[]) AS i (kind, hash)
    INNER JOIN erased_identity AS e ON i.kind = e.kind AND i.hash = e.hash
    WHERE e.program_id = $1::integer
);

-- name: customer_forget
UPDATE customer SET external_id = NULL, erased_at = $3::timestamptz
WHERE program_id = $1::integer AND id = any($2::bigint[]);

-- name: merge_sources
-- The records that went into others, by the ids of the merges.
SELECT m.id, m.source_id
FROM unnest($2::uuid[]) AS w (id)
INNER JOIN customer_merge AS m ON m.program_id = $1::integer AND w.id = m.id;
