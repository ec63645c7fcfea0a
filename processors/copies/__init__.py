"""Copies of contacts in Redis, for look-ups: what `sessions.views` holds, kept up to date there."""
