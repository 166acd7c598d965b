-- A key's own rate limit; without one the service's default counts.
-- depends: 0001_foundation

-- migrate: apply

ALTER TABLE api_key
ADD COLUMN requests_per_second integer,
ADD COLUMN burst integer;

-- Both or none; a bucket holds at least what flows in within a second, since processes take tokens ahead.
-- The rows that are there have neither, so there is nothing to validate.
ALTER TABLE api_key ADD CONSTRAINT api_key_rate_limit CHECK (
    (requests_per_second IS NULL AND burst IS NULL)
    OR (requests_per_second BETWEEN 1 AND 1000000 AND burst BETWEEN requests_per_second AND 10000000)
) NOT VALID;

-- migrate: rollback
ALTER TABLE api_key DROP COLUMN requests_per_second, DROP COLUMN burst;
