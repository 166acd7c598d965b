-- The life of points: pending, expiring, held; what each transfer took from which lot.
-- depends: 0003_rows

-- migrate: apply

-- When the customer's points that slide end, unless something qualifying happens before; and what the balance shows
-- of the next expiry, so that no reader counts lots.
ALTER TABLE customer
ADD COLUMN alive_until timestamptz,
ADD COLUMN sliding bigint NOT NULL DEFAULT 0,
ADD COLUMN next_expiry_at timestamptz,
ADD COLUMN next_expiry_points bigint NOT NULL DEFAULT 0;
ALTER TABLE customer ADD CONSTRAINT customer_sliding_within_available
CHECK (sliding BETWEEN 0 AND available) NOT VALID;
ALTER TABLE customer ADD CONSTRAINT customer_next_expiry_is_whole CHECK (
    (next_expiry_at IS NULL) = (next_expiry_points = 0) AND next_expiry_points BETWEEN 0 AND available
) NOT VALID;

-- A pending lot becomes available at `available_at`, or lapses then. One that slides ends with the customer's
-- `alive_until`; one that needs a notice doesn't end before the notice was given. `expired` is what ended unspent.
-- A fact that is reported late may bring points that have ended before they are booked.
ALTER TABLE lot
ADD COLUMN is_pending boolean NOT NULL DEFAULT FALSE,
ADD COLUMN lapses boolean NOT NULL DEFAULT FALSE,
ADD COLUMN slides boolean NOT NULL DEFAULT FALSE,
ADD COLUMN needs_notice boolean NOT NULL DEFAULT FALSE,
ADD COLUMN expired bigint NOT NULL DEFAULT 0;
-- squawk-ignore ban-drop-constraint -- what takes its place is decided for each lot: a late fact's has ended already
ALTER TABLE lot DROP CONSTRAINT lot_available_before_expiry;
ALTER TABLE lot ADD CONSTRAINT lot_expired_within_granted CHECK (expired BETWEEN 0 AND granted - remaining) NOT VALID;
ALTER TABLE lot ADD CONSTRAINT lot_lapses_only_while_pending CHECK (is_pending OR NOT lapses) NOT VALID;

-- What a transfer took from a lot (below zero) or gave back to it. The transfer that granted a lot has its id instead.
CREATE TABLE lot_entry (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    lot_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    points bigint NOT NULL CHECK (points != 0 AND points BETWEEN -1000000000000 AND 1000000000000),
    PRIMARY KEY (program_id, customer_id, lot_id, transfer_id)
);

-- Points set aside for a redemption. It ends once: captured (all or a part, the rest goes back), released or lapsed.
CREATE TABLE hold (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('held', 'captured', 'released', 'lapsed')),
    points bigint NOT NULL CHECK (points BETWEEN 1 AND 1000000000000),
    captured bigint NOT NULL DEFAULT 0,
    order_id text CHECK (length(order_id) BETWEEN 1 AND 128),
    expires_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (program_id, id),
    CONSTRAINT hold_captured_within_points CHECK (captured BETWEEN 0 AND points),
    CONSTRAINT hold_ends_once CHECK ((status = 'held') = (ended_at IS NULL) AND (status = 'captured') = (captured > 0))
) WITH (fillfactor = 85);
CREATE INDEX hold_open ON hold (program_id, customer_id) WHERE status = 'held';
CREATE INDEX hold_order ON hold (program_id, order_id) WHERE order_id IS NOT NULL;

-- Which lots the points of a hold came from. `restored` of what was captured came back by refunds.
CREATE TABLE hold_part (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    hold_id uuid NOT NULL,
    lot_id uuid NOT NULL,
    points bigint NOT NULL CHECK (points BETWEEN 1 AND 1000000000000),
    captured bigint NOT NULL DEFAULT 0,
    restored bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (program_id, hold_id, lot_id),
    CONSTRAINT hold_part_captured_within_points CHECK (captured BETWEEN 0 AND points),
    CONSTRAINT hold_part_restored_within_captured CHECK (restored BETWEEN 0 AND captured)
) WITH (fillfactor = 85);

-- The rows of a booking, with what is new.
CREATE TYPE customer_row_2 AS (
    id bigint,
    written_by xid, -- xmin of the row as it was read: it is written only if it is still that one
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
    next_expiry_points bigint
);

CREATE TYPE lot_row_2 AS (
    customer_id bigint,
    id uuid,
    granted bigint,
    remaining bigint,
    expired bigint,
    available_at timestamptz,
    expires_at timestamptz,
    is_pending boolean,
    lapses boolean,
    slides boolean,
    needs_notice boolean,
    cause_type text,
    cause_id text
);

CREATE TYPE lot_entry_row AS (
    customer_id bigint,
    lot_id uuid,
    transfer_id uuid,
    points bigint
);

CREATE TYPE transfer_row_2 AS (
    customer_id bigint,
    id uuid,
    from_bucket bucket,
    to_bucket bucket,
    points bigint,
    reason text,
    cause_type text,
    cause_id text,
    rule text,
    rule_version integer,
    reverses uuid,
    customer_version bigint,
    available_after bigint,
    pending_after bigint,
    held_after bigint,
    debt_after bigint,
    occurred_at timestamptz
);

CREATE TYPE hold_row AS (
    customer_id bigint,
    id uuid,
    status text,
    points bigint,
    captured bigint,
    order_id text,
    expires_at timestamptz,
    recorded_at timestamptz,
    ended_at timestamptz
);

CREATE TYPE hold_part_row AS (
    customer_id bigint,
    hold_id uuid,
    lot_id uuid,
    points bigint,
    captured bigint,
    restored bigint
);

GRANT SELECT, INSERT ON lot_entry TO loyalty_service;
GRANT SELECT, INSERT, UPDATE ON hold, hold_part TO loyalty_service;

-- migrate: rollback
DROP TYPE hold_part_row, hold_row, transfer_row_2, lot_entry_row, lot_row_2, customer_row_2;
DROP TABLE hold_part, hold, lot_entry;
ALTER TABLE lot
DROP COLUMN is_pending, DROP COLUMN lapses, DROP COLUMN slides, DROP COLUMN needs_notice, DROP COLUMN expired;
ALTER TABLE lot ADD CONSTRAINT lot_available_before_expiry CHECK (available_at < expires_at) NOT VALID;
ALTER TABLE customer
DROP COLUMN alive_until, DROP COLUMN sliding, DROP COLUMN next_expiry_at, DROP COLUMN next_expiry_points;
