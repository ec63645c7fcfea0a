"""The decision. Pure."""
