-- Invariants of opening balances. Each query gives the rows that break it: none, when all is well.

-- name: opening_balances_are_what_was_booked
-- What an opening balance brought is what was issued for it, as points and as debt, and nothing else was.
SELECT coalesce(b.program_id, t.program_id) AS program_id, b.id, t.cause_id, b.granted, t.granted AS booked
FROM opening_balance AS b
FULL JOIN (
    SELECT
        x.program_id, x.customer_id, x.cause_id,
        coalesce(sum(x.points) FILTER (WHERE x.from_bucket = 'issued'), 0) AS granted,
        coalesce(sum(x.points) FILTER (WHERE x.from_bucket = 'debt' AND x.to_bucket = 'issued'), 0) AS debt
    FROM transfer AS x
    WHERE x.reason = 'opening_balance'
    GROUP BY x.program_id, x.customer_id, x.cause_id
) AS t ON b.program_id = t.program_id AND b.customer_id = t.customer_id AND b.external_id = t.cause_id
WHERE b.id IS NULL OR (b.granted, b.debt) != (coalesce(t.granted, 0), coalesce(t.debt, 0));

-- name: brought_tiers_are_of_opening_balances
-- What was brought along of tiers came with an opening balance of the same customer, which was answered with a tier
-- where it brought one.
SELECT t.program_id, t.customer_id, t.id, t.tier
FROM brought_tier AS t
LEFT JOIN opening_balance AS b ON t.program_id = b.program_id AND t.id = b.id AND t.customer_id = b.customer_id
WHERE b.id IS NULL OR (t.tier IS NOT NULL AND b.tier IS NULL);
