-- Invariants of purchases, refunds and activities, and of what all facts have alike that rules reward, payments with
-- them. Each query gives the rows that break it: none, when all is well.

-- name: facts_earned_what_was_issued
-- What a purchase, an activity or a payment was answered to have earned was issued for it, and nothing else was; its
-- lines add up to that, of a payment with points instead of a discount, of which there is no line. The first lot has
-- the fact's own id, but for payments.
SELECT coalesce(p.program_id, t.program_id) AS program_id, coalesce(p.id, t.id) AS id, p.earned, t.points
FROM rewarded AS p
FULL JOIN (
    SELECT
        i.program_id, i.customer_id, i.reason, i.cause_id, (array_agg(i.id ORDER BY i.id))[1] AS id,
        sum(i.points) AS points, array_agg(i.id) AS ids
    FROM transfer AS i
    WHERE i.from_bucket = 'issued' AND i.reason IN ('purchase', 'activity', 'payment') AND i.cause_type = i.reason
    GROUP BY i.program_id, i.customer_id, i.reason, i.cause_id
) AS t
    ON
        p.program_id = t.program_id AND p.customer_id = t.customer_id AND p.reason = t.reason
        AND p.external_id = t.cause_id
LEFT JOIN (
    SELECT x.program_id, 'payment' AS reason, x.payment_id, sum(x.points) AS points FROM settlement AS x
    GROUP BY x.program_id, x.payment_id
) AS s ON p.program_id = s.program_id AND p.reason = s.reason AND p.id = s.payment_id
WHERE
    p.earned IS DISTINCT FROM coalesce(t.points, 0)
    OR (p.reason != 'payment' AND NOT p.id = any(t.ids))
    OR p.earned - coalesce(s.points, 0)
    != (SELECT coalesce(sum((l.line ->> 'points')::bigint), 0) FROM jsonb_array_elements(p.lines) AS l (line));

-- name: base_rule_had_its_version
-- What the base rule gave names the version of the program's settings by which it did.
SELECT t.program_id, t.rule_version
FROM (
    SELECT DISTINCT x.program_id, x.rule_version FROM transfer AS x
    WHERE x.rule = 'base'
) AS t
LEFT JOIN program_settings AS s ON t.program_id = s.program_id AND t.rule_version = s.version
WHERE s.version IS NULL;

-- name: rules_had_their_versions
-- What any rule gave, the program's own too, names a version of it that there is, and that was valid when the purchase,
-- the activity or the payment occurred.
SELECT g.program_id, g.rule, g.version
FROM (
    SELECT
        l.program_id, l.line ->> 'rule' AS rule, (l.line ->> 'version')::integer AS version,
        min(l.occurred_at) AS first_at
    FROM (
        SELECT p.program_id, p.occurred_at, jsonb_array_elements(p.lines) AS line FROM rewarded AS p
    ) AS l
    WHERE (l.line ->> 'points')::bigint > 0
    GROUP BY l.program_id, l.line ->> 'rule', (l.line ->> 'version')::integer
) AS g
LEFT JOIN program_settings AS s ON g.program_id = s.program_id AND g.version = s.version AND g.rule = 'base'
LEFT JOIN definition_version AS d
    ON
        g.program_id = d.program_id
        AND d.kind IN ('earning_rule', 'tier')
        AND g.rule = CASE d.kind WHEN 'tier' THEN 'tier:' ELSE '' END || d.definition_id
        AND g.version = d.version
WHERE s.version IS NULL AND (d.version IS NULL OR d.valid_from > g.first_at);

-- name: activities_had_their_types
-- An activity names a version of its type that there is, and that was valid when it occurred.
SELECT a.program_id, a.id, a.type, a.type_version
FROM activity AS a
LEFT JOIN definition_version AS d
    ON
        a.program_id = d.program_id AND d.kind = 'activity_type' AND a.type = d.definition_id
        AND a.type_version = d.version
WHERE d.version IS NULL OR d.valid_from > a.occurred_at OR d.state != 'active';

-- name: activities_that_earned_are_counted
-- How many activities of each type a customer was rewarded for is what is counted, with the records that went into this
-- one: by that a type is rewarded once.
SELECT
    coalesce(a.program_id, u.program_id) AS program_id, coalesce(a.customer_id, u.customer_id) AS customer_id,
    coalesce(a.name, u.name) AS name, a.times, u.times AS counted
FROM (
    SELECT
        x.program_id, coalesce(o.merged_into, o.id) AS customer_id, 'activity:' || x.type AS name, count(*) AS times
    FROM activity AS x
    INNER JOIN customer AS o ON x.program_id = o.program_id AND x.customer_id = o.id
    WHERE x.earned > 0
    GROUP BY x.program_id, coalesce(o.merged_into, o.id), x.type
) AS a
FULL JOIN (
    SELECT
        r.program_id, r.customer_id, (r.used).key AS name, ((r.used).value -> 'life' ->> 2)::bigint AS times
    FROM (
        SELECT c.program_id, c.id AS customer_id, jsonb_each(c.limits_used) AS used FROM customer AS c
        WHERE c.limits_used IS NOT NULL AND c.merged_into IS NULL
    ) AS r
    WHERE (r.used).key LIKE 'activity:%'
) AS u ON a.program_id = u.program_id AND a.customer_id = u.customer_id AND a.name = u.name
WHERE a.times IS DISTINCT FROM u.times;

-- name: limits_used_were_given
-- No more is counted against a limit than the rule gave: of one customer, with the records that went into this one.
SELECT u.program_id, u.customer_id, u.rule, u.every, u.points, g.points AS given
FROM (
    SELECT
        r.program_id, r.customer_id, r.rule, (r.every).key AS every, ((r.every).value ->> 1)::bigint AS points,
        ((r.every).value ->> 2)::bigint AS times
    FROM (
        SELECT o.program_id, o.customer_id, (o.rule).key AS rule, jsonb_each((o.rule).value) AS every
        FROM (
            SELECT c.program_id, c.id AS customer_id, jsonb_each(c.limits_used) AS rule FROM customer AS c
            WHERE c.limits_used IS NOT NULL AND c.merged_into IS NULL
        ) AS o
    ) AS r
) AS u
LEFT JOIN (
    SELECT
        l.program_id, l.customer_id, l.line ->> 'rule' AS rule, sum((l.line ->> 'points')::bigint) AS points,
        count(*) AS times
    FROM (
        SELECT p.program_id, coalesce(o.merged_into, o.id) AS customer_id, jsonb_array_elements(p.lines) AS line
        FROM rewarded AS p
        INNER JOIN customer AS o ON p.program_id = o.program_id AND p.customer_id = o.id
    ) AS l
    GROUP BY l.program_id, l.customer_id, l.line ->> 'rule'
) AS g ON u.program_id = g.program_id AND u.customer_id = g.customer_id AND u.rule = g.rule
WHERE
    u.rule NOT LIKE 'activity:%' -- see above
    AND (u.points > coalesce(g.points, 0) OR u.times > coalesce(g.times, 0));

-- name: limits_for_all_were_given
-- Likewise of limits for all customers: over all periods no more is counted than the rule gave.
SELECT u.program_id, u.rule, u.every, u.points, g.points AS given
FROM (
    SELECT e.program_id, e.rule, e.every, sum(e.points) AS points, sum(e.times) AS times FROM earning_use AS e
    GROUP BY e.program_id, e.rule, e.every
) AS u
LEFT JOIN (
    SELECT
        l.program_id, l.line ->> 'rule' AS rule, sum((l.line ->> 'points')::bigint) AS points, count(*) AS times
    FROM (SELECT p.program_id, jsonb_array_elements(p.lines) AS line FROM rewarded AS p) AS l
    GROUP BY l.program_id, l.line ->> 'rule'
) AS g ON u.program_id = g.program_id AND u.rule = g.rule
WHERE u.points > coalesce(g.points, 0) OR u.times > coalesce(g.times, 0);

-- name: facts_answered_their_balance
-- The balance that a purchase, an activity or a payment was answered with is the one that the last transfer of its
-- booking led to; what was drawn for a purchase, and what of that repaid debt, is of its booking.
SELECT p.program_id, p.id, p.available_after, t.available_after AS booked
FROM rewarded AS p
INNER JOIN (
    SELECT DISTINCT ON (x.program_id, x.customer_id, x.cause_type, x.cause_id, x.recorded_at)
        x.program_id, x.customer_id, x.cause_type, x.cause_id, x.recorded_at, x.available_after, x.pending_after,
        x.held_after, x.debt_after
    FROM (
        SELECT
            o.program_id, o.customer_id, o.cause_type, o.cause_id, o.recorded_at, o.customer_version,
            o.available_after, o.pending_after, o.held_after, o.debt_after
        FROM transfer AS o
        WHERE o.cause_type IN ('purchase', 'activity', 'payment')
        UNION ALL
        SELECT
            o.program_id, o.customer_id, 'purchase', q.external_id, o.recorded_at, o.customer_version,
            o.available_after, o.pending_after, o.held_after, o.debt_after
        FROM transfer AS o
        INNER JOIN surprise AS g ON o.program_id = g.program_id AND substr(o.cause_id, 5)::uuid = g.id
        INNER JOIN purchase AS q ON g.program_id = q.program_id AND g.draw_id = q.id
        WHERE o.cause_type = 'surprise'
    ) AS x
    ORDER BY
        x.program_id ASC, x.customer_id ASC, x.cause_type ASC, x.cause_id ASC, x.recorded_at ASC,
        x.customer_version DESC
) AS t
    ON
        p.program_id = t.program_id AND p.customer_id = t.customer_id AND p.reason = t.cause_type
        AND p.external_id = t.cause_id AND p.recorded_at = t.recorded_at
WHERE
    (p.available_after, p.pending_after, p.held_after, p.debt_after)
    != (t.available_after, t.pending_after, t.held_after, t.debt_after);

-- name: customer_counts_purchases
-- Counters of a customer are those of the purchases of the customer and of the records that went into this one,
-- lifetime points what these, activities, payments, referrals and surprises gave, less what refunds, reversals, bounced
-- payments and credit notes took back.
SELECT c.program_id, c.id AS customer_id, c.purchase_count, c.lifetime_earned, s.purchases, s.earned, f.given
FROM customer AS c
LEFT JOIN (
    SELECT
        o.program_id, coalesce(o.merged_into, o.id) AS customer_id,
        sum(CASE t.from_bucket WHEN 'issued' THEN t.points ELSE -t.points END) AS given
    FROM transfer AS t
    INNER JOIN customer AS o ON t.program_id = o.program_id AND t.customer_id = o.id
    WHERE t.cause_type IN ('referral', 'surprise') AND (t.from_bucket = 'issued' OR t.to_bucket = 'reversed')
    GROUP BY o.program_id, coalesce(o.merged_into, o.id)
) AS f ON c.program_id = f.program_id AND c.id = f.customer_id
LEFT JOIN (
    SELECT o.program_id, coalesce(o.merged_into, o.id) AS customer_id, sum(r.points) AS taken
    FROM (
        SELECT f.program_id, f.customer_id, f.from_lots + f.to_debt + f.written_off AS points FROM refund AS f
        UNION ALL
        SELECT y.program_id, y.customer_id, v.reversed_points FROM payment_reversal AS v
        INNER JOIN payment AS y ON v.program_id = y.program_id AND v.payment_id = y.id
        UNION ALL
        SELECT
            n.program_id, n.customer_id,
            (n.answer -> 'points' ->> 'from_lots')::bigint + (n.answer -> 'points' ->> 'to_debt')::bigint
            + (n.answer -> 'points' ->> 'written_off')::bigint
        FROM credit_note AS n
    ) AS r
    INNER JOIN customer AS o ON r.program_id = o.program_id AND r.customer_id = o.id
    GROUP BY o.program_id, coalesce(o.merged_into, o.id)
) AS b ON c.program_id = b.program_id AND c.id = b.customer_id
LEFT JOIN (
    SELECT
        o.program_id, coalesce(o.merged_into, o.id) AS customer_id, sum(p.earned) AS earned,
        count(*) FILTER (WHERE p.reason = 'purchase') AS purchases,
        min(p.occurred_at) FILTER (WHERE p.reason = 'purchase') AS first_at,
        max(p.occurred_at) FILTER (WHERE p.reason = 'purchase') AS last_at
    FROM rewarded AS p
    INNER JOIN customer AS o ON p.program_id = o.program_id AND p.customer_id = o.id
    GROUP BY o.program_id, coalesce(o.merged_into, o.id)
) AS s ON c.program_id = s.program_id AND c.id = s.customer_id
WHERE
    (c.purchase_count, c.lifetime_earned)
    != (coalesce(s.purchases, 0), coalesce(s.earned, 0) - coalesce(b.taken, 0) + coalesce(f.given, 0))
    OR c.first_purchase_at IS DISTINCT FROM s.first_at
    OR c.last_purchase_at IS DISTINCT FROM s.last_at;

-- name: refunds_stay_within_their_purchase
-- Refunds of a purchase come to no more than its total, take back no more than it earned, and are of its customer.
SELECT r.program_id, r.purchase_id, r.amount, p.total, r.taken, p.earned
FROM (
    SELECT
        f.program_id,
        f.purchase_id,
        min(coalesce(o.merged_into, o.id)) AS customer_id,
        max(coalesce(o.merged_into, o.id)) AS other,
        sum(f.amount) AS amount,
        sum(f.from_lots + f.to_debt + f.written_off) AS taken
    FROM refund AS f
    LEFT JOIN customer AS o ON f.program_id = o.program_id AND f.customer_id = o.id
    GROUP BY f.program_id, f.purchase_id
) AS r
LEFT JOIN (
    SELECT x.program_id, x.id, x.total, x.earned, coalesce(c.merged_into, c.id) AS customer_id
    FROM purchase AS x
    INNER JOIN customer AS c ON x.program_id = c.program_id AND x.customer_id = c.id
) AS p ON r.program_id = p.program_id AND r.purchase_id = p.id
WHERE
    p.id IS NULL
    OR r.amount > p.total
    OR r.taken > p.earned
    OR r.customer_id != p.customer_id
    OR r.other != p.customer_id;

-- name: refund_is_what_was_booked
-- What a refund says that it took and gave back is what the ledger booked for it.
SELECT r.program_id, r.id, r.restored, t.restored AS booked
FROM refund AS r
FULL JOIN (
    SELECT
        x.program_id, x.customer_id, x.cause_id,
        coalesce(sum(x.points) FILTER (WHERE x.from_bucket IN ('available', 'pending')), 0) AS from_lots,
        coalesce(sum(x.points) FILTER (WHERE x.from_bucket = 'debt'), 0) AS to_debt,
        coalesce(sum(x.points) FILTER (WHERE x.from_bucket = 'written_off'), 0) AS written_off,
        coalesce(sum(x.points) FILTER (WHERE x.from_bucket = 'redeemed'), 0) AS restored
    FROM transfer AS x
    WHERE x.cause_type = 'refund' AND x.reason IN ('reversal', 'restoration')
    GROUP BY x.program_id, x.customer_id, x.cause_id
) AS t ON r.program_id = t.program_id AND r.customer_id = t.customer_id AND r.external_id = t.cause_id
WHERE
    r.id IS NULL
    OR (r.from_lots, r.to_debt, r.written_off, r.restored)
    != (coalesce(t.from_lots, 0), coalesce(t.to_debt, 0), coalesce(t.written_off, 0), coalesce(t.restored, 0));

-- name: nothing_is_left_of_the_erased
-- Of customers who were erased there are no words: neither in a profile nor in a purchase, a refund or an activity.
SELECT c.program_id, c.id AS customer_id, w.id
FROM customer AS c
INNER JOIN (
    SELECT p.program_id, p.customer_id, p.id FROM purchase AS p
    WHERE p.channel IS NOT NULL OR p.referral_code IS NOT NULL OR p.items != '[]' OR p.metadata != '{}'
    UNION ALL
    SELECT p.program_id, p.customer_id, r.id FROM refund AS r
    INNER JOIN purchase AS p ON r.program_id = p.program_id AND r.purchase_id = p.id
    WHERE r.state != '{}'
    UNION ALL
    SELECT a.program_id, a.customer_id, a.id FROM activity AS a
    WHERE a.properties != '{}'
    UNION ALL
    SELECT f.program_id, f.customer_id, NULL FROM customer_profile AS f
    WHERE
        coalesce(f.email, f.phone, f.name, f.birthday::text, f.locale) IS NOT NULL
        OR f.attributes != '{}'
) AS w ON c.program_id = w.program_id AND c.id = w.customer_id
WHERE c.erased_at IS NOT NULL;
