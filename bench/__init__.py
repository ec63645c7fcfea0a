"""Benchmarks; they run in a checkout only."""
