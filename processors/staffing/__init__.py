"""Staffing: AI capacity and people required."""
