"""Asking for referrals at the right moment: after a success of a customer, once for each milestone."""
