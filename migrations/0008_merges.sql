-- Merges: the record of a guest or of a double customer goes into another.
-- depends: 0007_notices

-- migrate: apply

-- The record that this one went into: its id stands for that one from then on, in every call. Never a chain: when that
-- one goes into a third, all go there. The row keeps the history that it has, and nothing else.
ALTER TABLE customer ADD COLUMN merged_into bigint;
ALTER TABLE customer ADD CONSTRAINT customer_merged_is_empty CHECK (
    merged_into IS NULL
    OR (merged_into != id AND available = 0 AND pending = 0 AND held = 0 AND debt = 0 AND purchase_count = 0)
) NOT VALID;
-- squawk-ignore require-concurrent-index-creation -- of no row yet
CREATE INDEX customer_merged ON customer (program_id, merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE customer_merge (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    source_id bigint NOT NULL,
    target_id bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id),
    CONSTRAINT customer_merge_of_two CHECK (source_id != target_id)
);

-- What is redeemed by whom, for merges and exports: beside the open holds all others.
-- squawk-ignore require-concurrent-index-creation -- holds are few beside purchases, and nothing hot writes them
CREATE INDEX hold_customer ON hold (program_id, customer_id);

GRANT SELECT, INSERT ON customer_merge TO loyalty_service;

-- migrate: rollback
DROP INDEX hold_customer;
DROP TABLE customer_merge;
ALTER TABLE customer DROP COLUMN merged_into;
