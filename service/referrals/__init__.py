"""Referrals: customers bring customers, and both are rewarded, once, after it is certain."""
