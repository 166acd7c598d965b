-- Invariants of opening balances. Each query gives the rows that break it: none, when all is well.

-- name: one_claim_one_opening_balance
-- Every opening balance is claimed under its id once, and every claim of one has it.
SELECT coalesce(b.program_id, k.program_id) AS program_id, coalesce(b.id, k.subject_id) AS id
FROM opening_balance AS b
FULL JOIN (
    SELECT c.program_id, c.id, c.subject_id FROM claim AS c
    WHERE c.kind = 3
) AS k ON b.program_id = k.program_id AND b.id = k.subject_id
WHERE b.external_id IS DISTINCT FROM k.id;

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

-- name: one_event_for_each_opening_balance
-- Every opening balance announced itself once, and nothing else did.
SELECT coalesce(b.program_id, o.program_id) AS program_id, coalesce(b.id, o.subject_id) AS id, o.events
FROM opening_balance AS b
FULL JOIN (
    SELECT e.program_id, e.subject_id, count(*) AS events FROM announced AS e
    WHERE e.type = 'opening_balance.booked'
    GROUP BY e.program_id, e.subject_id
) AS o ON b.program_id = o.program_id AND b.id = o.subject_id
WHERE b.id IS NULL OR o.events IS DISTINCT FROM 1;
