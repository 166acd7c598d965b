-- Statements of jobs: their own rows, and what PgQueuer's tables tell.

-- name: job_read
SELECT j.attempts, j.dead_at IS NOT NULL AS is_dead
FROM job AS j
WHERE j.program_id = $2::integer AND j.name = $1::text AND j.subject = $3::text;

-- name: job_begin
-- Counts an attempt that begins now. What is set aside gives no row.
INSERT INTO job AS j (program_id, name, subject, run, attempts, done, begun_at)
VALUES ($2::integer, $1::text, $3::text, 1, 1, 0, clock_timestamp())
ON CONFLICT (program_id, name, subject) DO UPDATE
    SET
        run = j.run + 1,
        attempts = j.attempts + 1,
        begun_at = clock_timestamp()
    WHERE j.dead_at IS NULL
RETURNING j.run, j.attempts, j.place, j.done;

-- name: job_save
-- Keeps a place; having come there is worth a new set of attempts. No row where somebody else has begun since.
UPDATE job SET place = $5::text, done = $6::bigint, attempts = 1
WHERE program_id = $2::integer AND name = $1::text AND subject = $3::text AND run = $4::bigint
RETURNING run;

-- name: job_end
-- All is done; the next run begins anew.
UPDATE job SET
    place = NULL,
    done = 0,
    attempts = 0,
    begun_at = NULL,
    ended_at = clock_timestamp(),
    error = NULL,
    dead_at = NULL
WHERE program_id = $2::integer AND name = $1::text AND subject = $3::text AND run = $4::bigint;

-- name: job_pause
-- The turn is over; the next one goes on from the place.
UPDATE job SET attempts = 0, begun_at = NULL, error = NULL
WHERE program_id = $2::integer AND name = $1::text AND subject = $3::text AND run = $4::bigint;

-- name: queue_step_back
-- Lets jobs that wait run before one that goes on: those of the highest priority come first, then the oldest.
UPDATE pgqueuer SET priority = priority - 1
WHERE dedupe_key = $1::text AND status = 'picked';

-- name: job_fail
-- An attempt came to nothing; after so many in a row the job is set aside. One that the database or others' locks ended
-- doesn't count. No row where somebody else has begun since.
UPDATE job SET
    begun_at = NULL,
    error = $5::text,
    attempts = CASE WHEN $7::boolean THEN attempts ELSE greatest(attempts - 1, 1) END,
    dead_at = CASE WHEN $7::boolean AND attempts >= $6::integer THEN clock_timestamp() END
WHERE program_id = $2::integer AND name = $1::text AND subject = $3::text AND run = $4::bigint
RETURNING attempts, dead_at IS NOT NULL AS is_dead;

-- name: job_set_aside
-- Sets a job aside whose attempts all ended without a word.
UPDATE job SET dead_at = clock_timestamp(), begun_at = NULL, error = coalesce(error || '; then: ', '') || $4::text
WHERE
    program_id = $2::integer AND name = $1::text AND subject = $3::text AND dead_at IS NULL
    AND attempts >= $5::integer;

-- name: job_dead_subjects
SELECT j.program_id, j.subject FROM job AS j
WHERE j.name = $1::text AND j.dead_at IS NOT NULL;

-- name: job_revive
-- Lets a job that is set aside run again, from its place.
UPDATE job SET attempts = 0, error = NULL, dead_at = NULL
WHERE id = $1::bigint AND dead_at IS NOT NULL
RETURNING name, program_id, subject;

-- name: job_discard
-- Forgets where a job was. The row stays: its number of runs keeps one that still goes on somewhere from saving.
UPDATE job SET place = NULL, done = 0, attempts = 0, begun_at = NULL, error = NULL, dead_at = NULL
WHERE id = $1::bigint AND dead_at IS NOT NULL
RETURNING name, program_id, subject;

-- name: job_list
-- What is under way or set aside.
SELECT
    j.name, j.program_id, j.subject, j.id, j.attempts, j.done, j.begun_at, j.error, j.dead_at
FROM job AS j
WHERE j.begun_at IS NOT NULL OR j.error IS NOT NULL OR j.done > 0
ORDER BY j.name, j.program_id, j.subject;

-- name: schedule_list
SELECT s.entrypoint AS name, s.expression AS cron, s.next_run AS at FROM pgqueuer_schedules AS s
ORDER BY s.entrypoint;

-- name: queue_list
-- Jobs in the queue, those that run first.
SELECT
    q.entrypoint AS name, q.payload, q.status = 'picked' AS is_running, q.execute_after AS at
FROM pgqueuer AS q
WHERE q.status IN ('queued', 'picked')
ORDER BY q.status = 'picked' DESC, q.execute_after ASC, q.id ASC
LIMIT $1::integer;

-- name: queue_numbers
-- How many jobs wait and are due, and for how many seconds the first of them has been.
SELECT
    q.entrypoint AS name,
    count(*) AS waiting,
    extract(EPOCH FROM clock_timestamp() - min(q.execute_after))::float8 AS seconds
FROM pgqueuer AS q
WHERE q.status = 'queued' AND q.execute_after <= clock_timestamp()
GROUP BY q.entrypoint;

-- name: dead_numbers
SELECT
    j.name,
    count(*) AS dead
FROM job AS j
WHERE j.dead_at IS NOT NULL
GROUP BY j.name;

-- name: queue_log_forget
-- Takes the oldest rows out of the queue's own log; answers how many.
WITH old AS (
    SELECT l.id FROM pgqueuer_log AS l
    WHERE l.created < clock_timestamp() - $1::interval
    ORDER BY l.created
    LIMIT $2::integer
),

forgotten AS (
    DELETE FROM pgqueuer_log AS l USING old AS o
    WHERE l.id = o.id
    RETURNING l.id
)

SELECT count(*) AS forgotten FROM forgotten;

-- name: queue_statistics_forget
-- Likewise what an earlier version summed up of it.
WITH old AS (
    SELECT s.id FROM pgqueuer_statistics AS s
    WHERE s.created < clock_timestamp() - $1::interval
    LIMIT $2::integer
),

forgotten AS (
    DELETE FROM pgqueuer_statistics AS s USING old AS o
    WHERE s.id = o.id
    RETURNING s.id
)

SELECT count(*) AS forgotten FROM forgotten;
