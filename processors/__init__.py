"""Stateful services on Quix Streams, and the clock: pure logic and a thin app each."""
