-- Invariants of purchases. Each query gives the rows that break it: none, when all is well.

-- name: one_claim_one_purchase
-- Every purchase is claimed under its id once, and every claim of a purchase has its purchase.
SELECT coalesce(p.program_id, k.program_id) AS program_id, coalesce(p.id, k.subject_id) AS id
FROM purchase AS p
FULL JOIN (
    SELECT c.program_id, c.id, c.subject_id FROM claim AS c
    WHERE c.kind = 1
) AS k ON p.program_id = k.program_id AND p.id = k.subject_id
WHERE p.external_id IS DISTINCT FROM k.id;

-- name: purchase_earned_what_was_issued
-- What a purchase was answered to have earned was issued for it, and nothing else was; the balance that it was answered
-- with is the one that its transfers led to.
SELECT coalesce(p.program_id, t.program_id) AS program_id, coalesce(p.id, t.id) AS id, p.earned, t.points
FROM purchase AS p
FULL JOIN (
    SELECT i.program_id, i.id, i.points FROM transfer AS i
    WHERE i.from_bucket = 'issued' AND i.cause_type = 'purchase' AND i.reason = 'purchase'
) AS t ON p.program_id = t.program_id AND p.id = t.id
WHERE p.earned IS DISTINCT FROM coalesce(t.points, 0);

-- name: customer_counts_purchases
-- Counters and lifetime points of a customer are those of the customer's purchases.
SELECT c.program_id, c.id AS customer_id, c.purchase_count, c.lifetime_earned, s.purchases, s.earned
FROM customer AS c
LEFT JOIN (
    SELECT
        p.program_id, p.customer_id, count(*) AS purchases, sum(p.earned) AS earned, min(p.occurred_at) AS first_at,
        max(p.occurred_at) AS last_at
    FROM purchase AS p
    GROUP BY p.program_id, p.customer_id
) AS s ON c.program_id = s.program_id AND c.id = s.customer_id
WHERE
    (c.purchase_count, c.lifetime_earned) != (coalesce(s.purchases, 0), coalesce(s.earned, 0))
    OR c.first_purchase_at IS DISTINCT FROM s.first_at
    OR c.last_purchase_at IS DISTINCT FROM s.last_at;

-- name: one_event_for_each_purchase
-- Every purchase announced itself once, and nothing else did.
SELECT coalesce(p.program_id, o.program_id) AS program_id, coalesce(p.id, o.subject_id) AS id, o.events
FROM purchase AS p
FULL JOIN (
    SELECT e.program_id, e.subject_id, count(*) AS events FROM outbox AS e
    WHERE e.type = 'purchase.rewarded'
    GROUP BY e.program_id, e.subject_id
) AS o ON p.program_id = o.program_id AND p.id = o.subject_id
WHERE p.id IS NULL OR o.events IS DISTINCT FROM 1;
