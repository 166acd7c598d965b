-- Statements of purchases, refunds and activities. Every one names one program.

-- name: purchase_insert
INSERT INTO purchase (
    program_id, customer_id, id, external_id, currency, total, tax, shipping, points_paid, channel, referral_code,
    items, metadata, earned, pending, lines, available_after, pending_after, held_after, debt_after, occurred_at,
    recorded_at, seen, tier, referral, surprises
)
SELECT
    $1::integer, p.customer_id, p.id, p.external_id, p.currency, p.total, p.tax, p.shipping, p.points_paid, p.channel,
    p.referral_code, p.items, p.metadata, p.earned, p.pending, p.lines, p.available_after, p.pending_after,
    p.held_after, p.debt_after, p.occurred_at, $2::timestamptz, p.seen, p.tier, p.referral, p.surprises
FROM unnest($3::purchase_row_4[]) AS p;

-- name: purchase_earnings
-- What purchases were answered with, for repetitions of them.
SELECT
    p.id, p.earned, p.pending, p.lines, p.available_after, p.pending_after, p.held_after, p.debt_after, p.seen,
    p.tier, p.referral, p.surprises, o.is_erased
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
    p.held_after, p.debt_after, p.seen, p.tier, p.referral, p.surprises, p.recorded_at,
    p.id,
    coalesce(c.merged_into, c.id) AS owner_id
FROM claim AS k
INNER JOIN purchase AS p ON k.program_id = p.program_id AND k.subject_id = p.id
INNER JOIN customer AS c ON p.program_id = c.program_id AND p.customer_id = c.id
WHERE k.program_id = $1::integer AND k.kind = $2::smallint AND k.id = $3::text;

-- name: purchase_list
-- Purchases by the ids of their rows, the oldest first, with the customer's as it was reported.
SELECT
    p.external_id, c.external_id AS customer_id, p.currency, p.total, p.occurred_at, p.tax, p.shipping, p.points_paid,
    p.channel, p.referral_code, p.items, p.metadata, p.earned, p.pending, p.lines, p.available_after, p.pending_after,
    p.held_after, p.debt_after, p.seen, p.tier, p.referral, p.surprises, p.recorded_at,
    p.id,
    coalesce(c.merged_into, c.id) AS owner_id
FROM purchase AS p
INNER JOIN customer AS c ON p.program_id = c.program_id AND p.customer_id = c.id
WHERE p.program_id = $1::integer AND p.id = any($2::uuid[])
ORDER BY p.id;

-- name: past_use
-- What rules gave customers in periods of when it occurred, in the order asked for. What earned has a transfer of its
-- row's id, by which it is found among those of its customer and of the records that went into this one.
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
    INNER JOIN transfer AS t
        ON
            t.program_id = $1::integer AND o.id = t.customer_id AND t.reason IN ('purchase', 'activity')
            AND w.since <= t.occurred_at AND w.until > t.occurred_at
    INNER JOIN rewarded AS p
        ON p.program_id = $1::integer AND t.id = p.id AND p.reason IN ('purchase', 'activity')
    CROSS JOIN LATERAL jsonb_array_elements(p.lines) AS l (line)
    WHERE l.line ->> 'rule' = w.rule AND (l.line ->> 'points')::bigint > 0
) AS g ON TRUE
GROUP BY w.place
ORDER BY w.place;

-- name: purchase_without_points
SELECT p.id FROM purchase AS p
WHERE p.program_id = $1::integer AND p.customer_id = any($2::bigint[]) AND p.earned = 0;

-- name: booked_tally
-- How many purchases a program booked behind an id, and how many of them occurred in a period, by their customers; of a
-- page of them, with the id of the last.
WITH page AS MATERIALIZED (
    SELECT p.id, p.customer_id, p.occurred_at FROM purchase AS p
    WHERE p.program_id = $1::integer AND p.id > $2::uuid
    ORDER BY p.id
    LIMIT 2000
)

SELECT
    g.customer_id, count(*) AS purchases,
    count(*) FILTER (WHERE g.occurred_at >= $3::timestamptz AND g.occurred_at < $4::timestamptz) AS within,
    (
        SELECT l.id FROM page AS l
        ORDER BY l.id DESC LIMIT 1
    ) AS last_id
FROM page AS g
GROUP BY g.customer_id;

-- name: booked_page
-- A page of the purchases that a program booked behind an id, as they were booked; of those that didn't occur in a
-- period only whose they are and when.
SELECT
    p.id, p.customer_id, p.occurred_at, i.within, p.currency, p.total, p.tax, p.shipping, p.points_paid, p.channel,
    CASE WHEN i.within THEN p.items END AS items,
    CASE WHEN i.within THEN p.lines END AS lines
FROM purchase AS p
CROSS JOIN
    LATERAL (
        SELECT p.occurred_at >= $3::timestamptz AND p.occurred_at < $4::timestamptz AS within
    ) AS i
WHERE p.program_id = $1::integer AND p.id > $2::uuid
ORDER BY p.id
LIMIT 500;

-- name: booked_refunds
-- What refunds took back of the points of purchases from behind an id to another one.
SELECT r.purchase_id, sum(r.from_lots + r.to_debt + r.written_off)::bigint AS taken_back
FROM refund AS r
WHERE r.program_id = $1::integer AND r.purchase_id > $2::uuid AND r.purchase_id <= $3::uuid
GROUP BY r.purchase_id;

-- name: booked_before
-- When the first and the last of customers' purchases occurred that were booked before an id, with those of the records
-- that went into theirs. What earned has a transfer.
SELECT w.id, min(b.occurred_at) AS first_at, max(b.occurred_at) AS last_at
FROM unnest($3::bigint[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT w.id
        UNION ALL
        SELECT c.id FROM customer AS c
        WHERE c.program_id = $1::integer AND c.merged_into = w.id
    ) AS o
CROSS JOIN
    LATERAL (
        SELECT t.occurred_at FROM transfer AS t
        WHERE t.program_id = $1::integer AND t.customer_id = o.id AND t.id < $2::uuid AND t.reason = 'purchase'
        UNION ALL
        SELECT p.occurred_at FROM purchase AS p
        WHERE p.program_id = $1::integer AND p.customer_id = o.id AND p.id < $2::uuid AND p.earned = 0
    ) AS b
GROUP BY w.id;

-- name: purchase_empty
-- Only an erasure changes a fact, and only what callers worded freely.
UPDATE purchase SET channel = NULL, referral_code = NULL, items = '[]', metadata = '{}'
WHERE program_id = $1::integer AND id = any($2::uuid[]);

-- name: purchase_forget_code
-- What a code says may be personal data of whose it was, who is another customer.
UPDATE purchase SET referral_code = NULL
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

-- name: activity_insert
INSERT INTO activity (
    program_id, customer_id, id, external_id, type, type_version, properties, earned, pending, lines, available_after,
    pending_after, held_after, debt_after, seen, occurred_at, recorded_at, tier
)
SELECT
    $1::integer, a.customer_id, a.id, a.external_id, a.type, a.type_version, a.properties, a.earned, a.pending, a.lines,
    a.available_after, a.pending_after, a.held_after, a.debt_after, a.seen, a.occurred_at, $2::timestamptz,
    a.tier
FROM unnest($3::activity_row[]) AS a;

-- name: activity_read
-- An activity by the caller's id, with its customer's as it was reported.
SELECT
    a.external_id, c.external_id AS customer_id, a.type, a.type_version, a.properties, a.earned, a.pending, a.lines,
    a.available_after, a.pending_after, a.held_after, a.debt_after, a.seen, a.tier, a.occurred_at, a.recorded_at, a.id
FROM claim AS k
INNER JOIN activity AS a ON k.program_id = a.program_id AND k.subject_id = a.id
INNER JOIN customer AS c ON a.program_id = c.program_id AND a.customer_id = c.id
WHERE k.program_id = $1::integer AND k.kind = $2::smallint AND k.id = $3::text;

-- name: activity_list
-- Activities by the ids of their rows, the oldest first, with the customer's as it was reported.
SELECT
    a.external_id, c.external_id AS customer_id, a.type, a.type_version, a.properties, a.earned, a.pending, a.lines,
    a.available_after, a.pending_after, a.held_after, a.debt_after, a.seen, a.tier, a.occurred_at, a.recorded_at, a.id
FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u (id)) AS w
CROSS JOIN
    LATERAL (
        SELECT r.* FROM activity AS r
        WHERE r.program_id = $1::integer AND r.id = w.id
        OFFSET 0
    ) AS a
CROSS JOIN
    LATERAL (
        SELECT o.external_id FROM customer AS o
        WHERE o.program_id = $1::integer AND o.id = a.customer_id
        OFFSET 0
    ) AS c
ORDER BY a.id;

-- name: activity_of
SELECT a.id FROM activity AS a
WHERE a.program_id = $1::integer AND a.customer_id = any($2::bigint[])
ORDER BY a.id;

-- name: activity_empty
-- Only an erasure changes a fact, and only what callers may have worded freely.
UPDATE activity SET properties = '{}'
WHERE program_id = $1::integer AND customer_id = any($2::bigint[]);

-- name: purchases_since
-- The purchases of customers, and of records that went into them, from a moment on, with where their refunds have led.
-- What earned has a transfer of its row's id; what earned nothing has an index of its own.
SELECT w.id AS owner_id, p.occurred_at, p.currency, p.total, p.items, p.lines, f.states
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
        SELECT t.id FROM transfer AS t
        WHERE
            t.program_id = $1::integer AND t.customer_id = o.id AND t.reason = 'purchase'
            AND t.occurred_at >= $3::timestamptz
        UNION ALL
        SELECT n.id FROM purchase AS n
        WHERE
            n.program_id = $1::integer AND n.customer_id = o.id AND n.earned = 0 AND n.occurred_at >= $3::timestamptz
    ) AS k
INNER JOIN purchase AS p ON p.program_id = $1::integer AND k.id = p.id
CROSS JOIN LATERAL (
    SELECT array_agg(r.state) AS states FROM refund AS r
    WHERE r.program_id = $1::integer AND r.purchase_id = p.id
) AS f;

-- name: activities_since
-- What the activities of customers earned from a moment on, likewise.
SELECT w.id AS owner_id, a.occurred_at, a.earned
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
        SELECT f.occurred_at, f.earned FROM activity AS f
        WHERE
            f.program_id = $1::integer AND f.customer_id = o.id AND f.earned > 0 AND f.occurred_at >= $3::timestamptz
        OFFSET 0
    ) AS a;

-- name: refunds_of_named
-- What refunds of purchases, by the callers' ids, took back, with where they have led.
SELECT w.id, r.from_lots, r.to_debt, r.written_off, r.state
FROM (SELECT DISTINCT u.id FROM unnest($3::text[]) AS u (id)) AS w
CROSS JOIN
    LATERAL (
        SELECT c.subject_id FROM claim AS c
        WHERE c.program_id = $1::integer AND c.kind = $2::smallint AND c.id = w.id
        OFFSET 0
    ) AS k
CROSS JOIN
    LATERAL (
        SELECT f.from_lots, f.to_debt, f.written_off, f.state FROM refund AS f
        WHERE f.program_id = $1::integer AND f.purchase_id = k.subject_id
        OFFSET 0
    ) AS r;

-- name: facts_of_referees
-- All purchases of customers, and of records that went into theirs, with what was given back of each, and all
-- activities. What earned has a transfer of its row's id; what earned nothing has an index of its own.
SELECT w.id AS owner_id, p.id, p.occurred_at, p.currency, p.total, f.returned, NULL::text AS type
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
        SELECT t.id FROM transfer AS t
        WHERE t.program_id = $1::integer AND t.customer_id = o.id AND t.reason = 'purchase'
        UNION ALL
        SELECT n.id FROM purchase AS n
        WHERE n.program_id = $1::integer AND n.customer_id = o.id AND n.earned = 0
    ) AS k
INNER JOIN purchase AS p ON p.program_id = $1::integer AND k.id = p.id
CROSS JOIN
    LATERAL (
        SELECT coalesce(sum(r.amount), 0)::bigint AS returned FROM refund AS r
        WHERE r.program_id = $1::integer AND r.purchase_id = p.id
    ) AS f
UNION ALL
SELECT w.id AS owner_id, a.id, a.occurred_at, NULL AS currency, 0 AS total, 0 AS returned, a.type
FROM unnest($2::bigint[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT w.id
        UNION ALL
        SELECT c.id FROM customer AS c
        WHERE c.program_id = $1::integer AND c.merged_into = w.id
    ) AS o
CROSS JOIN LATERAL (
    SELECT f.id, f.occurred_at, f.type FROM activity AS f
    WHERE f.program_id = $1::integer AND f.customer_id = o.id
    OFFSET 0
) AS a;
