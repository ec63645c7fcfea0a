"""Pure logic of staffing: from volume deltas and breaker impacts to people required and to spare contacts.

`Staffing.step` is the fold. It uses `traffic` (the load that people get), `outages` and `losses` (which
agents are out, what AI no longer takes), `plan` (people for a queue, before and after), `erlang` (people for
a load) and `signals` (what WFM is told); for spare contacts `spare`, `room`, `meter` and `line` (who waits).
"""

from processors.staffing.logic.step import Staffing

__all__ = ["Staffing"]
