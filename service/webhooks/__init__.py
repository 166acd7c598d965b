"""Webhooks: endpoints that are told what happened, signed, at least once, each in a lane of its own."""
