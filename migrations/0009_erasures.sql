-- Erasures: what is left of a customer who is erased, and what may be emptied for it.
-- depends: 0008_merges

-- migrate: apply

ALTER TABLE customer ADD COLUMN erased_at timestamptz;
ALTER TABLE customer ADD CONSTRAINT customer_erased_is_nobody CHECK (
    (erased_at IS NULL) = (external_id IS NOT NULL)
    AND (erased_at IS NULL OR (available = 0 AND pending = 0 AND held = 0 AND debt = 0))
) NOT VALID;

-- With this key of the program's identities are hashed that were erased, so that nobody comes back as a new customer
-- for a reward, and none can be read from what is left.
ALTER TABLE program ADD COLUMN identity_key bytea NOT NULL
-- squawk-ignore adding-field-with-default -- of programs there are few
DEFAULT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

CREATE TABLE erased_identity (
    program_id integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('customer_id', 'email', 'phone')),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    erased_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, kind, hash)
);

-- Purchases that earned something are found by their transfers; only the others are in this index, so that a usual
-- purchase writes none more.
-- squawk-ignore require-concurrent-index-creation -- not to be had for a partitioned table; it reads each row once
CREATE INDEX purchase_without_points ON purchase (program_id, customer_id) WHERE earned = 0;

GRANT SELECT, INSERT ON erased_identity TO loyalty_service;
GRANT UPDATE (channel, referral_code, items, metadata) ON purchase TO loyalty_service;
GRANT UPDATE (state) ON refund TO loyalty_service;
GRANT UPDATE (customer_id) ON reward_piece, voucher TO loyalty_service;

-- migrate: rollback
REVOKE UPDATE (customer_id) ON reward_piece, voucher FROM loyalty_service;
REVOKE UPDATE (state) ON refund FROM loyalty_service;
REVOKE UPDATE (channel, referral_code, items, metadata) ON purchase FROM loyalty_service;
DROP INDEX purchase_without_points;
DROP TABLE erased_identity;
ALTER TABLE program DROP COLUMN identity_key;
ALTER TABLE customer DROP COLUMN erased_at;
