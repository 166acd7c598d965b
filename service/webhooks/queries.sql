-- Statements of webhooks. An endpoint's row is locked before its deliveries are written.

-- name: webhooks_lock
-- Lets one at a time make endpoints of a program: they are counted before.
SELECT pg_advisory_xact_lock(hashtextextended('loyalty webhooks', $1::integer));

-- name: webhook_count
SELECT count(*) AS webhooks FROM webhook AS w
WHERE w.program_id = $1::integer AND w.deleted_at IS NULL;

-- name: webhook_insert
INSERT INTO webhook (program_id, id, url, description, types, created_at, position)
VALUES ($1::integer, $2::uuid, $3::text, $4::text, $5::text[], $6::timestamptz, $7::bigint);

-- name: webhook_list
-- A page of a program's endpoints, newest first.
SELECT
    w.id, w.url, w.description, w.types, w.reason, w.disabled_at, w.created_at, w.position, w.waiting, w.failing_since,
    w.lease
FROM webhook AS w
WHERE w.program_id = $1::integer AND w.id < $2::uuid AND w.deleted_at IS NULL
ORDER BY w.id DESC
LIMIT $3::integer;

-- name: webhook_read
SELECT
    w.id, w.url, w.description, w.types, w.reason, w.disabled_at, w.created_at, w.position, w.waiting, w.failing_since,
    w.lease
FROM webhook AS w
WHERE w.program_id = $1::integer AND w.id = $2::uuid AND w.deleted_at IS NULL;

-- name: webhook_lock
SELECT
    w.id, w.url, w.description, w.types, w.reason, w.disabled_at, w.created_at, w.position, w.waiting, w.failing_since,
    w.lease
FROM webhook AS w
WHERE w.program_id = $1::integer AND w.id = $2::uuid AND w.deleted_at IS NULL
FOR NO KEY UPDATE;

-- name: webhook_update
-- Writes what callers change of an endpoint.
UPDATE webhook SET
    url = $3::text, description = $4::text, types = $5::text[], reason = $6::text, disabled_at = $7::timestamptz,
    failing_since = $8::timestamptz, position = $9::bigint, waiting = $10::integer
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: webhook_delete
-- Its deliveries are removed later, a few at a time.
UPDATE webhook SET deleted_at = clock_timestamp(), leased_until = NULL, lease = lease + 1
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: secret_insert
INSERT INTO webhook_secret (program_id, webhook_id, id, secret, created_at)
VALUES ($1::integer, $2::uuid, $3::uuid, $4::bytea, $5::timestamptz);

-- name: secret_signing
-- The secrets that sign now, the newest first.
SELECT s.id, s.secret, s.created_at, s.ends_at
FROM webhook_secret AS s
WHERE
    s.program_id = $1::integer AND s.webhook_id = $2::uuid
    AND (s.ends_at IS NULL OR s.ends_at > clock_timestamp())
ORDER BY s.id DESC;

-- name: secret_end
-- Lets the newest secret end at a time, and removes those that did.
WITH over AS (
    DELETE FROM webhook_secret
    WHERE program_id = $1::integer AND webhook_id = $2::uuid AND ends_at <= clock_timestamp()
)

UPDATE webhook_secret SET ends_at = $3::timestamptz
WHERE program_id = $1::integer AND webhook_id = $2::uuid AND ends_at IS NULL;

-- name: secret_delete
DELETE FROM webhook_secret
WHERE program_id = $1::integer AND webhook_id = $2::uuid;

-- name: lanes_free
-- The lanes that nobody works, and whether something is to be tried again in them. Endpoints are few.
SELECT
    w.program_id, w.id, w.position, w.waiting, w.failing_since,
    w.waiting > 0 AND EXISTS (
        SELECT FROM webhook_delivery AS d
        WHERE
            d.program_id = w.program_id AND d.webhook_id = w.id AND d.state = 'waiting'
            AND d.next_at <= clock_timestamp()
    ) AS is_due
FROM webhook AS w
WHERE
    w.reason IS NULL AND w.deleted_at IS NULL
    AND (w.leased_until IS NULL OR w.leased_until <= clock_timestamp())
ORDER BY w.program_id, w.id;

-- name: lanes_standing
-- How far the lanes are that are to be worked, and how much is to be tried again in them.
SELECT w.program_id, w.position, w.waiting FROM webhook AS w
WHERE w.reason IS NULL AND w.deleted_at IS NULL;

-- name: lane_take
-- Takes a lane that nobody works, or whose worker gave no sign of life. Who had it before can write no more.
UPDATE webhook SET lease = lease + 1, leased_until = clock_timestamp() + $3::interval
WHERE
    program_id = $1::integer AND id = $2::uuid AND reason IS NULL AND deleted_at IS NULL
    AND (leased_until IS NULL OR leased_until <= clock_timestamp())
RETURNING lease;

-- name: lane_keep
-- Goes on with a lane for a while, and reads it as it is now.
UPDATE webhook SET leased_until = clock_timestamp() + $4::interval
WHERE program_id = $1::integer AND id = $2::uuid AND lease = $3::bigint AND deleted_at IS NULL
RETURNING
    id, url, description, types, reason, disabled_at, created_at, position, waiting, failing_since, lease,
    clock_timestamp() AS now;

-- name: lane_leave
UPDATE webhook SET leased_until = NULL
WHERE program_id = $1::integer AND id = $2::uuid AND lease = $3::bigint;

-- name: lane_lock
-- Locks a lane for what was tried in it. No row: somebody else has taken it.
SELECT
    w.id, w.url, w.description, w.types, w.reason, w.disabled_at, w.created_at, w.position, w.waiting, w.failing_since,
    w.lease
FROM webhook AS w
WHERE w.program_id = $1::integer AND w.id = $2::uuid AND w.lease = $3::bigint AND w.deleted_at IS NULL
FOR NO KEY UPDATE;

-- name: lane_write
UPDATE webhook SET
    position = $3::bigint, waiting = $4::integer, failing_since = $5::timestamptz, reason = $6::text,
    disabled_at = $7::timestamptz, leased_until = clock_timestamp() + $8::interval
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: disabling_insert
INSERT INTO webhook_disabling (program_id, id, webhook_id, reason, failing_since, recorded_at)
VALUES ($1::integer, $2::uuid, $3::uuid, $4::text, $5::timestamptz, $6::timestamptz);

-- name: disabling_read
SELECT d.id, d.webhook_id, d.reason, d.failing_since
FROM webhook_disabling AS d
WHERE d.program_id = $1::integer AND d.id = any($2::uuid[]);

-- name: delivery_due
-- What is to be tried again now, what waits longest first.
SELECT d.event_id, d.position, d.type, d.state, d.tries, d.since, d.next_at, d.ended_at
FROM webhook_delivery AS d
WHERE
    d.program_id = $1::integer AND d.webhook_id = $2::uuid AND d.state = 'waiting'
    AND d.next_at <= clock_timestamp()
ORDER BY d.next_at
LIMIT $3::integer;

-- name: delivery_record
-- Writes what became of deliveries, new ones and known ones. Of one that was asked for again meanwhile only the attempt
-- is added: it is tried again. Answers how many of them wait.
WITH written AS (
    INSERT INTO webhook_delivery AS d (
        program_id, webhook_id, event_id, position, type, state, tries, since, next_at, ended_at, attempts, customer_id
    )
    SELECT
        $1::integer, $2::uuid, r.event_id, r.position, r.type, r.state, r.tries, r.since, r.next_at, r.ended_at,
        r.attempts::jsonb, r.customer_id
    FROM
        unnest(
            $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::integer[], $8::timestamptz[], $9::timestamptz[],
            $10::timestamptz[], $11::text[], $12::bigint[]
        ) AS r (event_id, position, type, state, tries, since, next_at, ended_at, attempts, customer_id)
    ON CONFLICT (program_id, webhook_id, event_id) DO UPDATE
        SET
            state = CASE WHEN d.since = excluded.since THEN excluded.state ELSE d.state END,
            tries = CASE WHEN d.since = excluded.since THEN excluded.tries ELSE d.tries END,
            next_at = CASE WHEN d.since = excluded.since THEN excluded.next_at ELSE d.next_at END,
            ended_at = CASE WHEN d.since = excluded.since THEN excluded.ended_at ELSE d.ended_at END,
            attempts
            = CASE jsonb_array_length(d.attempts) WHEN 50 THEN d.attempts - 0 ELSE d.attempts END || excluded.attempts,
            customer_id = coalesce(excluded.customer_id, d.customer_id)
    RETURNING state
)

SELECT count(*) FILTER (WHERE w.state = 'waiting') AS waiting FROM written AS w;

-- name: delivery_list
-- A page of an endpoint's deliveries, newest first: all, or those of one state.
SELECT d.event_id, d.position, d.type, d.state, d.tries, d.since, d.next_at, d.ended_at, d.attempts
FROM webhook_delivery AS d
WHERE
    d.program_id = $1::integer AND d.webhook_id = $2::uuid AND d.event_id < $3::uuid
    AND ($5::text IS NULL OR d.state = $5::text)
ORDER BY d.event_id DESC
LIMIT $4::integer;

-- name: delivery_list_undelivered
-- Likewise, among those few that were not delivered.
SELECT d.event_id, d.position, d.type, d.state, d.tries, d.since, d.next_at, d.ended_at, d.attempts
FROM webhook_delivery AS d
WHERE
    d.program_id = $1::integer AND d.webhook_id = $2::uuid AND d.event_id < $3::uuid
    AND d.state != 'delivered' AND d.state = $5::text
ORDER BY d.event_id DESC
LIMIT $4::integer;

-- name: delivery_read
SELECT d.event_id, d.position, d.type, d.state, d.tries, d.since, d.next_at, d.ended_at, d.attempts
FROM webhook_delivery AS d
WHERE d.program_id = $1::integer AND d.webhook_id = $2::uuid AND d.event_id = $3::uuid;

-- name: delivery_again
-- Lets a delivery be tried again from now on, as if it were new.
UPDATE webhook_delivery SET
    state = 'waiting', tries = 0, since = clock_timestamp(), next_at = clock_timestamp(), ended_at = NULL
WHERE program_id = $1::integer AND webhook_id = $2::uuid AND event_id = $3::uuid
RETURNING event_id, position, type, state, tries, since, next_at, ended_at, attempts;

-- name: delivery_all_again
-- Likewise for up to so many dead ones whose events have an id from a bound on. Answers how many.
WITH again AS (
    UPDATE webhook_delivery AS d SET
        state = 'waiting', tries = 0, since = clock_timestamp(), next_at = clock_timestamp(), ended_at = NULL
    FROM (
        SELECT c.event_id FROM webhook_delivery AS c
        WHERE
            c.program_id = $1::integer AND c.webhook_id = $2::uuid AND c.event_id >= $3::uuid
            AND c.state != 'delivered' AND c.state = 'dead'
        ORDER BY c.event_id
        LIMIT $4::integer
    ) AS chosen
    WHERE d.program_id = $1::integer AND d.webhook_id = $2::uuid AND d.event_id = chosen.event_id
    RETURNING d.event_id
)

SELECT count(*) AS deliveries FROM again;

-- name: webhook_told
-- The endpoints that have deliveries, also deleted ones, for cleaning up behind them. Each is asked by itself: a scan
-- of all deliveries would take long.
SELECT w.program_id, w.id, w.deleted_at IS NOT NULL AS is_deleted
FROM webhook AS w
CROSS JOIN
    LATERAL (
        SELECT d.event_id FROM webhook_delivery AS d
        WHERE d.program_id = w.program_id AND d.webhook_id = w.id
        ORDER BY d.event_id
        LIMIT 1
    ) AS told
ORDER BY w.program_id, w.id;

-- name: delivery_prune
-- Removes some of an endpoint's old deliveries: what was delivered before a time, or, of a deleted endpoint, any.
-- It looks through so many of them at once, by their ids. Answers how far it came, and how many it removed.
WITH looked AS (
    SELECT d.event_id, d.state, d.ended_at FROM webhook_delivery AS d
    WHERE
        d.program_id = $1::integer AND d.webhook_id = $2::uuid AND d.event_id > $3::uuid AND d.event_id < $4::uuid
    ORDER BY d.event_id
    LIMIT $7::integer
),

removed AS (
    DELETE FROM webhook_delivery AS d
    USING looked AS l
    WHERE
        d.program_id = $1::integer AND d.webhook_id = $2::uuid AND d.event_id = l.event_id
        AND ($6::boolean OR (l.state = 'delivered' AND l.ended_at < $5::timestamptz AND d.state = 'delivered'))
    RETURNING d.event_id
)

SELECT
    (SELECT count(*) FROM looked) AS looked,
    (
        SELECT l.event_id FROM looked AS l
        ORDER BY l.event_id DESC LIMIT 1
    ) AS last,
    (SELECT count(*) FROM removed) AS removed;

-- name: webhooks_hold
-- Waits for who writes what became of deliveries, and lets nobody do so until the transaction ends.
SELECT w.id FROM webhook AS w
WHERE w.program_id = $1::integer
ORDER BY w.id
FOR NO KEY UPDATE;

-- name: answers_forget
-- Empties what receivers answered about customers.
UPDATE webhook_delivery AS d SET
    customer_id = NULL,
    attempts = (
        SELECT jsonb_agg(a.attempt || '{"answer": ""}' ORDER BY a.number)
        FROM jsonb_array_elements(d.attempts) WITH ORDINALITY AS a (attempt, number)
    )
WHERE d.program_id = $1::integer AND d.customer_id = any($2::bigint[]);
