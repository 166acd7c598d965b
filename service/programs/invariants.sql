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

-- name: definition_versions_are_whole
-- The versions of a definition are numbered without a gap, and the last one is the definition's.
SELECT d.program_id, d.kind, d.id, d.version, s.versions
FROM definition AS d
LEFT JOIN (
    SELECT v.program_id, v.kind, v.definition_id, count(*) AS versions, max(v.version) AS newest
    FROM definition_version AS v
    GROUP BY v.program_id, v.kind, v.definition_id
) AS s ON d.program_id = s.program_id AND d.kind = s.kind AND d.id = s.definition_id
WHERE (d.version, d.version) IS DISTINCT FROM (s.versions, s.newest);

-- name: definitions_begin_and_end_once
-- Nothing becomes a draft again, and no version follows an end that had come.
SELECT v.program_id, v.kind, v.definition_id, v.version, v.state, b.state AS before
FROM definition_version AS v
INNER JOIN definition_version AS b
    ON
        v.program_id = b.program_id AND v.kind = b.kind AND v.definition_id = b.definition_id
        AND v.version = b.version + 1
WHERE
    (v.state = 'draft' AND b.state != 'draft')
    OR (b.state = 'draft' AND v.state = 'paused')
    OR (b.state = 'ended' AND b.valid_from <= v.recorded_at);

-- name: an_event_for_each_version_of_a_definition
-- A first version was announced as created, any other as changed, once each.
SELECT v.program_id, v.kind, v.definition_id, v.version, count(e.id) AS events
FROM definition_version AS v
LEFT JOIN announced AS e
    ON
        v.program_id = e.program_id AND v.id = e.subject_id
        AND e.type = v.kind || CASE WHEN v.version = 1 THEN '.created' ELSE '.changed' END
GROUP BY v.program_id, v.kind, v.definition_id, v.version
HAVING count(e.id) != 1;

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
