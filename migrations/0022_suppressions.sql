-- Suppressions: reasons for which a customer gets no message and no surprise now.
-- depends: 0021_brought_tiers

-- migrate: apply

-- What is told of one never changes: who sets other content ends it, and another one begins. Its time needs nobody to
-- end it, so that one whose time is over may have no end noted yet. The reference goes with an erasure.
CREATE TABLE suppression (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    id uuid NOT NULL,
    reason text NOT NULL CHECK (
        reason IN ('open_case', 'complaint', 'opt_out', 'left', 'deceased', 'payment_overdue')
    ),
    until timestamptz, -- NULL: until it is lifted
    reference text CHECK (length(reference) BETWEEN 1 AND 500),
    set_by uuid NOT NULL,
    set_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_as text CHECK (ended_as IN ('lifted', 'replaced', 'over', 'merged', 'erased')),
    lifted_by uuid,
    PRIMARY KEY (program_id, customer_id, id),
    CONSTRAINT suppression_until_later CHECK (until > set_at),
    CONSTRAINT suppression_ended_somehow CHECK ((ended_at IS NULL) = (ended_as IS NULL)),
    CONSTRAINT suppression_lifted_by_a_key CHECK ((lifted_by IS NOT NULL) = coalesce(ended_as = 'lifted', FALSE))
);
CREATE UNIQUE INDEX suppression_one_for_a_reason ON suppression (program_id, customer_id, reason)
WHERE ended_at IS NULL;

GRANT SELECT, INSERT ON suppression TO loyalty_service;
GRANT UPDATE (reference, ended_at, ended_as, lifted_by) ON suppression TO loyalty_service;

-- migrate: rollback
DROP TABLE suppression;
