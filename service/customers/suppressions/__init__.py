"""Suppressions: reasons for which a customer gets no message and no surprise now."""
