-- Statements of programs and their keys.

-- name: catalogue_version
-- The number that grows with every change, and what names this very database: the server, the database in it, and the
-- line of history that it writes, which is another one after a restore or a failover.
SELECT
    v.version,
    c.system_identifier::text || '/' || d.oid::text || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) AS identity
FROM catalogue_version AS v
CROSS JOIN pg_control_system() AS c
INNER JOIN pg_database AS d ON d.datname = current_database();

-- name: catalogue_bump
-- Tells every process that programs or keys changed.
UPDATE catalogue_version SET version = version + 1;

-- name: program_all
-- All programs, a row for each version of their settings. The first version has no `valid_from`: it applies to all
-- before. One without it was written by a process that didn't know of it, and counts from its recording on.
SELECT
    p.id, p.code, p.name, p.live, s.version, s.settings,
    CASE WHEN s.version > 1 THEN coalesce(s.valid_from, s.recorded_at) END AS valid_from
FROM program AS p
INNER JOIN program_settings AS s ON p.id = s.program_id
ORDER BY p.id, s.version;

-- name: program_lock
-- Locks the program alone: a join with the settings would be read before the wait, and miss the version made meanwhile.
SELECT p.id FROM program AS p
WHERE p.id = $1::integer
FOR NO KEY UPDATE;

-- name: program_read
-- A program, a row for each version of its settings, as in program_all.
SELECT
    p.id, p.code, p.name, p.live, s.version, s.settings,
    CASE WHEN s.version > 1 THEN coalesce(s.valid_from, s.recorded_at) END AS valid_from
FROM program AS p
INNER JOIN program_settings AS s ON p.id = s.program_id
WHERE p.id = $1::integer
ORDER BY s.version;

-- name: program_with_code
-- Likewise.
SELECT
    p.id, p.code, p.name, p.live, s.version, s.settings,
    CASE WHEN s.version > 1 THEN coalesce(s.valid_from, s.recorded_at) END AS valid_from
FROM program AS p
INNER JOIN program_settings AS s ON p.id = s.program_id
WHERE p.code = $1::text
ORDER BY s.version;

-- name: program_insert
INSERT INTO program (code, name, live, settings_version, created_at)
VALUES ($1::text, $2::text, $3::boolean, 1, clock_timestamp())
ON CONFLICT (code) DO NOTHING
RETURNING id, created_at;

-- name: settings_insert
INSERT INTO program_settings (program_id, version, settings, recorded_at, valid_from)
VALUES ($1::integer, $2::integer, $3::jsonb, $4::timestamptz, $5::timestamptz);

-- name: settings_read
SELECT s.settings FROM program_settings AS s
WHERE s.program_id = $1::integer AND s.version = $2::integer;

-- name: program_update
UPDATE program SET name = $2::text, settings_version = $3::integer
WHERE id = $1::integer;

-- name: key_all_valid
-- Keys that are valid now, with their programs.
SELECT
    k.hash, k.program_id, k.id, k.role, coalesce(k.origin, k.id) AS origin, k.requests_per_second, k.burst,
    k.expires_at, clock_timestamp() AS now
FROM api_key AS k
WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp());

-- name: key_insert
INSERT INTO api_key (program_id, id, role, name, hash, hint, created_at, requests_per_second, burst, origin)
VALUES (
    $1::integer, $2::uuid, $3::text, $4::text, $5::bytea, $6::text, $7::timestamptz, $8::integer, $9::integer,
    $10::uuid
);

-- name: key_list
-- A page of a program's keys, newest first, also the revoked ones.
SELECT
    k.id, k.program_id, k.role, k.name, k.hint, k.created_at, k.expires_at, k.revoked_at,
    k.requests_per_second, k.burst, k.origin
FROM api_key AS k
WHERE k.program_id = $1::integer AND k.id < $2::uuid
ORDER BY k.id DESC
LIMIT $3::integer;

-- name: key_lock
SELECT
    k.id, k.program_id, k.role, k.name, k.hint, k.created_at, k.expires_at, k.revoked_at,
    k.requests_per_second, k.burst, k.origin
FROM api_key AS k
WHERE k.program_id = $1::integer AND k.id = $2::uuid
FOR NO KEY UPDATE;

-- name: key_end
-- Revokes a key, or lets it end later.
UPDATE api_key SET revoked_at = $3::timestamptz, expires_at = $4::timestamptz
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: key_limit
-- Sets a key's own rate limit, or none.
UPDATE api_key SET requests_per_second = $3::integer, burst = $4::integer
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: database_time
SELECT clock_timestamp() AS now;

-- name: settings_news
-- The newest version of a program's settings at moments, and from when on it applies, as in program_all.
SELECT w.event_id, v.version, v.valid_from
FROM unnest($2::uuid[], $3::timestamptz[]) AS w (event_id, at)
CROSS JOIN LATERAL (
    SELECT s.version, CASE WHEN s.version > 1 THEN coalesce(s.valid_from, s.recorded_at) END AS valid_from
    FROM program_settings AS s
    WHERE s.program_id = $1::integer AND s.recorded_at <= w.at
    ORDER BY s.version DESC
    LIMIT 1
) AS v;
