-- Invoices: what billing reports, what was paid and credited on them, and on which terms.
-- depends: 0024_asks

-- migrate: apply

-- What a customer agreed to for all invoices that bring no terms of their own.
CREATE TABLE payment_terms (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    terms jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, customer_id)
);

-- As it stands. Whoever changes it holds the lock of its customer, or of who stands for this record since; `revision`
-- proves it. `number_key` is the number without case and blanks, `likeness` what is left where look-alikes are one.
-- Both are hashes, which stay when an erasure empties the number.
CREATE TABLE invoice (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
    customer_id bigint NOT NULL,
    version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    revision integer NOT NULL DEFAULT 1 CONSTRAINT invoice_revision CHECK (revision >= version),
    content_hash bytea NOT NULL CHECK (length(content_hash) = 16),
    number text,
    number_key bytea NOT NULL CHECK (length(number_key) = 16),
    likeness bytea NOT NULL CHECK (length(likeness) = 16),
    issued_on date NOT NULL,
    due_on date, -- as it was told; the day that holds stands in `agreement`
    currency text NOT NULL CHECK (length(currency) = 3),
    lines jsonb, -- null: its total and tax were told
    terms jsonb, -- as they were told
    agreement jsonb NOT NULL, -- what holds for it, whatever becomes of the settings
    bill jsonb NOT NULL, -- what it charges, by tax group
    charged jsonb NOT NULL, -- what credit notes left of that
    total bigint NOT NULL CHECK (total BETWEEN 0 AND 1000000000000),
    tax bigint NOT NULL CONSTRAINT invoice_tax_within_total CHECK (tax BETWEEN 0 AND total),
    credited bigint NOT NULL DEFAULT 0 CONSTRAINT invoice_credited CHECK (credited BETWEEN 0 AND total),
    open bigint NOT NULL,
    is_frozen boolean NOT NULL DEFAULT FALSE, -- something was paid on it, or credited
    recorded_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id),
    CONSTRAINT invoice_external_id UNIQUE (program_id, external_id),
    -- An invoice is discounted once.
    CONSTRAINT invoice_number UNIQUE (program_id, number_key),
    CONSTRAINT invoice_open CHECK (open BETWEEN 0 AND total - credited),
    CONSTRAINT invoice_untouched CHECK (is_frozen OR (credited = 0 AND open = total))
) WITH (fillfactor = 85);
CREATE INDEX invoice_likeness ON invoice (program_id, likeness);
CREATE INDEX invoice_of_customer ON invoice (program_id, customer_id, id);
CREATE INDEX invoice_issued ON invoice (program_id, issued_on, id);

-- What was told of each version of an invoice. Never changed.
CREATE TABLE invoice_version (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    customer_id bigint NOT NULL,
    issued_on date NOT NULL,
    due_on date, -- the day that held
    currency text NOT NULL,
    total bigint NOT NULL,
    tax bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id),
    CONSTRAINT invoice_version_once UNIQUE (program_id, invoice_id, version)
);

-- A payment, on one invoice or on many. Never changed.
CREATE TABLE payment (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    external_id text NOT NULL,
    customer_id bigint NOT NULL,
    paid_on date NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 1),
    mode text CHECK (mode IN ('discount', 'points')), -- null: as each invoice's terms say
    is_single boolean NOT NULL, -- reported on one invoice
    earned bigint NOT NULL CHECK (earned >= 0), -- points
    rewards jsonb NOT NULL, -- how it came to them, by lot, and the balance after it
    occurred_at timestamptz NOT NULL, -- the moment of that day by whose rules it was rewarded
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id)
);
CREATE INDEX payment_of_customer ON payment (program_id, customer_id, id);

-- What a payment came to on an invoice. Never changed.
CREATE TABLE settlement (
    program_id integer NOT NULL,
    payment_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    place integer NOT NULL CHECK (place >= 0),
    amount bigint NOT NULL CHECK (amount >= 1),
    settled bigint NOT NULL CHECK (settled >= 0),
    discount bigint NOT NULL CHECK (discount >= 0),
    tax_reduction bigint NOT NULL CHECK (tax_reduction >= 0),
    overpaid bigint NOT NULL CONSTRAINT settlement_overpaid_within_amount CHECK (overpaid BETWEEN 0 AND amount),
    remaining bigint NOT NULL CHECK (remaining >= 0),
    points bigint NOT NULL CHECK (points >= 0), -- instead of a discount
    paid_on date NOT NULL,
    last_day date, -- of the step that gave something
    details jsonb NOT NULL, -- by tax group; tolerated; missed
    closes boolean NOT NULL,
    is_early boolean NOT NULL, -- closes, before the due day
    PRIMARY KEY (program_id, payment_id, invoice_id),
    -- To the cent: nothing is lost or made.
    CONSTRAINT settlement_adds_up CHECK (settled = amount - overpaid + discount + tax_reduction),
    CONSTRAINT settlement_overpaid CHECK (overpaid = 0 OR (remaining = 0 AND discount = 0 AND tax_reduction = 0)),
    CONSTRAINT settlement_closes CHECK (closes = (remaining = 0 AND settled > 0) AND (closes OR NOT is_early)),
    CONSTRAINT settlement_points CHECK (points = 0 OR (discount = 0 AND tax_reduction = 0))
);
CREATE INDEX settlement_of_invoice ON settlement (program_id, invoice_id, payment_id);

-- That a payment bounced: all of it, once. Never changed.
CREATE TABLE payment_reversal (
    program_id integer NOT NULL,
    payment_id uuid NOT NULL,
    id uuid NOT NULL,
    reversed_points bigint NOT NULL CHECK (reversed_points >= 0),
    answer jsonb NOT NULL, -- what it opened again, the points it took back, and the balance after it
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, payment_id),
    CONSTRAINT payment_reversal_id UNIQUE (program_id, id)
);

-- A credit note. Never changed.
CREATE TABLE credit_note (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    external_id text NOT NULL,
    customer_id bigint NOT NULL,
    invoice_id uuid NOT NULL,
    issued_on date NOT NULL,
    total bigint NOT NULL CHECK (total >= 1),
    tax bigint NOT NULL CONSTRAINT credit_note_tax_within_total CHECK (tax BETWEEN 0 AND total),
    from_open bigint NOT NULL CONSTRAINT credit_note_from_open CHECK (from_open BETWEEN 0 AND total),
    overpaid bigint NOT NULL CHECK (overpaid >= 0),
    remaining bigint NOT NULL CHECK (remaining >= 0),
    answer jsonb NOT NULL, -- the bill it left, what it took of settlements and of points, the balance after it
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id)
);
CREATE INDEX credit_note_of_invoice ON credit_note (program_id, invoice_id, id);

-- What a credit note took back of a settlement. Never changed.
CREATE TABLE settlement_taken (
    program_id integer NOT NULL,
    credit_note_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    settled bigint NOT NULL CHECK (settled >= 1),
    cash bigint NOT NULL CHECK (cash >= 0),
    discount bigint NOT NULL CHECK (discount >= 0),
    tax_reduction bigint NOT NULL CHECK (tax_reduction >= 0),
    points bigint NOT NULL CHECK (points >= 0),
    PRIMARY KEY (program_id, credit_note_id, payment_id),
    CONSTRAINT settlement_taken_adds_up CHECK (settled = cash + discount + tax_reduction)
);
CREATE INDEX settlement_taken_of_invoice ON settlement_taken (program_id, invoice_id, payment_id);

CREATE TYPE payment_row AS (
    id uuid,
    external_id text,
    customer_id bigint,
    paid_on date,
    currency text,
    amount bigint,
    mode text,
    is_single boolean,
    earned bigint,
    rewards jsonb,
    occurred_at timestamptz
);

CREATE TYPE settlement_row AS (
    payment_id uuid,
    invoice_id uuid,
    place integer,
    amount bigint,
    settled bigint,
    discount bigint,
    tax_reduction bigint,
    overpaid bigint,
    remaining bigint,
    points bigint,
    paid_on date,
    last_day date,
    details jsonb,
    closes boolean,
    is_early boolean
);

CREATE TYPE credit_note_row AS (
    id uuid,
    external_id text,
    customer_id bigint,
    invoice_id uuid,
    issued_on date,
    total bigint,
    tax bigint,
    from_open bigint,
    overpaid bigint,
    remaining bigint,
    answer jsonb
);

CREATE TYPE settlement_taken_row AS (
    credit_note_id uuid,
    payment_id uuid,
    invoice_id uuid,
    settled bigint,
    cash bigint,
    discount bigint,
    tax_reduction bigint,
    points bigint
);

-- Of an invoice what payments, their reversals and credit notes change.
CREATE TYPE invoice_standing_row AS (
    id uuid,
    revision integer, -- the one that it has now
    open bigint,
    credited bigint,
    charged jsonb
);

-- Facts that rules reward, payments with them. What these earned holds points instead of a discount, too: no line has
-- them.
CREATE OR REPLACE VIEW rewarded AS
SELECT
    'purchase' AS reason, program_id, customer_id, id, external_id, earned, lines, available_after, pending_after,
    held_after, debt_after, occurred_at, recorded_at
FROM purchase
UNION ALL
SELECT
    'activity' AS reason, program_id, customer_id, id, external_id, earned, lines, available_after, pending_after,
    held_after, debt_after, occurred_at, recorded_at
FROM activity
UNION ALL
SELECT
    'payment' AS reason, program_id, customer_id, id, external_id, earned,
    coalesce(rewards -> 'lines', '[]') AS lines, (rewards -> 'balance' ->> 'available')::bigint AS available_after,
    (rewards -> 'balance' ->> 'pending')::bigint AS pending_after,
    (rewards -> 'balance' ->> 'held')::bigint AS held_after, (rewards -> 'balance' ->> 'debt')::bigint AS debt_after,
    occurred_at, recorded_at
FROM payment;

GRANT SELECT, INSERT, UPDATE, DELETE ON payment_terms TO loyalty_service;
GRANT SELECT, INSERT, UPDATE ON invoice TO loyalty_service;
GRANT
SELECT, INSERT
ON invoice_version, payment, settlement, payment_reversal, credit_note, settlement_taken
TO loyalty_service;

-- migrate: rollback
CREATE OR REPLACE VIEW rewarded AS
SELECT
    'purchase' AS reason, program_id, customer_id, id, external_id, earned, lines, available_after, pending_after,
    held_after, debt_after, occurred_at, recorded_at
FROM purchase
UNION ALL
SELECT
    'activity' AS reason, program_id, customer_id, id, external_id, earned, lines, available_after, pending_after,
    held_after, debt_after, occurred_at, recorded_at
FROM activity;
DROP TYPE invoice_standing_row, settlement_taken_row, credit_note_row, settlement_row, payment_row;
DROP TABLE settlement_taken, credit_note, payment_reversal, settlement, payment, invoice_version, invoice;
DROP TABLE payment_terms;
