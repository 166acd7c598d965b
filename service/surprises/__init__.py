"""Surprises: gifts that nobody expects, games for prizes, and the proof that they change something."""
