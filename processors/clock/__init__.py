"""The clock: ticks and timers."""
