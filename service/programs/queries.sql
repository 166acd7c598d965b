-- Statements of programs, their keys, and what they define.

-- name: catalogue_version
-- The number that grows with every change, and what names this very database: the server, the database in it, and the
-- line of history that it writes, which is another one after a restore or a failover. And its time.
SELECT
    v.version,
    clock_timestamp() AS now,
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

-- name: definition_all
-- All versions of all programs' definitions but drafts, which apply to nothing.
SELECT
    v.program_id, v.kind, v.definition_id, v.version, v.id, v.state, v.content, v.valid_from, v.recorded_at
FROM definition_version AS v
WHERE v.state != 'draft'
ORDER BY v.program_id, v.kind, v.definition_id, v.version;

-- name: definition_of_program
-- Likewise of one program.
SELECT v.kind, v.definition_id, v.version, v.id, v.state, v.content, v.valid_from, v.recorded_at
FROM definition_version AS v
WHERE v.program_id = $1::integer AND v.state != 'draft'
ORDER BY v.kind, v.definition_id, v.version;

-- name: definition_list
-- A page of definitions of a kind, newest first, each with up to two versions by number: the one that applies at a
-- moment, and the newest. Their place is the id of their first version.
SELECT p.definition_id, p.place, v.version, v.id, v.state, v.content, v.valid_from, v.recorded_at
FROM (
    SELECT d.id AS definition_id, d.version, f.id AS place
    FROM definition AS d
    INNER JOIN definition_version AS f ON d.program_id = f.program_id AND d.kind = f.kind AND d.id = f.definition_id
    WHERE d.program_id = $1::integer AND d.kind = $2::text AND f.version = 1 AND f.id < $3::uuid
    ORDER BY f.id DESC
    LIMIT $4::integer
) AS p
INNER JOIN definition_version AS v
    ON
        v.program_id = $1::integer AND v.kind = $2::text AND p.definition_id = v.definition_id
        AND (
            p.version = v.version
            OR v.version = (
                SELECT max(a.version) FROM definition_version AS a
                WHERE
                    a.program_id = $1::integer AND a.kind = $2::text AND a.definition_id = p.definition_id
                    AND a.state != 'draft' AND a.valid_from <= $5::timestamptz
            )
        )
ORDER BY p.place DESC, v.version ASC;

-- name: definition_read
-- A definition, a row for each version.
SELECT v.version, v.id, v.state, v.content, v.valid_from, v.recorded_at
FROM definition_version AS v
WHERE v.program_id = $1::integer AND v.kind = $2::text AND v.definition_id = $3::text
ORDER BY v.version;

-- name: definition_versions
-- A page of a definition's versions, newest first.
SELECT v.version, v.id, v.state, v.content, v.valid_from, v.recorded_at
FROM definition_version AS v
WHERE
    v.program_id = $1::integer AND v.kind = $2::text AND v.definition_id = $3::text AND v.version < $4::integer
ORDER BY v.version DESC
LIMIT $5::integer;

-- name: definition_count
-- How many definitions of a kind are not over at a moment, as `DefinitionVersion.is_over` tells of the newest version.
SELECT count(*) AS definitions
FROM definition AS d
INNER JOIN definition_version AS v
    ON d.program_id = v.program_id AND d.kind = v.kind AND d.id = v.definition_id AND d.version = v.version
WHERE
    d.program_id = $1::integer AND d.kind = $2::text
    AND NOT (
        v.valid_from <= $3::timestamptz
        AND (v.state = 'ended' OR coalesce((v.content ->> 'ends_at')::timestamptz <= $3::timestamptz, FALSE))
    );

-- name: definition_insert
INSERT INTO definition (program_id, kind, id, version, created_at)
VALUES ($1::integer, $2::text, $3::text, 1, $4::timestamptz)
ON CONFLICT (program_id, kind, id) DO NOTHING
RETURNING version;

-- name: definition_version_insert
INSERT INTO definition_version (
    program_id, kind, definition_id, version, id, state, content, valid_from, recorded_at
) VALUES (
    $1::integer, $2::text, $3::text, $4::integer, $5::uuid, $6::text, $7::jsonb, $8::timestamptz, $9::timestamptz
);

-- name: definition_update
UPDATE definition SET version = $4::integer
WHERE program_id = $1::integer AND kind = $2::text AND id = $3::text;

-- name: definition_news
-- What is told of versions of definitions.
SELECT v.id, v.definition_id, v.version, v.state, v.valid_from
FROM definition_version AS v
WHERE v.program_id = $1::integer AND v.id = any($2::uuid[]);
