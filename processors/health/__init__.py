"""Health monitor: AI agents' outcomes to breaker transitions and their impact."""
