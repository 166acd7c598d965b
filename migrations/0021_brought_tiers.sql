-- Tiers that customers bring from elsewhere with their opening balances.
-- depends: 0020_tiers

-- migrate: apply

-- Never changed: facts, from which tiers are counted again where terms change. The id is the opening balance's.
CREATE TABLE brought_tier (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    id uuid NOT NULL,
    tier text, -- null: none, only what was counted
    since timestamptz,
    until timestamptz, -- null: as long as one that was reached here; infinity: for ever
    counted jsonb NOT NULL, -- amounts by when, of what the program qualified by then
    qualify_by text NOT NULL,
    currency text,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT brought_tier_since_when CHECK ((tier IS NULL) = (since IS NULL)),
    CONSTRAINT brought_tier_until_later CHECK (until IS NULL OR until > since),
    CONSTRAINT brought_tier_is_something CHECK (tier IS NOT NULL OR counted != '[]'),
    CONSTRAINT brought_tier_in_currency CHECK ((qualify_by = 'spend') = (currency IS NOT NULL)),
    PRIMARY KEY (program_id, customer_id, id)
);

CREATE TYPE brought_tier_row AS (
    customer_id bigint,
    id uuid,
    tier text,
    since timestamptz,
    until timestamptz,
    counted jsonb,
    qualify_by text,
    currency text
);

-- The tier after it, with its name, as it was answered.
ALTER TABLE opening_balance ADD COLUMN tier jsonb;

CREATE TYPE opening_balance_row_2 AS (
    customer_id bigint,
    id uuid,
    external_id text,
    granted bigint,
    debt bigint,
    available_after bigint,
    pending_after bigint,
    held_after bigint,
    debt_after bigint,
    tier jsonb
);

GRANT SELECT, INSERT ON brought_tier TO loyalty_service;

-- migrate: rollback
DROP TYPE opening_balance_row_2, brought_tier_row;
ALTER TABLE opening_balance DROP COLUMN tier;
DROP TABLE brought_tier;
