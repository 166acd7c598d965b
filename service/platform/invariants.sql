-- Invariants of the database itself, and of what all kinds of facts have alike: claims and events. Each query gives the
-- rows that break it: none, when all is well.

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
            'expiry_notice', 'customer_merge', 'erased_identity', 'opening_balance', 'activity', 'tier_change',
            'tier_notice', 'brought_tier', 'event', 'invoice_version', 'payment', 'settlement', 'payment_reversal',
            'credit_note', 'settlement_taken'
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
                ('refund', 'state'), ('activity', 'properties')
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

-- name: one_claim_one_fact
-- Every fact is claimed under its id once, as a fact of its kind, and every claim has its fact.
SELECT
    coalesce(f.program_id, k.program_id) AS program_id,
    coalesce(f.kind, k.kind) AS kind,
    coalesce(f.id, k.subject_id) AS id
FROM (
    SELECT 1 AS kind, p.program_id, p.id, p.external_id FROM purchase AS p
    UNION ALL
    SELECT 2 AS kind, r.program_id, r.id, r.external_id FROM refund AS r
    UNION ALL
    SELECT 3 AS kind, b.program_id, b.id, b.external_id FROM opening_balance AS b
    UNION ALL
    SELECT 4 AS kind, a.program_id, a.id, a.external_id FROM activity AS a
    UNION ALL
    SELECT 5 AS kind, y.program_id, y.id, y.external_id FROM payment AS y
    UNION ALL
    SELECT 6 AS kind, n.program_id, n.id, n.external_id FROM credit_note AS n
) AS f
FULL JOIN claim AS k ON f.program_id = k.program_id AND f.kind = k.kind AND f.id = k.subject_id
WHERE f.external_id IS DISTINCT FROM k.id;

-- name: one_event_for_each_fact
-- Every fact announced itself once, and nothing else did.
SELECT
    coalesce(f.program_id, o.program_id) AS program_id,
    coalesce(f.type, o.type) AS type,
    coalesce(f.id, o.subject_id) AS id,
    o.events
FROM (
    SELECT 'purchase.rewarded' AS type, p.program_id, p.id FROM purchase AS p
    UNION ALL
    SELECT 'purchase.refunded' AS type, r.program_id, r.id FROM refund AS r
    UNION ALL
    SELECT 'opening_balance.booked' AS type, b.program_id, b.id FROM opening_balance AS b
    UNION ALL
    SELECT 'activity.rewarded' AS type, a.program_id, a.id FROM activity AS a
    UNION ALL
    SELECT 'payment.recorded' AS type, y.program_id, y.id FROM payment AS y
    UNION ALL
    SELECT 'invoice.credited' AS type, n.program_id, n.id FROM credit_note AS n
    UNION ALL
    SELECT 'payment.reversed' AS type, v.program_id, v.payment_id AS id FROM payment_reversal AS v
) AS f
FULL JOIN (
    SELECT e.program_id, e.type, e.subject_id, count(*) AS events FROM announced AS e
    WHERE
        e.type IN (
            'purchase.rewarded', 'purchase.refunded', 'opening_balance.booked', 'activity.rewarded', 'payment.recorded',
            'payment.reversed', 'invoice.credited'
        )
    GROUP BY e.program_id, e.type, e.subject_id
) AS o ON f.program_id = o.program_id AND f.type = o.type AND f.id = o.subject_id
WHERE f.id IS NULL OR o.events IS DISTINCT FROM 1;
