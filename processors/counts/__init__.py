"""Counts: contacts that have ended are no longer at once."""
