-- Pieces that are held while a redemption is open: until when, and for which order.
-- depends: 0010_settings_from

-- migrate: apply

-- `expires_at` is that of the piece's hold: a held piece whose time is over counts as free, and whoever needs it gives
-- it back. NULL where no hold took it. The hold itself has no order: what a reward cost bought the reward, and a refund
-- of the order doesn't restore it.
ALTER TABLE reward_piece
ADD COLUMN expires_at timestamptz,
ADD COLUMN order_id text;
ALTER TABLE reward_piece
ADD CONSTRAINT reward_piece_order_id_is_short CHECK (length(order_id) BETWEEN 1 AND 128) NOT VALID;
-- squawk-ignore require-concurrent-index-creation -- nothing has taken a piece before this
CREATE INDEX reward_piece_held ON reward_piece (program_id, reward_id, expires_at) WHERE state = 'held';

-- migrate: rollback
DROP INDEX reward_piece_held;
ALTER TABLE reward_piece DROP COLUMN expires_at, DROP COLUMN order_id;
