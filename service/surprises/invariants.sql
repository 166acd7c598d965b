-- Invariants of surprises. Each query gives the rows that break it: none, when all is well.

-- name: campaigns_that_started_are_defined
-- What started is a campaign of its program that is no draft, and all that was drawn is of such a one.
SELECT w.program_id, w.campaign_id, w.what
FROM (
    SELECT r.program_id, r.campaign_id, 'run' AS what FROM campaign_run AS r
    UNION
    SELECT s.program_id, s.campaign_id, 'slice' FROM campaign_slice AS s
    UNION
    SELECT e.program_id, e.campaign_id, 'enrolment' FROM campaign_enrolment AS e
    WHERE e.campaign_id != '00000000-0000-0000-0000-000000000000'
    UNION
    SELECT d.program_id, d.campaign_id, 'draw' FROM campaign_draw AS d
    UNION
    SELECT g.program_id, g.campaign_id, 'gift' FROM surprise AS g
) AS w
LEFT JOIN campaign_run AS n ON w.program_id = n.program_id AND w.campaign_id = n.campaign_id
LEFT JOIN definition AS f
    ON
        w.program_id = f.program_id AND f.kind = 'campaign'
        AND f.id = 'cmp_' || replace(w.campaign_id::text, '-', '')
LEFT JOIN definition_version AS v
    ON f.program_id = v.program_id AND f.kind = v.kind AND f.id = v.definition_id AND f.version = v.version
WHERE n.campaign_id IS NULL OR coalesce(v.state = 'draft', TRUE);

-- name: slices_are_what_gifts_took
-- What was taken of a budget, or of the stock of a prize, is what the gifts took that were not given back.
SELECT s.program_id, s.campaign_id, s.resource, s.taken, g.taken AS given
FROM (
    SELECT x.program_id, x.campaign_id, x.resource, sum(x.taken) AS taken FROM campaign_slice AS x
    GROUP BY x.program_id, x.campaign_id, x.resource
) AS s
LEFT JOIN (
    SELECT t.program_id, t.campaign_id, t.resource, sum(t.amount) AS taken
    FROM (
        SELECT o.program_id, o.campaign_id, o.state, 'points' AS resource, o.points AS amount FROM surprise AS o
        UNION ALL
        SELECT o.program_id, o.campaign_id, o.state, 'cost' AS resource, o.cost AS amount FROM surprise AS o
        UNION ALL
        SELECT o.program_id, o.campaign_id, o.state, 'prize:' || o.prize AS resource, 1 AS amount FROM surprise AS o
    ) AS t
    WHERE t.state IN ('waiting', 'revealed')
    GROUP BY t.program_id, t.campaign_id, t.resource
) AS g ON s.program_id = g.program_id AND s.campaign_id = g.campaign_id AND s.resource = g.resource
WHERE s.taken != coalesce(g.taken, 0);

-- name: an_occasion_is_drawn_once
-- A customer's occasion of a campaign has one draw.
SELECT d.program_id, d.campaign_id, d.customer_id, d.occasion, count(*) AS draws
FROM campaign_draw AS d
GROUP BY d.program_id, d.campaign_id, d.customer_id, d.occasion
HAVING count(*) > 1;

-- name: gifts_are_what_was_drawn
-- Each draw of a prize that is something has its gift, of that customer and version, and of just that prize; and there
-- is no other gift.
SELECT
    coalesce(d.program_id, g.program_id) AS program_id, coalesce(d.campaign_id, g.campaign_id) AS campaign_id,
    d.id AS draw_id, g.id AS surprise_id
FROM (
    SELECT
        x.program_id, x.campaign_id, x.id, x.customer_id, x.version, x.drawn_at, v.content -> 'prizes' -> x.prize AS p
    FROM campaign_draw AS x
    LEFT JOIN definition_version AS v
        ON
            x.program_id = v.program_id AND v.kind = 'campaign' AND x.version = v.version
            AND v.definition_id = 'cmp_' || replace(x.campaign_id::text, '-', '')
) AS d
FULL JOIN surprise AS g ON d.program_id = g.program_id AND d.campaign_id = g.campaign_id AND d.id = g.draw_id
WHERE
    d.p IS NULL
    OR CASE d.p -> 'gift' ->> 'kind'
        WHEN 'nothing' THEN g.id IS NOT NULL
        ELSE
            (
                d.customer_id, d.version, d.drawn_at, d.p ->> 'id',
                coalesce((d.p -> 'gift' ->> 'points')::bigint, 0), coalesce((d.p ->> 'cost')::bigint, 0),
                d.p -> 'gift' ->> 'reward_id'
            )
            IS DISTINCT FROM (g.customer_id, g.version, g.drawn_at, g.prize, g.points, g.cost, g.reward_id)
    END;

-- name: revealed_points_were_booked
-- A gift of points that was revealed has one transfer of its id and points, of its record or the one that it went into;
-- and nothing else was issued for a surprise.
SELECT coalesce(g.program_id, t.program_id) AS program_id, coalesce(g.id, t.id) AS id, g.points, t.points AS booked
FROM (
    SELECT s.program_id, s.id, s.points, coalesce(a.merged_into, a.id) AS owner FROM surprise AS s
    LEFT JOIN customer AS a ON s.program_id = a.program_id AND s.customer_id = a.id
    WHERE s.points > 0 AND s.revealed_at IS NOT NULL
) AS g
FULL JOIN (
    SELECT x.program_id, x.id, x.points, x.cause_id, coalesce(b.merged_into, b.id) AS owner FROM transfer AS x
    LEFT JOIN customer AS b ON x.program_id = b.program_id AND x.customer_id = b.id
    WHERE x.cause_type = 'surprise' AND x.from_bucket = 'issued'
) AS t ON g.program_id = t.program_id AND g.id = t.id
WHERE
    (g.points, g.owner, 'sur_' || replace(g.id::text, '-', '')) IS DISTINCT FROM (t.points, t.owner, t.cause_id);

-- name: revealed_rewards_have_vouchers
-- A reward that was revealed is a voucher of the gift's id and reward, of its record or the one that it went into.
SELECT g.program_id, g.id AS surprise_id
FROM surprise AS g
LEFT JOIN voucher AS v ON g.program_id = v.program_id AND g.id = v.id
LEFT JOIN customer AS a ON g.program_id = a.program_id AND g.customer_id = a.id
LEFT JOIN customer AS b ON v.program_id = b.program_id AND v.customer_id = b.id
WHERE
    g.reward_id IS NOT NULL
    AND CASE
        WHEN g.revealed_at IS NULL THEN v.id IS NOT NULL
        ELSE
            coalesce(a.merged_into, a.id) IS DISTINCT FROM coalesce(b.merged_into, b.id)
            OR g.reward_id IS DISTINCT FROM 'rwd_' || replace(v.reward_id::text, '-', '')
    END;

-- name: the_held_out_draw_nothing
-- Who was held out, of a campaign or of all, drew nothing afterwards, but in games that cost points.
SELECT d.program_id, d.campaign_id, d.id AS draw_id
FROM campaign_draw AS d
INNER JOIN campaign_enrolment AS e
    ON
        d.program_id = e.program_id AND d.customer_id = e.record
        AND e.campaign_id IN (d.campaign_id, '00000000-0000-0000-0000-000000000000')
LEFT JOIN campaign_play AS p ON d.program_id = p.program_id AND d.campaign_id = p.campaign_id AND d.id = p.id
WHERE e.held_out AND e.customer_id = e.record AND d.drawn_at >= e.enrolled_at AND coalesce(p.paid, 0) = 0;

-- name: who_draws_is_enrolled
-- Who drew, but in a game that costs points, is on a side of the campaign's comparison and of the program's, or the
-- customer is that the record went into.
SELECT d.program_id, d.campaign_id, d.id AS draw_id
FROM campaign_draw AS d
LEFT JOIN customer AS c ON d.program_id = c.program_id AND d.customer_id = c.id
LEFT JOIN campaign_enrolment AS e
    ON
        d.program_id = e.program_id AND d.campaign_id = e.campaign_id
        AND coalesce(c.merged_into, c.id) = e.customer_id
LEFT JOIN campaign_enrolment AS o
    ON
        d.program_id = o.program_id AND o.campaign_id = '00000000-0000-0000-0000-000000000000'
        AND coalesce(c.merged_into, c.id) = o.customer_id
LEFT JOIN campaign_play AS p ON d.program_id = p.program_id AND d.campaign_id = p.campaign_id AND d.id = p.id
WHERE (e.customer_id IS NULL OR o.customer_id IS NULL) AND coalesce(p.paid, 0) = 0;

-- name: plays_are_numbered
-- The plays of a customer's record come without a gap; those of one that others went into go on from theirs.
SELECT n.program_id, n.campaign_id, n.customer_id, n.plays, n.newest
FROM (
    SELECT
        p.program_id, p.campaign_id, p.customer_id, count(*) AS plays, min(p.number) AS first, max(p.number) AS newest
    FROM campaign_play AS p
    GROUP BY p.program_id, p.campaign_id, p.customer_id
) AS n
LEFT JOIN (
    SELECT DISTINCT c.program_id, c.merged_into FROM customer AS c
    WHERE c.merged_into IS NOT NULL
) AS m ON n.program_id = m.program_id AND n.customer_id = m.merged_into
WHERE m.merged_into IS NULL AND (n.first, n.newest) != (1, n.plays);

-- name: stopped_gifts_say_by_what
-- What a suppression stopped at its sending is recorded, once, with its reasons, and of its campaign and record.
SELECT coalesce(g.program_id, s.program_id) AS program_id, coalesce(g.id, s.surprise_id) AS surprise_id, s.stops
FROM (
    SELECT o.program_id, o.id, o.campaign_id, o.customer_id FROM surprise AS o
    WHERE o.state = 'stopped' AND o.reason NOT IN ('gone', 'returned')
) AS g
FULL JOIN (
    SELECT x.program_id, x.surprise_id, x.campaign_id, x.customer_id, count(*) AS stops FROM surprise_stop AS x
    WHERE x.surprise_id IS NOT NULL
    GROUP BY x.program_id, x.surprise_id, x.campaign_id, x.customer_id
) AS s ON g.program_id = s.program_id AND g.id = s.surprise_id
WHERE (g.campaign_id, g.customer_id, 1) IS DISTINCT FROM (s.campaign_id, s.customer_id, s.stops);

-- name: nothing_waits_for_the_erased
-- No gift waits for who was erased, and nobody comes any more to one on a list.
SELECT c.program_id, c.id AS customer_id
FROM customer AS c
INNER JOIN (
    SELECT s.program_id, s.customer_id FROM surprise AS s
    WHERE s.state = 'waiting'
    UNION ALL
    SELECT l.program_id, l.customer_id FROM campaign_listed AS l
    WHERE l.done_at IS NULL
) AS w ON c.program_id = w.program_id AND c.id = w.customer_id
WHERE c.erased_at IS NOT NULL;

-- name: customers_had_what_they_drew
-- What a customer's row says of a campaign is what was drawn: how many gifts count, and on which side the customer is.
-- Gifts that suppressions stopped, or that failed, count no more; those that went back with their purchase do.
SELECT h.program_id, h.customer_id, h.campaign_id, h.gifts, g.gifts AS drawn, h.side, e.held_out
FROM (
    SELECT
        r.program_id, r.customer_id, r.campaign::uuid AS campaign_id,
        coalesce((r.had -> r.campaign ->> 'g')::bigint, 0) AS gifts,
        coalesce((r.had -> r.campaign ->> 'a')::integer, 0) AS side
    FROM (
        SELECT
            c.program_id, c.id AS customer_id, c.surprises -> 'c' AS had,
            jsonb_object_keys(c.surprises -> 'c') AS campaign
        FROM customer AS c
        WHERE c.surprises IS NOT NULL AND c.merged_into IS NULL AND c.erased_at IS NULL
    ) AS r
) AS h
LEFT JOIN (
    SELECT s.program_id, s.campaign_id, coalesce(a.merged_into, a.id) AS owner, count(*) AS gifts
    FROM surprise AS s
    INNER JOIN customer AS a ON s.program_id = a.program_id AND s.customer_id = a.id
    WHERE s.state IN ('waiting', 'revealed', 'taken_back') OR s.reason = 'returned'
    GROUP BY s.program_id, s.campaign_id, coalesce(a.merged_into, a.id)
) AS g ON h.program_id = g.program_id AND h.campaign_id = g.campaign_id AND h.customer_id = g.owner
LEFT JOIN campaign_enrolment AS e
    ON h.program_id = e.program_id AND h.campaign_id = e.campaign_id AND h.customer_id = e.customer_id
WHERE
    h.gifts != coalesce(g.gifts, 0)
    OR h.side != CASE WHEN e.held_out IS NULL THEN 0 WHEN e.held_out THEN 2 ELSE 1 END;

-- name: what_gifts_lost_was_taken_back
-- What refunds took back of a gift's points, as it says itself, is what the ledger says.
SELECT s.program_id, s.id AS surprise_id, s.reversed, t.points AS booked
FROM surprise AS s
LEFT JOIN (
    SELECT x.program_id, x.cause_id, sum(x.points) AS points FROM transfer AS x
    WHERE x.cause_type = 'surprise' AND x.to_bucket = 'reversed'
    GROUP BY x.program_id, x.cause_id
) AS t ON s.program_id = t.program_id AND t.cause_id = 'sur_' || replace(s.id::text, '-', '')
WHERE s.reversed != coalesce(t.points, 0);
