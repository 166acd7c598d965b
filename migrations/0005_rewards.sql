-- Rewards, their stock, the codes of third parties, vouchers and their uses.
-- depends: 0004_lives

-- migrate: apply

-- The numbers that change often stand here, in place; what a reward gives and asks for has versions of its own.
CREATE TABLE reward (
    program_id integer NOT NULL REFERENCES program (id),
    id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    status text NOT NULL CHECK (status IN ('draft', 'active', 'archived')),
    codes text NOT NULL CHECK (codes IN ('generated', 'third_party')),
    stock bigint, -- NULL: endless; of third-party codes, as many as were loaded
    taken bigint NOT NULL DEFAULT 0, -- held or issued
    created_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id),
    CONSTRAINT reward_taken_within_stock CHECK (taken >= 0 AND taken <= coalesce(stock, taken)),
    CONSTRAINT reward_third_party_has_stock CHECK (codes = 'generated' OR stock IS NOT NULL)
) WITH (fillfactor = 50);

-- Terms are never changed in place: what was held or issued names the version that applied.
CREATE TABLE reward_version (
    program_id integer NOT NULL,
    reward_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    terms jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, reward_id, version),
    FOREIGN KEY (program_id, reward_id) REFERENCES reward (program_id, id)
);

ALTER TABLE reward ADD CONSTRAINT reward_version_exists
FOREIGN KEY (program_id, id, version) REFERENCES reward_version (program_id, reward_id, version)
DEFERRABLE INITIALLY DEFERRED;

-- One piece of a reward, for one customer. Its id is given by what took it: a hold, a draw.
CREATE TABLE reward_piece (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    reward_id uuid NOT NULL,
    reward_version integer NOT NULL,
    customer_id bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('held', 'issued', 'given_back')),
    taken_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id),
    FOREIGN KEY (program_id, reward_id, reward_version) REFERENCES reward_version (program_id, reward_id, version)
);
CREATE INDEX reward_piece_of_customer ON reward_piece (program_id, customer_id, reward_id) WHERE state != 'given_back';

-- Of a piece that is issued. Only `used` and `cancelled_at` change.
CREATE TABLE voucher (
    program_id integer NOT NULL,
    id uuid NOT NULL, -- that of its piece
    code text NOT NULL CHECK (length(code) BETWEEN 1 AND 128), -- without dashes where it was generated
    reward_id uuid NOT NULL,
    reward_version integer NOT NULL,
    customer_id bigint NOT NULL,
    uses integer NOT NULL CHECK (uses >= 1),
    used integer NOT NULL DEFAULT 0 CONSTRAINT voucher_used_within_uses CHECK (used BETWEEN 0 AND uses),
    issued_at timestamptz NOT NULL,
    valid_until timestamptz CONSTRAINT voucher_valid_after_issue CHECK (valid_until > issued_at), -- NULL: for ever
    cancelled_at timestamptz,
    PRIMARY KEY (program_id, id),
    FOREIGN KEY (program_id, id) REFERENCES reward_piece (program_id, id)
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX voucher_code ON voucher (program_id, code);

CREATE TABLE voucher_use (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    voucher_id uuid NOT NULL,
    number integer NOT NULL CHECK (number >= 1), -- the first, the second
    order_id text NOT NULL CHECK (length(order_id) BETWEEN 1 AND 128),
    amount bigint NOT NULL CHECK (amount BETWEEN 0 AND 1000000000000),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    discount bigint CONSTRAINT voucher_use_discount_within_amount CHECK (discount BETWEEN 0 AND amount),
    used_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, id),
    UNIQUE (program_id, voucher_id, number),
    UNIQUE (program_id, voucher_id, order_id),
    FOREIGN KEY (program_id, voucher_id) REFERENCES voucher (program_id, id)
);

-- Codes of third parties: loaded in bulk, handed out once each.
CREATE TABLE reward_code (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    reward_id uuid NOT NULL,
    code text NOT NULL CHECK (length(code) BETWEEN 1 AND 128),
    voucher_id uuid, -- NULL: not handed out yet
    PRIMARY KEY (program_id, id),
    UNIQUE (program_id, code),
    FOREIGN KEY (program_id, reward_id) REFERENCES reward (program_id, id)
) WITH (fillfactor = 85);
CREATE INDEX reward_code_free ON reward_code (program_id, reward_id, id) WHERE voucher_id IS NULL;

GRANT SELECT, INSERT ON reward, reward_version, reward_piece, voucher, voucher_use, reward_code TO loyalty_service;
GRANT UPDATE (version, status, stock, taken) ON reward TO loyalty_service;
GRANT UPDATE (state) ON reward_piece TO loyalty_service;
GRANT UPDATE (used, cancelled_at) ON voucher TO loyalty_service;
GRANT UPDATE (voucher_id) ON reward_code TO loyalty_service;

-- migrate: rollback
DROP TABLE reward_code, voucher_use, voucher, reward_piece;
ALTER TABLE reward DROP CONSTRAINT reward_version_exists;
DROP TABLE reward_version, reward;
