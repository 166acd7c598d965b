"""Earning rules: what a purchase or an activity earns, and why."""
