-- Invariants of programs.

-- name: rows_belong_to_a_program
-- Every customer, claim and event is a program's; hot tables have no foreign key that would say so.
SELECT r.kind, r.program_id
FROM (
    SELECT DISTINCT 'customer' AS kind, program_id FROM customer
    UNION
    SELECT DISTINCT 'claim' AS kind, program_id FROM claim
    UNION
    SELECT DISTINCT 'outbox' AS kind, program_id FROM outbox
) AS r
WHERE NOT EXISTS (
    SELECT FROM program AS p
    WHERE p.id = r.program_id
);
