"""Purchases: the facts that a checkout reports, and what they earn. The main job."""
