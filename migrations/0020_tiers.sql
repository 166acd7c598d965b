-- Tiers: how customers went from one to another, what they were told of it, and which they had after a fact.
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

-- The tier after the booking, with its name, as it was answered.
ALTER TABLE purchase ADD COLUMN tier jsonb;
ALTER TABLE activity ADD COLUMN tier jsonb;

CREATE TYPE purchase_row_3 AS (
    customer_id bigint,
    id uuid,
    external_id text,
    currency text,
    total bigint,
    tax bigint,
    shipping bigint,
    points_paid bigint,
    channel text,
    referral_code text,
    items jsonb,
    metadata jsonb,
    earned bigint,
    pending bigint,
    lines jsonb,
    available_after bigint,
    pending_after bigint,
    held_after bigint,
    debt_after bigint,
    occurred_at timestamptz,
    seen jsonb,
    tier jsonb
);

CREATE TYPE activity_row_2 AS (
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

GRANT SELECT, INSERT ON tier_change, tier_notice TO loyalty_service;

-- migrate: rollback
DROP TYPE activity_row_2, purchase_row_3, tier_notice_row, tier_change_row;
ALTER TABLE activity DROP COLUMN tier;
ALTER TABLE purchase DROP COLUMN tier;
DROP TABLE tier_notice, tier_change;
