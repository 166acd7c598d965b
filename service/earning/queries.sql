-- Statements of earning rules. Every one names one program.

-- name: use_read
-- What all customers used of limits, by rule, period and the day with which it begins.
SELECT u.rule, u.every, u.starts_on, u.points, u.times
FROM unnest($2::earning_use_row[]) AS w
CROSS JOIN LATERAL (
    SELECT e.* FROM earning_use AS e
    WHERE
        e.program_id = $1::integer AND e.rule = w.rule AND e.every = w.every AND e.starts_on = w.starts_on
    OFFSET 0
) AS u;

-- name: use_add
-- Adds to what all customers used of limits, in the order of the keys. Where that would be more than the limit,
-- because somebody else was first, it writes no row.
INSERT INTO earning_use AS u (program_id, rule, every, starts_on, points, times, most_points, most_times)
SELECT $1::integer, n.rule, n.every, n.starts_on, n.points, n.times, n.most_points, n.most_times
FROM unnest($2::earning_use_row[]) AS n
ORDER BY n.rule, n.every, n.starts_on
ON CONFLICT (program_id, rule, every, starts_on) DO UPDATE SET
    points = u.points + excluded.points,
    times = u.times + excluded.times,
    most_points = excluded.most_points,
    most_times = excluded.most_times
WHERE
(excluded.most_points IS NULL OR u.points + excluded.points <= excluded.most_points)
AND (excluded.most_times IS NULL OR u.times + excluded.times <= excluded.most_times);
