"""Importing purchases from tables."""
