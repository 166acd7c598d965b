-- Statements of the report of referrals: they only read. Every one names one program, and most go through all that it
-- has of a time, on a session that is set for that (`usecases.py`).

-- name: report_clicks
-- Clicks of some days by the offers of codes; null: on customers' own codes. An offer without codes of its own is
-- missing.
SELECT k.offer, coalesce(sum(c.clicks), 0)::bigint AS clicks
FROM referral_code AS k
LEFT JOIN referral_click AS c
    ON c.program_id = $1::integer AND k.id = c.code_id AND c.day >= $2::date AND c.day < $3::date
WHERE k.program_id = $1::integer
GROUP BY k.offer;

-- name: report_claims
-- Claims of a time, whose ids lie between two, by offer and where they stand: how many, how many of them qualified and
-- were rewarded, and the points that they gave.
SELECT
    r.offer, r.state, r.reason, r.reached_limit::text AS reached_limit, count(*) AS claims,
    count(r.qualified_at) AS qualified, count(r.rewarded_at) AS rewarded,
    sum(r.referrer_points)::bigint AS referrer_points, sum(r.referee_points)::bigint AS referee_points
FROM referral AS r
WHERE
    r.program_id = $1::integer AND r.id >= $2::uuid AND r.id < $3::uuid
    AND r.claimed_at >= $4::timestamptz AND r.claimed_at < $5::timestamptz
GROUP BY r.offer, r.state, r.reason, r.reached_limit::text;

-- name: report_taken_back
-- Points that reversed claims of a time took back, by offer and side. They were booked with whatever record the side's
-- was then.
SELECT r.offer, s.side, sum(t.points)::bigint AS points
FROM referral AS r
CROSS JOIN
    LATERAL (
        VALUES ('referrer', r.referrer_id, r.referrer_lot), ('referee', r.referee_id, r.referee_lot)
    ) AS s (side, id, lot)
CROSS JOIN
    LATERAL (
        SELECT coalesce(c.merged_into, c.id) AS id FROM customer AS c
        WHERE c.program_id = $1::integer AND c.id = s.id
        OFFSET 0
    ) AS o
CROSS JOIN
    LATERAL (
        SELECT o.id
        UNION ALL
        SELECT c.id FROM customer AS c
        WHERE c.program_id = $1::integer AND c.merged_into = o.id
    ) AS k
CROSS JOIN
    LATERAL (
        SELECT e.points FROM transfer AS e
        WHERE
            e.program_id = $1::integer AND e.customer_id = k.id AND e.id > s.lot AND e.reverses = s.lot
            AND e.to_bucket = 'reversed'
        OFFSET 0
    ) AS t
WHERE
    r.program_id = $1::integer AND r.id >= $2::uuid AND r.id < $3::uuid
    AND r.claimed_at >= $4::timestamptz AND r.claimed_at < $5::timestamptz AND r.state = 'reversed'
GROUP BY r.offer, s.side;

-- name: report_vouchers
-- Vouchers that claims of a time gave, by offer and what their reward gives at its version; how many were cancelled.
SELECT g.offer, w.terms, g.vouchers, g.cancelled
FROM (
    SELECT r.offer, v.reward_id, v.reward_version, count(*) AS vouchers, count(v.cancelled_at) AS cancelled
    FROM referral AS r
    CROSS JOIN
        LATERAL (
            VALUES (r.referrer_piece), (r.referee_piece)
        ) AS s (piece)
    CROSS JOIN
        LATERAL (
            SELECT i.reward_id, i.reward_version, i.cancelled_at FROM voucher AS i
            WHERE i.program_id = $1::integer AND i.id = s.piece
            OFFSET 0
        ) AS v
    WHERE
        r.program_id = $1::integer AND r.id >= $2::uuid AND r.id < $3::uuid
        AND r.claimed_at >= $4::timestamptz AND r.claimed_at < $5::timestamptz AND r.rewarded_at IS NOT NULL
    GROUP BY r.offer, v.reward_id, v.reward_version
) AS g
CROSS JOIN LATERAL (
    SELECT e.terms FROM reward_version AS e
    WHERE e.program_id = $1::integer AND e.reward_id = g.reward_id AND e.version = g.reward_version
    OFFSET 0
) AS w;

-- name: report_oldest
-- When the first record was enrolled of all that went into customers enrolled in a time; null where there is none. It
-- may have bought before these were there.
SELECT min(s.enrolled_at) AS enrolled_at
FROM customer AS s
INNER JOIN customer AS c ON c.program_id = $1::integer AND s.merged_into = c.id
WHERE
    s.program_id = $1::integer AND s.merged_into IS NOT NULL
    AND c.enrolled_at >= $2::timestamptz AND c.enrolled_at < $3::timestamptz;

-- name: report_groups
-- Customers enrolled in a time ($2, $3), in three parts, by what they did until $4: those whose referral stands
-- ('referees'), those with none at all ('others'), and those with none but such as ended otherwise ('ended'). With an
-- offer ($6) only its referrals make referees and ended ones, and who came by another one is in no part. What was given
-- back whole wasn't bought. $5 is below the ids of all purchases of theirs; $7, $8, $9 are days behind the first
-- purchase of a customer, of 24 hours each.
WITH came AS MATERIALIZED (
    SELECT
        coalesce(c.merged_into, c.id) AS id,
        bool_or(r.offer = coalesce($6::text, r.offer)) AS is_asked_for,
        bool_or(
            r.offer = coalesce($6::text, r.offer)
            AND r.state IN ('signed_up', 'qualified', 'waiting', 'in_review', 'rewarded')
        ) AS stands
    FROM referral AS r
    INNER JOIN customer AS c ON c.program_id = $1::integer AND r.referee_id = c.id
    WHERE r.program_id = $1::integer
    GROUP BY coalesce(c.merged_into, c.id)
),

member AS MATERIALIZED (
    SELECT
        c.id, c.enrolled_at,
        CASE WHEN f.id IS NULL THEN 'others' WHEN f.stands THEN 'referees' ELSE 'ended' END AS part
    FROM customer AS c
    LEFT JOIN came AS f ON c.id = f.id
    WHERE
        c.program_id = $1::integer AND c.enrolled_at >= $2::timestamptz AND c.enrolled_at < $3::timestamptz
        AND c.merged_into IS NULL AND coalesce(f.is_asked_for, TRUE)
),

record AS MATERIALIZED (
    SELECT c.id, m.id AS owner_id, m.part FROM customer AS c
    INNER JOIN member AS m ON coalesce(c.merged_into, c.id) = m.id
    WHERE c.program_id = $1::integer
),

returned AS MATERIALIZED (
    SELECT r.purchase_id AS id, sum(r.amount)::bigint AS amount FROM refund AS r
    WHERE r.program_id = $1::integer AND r.purchase_id >= $5::uuid
    GROUP BY r.purchase_id
),

bought AS MATERIALIZED (
    SELECT
        o.owner_id AS id, o.part, p.currency, sum(p.total - coalesce(r.amount, 0)) AS amount, count(*) AS purchases,
        min(p.occurred_at) AS first_at, array_agg(p.occurred_at) AS moments
    FROM purchase AS p
    INNER JOIN record AS o ON p.customer_id = o.id
    LEFT JOIN returned AS r ON p.id = r.id
    WHERE
        p.program_id = $1::integer AND p.id >= $5::uuid
        AND (coalesce(r.amount, 0) = 0 OR r.amount < p.total)
    GROUP BY o.owner_id, o.part, p.currency
),

began AS MATERIALIZED (
    SELECT
        f.id, f.purchases,
        f.first_at + make_interval(hours => 24 * $7::integer) AS first_from,
        f.first_at + make_interval(hours => 24 * $8::integer) AS second_from,
        f.first_at + make_interval(hours => 24 * $9::integer) AS second_to
    FROM (
        SELECT b.id, min(b.first_at) AS first_at, sum(b.purchases) AS purchases FROM bought AS b
        GROUP BY b.id
    ) AS f
),

went_on AS MATERIALIZED (
    SELECT f.id, bool_or(w.in_first) AS in_first, bool_or(w.in_second) AS in_second
    FROM began AS f
    INNER JOIN bought AS b ON f.id = b.id
    CROSS JOIN
        LATERAL (
            SELECT
                bool_or(m.moment >= f.first_from AND m.moment < f.second_from) AS in_first,
                bool_or(m.moment >= f.second_from AND m.moment < f.second_to) AS in_second
            FROM unnest(b.moments) AS m (moment)
        ) AS w
    GROUP BY f.id
),

spent AS MATERIALIZED (
    SELECT s.part, jsonb_object_agg(s.currency, s.amount) AS amounts
    FROM (
        SELECT b.part, b.currency, sum(b.amount) AS amount FROM bought AS b
        GROUP BY b.part, b.currency
    ) AS s
    GROUP BY s.part
),

counted AS MATERIALIZED (
    SELECT
        m.part, count(*) AS customers,
        sum(greatest(0, floor(extract(EPOCH FROM $4::timestamptz - m.enrolled_at) / 86400)))::bigint AS days,
        count(f.id) AS bought, coalesce(sum(f.purchases), 0)::bigint AS purchases,
        count(*) FILTER (WHERE f.second_from <= $4::timestamptz) AS of_first,
        count(*) FILTER (WHERE a.in_first AND f.second_from <= $4::timestamptz) AS in_first,
        count(*) FILTER (WHERE f.second_to <= $4::timestamptz) AS of_second,
        count(*) FILTER (WHERE a.in_second AND f.second_to <= $4::timestamptz) AS in_second
    FROM member AS m
    LEFT JOIN began AS f ON m.id = f.id
    LEFT JOIN went_on AS a ON m.id = a.id
    GROUP BY m.part
)

SELECT
    c.part, c.customers, c.days, c.bought, c.purchases, c.of_first, c.in_first, c.of_second, c.in_second,
    coalesce(s.amounts, '{}')::text AS spent
FROM counted AS c
LEFT JOIN spent AS s ON c.part = s.part;
