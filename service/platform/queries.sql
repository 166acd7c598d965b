-- Statements of the platform: claims, commands, the outbox, the time.

-- name: claim_insert
-- Takes ids of facts. One that somebody else holds writes no row, and the caller begins again.
INSERT INTO claim (program_id, kind, id, content_hash, subject_id)
SELECT $1::integer, $2::smallint, c.id, c.content_hash, c.subject_id
FROM unnest($3::claim_row[]) AS c
ON CONFLICT DO NOTHING;

-- name: outbox_insert
INSERT INTO outbox (program_id, id, type, customer_id, subject_id, recorded_at)
SELECT $1::integer, e.id, e.type, e.customer_id, e.subject_id, $2::timestamptz
FROM unnest($3::outbox_row[]) AS e;

-- name: command_lock
-- Tells whether a command's key is free now; held until the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtextextended($2::text, $1::integer)) AS free;

-- name: command_read
SELECT c.request_hash, c.status, c.answer
FROM command AS c
WHERE c.program_id = $1::integer AND c.key = $2::text;

-- name: command_insert
INSERT INTO command (program_id, key, request_hash, status, answer, recorded_at)
VALUES ($1::integer, $2::text, $3::bytea, $4::smallint, $5::jsonb, clock_timestamp());

-- name: commands_forget
-- Looks at the next keys of a program behind one and forgets those that are too old. Answers the last of them, none at
-- the end, and how many were forgotten.
WITH looked AS (
    SELECT c.key, c.recorded_at FROM command AS c
    WHERE c.program_id = $1::integer AND c.key > $2::text
    ORDER BY c.key
    LIMIT $3::integer
),

forgotten AS (
    DELETE FROM command AS c
    USING looked AS l
    WHERE c.program_id = $1::integer AND c.key = l.key AND l.recorded_at < clock_timestamp() - $4::interval
    RETURNING c.key
)

SELECT
    (SELECT max(l.key) FROM looked AS l) AS last_key,
    (SELECT count(*) FROM forgotten) AS forgotten;

-- name: partitions_make
-- Makes the partitions that are missing, with the owner's rights; answers their names.
SELECT p.name FROM make_partitions($1::integer) AS p (name);

-- name: session_look
-- Tells what a session may do, and which of the wanted settings it doesn't have. Before `migrate` there is no role.
SELECT
    quote_ident(session_user) AS login,
    coalesce((
        SELECT pg_has_role(current_user, r.oid, 'USAGE')
        FROM pg_roles AS r
        WHERE r.rolname = $1::text
    ), FALSE) AS is_member,
    coalesce(
        has_table_privilege(current_user, to_regclass('public.transfer'), 'UPDATE'), FALSE
    ) AS may_change_history,
    exists(
        SELECT FROM pg_prepared_statements AS s
        WHERE s.name LIKE '\_\_asyncpg\_%'
    ) AS names_pass,
    array(
        SELECT w.name
        FROM unnest($2::text[], $3::text[]) AS w (name, value)
        WHERE current_setting(w.name) != w.value
        ORDER BY w.name
    ) AS missing;

-- name: time_read
SELECT clock_timestamp() AS now;
