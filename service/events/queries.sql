-- Statements of the feed.

-- name: programs_waiting
-- The programs with events that have no place yet: from one to the next by the key, however many wait in each.
WITH RECURSIVE waiting AS (
    SELECT min(o.program_id) AS program_id FROM outbox AS o
    UNION ALL
    SELECT (
        SELECT min(o.program_id) FROM outbox AS o
        WHERE o.program_id > w.program_id
    )
    FROM waiting AS w
    WHERE w.program_id IS NOT NULL
)

SELECT w.program_id FROM waiting AS w
WHERE w.program_id IS NOT NULL;

-- name: feed_open
INSERT INTO feed (program_id) VALUES ($1::integer)
ON CONFLICT DO NOTHING;

-- name: feed_move
-- Gives the next events of a program their places, in the order of their ids as far as they are committed. Where
-- somebody else is doing that it does nothing. Answers how many it moved.
WITH head AS (
    SELECT f.position FROM feed AS f
    WHERE f.program_id = $1::integer
    FOR UPDATE SKIP LOCKED
),

taken AS (
    DELETE FROM outbox AS o
    USING (
        SELECT n.id FROM outbox AS n
        WHERE n.program_id = $1::integer AND EXISTS (SELECT FROM head)
        ORDER BY n.id
        LIMIT $2::integer
    ) AS w
    WHERE o.program_id = $1::integer AND o.id = w.id
    RETURNING o.id, o.type, o.customer_id, o.subject_id, o.recorded_at
),

placed AS (
    INSERT INTO event (program_id, position, id, type, customer_id, subject_id, recorded_at)
    SELECT
        $1::integer, h.position + row_number() OVER (ORDER BY t.id), t.id, t.type, t.customer_id, t.subject_id,
        t.recorded_at
    FROM taken AS t
    CROSS JOIN head AS h
    RETURNING position
),

counted AS (SELECT count(*) AS moved FROM placed)

UPDATE feed AS f SET position = f.position + c.moved
FROM counted AS c
WHERE f.program_id = $1::integer AND c.moved > 0 AND EXISTS (SELECT FROM head)
RETURNING c.moved;

-- name: event_list
-- Events behind one place and up to another, the oldest first: all, or those of some types.
SELECT e.position, e.id, e.type, e.customer_id, e.subject_id, e.recorded_at
FROM event AS e
WHERE
    e.program_id = $1::integer
    AND e.position > $2::bigint
    AND e.position <= $3::bigint
    AND ($4::text[] IS NULL OR e.type = any($4::text[]))
ORDER BY e.position
LIMIT $5::integer;

-- name: event_types
-- Of what types events are behind one place and up to another, and the last place of each.
SELECT e.type, max(e.position) AS position
FROM event AS e
WHERE e.program_id = $1::integer AND e.position > $2::bigint AND e.position <= $3::bigint
GROUP BY e.type;

-- name: event_read
-- Events at places, the oldest first.
SELECT e.position, e.id, e.type, e.customer_id, e.subject_id, e.recorded_at
FROM unnest($2::bigint[]) AS w (position)
INNER JOIN event AS e ON e.program_id = $1::integer AND w.position = e.position
ORDER BY e.position;

-- name: feed_positions
-- The last place of programs; one without events has none.
SELECT f.program_id, f.position FROM feed AS f
WHERE f.program_id = any($1::integer[]);

-- name: feed_list
-- The last places of all programs that have events.
SELECT f.program_id, f.position FROM feed AS f
ORDER BY f.program_id;

-- name: feed_lag
-- How many events wait for their place, and for how many seconds the oldest of them has.
SELECT
    count(*) AS waiting,
    coalesce(extract(EPOCH FROM clock_timestamp() - min(o.recorded_at)), 0)::float8 AS seconds
FROM outbox AS o;
