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
