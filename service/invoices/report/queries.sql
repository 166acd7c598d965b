-- Statements of the report of early payment: they only read. In a transaction that is set for whole programs.

-- name: report_invoices
-- Invoices issued in two times, [$2, $3) and [$4, $5), as they stand on the day $6, by group, currency and time. $7 is
-- below the ids of all that was booked on them: nothing is paid or credited before an invoice is issued. They are
-- grouped by $8: 'tier', 'attribute' (of the name $9), 'terms', or null. $10 are the days for which each is watched.
-- $11 is how many groups are told; the rest is one, behind them.
--
-- Rows of three kinds. 'group': a place and its key, '=' and what it is, or empty for none; the place behind them has
-- the number of the other groups. 'invoices': sums over those that stand alike (settled, open, or nothing is charged)
-- and were paid after, or have been open for, so many days. 'customers': sums over customers, of the period (1) and the
-- one before (0), of invoices that were watched long enough; at the place 0 those of all groups together.
WITH listed AS MATERIALIZED (
    SELECT
        i.id, coalesce(m.merged_into, i.customer_id) AS owner_id, i.currency, i.issued_on,
        i.issued_on >= $4::date AS is_after, (i.agreement ->> 'due_on')::date AS due_on,
        (i.agreement -> 'points' ->> 'points')::bigint AS rate_points,
        (i.agreement -> 'points' ->> 'amount')::bigint AS rate_amount,
        i.total - i.credited AS charged, i.credited, i.open,
        coalesce(
            '=' || CASE $8::text
                WHEN 'tier' THEN o.tier
                WHEN 'attribute' THEN f.attributes ->> $9::text
                WHEN 'terms' THEN i.agreement ->> 'source'
            END,
            ''
        ) AS key
    FROM invoice AS i
    LEFT JOIN customer AS m ON m.program_id = $1::integer AND i.customer_id = m.id AND m.merged_into IS NOT NULL
    LEFT JOIN customer AS o
        ON o.program_id = $1::integer AND o.id = coalesce(m.merged_into, i.customer_id) AND $8::text = 'tier'
    LEFT JOIN customer_profile AS f
        ON
            f.program_id = $1::integer AND f.customer_id = coalesce(m.merged_into, i.customer_id)
            AND $8::text = 'attribute'
    WHERE
        i.program_id = $1::integer AND i.issued_on >= $2::date AND i.issued_on < $5::date
        AND (i.issued_on < $3::date OR i.issued_on >= $4::date)
),

ranked AS MATERIALIZED (
    SELECT l.key, row_number() OVER (ORDER BY count(*) DESC, l.key) AS place FROM listed AS l
    GROUP BY l.key
),

taken AS MATERIALIZED (
    SELECT
        t.invoice_id, t.payment_id, sum(t.settled)::bigint AS settled, sum(t.cash)::bigint AS cash,
        sum(t.discount)::bigint AS discount, sum(t.tax_reduction)::bigint AS tax_reduction,
        sum(t.points)::bigint AS points
    FROM settlement_taken AS t
    WHERE t.program_id = $1::integer AND t.credit_note_id >= $7::uuid
    GROUP BY t.invoice_id, t.payment_id
),

stood AS NOT MATERIALIZED (
    SELECT
        l.id, s.paid_on, s.paid_on - l.issued_on AS days, l.due_on - s.paid_on AS gained,
        s.settled - coalesce(t.settled, 0) AS settled, s.amount - s.overpaid - coalesce(t.cash, 0) AS cash,
        s.discount - coalesce(t.discount, 0) AS discount,
        s.tax_reduction - coalesce(t.tax_reduction, 0) AS tax_reduction,
        s.points - coalesce(t.points, 0) AS points, l.rate_points, l.rate_amount
    FROM settlement AS s
    INNER JOIN listed AS l ON s.invoice_id = l.id
    LEFT JOIN payment_reversal AS v
        ON v.program_id = $1::integer AND v.payment_id >= $7::uuid AND s.payment_id = v.payment_id
    LEFT JOIN taken AS t ON s.payment_id = t.payment_id AND s.invoice_id = t.invoice_id
    WHERE
        s.program_id = $1::integer AND s.payment_id >= $7::uuid
        AND v.payment_id IS NULL AND s.settled > coalesce(t.settled, 0)
),

paid AS MATERIALIZED (
    SELECT
        s.id, max(s.paid_on) AS paid_on,
        sum(s.settled * greatest(0, $10::integer - s.days))::bigint AS spared,
        sum(s.discount)::bigint AS discount, sum(s.tax_reduction)::bigint AS tax_reduction,
        sum(s.points)::bigint AS points,
        coalesce(sum(div(s.points::numeric * s.rate_amount + s.rate_points - 1, s.rate_points)), 0)::bigint AS instead,
        coalesce(sum(s.cash) FILTER (WHERE s.discount + s.tax_reduction > 0), 0)::bigint AS cash,
        coalesce(sum(s.cash * s.days) FILTER (WHERE s.discount + s.tax_reduction > 0), 0)::bigint AS cash_days,
        coalesce(sum(s.cash * s.gained) FILTER (WHERE s.discount + s.tax_reduction > 0), 0)::bigint AS cash_gained
    FROM stood AS s
    GROUP BY s.id
),

told AS MATERIALIZED (
    SELECT
        least(r.place, $11::integer + 1) AS place, l.currency, l.is_after, l.owner_id, l.charged, l.credited, l.open,
        l.due_on, p.paid_on,
        CASE WHEN l.charged = 0 THEN 'nothing' WHEN l.open > 0 THEN 'open' ELSE 'settled' END AS state,
        CASE
            WHEN l.charged = 0 THEN 0
            WHEN l.open > 0 THEN greatest(0, $6::date - l.issued_on)
            ELSE p.paid_on - l.issued_on
        END AS days,
        $6::date - l.issued_on >= $10::integer AND l.charged > 0 AS is_watched,
        l.charged * $10::integer - coalesce(p.spared, 0) AS money_days,
        coalesce(p.discount, 0) AS discount, coalesce(p.tax_reduction, 0) AS tax_reduction,
        coalesce(p.discount + p.tax_reduction, 0) AS off, coalesce(p.points, 0) AS points,
        coalesce(p.instead, 0) AS instead, coalesce(p.cash, 0) AS cash, coalesce(p.cash_days, 0) AS cash_days,
        coalesce(p.cash_gained, 0) AS cash_gained
    FROM listed AS l
    INNER JOIN ranked AS r ON l.key = r.key
    LEFT JOIN paid AS p ON l.id = p.id
),

by_customer AS MATERIALIZED (
    SELECT
        coalesce(t.place, 0) AS place, t.currency,
        count(*) FILTER (WHERE t.is_after) AS n1, count(*) FILTER (WHERE NOT t.is_after) AS n0,
        coalesce(sum(t.charged) FILTER (WHERE t.is_after), 0) AS a1,
        coalesce(sum(t.money_days) FILTER (WHERE t.is_after), 0) AS m1,
        coalesce(sum(t.charged) FILTER (WHERE NOT t.is_after), 0) AS a0,
        coalesce(sum(t.money_days) FILTER (WHERE NOT t.is_after), 0) AS m0,
        coalesce(sum(t.off) FILTER (WHERE t.is_after), 0) AS off1,
        coalesce(sum(t.instead) FILTER (WHERE t.is_after), 0) AS instead1,
        coalesce(sum(t.off) FILTER (WHERE NOT t.is_after), 0) AS off0,
        coalesce(sum(t.instead) FILTER (WHERE NOT t.is_after), 0) AS instead0
    FROM told AS t
    WHERE t.is_watched
    GROUP BY GROUPING SETS ((t.place, t.currency, t.owner_id), (t.currency, t.owner_id))
)

SELECT
    'group' AS kind, least(r.place, $11::integer + 1)::integer AS place,
    CASE WHEN r.place <= $11::integer THEN min(r.key) ELSE '' END AS key, NULL AS currency, NULL AS is_after,
    NULL AS state, NULL AS days, ARRAY[count(*)]::numeric[] AS sums
FROM ranked AS r
GROUP BY least(r.place, $11::integer + 1), r.place <= $11::integer
UNION ALL
SELECT
    'invoices', t.place::integer, NULL, t.currency, t.is_after, t.state, t.days,
    ARRAY[
        count(*), sum(t.charged), sum(t.credited), sum(t.open),
        count(*) FILTER (WHERE t.state = 'settled' AND t.due_on IS NOT NULL),
        count(*) FILTER (WHERE t.state = 'settled' AND t.paid_on < t.due_on),
        count(*) FILTER (WHERE t.state != 'nothing' AND t.due_on <= $6::date),
        count(*) FILTER (WHERE t.state = 'settled' AND t.due_on <= $6::date AND t.paid_on < t.due_on),
        count(*) FILTER (WHERE t.state = 'settled' AND t.paid_on > t.due_on),
        coalesce(sum(t.paid_on - t.due_on) FILTER (WHERE t.state = 'settled' AND t.paid_on > t.due_on), 0),
        count(*) FILTER (WHERE t.state = 'open' AND t.due_on < $6::date),
        coalesce(sum(t.open) FILTER (WHERE t.due_on < $6::date), 0),
        count(*) FILTER (WHERE t.state = 'settled' AND t.off > 0), count(*) FILTER (WHERE t.points > 0),
        sum(t.discount), sum(t.tax_reduction), sum(t.points), sum(t.instead),
        sum(t.cash), sum(t.cash_days),
        coalesce(sum(t.off) FILTER (WHERE t.due_on IS NOT NULL), 0),
        coalesce(sum(t.cash) FILTER (WHERE t.due_on IS NOT NULL), 0), sum(t.cash_gained)
    ]::numeric[]
FROM told AS t
GROUP BY t.place, t.currency, t.is_after, t.state, t.days
UNION ALL
SELECT
    'customers', c.place::integer, NULL, c.currency, NULL, NULL, NULL,
    ARRAY[
        sum(c.n1), sum(c.n0), count(*) FILTER (WHERE c.n1 > 0), count(*) FILTER (WHERE c.n0 > 0),
        sum(c.a1), sum(c.m1), sum(c.a0), sum(c.m0),
        sum(c.a1 * c.a1), sum(c.a1 * c.m1), sum(c.m1 * c.m1),
        sum(c.a0 * c.a0), sum(c.a0 * c.m0), sum(c.m0 * c.m0),
        sum(c.a1 * c.a0), sum(c.a1 * c.m0), sum(c.m1 * c.a0), sum(c.m1 * c.m0),
        sum(c.off1), sum(c.instead1), sum(c.off0), sum(c.instead0)
    ]::numeric[]
FROM by_customer AS c
GROUP BY c.place, c.currency;
