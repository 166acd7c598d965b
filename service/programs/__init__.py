"""Programs: the tenants, their settings, their keys."""
