-- Public keys with which partners' servers sign tokens of customers.
-- depends: 0026_surprises

-- migrate: apply
CREATE TABLE signing_key (
    program_id integer NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    algorithm text NOT NULL CHECK (algorithm IN ('Ed25519', 'ES256')),
    public_key bytea NOT NULL, -- as SubjectPublicKeyInfo in DER
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (program_id, id),
    CONSTRAINT signing_key_is_of_one UNIQUE (id)
);

GRANT SELECT, INSERT, UPDATE ON signing_key TO loyalty_service;

-- migrate: rollback
DROP TABLE signing_key;
