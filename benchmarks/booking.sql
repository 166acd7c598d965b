-- The same booking as the service's, as one function call a transaction: what pgbench runs beside it. It writes the same
-- rows into the same tables; it checks nothing that a caller could have got wrong.
CREATE OR REPLACE FUNCTION benchmark_purchase(
    for_program integer, for_customer text, with_total bigint, known_as text
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    new_id uuid;
    buyer customer%ROWTYPE;
    points bigint := with_total / 100;
BEGIN
    SELECT * INTO STRICT buyer FROM customer
    WHERE program_id = for_program AND external_id = for_customer FOR NO KEY UPDATE;
    moment := clock_timestamp();
    new_id := (
        lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7'
        || substr(md5(random()::text || known_as), 1, 3) || '8' || substr(md5(known_as), 1, 15)
    )::uuid;
    INSERT INTO claim (program_id, kind, id, content_hash, subject_id)
    VALUES (for_program, 1, known_as, decode(md5(known_as), 'hex'), new_id);
    UPDATE customer SET
        version = version + (points > 0)::integer, available = available + points,
        lifetime_earned = lifetime_earned + points, purchase_count = purchase_count + 1,
        last_purchase_at = greatest(last_purchase_at, '2026-11-21T10:00:00Z')
    WHERE program_id = for_program AND id = buyer.id
    RETURNING * INTO buyer;
    INSERT INTO purchase (
        program_id, customer_id, id, external_id, currency, total, tax, shipping, points_paid, channel, items, metadata,
        earned, pending, lines, available_after, pending_after, held_after, debt_after, occurred_at, recorded_at
    ) VALUES (
        for_program, buyer.id, new_id, known_as, 'EUR', with_total, 2074, 490, 0, 'web',
        '[{"id":"1","sku":"TEA-1","category":"tea","quantity":2,"amount":12500}]', '{}', points, 0,
        '[{"rule":"base","version":1,"points":129,"why":"1 point for each 1.00 EUR of 129.90 EUR (total), rounded down"}]',
        buyer.available, buyer.pending, buyer.held, buyer.debt, '2026-11-21T10:00:00Z', moment
    );
    IF points > 0 THEN
        INSERT INTO transfer (
            program_id, customer_id, id, from_bucket, to_bucket, points, reason, cause_type, cause_id, rule,
            rule_version, customer_version, available_after, pending_after, held_after, debt_after, occurred_at,
            recorded_at
        ) VALUES (
            for_program, buyer.id, new_id, 'issued', 'available', points, 'purchase', 'purchase', known_as, 'base', 1,
            buyer.version, buyer.available, buyer.pending, buyer.held, buyer.debt, '2026-11-21T10:00:00Z', moment
        );
        INSERT INTO lot (
            program_id, customer_id, id, granted, remaining, available_at, expires_at, cause_type, cause_id
        ) VALUES (
            for_program, buyer.id, new_id, points, points, moment, 'infinity', 'purchase', known_as
        );
    END IF;
    INSERT INTO outbox (program_id, id, type, customer_id, subject_id, recorded_at)
    VALUES (for_program, new_id, 'purchase.rewarded', buyer.id, new_id, moment);
    RETURN buyer.available;
END
$$;
