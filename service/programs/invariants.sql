-- Invariants of programs.

-- name: settings_versions_are_whole
-- The versions of a program's settings are numbered without a gap, and the last one is the program's.
SELECT p.id AS program_id, p.settings_version, s.versions
FROM program AS p
LEFT JOIN (
    SELECT v.program_id, count(*) AS versions, max(v.version) AS newest
    FROM program_settings AS v
    GROUP BY v.program_id
) AS s ON p.id = s.program_id
WHERE (p.settings_version, p.settings_version) IS DISTINCT FROM (s.versions, s.newest);

-- name: rows_belong_to_a_program
-- Every customer, claim and event is a program's; hot tables have no foreign key that would say so.
SELECT r.kind, r.program_id
FROM (
    SELECT DISTINCT 'customer' AS kind, program_id FROM customer
    UNION
    SELECT DISTINCT 'claim' AS kind, program_id FROM claim
    UNION
    SELECT DISTINCT 'event' AS kind, program_id FROM announced
) AS r
WHERE NOT EXISTS (
    SELECT FROM program AS p
    WHERE p.id = r.program_id
);
