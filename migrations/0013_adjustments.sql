-- Adjustments of balances by hand, and the balances that customers bring from elsewhere.
-- depends: 0012_explain

-- migrate: apply

-- The first key of a line of rotations; NULL: the key itself. A successor is no second key.
ALTER TABLE api_key ADD COLUMN origin uuid;
ALTER TABLE api_key ADD CONSTRAINT api_key_origin_exists
FOREIGN KEY (program_id, origin) REFERENCES api_key (program_id, id) NOT VALID;

-- Points given or taken by hand. One above the program's limit waits for another key. What was asked for never
-- changes; only what became of it does, and the note goes with an erasure.
CREATE TABLE adjustment (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    customer_id bigint NOT NULL,
    points bigint NOT NULL CHECK (points != 0 AND points BETWEEN -1000000000000 AND 1000000000000),
    reason text NOT NULL CHECK (reason IN ('goodwill', 'correction', 'migration', 'fraud')),
    note text CHECK (length(note) BETWEEN 1 AND 500),
    expires_at timestamptz, -- NULL: as the program says when they are booked; 'infinity': never
    status text NOT NULL CHECK (status IN ('waiting', 'booked', 'refused')),
    transfer_id uuid,
    asked_by uuid NOT NULL,
    asked_origin uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    decided_by uuid, -- NULL: booked at once, or refused by an erasure
    decided_origin uuid,
    decided_at timestamptz,
    PRIMARY KEY (program_id, id),
    CONSTRAINT adjustment_only_what_is_given_ends CHECK (points > 0 OR expires_at IS NULL),
    CONSTRAINT adjustment_booked_by_a_transfer CHECK ((status = 'booked') = (transfer_id IS NOT NULL)),
    CONSTRAINT adjustment_decided_as_it_stands CHECK (
        CASE status
            WHEN 'waiting' THEN decided_at IS NULL
            WHEN 'refused' THEN decided_at IS NOT NULL
            ELSE (decided_at IS NULL) = (decided_by IS NULL)
        END
    ),
    CONSTRAINT adjustment_decided_by_a_key CHECK (
        (decided_by IS NULL) = (decided_origin IS NULL) AND (decided_by IS NULL OR decided_at IS NOT NULL)
    ),
    CONSTRAINT adjustment_approved_by_another_key CHECK (
        status != 'booked' OR decided_by IS NULL OR (decided_by != asked_by AND decided_origin != asked_origin)
    )
) WITH (fillfactor = 85);
CREATE INDEX adjustment_status ON adjustment (program_id, status, id);
CREATE INDEX adjustment_customer ON adjustment (program_id, customer_id, id);

-- Facts: what a customer had elsewhere. `granted` is the sum of its lots, each of which is a transfer.
CREATE TABLE opening_balance (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    id uuid NOT NULL,
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
    granted bigint NOT NULL CHECK (granted BETWEEN 0 AND 1000000000000),
    debt bigint NOT NULL CHECK (debt BETWEEN 0 AND 1000000000000),
    -- What it was answered with, so that a repetition gets the same.
    available_after bigint NOT NULL CHECK (available_after >= 0),
    pending_after bigint NOT NULL CHECK (pending_after >= 0),
    held_after bigint NOT NULL CHECK (held_after >= 0),
    debt_after bigint NOT NULL CHECK (debt_after >= 0),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id)
);
CREATE INDEX opening_balance_customer ON opening_balance (program_id, customer_id);

CREATE TYPE opening_balance_row AS (
    customer_id bigint,
    id uuid,
    external_id text,
    granted bigint,
    debt bigint,
    available_after bigint,
    pending_after bigint,
    held_after bigint,
    debt_after bigint
);

GRANT SELECT, INSERT ON adjustment, opening_balance TO loyalty_service;
GRANT UPDATE (customer_id, note, status, transfer_id, decided_by, decided_origin, decided_at)
ON adjustment TO loyalty_service;

-- migrate: rollback
DROP TYPE opening_balance_row;
DROP TABLE opening_balance, adjustment;
ALTER TABLE api_key DROP COLUMN origin;
