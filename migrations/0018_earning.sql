-- What customers used of limits, what all used of shared ones, what rules saw of customers; the tier; activities.
-- depends: 0017_definitions

-- migrate: apply

-- Written from above: the rooms of earning rules and of tiers read and write them. No index on what changes.
ALTER TABLE customer
ADD COLUMN limits_used jsonb,
ADD COLUMN tier text,
ADD COLUMN tier_state jsonb,
ADD COLUMN tier_due_at timestamptz; -- when time alone changes something about the tier next, or a little earlier

CREATE TYPE customer_row_4 AS (
    id bigint,
    written_by xid,
    external_id text,
    version bigint,
    available bigint,
    pending bigint,
    held bigint,
    debt bigint,
    lifetime_earned bigint,
    purchase_count bigint,
    first_purchase_at timestamptz,
    last_purchase_at timestamptz,
    enrolled_at timestamptz,
    next_due_at timestamptz,
    alive_until timestamptz,
    sliding bigint,
    next_expiry_at timestamptz,
    next_expiry_points bigint,
    notify_at timestamptz,
    limits_used jsonb,
    tier text,
    tier_state jsonb,
    tier_due_at timestamptz
);

-- What was used of a rule's limit for all customers, in one period: the day with which it begins, 1970-01-01 for life.
-- The limit as of the last booking stands beside it. The rows are locked behind all else.
CREATE TABLE earning_use (
    program_id integer NOT NULL,
    rule text NOT NULL,
    every text NOT NULL,
    starts_on date NOT NULL,
    points bigint NOT NULL CHECK (points >= 0),
    times bigint NOT NULL CHECK (times >= 0),
    most_points bigint,
    most_times bigint,
    CONSTRAINT earning_use_within_limit CHECK (points <= most_points AND times <= most_times),
    PRIMARY KEY (program_id, rule, every, starts_on)
) WITH (fillfactor = 70);

CREATE TYPE earning_use_row AS (
    rule text,
    every text,
    starts_on date,
    points bigint,
    times bigint,
    most_points bigint,
    most_times bigint
);

-- What the rules saw of the customer, where there were any beside the program's own: so that what was booked can be
-- computed again. And the tier after the booking, with its name, as it was answered.
ALTER TABLE purchase
ADD COLUMN seen jsonb,
ADD COLUMN tier jsonb;

CREATE TYPE purchase_row_2 AS (
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

CREATE TYPE past_period_row AS (
    place integer,
    customer_id bigint,
    rule text,
    since timestamptz,
    until timestamptz
);

GRANT SELECT, INSERT, UPDATE ON earning_use TO loyalty_service;

-- migrate: rollback
DROP TYPE past_period_row, purchase_row_2, earning_use_row, customer_row_4;
ALTER TABLE purchase DROP COLUMN seen, DROP COLUMN tier;
DROP TABLE earning_use;
ALTER TABLE customer DROP COLUMN limits_used, DROP COLUMN tier, DROP COLUMN tier_state,
DROP COLUMN tier_due_at;
