"""Bringing facts in from a file: its lines, what its columns mean, how far it is. What a line is, a room says."""
