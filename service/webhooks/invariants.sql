-- What must hold of webhooks: each query gives the rows that break it.

-- name: lanes_are_within_their_feeds
-- No lane is at a place that its feed doesn't have yet: what comes there would never be told.
SELECT w.program_id, w.id, w.position, f.position AS feed
FROM webhook AS w
LEFT JOIN feed AS f ON w.program_id = f.program_id
WHERE w.position > coalesce(f.position, 0);

-- name: deliveries_are_behind_their_lane
-- Every delivery is of an endpoint whose lane has gone over it: else it would be begun a second time.
SELECT d.program_id, d.webhook_id, d.event_id, d.position, w.position AS lane
FROM webhook_delivery AS d
LEFT JOIN webhook AS w ON d.program_id = w.program_id AND d.webhook_id = w.id
WHERE d.position > coalesce(w.position, 0);

-- name: deliveries_are_of_their_event
-- A delivery names an event of the feed by its place, its id and its type.
SELECT d.program_id, d.webhook_id, d.event_id, d.position
FROM webhook_delivery AS d
LEFT JOIN event AS e ON d.program_id = e.program_id AND d.position = e.position
WHERE (e.id, e.type) IS DISTINCT FROM (d.event_id, d.type);

-- name: what_is_delivered_was_taken
-- The last attempt of what was delivered succeeded; what is dead was tried, and none that was tried is without a trace.
SELECT d.program_id, d.webhook_id, d.event_id, d.state
FROM webhook_delivery AS d
WHERE
    (
        d.state = 'delivered'
        AND (d.attempts -> -1 ->> 'status')::integer BETWEEN 200 AND 299 IS NOT TRUE
    )
    OR (d.state = 'dead' AND d.tries = 0)
    OR jsonb_array_length(d.attempts) < least(d.tries, 50);

-- name: waiting_deliveries_are_counted
-- An endpoint's number of deliveries that wait is how many there are.
SELECT w.program_id, w.id, w.waiting, d.deliveries
FROM webhook AS w
LEFT JOIN (
    SELECT d.program_id, d.webhook_id, count(*) AS deliveries
    FROM webhook_delivery AS d
    WHERE d.state = 'waiting'
    GROUP BY d.program_id, d.webhook_id
) AS d ON w.program_id = d.program_id AND w.id = d.webhook_id
WHERE w.deleted_at IS NULL AND w.waiting != coalesce(d.deliveries, 0);

-- name: endpoints_have_one_newest_secret
-- Every endpoint has exactly one secret without an end; a deleted one has none at all.
SELECT w.program_id, w.id, s.newest, s.secrets
FROM webhook AS w
LEFT JOIN (
    SELECT s.program_id, s.webhook_id, count(*) AS secrets, count(*) FILTER (WHERE s.ends_at IS NULL) AS newest
    FROM webhook_secret AS s
    GROUP BY s.program_id, s.webhook_id
) AS s ON w.program_id = s.program_id AND w.id = s.webhook_id
WHERE CASE WHEN w.deleted_at IS NULL THEN coalesce(s.newest, 0) != 1 ELSE coalesce(s.secrets, 0) != 0 END;

-- name: one_event_for_each_disabling
-- That an endpoint was switched off is told once, and nothing else is told so.
SELECT coalesce(d.program_id, a.program_id) AS program_id, d.id, a.id AS event_id
FROM webhook_disabling AS d
FULL JOIN (
    SELECT a.program_id, a.id, a.subject_id FROM announced AS a
    WHERE a.type = 'webhook.disabled'
) AS a ON d.program_id = a.program_id AND d.id = a.subject_id
WHERE d.id IS NULL OR a.id IS NULL;

-- name: disablings_are_of_endpoints
-- What was switched off is an endpoint.
SELECT d.program_id, d.id, d.webhook_id
FROM webhook_disabling AS d
LEFT JOIN webhook AS w ON d.program_id = w.program_id AND d.webhook_id = w.id
WHERE w.id IS NULL;
