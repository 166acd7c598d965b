"""The HTTP contract, tried from outside."""
