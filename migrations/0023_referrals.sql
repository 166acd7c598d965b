-- Referrals: codes, who brought whom, signs that two customers are one, what was used of budgets.
-- depends: 0022_suppressions

-- migrate: apply

-- Codes are never given to anybody else: what is closed stays. `key` is the code without case, hyphens and look-alikes.
CREATE TABLE referral_code (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 64),
    code text NOT NULL CHECK (length(code) <= 64),
    customer_id bigint NOT NULL,
    offer text, -- null: the customer's own code, for whatever is offered when somebody comes with it
    is_vanity boolean NOT NULL,
    recorded_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (program_id, id),
    CONSTRAINT referral_code_key UNIQUE (program_id, key)
);
CREATE UNIQUE INDEX referral_code_open ON referral_code (program_id, customer_id, coalesce(offer, ''))
WHERE closed_at IS NULL;
CREATE INDEX referral_code_of_customer ON referral_code (program_id, customer_id);

-- How often somebody followed a code's link, by day (UTC).
CREATE TABLE referral_click (
    program_id integer NOT NULL,
    code_id uuid NOT NULL,
    day date NOT NULL,
    clicks bigint NOT NULL CHECK (clicks > 0),
    PRIMARY KEY (program_id, code_id, day)
) WITH (fillfactor = 70);

-- One row a referee. What was agreed stands in it (`terms`), whatever becomes of the offer. Both sides are the records
-- as they were then; after a merge they stand for others.
CREATE TABLE referral (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    referrer_id bigint NOT NULL,
    referee_id bigint, -- null: claimed ahead of the enrolment
    code_id uuid NOT NULL,
    offer text NOT NULL,
    offer_version integer NOT NULL CHECK (offer_version >= 0),
    terms jsonb NOT NULL,
    state text NOT NULL,
    claimed_with uuid, -- the purchase that the code came with
    claimed_at timestamptz NOT NULL,
    counts_from timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    qualified_at timestamptz,
    waits_until timestamptz,
    rewarded_at timestamptz,
    ended_at timestamptz, -- refused, expired or reversed
    reason text, -- why it was refused or reversed
    reached_limit jsonb, -- the limit that refused it
    score integer CHECK (score >= 0),
    signs jsonb NOT NULL DEFAULT '[]',
    reviewed_by uuid, -- the key that approved or refused it
    reviewed_at timestamptz,
    number integer CHECK (number >= 1), -- which of the referrer's rewarded ones it was
    step integer CHECK (step >= 1), -- the step that it reached
    referrer_points bigint NOT NULL DEFAULT 0 CHECK (referrer_points >= 0),
    referee_points bigint NOT NULL DEFAULT 0 CHECK (referee_points >= 0),
    referrer_lot uuid,
    referee_lot uuid,
    referrer_piece uuid,
    referee_piece uuid,
    look_at timestamptz, -- when the job is to look at it next
    PRIMARY KEY (program_id, id),
    CONSTRAINT referral_state CHECK (
        state IN (
            'signed_up', 'qualified', 'waiting', 'in_review', 'rewarded', 'refused', 'expired', 'reversed'
        )
    ),
    CONSTRAINT referral_of_another CHECK (referee_id != referrer_id),
    CONSTRAINT referral_in_window CHECK (counts_from <= claimed_at AND claimed_at < expires_at),
    CONSTRAINT referral_qualified CHECK (
        qualified_at IS NOT NULL OR state IN ('signed_up', 'refused', 'expired')
    ),
    CONSTRAINT referral_qualified_is_known CHECK (
        referee_id IS NOT NULL OR state IN ('signed_up', 'refused', 'expired')
    ),
    CONSTRAINT referral_rewarded CHECK (
        (rewarded_at IS NOT NULL) = (state IN ('rewarded', 'reversed')) AND (rewarded_at IS NULL) = (number IS NULL)
    ),
    CONSTRAINT referral_ended CHECK ((ended_at IS NOT NULL) = (state IN ('refused', 'expired', 'reversed'))),
    CONSTRAINT referral_reason CHECK ((reason IS NOT NULL) = (state IN ('refused', 'reversed'))),
    CONSTRAINT referral_by_limit CHECK ((reached_limit IS NOT NULL) = (reason IS NOT DISTINCT FROM 'limit')),
    CONSTRAINT referral_gave CHECK (
        (referrer_points > 0) = (referrer_lot IS NOT NULL) AND (referee_points > 0) = (referee_lot IS NOT NULL)
        AND (
            rewarded_at IS NOT NULL
            OR num_nonnulls(referrer_lot, referee_lot, referrer_piece, referee_piece, step) = 0
        )
    ),
    CONSTRAINT referral_looked_at CHECK (
        look_at IS NOT NULL OR state NOT IN ('signed_up', 'qualified', 'waiting')
    )
) WITH (fillfactor = 85);
-- One referrer a referee, and never each the other's: also when two claims come at once.
CREATE UNIQUE INDEX referral_of_referee ON referral (program_id, referee_id) WHERE referee_id IS NOT NULL;
CREATE UNIQUE INDEX referral_of_pair
ON referral (program_id, least(referrer_id, referee_id), greatest(referrer_id, referee_id))
WHERE referee_id IS NOT NULL;
CREATE INDEX referral_of_referrer ON referral (program_id, referrer_id, id);
CREATE INDEX referral_rewarded ON referral (program_id, referrer_id) WHERE rewarded_at IS NOT NULL;
CREATE INDEX referral_returned ON referral (program_id, referrer_id) WHERE reason = 'returned';
CREATE INDEX referral_in_state ON referral (program_id, state, id);
CREATE INDEX referral_due ON referral (look_at, program_id, id) WHERE look_at IS NOT NULL;

-- Whom a claim named that came ahead of the enrolment. Personal: an erasure removes it.
CREATE TABLE referral_ahead (
    program_id integer NOT NULL,
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
    referral_id uuid NOT NULL,
    PRIMARY KEY (program_id, external_id),
    CONSTRAINT referral_ahead_once UNIQUE (program_id, referral_id)
);

-- What customers and claims were known by: a means of payment, a device, an address, each as a keyed hash.
CREATE TABLE referral_mark (
    program_id integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'device', 'address')),
    digest bytea NOT NULL CHECK (length(digest) = 32),
    customer_id bigint,
    referral_id uuid,
    seen_at timestamptz NOT NULL,
    CONSTRAINT referral_mark_of_one CHECK (num_nonnulls(customer_id, referral_id) = 1)
);
CREATE INDEX referral_mark_digest ON referral_mark (program_id, kind, digest, seen_at);
CREATE UNIQUE INDEX referral_mark_of_customer ON referral_mark (program_id, customer_id, kind, digest)
WHERE customer_id IS NOT NULL;
CREATE UNIQUE INDEX referral_mark_of_referral ON referral_mark (program_id, referral_id, kind)
WHERE referral_id IS NOT NULL;

-- What was used of an offer's limits for all, in one period: the day with which it begins, 1970-01-01 for life. The
-- rows are locked behind all else but stock.
CREATE TABLE referral_use (
    program_id integer NOT NULL,
    offer text NOT NULL,
    every text NOT NULL,
    starts_on date NOT NULL,
    points bigint NOT NULL CHECK (points >= 0),
    times bigint NOT NULL CHECK (times >= 0),
    most_points bigint,
    most_times bigint,
    CONSTRAINT referral_use_within_limit CHECK (points <= most_points AND times <= most_times),
    PRIMARY KEY (program_id, offer, every, starts_on)
) WITH (fillfactor = 70);

CREATE TYPE referral_use_row AS (
    offer text,
    every text,
    starts_on date,
    points bigint,
    times bigint,
    most_points bigint,
    most_times bigint
);

CREATE TYPE referral_claim_row AS (
    id uuid,
    referrer_id bigint,
    referee_id bigint,
    code_id uuid,
    offer text,
    offer_version integer,
    terms jsonb,
    state text,
    claimed_with uuid,
    claimed_at timestamptz,
    counts_from timestamptz,
    expires_at timestamptz,
    qualified_at timestamptz,
    look_at timestamptz
);

-- The referral by which a customer came and for which facts still count, so that they know of it.
ALTER TABLE customer ADD COLUMN open_referral uuid;

CREATE TYPE customer_row_5 AS (
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
    tier_due_at timestamptz,
    open_referral uuid
);

-- What became of the code that a purchase came with, as it was answered.
ALTER TABLE purchase ADD COLUMN referral jsonb;

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
    tier jsonb,
    referral jsonb
);

GRANT SELECT, INSERT, UPDATE ON referral_code, referral_click, referral, referral_use TO loyalty_service;
GRANT SELECT, INSERT, DELETE ON referral_ahead, referral_mark TO loyalty_service;

-- migrate: rollback
DROP TYPE purchase_row_3, customer_row_5, referral_claim_row, referral_use_row;
ALTER TABLE purchase DROP COLUMN referral;
ALTER TABLE customer DROP COLUMN open_referral;
DROP TABLE referral_use, referral_mark, referral_ahead, referral, referral_click, referral_code;
