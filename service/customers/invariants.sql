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

-- name: suppressions_hold_for_whole_records
-- Of customers who were erased, and of records that went into others, every suppression has ended; the erased ones'
-- have no reference.
SELECT s.program_id, s.id, s.customer_id, s.reason
FROM suppression AS s
INNER JOIN customer AS c ON s.program_id = c.program_id AND s.customer_id = c.id
WHERE
    (c.erased_at IS NOT NULL AND s.reference IS NOT NULL)
    OR (s.ended_at IS NULL AND (c.merged_into IS NOT NULL OR c.erased_at IS NOT NULL));

-- name: one_event_for_each_suppression
-- That a customer was suppressed, and that it was lifted, was announced once, and nothing else was.
SELECT coalesce(w.program_id, o.program_id) AS program_id, coalesce(w.id, o.subject_id) AS id, o.type, o.events
FROM (
    SELECT s.program_id, s.customer_id, s.id, 'customer.suppressed' AS type FROM suppression AS s
    UNION ALL
    SELECT l.program_id, l.customer_id, l.id, 'customer.suppression_lifted' AS type FROM suppression AS l
    WHERE l.ended_as = 'lifted'
) AS w
FULL JOIN (
    SELECT e.program_id, e.customer_id, e.subject_id, e.type, count(*) AS events FROM announced AS e
    WHERE e.type IN ('customer.suppressed', 'customer.suppression_lifted')
    GROUP BY e.program_id, e.customer_id, e.subject_id, e.type
) AS o ON w.program_id = o.program_id AND w.customer_id = o.customer_id AND w.id = o.subject_id AND w.type = o.type
WHERE w.id IS NULL OR o.events IS DISTINCT FROM 1;
