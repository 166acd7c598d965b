-- Invariants of customers. Each query gives the rows that break it: none, when all is well.

-- name: one_event_for_each_customer
-- That a customer was enrolled, that a record went into another one, and that one was erased, was announced once, and
-- nothing else was. What went into a record is erased with it.
SELECT coalesce(w.program_id, o.program_id) AS program_id, coalesce(w.id, o.customer_id) AS id, o.type, o.events
FROM (
    SELECT c.program_id, c.id, 'customer.enrolled' AS type, 1 AS times FROM customer AS c
    UNION ALL
    SELECT e.program_id, e.id, 'customer.erased' AS type, 1 AS times FROM customer AS e
    WHERE e.erased_at IS NOT NULL AND e.merged_into IS NULL
    UNION ALL
    SELECT m.program_id, m.target_id, 'customer.merged' AS type, count(*) AS times FROM customer_merge AS m
    GROUP BY m.program_id, m.target_id
) AS w
FULL JOIN (
    SELECT e.program_id, e.customer_id, e.type, count(*) AS events FROM announced AS e
    WHERE e.type IN ('customer.enrolled', 'customer.erased', 'customer.merged')
    GROUP BY e.program_id, e.customer_id, e.type
) AS o ON w.program_id = o.program_id AND w.id = o.customer_id AND w.type = o.type
WHERE w.id IS NULL OR o.events IS DISTINCT FROM w.times;
