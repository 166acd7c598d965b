-- Refunds: facts, and what each took back and gave back.
-- depends: 0005_rewards

-- migrate: apply

-- `state` is what all refunds of the purchase up to this one took together, by which the next is worked out.
CREATE TABLE refund (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    id uuid NOT NULL,
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
    purchase_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount BETWEEN 0 AND 1000000000000),
    from_lots bigint NOT NULL CHECK (from_lots >= 0),
    to_debt bigint NOT NULL CHECK (to_debt >= 0),
    written_off bigint NOT NULL CHECK (written_off >= 0),
    restored bigint NOT NULL CHECK (restored >= 0),
    state jsonb NOT NULL,
    -- What it was answered with, so that a repetition gets the same.
    available_after bigint NOT NULL CHECK (available_after >= 0),
    pending_after bigint NOT NULL CHECK (pending_after >= 0),
    held_after bigint NOT NULL CHECK (held_after >= 0),
    debt_after bigint NOT NULL CHECK (debt_after >= 0),
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, purchase_id, id)
);
GRANT SELECT, INSERT ON refund TO loyalty_service;

-- migrate: rollback
DROP TABLE refund;
