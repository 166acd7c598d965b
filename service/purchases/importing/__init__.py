"""Purchases from a file: each line as a checkout would report it."""
