-- Invariants of the database itself. Each query gives the rows that break it: none, when all is well.

-- name: history_is_append_only
-- The service's role can neither change nor delete history, nor any column of it, also not in a partition; but for the
-- columns that an erasure empties.
SELECT
    p.relid::regclass::text AS table,
    v.privilege
FROM
    unnest(
        ARRAY[
            'transfer', 'lot_entry', 'claim', 'purchase', 'refund', 'program_settings', 'reward_version', 'voucher_use',
            'expiry_notice', 'customer_merge', 'erased_identity', 'opening_balance', 'event'
        ]
    ) AS t (name)
CROSS JOIN
    LATERAL (
        SELECT t.name::regclass AS relid
        UNION
        SELECT x.relid FROM pg_partition_tree(t.name::regclass) AS x
    ) AS p
CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS v (privilege)
WHERE
    has_table_privilege('loyalty_service', p.relid, v.privilege)
    OR EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE
            v.privilege = 'UPDATE'
            AND a.attrelid = p.relid
            AND a.attnum > 0
            AND NOT a.attisdropped
            AND (t.name, a.attname) NOT IN (
                ('purchase', 'channel'), ('purchase', 'referral_code'), ('purchase', 'items'), ('purchase', 'metadata'),
                ('refund', 'state')
            )
            AND has_column_privilege('loyalty_service', p.relid, a.attnum, 'UPDATE')
    );

-- name: partitions_are_ahead
-- There is a partition, attached, for the next 30 days of purchases and of transfers.
SELECT t.name AS table
FROM unnest(ARRAY['purchase', 'transfer']) AS t (name)
WHERE NOT EXISTS (
    SELECT FROM pg_inherits AS i
    WHERE
        i.inhparent = t.name::regclass
        AND i.inhrelid = to_regclass(
            t.name || to_char((clock_timestamp() + interval '30 days') AT TIME ZONE 'UTC', '"_"YYYY"q"Q')
        )
);
