-- From when on a version of a program's settings applies to what occurs.
-- depends: 0009_erasures

-- migrate: apply

-- Null: from its recording on, which is what processes of the version before this one write. The first version applies
-- to all before the second, and has none. Not '-infinity': the driver reads it as a time without a zone.
ALTER TABLE program_settings ADD COLUMN valid_from timestamptz;
ALTER TABLE program_settings ADD CONSTRAINT program_settings_first_applies_to_all_before
CHECK (version > 1 OR valid_from IS NULL) NOT VALID;
ALTER TABLE program_settings ADD CONSTRAINT program_settings_valid_from_is_not_to_come
CHECK (valid_from > '-infinity' AND valid_from <= recorded_at) NOT VALID;

-- migrate: rollback
ALTER TABLE program_settings DROP COLUMN valid_from;
