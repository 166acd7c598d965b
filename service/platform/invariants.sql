-- Invariants of the database itself. Each query gives the rows that break it: none, when all is well.

-- name: history_is_append_only
-- The service's role can neither change nor delete history.
SELECT t.name AS table, p.privilege
FROM unnest(ARRAY['transfer', 'claim', 'purchase', 'program_settings']) AS t (name)
CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS p (privilege)
WHERE has_table_privilege('loyalty_service', t.name, p.privilege);

-- name: partitions_are_ahead
-- There is a partition for the next 30 days of purchases and of transfers.
SELECT t.name AS table
FROM unnest(ARRAY['purchase', 'transfer']) AS t (name)
WHERE to_regclass(
    t.name || to_char((clock_timestamp() + interval '30 days') AT TIME ZONE 'UTC', '"_"YYYY"q"Q')
) IS NULL;
