"""The kernel: pure values, tried on random ones."""
