-- Invariants of invoices, payments and credit notes. Each query gives the rows that break it: none, when all is well.
-- What payments have in common with other facts is proved with these: in purchases, and in platform.

-- name: open_is_what_was_not_settled
-- What is open of an invoice is its total less what was credited, and less what credit notes left of the settlements
-- by payments that were not taken back. It is frozen exactly when something was paid on it, or credited.
SELECT i.program_id, i.id, i.open, i.total, i.credited, s.settled, i.is_frozen
FROM invoice AS i
LEFT JOIN (
    SELECT
        p.program_id, p.invoice_id,
        sum(p.settled - coalesce(t.settled, 0)) FILTER (WHERE v.payment_id IS NULL) AS settled
    FROM settlement AS p
    LEFT JOIN payment_reversal AS v ON p.program_id = v.program_id AND p.payment_id = v.payment_id
    LEFT JOIN (
        SELECT x.program_id, x.payment_id, x.invoice_id, sum(x.settled) AS settled FROM settlement_taken AS x
        GROUP BY x.program_id, x.payment_id, x.invoice_id
    ) AS t ON p.program_id = t.program_id AND p.payment_id = t.payment_id AND p.invoice_id = t.invoice_id
    GROUP BY p.program_id, p.invoice_id
) AS s ON i.program_id = s.program_id AND i.id = s.invoice_id
LEFT JOIN (
    SELECT n.program_id, n.invoice_id, count(*) AS notes FROM credit_note AS n
    GROUP BY n.program_id, n.invoice_id
) AS c ON i.program_id = c.program_id AND i.id = c.invoice_id
WHERE
    i.open != i.total - i.credited - coalesce(s.settled, 0)
    OR i.is_frozen != (s.invoice_id IS NOT NULL OR c.invoice_id IS NOT NULL);

-- name: what_is_open_chains
-- Payments, bounces and credit notes on an invoice, in the order of their ids, each leave open what they were answered
-- with: the first one of the invoice's total, any other of what the one before left. A bounce opens what credit notes
-- had left of the settlement.
SELECT c.program_id, c.invoice_id, c.id, c.told, c.open
FROM (
    SELECT
        m.program_id, m.invoice_id, m.id, m.told,
        i.total + sum(m.change) OVER (PARTITION BY m.program_id, m.invoice_id ORDER BY m.id) AS open
    FROM (
        SELECT s.program_id, s.invoice_id, s.payment_id AS id, -s.settled AS change, s.remaining AS told
        FROM settlement AS s
        UNION ALL
        SELECT n.program_id, n.invoice_id, n.id, -n.from_open, n.remaining FROM credit_note AS n
        UNION ALL
        SELECT
            p.program_id, p.invoice_id, v.id, p.settled - coalesce(t.settled, 0),
            (v.answer #>> ARRAY['invoices', p.place::text, 'open'])::bigint
        FROM payment_reversal AS v
        INNER JOIN settlement AS p ON v.program_id = p.program_id AND v.payment_id = p.payment_id
        LEFT JOIN (
            SELECT x.program_id, x.payment_id, x.invoice_id, sum(x.settled) AS settled FROM settlement_taken AS x
            GROUP BY x.program_id, x.payment_id, x.invoice_id
        ) AS t ON p.program_id = t.program_id AND p.payment_id = t.payment_id AND p.invoice_id = t.invoice_id
    ) AS m
    LEFT JOIN invoice AS i ON m.program_id = i.program_id AND m.invoice_id = i.id
) AS c
WHERE c.told IS DISTINCT FROM c.open OR c.open < 0;

-- name: bills_come_to_their_invoices
-- An invoice's bill comes to its total, with its tax; what is charged of it comes to these less all credit notes,
-- which are what was credited.
SELECT b.program_id, b.id, b.total, b.tax, b.credited, b.billed_net, b.billed_tax, b.charged_net, b.charged_tax
FROM (
    SELECT
        i.program_id, i.id, i.total, i.tax, i.credited, coalesce(n.total, 0) AS noted, coalesce(n.tax, 0) AS noted_tax,
        (
            SELECT coalesce(sum(x.amount::bigint), 0) FROM jsonb_path_query(i.bill, '$.groups[*].net') AS x (amount)
        ) AS billed_net,
        (i.bill ->> 'fixed')::bigint + (
            SELECT coalesce(sum(x.amount::bigint), 0)
            FROM jsonb_path_query(i.bill, '$.groups[*].taxes[*].amount') AS x (amount)
        ) AS billed_tax,
        (
            SELECT coalesce(sum(x.amount::bigint), 0) FROM jsonb_path_query(i.charged, '$.groups[*].net') AS x (amount)
        ) AS charged_net,
        (i.charged ->> 'fixed')::bigint + (
            SELECT coalesce(sum(x.amount::bigint), 0)
            FROM jsonb_path_query(i.charged, '$.groups[*].taxes[*].amount') AS x (amount)
        ) AS charged_tax
    FROM invoice AS i
    LEFT JOIN (
        SELECT c.program_id, c.invoice_id, sum(c.total) AS total, sum(c.tax) AS tax FROM credit_note AS c
        GROUP BY c.program_id, c.invoice_id
    ) AS n ON i.program_id = n.program_id AND i.id = n.invoice_id
) AS b
WHERE
    (b.billed_net + b.billed_tax, b.billed_tax) IS DISTINCT FROM (b.total, b.tax)
    OR (b.charged_net + b.charged_tax, b.charged_tax) IS DISTINCT FROM (b.total - b.credited, b.tax - b.noted_tax)
    OR b.credited != b.noted;

-- name: charged_is_within_the_bill
-- Part by part, what is charged is what the bill says or less, and never less than nothing. Both have the same parts;
-- beside amounts their numbers are rates.
SELECT p.program_id, p.id, p.billed, p.charged
FROM (
    SELECT
        i.program_id, i.id, jsonb_path_query(i.bill, 'strict $.** ? (@.type() == "number")')::bigint AS billed,
        jsonb_path_query(i.charged, 'strict $.** ? (@.type() == "number")')::bigint AS charged
    FROM invoice AS i
) AS p
WHERE coalesce(p.charged NOT BETWEEN 0 AND p.billed, TRUE);

-- name: payments_are_their_settlements
-- A payment is the sum of what it is on invoices, each at its place, all in its currency, by its day, which is no day
-- before theirs, and of its customer, or of a record that went into this one or into which it went.
SELECT coalesce(p.program_id, s.program_id) AS program_id, coalesce(p.id, s.payment_id) AS id, p.amount, s.paid
FROM payment AS p
FULL JOIN (
    SELECT
        x.program_id, x.payment_id, sum(x.amount) AS paid, count(*) AS invoices, max(x.place) AS last_place,
        count(DISTINCT x.place) AS places, min(x.paid_on) AS paid_on, max(x.paid_on) AS also_paid_on,
        bool_or(x.paid_on < i.issued_on) AS is_before, min(i.currency) AS currency, max(i.currency) AS other_currency,
        min(coalesce(c.merged_into, c.id)) AS owner, max(coalesce(c.merged_into, c.id)) AS other_owner,
        bool_or(c.id IS NULL) AS is_nobodys
    FROM settlement AS x
    LEFT JOIN invoice AS i ON x.program_id = i.program_id AND x.invoice_id = i.id
    LEFT JOIN customer AS c ON i.program_id = c.program_id AND i.customer_id = c.id
    GROUP BY x.program_id, x.payment_id
) AS s ON p.program_id = s.program_id AND p.id = s.payment_id
LEFT JOIN customer AS o ON p.program_id = o.program_id AND p.customer_id = o.id
WHERE
    (p.amount, p.currency, p.currency, p.paid_on, p.paid_on)
    IS DISTINCT FROM (s.paid, s.currency, s.other_currency, s.paid_on, s.also_paid_on)
    OR (s.invoices, s.invoices) != (s.places, s.last_place + 1)
    OR (p.is_single AND s.invoices != 1)
    OR s.is_before
    OR s.is_nobodys
    OR (s.owner, s.other_owner)
    IS DISTINCT FROM (coalesce(o.merged_into, o.id), coalesce(o.merged_into, o.id));

-- name: discounts_are_those_of_tax_groups
-- The discount and the tax reduction of a settlement are those of the tax groups over which they are told to lie.
SELECT s.program_id, s.payment_id, s.invoice_id, s.discount, s.tax_reduction, s.net, s.tax
FROM (
    SELECT
        x.program_id, x.payment_id, x.invoice_id, x.discount, x.tax_reduction,
        (
            SELECT coalesce(sum(y.amount::bigint), 0) FROM jsonb_path_query(x.details, '$.groups[*].net') AS y (amount)
        ) AS net,
        (
            SELECT coalesce(sum(y.amount::bigint), 0)
            FROM jsonb_path_query(x.details, '$.groups[*].taxes[*].amount') AS y (amount)
        ) AS tax
    FROM settlement AS x
) AS s
WHERE (s.discount, s.tax_reduction) != (s.net, s.tax);

-- name: discounts_are_within_the_bill
-- What payments that were not taken back leave off an invoice is no more than its bill bears, net and of taxes that
-- aren't fixed, but for the rounding of each. What was tolerated is bounded by what is open alone.
SELECT i.program_id, i.id, d.discount, d.tax_reduction
FROM (
    SELECT
        s.program_id, s.invoice_id, sum(s.discount) AS discount, sum(s.tax_reduction) AS tax_reduction,
        count(*) AS times
    FROM settlement AS s
    LEFT JOIN payment_reversal AS v ON s.program_id = v.program_id AND s.payment_id = v.payment_id
    WHERE v.payment_id IS NULL AND NOT s.details ? 'tolerated'
    GROUP BY s.program_id, s.invoice_id
) AS d
INNER JOIN invoice AS i ON d.program_id = i.program_id AND d.invoice_id = i.id
WHERE
    d.discount >= i.total - i.tax + d.times
    OR d.tax_reduction >= i.tax - (i.bill ->> 'fixed')::bigint + d.times;

-- name: an_invoice_is_discounted_once
-- No two invoices of a program have one number, whatever its case and its blanks, and those that look alike have one
-- likeness. The keys, which are hashes, are unique; here it is proven of the numbers themselves, those in ASCII.
SELECT k.program_id, k.number, k.invoices
FROM (
    SELECT n.program_id, n.number, count(*) AS invoices
    FROM (
        SELECT i.program_id, lower(regexp_replace(i.number, '\s', '', 'g')) AS number FROM invoice AS i
        WHERE length(i.number) = octet_length(i.number)
    ) AS n
    GROUP BY n.program_id, n.number
    UNION ALL
    SELECT a.program_id, a.number, count(DISTINCT a.likeness)
    FROM (
        SELECT
            l.program_id, l.likeness,
            regexp_replace(translate(lower(l.number), 'oil', '011'), '[^a-z0-9]', '', 'g') AS number
        FROM invoice AS l
        WHERE length(l.number) = octet_length(l.number)
    ) AS a
    GROUP BY a.program_id, a.number
) AS k
WHERE k.invoices > 1;

-- name: taken_is_within_its_settlement
-- Credit notes took no more of a settlement than it was, in each part, and each of the invoice that it is on, after
-- the payment.
SELECT t.program_id, t.payment_id, t.invoice_id, t.settled, t.cash, t.discount, t.tax_reduction, t.points
FROM (
    SELECT
        x.program_id, x.payment_id, x.invoice_id, sum(x.settled) AS settled, sum(x.cash) AS cash,
        sum(x.discount) AS discount, sum(x.tax_reduction) AS tax_reduction, sum(x.points) AS points,
        bool_and(n.id > x.payment_id) AS is_later
    FROM settlement_taken AS x
    LEFT JOIN credit_note AS n
        ON x.program_id = n.program_id AND x.credit_note_id = n.id AND x.invoice_id = n.invoice_id
    GROUP BY x.program_id, x.payment_id, x.invoice_id
) AS t
LEFT JOIN settlement AS s
    ON t.program_id = s.program_id AND t.payment_id = s.payment_id AND t.invoice_id = s.invoice_id
WHERE
    s.payment_id IS NULL
    OR t.is_later IS NOT TRUE
    OR t.settled > s.settled
    OR t.cash > s.amount - s.overpaid
    OR t.discount > s.discount
    OR t.tax_reduction > s.tax_reduction
    OR t.points > s.points;

-- name: credit_notes_add_up
-- A credit note is what it took of what was open and of settlements, whose cash is the customer's again, and of its
-- invoice's customer. It took back no more points than went with that.
SELECT n.program_id, n.id, n.total, n.from_open, t.settled, n.overpaid, t.cash
FROM (
    SELECT
        m.program_id, m.id, m.invoice_id, m.customer_id, m.issued_on, m.total, m.from_open, m.overpaid,
        (m.answer -> 'points' ->> 'from_lots')::bigint + (m.answer -> 'points' ->> 'to_debt')::bigint
        + (m.answer -> 'points' ->> 'written_off')::bigint AS points
    FROM credit_note AS m
) AS n
LEFT JOIN (
    SELECT
        x.program_id, x.credit_note_id, sum(x.settled) AS settled, sum(x.cash) AS cash, sum(x.points) AS points
    FROM settlement_taken AS x
    GROUP BY x.program_id, x.credit_note_id
) AS t ON n.program_id = t.program_id AND n.id = t.credit_note_id
LEFT JOIN customer AS c ON n.program_id = c.program_id AND n.customer_id = c.id
LEFT JOIN (
    SELECT k.program_id, k.id, k.issued_on, coalesce(o.merged_into, o.id) AS owner FROM invoice AS k
    INNER JOIN customer AS o ON k.program_id = o.program_id AND k.customer_id = o.id
) AS i ON n.program_id = i.program_id AND n.invoice_id = i.id
WHERE
    (n.total, n.overpaid) != (n.from_open + coalesce(t.settled, 0), coalesce(t.cash, 0))
    OR coalesce(n.points > coalesce(t.points, 0), TRUE)
    OR coalesce(n.issued_on < i.issued_on, TRUE)
    OR coalesce(c.merged_into, c.id) IS DISTINCT FROM i.owner;

-- name: invoice_versions_are_whole
-- The versions of an invoice are numbered without a gap, and the last one is as the invoice stands, of its customer.
SELECT coalesce(i.program_id, s.program_id) AS program_id, coalesce(i.id, s.invoice_id) AS id, i.version, s.versions
FROM invoice AS i
FULL JOIN (
    SELECT x.program_id, x.invoice_id, count(*) AS versions, max(x.version) AS newest
    FROM invoice_version AS x
    GROUP BY x.program_id, x.invoice_id
) AS s ON i.program_id = s.program_id AND i.id = s.invoice_id
LEFT JOIN invoice_version AS v
    ON i.program_id = v.program_id AND i.id = v.invoice_id AND i.version = v.version
WHERE
    (i.version, i.version) IS DISTINCT FROM (s.versions, s.newest)
    OR (i.customer_id, i.issued_on, i.currency, i.total, i.tax, i.changed_at >= v.recorded_at)
    IS DISTINCT FROM (v.customer_id, v.issued_on, v.currency, v.total, v.tax, TRUE);

-- name: payments_earned_their_lots
-- The points of a payment are those of the lots that it names, each of which was issued for it; and no other was.
SELECT
    coalesce(l.program_id, t.program_id) AS program_id, coalesce(l.lot_id, t.id) AS lot_id, l.external_id, l.points,
    t.points AS issued
FROM (
    SELECT
        x.program_id, x.customer_id, x.external_id, (x.lot).key::uuid AS lot_id, (x.lot).value::bigint AS points,
        x.earned = sum((x.lot).value::bigint) OVER (PARTITION BY x.program_id, x.id) AS is_all
    FROM (
        SELECT p.program_id, p.customer_id, p.id, p.external_id, p.earned, jsonb_each_text(p.rewards -> 'lots') AS lot
        FROM payment AS p
    ) AS x
    UNION ALL
    SELECT q.program_id, q.customer_id, q.external_id, NULL, q.earned, q.earned = 0 FROM payment AS q
    WHERE NOT q.rewards ? 'lots'
) AS l
FULL JOIN (
    SELECT i.program_id, i.customer_id, i.id, i.from_bucket, i.cause_type, i.cause_id, i.points FROM transfer AS i
    WHERE i.reason = 'payment'
) AS t ON l.program_id = t.program_id AND l.customer_id = t.customer_id AND l.lot_id = t.id
WHERE
    l.is_all IS NOT TRUE
    OR (
        coalesce(l.lot_id, t.id) IS NOT NULL
        AND (t.from_bucket, t.cause_type, t.cause_id, t.points)
        IS DISTINCT FROM ('issued', 'payment', l.external_id, l.points)
    );

-- name: points_instead_have_their_lot
-- Points instead of a discount are those of the lot that the payment names for the invoice.
SELECT s.program_id, s.payment_id, s.invoice_id, s.points
FROM settlement AS s
INNER JOIN payment AS p ON s.program_id = p.program_id AND s.payment_id = p.id
WHERE
    s.points != coalesce(
        (p.rewards -> 'lots' ->> (p.rewards -> 'instead' ->> replace(s.invoice_id::text, '-', '')))::bigint, 0
    );

-- name: what_was_taken_back_was_booked
-- The points that a bounce or a credit note says it took back are what the ledger booked for it, and nothing else was.
SELECT coalesce(w.program_id, t.program_id) AS program_id, w.id, t.cause_id, w.from_lots, w.to_debt, w.written_off
FROM (
    SELECT
        f.program_id, f.id, f.cause_type, f.cause_id, f.reversed_points,
        (f.points ->> 'from_lots')::bigint AS from_lots, (f.points ->> 'to_debt')::bigint AS to_debt,
        (f.points ->> 'written_off')::bigint AS written_off
    FROM (
        SELECT
            v.program_id, v.id, 'payment_reversal' AS cause_type, p.external_id AS cause_id, v.reversed_points,
            v.answer -> 'points' AS points
        FROM payment_reversal AS v
        LEFT JOIN payment AS p ON v.program_id = p.program_id AND v.payment_id = p.id
        UNION ALL
        SELECT n.program_id, n.id, 'credit_note', n.external_id, NULL, n.answer -> 'points' FROM credit_note AS n
    ) AS f
) AS w
FULL JOIN (
    SELECT
        x.program_id, x.cause_type, x.cause_id,
        coalesce(sum(x.points) FILTER (WHERE x.from_bucket IN ('available', 'pending')), 0) AS from_lots,
        coalesce(sum(x.points) FILTER (WHERE x.from_bucket = 'debt'), 0) AS to_debt,
        coalesce(sum(x.points) FILTER (WHERE x.from_bucket = 'written_off'), 0) AS written_off
    FROM transfer AS x
    WHERE x.cause_type IN ('payment_reversal', 'credit_note') AND x.reason = 'reversal'
    GROUP BY x.program_id, x.cause_type, x.cause_id
) AS t ON w.program_id = t.program_id AND w.cause_type = t.cause_type AND w.cause_id = t.cause_id
WHERE
    w.id IS NULL
    OR w.cause_id IS NULL
    OR (w.from_lots, w.to_debt, w.written_off)
    IS DISTINCT FROM (coalesce(t.from_lots, 0), coalesce(t.to_debt, 0), coalesce(t.written_off, 0))
    OR w.reversed_points != w.from_lots + w.to_debt + w.written_off;

-- name: no_more_is_taken_back_than_was_earned
-- Of no lot of a payment do its bounce and credit notes take back more than it had; and they take nothing else.
SELECT t.program_id, t.lot_id, t.points, l.points AS earned
FROM (
    SELECT x.program_id, x.reverses AS lot_id, sum(x.points) AS points FROM transfer AS x
    WHERE x.cause_type IN ('payment_reversal', 'credit_note') AND x.to_bucket = 'reversed'
    GROUP BY x.program_id, x.reverses
) AS t
LEFT JOIN (
    SELECT i.program_id, i.id, i.points FROM transfer AS i
    WHERE i.from_bucket = 'issued' AND i.reason = 'payment'
) AS l ON t.program_id = l.program_id AND t.lot_id = l.id
WHERE t.points > coalesce(l.points, 0);

-- name: one_event_for_each_step_of_an_invoice
-- That an invoice was recorded or changed was announced once for each version; that it was settled once for each
-- payment that closed it and each credit note that left nothing open of what was; and nothing else was.
SELECT
    coalesce(w.program_id, o.program_id) AS program_id, coalesce(w.id, o.subject_id) AS id,
    coalesce(w.type, o.type) AS type, w.times, o.events
FROM (
    SELECT
        v.program_id, v.id, CASE v.version WHEN 1 THEN 'invoice.recorded' ELSE 'invoice.changed' END AS type, 1 AS times
    FROM invoice_version AS v
    UNION ALL
    SELECT c.program_id, c.invoice_id, 'invoice.settled', count(*)
    FROM (
        SELECT s.program_id, s.invoice_id FROM settlement AS s
        WHERE s.closes
        UNION ALL
        SELECT n.program_id, n.invoice_id FROM credit_note AS n
        WHERE n.from_open > 0 AND n.remaining = 0
    ) AS c
    GROUP BY c.program_id, c.invoice_id
) AS w
FULL JOIN (
    SELECT e.program_id, e.type, e.subject_id, count(*) AS events FROM announced AS e
    WHERE e.type IN ('invoice.recorded', 'invoice.changed', 'invoice.settled')
    GROUP BY e.program_id, e.type, e.subject_id
) AS o ON w.program_id = o.program_id AND w.type = o.type AND w.id = o.subject_id
WHERE w.times IS DISTINCT FROM o.events;

-- name: nothing_of_the_erased_is_on_invoices
-- Of customers who were erased no invoice has words, and nothing stands agreed; any other invoice has its number.
SELECT w.program_id, w.customer_id, w.id
FROM (
    SELECT i.program_id, i.customer_id, i.id, i.number IS NOT NULL AS has_number, i.lines IS NOT NULL AS has_words
    FROM invoice AS i
    UNION ALL
    SELECT t.program_id, t.customer_id, NULL, TRUE, TRUE FROM payment_terms AS t
) AS w
LEFT JOIN customer AS c ON w.program_id = c.program_id AND w.customer_id = c.id
WHERE c.id IS NULL OR w.has_number != (c.erased_at IS NULL) OR (w.has_words AND c.erased_at IS NOT NULL);
