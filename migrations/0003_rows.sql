-- The rows of a booking as they come in.
-- depends: 0002_rate_limits

-- migrate: apply

-- An array of each is one parameter of the statement that writes them.
-- A type is never changed: processes of the version before still send rows of it while a new one is rolled out. What
-- needs other columns gets a type of its own.
CREATE TYPE customer_row AS (
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
    enrolled_at timestamptz
);

CREATE TYPE claim_row AS (
    id text,
    content_hash bytea,
    subject_id uuid
);

CREATE TYPE purchase_row AS (
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
    occurred_at timestamptz
);

CREATE TYPE transfer_row AS (
    customer_id bigint,
    id uuid,
    from_bucket bucket,
    to_bucket bucket,
    points bigint,
    reason text,
    cause_type text,
    cause_id text,
    rule text,
    rule_version integer,
    customer_version bigint,
    available_after bigint,
    pending_after bigint,
    held_after bigint,
    debt_after bigint,
    occurred_at timestamptz
);

CREATE TYPE lot_row AS (
    customer_id bigint,
    id uuid,
    granted bigint,
    remaining bigint,
    available_at timestamptz,
    expires_at timestamptz,
    cause_type text,
    cause_id text
);

CREATE TYPE outbox_row AS (
    id uuid,
    type text,
    customer_id bigint,
    subject_id uuid
);

-- The end of a statement that writes into many tables: undoes all of it unless each wrote the rows it must.
CREATE FUNCTION all_or_nothing(wrote bigint[], due bigint[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF wrote <> due THEN
        RAISE EXCEPTION '% of % rows written', wrote, due USING ERRCODE = 'LY001';
    END IF;
    RETURN TRUE;
END
$$;

-- migrate: rollback
DROP FUNCTION all_or_nothing;
DROP TYPE outbox_row, lot_row, transfer_row, purchase_row, claim_row, customer_row;
