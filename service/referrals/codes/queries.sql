-- Statements of codes and clicks. Every one names one program.

-- name: code_insert
-- Adds a code. Where it is taken, or the customer has an open one for the offer, it writes no row.
INSERT INTO referral_code (program_id, id, key, code, customer_id, offer, is_vanity, recorded_at)
VALUES ($1::integer, $2::uuid, $3::text, $4::text, $5::bigint, $6::text, $7::boolean, $8::timestamptz)
ON CONFLICT DO NOTHING;

-- name: code_list
-- The codes of customers' records, those that are closed, too, the newest first.
SELECT k.id, k.key, k.code, k.customer_id, NULL::text AS tier, k.offer, k.is_vanity, k.closed_at
FROM referral_code AS k
WHERE k.program_id = $1::integer AND k.customer_id = any($2::bigint[])
ORDER BY k.id DESC;

-- name: code_close
-- Closes the open codes of customers' records for an offer, or their own where that is null.
UPDATE referral_code SET closed_at = $4::timestamptz
WHERE
    program_id = $1::integer AND customer_id = any($2::bigint[]) AND offer IS NOT DISTINCT FROM $3::text
    AND closed_at IS NULL;

-- name: code_reopen
-- Gives a closed code back to its customer, who has no other open one for the offer.
UPDATE referral_code SET closed_at = NULL
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: code_read
-- How a code is shown; empty after an erasure.
SELECT k.code FROM referral_code AS k
WHERE k.program_id = $1::integer AND k.id = $2::uuid;

-- name: click_add
-- Counts a click on a code, found by its key, on a day. A code that there is not writes no row.
INSERT INTO referral_click AS c (program_id, code_id, day, clicks)
SELECT $1::integer, k.id, $3::date, 1 FROM referral_code AS k
WHERE k.program_id = $1::integer AND k.key = $2::text
ON CONFLICT (program_id, code_id, day) DO UPDATE SET clicks = c.clicks + 1;

-- name: click_count
-- How often codes of records were clicked on, also before they were closed.
SELECT coalesce(sum(c.clicks), 0)::bigint AS clicks
FROM referral_code AS k
INNER JOIN referral_click AS c ON k.id = c.code_id
WHERE k.program_id = $1::integer AND c.program_id = $1::integer AND k.customer_id = any($2::bigint[]);

-- name: code_find
-- Codes by their keys, with whose they are now and this customer's tier; those of erased customers are missing.
SELECT k.id, k.key, k.code, o.id AS customer_id, o.tier, k.offer, k.is_vanity, k.closed_at
FROM (SELECT DISTINCT u.key FROM unnest($2::text[]) AS u (key)) AS w
CROSS JOIN
    LATERAL (
        SELECT r.* FROM referral_code AS r
        WHERE r.program_id = $1::integer AND r.key = w.key
        OFFSET 0
    ) AS k
CROSS JOIN
    LATERAL (
        SELECT coalesce(c.merged_into, c.id) AS id FROM customer AS c
        WHERE c.program_id = $1::integer AND c.id = k.customer_id
        OFFSET 0
    ) AS i
CROSS JOIN LATERAL (
    SELECT c.id, c.tier FROM customer AS c
    WHERE c.program_id = $1::integer AND c.id = i.id AND c.external_id IS NOT NULL
    OFFSET 0
) AS o;

-- name: code_forget
-- Closes the codes of records, and empties what may be worded after them; nobody finds them by it any more.
UPDATE referral_code SET closed_at = coalesce(closed_at, $3::timestamptz), key = id::text, code = ''
WHERE program_id = $1::integer AND customer_id = any($2::bigint[]);
