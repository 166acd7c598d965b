-- The feed: what happened, each event at its place for ever.
-- depends: 0013_adjustments

-- migrate: apply

-- The place that the last event of each program has. Who locks a program's row gives out the next places.
CREATE TABLE feed (
    program_id integer PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0)
);

-- Events in the order in which everyone sees them. Places have no gaps, and no place is given out before those below it
-- are there to be read: who goes on behind the last place that it saw misses nothing.
CREATE TABLE event (
    program_id integer NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    id uuid NOT NULL,
    type text NOT NULL,
    customer_id bigint,
    subject_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, position)
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000);

-- All that happened, whether it has its place yet or not.
CREATE VIEW announced AS
SELECT program_id, id, type, customer_id, subject_id, recorded_at FROM outbox
UNION ALL
SELECT program_id, id, type, customer_id, subject_id, recorded_at FROM event;

-- What is told of a refund is read by its id.
-- squawk-ignore require-concurrent-index-creation -- refunds are few beside purchases, and no purchase writes them
CREATE INDEX refund_by_id ON refund (program_id, id);

GRANT SELECT, INSERT, UPDATE ON feed TO loyalty_service;
GRANT SELECT, INSERT ON event TO loyalty_service;
GRANT SELECT ON announced TO loyalty_service;

-- migrate: rollback
DROP INDEX refund_by_id;
DROP VIEW announced;
DROP TABLE event, feed;
