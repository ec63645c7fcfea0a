"""The whole system on this machine: every service in its process, under the load of a whole contact centre."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import statistics
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Self

import msgspec
import psutil

from bench.child import Generator
from bench.contacts import INTENTS, intent_names, policies
from bench.lag import Lag, LagWatch
from bench.stage import Stage
from bench.subject import use_of
from bench.traffic import TURN_SECONDS, TURNS, Written
from runtime.programs import Program, http_ready
from runtime.supervisor import Supervisor
from schemas.control import Policy
from schemas.interactions import Thresholds
from schemas.topics import AGENT_EVENTS, INTERACTION_EVENTS, OFFERED, WFM_EVENTS
from trunkline.installation import SERVICES, free_port

INBOXES = {
    "router": OFFERED,
    "sessions": INTERACTION_EVENTS,
    "health": AGENT_EVENTS,
    "analytics": WFM_EVENTS,
    "staffing": WFM_EVENTS,
}
STATEFUL = ("sessions", "health", "analytics", "staffing")
MOST_LAG_SECONDS = 2.0
"""What is asked of the stateful services."""
RAMP_SECONDS = TURNS * TURN_SECONDS + 2.0
"""From the first offer to the full load, and two seconds for batches to find their size."""
_LOOK_SECONDS = 0.5
_READY_SECONDS = 90.0
_DRAIN_SECONDS = 30.0
_CONSUMED = re.compile(rb'trunkline_records_consumed_total\{service="[a-z]+"\} ([0-9.e+]+)')


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceLoad:
    """One service under one load. cpu_share: of a core. lags in seconds; None where it keeps no offsets."""

    records_per_second: float
    cpu_share: float
    resident_megabytes: float
    lag_max_seconds: float | None = None
    lag_median_seconds: float | None = None
    lag_end_seconds: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class SystemLoad:
    """The system at one rate of contacts. parties: CPU shares of the rest: broker, Redis, the generator."""

    per_second: float
    services: Mapping[str, ServiceLoad]
    parties: Mapping[str, float]
    written: Written

    def worst(self) -> tuple[str, float]:
        """Return the stateful service with the largest lag, and that."""
        lags = {name: self.services[name].lag_max_seconds or 0.0 for name in STATEFUL}
        name = max(lags, key=lambda each: lags[each])
        return name, lags[name]

    @property
    def holds(self) -> bool:
        """Whether every stateful service kept up."""
        return self.worst()[1] <= MOST_LAG_SECONDS


def every_contact_to_an_agent() -> list[Policy]:
    """Return a policy by which agents take every contact with an intent: those have turns."""
    names = intent_names(INTENTS)
    return [
        msgspec.structs.replace(
            policy,
            thresholds=Thresholds(contained=0.92, assisted=0.0),
            human_only_intents=(),
            endpoints=tuple(msgspec.structs.replace(endpoint, intents=tuple(names)) for endpoint in policy.endpoints),
        )
        for policy in policies()
    ]


class System:
    """Every service as `trunkline up` starts it, on a stage; leave to stop them all."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._exits = contextlib.ExitStack()
        self._urls: dict[str, str] = {}
        self._offered = 0

    def __enter__(self) -> Self:
        """Return when every service is ready."""
        with contextlib.ExitStack() as exits:
            self.settings = exits.enter_context(self._stage.run([], every_contact_to_an_agent()))
            self.supervisor = Supervisor([self._program(service) for service in SERVICES], lambda _notice: None)
            exits.callback(self.supervisor.stop)
            self.supervisor.start()
            self.supervisor.wait_ready(_READY_SECONDS)
            self._watch = LagWatch(self.settings, INBOXES)
            exits.callback(self._watch.close)
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them all."""
        self._exits.close()

    def _program(self, service: str) -> Program:
        settings, port = self.settings, free_port()
        self._urls[service] = f"http://127.0.0.1:{port}"
        more = ["--model", str(self._stage.model())] if service == "router" else []
        argv = [
            sys.executable, "-m", "trunkline", service, "--bootstrap", settings.bootstrap, "--prefix", settings.prefix,
            "--redis-url", settings.redis_url, "--data", str(settings.data), "--port", str(port), *more,
        ]  # fmt: skip
        log = settings.data / f"{service}.log"
        return Program(service, 0, argv, os.environ, log, http_ready(self._urls[service]))

    def under(self, per_second: float, seconds: float) -> SystemLoad:
        """Put the system under a load, and return what it did in `seconds` of it; returns when it is idle again."""
        duration = RAMP_SECONDS + seconds
        argv = ["bench.traffic", "--bootstrap", self.settings.bootstrap, "--prefix", self.settings.prefix,
                "--per-second", str(per_second), "--seconds", str(duration), "--first", str(self._offered)]  # fmt: skip
        with Generator(argv) as generator:
            generator.wait_ready()
            self._watch.look(time.monotonic())
            start = generator.begin()
            self._look_until(start + RAMP_SECONDS)
            before = self._use(generator.pid), self._consumed(), time.monotonic()
            lags = self._look_until(start + duration)
            after = self._use(generator.pid), self._consumed(), time.monotonic()
            written = msgspec.json.decode(generator.end(), type=Written)
        self._offered += written.offers
        self._settle()
        return _load(per_second, before, after, lags, written)

    def _look_until(self, end: float) -> list[dict[str, Lag]]:
        looks = []
        while (now := time.monotonic()) < end:
            looks.append(self._watch.look(now))
            time.sleep(max(0.0, min(now + _LOOK_SECONDS, end) - time.monotonic()))
        return looks

    def _settle(self) -> None:
        """Return when nobody lags; a system that has been overloaded is not waited for beyond a limit."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline:
            if all(lag.seconds == 0 for lag in self._watch.look(time.monotonic()).values()):
                return
            time.sleep(_LOOK_SECONDS)

    def _use(self, generator: int) -> dict[str, tuple[float, int]]:
        """Return CPU seconds and resident bytes of every process, by name."""
        processes = {name: psutil.Process(pid) for (name, _), pid in self.supervisor.pids().items()}
        processes |= {**self._stage.servers(), "generator": psutil.Process(generator), "bench": psutil.Process()}
        return {
            name: use_of(process) if name != "bench" else (sum(process.cpu_times()[:2]), 0)
            for name, process in processes.items()
        }

    def _consumed(self) -> dict[str, float]:
        """Return how many records each service has taken; the bridge does not count them."""
        found = {}
        for service, url in self._urls.items():
            with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310 - loopback
                match = _CONSUMED.search(answer.read())
            found[service] = float(match.group(1)) if match else 0.0
        return found


_Look = tuple[Mapping[str, tuple[float, int]], Mapping[str, float], float]


def _load(
    per_second: float, before: _Look, after: _Look, lags: Sequence[Mapping[str, Lag]], written: Written
) -> SystemLoad:
    seconds = after[2] - before[2]
    shares = {name: (cpu - before[0][name][0]) / seconds for name, (cpu, _) in after[0].items()}
    services = {
        name: ServiceLoad(
            (after[1][name] - before[1][name]) / seconds,
            shares[name],
            after[0][name][1] / 1e6,
            *_lags([look[name].seconds for look in lags if name in look]),
        )
        for name in SERVICES
    }
    return SystemLoad(
        per_second, services, {name: share for name, share in shares.items() if name not in services}, written
    )


def _lags(seconds: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Return the largest lag, the median and the last."""
    return (max(seconds), statistics.median(seconds), seconds[-1]) if seconds else (None, None, None)
