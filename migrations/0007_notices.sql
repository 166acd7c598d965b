-- Notices: customers are told before their points end.
-- depends: 0006_refunds

-- migrate: apply

-- When the customer is to be told that points end: of a lot with a date of its own, or of all that slide. NULL: nobody
-- is to be told, or the customer was. What needs a notice doesn't end as long as one is due.
ALTER TABLE customer ADD COLUMN notify_at timestamptz;
ALTER TABLE lot ADD COLUMN notify_at timestamptz;

-- What needed a notice so far ended never: it gets the date that its program's settings ask for.
UPDATE lot AS l SET notify_at = l.expires_at - make_interval(days => (s.settings #>> '{expiry,notice,days}')::integer)
FROM program AS p
INNER JOIN program_settings AS s ON p.id = s.program_id AND p.settings_version = s.version
WHERE
    l.program_id = p.id
    AND l.needs_notice
    AND NOT l.slides
    AND l.remaining > 0
    AND s.settings #>> '{expiry,notice,days}' IS NOT NULL;
UPDATE customer AS c SET
    notify_at = c.alive_until - make_interval(days => (s.settings #>> '{expiry,notice,days}')::integer)
FROM program AS p
INNER JOIN program_settings AS s ON p.id = s.program_id AND p.settings_version = s.version
WHERE c.program_id = p.id AND c.alive_until IS NOT NULL AND s.settings #>> '{expiry,notice,days}' IS NOT NULL;
UPDATE customer AS c SET
    next_due_at = least(
        c.next_due_at,
        CASE WHEN c.sliding > 0 THEN c.notify_at END,
        (
            SELECT min(l.notify_at) FROM lot AS l
            WHERE l.program_id = c.program_id AND l.customer_id = c.id
        )
    )
WHERE
    c.notify_at IS NOT NULL
    OR EXISTS (
        SELECT FROM lot AS l
        WHERE l.program_id = c.program_id AND l.customer_id = c.id AND l.notify_at IS NOT NULL
    );

-- What a customer was told: so many points end at that moment.
CREATE TABLE expiry_notice (
    program_id integer NOT NULL,
    customer_id bigint NOT NULL,
    id uuid NOT NULL,
    points bigint NOT NULL CHECK (points BETWEEN 1 AND 1000000000000),
    ends_at timestamptz NOT NULL,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, customer_id, id)
);

CREATE TYPE expiry_notice_row AS (
    customer_id bigint,
    id uuid,
    points bigint,
    ends_at timestamptz
);

CREATE TYPE customer_row_3 AS (
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
    next_expiry_points bigint,
    notify_at timestamptz
);

CREATE TYPE lot_row_3 AS (
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
    notify_at timestamptz,
    cause_type text,
    cause_id text
);

GRANT SELECT, INSERT ON expiry_notice TO loyalty_service;

-- migrate: rollback
DROP TYPE lot_row_3, customer_row_3, expiry_notice_row;
DROP TABLE expiry_notice;
ALTER TABLE lot DROP COLUMN notify_at;
ALTER TABLE customer DROP COLUMN notify_at;
