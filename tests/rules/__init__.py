"""Pure rules, tried on random values."""
