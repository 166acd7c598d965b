-- Invariants of the ledger. Each query gives the rows that break it: none, when all is well.

-- name: balance_is_sum_of_transfers
-- A customer's stored balance is the sum of the customer's transfers, bucket by bucket, debt with the sign changed.
SELECT c.program_id, c.id AS customer_id, c.available, c.pending, c.held, c.debt, s.available AS available_sum
FROM customer AS c
LEFT JOIN (
    SELECT
        t.program_id, t.customer_id,
        sum(t.points * ((t.to_bucket = 'available')::integer - (t.from_bucket = 'available')::integer)) AS available,
        sum(t.points * ((t.to_bucket = 'pending')::integer - (t.from_bucket = 'pending')::integer)) AS pending,
        sum(t.points * ((t.to_bucket = 'held')::integer - (t.from_bucket = 'held')::integer)) AS held,
        sum(t.points * ((t.from_bucket = 'debt')::integer - (t.to_bucket = 'debt')::integer)) AS debt
    FROM transfer AS t
    GROUP BY t.program_id, t.customer_id
) AS s ON c.program_id = s.program_id AND c.id = s.customer_id
WHERE
    (c.available, c.pending, c.held, c.debt)
    != (coalesce(s.available, 0), coalesce(s.pending, 0), coalesce(s.held, 0), coalesce(s.debt, 0));

-- name: available_is_sum_of_open_lots
-- What is available or pending is what remains in the open or pending lots; what slides is a part of it.
SELECT c.program_id, c.id AS customer_id, c.available, c.pending, c.sliding, s.open, s.pending AS pending_sum
FROM customer AS c
LEFT JOIN (
    SELECT
        l.program_id, l.customer_id,
        sum(l.remaining) FILTER (WHERE NOT l.is_pending) AS open,
        sum(l.remaining) FILTER (WHERE l.is_pending) AS pending,
        sum(l.remaining) FILTER (WHERE NOT l.is_pending AND l.slides) AS sliding
    FROM lot AS l
    GROUP BY l.program_id, l.customer_id
) AS s ON c.program_id = s.program_id AND c.id = s.customer_id
WHERE
    (c.available, c.pending, c.sliding)
    != (coalesce(s.open, 0), coalesce(s.pending, 0), coalesce(s.sliding, 0));

-- name: remaining_is_sum_of_entries
-- What remains of a lot is what was granted less what transfers took from it and did not give back; and no entry is of
-- an unknown lot or transfer. A merge gives a lot another owner, and its entries stay where they were made.
SELECT coalesce(l.program_id, s.program_id) AS program_id, coalesce(l.id, s.lot_id) AS id, l.granted, l.remaining
FROM lot AS l
FULL JOIN (
    SELECT
        e.program_id, e.lot_id, sum(e.points) AS points,
        bool_and(
            EXISTS (
                SELECT FROM transfer AS t
                WHERE t.program_id = e.program_id AND t.customer_id = e.customer_id AND t.id = e.transfer_id
            )
        ) AS are_booked
    FROM lot_entry AS e
    GROUP BY e.program_id, e.lot_id
) AS s ON l.program_id = s.program_id AND l.id = s.lot_id
WHERE l.remaining IS DISTINCT FROM l.granted + coalesce(s.points, 0) OR NOT coalesce(s.are_booked, TRUE);

-- name: entries_are_of_their_transfer
-- What a transfer moved out of or into available and pending, but for earning, it took from lots or gave to them. A
-- merge moves the lots themselves.
SELECT t.program_id, t.customer_id, t.id, t.points, s.points AS of_lots
FROM transfer AS t
LEFT JOIN (
    SELECT e.program_id, e.customer_id, e.transfer_id, sum(e.points) AS points
    FROM lot_entry AS e
    GROUP BY e.program_id, e.customer_id, e.transfer_id
) AS s ON t.program_id = s.program_id AND t.customer_id = s.customer_id AND t.id = s.transfer_id
WHERE
    t.reason != 'merge'
    AND coalesce(s.points, 0) != t.points * (
        (t.to_bucket = 'available' AND t.from_bucket NOT IN ('issued', 'pending'))::integer
        - (
            t.from_bucket IN ('available', 'pending') AND (t.from_bucket, t.to_bucket) != ('pending', 'available')
        )::integer
    );

-- name: held_is_sum_of_holds
-- What is held is what open holds hold, and a hold's points and what was captured of them are those of its parts.
SELECT c.program_id, c.id AS customer_id, c.held, s.points
FROM customer AS c
LEFT JOIN (
    SELECT
        h.program_id, h.customer_id, sum(h.points) FILTER (WHERE h.status = 'held') AS points,
        bool_and((h.points, h.captured) = (coalesce(p.points, 0), coalesce(p.captured, 0))) AS are_of_parts
    FROM hold AS h
    LEFT JOIN (
        SELECT o.program_id, o.hold_id, sum(o.points) AS points, sum(o.captured) AS captured
        FROM hold_part AS o
        GROUP BY o.program_id, o.hold_id
    ) AS p ON h.program_id = p.program_id AND h.id = p.hold_id
    GROUP BY h.program_id, h.customer_id
) AS s ON c.program_id = s.program_id AND c.id = s.customer_id
WHERE c.held != coalesce(s.points, 0) OR NOT coalesce(s.are_of_parts, TRUE);

-- name: what_is_due_is_noted
-- A customer's row knows of the next moment at which a lot or a hold changes by itself or the customer is to be told
-- of an end, or of an earlier one.
SELECT c.program_id, c.id AS customer_id, c.next_due_at, s.due_at
FROM customer AS c
INNER JOIN (
    SELECT d.program_id, d.customer_id, min(d.due_at) AS due_at
    FROM (
        SELECT l.program_id, l.customer_id, l.available_at AS due_at FROM lot AS l
        WHERE l.is_pending AND l.remaining > 0
        UNION ALL
        SELECT l.program_id, l.customer_id, coalesce(l.notify_at, l.expires_at) FROM lot AS l
        WHERE l.remaining > 0 AND l.expires_at < 'infinity'
        UNION ALL
        SELECT s.program_id, s.id, coalesce(s.notify_at, s.alive_until) FROM customer AS s
        WHERE s.sliding > 0 AND s.alive_until < 'infinity'
        UNION ALL
        SELECT l.program_id, l.customer_id, s.alive_until FROM lot AS l
        INNER JOIN customer AS s ON l.program_id = s.program_id AND l.customer_id = s.id
        WHERE l.is_pending AND l.slides AND l.remaining > 0 AND NOT l.needs_notice AND s.alive_until < 'infinity'
        UNION ALL
        SELECT h.program_id, h.customer_id, h.expires_at FROM hold AS h
        WHERE h.status = 'held'
    ) AS d
    GROUP BY d.program_id, d.customer_id
) AS s ON c.program_id = s.program_id AND c.id = s.customer_id
WHERE c.next_due_at IS NULL OR c.next_due_at > s.due_at;

-- name: nothing_is_spent_after_its_end
-- Nothing was taken from a lot for a redemption at or after its expiry.
SELECT e.program_id, e.customer_id, e.lot_id, t.id AS transfer_id
FROM lot_entry AS e
INNER JOIN transfer AS t
    ON e.program_id = t.program_id AND e.customer_id = t.customer_id AND e.transfer_id = t.id
INNER JOIN lot AS l ON e.program_id = l.program_id AND e.lot_id = l.id
WHERE t.to_bucket = 'held' AND t.occurred_at >= l.expires_at AND NOT l.needs_notice;

-- name: nothing_ends_without_its_notice
-- Of a lot that needs a notice, with a date of its own, nothing ended by it before the customer was told.
SELECT e.program_id, e.customer_id, e.lot_id, t.id AS transfer_id
FROM lot_entry AS e
INNER JOIN transfer AS t
    ON e.program_id = t.program_id AND e.customer_id = t.customer_id AND e.transfer_id = t.id
INNER JOIN lot AS l ON e.program_id = l.program_id AND e.lot_id = l.id
WHERE t.to_bucket = 'expired' AND t.reason = 'expiry' AND l.needs_notice AND NOT l.slides AND l.notify_at IS NOT NULL;

-- name: one_event_for_each_notice
-- Every notice that points end announced itself once, and nothing else did.
SELECT coalesce(n.program_id, o.program_id) AS program_id, coalesce(n.id, o.subject_id) AS id, o.events
FROM expiry_notice AS n
FULL JOIN (
    SELECT e.program_id, e.subject_id, e.customer_id, count(*) AS events FROM announced AS e
    WHERE e.type = 'points.expiring'
    GROUP BY e.program_id, e.subject_id, e.customer_id
) AS o ON n.program_id = o.program_id AND n.id = o.subject_id AND n.customer_id = o.customer_id
WHERE n.id IS NULL OR o.events IS DISTINCT FROM 1;

-- name: one_event_for_each_movement
-- That points became pending or available or ended was announced once, and nothing else was. Of what a merge moved and
-- an erasure closed these tell.
SELECT coalesce(w.program_id, o.program_id) AS program_id, coalesce(w.id, o.subject_id) AS id, o.type, o.events
FROM (
    SELECT
        t.program_id, t.customer_id, t.id,
        CASE t.to_bucket
            WHEN 'pending' THEN 'points.pending' WHEN 'available' THEN 'points.available' ELSE 'points.expired'
        END AS type
    FROM transfer AS t
    WHERE
        t.reason NOT IN ('merge', 'erasure')
        AND (
            t.to_bucket = 'expired'
            OR (t.from_bucket = 'issued' AND t.to_bucket = 'pending')
            OR (t.from_bucket = 'pending' AND t.to_bucket = 'available')
        )
) AS w
FULL JOIN (
    SELECT e.program_id, e.customer_id, e.subject_id, e.type, count(*) AS events FROM announced AS e
    WHERE e.type IN ('points.pending', 'points.available', 'points.expired')
    GROUP BY e.program_id, e.customer_id, e.subject_id, e.type
) AS o ON w.program_id = o.program_id AND w.customer_id = o.customer_id AND w.id = o.subject_id AND w.type = o.type
WHERE w.id IS NULL OR o.events IS DISTINCT FROM 1;

-- name: one_event_for_each_step_of_a_hold
-- That a hold began, and how it ended, was announced once, and nothing else was. One that lapsed before its time was
-- closed by an erasure, which tells.
SELECT coalesce(w.program_id, o.program_id) AS program_id, coalesce(w.id, o.subject_id) AS id, o.type, o.events
FROM (
    SELECT b.program_id, b.id, 'redemption.held' AS type FROM hold AS b
    UNION ALL
    SELECT h.program_id, h.id, 'redemption.' || h.status AS type FROM hold AS h
    WHERE h.status IN ('captured', 'released') OR (h.status = 'lapsed' AND h.ended_at >= h.expires_at)
) AS w
FULL JOIN (
    SELECT e.program_id, e.subject_id, e.type, count(*) AS events FROM announced AS e
    WHERE e.type LIKE 'redemption.%'
    GROUP BY e.program_id, e.subject_id, e.type
) AS o ON w.program_id = o.program_id AND w.id = o.subject_id AND w.type = o.type
WHERE w.id IS NULL OR o.events IS DISTINCT FROM 1;

-- name: transfers_chain
-- A customer's transfers are numbered without a gap, and each leads from the balance of the one before to its own.
SELECT x.program_id, x.customer_id, x.id, x.customer_version
FROM (
    SELECT
        t.program_id, t.customer_id, t.id, t.customer_version, t.available_after, t.pending_after, t.held_after,
        t.debt_after,
        row_number() OVER chain AS number,
        coalesce(lag(t.available_after) OVER chain, 0)
        + t.points * ((t.to_bucket = 'available')::integer - (t.from_bucket = 'available')::integer) AS available,
        coalesce(lag(t.pending_after) OVER chain, 0)
        + t.points * ((t.to_bucket = 'pending')::integer - (t.from_bucket = 'pending')::integer) AS pending,
        coalesce(lag(t.held_after) OVER chain, 0)
        + t.points * ((t.to_bucket = 'held')::integer - (t.from_bucket = 'held')::integer) AS held,
        coalesce(lag(t.debt_after) OVER chain, 0)
        + t.points * ((t.from_bucket = 'debt')::integer - (t.to_bucket = 'debt')::integer) AS debt
    FROM transfer AS t
    WINDOW chain AS (PARTITION BY t.program_id, t.customer_id ORDER BY t.customer_version)
) AS x
WHERE
    x.number != x.customer_version
    OR (x.available_after, x.pending_after, x.held_after, x.debt_after) != (x.available, x.pending, x.held, x.debt);

-- name: version_counts_transfers
-- A customer's version is the number of the customer's transfers, and no transfer is of an unknown customer.
SELECT
    coalesce(c.program_id, s.program_id) AS program_id, coalesce(c.id, s.customer_id) AS customer_id, c.version,
    s.transfers
FROM customer AS c
FULL JOIN (
    SELECT t.program_id, t.customer_id, count(*) AS transfers
    FROM transfer AS t
    GROUP BY t.program_id, t.customer_id
) AS s ON c.program_id = s.program_id AND c.id = s.customer_id
WHERE c.version IS DISTINCT FROM coalesce(s.transfers, 0);

-- name: lots_are_granted_by_transfers
-- Every lot was granted by a transfer out of issued, of its id and its points; and every such transfer granted one.
SELECT coalesce(l.program_id, t.program_id) AS program_id, coalesce(l.id, t.id) AS id, l.granted, t.points
FROM lot AS l
FULL JOIN (
    SELECT i.program_id, i.id, i.points
    FROM transfer AS i
    WHERE i.from_bucket = 'issued' AND i.to_bucket IN ('available', 'pending') AND i.reason != 'merge'
) AS t ON l.program_id = t.program_id AND l.id = t.id
WHERE l.granted IS DISTINCT FROM t.points;

-- name: no_debt_beside_open_lots
-- Who has debt has no open lot with something left.
SELECT c.program_id, c.id AS customer_id, c.debt
FROM customer AS c
WHERE
    c.debt > 0
    AND EXISTS (
        SELECT FROM lot AS l
        WHERE
            l.program_id = c.program_id
            AND l.customer_id = c.id
            AND l.remaining > 0
            AND NOT l.is_pending
    );

-- name: merges_lose_nothing
-- What a merge took from one record it gave to the other; and who was merged stands for the other.
SELECT m.program_id, m.id, m.source_id, m.target_id
FROM customer_merge AS m
INNER JOIN customer AS c ON m.program_id = c.program_id AND m.source_id = c.id
LEFT JOIN (
    SELECT
        t.program_id, t.cause_id,
        sum(t.points * ((t.to_bucket = 'issued')::integer - (t.from_bucket = 'issued')::integer)) AS issued,
        count(DISTINCT t.customer_id) AS customers
    FROM transfer AS t
    WHERE t.cause_type = 'merge' AND t.reason = 'merge'
    GROUP BY t.program_id, t.cause_id
) AS s ON m.program_id = s.program_id AND 'mrg_' || replace(m.id::text, '-', '') = s.cause_id
WHERE coalesce(s.issued, 0) != 0 OR coalesce(s.customers, 2) != 2 OR c.merged_into IS NULL;

-- name: merged_records_keep_nothing
-- A record that went into another one has no lots and no holds, and stands for one that is there and went nowhere, and
-- is erased with it.
SELECT c.program_id, c.id AS customer_id, c.merged_into
FROM customer AS c
LEFT JOIN customer AS o ON c.program_id = o.program_id AND c.merged_into = o.id
WHERE
    c.merged_into IS NOT NULL
    AND (
        o.id IS NULL
        OR o.merged_into IS NOT NULL
        OR (o.erased_at IS NULL) != (c.erased_at IS NULL)
        OR EXISTS (
            SELECT FROM lot AS l
            WHERE l.program_id = c.program_id AND l.customer_id = c.id
        )
        OR EXISTS (
            SELECT FROM hold AS h
            WHERE h.program_id = c.program_id AND h.customer_id = c.id
        )
    );
