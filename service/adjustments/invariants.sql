-- Invariants of adjustments. Each query gives the rows that break it: none, when all is well.

-- name: adjustments_are_what_was_booked
-- Every booked adjustment has its transfer, of its points, and every transfer of an adjustment is one's that is booked.
SELECT
    coalesce(a.program_id, t.program_id) AS program_id, coalesce(a.transfer_id, t.id) AS transfer_id, a.points,
    t.points AS booked
FROM (
    SELECT b.program_id, b.customer_id, b.id, b.points, b.transfer_id FROM adjustment AS b
    WHERE b.status = 'booked'
) AS a
FULL JOIN (
    SELECT
        x.program_id, x.customer_id, x.id, x.cause_id,
        x.points * CASE WHEN x.from_bucket = 'issued' THEN 1 ELSE -1 END AS points
    FROM transfer AS x
    WHERE x.reason = 'adjustment'
) AS t ON a.program_id = t.program_id AND a.customer_id = t.customer_id AND a.transfer_id = t.id
WHERE a.points IS DISTINCT FROM t.points OR t.cause_id != 'adj_' || replace(a.id::text, '-', '');

-- name: one_event_for_each_adjustment
-- That an adjustment waits, is booked or refused was announced once, and nothing else was.
SELECT coalesce(w.program_id, o.program_id) AS program_id, coalesce(w.id, o.subject_id) AS id, o.type, o.events
FROM (
    SELECT a.program_id, a.id, 'adjustment.' || a.status AS type FROM adjustment AS a
    UNION ALL
    SELECT d.program_id, d.id, 'adjustment.waiting' AS type FROM adjustment AS d
    WHERE d.decided_at IS NOT NULL
) AS w
FULL JOIN (
    SELECT e.program_id, e.subject_id, e.type, count(*) AS events FROM announced AS e
    WHERE e.type LIKE 'adjustment.%'
    GROUP BY e.program_id, e.subject_id, e.type
) AS o ON w.program_id = o.program_id AND w.id = o.subject_id AND w.type = o.type
WHERE w.id IS NULL OR o.events IS DISTINCT FROM 1;

-- name: adjustments_of_the_erased_are_over
-- Of customers who were erased no adjustment waits, and none has a note.
SELECT a.program_id, a.id, a.customer_id, a.status
FROM adjustment AS a
INNER JOIN customer AS c ON a.program_id = c.program_id AND a.customer_id = c.id
WHERE c.erased_at IS NOT NULL AND (a.note IS NOT NULL OR a.status = 'waiting');
