"""Policies as people write them, and the commands that put them to work."""
