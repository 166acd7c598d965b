-- Statements of surprises. Every one names one program, but for those that look for programs with something to do.

-- name: run_read
SELECT r.campaign_id, r.key, r.started_at FROM campaign_run AS r
WHERE r.program_id = $1::integer AND r.campaign_id = any($2::uuid[]);

-- name: run_insert
INSERT INTO campaign_run (program_id, campaign_id, key, started_at, planned_until)
VALUES ($1::integer, $2::uuid, $3::bytea, $4::timestamptz, $5::timestamptz)
ON CONFLICT DO NOTHING;

-- name: planned_read
SELECT r.planned_until FROM campaign_run AS r
WHERE r.program_id = $1::integer AND r.campaign_id = $2::uuid;

-- name: planned_write
-- Goes on from one moment to another; where somebody else went on from there it writes no row.
UPDATE campaign_run SET planned_until = $4::timestamptz
WHERE program_id = $1::integer AND campaign_id = $2::uuid AND planned_until = $3::timestamptz;

-- name: slice_read
-- Slices of campaigns, in the order in which they are locked.
SELECT s.campaign_id, s.resource, s.number, s.cap, s.taken FROM campaign_slice AS s
WHERE s.program_id = $1::integer AND s.campaign_id = any($2::uuid[])
ORDER BY s.campaign_id, s.resource, s.number;

-- name: slice_lock
-- Locks all slices of a campaign, behind all else, and reads them as they are then.
SELECT s.campaign_id, s.resource, s.number, s.cap, s.taken FROM campaign_slice AS s
WHERE s.program_id = $1::integer AND s.campaign_id = $2::uuid
ORDER BY s.campaign_id, s.resource, s.number
FOR NO KEY UPDATE;

-- name: slice_insert
INSERT INTO campaign_slice (program_id, campaign_id, resource, number, cap, taken)
SELECT $1::integer, n.campaign_id, n.resource, n.number, n.cap, n.taken
FROM
    unnest($2::uuid[], $3::text[], $4::smallint[], $5::bigint[], $6::bigint[])
        AS n (campaign_id, resource, number, cap, taken);

-- name: slice_write
-- Writes locked slices.
UPDATE campaign_slice AS s SET cap = n.cap, taken = n.taken
FROM
    unnest($2::uuid[], $3::text[], $4::smallint[], $5::bigint[], $6::bigint[])
        AS n (campaign_id, resource, number, cap, taken)
WHERE
    s.program_id = $1::integer AND s.campaign_id = n.campaign_id AND s.resource = n.resource AND s.number = n.number;

-- name: slice_take
-- Takes from slices, which are locked in their order, behind all else. Where one has less left than is taken, also
-- since its cap was lowered, or less of it is released, it writes no row.
UPDATE campaign_slice AS s SET taken = s.taken + l.amount
FROM (
    SELECT n.campaign_id, n.resource, n.number, n.amount, n.released
    FROM unnest($2::campaign_taking_row[]) AS n
    CROSS JOIN LATERAL (
        SELECT FROM campaign_slice AS o
        WHERE
            o.program_id = $1::integer AND o.campaign_id = n.campaign_id AND o.resource = n.resource
            AND o.number = n.number
        FOR NO KEY UPDATE
    ) AS o
) AS l
WHERE
    s.program_id = $1::integer AND s.campaign_id = l.campaign_id AND s.resource = l.resource AND s.number = l.number
    AND s.taken + l.amount <= least(l.released, s.cap);

-- name: enrolment_insert
-- Notes first occasions; one that is known writes no row.
INSERT INTO campaign_enrolment (program_id, campaign_id, customer_id, record, held_out, enrolled_at)
SELECT $1::integer, n.campaign_id, n.customer_id, n.customer_id AS record, n.held_out, $2::timestamptz
FROM unnest($3::campaign_enrolment_row[]) AS n
ON CONFLICT DO NOTHING;

-- name: draw_insert
-- Adds draws; one that there is writes no row.
INSERT INTO campaign_draw (
    program_id, campaign_id, id, customer_id, occasion, version, u, lefts, prize, drawn_at
)
SELECT
    $1::integer, n.campaign_id, n.id, n.customer_id, n.occasion, n.version, n.u, n.lefts, n.prize, $2::timestamptz
FROM unnest($3::campaign_draw_row[]) AS n
ON CONFLICT DO NOTHING;

-- name: draw_known
-- Which of these draws there are.
SELECT d.id
FROM (SELECT DISTINCT u.id FROM unnest($3::uuid[]) AS u (id)) AS w
CROSS JOIN LATERAL (
    SELECT o.id FROM campaign_draw AS o
    WHERE o.program_id = $1::integer AND o.campaign_id = $2::uuid AND o.id = w.id
    OFFSET 0
) AS d;

-- name: draw_list
-- A page of a campaign's draws by their ids, behind one, each with whether its gift is still to come: by its own time,
-- so that one which is due is told of.
SELECT
    d.id, d.customer_id, d.occasion, d.version, d.u, d.lefts, d.prize, d.drawn_at, coalesce(s.is_to_come, FALSE)
FROM (
    SELECT o.* FROM campaign_draw AS o
    WHERE o.program_id = $1::integer AND o.campaign_id = $2::uuid AND o.id > $3::uuid
    ORDER BY o.id
    LIMIT $4::integer
) AS d
LEFT JOIN LATERAL (
    SELECT g.state = 'waiting' AND g.reveal_at > (SELECT clock_timestamp()) AS is_to_come FROM surprise AS g
    WHERE g.program_id = $1::integer AND g.campaign_id = $2::uuid AND g.draw_id = d.id
    OFFSET 0
) AS s ON TRUE
ORDER BY d.id;

-- name: side_list
-- A page of those who were enrolled in a campaign, by whose side it is now, behind one, with the records of then.
SELECT e.customer_id, e.record, e.held_out FROM campaign_enrolment AS e
WHERE e.program_id = $1::integer AND e.campaign_id = $2::uuid AND e.customer_id > $3::bigint
ORDER BY e.customer_id
LIMIT $4::integer;

-- name: gift_insert
INSERT INTO surprise (
    program_id, id, campaign_id, draw_id, customer_id, version, prize, points, cost, reward_id, is_game, state,
    drawn_at, reveal_at, revealed_at
)
SELECT
    $1::integer, n.id, n.campaign_id, n.draw_id, n.customer_id, n.version, n.prize, n.points, n.cost, n.reward_id,
    n.is_game, n.state, n.drawn_at, n.reveal_at, n.revealed_at
FROM unnest($2::surprise_row[]) AS n;

-- name: stop_insert
INSERT INTO surprise_stop (program_id, id, campaign_id, customer_id, occasion, surprise_id, reasons, stopped_at)
SELECT
    $1::integer, n.id, n.campaign_id, n.customer_id, n.occasion, n.surprise_id, string_to_array(n.reasons, ','),
    $8::timestamptz
FROM
    unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::uuid[], $7::text[])
        AS n (id, campaign_id, customer_id, occasion, surprise_id, reasons);

-- name: gift_read
-- Gifts by their ids, with the customers that have them now.
SELECT
    s.id, s.campaign_id, s.draw_id, s.customer_id, s.version, s.prize, s.points, s.cost, s.reward_id, s.is_game,
    s.state, s.drawn_at, s.reveal_at, s.revealed_at, s.ended_at, s.reason, s.reversed
FROM (SELECT DISTINCT u.id FROM unnest($2::uuid[]) AS u (id)) AS w
CROSS JOIN
    LATERAL (
        SELECT o.* FROM surprise AS o
        WHERE o.program_id = $1::integer AND o.id = w.id
        OFFSET 0
    ) AS s
ORDER BY s.id;

-- name: gift_of_draws
-- The gifts that records drew for purchases: inside them, by the draws' ids, and a while after them, by their names.
SELECT
    s.id, s.campaign_id, s.draw_id, s.customer_id, s.version, s.prize, s.points, s.cost, s.reward_id, s.is_game,
    s.state, s.drawn_at, s.reveal_at, s.revealed_at, s.ended_at, s.reason, s.reversed
FROM (SELECT DISTINCT u.customer_id FROM unnest($2::bigint[]) AS u (customer_id)) AS w
CROSS JOIN
    LATERAL (
        SELECT o.* FROM surprise AS o
        INNER JOIN campaign_draw AS d
            ON o.program_id = d.program_id AND o.campaign_id = d.campaign_id AND o.draw_id = d.id
        WHERE
            o.program_id = $1::integer AND o.customer_id = w.customer_id
            AND (o.draw_id = any($3::uuid[]) OR d.occasion = any($4::text[]))
        OFFSET 0
    ) AS s
ORDER BY s.id;

-- name: gift_of_customers
-- Gifts of records, the newest first, behind an id; only those that are revealed, where asked for.
SELECT
    s.id, s.campaign_id, s.draw_id, s.customer_id, s.version, s.prize, s.points, s.cost, s.reward_id, s.is_game,
    s.state, s.drawn_at, s.reveal_at, s.revealed_at, s.ended_at, s.reason, s.reversed
FROM surprise AS s
WHERE
    s.program_id = $1::integer AND s.customer_id = any($2::bigint[]) AND s.id < $3::uuid
    AND (s.revealed_at IS NOT NULL OR NOT $5::boolean)
ORDER BY s.id DESC
LIMIT $4::integer;

-- name: gift_waiting
-- Gifts of records that wait for their moment.
SELECT
    s.id, s.campaign_id, s.draw_id, s.customer_id, s.version, s.prize, s.points, s.cost, s.reward_id, s.is_game,
    s.state, s.drawn_at, s.reveal_at, s.revealed_at, s.ended_at, s.reason, s.reversed
FROM surprise AS s
WHERE s.program_id = $1::integer AND s.customer_id = any($2::bigint[]) AND s.state = 'waiting'
ORDER BY s.id;

-- name: gift_due
-- Gifts of a program whose time has come, the earliest first, but for some.
SELECT s.id FROM surprise AS s
WHERE
    s.program_id = $1::integer AND s.state = 'waiting' AND s.reveal_at <= (SELECT clock_timestamp())
    AND s.id != all($3::uuid[])
ORDER BY s.reveal_at, s.id
LIMIT $2::integer;

-- name: programs_due
-- Programs with such gifts.
SELECT DISTINCT s.program_id FROM surprise AS s
WHERE s.state = 'waiting' AND s.reveal_at <= (SELECT clock_timestamp());

-- name: gift_write
-- Writes where gifts stand, those that are so as they were read.
UPDATE surprise AS s SET
    state = n.state, revealed_at = n.revealed_at, ended_at = n.ended_at, reason = n.reason, reversed = n.reversed
FROM
    unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::bigint[])
        AS n (id, state_before, state, revealed_at, ended_at, reason, reversed)
WHERE s.program_id = $1::integer AND s.id = n.id AND s.state = n.state_before;

-- name: gift_put_off
-- Lets a gift wait some minutes longer.
UPDATE surprise SET reveal_at = (SELECT clock_timestamp()) + interval '5 minutes'
WHERE program_id = $1::integer AND id = $2::uuid AND state = 'waiting';

-- name: seen_read
SELECT s.position FROM campaign_seen AS s
WHERE s.program_id = $1::integer;

-- name: seen_list
-- Up to where the feeds of programs were looked through.
SELECT s.program_id, s.position FROM campaign_seen AS s
WHERE s.program_id = any($1::integer[]);

-- name: seen_write
-- Goes on from one place to another; where somebody else went on from there it writes no row.
INSERT INTO campaign_seen AS s (program_id, position)
SELECT $1::integer, $3::bigint
ON CONFLICT (program_id) DO UPDATE SET
    position = excluded.position
WHERE
s.position = $2::bigint;

-- name: stop_known
-- Which occasions of customers were stopped already, at the draw.
SELECT s.customer_id, s.occasion
FROM unnest($3::bigint[], $4::text[]) AS w (customer_id, occasion)
CROSS JOIN LATERAL (
    SELECT o.customer_id, o.occasion FROM surprise_stop AS o
    WHERE
        o.program_id = $1::integer AND o.customer_id = w.customer_id AND o.campaign_id = $2::uuid
        AND o.occasion = w.occasion AND o.surprise_id IS NULL
    LIMIT 1
) AS s;

-- name: stop_list
-- What was stopped of a campaign, the newest first, behind an id. What a gift was drawn for, its draw tells.
SELECT
    s.id, s.customer_id, coalesce(d.occasion, s.occasion) AS occasion, s.surprise_id, s.reasons, s.stopped_at
FROM surprise_stop AS s
LEFT JOIN
    LATERAL (
        SELECT g.campaign_id, g.draw_id FROM surprise AS g
        WHERE g.program_id = $1::integer AND g.id = s.surprise_id
        OFFSET 0
    ) AS w
    ON TRUE
LEFT JOIN
    LATERAL (
        SELECT o.occasion FROM campaign_draw AS o
        WHERE o.program_id = $1::integer AND o.campaign_id = w.campaign_id AND o.id = w.draw_id
        OFFSET 0
    ) AS d
    ON TRUE
WHERE s.program_id = $1::integer AND s.campaign_id = $2::uuid AND s.id < $3::uuid
ORDER BY s.id DESC
LIMIT $4::integer;

-- name: listed_insert
-- Puts customers on the list of a campaign; gives those that were not on it.
INSERT INTO campaign_listed (program_id, campaign_id, customer_id, listed_at)
SELECT $1::integer, $2::uuid, n.customer_id, $4::timestamptz
FROM unnest($3::bigint[]) AS n (customer_id)
ORDER BY n.customer_id
ON CONFLICT DO NOTHING
RETURNING customer_id;

-- name: listed_due
-- Customers of a list to whom nobody came yet, behind one.
SELECT l.customer_id FROM campaign_listed AS l
WHERE
    l.program_id = $1::integer AND l.campaign_id = $2::uuid AND l.done_at IS NULL AND l.customer_id > $3::bigint
ORDER BY l.customer_id
LIMIT $4::integer;

-- name: listed_done
-- Notes that somebody came to customers of a list.
UPDATE campaign_listed SET done_at = clock_timestamp()
WHERE program_id = $1::integer AND campaign_id = $2::uuid AND customer_id = any($3::bigint[]) AND done_at IS NULL;

-- name: play_insert
INSERT INTO campaign_play (
    program_id, campaign_id, id, customer_id, number, played_on, paid, is_granted, hold_id, played_at
) VALUES (
    $1::integer, $2::uuid, $3::uuid, $4::bigint, $5::integer, $6::date, $7::bigint, $8::boolean, $9::uuid,
    $10::timestamptz
);

-- name: grant_insert
INSERT INTO play_grant (program_id, id, campaign_id, customer_id, plays, recorded_at)
VALUES ($1::integer, $2::uuid, $3::uuid, $4::bigint, $5::integer, $6::timestamptz);

-- name: enrolment_rehome
-- Lets the sides on which a record was be the target's, where this is on none of that campaign yet.
UPDATE campaign_enrolment AS e SET customer_id = $3::bigint
FROM (
    SELECT r.campaign_id FROM campaign_run AS r
    WHERE r.program_id = $1::integer
    UNION ALL
    SELECT '00000000-0000-0000-0000-000000000000'::uuid AS campaign_id
) AS c
WHERE
    e.program_id = $1::integer AND e.campaign_id = c.campaign_id AND e.customer_id = $2::bigint
    AND NOT EXISTS (
        SELECT FROM campaign_enrolment AS o
        WHERE o.program_id = $1::integer AND o.campaign_id = e.campaign_id AND o.customer_id = $3::bigint
    );

-- name: enrolment_drop
-- Takes a record out of the comparisons that the target is in itself.
DELETE FROM campaign_enrolment AS e
USING (
    SELECT r.campaign_id FROM campaign_run AS r
    WHERE r.program_id = $1::integer
    UNION ALL
    SELECT '00000000-0000-0000-0000-000000000000'::uuid AS campaign_id
) AS c
WHERE e.program_id = $1::integer AND e.campaign_id = c.campaign_id AND e.customer_id = $2::bigint;

-- name: listed_rehome
UPDATE campaign_listed AS l SET customer_id = $3::bigint
WHERE
    l.program_id = $1::integer AND l.customer_id = $2::bigint
    AND NOT EXISTS (
        SELECT FROM campaign_listed AS o
        WHERE o.program_id = $1::integer AND o.campaign_id = l.campaign_id AND o.customer_id = $3::bigint
    );

-- name: listed_forget
-- Nobody comes any more to customers who were erased.
UPDATE campaign_listed SET done_at = clock_timestamp()
WHERE program_id = $1::integer AND customer_id = any($2::bigint[]) AND done_at IS NULL;
