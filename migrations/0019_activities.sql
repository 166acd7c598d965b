-- Activities: what customers do beside buying. And all that was rewarded, of whatever kind, in one view.
-- depends: 0018_earning

-- migrate: apply

-- Facts, like purchases; few beside them, so that no partitions are needed.
CREATE TABLE activity (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    id uuid NOT NULL,
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
    type text NOT NULL,
    type_version integer NOT NULL CHECK (type_version >= 1), -- the version of the type that it was checked by
    properties jsonb NOT NULL, -- they may be worded freely; emptied by an erasure
    -- What it was answered with, so that a repetition gets the same.
    earned bigint NOT NULL CHECK (earned BETWEEN 0 AND 1000000000000),
    pending bigint NOT NULL CONSTRAINT activity_pending_within_earned CHECK (pending BETWEEN 0 AND earned),
    lines jsonb NOT NULL,
    available_after bigint NOT NULL CHECK (available_after >= 0),
    pending_after bigint NOT NULL CHECK (pending_after >= 0),
    held_after bigint NOT NULL CHECK (held_after >= 0),
    debt_after bigint NOT NULL CHECK (debt_after >= 0),
    seen jsonb, -- as in purchase, and so is the tier
    tier jsonb,
    occurred_at timestamptz NOT NULL, -- where the caller didn't tell it, that of the booking
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000);
CREATE INDEX activity_of_customer ON activity (program_id, customer_id);

CREATE TYPE activity_row AS (
    customer_id bigint,
    id uuid,
    external_id text,
    type text,
    type_version integer,
    properties jsonb,
    earned bigint,
    pending bigint,
    lines jsonb,
    available_after bigint,
    pending_after bigint,
    held_after bigint,
    debt_after bigint,
    seen jsonb,
    occurred_at timestamptz,
    tier jsonb
);

-- Facts that rules reward: what each earned, and its lines. The transfers of the points have the same reason.
CREATE VIEW rewarded AS
SELECT
    'purchase' AS reason, program_id, customer_id, id, external_id, earned, lines, available_after, pending_after,
    held_after, debt_after, occurred_at, recorded_at
FROM purchase
UNION ALL
SELECT
    'activity' AS reason, program_id, customer_id, id, external_id, earned, lines, available_after, pending_after,
    held_after, debt_after, occurred_at, recorded_at
FROM activity;

GRANT SELECT, INSERT ON activity TO loyalty_service;
GRANT UPDATE (properties) ON activity TO loyalty_service;
GRANT SELECT ON rewarded TO loyalty_service;

-- migrate: rollback
DROP VIEW rewarded;
DROP TYPE activity_row;
DROP TABLE activity;
