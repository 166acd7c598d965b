-- Invariants of tiers. Each query gives the rows that break it: none, when all is well.

-- name: tier_changes_chain
-- Each change of a customer's tier goes from where the one before it went to, and the last one to the tier that the
-- customer has. Records that went into others, and customers who were erased, have none.
SELECT t.program_id, t.customer_id, t.id, t.from_tier, t.to_tier, t.came_from, c.tier
FROM (
    SELECT
        x.program_id, x.customer_id, x.id, x.from_tier, x.to_tier, lag(x.to_tier) OVER w AS came_from,
        row_number() OVER w AS place, lead(x.id) OVER w IS NULL AS is_last
    FROM tier_change AS x
    WINDOW w AS (PARTITION BY x.program_id, x.customer_id ORDER BY x.id)
) AS t
LEFT JOIN customer AS c ON t.program_id = c.program_id AND t.customer_id = c.id
WHERE
    c.id IS NULL
    OR (t.place > 1 AND t.from_tier IS DISTINCT FROM t.came_from)
    OR (t.is_last AND c.merged_into IS NULL AND c.erased_at IS NULL AND t.to_tier IS DISTINCT FROM c.tier);

-- name: tiers_are_those_of_their_states
-- A customer's tier is the one that its state says; who is gone has neither.
SELECT c.program_id, c.id AS customer_id, c.tier, c.tier_state
FROM customer AS c
WHERE
    c.tier IS DISTINCT FROM (c.tier_state ->> 'tier')
    OR (coalesce(c.merged_into, c.id) != c.id AND c.tier_state IS NOT NULL)
    OR (c.erased_at IS NOT NULL AND c.tier_state IS NOT NULL);

-- name: one_event_for_each_change_of_a_tier
-- Of each change of a tier, and of each notice that one ends, was told once, and of nothing else.
SELECT coalesce(w.program_id, o.program_id) AS program_id, coalesce(w.id, o.subject_id) AS id, o.type, o.events
FROM (
    SELECT c.program_id, c.id, 'customer.tier_changed' AS type FROM tier_change AS c
    UNION ALL
    SELECT n.program_id, n.id, 'customer.tier_ending' AS type FROM tier_notice AS n
) AS w
FULL JOIN (
    SELECT e.program_id, e.subject_id, e.type, count(*) AS events FROM announced AS e
    WHERE e.type LIKE 'customer.tier_%'
    GROUP BY e.program_id, e.subject_id, e.type
) AS o ON w.program_id = o.program_id AND w.id = o.subject_id AND w.type = o.type
WHERE w.id IS NULL OR o.events IS DISTINCT FROM 1;

-- name: tiers_count_the_facts
-- What is counted of a customer on a day, or in a period, that matters for the tier is what purchases of the customer
-- and of the records that went into this one count, less what refunds took back, what activities do, what was counted
-- elsewhere, and what was adjusted, spent or ended, where that counts: on the day of the capture what was spent and not
-- restored, and without the ends of points that a refund would have taken back, those that were booked first. It is
-- proven for programs that have counted in one way ever since they have tiers; what was free and came back is left
-- aside.
WITH policy AS (
    SELECT
        s.program_id, min(s.time_zone) AS time_zone, min(s.currency) AS currency,
        min(s.tiers ->> 'qualify_by') AS qualify_by, bool_or(s.tiers -> 'counts' ? 'bonuses') AS counts_bonuses,
        bool_or(s.tiers -> 'counts' ? 'activities') AS counts_activities,
        bool_or(s.tiers -> 'counts' ? 'adjustments') AS counts_adjustments,
        bool_or(s.tiers -> 'counts' ? 'redemptions') AS counts_redemptions,
        bool_or(s.tiers -> 'counts' ? 'expiry') AS counts_expiry,
        bool_or(s.tiers -> 'period' ->> 'kind' = 'rolling') AS rolls,
        min((s.tiers -> 'period' ->> 'start_month')::integer) AS start_month,
        min((s.tiers -> 'period' ->> 'days')::integer) AS days,
        min(
            coalesce(
                (s.tiers -> 'period' ->> 'months')::integer,
                CASE s.tiers -> 'period' ->> 'period'
                    WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 WHEN 'half_year' THEN 6 WHEN 'year' THEN 12
                END
            )
        ) AS months
    FROM (
        SELECT
            v.program_id, v.settings ->> 'time_zone' AS time_zone, v.settings -> 'tiers' AS tiers,
            coalesce(v.settings -> 'tiers' ->> 'currency', v.settings ->> 'currency') AS currency,
            ((v.settings -> 'tiers') - 'downgrade' - 'notice_days')::text || (v.settings ->> 'time_zone')
            || (v.settings ->> 'currency') AS way
        FROM program_settings AS v
        WHERE jsonb_typeof(v.settings -> 'tiers') = 'object'
    ) AS s
    GROUP BY s.program_id
    HAVING min(s.way) = max(s.way)
),

refunded AS (
    SELECT
        r.program_id, r.purchase_id, sum(r.amount) AS amount, sum(r.from_lots + r.to_debt + r.written_off) AS points
    FROM refund AS r
    GROUP BY r.program_id, r.purchase_id
),

taken AS (
    SELECT t.program_id, t.purchase_id, (t.rule).key AS rule, max((t.rule).value::bigint) AS points
    FROM (
        SELECT r.program_id, r.purchase_id, jsonb_each_text(r.state -> 'reversed_points') AS rule FROM refund AS r
    ) AS t
    GROUP BY t.program_id, t.purchase_id, (t.rule).key
),

given AS (
    SELECT l.program_id, l.id, sum((l.line ->> 'points')::bigint - coalesce(t.points, 0)) AS points
    FROM (
        SELECT p.program_id, p.id, y.counts_bonuses, jsonb_array_elements(p.lines) AS line
        FROM policy AS y
        INNER JOIN purchase AS p ON y.program_id = p.program_id
    ) AS l
    LEFT JOIN taken AS t ON l.program_id = t.program_id AND l.id = t.purchase_id AND l.line ->> 'rule' = t.rule
    WHERE l.counts_bonuses OR NOT coalesce((l.line ->> 'bonus')::boolean, FALSE)
    GROUP BY l.program_id, l.id
),

ended AS (
    SELECT
        t.program_id, t.customer_id, t.occurred_at, t.points, coalesce(n.points, 0) AS in_vain,
        sum(t.points) OVER (PARTITION BY t.program_id, p.id ORDER BY t.id) - t.points AS before
    FROM policy AS y
    INNER JOIN transfer AS t ON y.program_id = t.program_id
    LEFT JOIN
        purchase AS p
        ON t.program_id = p.program_id AND t.cause_id = p.external_id AND t.cause_type = 'purchase'
    LEFT JOIN (
        SELECT x.program_id, x.purchase_id, sum(x.points) - min(r.points) AS points FROM taken AS x
        INNER JOIN refunded AS r ON x.program_id = r.program_id AND x.purchase_id = r.purchase_id
        GROUP BY x.program_id, x.purchase_id
    ) AS n ON p.program_id = n.program_id AND p.id = n.purchase_id
    WHERE y.counts_expiry AND t.to_bucket = 'expired' AND t.reason != 'erasure'
),

moved AS (
    SELECT
        t.program_id, t.customer_id, t.occurred_at,
        CASE t.from_bucket WHEN 'issued' THEN t.points ELSE -t.points END AS points
    FROM policy AS y
    INNER JOIN transfer AS t ON y.program_id = t.program_id
    WHERE y.counts_adjustments AND t.reason = 'adjustment'
    UNION ALL
    SELECT h.program_id, h.customer_id, h.ended_at, p.restored - p.captured
    FROM policy AS y
    INNER JOIN hold AS h ON y.program_id = h.program_id AND h.status = 'captured'
    INNER JOIN hold_part AS p ON h.program_id = p.program_id AND h.id = p.hold_id
    WHERE y.counts_redemptions
    UNION ALL
    SELECT e.program_id, e.customer_id, e.occurred_at, least(e.points, greatest(0, e.in_vain - e.before)) - e.points
    FROM ended AS e
),

fact AS (
    SELECT
        y.program_id, p.customer_id, (p.occurred_at AT TIME ZONE y.time_zone)::date AS day,
        p.total = 0 AND r.amount IS NOT NULL AS is_aside,
        CASE y.qualify_by
            WHEN 'spend' THEN CASE WHEN p.currency = y.currency THEN p.total - coalesce(r.amount, 0) ELSE 0 END
            WHEN 'purchases' THEN CASE WHEN p.total > 0 AND r.amount = p.total THEN 0 ELSE 1 END
            ELSE coalesce(g.points, 0)
        END AS amount
    FROM policy AS y
    INNER JOIN purchase AS p ON y.program_id = p.program_id
    LEFT JOIN refunded AS r ON p.program_id = r.program_id AND p.id = r.purchase_id
    LEFT JOIN given AS g ON p.program_id = g.program_id AND p.id = g.id
    UNION ALL
    SELECT
        y.program_id, a.customer_id, (a.occurred_at AT TIME ZONE y.time_zone)::date AS day, FALSE AS is_aside, a.earned
    FROM policy AS y
    INNER JOIN activity AS a ON y.program_id = a.program_id
    WHERE y.counts_activities
    UNION ALL
    SELECT
        y.program_id, b.customer_id,
        ((b.its ->> 'occurred_at')::timestamptz AT TIME ZONE y.time_zone)::date AS day, FALSE AS is_aside,
        (b.its ->> 'amount')::bigint AS amount
    FROM policy AS y
    INNER JOIN (
        SELECT t.program_id, t.customer_id, t.qualify_by, t.currency, jsonb_array_elements(t.counted) AS its
        FROM brought_tier AS t
    ) AS b ON y.program_id = b.program_id AND y.qualify_by = b.qualify_by
    WHERE b.currency IS NULL OR b.currency = y.currency
    UNION ALL
    SELECT m.program_id, m.customer_id, (m.occurred_at AT TIME ZONE y.time_zone)::date AS day, FALSE, m.points
    FROM policy AS y
    INNER JOIN moved AS m ON y.program_id = m.program_id
),

placed AS (
    SELECT
        x.program_id, x.customer_id, x.amount, x.is_aside, y.rolls, y.days, y.months,
        (now() AT TIME ZONE y.time_zone)::date AS today,
        CASE
            WHEN y.rolls THEN x.day
            ELSE (
                date_trunc('month', x.day)
                - make_interval(months => (extract(MONTH FROM x.day)::integer - y.start_month + 12) % y.months)
            )::date
        END AS begins
    FROM fact AS x
    INNER JOIN policy AS y ON x.program_id = y.program_id
),

expected AS (
    SELECT
        x.program_id, c.id AS customer_id, x.begins - date '0001-01-01' + 1 AS day, sum(x.amount) AS amount,
        bool_or(x.is_aside) AS is_aside,
        bool_or(
            (x.begins + make_interval(months => coalesce(x.months, 0), days => coalesce(x.days, 0)))::date
            - CASE WHEN x.rolls THEN 0 ELSE 1 END >= x.today
        ) AS matters
    FROM placed AS x
    INNER JOIN customer AS o ON x.program_id = o.program_id AND x.customer_id = o.id
    INNER JOIN customer AS c ON o.program_id = c.program_id AND coalesce(o.merged_into, o.id) = c.id
    WHERE c.tier_state ? 'basis'
    GROUP BY x.program_id, c.id, x.begins
),

counted AS (
    SELECT
        c.program_id, c.id AS customer_id, jsonb_array_elements_text(c.tier_state -> 'days')::integer AS day,
        jsonb_array_elements_text(c.tier_state -> 'amounts')::bigint AS amount
    FROM customer AS c
    INNER JOIN policy AS y ON c.program_id = y.program_id
    WHERE c.tier_state ? 'basis'
)

SELECT
    coalesce(e.program_id, a.program_id) AS program_id, coalesce(e.customer_id, a.customer_id) AS customer_id,
    coalesce(e.day, a.day) AS day, e.amount, a.amount AS counted
FROM expected AS e
FULL JOIN counted AS a ON e.program_id = a.program_id AND e.customer_id = a.customer_id AND e.day = a.day
WHERE
    NOT coalesce(e.is_aside, FALSE)
    AND (a.day IS NOT NULL OR e.matters)
    AND coalesce(e.amount, 0) != coalesce(a.amount, 0);
