-- Statements of the ledger. Every one names one program.

-- name: transfer_insert
INSERT INTO transfer (
    program_id, customer_id, id, from_bucket, to_bucket, points, reason, cause_type, cause_id, rule, rule_version,
    reverses, customer_version, available_after, pending_after, held_after, debt_after, occurred_at, recorded_at
)
SELECT
    $1::integer, t.customer_id, t.id, t.from_bucket, t.to_bucket, t.points, t.reason, t.cause_type, t.cause_id, t.rule,
    t.rule_version, t.reverses, t.customer_version, t.available_after, t.pending_after, t.held_after, t.debt_after,
    t.occurred_at, $2::timestamptz
FROM unnest($3::transfer_row_2[]) AS t;

-- name: lot_insert
INSERT INTO lot (
    program_id, customer_id, id, granted, remaining, expired, available_at, expires_at, is_pending, lapses, slides,
    needs_notice, notify_at, cause_type, cause_id
)
SELECT
    $1::integer, l.customer_id, l.id, l.granted, l.remaining, l.expired, l.available_at, l.expires_at, l.is_pending,
    l.lapses, l.slides, l.needs_notice, l.notify_at, l.cause_type, l.cause_id
FROM unnest($2::lot_row_3[]) AS l;

-- name: lot_update
-- Writes what has become of lots. Their customers' rows are written with them, which proves that they are as they were
-- read.
UPDATE lot AS l SET
    remaining = u.remaining,
    expired = u.expired,
    available_at = u.available_at,
    expires_at = u.expires_at,
    is_pending = u.is_pending,
    lapses = u.lapses,
    slides = u.slides,
    needs_notice = u.needs_notice,
    notify_at = u.notify_at
FROM unnest($2::lot_row_3[]) AS u
WHERE l.program_id = $1::integer AND l.customer_id = u.customer_id AND l.id = u.id;

-- name: entry_insert
INSERT INTO lot_entry (program_id, customer_id, lot_id, transfer_id, points)
SELECT $1::integer, e.customer_id, e.lot_id, e.transfer_id, e.points
FROM unnest($2::lot_entry_row[]) AS e;

-- name: hold_insert
INSERT INTO hold (
    program_id, customer_id, id, status, points, captured, order_id, expires_at, recorded_at, ended_at
)
SELECT
    $1::integer, h.customer_id, h.id, h.status, h.points, h.captured, h.order_id, h.expires_at, h.recorded_at,
    h.ended_at
FROM unnest($2::hold_row[]) AS h;

-- name: hold_update
UPDATE hold AS h SET
    status = u.status,
    captured = u.captured,
    ended_at = u.ended_at
FROM unnest($2::hold_row[]) AS u
WHERE h.program_id = $1::integer AND h.id = u.id;

-- name: part_insert
INSERT INTO hold_part (program_id, customer_id, hold_id, lot_id, points, captured, restored)
SELECT $1::integer, p.customer_id, p.hold_id, p.lot_id, p.points, p.captured, p.restored
FROM unnest($2::hold_part_row[]) AS p;

-- name: part_update
UPDATE hold_part AS p SET
    captured = u.captured,
    restored = u.restored
FROM unnest($2::hold_part_row[]) AS u
WHERE p.program_id = $1::integer AND p.hold_id = u.hold_id AND p.lot_id = u.lot_id;

-- name: notice_insert
INSERT INTO expiry_notice (program_id, customer_id, id, points, ends_at, told_at)
SELECT $1::integer, n.customer_id, n.id, n.points, n.ends_at, $2::timestamptz
FROM unnest($3::expiry_notice_row[]) AS n;

-- name: lots_of
-- The lots of customers that can still change: those with something left, and those from which points are held.
SELECT
    l.id, l.customer_id, l.granted, l.remaining, l.available_at, l.expires_at, l.cause_type, l.cause_id, l.expired,
    l.is_pending, l.lapses, l.slides, l.needs_notice, l.notify_at
FROM unnest($2::bigint[]) AS w (customer_id)
CROSS JOIN LATERAL (
    SELECT o.* FROM lot AS o
    WHERE
        o.program_id = $1::integer
        AND o.customer_id = w.customer_id
        AND (
            o.remaining > 0
            OR EXISTS (
                SELECT FROM hold AS h
                INNER JOIN hold_part AS p ON h.program_id = p.program_id AND h.id = p.hold_id
                WHERE
                    h.program_id = $1::integer
                    AND h.customer_id = w.customer_id
                    AND h.status = 'held'
                    AND p.lot_id = o.id
            )
        )
    OFFSET 0
) AS l;

-- name: holds_of
-- The open holds of customers, a row for each of their parts, those that end first at the front.
SELECT
    h.id, h.customer_id, h.points, h.expires_at, h.recorded_at, h.order_id, p.lot_id, p.points AS part_points
FROM unnest($2::bigint[]) AS w (customer_id)
CROSS JOIN
    LATERAL (
        SELECT o.* FROM hold AS o
        WHERE o.program_id = $1::integer AND o.customer_id = w.customer_id AND o.status = 'held'
        OFFSET 0
    ) AS h
INNER JOIN hold_part AS p ON h.program_id = p.program_id AND h.id = p.hold_id
INNER JOIN lot AS l ON p.program_id = l.program_id AND p.customer_id = l.customer_id AND p.lot_id = l.id
ORDER BY h.id, l.expires_at, l.id;

-- name: due_list
-- Of the next customers behind an internal id: the last of them, and those with something due, in the order of their
-- internal ids. Every row is looked at: an index on what changes with each purchase would cost more than this.
SELECT
    max(w.id) AS last_id,
    coalesce(array_agg(w.id ORDER BY w.id) FILTER (WHERE w.is_due), '{}') AS due_ids,
    coalesce(array_agg(w.external_id ORDER BY w.id) FILTER (WHERE w.is_due), '{}') AS due
FROM (
    SELECT c.id, c.external_id, c.next_due_at <= clock_timestamp() AS is_due
    FROM customer AS c
    WHERE c.program_id = $1::integer AND c.id > $2::bigint
    ORDER BY c.id
    LIMIT $3::integer
) AS w;

-- name: hold_read
-- A hold with the customer's id, as the caller knows it.
SELECT
    h.id, h.customer_id, h.points, h.expires_at, h.recorded_at, h.order_id, h.status, h.captured, h.ended_at,
    c.external_id
FROM hold AS h
INNER JOIN customer AS c ON h.program_id = c.program_id AND h.customer_id = c.id
WHERE h.program_id = $1::integer AND h.id = $2::uuid;

-- name: captured_of_order
-- The captured redemptions of an order by a customer, a row for each of their parts.
SELECT
    h.id, h.customer_id, h.points, h.expires_at, h.recorded_at, h.order_id, h.captured, h.ended_at, p.lot_id,
    p.points AS part_points, p.captured AS part_captured, p.restored
FROM hold AS h
INNER JOIN hold_part AS p ON h.program_id = p.program_id AND h.id = p.hold_id
WHERE
    h.program_id = $1::integer AND h.order_id = $2::text AND h.customer_id = $3::bigint AND h.status = 'captured'
ORDER BY h.id, p.lot_id;

-- name: lots_by_id
SELECT
    l.id, l.customer_id, l.granted, l.remaining, l.available_at, l.expires_at, l.cause_type, l.cause_id, l.expired,
    l.is_pending, l.lapses, l.slides, l.needs_notice, l.notify_at
FROM (SELECT DISTINCT u.id FROM unnest($3::uuid[]) AS u (id)) AS w
CROSS JOIN LATERAL (
    SELECT o.* FROM lot AS o
    WHERE o.program_id = $1::integer AND o.customer_id = $2::bigint AND o.id = w.id
    OFFSET 0
) AS l;

-- name: transfer_list
-- A page of customers' transfers, newest first, behind an id: of one, and of the records that went into this one.
SELECT
    x.id, x.reason, x.from_bucket, x.to_bucket, x.points, x.cause_type, x.cause_id, x.available_after,
    x.pending_after, x.held_after, x.debt_after, x.occurred_at, x.recorded_at
FROM unnest($2::bigint[]) AS w (customer_id)
CROSS JOIN
    LATERAL (
        SELECT
            t.id, t.reason, t.from_bucket::text AS from_bucket, t.to_bucket::text AS to_bucket, t.points, t.cause_type,
            t.cause_id, t.available_after, t.pending_after, t.held_after, t.debt_after, t.occurred_at, t.recorded_at
        FROM transfer AS t
        WHERE t.program_id = $1::integer AND t.customer_id = w.customer_id AND t.id < $3::uuid
        ORDER BY t.id DESC
        LIMIT $4::integer
    ) AS x
ORDER BY x.id DESC
LIMIT $4::integer;

-- name: grant_list
-- What brought points in for customers, for one reason.
SELECT t.id FROM transfer AS t
WHERE
    t.program_id = $1::integer AND t.customer_id = any($2::bigint[]) AND t.from_bucket = 'issued'
    AND t.reason = $3::text
ORDER BY t.id;

-- name: lot_all
SELECT
    l.id, l.customer_id, l.granted, l.remaining, l.available_at, l.expires_at, l.cause_type, l.cause_id, l.expired,
    l.is_pending, l.lapses, l.slides, l.needs_notice, l.notify_at
FROM lot AS l
WHERE l.program_id = $1::integer AND l.customer_id = $2::bigint
ORDER BY l.id DESC;

-- name: hold_all
SELECT
    h.id, h.customer_id, h.points, h.expires_at, h.recorded_at, h.order_id, h.status, h.captured, h.ended_at
FROM hold AS h
WHERE h.program_id = $1::integer AND h.customer_id = $2::bigint
ORDER BY h.id DESC;

-- name: notice_all
-- What customers were told: a merge leaves it with whom it was told.
SELECT n.id, n.points, n.ends_at, n.told_at
FROM expiry_notice AS n
WHERE n.program_id = $1::integer AND n.customer_id = any($2::bigint[])
ORDER BY n.id DESC;

-- name: lot_rehome
UPDATE lot SET customer_id = $3::bigint
WHERE program_id = $1::integer AND customer_id = $2::bigint;

-- name: part_rehome
-- Before the holds: they tell which parts these are.
UPDATE hold_part AS p SET customer_id = $3::bigint
FROM hold AS h
WHERE
    h.program_id = $1::integer AND h.customer_id = $2::bigint AND p.program_id = h.program_id AND p.hold_id = h.id;

-- name: hold_rehome
UPDATE hold SET customer_id = $3::bigint
WHERE program_id = $1::integer AND customer_id = $2::bigint;

-- name: lot_list
-- A page of a customer's lots that have something left, newest first.
SELECT
    l.id, l.customer_id, l.granted, l.remaining, l.available_at, l.expires_at, l.cause_type, l.cause_id, l.expired,
    l.is_pending, l.lapses, l.slides, l.needs_notice, l.notify_at
FROM lot AS l
WHERE
    l.program_id = $1::integer
    AND l.customer_id = $2::bigint
    AND l.remaining > 0
    AND l.id < $3::uuid
ORDER BY l.id DESC
LIMIT $4::integer;

-- name: lot_pending_list
-- A customer's points that are still held back, the first of them that time decides on.
SELECT
    l.id, l.customer_id, l.granted, l.remaining, l.available_at, l.expires_at, l.cause_type, l.cause_id, l.expired,
    l.is_pending, l.lapses, l.slides, l.needs_notice, l.notify_at
FROM lot AS l
WHERE
    l.program_id = $1::integer
    AND l.customer_id = $2::bigint
    AND l.remaining > 0
    AND l.is_pending
ORDER BY l.available_at, l.id
LIMIT $3::integer;

-- name: lot_ending_list
-- At which moments available points of a customer end, and how many; those that slide at a moment of the customer's.
SELECT least(l.expires_at, CASE WHEN l.slides THEN $3::timestamptz END) AS ends_at, sum(l.remaining)::bigint AS points
FROM lot AS l
WHERE
    l.program_id = $1::integer
    AND l.customer_id = $2::bigint
    AND l.remaining > 0
    AND NOT l.is_pending
    AND least(l.expires_at, CASE WHEN l.slides THEN $3::timestamptz END) < 'infinity'
GROUP BY ends_at
ORDER BY ends_at
LIMIT $4::integer;

-- name: plan_anew
-- For the rest of a transaction: plans are made for each call, by what the tables hold then, and may use summaries.
SELECT set_config('plan_cache_mode', 'force_custom_plan', TRUE), set_config('enable_bitmapscan', 'on', TRUE);

-- name: transfer_find
-- A transfer by its id alone. No tree leads to it: behind `plan_anew` it is found by the summaries of its partition or,
-- while that is small, by going through the keys of the program.
SELECT
    t.id, t.reason, t.from_bucket::text AS from_bucket, t.to_bucket::text AS to_bucket, t.points, t.cause_type,
    t.cause_id, t.available_after, t.pending_after, t.held_after, t.debt_after, t.occurred_at, t.recorded_at,
    t.customer_id, t.rule, t.rule_version, t.reverses
FROM transfer AS t
WHERE t.program_id = $1::integer AND t.id = $2::uuid;

-- name: transfer_reversals
-- The transfers that took back what one granted, the oldest first: of a customer and of the records that went into it.
SELECT
    t.id, t.reason, t.from_bucket::text AS from_bucket, t.to_bucket::text AS to_bucket, t.points, t.cause_type,
    t.cause_id, t.available_after, t.pending_after, t.held_after, t.debt_after, t.occurred_at, t.recorded_at
FROM unnest($2::bigint[]) AS w (customer_id)
CROSS JOIN
    LATERAL (
        SELECT r.* FROM transfer AS r
        WHERE r.program_id = $1::integer AND r.customer_id = w.customer_id AND r.id > $3::uuid AND r.reverses = $3::uuid
        OFFSET 0
    ) AS t
ORDER BY t.id;

-- name: lots_of_transfer
-- What a transfer took from lots or gave back to them, with the lots as they are now, those that end first at the
-- front. A merge leaves entries where they were made, and gives the lots another owner.
SELECT
    l.id, l.customer_id, l.granted, l.remaining, l.available_at, l.expires_at, l.cause_type, l.cause_id, l.expired,
    l.is_pending, l.lapses, l.slides, l.needs_notice, l.notify_at, e.points
FROM lot_entry AS e
INNER JOIN lot AS l ON e.program_id = l.program_id AND e.lot_id = l.id
WHERE
    e.program_id = $1::integer
    AND e.customer_id = $2::bigint
    AND e.transfer_id = $3::uuid
    AND l.customer_id = $4::bigint
ORDER BY l.expires_at, l.id;

-- name: lots_of_capture
-- What the capture of a hold spent of lots, likewise.
SELECT
    l.id, l.customer_id, l.granted, l.remaining, l.available_at, l.expires_at, l.cause_type, l.cause_id, l.expired,
    l.is_pending, l.lapses, l.slides, l.needs_notice, l.notify_at, p.captured
FROM hold_part AS p
INNER JOIN lot AS l ON p.program_id = l.program_id AND p.customer_id = l.customer_id AND p.lot_id = l.id
WHERE p.program_id = $1::integer AND p.hold_id = $2::uuid AND p.captured > 0
ORDER BY l.expires_at, l.id;

-- name: lots_of_cause
-- The lots of a customer that one cause granted.
SELECT
    l.id, l.customer_id, l.granted, l.remaining, l.available_at, l.expires_at, l.cause_type, l.cause_id, l.expired,
    l.is_pending, l.lapses, l.slides, l.needs_notice, l.notify_at
FROM lot AS l
WHERE
    l.program_id = $1::integer
    AND l.customer_id = $2::bigint
    AND l.cause_type = $3::text
    AND l.cause_id = $4::text
ORDER BY l.id;

-- name: transfer_news
-- What is told of transfers, by their customers and ids: a transfer stays with the record that it was booked for.
SELECT
    t.id, t.points, t.reason, t.cause_type, t.cause_id, t.available_after, t.pending_after, t.held_after, t.debt_after,
    t.occurred_at
FROM unnest($2::bigint[], $3::uuid[]) AS w (customer_id, id)
CROSS JOIN LATERAL (
    SELECT o.* FROM transfer AS o
    WHERE o.program_id = $1::integer AND o.customer_id = w.customer_id AND o.id = w.id
    OFFSET 0
) AS t;

-- name: notice_news
-- What is told of notices, likewise.
SELECT n.id, n.points, n.ends_at
FROM unnest($2::bigint[], $3::uuid[]) AS w (customer_id, id)
CROSS JOIN LATERAL (
    SELECT o.* FROM expiry_notice AS o
    WHERE o.program_id = $1::integer AND o.customer_id = w.customer_id AND o.id = w.id
    OFFSET 0
) AS n;

-- name: moved_list
-- What was adjusted of customers, and what ended by time, with that of records that went into them, in the order in
-- which it was booked.
SELECT
    w.id AS owner_id, t.id, t.customer_id, t.from_bucket::text AS from_bucket, t.to_bucket::text AS to_bucket,
    t.points, t.reason, t.cause_type, t.cause_id, t.customer_version, t.available_after, t.pending_after, t.held_after,
    t.debt_after, t.occurred_at
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
        SELECT m.* FROM transfer AS m
        WHERE
            m.program_id = $1::integer AND m.customer_id = o.id
            AND (m.reason = 'adjustment' OR (m.to_bucket = 'expired' AND m.reason IN ('expiry', 'lapse')))
        OFFSET 0
    ) AS t
ORDER BY t.id;

-- name: spent_list
-- What customers spent from a moment on, less what refunds gave back of it, with when it was spent.
SELECT h.customer_id, h.ended_at, (h.captured - r.restored)::bigint AS points
FROM hold AS h
CROSS JOIN
    LATERAL (
        SELECT sum(p.restored) AS restored FROM hold_part AS p
        WHERE p.program_id = $1::integer AND p.hold_id = h.id
    ) AS r
WHERE
    h.program_id = $1::integer
    AND h.customer_id = any($2::bigint[])
    AND h.status = 'captured'
    AND h.ended_at >= $3::timestamptz;
