-- Surprises: campaigns that run, who is on which side of the comparison, draws, gifts, what is left of stock, budgets.
-- depends: 0025_invoices

-- migrate: apply

-- That a campaign has started. What it says stands among the definitions. The key makes its draws: its hash is told
-- from here on, the key itself once the campaign is closed.
CREATE TABLE campaign_run (
    program_id integer NOT NULL,
    campaign_id uuid NOT NULL,
    key bytea NOT NULL CHECK (length(key) = 32),
    started_at timestamptz NOT NULL,
    planned_until timestamptz NOT NULL, -- up to when occasions of the calendar were looked for
    PRIMARY KEY (program_id, campaign_id)
);

-- What is limited in a campaign, points, money, or the stock of a prize, in slices: only who wins takes from one, and
-- locks it behind all else.
CREATE TABLE campaign_slice (
    program_id integer NOT NULL,
    campaign_id uuid NOT NULL,
    resource text COLLATE "C" NOT NULL CHECK (resource ~ '^(points|cost|prize:.+)$'),
    number smallint NOT NULL CHECK (number >= 0),
    cap bigint NOT NULL CHECK (cap >= 0),
    taken bigint NOT NULL DEFAULT 0,
    CONSTRAINT campaign_slice_within_cap CHECK (taken BETWEEN 0 AND cap),
    PRIMARY KEY (program_id, campaign_id, resource, number)
) WITH (fillfactor = 50);

-- A customer's first occasion of a campaign, before any gift, with the side that the lot put the customer on. It begins
-- the window in which the metric is measured. The campaign of noughts is the program's own holdout. `record` is the
-- customer of then, for whom the lot was drawn: it stays where a merge lets another one have the side.
CREATE TABLE campaign_enrolment (
    program_id integer NOT NULL,
    campaign_id uuid NOT NULL,
    customer_id bigint NOT NULL,
    record bigint NOT NULL,
    held_out boolean NOT NULL,
    enrolled_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, campaign_id, customer_id)
);

-- A draw, never changed. Its id is that of the purchase, or is made from campaign, customer and occasion: there can't
-- be a second one. `lefts` are what was left of each prize of that version, null where nothing is limited, as an
-- element likewise; `prize` is the place of what was drawn.
CREATE TABLE campaign_draw (
    program_id integer NOT NULL,
    campaign_id uuid NOT NULL,
    id uuid NOT NULL,
    customer_id bigint NOT NULL,
    occasion text NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    u bigint NOT NULL CHECK (u BETWEEN 0 AND 9007199254740991),
    lefts bigint[],
    prize smallint NOT NULL CHECK (prize >= 0),
    drawn_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, campaign_id, id)
);

-- A gift that was drawn. Whoever changes it holds its customer's lock. Nothing of it is told before it is revealed.
CREATE TABLE surprise (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    draw_id uuid NOT NULL,
    customer_id bigint NOT NULL,
    version integer NOT NULL,
    prize text NOT NULL,
    points bigint NOT NULL CHECK (points >= 0),
    cost bigint NOT NULL CHECK (cost >= 0),
    reward_id text,
    is_game boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'revealed', 'stopped', 'failed', 'taken_back')),
    drawn_at timestamptz NOT NULL,
    reveal_at timestamptz NOT NULL,
    revealed_at timestamptz,
    ended_at timestamptz,
    reason text, -- why it was stopped, or failed
    reversed bigint NOT NULL DEFAULT 0, -- points that refunds took back
    PRIMARY KEY (program_id, id),
    CONSTRAINT surprise_of_draw UNIQUE (program_id, campaign_id, draw_id),
    CONSTRAINT surprise_is_one_thing CHECK ((points > 0) != (reward_id IS NOT NULL)),
    CONSTRAINT surprise_revealed CHECK ((revealed_at IS NOT NULL) = (state IN ('revealed', 'taken_back'))),
    CONSTRAINT surprise_ended CHECK ((ended_at IS NOT NULL) = (state IN ('stopped', 'failed', 'taken_back'))),
    CONSTRAINT surprise_reason CHECK ((reason IS NOT NULL) = (state IN ('stopped', 'failed'))),
    CONSTRAINT surprise_reversed CHECK (reversed BETWEEN 0 AND points)
) WITH (fillfactor = 85);
CREATE INDEX surprise_of_customer ON surprise (program_id, customer_id, id);
CREATE INDEX surprise_waiting ON surprise (reveal_at, program_id, id) WHERE state = 'waiting';

-- What a suppression stopped: at the draw an occasion, at the sending a gift that was drawn. Never changed.
CREATE TABLE surprise_stop (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    customer_id bigint NOT NULL,
    occasion text NOT NULL,
    surprise_id uuid, -- null: at the draw
    reasons text[] NOT NULL CHECK (cardinality(reasons) > 0),
    stopped_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id)
);
CREATE INDEX surprise_stop_of_campaign ON surprise_stop (program_id, campaign_id, id);
CREATE INDEX surprise_stop_of_customer ON surprise_stop (program_id, customer_id);

-- Plays that were granted. Never changed; what is left of them stands in the customer's row.
CREATE TABLE play_grant (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    customer_id bigint NOT NULL,
    plays integer NOT NULL CHECK (plays >= 1),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id)
);
CREATE INDEX play_grant_of_customer ON play_grant (program_id, customer_id);

-- A play, never changed, also one of somebody held out, which has no draw. `paid` are points.
CREATE TABLE campaign_play (
    program_id integer NOT NULL,
    campaign_id uuid NOT NULL,
    id uuid NOT NULL,
    customer_id bigint NOT NULL,
    number integer NOT NULL CHECK (number >= 1),
    played_on date NOT NULL,
    paid bigint NOT NULL CHECK (paid >= 0),
    is_granted boolean NOT NULL,
    hold_id uuid,
    played_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, campaign_id, id),
    CONSTRAINT campaign_play_once UNIQUE (program_id, campaign_id, customer_id, number),
    CONSTRAINT campaign_play_paid CHECK ((paid > 0) = (hold_id IS NOT NULL))
);
CREATE INDEX campaign_play_of_customer ON campaign_play (program_id, customer_id);

-- Customers of a hand-made list, until a job has come to them.
CREATE TABLE campaign_listed (
    program_id integer NOT NULL,
    campaign_id uuid NOT NULL,
    customer_id bigint NOT NULL,
    listed_at timestamptz NOT NULL,
    done_at timestamptz,
    PRIMARY KEY (program_id, campaign_id, customer_id)
);
CREATE INDEX campaign_listed_due ON campaign_listed (program_id, campaign_id, customer_id) WHERE done_at IS NULL;
CREATE INDEX campaign_listed_of_customer ON campaign_listed (program_id, customer_id);

-- Up to where a program's feed was looked through for occasions.
CREATE TABLE campaign_seen (
    program_id integer NOT NULL PRIMARY KEY,
    position bigint NOT NULL
);

-- What a customer had of campaigns, as their room writes it, and until when a reason holds for which the customer gets
-- no message and no surprise: a booking reads both with the row.
ALTER TABLE customer ADD COLUMN surprises jsonb;
ALTER TABLE customer ADD COLUMN suppressed_until timestamptz;
UPDATE customer AS c SET suppressed_until = s.until
FROM (
    SELECT o.program_id, o.customer_id, max(coalesce(o.until, 'infinity')) AS until FROM suppression AS o
    WHERE o.ended_at IS NULL
    GROUP BY o.program_id, o.customer_id
) AS s
WHERE c.program_id = s.program_id AND c.id = s.customer_id;
-- What was revealed in a purchase, as it was answered.
ALTER TABLE purchase ADD COLUMN surprises jsonb;

CREATE TYPE customer_row_6 AS (
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
    open_referral uuid,
    surprises jsonb
);

CREATE TYPE purchase_row_4 AS (
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
    referral jsonb,
    surprises jsonb
);

CREATE TYPE campaign_taking_row AS (
    campaign_id uuid,
    resource text,
    number smallint,
    amount bigint,
    released bigint
);

CREATE TYPE campaign_enrolment_row AS (
    campaign_id uuid,
    customer_id bigint,
    held_out boolean
);

CREATE TYPE campaign_draw_row AS (
    campaign_id uuid,
    id uuid,
    customer_id bigint,
    occasion text,
    version integer,
    u bigint,
    lefts bigint [],
    prize smallint
);

CREATE TYPE surprise_row AS (
    id uuid,
    campaign_id uuid,
    draw_id uuid,
    customer_id bigint,
    version integer,
    prize text,
    points bigint,
    cost bigint,
    reward_id text,
    is_game boolean,
    state text,
    drawn_at timestamptz,
    reveal_at timestamptz,
    revealed_at timestamptz
);

GRANT SELECT, INSERT ON campaign_draw, surprise_stop, play_grant, campaign_play TO loyalty_service;
GRANT SELECT, INSERT, UPDATE ON campaign_run, campaign_slice, surprise, campaign_listed, campaign_seen
TO loyalty_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON campaign_enrolment TO loyalty_service;

-- migrate: rollback
DROP TYPE surprise_row, campaign_draw_row, campaign_enrolment_row, campaign_taking_row, purchase_row_4, customer_row_6;
ALTER TABLE purchase DROP COLUMN surprises;
ALTER TABLE customer DROP COLUMN suppressed_until;
ALTER TABLE customer DROP COLUMN surprises;
DROP TABLE campaign_seen, campaign_listed, campaign_play, play_grant, surprise_stop, surprise, campaign_draw,
campaign_enrolment, campaign_slice, campaign_run;
