"""A day of one tenant as planners look back at it: plan against actual, by stream of contacts."""
