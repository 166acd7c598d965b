-- Statements of the reports of surprises: they only read. Every one names one program, and most go through all that it
-- has of a time, on a session that is set for that (`usecases.py`).

-- name: report_first_enrolment
-- When the first customer was enrolled in a comparison; null where nobody was.
SELECT min(e.enrolled_at) AS enrolled_at FROM campaign_enrolment AS e
WHERE e.program_id = $1::integer AND e.campaign_id = $2::uuid;

-- name: report_arms
-- What both arms of a comparison did, of customers whose windows of $4 hours are over at $3, with all records that went
-- into theirs: what they paid in one currency ($6) less returns, its squares, and who bought anything that was not
-- given back whole. $2 is below the ids of all purchases in windows. What began a window is booked at its very begin:
-- it is not in it.
WITH member AS MATERIALIZED (
    SELECT
        e.customer_id AS id, e.held_out, e.enrolled_at,
        e.enrolled_at + make_interval(hours => $4::integer) AS closes_at
    FROM campaign_enrolment AS e
    WHERE e.program_id = $1::integer AND e.campaign_id = $5::uuid
),

record AS MATERIALIZED (
    SELECT c.id, m.id AS owner_id, m.enrolled_at, m.closes_at FROM customer AS c
    INNER JOIN member AS m ON coalesce(c.merged_into, c.id) = m.id
    WHERE c.program_id = $1::integer AND m.closes_at <= $3::timestamptz
),

returned AS MATERIALIZED (
    SELECT r.purchase_id AS id, sum(r.amount)::bigint AS amount FROM refund AS r
    WHERE r.program_id = $1::integer AND r.purchase_id >= $2::uuid
    GROUP BY r.purchase_id
),

bought AS MATERIALIZED (
    SELECT o.owner_id AS id, sum(p.total - coalesce(r.amount, 0)) AS spent
    FROM purchase AS p
    INNER JOIN record AS o ON p.customer_id = o.id
    LEFT JOIN returned AS r ON p.id = r.id
    WHERE
        p.program_id = $1::integer AND p.id >= $2::uuid AND p.currency = $6::text
        AND p.recorded_at > o.enrolled_at AND p.occurred_at >= o.enrolled_at AND p.occurred_at < o.closes_at
        AND (coalesce(r.amount, 0) = 0 OR r.amount < p.total)
    GROUP BY o.owner_id
)

SELECT
    m.held_out, count(*) AS customers, count(*) FILTER (WHERE m.closes_at <= $3::timestamptz) AS closed,
    count(b.id) AS bought, count(*) FILTER (WHERE b.spent <> 0) AS spenders,
    coalesce(sum(b.spent), 0) AS spent, coalesce(sum(b.spent * b.spent), 0) AS squares
FROM member AS m
LEFT JOIN bought AS b ON m.id = b.id
GROUP BY m.held_out;

-- name: report_gifts
-- Gifts of a campaign, or with null ($3) of all, by campaign and where they stand: how many, the points that stayed,
-- the cost, and of this what falls into the windows of $5 hours, over at $4, of those of a comparison ($2) who were
-- treated.
WITH treated AS MATERIALIZED (
    SELECT
        c.id, e.enrolled_at, e.enrolled_at + make_interval(hours => $5::integer) AS closes_at
    FROM customer AS c
    INNER JOIN
        campaign_enrolment AS e
        ON e.program_id = $1::integer AND e.campaign_id = $2::uuid AND coalesce(c.merged_into, c.id) = e.customer_id
    WHERE
        c.program_id = $1::integer AND NOT e.held_out
        AND e.enrolled_at + make_interval(hours => $5::integer) <= $4::timestamptz
)

SELECT
    s.campaign_id, s.state, count(*) AS gifts, coalesce(sum(s.points - s.reversed), 0)::bigint AS points,
    coalesce(sum(s.cost), 0)::bigint AS cost,
    coalesce(
        sum(s.cost) FILTER (WHERE s.drawn_at >= t.enrolled_at AND s.drawn_at < t.closes_at), 0
    )::bigint AS cost_in_windows
FROM surprise AS s
LEFT JOIN treated AS t ON s.customer_id = t.id
WHERE s.program_id = $1::integer AND ($3::uuid IS NULL OR s.campaign_id = $3::uuid)
GROUP BY s.campaign_id, s.state;

-- name: report_stops
-- What suppressions stopped of a campaign, or with null ($2) of all, by campaign and reason: at the draw and at the
-- sending.
SELECT
    s.campaign_id, r.reason, count(*) FILTER (WHERE s.surprise_id IS NULL) AS at_draw,
    count(s.surprise_id) AS at_sending
FROM surprise_stop AS s
CROSS JOIN LATERAL unnest(s.reasons) AS r (reason)
WHERE s.program_id = $1::integer AND ($2::uuid IS NULL OR s.campaign_id = $2::uuid)
GROUP BY s.campaign_id, r.reason;

-- name: forecast_customers
-- Customers by their internal ids, at most $2 of them, evenly by when they came, and how many there are in all.
SELECT c.id, c.customers
FROM (
    SELECT o.id, row_number() OVER (ORDER BY o.id) AS place, count(*) OVER () AS customers FROM customer AS o
    WHERE o.program_id = $1::integer AND o.merged_into IS NULL AND o.erased_at IS NULL
) AS c
WHERE (c.place - 1) % ((c.customers + $2::integer - 1) / $2::integer) = 0;

-- name: forecast_history
-- What customers did between two moments ($3, $4), with all records that went into theirs, as arms of a report have it.
-- $5 is below the ids of all purchases since.
WITH record AS MATERIALIZED (
    SELECT c.id, m.id AS owner_id FROM customer AS c
    INNER JOIN unnest($2::bigint[]) AS m (id) ON coalesce(c.merged_into, c.id) = m.id
    WHERE c.program_id = $1::integer
),

returned AS MATERIALIZED (
    SELECT r.purchase_id AS id, sum(r.amount)::bigint AS amount FROM refund AS r
    WHERE r.program_id = $1::integer AND r.purchase_id >= $5::uuid
    GROUP BY r.purchase_id
),

bought AS MATERIALIZED (
    SELECT o.owner_id AS id, sum(p.total - coalesce(r.amount, 0)) AS spent
    FROM purchase AS p
    INNER JOIN record AS o ON p.customer_id = o.id
    LEFT JOIN returned AS r ON p.id = r.id
    WHERE
        p.program_id = $1::integer AND p.id >= $5::uuid AND p.currency = $6::text
        AND p.occurred_at >= $3::timestamptz AND p.occurred_at < $4::timestamptz
        AND (coalesce(r.amount, 0) = 0 OR r.amount < p.total)
    GROUP BY o.owner_id
)

SELECT
    count(*) AS bought, count(*) FILTER (WHERE b.spent <> 0) AS spenders, coalesce(sum(b.spent), 0) AS spent,
    coalesce(sum(b.spent * b.spent), 0) AS squares
FROM bought AS b;
