-- What must hold of the feed: each query gives the rows that break it.

-- name: places_have_no_gaps
-- A program's events have the places from 1 to the last one given out, each once.
SELECT coalesce(e.program_id, f.program_id) AS program_id, f.position, e.greatest, e.events
FROM feed AS f
FULL JOIN (
    SELECT e.program_id, count(*) AS events, max(e.position) AS greatest
    FROM event AS e
    GROUP BY e.program_id
) AS e ON f.program_id = e.program_id
WHERE f.position IS DISTINCT FROM coalesce(e.greatest, 0) OR f.position IS DISTINCT FROM coalesce(e.events, 0);

-- name: one_place_for_each_event
-- No event has two places, or one and waits for another.
SELECT a.program_id, a.id, count(*) AS times FROM announced AS a
GROUP BY a.program_id, a.id
HAVING count(*) > 1;
