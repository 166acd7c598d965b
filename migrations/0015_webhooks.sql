-- Webhooks: endpoints that are told what happened, and what became of telling them.
-- depends: 0014_feed

-- migrate: apply

-- An endpoint and its lane: up to `position` every event of the feed was tried. `lease` counts those who worked the
-- lane; only the last of them may write, and nobody else takes the lane before `leased_until`.
CREATE TABLE webhook (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    description text NOT NULL CHECK (length(description) <= 500),
    types text[] CHECK (cardinality(types) BETWEEN 1 AND 100), -- NULL: all
    reason text CHECK (reason IN ('by_call', 'gone', 'failing')), -- why it is disabled; NULL: it is enabled
    disabled_at timestamptz,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,
    position bigint NOT NULL CHECK (position >= 0),
    waiting integer NOT NULL DEFAULT 0 CHECK (waiting >= 0), -- how many of its deliveries will be tried again
    failing_since timestamptz, -- since when all failed; NULL: the last attempt that was heard of succeeded
    lease bigint NOT NULL DEFAULT 0 CHECK (lease >= 0),
    leased_until timestamptz,
    PRIMARY KEY (program_id, id),
    CONSTRAINT webhook_disabled_for_a_reason CHECK ((reason IS NULL) = (disabled_at IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- What an endpoint's messages are signed with. To sign takes the secret itself, so it stands here as it is. The newest
-- has no end; those before it sign until theirs.
CREATE TABLE webhook_secret (
    program_id integer NOT NULL,
    webhook_id uuid NOT NULL,
    id uuid NOT NULL,
    secret bytea NOT NULL CHECK (length(secret) BETWEEN 24 AND 64),
    created_at timestamptz NOT NULL,
    ends_at timestamptz,
    PRIMARY KEY (program_id, webhook_id, id),
    CONSTRAINT webhook_secret_is_of_a_webhook
    FOREIGN KEY (program_id, webhook_id) REFERENCES webhook (program_id, id)
);

-- An event that an endpoint was told, or is told again until it is. What succeeded at once is written once and never
-- touched. `attempts` are the last fifty, the oldest first: at, status, milliseconds, answer, error.
CREATE TABLE webhook_delivery (
    program_id integer NOT NULL,
    webhook_id uuid NOT NULL,
    event_id uuid NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    type text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    tries integer NOT NULL CHECK (tries >= 0), -- attempts since `since`: when it was begun, or asked for again
    since timestamptz NOT NULL,
    next_at timestamptz,
    ended_at timestamptz,
    attempts jsonb NOT NULL CHECK (jsonb_array_length(attempts) <= 50),
    customer_id bigint, -- of whom a kept answer may tell; NULL: no answer is kept
    PRIMARY KEY (program_id, webhook_id, event_id),
    CONSTRAINT webhook_delivery_waits_for_a_time CHECK ((state = 'waiting') = (next_at IS NOT NULL)),
    CONSTRAINT webhook_delivery_ended_at_a_time CHECK ((state = 'waiting') = (ended_at IS NULL))
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000);
CREATE INDEX webhook_delivery_due ON webhook_delivery (program_id, webhook_id, next_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_undelivered ON webhook_delivery (program_id, webhook_id, event_id)
WHERE state != 'delivered';

CREATE INDEX webhook_delivery_answered ON webhook_delivery (program_id, customer_id) WHERE customer_id IS NOT NULL;

-- That an endpoint was switched off, and not by a call: what is told of it.
CREATE TABLE webhook_disabling (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('gone', 'failing')),
    failing_since timestamptz,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id)
);

GRANT SELECT, INSERT ON webhook, webhook_disabling TO loyalty_service;
GRANT UPDATE (
    url, description, types, reason, disabled_at, deleted_at, position, waiting, failing_since, lease, leased_until
) ON webhook TO loyalty_service;
GRANT SELECT, INSERT, DELETE ON webhook_secret, webhook_delivery TO loyalty_service;
GRANT UPDATE (ends_at) ON webhook_secret TO loyalty_service;
GRANT UPDATE (state, tries, since, next_at, ended_at, attempts, customer_id) ON webhook_delivery TO loyalty_service;

-- migrate: rollback
DROP TABLE webhook_disabling, webhook_delivery, webhook_secret, webhook;
