"""Measurements: the service beside pgbench doing the same on the same tables, in one run. `python -m benchmarks`."""
