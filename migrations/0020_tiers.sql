-- Tiers: how customers went from one to another, and what they were told of it.
-- depends: 0019_activities

-- migrate: apply

-- Never changed. Of a customer each goes from where the one before, by id, went to.
CREATE TABLE tier_change (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    id uuid NOT NULL,
    from_tier text,
    to_tier text CONSTRAINT tier_change_changes CHECK (to_tier IS DISTINCT FROM from_tier),
    reason text NOT NULL,
    occurred_at timestamptz NOT NULL, -- what time did, when it was so
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, customer_id, id)
);

-- That a customer was told: the tier is over at that moment, unless more is counted before.
CREATE TABLE tier_notice (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    id uuid NOT NULL,
    tier text NOT NULL,
    then_tier text,
    ends_at timestamptz NOT NULL,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, customer_id, id)
);

CREATE TYPE tier_change_row AS (
    customer_id bigint,
    id uuid,
    from_tier text,
    to_tier text,
    reason text,
    occurred_at timestamptz
);

CREATE TYPE tier_notice_row AS (
    customer_id bigint,
    id uuid,
    tier text,
    then_tier text,
    ends_at timestamptz
);

GRANT SELECT, INSERT ON tier_change, tier_notice TO loyalty_service;

-- migrate: rollback
DROP TYPE tier_notice_row, tier_change_row;
DROP TABLE tier_notice, tier_change;
