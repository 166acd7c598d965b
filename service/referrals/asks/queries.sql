-- Statements of asking for referrals. Every one names one program, but for those that look for programs with something
-- to do.

-- name: ask_read
-- The milestones of records.
SELECT a.customer_id, a.milestone, a.reached_at, a.until, a.announced_at, a.asked_at
FROM referral_ask AS a
WHERE a.program_id = $1::integer AND a.customer_id = any($2::bigint[])
ORDER BY a.customer_id, a.reached_at, a.milestone;

-- name: ask_insert
INSERT INTO referral_ask (program_id, customer_id, milestone, reached_at, until, announced_at, asked_at)
SELECT $1::integer, n.customer_id, n.milestone, n.reached_at, n.until, n.announced_at, n.asked_at
FROM
    unnest(
        $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[]
    ) AS n (customer_id, milestone, reached_at, until, announced_at, asked_at)
ON CONFLICT DO NOTHING;

-- name: ask_announced
-- Notes that milestones were announced; one that was already writes no row.
UPDATE referral_ask AS a SET announced_at = $4::timestamptz
FROM unnest($2::bigint[], $3::text[]) AS u (customer_id, milestone)
WHERE
    a.program_id = $1::integer AND a.customer_id = u.customer_id AND a.milestone = u.milestone
    AND a.announced_at IS NULL;

-- name: ask_asked
-- Notes that a customer was asked for a milestone; one for which that is known already writes no row.
UPDATE referral_ask SET asked_at = $4::timestamptz
WHERE program_id = $1::integer AND customer_id = $2::bigint AND milestone = $3::text AND asked_at IS NULL;

-- name: ask_delete
DELETE FROM referral_ask
WHERE program_id = $1::integer AND customer_id = any($2::bigint[]);

-- name: ask_waiting
-- Customers with milestones that were not announced while there is time for it, behind one of them.
SELECT DISTINCT a.customer_id FROM referral_ask AS a
WHERE
    a.program_id = $1::integer AND a.customer_id > $2::bigint
    AND a.announced_at IS NULL AND a.asked_at IS NULL
    AND a.until > (SELECT clock_timestamp()) AND a.until > a.reached_at
ORDER BY a.customer_id
LIMIT $3::integer;

-- name: programs_waiting
-- Programs with such milestones.
SELECT DISTINCT a.program_id FROM referral_ask AS a
WHERE a.announced_at IS NULL AND a.asked_at IS NULL AND a.until > (SELECT clock_timestamp()) AND a.until > a.reached_at;

-- name: told_insert
-- Keeps what events say.
INSERT INTO referral_ask_told (program_id, id, milestone, until)
SELECT $1::integer, n.id, n.milestone, n.until
FROM unnest($2::uuid[], $3::text[], $4::timestamptz[]) AS n (id, milestone, until);

-- name: told_read
SELECT t.id, t.milestone, t.until
FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u (id)) AS w
CROSS JOIN LATERAL (
    SELECT o.id, o.milestone, o.until FROM referral_ask_told AS o
    WHERE o.program_id = $1::integer AND o.id = w.id
    OFFSET 0
) AS t;

-- name: codes_closed
-- Which customers had own codes, also of records that went into theirs, of which none is open.
SELECT w.id
FROM (SELECT DISTINCT u.id FROM unnest($2::bigint[]) AS u (id)) AS w
CROSS JOIN
    LATERAL (
        SELECT bool_and(k.closed_at IS NOT NULL) AS are_closed
        FROM (
            SELECT w.id
            UNION ALL
            SELECT c.id FROM customer AS c
            WHERE c.program_id = $1::integer AND c.merged_into = w.id
        ) AS o
        CROSS JOIN LATERAL (
            SELECT r.closed_at FROM referral_code AS r
            WHERE r.program_id = $1::integer AND r.customer_id = o.id AND r.offer IS NULL
            OFFSET 0
        ) AS k
    ) AS f
WHERE f.are_closed;

-- name: seen_read
SELECT s.position FROM referral_ask_seen AS s
WHERE s.program_id = $1::integer;

-- name: seen_list
-- Up to where the feeds of programs were looked through.
SELECT s.program_id, s.position FROM referral_ask_seen AS s
WHERE s.program_id = any($1::integer[]);

-- name: seen_write
-- Goes on from one place to another; where somebody else went on from there it writes no row.
INSERT INTO referral_ask_seen AS s (program_id, position)
SELECT $1::integer, $3::bigint
ON CONFLICT (program_id) DO UPDATE SET
    position = excluded.position
WHERE
s.position = $2::bigint;
