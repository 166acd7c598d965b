-- Invariants of referrals. Each query gives the rows that break it: none, when all is well.

-- name: referrals_name_their_customers
-- Both sides of a referral are customers of its program, and its code is the referrer's.
SELECT r.program_id, r.id AS referral_id
FROM referral AS r
LEFT JOIN customer AS o ON r.program_id = o.program_id AND r.referrer_id = o.id
LEFT JOIN customer AS e ON r.program_id = e.program_id AND r.referee_id = e.id
LEFT JOIN referral_code AS k ON r.program_id = k.program_id AND r.code_id = k.id
LEFT JOIN customer AS c ON k.program_id = c.program_id AND k.customer_id = c.id
WHERE
    o.id IS NULL OR (r.referee_id IS NOT NULL AND e.id IS NULL)
    OR coalesce(c.merged_into, c.id) IS DISTINCT FROM coalesce(o.merged_into, o.id);

-- name: nobody_refers_himself
-- No referral of which something can still become, or that was rewarded, has one person on both sides, but for one that
-- is to be judged again since a merge.
SELECT r.program_id, r.id AS referral_id
FROM referral AS r
INNER JOIN customer AS o ON r.program_id = o.program_id AND r.referrer_id = o.id
INNER JOIN customer AS e ON r.program_id = e.program_id AND r.referee_id = e.id
WHERE
    coalesce(o.merged_into, o.id) = coalesce(e.merged_into, e.id)
    AND r.state NOT IN ('refused', 'expired', 'reversed') AND r.look_at IS NULL AND r.state != 'in_review';

-- name: one_referrer_a_referee
-- Of a referee, with the records that went into this one, at most one referral was rewarded and stands, but for those
-- that are to be judged again since a merge.
SELECT e.program_id, coalesce(e.merged_into, e.id) AS customer_id, count(*) AS rewarded
FROM referral AS r
INNER JOIN customer AS e ON r.program_id = e.program_id AND r.referee_id = e.id
WHERE r.state = 'rewarded' AND r.look_at IS NULL
GROUP BY e.program_id, coalesce(e.merged_into, e.id)
HAVING count(*) > 1;

-- name: open_referrals_are_known
-- A customer's row names the referral for which facts are waited for, and no other, but for one that was refused since
-- its referrer was erased, until the job looks at it.
SELECT coalesce(c.program_id, r.program_id) AS program_id, c.customer_id, r.id AS referral_id, c.open_referral
FROM (
    SELECT k.program_id, k.id AS customer_id, k.open_referral FROM customer AS k
    LEFT JOIN referral AS g ON k.program_id = g.program_id AND k.open_referral = g.id
    WHERE k.open_referral IS NOT NULL AND (g.reason = 'erased' AND g.look_at IS NOT NULL) IS NOT TRUE
) AS c
FULL JOIN (
    SELECT f.program_id, f.id, coalesce(e.merged_into, e.id) AS customer_id FROM referral AS f
    INNER JOIN customer AS e ON f.program_id = e.program_id AND f.referee_id = e.id
    WHERE f.state = 'signed_up'
) AS r ON c.program_id = r.program_id AND c.open_referral = r.id
WHERE c.customer_id IS DISTINCT FROM r.customer_id;

-- name: claims_ahead_are_open
-- Who was claimed ahead of the enrolment is named as long as the claim is open, and by one.
SELECT coalesce(a.program_id, r.program_id) AS program_id, coalesce(a.referral_id, r.id) AS referral_id
FROM referral_ahead AS a
FULL JOIN (
    SELECT f.program_id, f.id FROM referral AS f
    WHERE f.state = 'signed_up' AND f.referee_id IS NULL
) AS r ON a.program_id = r.program_id AND a.referral_id = r.id
WHERE a.referral_id IS NULL OR r.id IS NULL;

-- name: rewarded_referrals_gave_what_they_say
-- What a referral gave stands in the ledger: one lot a side, of that record or the one that it went into, of so many
-- points; and nothing else was given for referrals.
SELECT
    coalesce(g.program_id, t.program_id) AS program_id, coalesce(g.lot_id, t.id) AS transfer_id, g.points,
    t.points AS booked
FROM (
    SELECT
        r.program_id, r.referrer_lot AS lot_id, r.referrer_points AS points, r.referrer_id AS customer_id,
        'ref_' || replace(r.id::text, '-', '') AS cause_id
    FROM referral AS r
    WHERE r.referrer_lot IS NOT NULL
    UNION ALL
    SELECT
        r.program_id, r.referee_lot, r.referee_points, r.referee_id,
        'ref_' || replace(r.id::text, '-', '')
    FROM referral AS r
    WHERE r.referee_lot IS NOT NULL
) AS g
FULL JOIN (
    SELECT x.program_id, x.id, x.points, x.customer_id, x.cause_id FROM transfer AS x
    WHERE x.cause_type = 'referral' AND x.from_bucket = 'issued'
) AS t ON g.program_id = t.program_id AND g.lot_id = t.id
LEFT JOIN customer AS a ON g.program_id = a.program_id AND g.customer_id = a.id
LEFT JOIN customer AS b ON t.program_id = b.program_id AND t.customer_id = b.id
WHERE
    (g.points, g.cause_id) IS DISTINCT FROM (t.points, t.cause_id)
    OR coalesce(a.merged_into, a.id) IS DISTINCT FROM coalesce(b.merged_into, b.id);

-- name: both_sides_in_one_booking
-- Both sides of a referral were given theirs in one booking, when it was rewarded.
SELECT r.program_id, r.id AS referral_id
FROM referral AS r
INNER JOIN transfer AS t
    ON r.program_id = t.program_id AND t.id IN (r.referrer_lot, r.referee_lot)
WHERE r.rewarded_at IS DISTINCT FROM t.recorded_at;

-- name: reversed_referrals_gave_back
-- Only of a reversed referral was something taken back, at most what it gave.
SELECT coalesce(r.program_id, s.program_id) AS program_id, s.cause_id, r.state, s.taken
FROM (
    SELECT x.program_id, x.cause_id, sum(x.points) AS taken FROM transfer AS x
    WHERE x.cause_type = 'referral' AND x.to_bucket = 'reversed'
    GROUP BY x.program_id, x.cause_id
) AS s
LEFT JOIN referral AS r ON s.program_id = r.program_id AND s.cause_id = 'ref_' || replace(r.id::text, '-', '')
WHERE r.state IS DISTINCT FROM 'reversed' OR s.taken > r.referrer_points + r.referee_points;

-- name: prizes_of_referrals_are_vouchers
-- A reward that a referral gave is an issued piece of the side's record, or of the one that it went into.
SELECT g.program_id, g.referral_id, g.piece_id
FROM (
    SELECT r.program_id, r.id AS referral_id, r.referrer_piece AS piece_id, r.referrer_id AS customer_id
    FROM referral AS r
    WHERE r.referrer_piece IS NOT NULL
    UNION ALL
    SELECT r.program_id, r.id, r.referee_piece, r.referee_id
    FROM referral AS r
    WHERE r.referee_piece IS NOT NULL
) AS g
LEFT JOIN voucher AS v ON g.program_id = v.program_id AND g.piece_id = v.id
LEFT JOIN customer AS a ON g.program_id = a.program_id AND g.customer_id = a.id
LEFT JOIN customer AS b ON v.program_id = b.program_id AND v.customer_id = b.id
WHERE coalesce(a.merged_into, a.id) IS DISTINCT FROM coalesce(b.merged_into, b.id);

-- name: referrals_stay_within_lifetime_limits
-- By what was agreed, no referrer's record was rewarded more often than the offer lets each in a lifetime.
SELECT u.program_id, u.referrer_id, u.offer, u.times, u.most
FROM (
    SELECT
        t.program_id, t.referrer_id, t.offer, count(*) AS times, max(t.most) AS most,
        count(*) FILTER (WHERE t.most IS NULL) AS without
    FROM (
        SELECT
            r.program_id, r.referrer_id, r.offer,
            (
                SELECT max((x.value ->> 'times')::bigint) FROM jsonb_array_elements(r.terms -> 'limits') AS x (value)
                WHERE x.value ->> 'every' = 'life' AND coalesce(x.value ->> 'scope', 'customer') = 'customer'
            ) AS most
        FROM referral AS r
        WHERE r.rewarded_at IS NOT NULL
    ) AS t
    GROUP BY t.program_id, t.referrer_id, t.offer
) AS u
WHERE u.without = 0 AND u.times > u.most;

-- name: use_of_referrals_was_given
-- What is counted against limits for all was given: over all periods of a kind at most what the offer's referrals gave.
SELECT u.program_id, u.offer, u.every, u.points, u.times, g.points AS given, g.times AS rewarded
FROM (
    SELECT e.program_id, e.offer, e.every, sum(e.points) AS points, sum(e.times) AS times FROM referral_use AS e
    GROUP BY e.program_id, e.offer, e.every
) AS u
LEFT JOIN (
    SELECT r.program_id, r.offer, sum(r.referrer_points + r.referee_points) AS points, count(*) AS times
    FROM referral AS r
    WHERE r.rewarded_at IS NOT NULL
    GROUP BY r.program_id, r.offer
) AS g ON u.program_id = g.program_id AND u.offer = g.offer
WHERE u.points > coalesce(g.points, 0) OR u.times > coalesce(g.times, 0);

-- name: steps_are_given_once
-- No step was given twice to a referrer's record for referrals that stand.
SELECT r.program_id, r.referrer_id, r.step, count(*) AS times
FROM referral AS r
WHERE r.state = 'rewarded' AND r.step IS NOT NULL
GROUP BY r.program_id, r.referrer_id, r.step
HAVING count(*) > 1;

-- name: one_event_for_each_step_of_a_referral
-- Every claim was told, and where it led to.
SELECT coalesce(r.program_id, e.program_id) AS program_id, coalesce(r.id, e.subject_id) AS referral_id, e.type
FROM (
    SELECT f.program_id, f.id, 'referral.signed_up' AS type FROM referral AS f
    UNION ALL
    SELECT f.program_id, f.id, 'referral.rewarded' FROM referral AS f
    WHERE f.rewarded_at IS NOT NULL
    UNION ALL
    SELECT f.program_id, f.id, 'referral.' || f.state FROM referral AS f
    WHERE f.ended_at IS NOT NULL
) AS r
FULL JOIN (
    SELECT a.program_id, a.subject_id, a.type, count(*) AS events FROM announced AS a
    WHERE
        a.type IN (
            'referral.signed_up', 'referral.rewarded', 'referral.refused', 'referral.expired', 'referral.reversed'
        )
    GROUP BY a.program_id, a.subject_id, a.type
) AS e ON r.program_id = e.program_id AND r.id = e.subject_id AND r.type = e.type
WHERE e.events IS DISTINCT FROM 1 OR r.id IS NULL;

-- name: nothing_of_the_erased_is_known_to_referrals
-- Who was erased has no open code, none that is worded, no mark, and no referral that is not decided.
SELECT c.program_id, c.id AS customer_id
FROM customer AS c
LEFT JOIN (
    SELECT k.program_id, k.customer_id FROM referral_code AS k
    WHERE k.closed_at IS NULL OR k.code != ''
    UNION ALL
    SELECT m.program_id, m.customer_id FROM referral_mark AS m
    WHERE m.customer_id IS NOT NULL
    UNION ALL
    SELECT r.program_id, r.referrer_id FROM referral AS r
    WHERE r.state IN ('signed_up', 'qualified', 'waiting', 'in_review')
    UNION ALL
    SELECT r.program_id, r.referee_id FROM referral AS r
    WHERE r.state IN ('signed_up', 'qualified', 'waiting', 'in_review')
) AS k ON c.program_id = k.program_id AND c.id = k.customer_id
WHERE c.erased_at IS NOT NULL AND k.customer_id IS NOT NULL;

-- name: asks_are_of_standing_customers
-- Milestones are of customers who are there: with a merge they go over, and with an erasure they go.
SELECT a.program_id, a.customer_id, a.milestone
FROM referral_ask AS a
LEFT JOIN customer AS c ON a.program_id = c.program_id AND a.customer_id = c.id
WHERE c.external_id IS NULL OR c.merged_into IS NOT NULL;

-- name: an_event_for_each_time_to_ask
-- What was announced is told by one event, and each of these says something.
SELECT coalesce(t.program_id, e.program_id) AS program_id, coalesce(t.id, e.subject_id) AS id, e.events
FROM referral_ask_told AS t
FULL JOIN (
    SELECT a.program_id, a.subject_id, count(*) AS events FROM announced AS a
    WHERE a.type = 'referral.ask'
    GROUP BY a.program_id, a.subject_id
) AS e ON t.program_id = e.program_id AND t.id = e.subject_id
WHERE t.id IS NULL OR e.events IS DISTINCT FROM 1;

-- name: milestones_are_announced_once
-- No record was announced twice after one milestone, and none that says so was announced without an event. With merges
-- those of records that went in count.
SELECT
    coalesce(e.program_id, a.program_id) AS program_id, coalesce(e.customer_id, a.customer_id) AS customer_id,
    coalesce(e.milestone, a.milestone) AS milestone, e.most
FROM (
    SELECT o.program_id, o.customer_id, o.milestone, max(o.times) AS most
    FROM (
        SELECT n.program_id, coalesce(c.merged_into, c.id) AS customer_id, t.milestone, count(*) AS times
        FROM announced AS n
        INNER JOIN referral_ask_told AS t ON n.program_id = t.program_id AND n.subject_id = t.id
        INNER JOIN customer AS c ON n.program_id = c.program_id AND n.customer_id = c.id
        WHERE n.type = 'referral.ask'
        GROUP BY n.program_id, c.id, c.merged_into, t.milestone
    ) AS o
    GROUP BY o.program_id, o.customer_id, o.milestone
) AS e
FULL JOIN (
    SELECT k.program_id, k.customer_id, k.milestone FROM referral_ask AS k
    WHERE k.announced_at IS NOT NULL
) AS a ON e.program_id = a.program_id AND e.customer_id = a.customer_id AND e.milestone = a.milestone
WHERE e.most IS NULL OR e.most > 1;

-- name: successes_are_within_their_feeds
-- Nobody has looked further for successes than a feed goes.
SELECT s.program_id, s.position, f.position AS last
FROM referral_ask_seen AS s
LEFT JOIN feed AS f ON s.program_id = f.program_id
WHERE s.position > coalesce(f.position, 0);
