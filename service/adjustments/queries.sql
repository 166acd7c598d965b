-- Statements of adjustments. Every one names one program.

-- name: adjustment_insert
INSERT INTO adjustment (
    program_id, id, customer_id, points, reason, note, expires_at, status, transfer_id, asked_by, asked_origin, asked_at
) VALUES (
    $1::integer, $2::uuid, $3::bigint, $4::bigint, $5::text, $6::text, $7::timestamptz, $8::text, $9::uuid, $10::uuid,
    $11::uuid, $12::timestamptz
);

-- name: adjustment_decide
-- Writes what was decided on an adjustment. One that doesn't wait any more writes no row.
UPDATE adjustment SET
    status = $3::text,
    transfer_id = $4::uuid,
    decided_by = $5::uuid,
    decided_origin = $6::uuid,
    decided_at = $7::timestamptz
WHERE program_id = $1::integer AND id = $2::uuid AND status = 'waiting';

-- name: adjusted_read
-- What keys of one origin gave to records and took since a moment, each without its sign, and without a second key.
SELECT coalesce(sum(abs(a.points)), 0)::bigint AS points
FROM adjustment AS a
WHERE
    a.program_id = $1::integer
    AND a.customer_id = any($2::bigint[])
    AND a.asked_origin = $3::uuid
    AND a.asked_at > $4::timestamptz
    AND a.status = 'booked'
    AND a.decided_by IS NULL;

-- name: adjustment_read
-- An adjustment with the customer's id, as the caller knows it, and the record that this stands for now.
SELECT
    a.id, coalesce(c.merged_into, c.id) AS customer_id, a.points, a.reason, a.note, a.expires_at, a.asked_by,
    a.asked_origin, a.asked_at, a.status, a.transfer_id, a.decided_by, a.decided_origin, a.decided_at, c.external_id
FROM adjustment AS a
INNER JOIN customer AS c ON a.program_id = c.program_id AND a.customer_id = c.id
WHERE a.program_id = $1::integer AND a.id = $2::uuid;

-- name: adjustment_list
-- A page of a program's adjustments, newest first.
SELECT
    a.id, coalesce(c.merged_into, c.id) AS customer_id, a.points, a.reason, a.note, a.expires_at, a.asked_by,
    a.asked_origin, a.asked_at, a.status, a.transfer_id, a.decided_by, a.decided_origin, a.decided_at, c.external_id
FROM adjustment AS a
INNER JOIN customer AS c ON a.program_id = c.program_id AND a.customer_id = c.id
WHERE a.program_id = $1::integer AND a.id < $2::uuid
ORDER BY a.id DESC
LIMIT $3::integer;

-- name: adjustment_list_by_status
-- Likewise of those with a status, by an index of its own: few wait among many.
SELECT
    a.id, coalesce(c.merged_into, c.id) AS customer_id, a.points, a.reason, a.note, a.expires_at, a.asked_by,
    a.asked_origin, a.asked_at, a.status, a.transfer_id, a.decided_by, a.decided_origin, a.decided_at, c.external_id
FROM adjustment AS a
INNER JOIN customer AS c ON a.program_id = c.program_id AND a.customer_id = c.id
WHERE a.program_id = $1::integer AND a.id < $2::uuid AND a.status = $4::text
ORDER BY a.id DESC
LIMIT $3::integer;

-- name: adjustment_list_of_customer
-- Likewise of records; only of a status where it is given.
SELECT
    a.id, coalesce(c.merged_into, c.id) AS customer_id, a.points, a.reason, a.note, a.expires_at, a.asked_by,
    a.asked_origin, a.asked_at, a.status, a.transfer_id, a.decided_by, a.decided_origin, a.decided_at, c.external_id
FROM adjustment AS a
INNER JOIN customer AS c ON a.program_id = c.program_id AND a.customer_id = c.id
WHERE
    a.program_id = $1::integer
    AND a.id < $2::uuid
    AND ($4::text IS NULL OR a.status = $4::text)
    AND a.customer_id = any($5::bigint[])
ORDER BY a.id DESC
LIMIT $3::integer;

-- name: adjustment_forget
-- Empties the notes of records' adjustments, and refuses those that wait.
UPDATE adjustment AS a SET
    note = NULL,
    status = CASE a.status WHEN 'waiting' THEN 'refused' ELSE a.status END,
    decided_at = CASE a.status WHEN 'waiting' THEN $3::timestamptz ELSE a.decided_at END
WHERE
    a.program_id = $1::integer
    AND a.customer_id = any($2::bigint[])
    AND (a.status = 'waiting' OR a.note IS NOT NULL)
RETURNING a.id, a.status = 'refused' AND a.decided_by IS NULL AND a.decided_at = $3::timestamptz AS was_waiting;

-- name: adjustment_rehome
-- Only what waits: what is booked was booked for the record that it names.
UPDATE adjustment SET customer_id = $3::bigint
WHERE program_id = $1::integer AND customer_id = $2::bigint AND status = 'waiting';

-- name: adjustment_news
-- What is told of adjustments: what was asked for never changes, and a transfer is named once, when they are booked.
SELECT a.id, a.points, a.reason, a.transfer_id
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN LATERAL (
    SELECT o.* FROM adjustment AS o
    WHERE o.program_id = $1::integer AND o.id = w.id
    OFFSET 0
) AS a;
