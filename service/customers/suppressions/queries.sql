-- Statements of suppressions. Every one names one program.

-- name: suppression_open
-- Suppressions of records whose end isn't noted: of each at most one for a reason, and its time may be over.
SELECT
    s.id, s.customer_id, s.reason, s.until, s.reference, s.set_by, s.set_at, s.ended_at, s.ended_as, s.lifted_by
FROM suppression AS s
WHERE s.program_id = $1::integer AND s.customer_id = any($2::bigint[]) AND s.ended_at IS NULL
ORDER BY s.id;

-- name: suppression_list
-- A page of the suppressions of a record that hold, newest first.
SELECT
    s.id, s.customer_id, s.reason, s.until, s.reference, s.set_by, s.set_at, s.ended_at, s.ended_as, s.lifted_by
FROM suppression AS s
WHERE
    s.program_id = $1::integer
    AND s.customer_id = $2::bigint
    AND s.id < $3::uuid
    AND s.ended_at IS NULL
    AND coalesce(s.until, 'infinity') > clock_timestamp()
ORDER BY s.id DESC
LIMIT $4::integer;

-- name: suppression_export
-- All suppressions of records, newest first, also those that ended.
SELECT
    s.id, s.customer_id, s.reason, s.until, s.reference, s.set_by, s.set_at, s.ended_at, s.ended_as, s.lifted_by
FROM suppression AS s
WHERE s.program_id = $1::integer AND s.customer_id = any($2::bigint[])
ORDER BY s.id DESC;

-- name: suppression_read
-- Suppressions by their customers' internal ids and their own.
SELECT
    s.id, s.customer_id, s.reason, s.until, s.reference, s.set_by, s.set_at, s.ended_at, s.ended_as, s.lifted_by
FROM unnest($2::bigint[], $3::uuid[]) AS w (customer_id, id)
INNER JOIN suppression AS s ON s.program_id = $1::integer AND w.customer_id = s.customer_id AND w.id = s.id;

-- name: suppression_reasons
-- The reasons that hold for customers at a moment, by their internal ids. A record that went into another one is
-- suppressed as that is: both are read with one snapshot.
SELECT w.id, s.reason
FROM (SELECT DISTINCT u.id FROM unnest($2::bigint[]) AS u (id)) AS w
CROSS JOIN
    LATERAL (
        SELECT coalesce(c.merged_into, c.id) AS id FROM customer AS c
        WHERE c.program_id = $1::integer AND c.id = w.id
        OFFSET 0
    ) AS k
CROSS JOIN
    LATERAL (
        SELECT o.reason FROM suppression AS o
        WHERE
            o.program_id = $1::integer
            AND o.customer_id = k.id
            AND o.ended_at IS NULL
            AND coalesce(o.until, 'infinity') > $3::timestamptz
        OFFSET 0
    ) AS s
ORDER BY w.id, s.reason;

-- name: suppression_insert
INSERT INTO suppression (program_id, customer_id, id, reason, until, reference, set_by, set_at)
SELECT $1::integer, n.customer_id, n.id, n.reason, n.until, n.reference, n.set_by, n.set_at
FROM
    unnest(
        $2::bigint[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::uuid[], $8::timestamptz[]
    ) AS n (customer_id, id, reason, until, reference, set_by, set_at);

-- name: suppression_end
-- Notes how suppressions ended; their customers are locked.
UPDATE suppression AS s SET
    ended_at = u.ended_at,
    ended_as = u.ended_as,
    lifted_by = u.lifted_by
FROM
    unnest(
        $2::bigint[], $3::uuid[], $4::timestamptz[], $5::text[], $6::uuid[]
    ) AS u (customer_id, id, ended_at, ended_as, lifted_by)
WHERE s.program_id = $1::integer AND s.customer_id = u.customer_id AND s.id = u.id AND s.ended_at IS NULL;

-- name: suppression_forget
-- Empties the references of records' suppressions.
UPDATE suppression SET reference = NULL
WHERE program_id = $1::integer AND customer_id = any($2::bigint[]) AND reference IS NOT NULL;
