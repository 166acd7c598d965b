"""Properties are tried on random values, without a time limit and without a memory on disk."""

from hypothesis import settings

settings.register_profile("loyalty", deadline=None, database=None)
settings.load_profile("loyalty")
