"""What a run of the simulator is asked to do."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from runtime.errors import SettingsError
from schemas.control import Fault, FaultKind
from schemas.fields import MICROS_PER_SECOND
from simulator.centre import (
    DEFAULT_QA_AFTER_SECONDS,
    DEFAULT_QA_SHARE,
    DEFAULT_RATED_SHARE,
    DEFAULT_SUPERVISORS,
)
from simulator.fleet import DEFAULT_SEVERITY
from simulator.people import CALLBACK_SECONDS
from simulator.utterances import DEFAULT_FILE

DEFAULT_RATE_PER_SECOND = 10.0
_DRAIN_BASE_SECONDS = 60.0
_DRAIN_HANDLING_SECONDS = 1800.0
"""Virtual seconds at pace 1 in which practically every contact ends: the longest talk (720 s) after a wait of
three times the mean patience (300 s), which is also as long as a callback is waited for."""

_NUMBER = r"\d+(?:\.\d+)?"
_FAULT = re.compile(
    rf"(?P<endpoint>[^:@]+):(?P<kind>[a-z_]+)(?::(?P<severity>{_NUMBER}))?@(?P<start>{_NUMBER})\+(?P<seconds>{_NUMBER})"
)


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault from `start_seconds` on, for `seconds`: both virtual, counted from where traffic starts."""

    endpoint: str
    kind: FaultKind
    severity: float
    start_seconds: float
    seconds: float

    def orders(self, traffic_start: int) -> tuple[tuple[int, Fault], tuple[int, Fault]]:
        """Return the order that breaks the endpoint and the one that heals it, each with its instant."""
        begin = traffic_start + int(self.start_seconds * MICROS_PER_SECOND)
        end = begin + int(self.seconds * MICROS_PER_SECOND)
        return (
            (begin, Fault(endpoint=self.endpoint, kind=self.kind, severity=self.severity, occurred_at=begin)),
            (end, Fault(endpoint=self.endpoint, kind=FaultKind.NONE, severity=0.0, occurred_at=end)),
        )


def parse_fault(text: str) -> PlannedFault:
    """Return the fault in `ENDPOINT:KIND[:SEVERITY]@START+DURATION`; raises SettingsError where it is not one."""
    match = _FAULT.fullmatch(text.strip())
    kinds = [kind.value for kind in FaultKind if kind is not FaultKind.NONE]
    if match is None or match["kind"] not in kinds:
        raise SettingsError(
            f"{text!r} is no fault: write ENDPOINT:KIND[:SEVERITY]@START+DURATION in seconds, such as "
            f"support-bot:outage@20+30; kinds: {', '.join(kinds)}"
        )
    kind = FaultKind(match["kind"])
    severity = float(match["severity"]) if match["severity"] else DEFAULT_SEVERITY[kind]
    return PlannedFault(match["endpoint"], kind, severity, float(match["start"]), float(match["seconds"]))


def parse_people(texts: tuple[str, ...]) -> dict[str, int]:
    """Return people per queue from texts `QUEUE=N`; raises SettingsError where one is not."""
    people = {}
    for text in texts:
        queue, _, count = text.rpartition("=")
        if not queue or not count.isdecimal():
            raise SettingsError(f"{text!r} is no number of people: write QUEUE=N, such as billing=40")
        people[queue] = int(count)
    return people


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything about a run but where Kafka is.

    `rate_per_second`, `duration_seconds` and faults are in virtual seconds, `drain_seconds` and
    `report_seconds` in real ones; `qa_share` to `callback_seconds` are those of `Centre`. Without `arrivals` the rate
    is constant (10 per second unless given). Without `duration_seconds`, `contacts` or `arrivals` the run lasts until
    it is stopped.
    """

    tenant: str = "demo"
    seed: int = 1
    run_id: str | None = None
    utterances: Path = DEFAULT_FILE
    arrivals: Path | None = None
    day: date | None = None
    rate_per_second: float | None = None
    duration_seconds: float | None = None
    contacts: int | None = None
    speed: float = 1.0
    pace: float = 1.0
    people_per_queue: int = 50
    people: Mapping[str, int] = dataclasses.field(default_factory=dict)
    offer_twice: float = 0.0
    change_matter: float = 0.0
    supervisors: int = DEFAULT_SUPERVISORS
    qa_share: float = DEFAULT_QA_SHARE
    qa_after_seconds: float = DEFAULT_QA_AFTER_SECONDS
    rated_share: float = DEFAULT_RATED_SHARE
    callback_seconds: float = CALLBACK_SECONDS
    malformed: float = 0.0
    faults: tuple[PlannedFault, ...] = ()
    drain_seconds: float | None = None
    report_seconds: float = 1.0

    def __post_init__(self) -> None:
        """Raise SettingsError where a value is out of range or two contradict each other."""
        for name in (
            "speed", "pace", "report_seconds", "rate_per_second", "duration_seconds", "callback_seconds",
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise SettingsError(f"{name} must be above 0, not {value}")
        for name in ("offer_twice", "change_matter", "malformed", "qa_share", "rated_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SettingsError(f"{name} is a share from 0 to 1, not {getattr(self, name)}")
        if self.qa_after_seconds < 0:
            raise SettingsError(f"qa_after_seconds must be 0 or more, not {self.qa_after_seconds}")
        if self.arrivals is not None and self.rate_per_second is not None:
            raise SettingsError("give --arrivals or --rate, not both: each says how many contacts come")
        if self.arrivals is not None and self.day is None:
            raise SettingsError(f"give --day: which day of {self.arrivals} is to be played?")

    @property
    def sets_clock(self) -> bool:
        """Return whether the run needs a time of its own."""
        return self.speed != 1.0 or self.day is not None

    @property
    def drain_limit_seconds(self) -> float:
        """Return how many real seconds after the last offer the run may take to close what is open."""
        if self.drain_seconds is not None:
            return self.drain_seconds
        handling = _DRAIN_HANDLING_SECONDS + max(0.0, self.callback_seconds - CALLBACK_SECONDS)
        return _DRAIN_BASE_SECONDS + handling * self.pace / self.speed
