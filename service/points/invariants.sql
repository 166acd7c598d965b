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
-- What is available is what remains in the open lots.
SELECT c.program_id, c.id AS customer_id, c.available, s.remaining
FROM customer AS c
LEFT JOIN (
    SELECT l.program_id, l.customer_id, sum(l.remaining) AS remaining
    FROM lot AS l
    WHERE l.available_at <= clock_timestamp() AND l.expires_at > clock_timestamp()
    GROUP BY l.program_id, l.customer_id
) AS s ON c.program_id = s.program_id AND c.id = s.customer_id
WHERE c.available != coalesce(s.remaining, 0);

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
    SELECT i.program_id, i.customer_id, i.id, i.points
    FROM transfer AS i
    WHERE i.from_bucket = 'issued' AND i.to_bucket IN ('available', 'pending') AND i.reason != 'merge'
) AS t ON l.program_id = t.program_id AND l.customer_id = t.customer_id AND l.id = t.id
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
            AND l.available_at <= clock_timestamp()
            AND l.expires_at > clock_timestamp()
    );
