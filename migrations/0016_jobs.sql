-- Jobs of the worker: how far each has come, and those that are set aside.
-- depends: 0015_webhooks

-- migrate: apply

-- What is known of a job beyond its turn in the queue. An attempt is counted here before it begins, since one that
-- takes its worker along can tell nothing afterwards. Jobs of no program have the program 0.
CREATE TABLE job (
    program_id integer NOT NULL CHECK (program_id >= 0),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    subject text NOT NULL CHECK (length(subject) <= 128), -- what it is for, within the program; empty for all of it
    id bigint GENERATED ALWAYS AS IDENTITY, -- by which people name one that is set aside
    run bigint NOT NULL CHECK (run > 0), -- which begin it was: what began earlier may not save any more
    attempts integer NOT NULL CHECK (attempts >= 0), -- since something was last achieved
    place text, -- behind which to go on
    done bigint NOT NULL CHECK (done >= 0), -- how much up to that place
    begun_at timestamptz, -- empty while it doesn't run; stays when its worker is killed
    ended_at timestamptz,
    error text,
    dead_at timestamptz, -- since when it is set aside
    PRIMARY KEY (program_id, name, subject)
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE ON job TO loyalty_service;

-- migrate: rollback
DROP TABLE job;
