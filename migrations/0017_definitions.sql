-- Definitions: what a marketer sets and no release does, in versions. Earning rules, tiers, types of activities.
-- depends: 0016_jobs

-- migrate: apply

-- Kinds are those of the rooms, which also know what a definition's content is; ids are the callers'.
CREATE TABLE definition (
    program_id integer NOT NULL REFERENCES program (id),
    kind text NOT NULL CHECK (kind ~ '^[a-z][a-z_]{0,62}$'),
    id text NOT NULL CHECK (id ~ '^[a-z][a-z0-9_-]{0,62}$'),
    version integer NOT NULL CONSTRAINT definition_version_positive CHECK (version >= 1), -- the newest
    created_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, kind, id)
);

-- Versions are never changed: what was booked names the one that applied. A pause and an end are versions, too.
CREATE TABLE definition_version (
    program_id integer NOT NULL,
    kind text NOT NULL,
    definition_id text NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    id uuid NOT NULL, -- by which events name it
    state text NOT NULL CHECK (state IN ('draft', 'active', 'paused', 'ended')),
    content jsonb NOT NULL
    CHECK (jsonb_typeof(content) = 'object' AND octet_length(content::text) <= 32768), -- twice of what may be sent
    valid_from timestamptz NOT NULL CHECK (valid_from > '-infinity' AND valid_from < 'infinity'),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, kind, definition_id, version),
    UNIQUE (program_id, id),
    FOREIGN KEY (program_id, kind, definition_id) REFERENCES definition (program_id, kind, id)
);

ALTER TABLE definition ADD CONSTRAINT definition_version_exists
FOREIGN KEY (program_id, kind, id, version)
REFERENCES definition_version (program_id, kind, definition_id, version)
DEFERRABLE INITIALLY DEFERRED;

GRANT SELECT, INSERT ON definition, definition_version TO loyalty_service;
GRANT UPDATE (version) ON definition TO loyalty_service;

-- migrate: rollback
ALTER TABLE definition DROP CONSTRAINT definition_version_exists;
DROP TABLE definition_version, definition;
