"""Tiers: levels that customers reach by what they do in a period, keep, and lose."""
