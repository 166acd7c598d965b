"""Pure values that every room shares: amounts, rounding, ids, refusals. No I/O, no clock, no randomness."""
