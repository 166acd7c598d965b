-- Asking for referrals at the right moment: what customers have achieved, and up to where the feed was looked through.
-- depends: 0023_referrals

-- migrate: apply

-- A milestone after which a customer may be asked to refer others: once each, for ever. An erasure removes the rows.
CREATE TABLE referral_ask (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    milestone text NOT NULL CHECK (length(milestone) BETWEEN 1 AND 100),
    reached_at timestamptz NOT NULL,
    until timestamptz NOT NULL, -- as reached_at: passed by, nobody is asked for it
    announced_at timestamptz,
    asked_at timestamptz,
    PRIMARY KEY (program_id, customer_id, milestone),
    CONSTRAINT referral_ask_until_later CHECK (until >= reached_at)
) WITH (fillfactor = 85);
CREATE INDEX referral_ask_waiting ON referral_ask (until, program_id, customer_id)
WHERE announced_at IS NULL AND asked_at IS NULL AND until > reached_at;

-- What the events say that tell when to ask, by their ids: that never changes, whatever becomes of the milestone.
CREATE TABLE referral_ask_told (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    milestone text NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (program_id, id)
);

-- Up to which place a program's feed was looked through for successes.
CREATE TABLE referral_ask_seen (
    program_id integer PRIMARY KEY,
    position bigint NOT NULL CHECK (position >= 0)
) WITH (fillfactor = 70);

GRANT SELECT, INSERT, DELETE ON referral_ask TO loyalty_service;
GRANT UPDATE (announced_at, asked_at) ON referral_ask TO loyalty_service;
GRANT SELECT, INSERT ON referral_ask_told TO loyalty_service;
GRANT SELECT, INSERT, UPDATE ON referral_ask_seen TO loyalty_service;

-- migrate: rollback
DROP TABLE referral_ask_seen, referral_ask_told, referral_ask;
