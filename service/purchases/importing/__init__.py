"""Bringing purchases in from a file: its lines, what its columns mean, each line as a checkout would report it."""
