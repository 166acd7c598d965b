"""The feed: every event of a program at its place, read in order, in pages or as it comes."""
