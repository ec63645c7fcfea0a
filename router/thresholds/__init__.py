"""Thresholds and supervision phases that the outcomes of AI contacts speak for: proposals, which a person applies."""
