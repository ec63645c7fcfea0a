"""Counts: contacts that an agent has no more are no longer at once."""
