"""Supervisors: who watches which contact."""
