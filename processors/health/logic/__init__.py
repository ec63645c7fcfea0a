"""The health monitor as a fold: outcomes, ticks and orders in, breaker transitions and their impact out.

`breaker` holds the states and the one table of moves, `window` what an endpoint did lately,
`rules` what that means, `probes` the trial of HALF_OPEN, `impact` the contacts at stake, `step`
puts them together. Why it is so: `docs/decisions/0003-breaker-epochs-and-evidence.md`.
"""

from processors.health.logic.breaker import IllegalMoveError
from processors.health.logic.step import HealthMonitor

__all__ = ["HealthMonitor", "IllegalMoveError"]
