"""Rewards: the catalogue of what points buy, the stock of it, and the vouchers that are issued."""
