"""What is wrong with what WFM says."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import TrunklineError
from wfm_bridge.models import Fault

_TOLD = 50
"""Faults that a message lists; past that, the first tell what is wrong with the rest."""


class InboundError(TrunklineError):
    """What WFM says cannot be taken, and nothing of it was; `faults` says why, each with its place and remedy."""

    def __init__(self, summary: str, faults: Sequence[Fault]) -> None:
        self.summary = summary
        self.faults = tuple(faults[:_TOLD])
        more = len(faults) - len(self.faults)
        lines = [summary, *map(_line, self.faults), *([f"and {more} more"] if more else [])]
        super().__init__("\n  ".join(lines))


class UnknownQueueError(InboundError):
    """No policy has such a queue."""


def _line(fault: Fault) -> str:
    where = "" if fault.line is None else f"line {fault.line}, "
    return f"{where}{fault.field or 'all'}: {fault.detail}. {fault.remedy}"
