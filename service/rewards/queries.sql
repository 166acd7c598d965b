-- Statements of rewards. Every one names one program.

-- name: reward_insert
INSERT INTO reward (program_id, id, version, status, codes, stock, created_at)
VALUES ($1::integer, $2::uuid, 1, $3::text, $4::text, $5::bigint, $6::timestamptz);

-- name: version_insert
INSERT INTO reward_version (program_id, reward_id, version, terms, recorded_at)
VALUES ($1::integer, $2::uuid, $3::integer, $4::jsonb, $5::timestamptz);

-- name: reward_list
-- A page of rewards with the terms of their newest version, newest first; only of one status where it is given.
SELECT
    r.id, r.version, r.status, r.codes, r.stock, r.taken, r.created_at, v.terms,
    (
        SELECT count(*) FROM reward_piece AS p
        WHERE
            p.program_id = $1::integer AND p.reward_id = r.id AND p.state = 'held'
            AND p.expires_at <= clock_timestamp()
    ) AS lapsed
FROM reward AS r
INNER JOIN reward_version AS v ON r.program_id = v.program_id AND r.id = v.reward_id AND r.version = v.version
WHERE r.program_id = $1::integer AND r.id < $2::uuid AND ($4::text IS NULL OR r.status = $4::text)
ORDER BY r.id DESC
LIMIT $3::integer;

-- name: reward_read
-- A reward, and how many of its pieces are held still although the time of their holds is over.
SELECT
    r.id, r.version, r.status, r.codes, r.stock, r.taken, r.created_at, v.terms,
    (
        SELECT count(*) FROM reward_piece AS p
        WHERE
            p.program_id = $1::integer AND p.reward_id = r.id AND p.state = 'held'
            AND p.expires_at <= clock_timestamp()
    ) AS lapsed
FROM reward AS r
INNER JOIN reward_version AS v ON r.program_id = v.program_id AND r.id = v.reward_id AND r.version = v.version
WHERE r.program_id = $1::integer AND r.id = $2::uuid;

-- name: reward_lock
-- Locks rewards, sorted, and reads nothing: a join would be read before the wait, and miss a version made meanwhile.
SELECT r.id FROM reward AS r
WHERE r.program_id = $1::integer AND r.id = any($2::uuid[])
ORDER BY r.id
FOR NO KEY UPDATE;

-- name: reward_update
UPDATE reward SET version = $3::integer, status = $4::text, stock = $5::bigint
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: piece_count
-- How many pieces of these rewards a customer has, held or issued, without those whose hold has lapsed; rewards without
-- any are missing.
SELECT p.reward_id, count(*) AS pieces
FROM reward_piece AS p
WHERE
    p.program_id = $1::integer
    AND p.customer_id = $2::bigint
    AND p.reward_id = any($3::uuid[])
    AND p.state != 'given_back'
    AND (p.state != 'held' OR p.expires_at IS NULL OR p.expires_at > clock_timestamp())
GROUP BY p.reward_id;

-- name: piece_take
-- Takes a piece of a reward for a customer, if the reward is still as it was read and one is left; else writes no row.
WITH taken AS (
    UPDATE reward SET taken = taken + 1
    WHERE
        program_id = $1::integer
        AND id = $2::uuid
        AND version = $3::integer
        AND status = 'active'
        AND (stock IS NULL OR taken < stock)
    RETURNING id
)

INSERT INTO reward_piece (
    program_id, id, reward_id, reward_version, customer_id, state, taken_at, expires_at, order_id
)
SELECT
    $1::integer, $4::uuid, t.id, $3::integer, $5::bigint, 'held', $6::timestamptz, $7::timestamptz, $8::text
FROM taken AS t
RETURNING id;

-- name: reward_give_back
-- Gives pieces back, one for each time that a reward is named. The rewards are locked.
UPDATE reward AS r SET taken = r.taken - g.pieces
FROM (
    SELECT u.id, count(*) AS pieces
    FROM unnest($2::uuid[]) AS u (id)
    GROUP BY u.id
) AS g
WHERE r.program_id = $1::integer AND r.id = g.id;

-- name: reward_stock_up
UPDATE reward SET stock = stock + $3::bigint
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: piece_issue
UPDATE reward_piece SET state = 'issued'
WHERE program_id = $1::integer AND id = $2::uuid AND state = 'held'
RETURNING reward_id, reward_version, customer_id;

-- name: piece_give_back
UPDATE reward_piece SET state = 'given_back'
WHERE program_id = $1::integer AND id = any($2::uuid[]) AND state = 'held'
RETURNING id, reward_id;

-- name: piece_states
SELECT p.id, p.state FROM reward_piece AS p
WHERE p.program_id = $1::integer AND p.id = any($2::uuid[]);

-- name: piece_read
-- A piece with the terms at which it was taken.
SELECT p.reward_id, p.order_id, v.terms
FROM reward_piece AS p
INNER JOIN reward_version AS v
    ON p.program_id = v.program_id AND p.reward_id = v.reward_id AND p.reward_version = v.version
WHERE p.program_id = $1::integer AND p.id = $2::uuid;

-- name: piece_lapsed_of_sold_out
-- Of a reward that has none left: pieces that are held although the time of their holds is over, those that lapsed
-- first at the front, with the customers of the holds.
SELECT l.id, c.external_id
FROM (
    SELECT p.id
    FROM reward_piece AS p
    INNER JOIN reward AS r ON p.program_id = r.program_id AND p.reward_id = r.id
    WHERE
        p.program_id = $1::integer
        AND p.reward_id = $2::uuid
        AND p.state = 'held'
        AND p.expires_at <= clock_timestamp()
        AND r.taken >= r.stock
    ORDER BY p.expires_at
    LIMIT $3::integer
) AS l
INNER JOIN hold AS h ON h.program_id = $1::integer AND l.id = h.id
INNER JOIN customer AS c ON c.program_id = $1::integer AND h.customer_id = c.id;

-- name: piece_lapsed_list
-- Held pieces whose hold has ended or has come due, behind an id, with the customers of the holds.
SELECT p.id, c.external_id
FROM reward_piece AS p
INNER JOIN hold AS h ON p.program_id = h.program_id AND p.id = h.id
INNER JOIN customer AS c ON h.program_id = c.program_id AND h.customer_id = c.id
WHERE
    p.program_id = $1::integer
    AND p.state = 'held'
    AND p.id > $2::uuid
    AND (h.status IN ('released', 'lapsed') OR (h.status = 'held' AND h.expires_at <= clock_timestamp()))
ORDER BY p.id
LIMIT $3::integer;

-- name: piece_ended
-- Which of these pieces are held although their hold was released or lapsed. That is final: no lock is needed to know.
SELECT p.id
FROM reward_piece AS p
INNER JOIN hold AS h ON p.program_id = h.program_id AND p.id = h.id
WHERE
    p.program_id = $1::integer
    AND p.id = any($2::uuid[])
    AND p.state = 'held'
    AND h.status IN ('released', 'lapsed');

-- name: version_read
-- The terms of a reward at a version, and whose codes its vouchers have.
SELECT v.terms, r.codes
FROM reward_version AS v
INNER JOIN reward AS r ON v.program_id = r.program_id AND v.reward_id = r.id
WHERE v.program_id = $1::integer AND v.reward_id = $2::uuid AND v.version = $3::integer;

-- name: code_insert
-- Loads codes, sorted, so that two loads of the same wait in one order. Those that the program has are left out.
INSERT INTO reward_code (program_id, id, reward_id, code)
SELECT $1::integer, c.id, $2::uuid, c.code
FROM unnest($3::uuid[], $4::text[]) AS c (id, code)
WHERE
    NOT EXISTS (
        SELECT FROM voucher AS v
        WHERE v.program_id = $1::integer AND v.code = c.code
    )
ORDER BY c.code
ON CONFLICT DO NOTHING
RETURNING code;

-- name: code_hand_out
-- Hands out the code that was loaded first of those that nobody else is handing out now.
UPDATE reward_code SET voucher_id = $3::uuid
WHERE
    program_id = $1::integer
    AND id = (
        SELECT c.id FROM reward_code AS c
        WHERE c.program_id = $1::integer AND c.reward_id = $2::uuid AND c.voucher_id IS NULL
        ORDER BY c.id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
RETURNING code;

-- name: voucher_insert
-- Issues a voucher. One whose code another one has writes no row, and the caller begins again with another code.
INSERT INTO voucher (
    program_id, id, code, reward_id, reward_version, customer_id, uses, issued_at, valid_until
) VALUES (
    $1::integer, $2::uuid, $3::text, $4::uuid, $5::integer, $6::bigint, $7::integer, $8::timestamptz, $9::timestamptz
)
ON CONFLICT (program_id, code) DO NOTHING
RETURNING id;

-- name: voucher_with_id
SELECT
    v.id, v.code, r.codes, v.reward_id, v.reward_version, v.customer_id, v.uses, v.used, v.issued_at, v.valid_until,
    v.cancelled_at, t.terms
FROM voucher AS v
INNER JOIN reward AS r ON v.program_id = r.program_id AND v.reward_id = r.id
INNER JOIN reward_version AS t
    ON v.program_id = t.program_id AND v.reward_id = t.reward_id AND v.reward_version = t.version
WHERE v.program_id = $1::integer AND v.id = $2::uuid;

-- name: voucher_read
-- A voucher by its code, in one of its spellings; the one with the code to the letter is the first.
SELECT
    v.id, v.code, r.codes, v.reward_id, v.reward_version, v.customer_id, v.uses, v.used, v.issued_at, v.valid_until,
    v.cancelled_at, t.terms
FROM voucher AS v
INNER JOIN reward AS r ON v.program_id = r.program_id AND v.reward_id = r.id
INNER JOIN reward_version AS t
    ON v.program_id = t.program_id AND v.reward_id = t.reward_id AND v.reward_version = t.version
WHERE v.program_id = $1::integer AND v.code = any($2::text[])
ORDER BY v.code = ($2::text[])[1] DESC
LIMIT 1;

-- name: voucher_lock
-- Locks a voucher and reads nothing: `voucher_with_id` reads it as it was after the wait.
SELECT v.id FROM voucher AS v
WHERE v.program_id = $1::integer AND v.id = $2::uuid
FOR NO KEY UPDATE;

-- name: voucher_count
-- Counts a use of a locked voucher.
UPDATE voucher SET used = used + 1
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: voucher_cancel
UPDATE voucher SET cancelled_at = $3::timestamptz
WHERE program_id = $1::integer AND id = $2::uuid;

-- name: use_read
-- The use of a voucher for an order.
SELECT u.id, u.number, u.order_id, u.amount, u.currency, u.discount, u.used_at
FROM voucher_use AS u
WHERE u.program_id = $1::integer AND u.voucher_id = $2::uuid AND u.order_id = $3::text;

-- name: use_insert
INSERT INTO voucher_use (program_id, voucher_id, id, number, order_id, amount, currency, discount, used_at)
VALUES (
    $1::integer, $2::uuid, $3::uuid, $4::integer, $5::text, $6::bigint, $7::text, $8::bigint, $9::timestamptz
);

-- name: piece_rehome
-- What was given back stays: it is nobody's any more.
UPDATE reward_piece SET customer_id = $3::bigint
WHERE program_id = $1::integer AND customer_id = $2::bigint AND state != 'given_back';

-- name: voucher_rehome
-- Behind the pieces, which tell which vouchers these are: who issues one of them has locked its piece.
UPDATE voucher AS v SET customer_id = $3::bigint
FROM reward_piece AS p
WHERE
    p.program_id = $1::integer AND p.customer_id = $3::bigint AND p.state = 'issued'
    AND v.program_id = p.program_id AND v.id = p.id AND v.customer_id = $2::bigint;

-- name: piece_held
SELECT p.id FROM reward_piece AS p
WHERE p.program_id = $1::integer AND p.customer_id = any($2::bigint[]) AND p.state = 'held';

-- name: voucher_list
SELECT
    v.id, v.code, r.codes, v.reward_id, v.reward_version, v.customer_id, v.uses, v.used, v.issued_at, v.valid_until,
    v.cancelled_at, t.terms
FROM reward_piece AS p
INNER JOIN voucher AS v ON p.program_id = v.program_id AND p.id = v.id
INNER JOIN reward AS r ON v.program_id = r.program_id AND v.reward_id = r.id
INNER JOIN reward_version AS t
    ON v.program_id = t.program_id AND v.reward_id = t.reward_id AND v.reward_version = t.version
WHERE p.program_id = $1::integer AND p.customer_id = $2::bigint AND p.state != 'given_back'
ORDER BY v.id;

-- name: voucher_first_list
-- The first vouchers of a customer: those that can be used at a moment, then the newest.
SELECT
    v.id, v.code, r.codes, v.reward_id, v.reward_version, v.customer_id, v.uses, v.used, v.issued_at, v.valid_until,
    v.cancelled_at, t.terms
FROM reward_piece AS p
INNER JOIN voucher AS v ON p.program_id = v.program_id AND p.id = v.id
INNER JOIN reward AS r ON v.program_id = r.program_id AND v.reward_id = r.id
INNER JOIN reward_version AS t
    ON v.program_id = t.program_id AND v.reward_id = t.reward_id AND v.reward_version = t.version
WHERE p.program_id = $1::integer AND p.customer_id = $2::bigint AND p.state != 'given_back'
ORDER BY
    (v.cancelled_at IS NULL AND v.used < v.uses AND coalesce(v.valid_until > $3::timestamptz, TRUE)) DESC, v.id DESC
LIMIT $4::integer;

-- name: voucher_with_ids
SELECT
    v.id, v.code, r.codes, v.reward_id, v.reward_version, v.customer_id, v.uses, v.used, v.issued_at, v.valid_until,
    v.cancelled_at, t.terms
FROM voucher AS v
INNER JOIN reward AS r ON v.program_id = r.program_id AND v.reward_id = r.id
INNER JOIN reward_version AS t
    ON v.program_id = t.program_id AND v.reward_id = t.reward_id AND v.reward_version = t.version
WHERE v.program_id = $1::integer AND v.id = any($2::uuid[]);

-- name: reward_names
SELECT w.id, v.name
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN LATERAL (
    SELECT t.terms ->> 'name' AS name
    FROM reward_version AS t
    WHERE t.program_id = $1::integer AND t.reward_id = w.id
    ORDER BY t.version DESC
    LIMIT 1
) AS v;

-- name: redemption_news
-- What is told of redemptions: the figures of a hold are final when it ends. A piece has its hold's id.
SELECT
    h.id, h.points, h.captured, h.expires_at, h.ended_at, coalesce(h.order_id, p.order_id) AS order_id, p.reward_id
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT o.* FROM hold AS o
        WHERE o.program_id = $1::integer AND o.id = w.id
        OFFSET 0
    ) AS h
LEFT JOIN LATERAL (
    SELECT o.* FROM reward_piece AS o
    WHERE o.program_id = $1::integer AND o.id = w.id
    OFFSET 0
) AS p ON TRUE;

-- name: reward_news
-- What is told of rewards at moments: the newest version that was there then. A change of status or stock makes none.
SELECT w.event_id, w.reward_id, v.version, v.name, v.points
FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) AS w (event_id, reward_id, at)
CROSS JOIN LATERAL (
    SELECT o.version, o.terms ->> 'name' AS name, (o.terms ->> 'points')::bigint AS points
    FROM reward_version AS o
    WHERE o.program_id = $1::integer AND o.reward_id = w.reward_id AND o.recorded_at <= w.at
    ORDER BY o.version DESC
    LIMIT 1
) AS v;

-- name: voucher_news
-- What is told of vouchers: what they were issued with, and when they were cancelled, which is final.
SELECT
    v.id, v.code, v.reward_id, v.reward_version, v.uses, v.issued_at, v.valid_until, v.cancelled_at,
    h.id AS redemption_id
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT o.* FROM voucher AS o
        WHERE o.program_id = $1::integer AND o.id = w.id
        OFFSET 0
    ) AS v
LEFT JOIN LATERAL (
    SELECT o.id FROM hold AS o
    WHERE o.program_id = $1::integer AND o.id = w.id
    OFFSET 0
) AS h ON TRUE;

-- name: use_news
-- What is told of uses of vouchers, by the uses' ids.
SELECT
    u.id, u.voucher_id, v.code, v.reward_id, v.uses, u.number, u.order_id, u.amount, u.currency, u.discount, u.used_at
FROM unnest($2::uuid[]) AS w (id)
CROSS JOIN
    LATERAL (
        SELECT o.* FROM voucher_use AS o
        WHERE o.program_id = $1::integer AND o.id = w.id
        OFFSET 0
    ) AS u
CROSS JOIN LATERAL (
    SELECT o.* FROM voucher AS o
    WHERE o.program_id = $1::integer AND o.id = u.voucher_id
    OFFSET 0
) AS v;
