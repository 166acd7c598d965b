-- Statements of referrals. Every one names one program, but for the one that looks for programs with something to do.

-- name: came_by
-- By which referrals customers came, or records that went into theirs: whom that is of, and who brought them, as they
-- are now; and when that was claimed.
SELECT w.id AS referee_id, i.id AS referrer_id, f.claimed_at
FROM (SELECT DISTINCT u.id FROM unnest($2::bigint[]) AS u (id)) AS w
CROSS JOIN
    LATERAL (
        SELECT w.id
        UNION ALL
        SELECT c.id FROM customer AS c
        WHERE c.program_id = $1::integer AND c.merged_into = w.id
    ) AS o
CROSS JOIN
    LATERAL (
        SELECT r.referrer_id, r.claimed_at FROM referral AS r
        WHERE r.program_id = $1::integer AND r.referee_id = o.id
        OFFSET 0
    ) AS f
CROSS JOIN LATERAL (
    SELECT coalesce(c.merged_into, c.id) AS id FROM customer AS c
    WHERE c.program_id = $1::integer AND c.id = f.referrer_id
    OFFSET 0
) AS i;

-- name: ahead_find
-- Which of the callers' ids were claimed ahead of their enrolment.
SELECT a.external_id
FROM (SELECT DISTINCT u.external_id FROM unnest($2::text[]) AS u (external_id)) AS w
CROSS JOIN LATERAL (
    SELECT r.external_id FROM referral_ahead AS r
    WHERE r.program_id = $1::integer AND r.external_id = w.external_id
    OFFSET 0
) AS a;

-- name: claim_insert
-- Adds claims, in the order of the pairs, which is that of the index that two batches may meet in. Where somebody else
-- was claimed first, or brought the other, it writes no row; nor where the code was closed meanwhile. An erasure of the
-- code's owner, who isn't locked, waits for the claim and finds it, or the claim waits and finds no code.
INSERT INTO referral (
    program_id, id, referrer_id, referee_id, code_id, offer, offer_version, terms, state, claimed_with, claimed_at,
    counts_from, expires_at, qualified_at, look_at
)
SELECT
    $1::integer, n.id, n.referrer_id, n.referee_id, n.code_id, n.offer, n.offer_version, n.terms, n.state,
    n.claimed_with, n.claimed_at, n.counts_from, n.expires_at, n.qualified_at, n.look_at
FROM unnest($2::referral_claim_row[]) AS n
CROSS JOIN
    LATERAL (
        SELECT k.id FROM referral_code AS k
        WHERE k.program_id = $1::integer AND k.id = n.code_id AND k.closed_at IS NULL
        FOR KEY SHARE
    ) AS o
ORDER BY least(n.referrer_id, n.referee_id), greatest(n.referrer_id, n.referee_id)
ON CONFLICT DO NOTHING;

-- name: ahead_insert
INSERT INTO referral_ahead (program_id, external_id, referral_id)
VALUES ($1::integer, $2::text, $3::uuid)
ON CONFLICT DO NOTHING;

-- name: qualified_update
-- Marks referrals as qualified; one that stands elsewhere than at its beginning writes no row.
UPDATE referral AS r SET state = 'qualified', qualified_at = u.qualified_at, look_at = u.qualified_at
FROM unnest($2::uuid[], $3::timestamptz[]) AS u (id, qualified_at)
WHERE r.program_id = $1::integer AND r.id = u.id AND r.state = 'signed_up';

-- name: referral_update
-- Writes what became of a referral; one that stands elsewhere than it did when it was read writes no row.
UPDATE referral SET
    referee_id = $4::bigint,
    state = $5::text,
    qualified_at = $6::timestamptz,
    waits_until = $7::timestamptz,
    rewarded_at = $8::timestamptz,
    ended_at = $9::timestamptz,
    reason = $10::text,
    score = $11::integer,
    signs = $12::jsonb,
    reviewed_by = $13::uuid,
    reviewed_at = $14::timestamptz,
    number = $15::integer,
    step = $16::integer,
    referrer_points = $17::bigint,
    referee_points = $18::bigint,
    referrer_lot = $19::uuid,
    referee_lot = $20::uuid,
    referrer_piece = $21::uuid,
    referee_piece = $22::uuid,
    look_at = $23::timestamptz,
    reached_limit = $24::jsonb
WHERE program_id = $1::integer AND id = $2::uuid AND state = $3::text;

-- name: refused_update
-- Refuses referrals that are not decided; one that is by now writes no row.
UPDATE referral SET state = 'refused', reason = $3::text, ended_at = $4::timestamptz, look_at = NULL
WHERE
    program_id = $1::integer AND id = any($2::uuid[])
    AND state IN ('signed_up', 'qualified', 'waiting', 'in_review');

-- name: look_soon
-- Lets the job look at referrals that were refused: their referees' rows still name them.
UPDATE referral SET look_at = $3::timestamptz
WHERE program_id = $1::integer AND id = any($2::uuid[]) AND state = 'refused';

-- name: look_again
-- Lets referrals by which customers came, or records that went into theirs, be judged again: something came back.
UPDATE referral AS r SET look_at = $3::timestamptz
FROM (
    SELECT f.id
    FROM (SELECT DISTINCT u.id FROM unnest($2::bigint[]) AS u (id)) AS w
    CROSS JOIN
        LATERAL (
            SELECT w.id
            UNION ALL
            SELECT c.id FROM customer AS c
            WHERE c.program_id = $1::integer AND c.merged_into = w.id
        ) AS o
    CROSS JOIN LATERAL (
        SELECT e.id FROM referral AS e
        WHERE
            e.program_id = $1::integer AND e.referee_id = o.id
            AND e.state IN ('qualified', 'waiting', 'in_review', 'rewarded')
        OFFSET 0
    ) AS f
) AS l
WHERE r.program_id = $1::integer AND r.id = l.id;

-- name: referral_read
-- Referrals by their ids.
SELECT r.*
FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u (id)) AS w
CROSS JOIN LATERAL (
    SELECT e.* FROM referral AS e
    WHERE e.program_id = $1::integer AND e.id = w.id
    OFFSET 0
) AS r;

-- name: referral_news
-- What is told of referrals: it never changes once it is told.
SELECT r.id, r.offer, r.number, r.referrer_points, r.referee_points
FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u (id)) AS w
CROSS JOIN LATERAL (
    SELECT e.* FROM referral AS e
    WHERE e.program_id = $1::integer AND e.id = w.id
    OFFSET 0
) AS r;

-- name: referral_lock
SELECT r.id FROM referral AS r
WHERE r.program_id = $1::integer AND r.id = $2::uuid
FOR NO KEY UPDATE;

-- name: referral_due
-- Referrals that are to be judged by now, those that wait longest first. The time is asked once, so that the index
-- bounds what is looked at: most rows wait for weeks.
SELECT r.id, r.look_at FROM referral AS r
WHERE r.program_id = $1::integer AND r.look_at <= (SELECT clock_timestamp())
ORDER BY r.look_at, r.id
LIMIT $2::integer;

-- name: look_later
-- Lets a referral that could not be judged be looked at later.
UPDATE referral SET look_at = $3::timestamptz
WHERE program_id = $1::integer AND id = $2::uuid AND look_at <= clock_timestamp();

-- name: programs_due
-- Programs with a referral to be judged by now.
SELECT DISTINCT r.program_id FROM referral AS r
WHERE r.look_at <= (SELECT clock_timestamp());

-- name: ahead_enrolled
-- Who was claimed ahead and is enrolled since.
SELECT a.external_id, a.referral_id FROM referral_ahead AS a
CROSS JOIN
    LATERAL (
        SELECT c.id FROM customer AS c
        WHERE c.program_id = $1::integer AND c.external_id = a.external_id
        OFFSET 0
    ) AS o
WHERE a.program_id = $1::integer
ORDER BY a.external_id
LIMIT $2::integer;

-- name: ahead_of
SELECT a.external_id FROM referral_ahead AS a
WHERE a.program_id = $1::integer AND a.referral_id = $2::uuid;

-- name: ahead_names
-- Whom claims named that came ahead of the enrolment, by the referrals' ids.
SELECT a.referral_id, a.external_id
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN LATERAL (
    SELECT r.referral_id, r.external_id FROM referral_ahead AS r
    WHERE r.program_id = $1::integer AND r.referral_id = w.id
    OFFSET 0
) AS a;

-- name: ahead_of_records
-- Claims that came ahead of the enrolment of records, and were not settled since.
SELECT a.referral_id FROM referral_ahead AS a
INNER JOIN customer AS c ON a.program_id = c.program_id AND a.external_id = c.external_id
WHERE a.program_id = $1::integer AND c.program_id = $1::integer AND c.id = any($2::bigint[]);

-- name: ahead_delete
DELETE FROM referral_ahead
WHERE program_id = $1::integer AND referral_id = any($2::uuid[]);

-- name: rewarded_before
-- The referrals for which referrers' records were rewarded so far.
SELECT
    r.rewarded_at, r.referrer_points + r.referee_points AS points, r.step, r.offer, r.state = 'reversed' AS is_reversed
FROM referral AS r
WHERE r.program_id = $1::integer AND r.referrer_id = any($2::bigint[]) AND r.rewarded_at IS NOT NULL;

-- name: use_add
-- Adds to what was used of limits for all, in the order of the keys. Where that would be more than the limit, because
-- somebody else was first, it writes no row.
INSERT INTO referral_use AS u (program_id, offer, every, starts_on, points, times, most_points, most_times)
SELECT $1::integer, n.offer, n.every, n.starts_on, n.points, n.times, n.most_points, n.most_times
FROM unnest($2::referral_use_row[]) AS n
WHERE
    (n.most_points IS NULL OR n.points <= n.most_points)
    AND (n.most_times IS NULL OR n.times <= n.most_times)
ORDER BY n.offer, n.every, n.starts_on
ON CONFLICT (program_id, offer, every, starts_on) DO UPDATE SET
    points = u.points + excluded.points,
    times = u.times + excluded.times,
    most_points = excluded.most_points,
    most_times = excluded.most_times
WHERE
(excluded.most_points IS NULL OR u.points + excluded.points <= excluded.most_points)
AND (excluded.most_times IS NULL OR u.times + excluded.times <= excluded.most_times);

-- name: use_read
SELECT u.every, u.starts_on, u.points, u.times FROM referral_use AS u
WHERE u.program_id = $1::integer AND u.offer = $2::text;

-- name: mark_insert
-- Adds what a customer or a claim was known by; what is known already stays.
INSERT INTO referral_mark (program_id, kind, digest, customer_id, referral_id, seen_at)
SELECT $1::integer, m.kind, m.digest, $4::bigint, $5::uuid, $6::timestamptz
FROM unnest($2::text[], $3::bytea[]) AS m (kind, digest)
ON CONFLICT DO NOTHING;

-- name: shared_marks
-- Of which kinds the referee, by records or by the claim, and the referrer have a mark in common.
SELECT DISTINCT a.kind
FROM (
    SELECT m.kind, m.digest FROM referral_mark AS m
    WHERE m.program_id = $1::integer AND m.customer_id = any($2::bigint[])
    UNION ALL
    SELECT m.kind, m.digest FROM referral_mark AS m
    WHERE m.program_id = $1::integer AND m.referral_id = $3::uuid
) AS a
INNER JOIN referral_mark AS b
    ON
        b.program_id = $1::integer AND b.customer_id = any($4::bigint[]) AND a.kind = b.kind AND a.digest = b.digest;

-- name: burst_count
-- How many claims came from the address of a claim within a time, this one among them.
SELECT count(DISTINCT o.referral_id) AS claims
FROM referral_mark AS m
INNER JOIN referral_mark AS o
    ON o.program_id = $1::integer AND m.kind = o.kind AND m.digest = o.digest
WHERE
    m.program_id = $1::integer AND m.referral_id = $2::uuid AND m.kind = 'address'
    AND o.referral_id IS NOT NULL AND o.seen_at > $3::timestamptz AND o.seen_at < $4::timestamptz;

-- name: returned_count
-- How many referees of a referrer's records gave everything back.
SELECT count(*) AS referees FROM referral AS r
WHERE r.program_id = $1::integer AND r.referrer_id = any($2::bigint[]) AND r.reason = 'returned';

-- name: referral_of_records
-- The referrals of records, as referrers and as referees, the newest first.
SELECT r.* FROM referral AS r
WHERE
    r.program_id = $1::integer AND r.id = any(
        array(
            SELECT o.id FROM referral AS o
            WHERE o.program_id = $1::integer AND o.referrer_id = any($2::bigint[])
            UNION
            SELECT e.id FROM referral AS e
            WHERE e.program_id = $1::integer AND e.referee_id = any($2::bigint[])
        )
    )
ORDER BY r.id DESC;

-- name: referrer_sums
-- What became of the referrals of a referrer's records, by where they stand: how many, the points that the referrer
-- got, and those that were agreed for the referrer, steps apart.
SELECT
    r.state, count(*) AS referrals, sum(r.referrer_points)::bigint AS earned,
    coalesce(sum((r.terms -> 'referrer' ->> 'points')::bigint), 0)::bigint AS agreed
FROM referral AS r
WHERE r.program_id = $1::integer AND r.referrer_id = any($2::bigint[])
GROUP BY r.state;

-- name: referrer_newest
-- The newest referrals of a referrer's records.
SELECT n.*
FROM (SELECT DISTINCT u.id FROM unnest($2::bigint[]) AS u (id)) AS w
CROSS JOIN
    LATERAL (
        SELECT r.* FROM referral AS r
        WHERE r.program_id = $1::integer AND r.referrer_id = w.id
        ORDER BY r.id DESC
        LIMIT $3::integer
    ) AS n
ORDER BY n.id DESC
LIMIT $3::integer;

-- name: claimed_with
-- The purchases that came with codes of records, and claimed somebody by them.
SELECT r.claimed_with AS purchase_id FROM referral AS r
WHERE r.program_id = $1::integer AND r.referrer_id = any($2::bigint[]) AND r.claimed_with IS NOT NULL;

-- name: referee_list
-- The referrals by which records came.
SELECT r.* FROM referral AS r
WHERE r.program_id = $1::integer AND r.referee_id = any($2::bigint[]);

-- name: open_of_records
-- The referrals of records, as referrers and as referees, that are not decided: not more of them than tells that.
SELECT o.id, o.referee_id, o.state FROM referral AS o
WHERE
    o.program_id = $1::integer AND o.referrer_id = any($2::bigint[])
    AND o.state IN ('signed_up', 'qualified', 'waiting', 'in_review')
UNION
SELECT e.id, e.referee_id, e.state FROM referral AS e
WHERE
    e.program_id = $1::integer AND e.referee_id = any($2::bigint[])
    AND e.state IN ('signed_up', 'qualified', 'waiting', 'in_review');

-- name: look_again_at_all
-- Lets referrals of records on either side be judged again, those that something can still become of.
UPDATE referral AS r SET look_at = $3::timestamptz
WHERE
    r.program_id = $1::integer
    AND r.state IN ('signed_up', 'qualified', 'waiting', 'in_review', 'rewarded')
    AND r.id = any(
        array(
            SELECT o.id FROM referral AS o
            WHERE o.program_id = $1::integer AND o.referrer_id = any($2::bigint[])
            UNION
            SELECT e.id FROM referral AS e
            WHERE e.program_id = $1::integer AND e.referee_id = any($2::bigint[])
        )
    );

-- name: mark_delete_these
-- Forgets marks of a customer that are told again, so that they become the newest.
DELETE FROM referral_mark AS m USING unnest($3::text[], $4::bytea[]) AS u (kind, digest)
WHERE
    m.program_id = $1::integer AND m.customer_id = $2::bigint AND u.kind = m.kind AND u.digest = m.digest;

-- name: mark_delete_oldest
-- Keeps so many marks of each kind of a customer, the newest.
DELETE FROM referral_mark AS m USING (
    SELECT k.kind, k.digest, row_number() OVER (PARTITION BY k.kind ORDER BY k.seen_at DESC, k.digest DESC) AS place
    FROM referral_mark AS k
    WHERE k.program_id = $1::integer AND k.customer_id = $2::bigint
) AS o
WHERE
    m.program_id = $1::integer AND m.customer_id = $2::bigint AND o.kind = m.kind AND o.digest = m.digest
    AND o.place > $3::integer;

-- name: mark_count
-- How many marks of each kind a customer has.
SELECT m.kind, count(*) AS marks FROM referral_mark AS m
WHERE m.program_id = $1::integer AND m.customer_id = $2::bigint
GROUP BY m.kind;

-- name: mark_copy
-- Lets the marks of one record be another's, too.
INSERT INTO referral_mark (program_id, kind, digest, customer_id, seen_at)
SELECT m.program_id, m.kind, m.digest, $3::bigint, m.seen_at FROM referral_mark AS m
WHERE m.program_id = $1::integer AND m.customer_id = $2::bigint
ON CONFLICT DO NOTHING;

-- name: mark_delete
-- Forgets the marks of records.
DELETE FROM referral_mark
WHERE program_id = $1::integer AND customer_id = any($2::bigint[]);

-- name: mark_delete_of_claims
-- Forgets the marks that claims told of records.
DELETE FROM referral_mark AS m USING referral AS r
WHERE
    m.program_id = $1::integer AND r.program_id = $1::integer AND m.referral_id = r.id
    AND r.referee_id = any($2::bigint[]);

-- name: mark_delete_of_ahead
-- Forgets the marks that claims told of those who were never enrolled by them.
DELETE FROM referral_mark
WHERE program_id = $1::integer AND referral_id = any($2::uuid[]);

-- name: referral_list
-- A page of a program's referrals, newest first.
SELECT r.* FROM referral AS r
WHERE r.program_id = $1::integer AND r.id < $2::uuid
ORDER BY r.id DESC
LIMIT $3::integer;

-- name: referral_list_in_state
-- Likewise of those that stand somewhere, by an index of its own.
SELECT r.* FROM referral AS r
WHERE r.program_id = $1::integer AND r.id < $2::uuid AND r.state = $4::text
ORDER BY r.id DESC
LIMIT $3::integer;
