-- Statements of the portal.

-- name: signing_key_insert
INSERT INTO signing_key (program_id, id, name, algorithm, public_key, created_at)
VALUES ($1::integer, $2::uuid, $3::text, $4::text, $5::bytea, $6::timestamptz);

-- name: signing_key_list
-- A program's keys, newest first, also the revoked ones, behind an id.
SELECT k.id, k.program_id, k.name, k.algorithm, k.public_key, k.created_at, k.revoked_at
FROM signing_key AS k
WHERE k.program_id = $1::integer AND k.id < $2::uuid
ORDER BY k.id DESC
LIMIT $3::integer;

-- name: signing_key_lock
SELECT k.id, k.program_id, k.name, k.algorithm, k.public_key, k.created_at, k.revoked_at
FROM signing_key AS k
WHERE k.program_id = $1::integer AND k.id = $2::uuid
FOR NO KEY UPDATE;

-- name: signing_key_count
-- How many keys of a program are not revoked.
SELECT count(*) FROM signing_key AS k
WHERE k.program_id = $1::integer AND k.revoked_at IS NULL;

-- name: signing_key_revoke
UPDATE signing_key SET revoked_at = $3::timestamptz
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: signing_key_all
-- All keys of all programs that are not revoked: each process keeps them.
SELECT k.id, k.program_id, k.name, k.algorithm, k.public_key, k.created_at, k.revoked_at
FROM signing_key AS k
WHERE k.revoked_at IS NULL;
