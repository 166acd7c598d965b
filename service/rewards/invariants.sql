-- Invariants of rewards. Each query gives the rows that break it: none, when all is well.

-- name: reward_versions_are_whole
-- A reward's versions are numbered without a gap, and the last one counts.
SELECT r.program_id, r.id AS reward_id, r.version, s.versions
FROM reward AS r
LEFT JOIN (
    SELECT v.program_id, v.reward_id, count(*) AS versions, max(v.version) AS newest
    FROM reward_version AS v
    GROUP BY v.program_id, v.reward_id
) AS s ON r.program_id = s.program_id AND r.id = s.reward_id
WHERE (r.version, r.version) IS DISTINCT FROM (s.versions, s.newest);

-- name: taken_is_held_or_issued
-- What is taken of a reward is its pieces that are held or issued.
SELECT r.program_id, r.id AS reward_id, r.taken, s.pieces
FROM reward AS r
LEFT JOIN (
    SELECT p.program_id, p.reward_id, count(*) AS pieces
    FROM reward_piece AS p
    WHERE p.state != 'given_back'
    GROUP BY p.program_id, p.reward_id
) AS s ON r.program_id = s.program_id AND r.id = s.reward_id
WHERE r.taken != coalesce(s.pieces, 0);

-- name: stock_of_codes_is_what_was_loaded
-- The stock of a reward with third-party codes is the codes that were loaded; others have none.
SELECT r.program_id, r.id AS reward_id, r.stock, s.loaded
FROM reward AS r
LEFT JOIN (
    SELECT c.program_id, c.reward_id, count(*) AS loaded
    FROM reward_code AS c
    GROUP BY c.program_id, c.reward_id
) AS s ON r.program_id = s.program_id AND r.id = s.reward_id
WHERE
    (r.codes = 'third_party' AND r.stock != coalesce(s.loaded, 0))
    OR (r.codes = 'generated' AND s.loaded IS NOT NULL);

-- name: issued_pieces_have_vouchers
-- Every issued piece has its voucher, of the same reward, version and customer, and every voucher its issued piece.
SELECT coalesce(p.program_id, v.program_id) AS program_id, coalesce(p.id, v.id) AS id
FROM (
    SELECT i.program_id, i.id, i.reward_id, i.reward_version, i.customer_id FROM reward_piece AS i
    WHERE i.state = 'issued'
) AS p
FULL JOIN voucher AS v ON p.program_id = v.program_id AND p.id = v.id
WHERE
    (p.reward_id, p.reward_version, p.customer_id) IS DISTINCT FROM (v.reward_id, v.reward_version, v.customer_id);

-- name: codes_are_handed_out_once
-- Every voucher of a reward with third-party codes has one of its codes, and each code that is handed out one voucher.
SELECT coalesce(v.program_id, c.program_id) AS program_id, coalesce(v.id, c.voucher_id) AS voucher_id
FROM (
    SELECT i.program_id, i.id, i.reward_id, i.code
    FROM voucher AS i
    INNER JOIN reward AS r ON i.program_id = r.program_id AND i.reward_id = r.id
    WHERE r.codes = 'third_party'
) AS v
FULL JOIN (
    SELECT h.program_id, h.voucher_id, h.reward_id, h.code FROM reward_code AS h
    WHERE h.voucher_id IS NOT NULL
) AS c ON v.program_id = c.program_id AND v.id = c.voucher_id
WHERE (v.reward_id, v.code) IS DISTINCT FROM (c.reward_id, c.code);

-- name: vouchers_count_their_uses
-- A voucher was used as often as it has uses, and they are numbered without a gap.
SELECT v.program_id, v.id AS voucher_id, v.used, s.uses
FROM voucher AS v
LEFT JOIN (
    SELECT u.program_id, u.voucher_id, count(*) AS uses, max(u.number) AS last_number
    FROM voucher_use AS u
    GROUP BY u.program_id, u.voucher_id
) AS s ON v.program_id = s.program_id AND v.id = s.voucher_id
WHERE (v.used, v.used) != (coalesce(s.uses, 0), coalesce(s.last_number, 0));

-- name: one_event_for_each_voucher
-- Every voucher, every use and every cancellation announced itself once, and nothing else did.
SELECT coalesce(w.program_id, o.program_id) AS program_id, coalesce(w.id, o.subject_id) AS id, o.type, o.events
FROM (
    SELECT v.program_id, v.id, 'voucher.issued' AS type FROM voucher AS v
    UNION ALL
    SELECT v.program_id, v.id, 'voucher.cancelled' AS type FROM voucher AS v
    WHERE v.cancelled_at IS NOT NULL
    UNION ALL
    SELECT u.program_id, u.id, 'voucher.redeemed' AS type FROM voucher_use AS u
) AS w
FULL JOIN (
    SELECT e.program_id, e.subject_id, e.type, count(*) AS events FROM announced AS e
    WHERE e.type IN ('voucher.issued', 'voucher.cancelled', 'voucher.redeemed')
    GROUP BY e.program_id, e.subject_id, e.type
) AS o ON w.program_id = o.program_id AND w.id = o.subject_id AND w.type = o.type
WHERE w.id IS NULL OR o.events IS DISTINCT FROM 1;

-- name: an_event_for_each_version_of_a_reward
-- Every reward announced once that it was made, and each other version at least that it was changed.
SELECT coalesce(r.program_id, o.program_id) AS program_id, coalesce(r.id, o.subject_id) AS id, r.version, o.changes
FROM reward AS r
FULL JOIN (
    SELECT
        e.program_id, e.subject_id, count(*) FILTER (WHERE e.type = 'reward.created') AS times_made,
        count(*) FILTER (WHERE e.type = 'reward.changed') AS changes
    FROM announced AS e
    WHERE e.type IN ('reward.created', 'reward.changed')
    GROUP BY e.program_id, e.subject_id
) AS o ON r.program_id = o.program_id AND r.id = o.subject_id
WHERE r.id IS NULL OR o.times_made IS DISTINCT FROM 1 OR o.changes < r.version - 1;

-- name: held_pieces_are_of_open_holds
-- A piece is held while its hold is open, with the same time and, unless it is given back, the same customer. What was
-- released is given back, what was not is not; a lapsed hold's piece may wait for being given back.
SELECT p.program_id, p.id, p.state, h.status
FROM reward_piece AS p
LEFT JOIN hold AS h ON p.program_id = h.program_id AND p.id = h.id
WHERE
    (p.state = 'held' AND h.id IS NULL)
    OR p.expires_at IS DISTINCT FROM h.expires_at
    OR (p.state != 'given_back' AND p.customer_id != h.customer_id)
    OR CASE h.status
        WHEN 'held' THEN p.state != 'held'
        WHEN 'released' THEN p.state != 'given_back'
        WHEN 'lapsed' THEN p.state = 'issued'
        ELSE FALSE
    END;

-- name: issued_pieces_are_paid
-- The hold of a piece has its reward's cost and is for no order: no refund gives back what bought a reward. It is
-- captured whole, and then its piece is issued.
SELECT p.program_id, p.id, p.state, h.status, h.points, h.captured
FROM reward_piece AS p
INNER JOIN hold AS h ON p.program_id = h.program_id AND p.id = h.id
INNER JOIN reward_version AS v
    ON p.program_id = v.program_id AND p.reward_id = v.reward_id AND p.reward_version = v.version
WHERE
    h.points != (v.terms ->> 'points')::bigint
    OR h.order_id IS NOT NULL
    OR (h.captured, h.status = 'captured') != (CASE p.state WHEN 'issued' THEN h.points ELSE 0 END, p.state = 'issued');
