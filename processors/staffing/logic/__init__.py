"""Pure logic of staffing: from volume deltas and breaker impacts to people required.

`step` is the fold; it uses `traffic` (the load that people get), `losses` (what AI no longer takes),
`plan` (people for a queue, before and after) and `erlang` (people for a load).
"""

from processors.staffing.logic.step import step

__all__ = ["step"]
