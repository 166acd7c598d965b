"""Customers: who they are to the caller, their state, and the row that every booking locks."""
