"""What a run is about: an agent and its fault, drawn from the ranges of `bench/health.yaml`."""

from __future__ import annotations

import dataclasses
import functools
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ruamel.yaml import YAML

from schemas.errors import TrunklineError

FILE = Path(__file__).parent.parent / "health.yaml"
INTENT_WEIGHT = 2.0
"""Of the Dirichlet distribution of the shares of intents: some are three times as frequent as others."""

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """An AI agent that is well, and its contacts: the parameters of `fleet` in the file, each drawn.

    Shares and rates are of 1. `shares`: of its intents, which have no other name than their number.
    """

    contacts_per_second: float
    shares: tuple[float, ...]
    voice_share: float
    turns_mean: float
    think_seconds: float
    chat_median_ms: float
    chat_sigma: float
    voice_median_ms: float
    voice_sigma: float
    latency_swing: float
    error_rate: float
    error_timeouts: float
    timeout_seconds: float
    refusal_ms: float
    retry_seconds: float
    failures_until_person: int
    resolved: float
    escalated: float
    looping: float
    hallucinated_of_wrong: float
    qa_share: float
    qa_seconds: float
    csat_share: float
    csat_seconds: float
    satisfied_right: float
    satisfied_wrong: float
    tokens_median: float
    token_cost: float
    chat_patience_ms: float
    voice_patience_ms: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with an agent, and when: `edges` are the seconds at which it begins, ends, begins again ...

    error_rate and timeout_share: of calls, of errors. slow_per_minute: growth of latency, as a share of the agent's
    own, up to `slow_most` times. resolved: share of contacts that are. looping_contacts: share of contacts that go
    round in circles, for a number of turns within `loop_turns`. What is None is as while the agent is well.
    """

    edges: tuple[float, ...]
    error_rate: float | None = None
    timeout_share: float = 0.0
    slow_per_minute: float = 0.0
    slow_most: float = 1.0
    resolved: float | None = None
    looping_contacts: float = 0.0
    loop_turns: tuple[int, int] = (1, 1)

    def active(self, at: Floats) -> Bools:
        """Whether it is there, at each of these seconds."""
        here: Bools = np.searchsorted(np.asarray(self.edges), at, side="right") % 2 == 1
        return here

    def slowness(self, at: Floats) -> Floats:
        """Return by what latency is to be multiplied at each of these seconds."""
        if not self.slow_per_minute:
            return np.ones_like(at)
        grown = 1.0 + self.slow_per_minute * (at - self.begins) / 60.0
        return np.where(self.active(at), np.minimum(grown, self.slow_most), 1.0)

    @property
    def begins(self) -> float:
        """Seconds from the beginning of the run."""
        return self.edges[0]

    @property
    def ends(self) -> float | None:
        """When it is over for good, None where it stays."""
        return self.edges[-1] if len(self.edges) % 2 == 0 else None


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """One run: an agent, its fault (None: a healthy time), and how many seconds are simulated."""

    scenario: str
    seed: int
    fleet: Fleet
    fault: Fault | None
    seconds: float


def scenarios() -> Sequence[str]:
    """Return the names of all scenarios, in the file's order."""
    return list(_read()["scenarios"])


def draw(scenario: str, seed: int, hours: float | None = None) -> Drawn:
    """Draw a run. hours: simulate so many in place of a healthy scenario's day.

    Raises TrunklineError where the file has no such scenario.
    """
    read = _read()
    if scenario not in read["scenarios"]:
        raise TrunklineError(f"{scenario!r} is no scenario: choose one of {', '.join(read['scenarios'])}")
    about = read["scenarios"][scenario]
    drawn = generator(scenario, seed, "parameters")
    values = _values({**read["fleet"], **_stated(about.get("fleet", {}))}, drawn)
    patience = _values(read["patience"], drawn)
    fleet = Fleet(
        contacts_per_second=about["contacts_per_second"],
        shares=tuple(drawn.dirichlet([INTENT_WEIGHT] * values.pop("intents")).tolist()),
        chat_patience_ms=patience["chat_ms"],
        voice_patience_ms=patience["voice_ms"],
        **values,
    )
    if "fault" not in about:
        return Drawn(scenario, seed, fleet, None, hours * 3600.0 if hours else about["after_seconds"])
    begins = _values({"at": read["warm_up_seconds"]}, drawn)["at"]
    fault = _fault(read["faults"][about["fault"]], begins, drawn)
    return Drawn(scenario, seed, fleet, fault, begins + about["after_seconds"])


def generator(scenario: str, seed: int, purpose: str) -> np.random.Generator:
    """Return the random numbers of one purpose in a run: those of another, or of another run, are independent."""
    return np.random.default_rng([seed, zlib.crc32(scenario.encode()), zlib.crc32(purpose.encode())])


@functools.cache
def _read() -> dict[str, Any]:
    return dict(YAML(typ="safe").load(FILE.read_text(encoding="utf-8")))


def _stated(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in plain.items()}


def _values(of: Mapping[str, Any], drawn: np.random.Generator) -> dict[str, Any]:
    return {name: _value(entry["value"], drawn) for name, entry in of.items()}


def _value(stated: Any, drawn: np.random.Generator) -> float | int:
    if not isinstance(stated, list):
        return float(stated)
    low, high = stated
    if isinstance(low, int) and isinstance(high, int):
        return int(drawn.integers(low, high + 1))
    return float(drawn.uniform(low, high))


def _fault(of: Mapping[str, Any], begins: float, drawn: np.random.Generator) -> Fault:
    of = dict(of)
    turns = tuple(of.pop("loop_turns")["value"]) if "loop_turns" in of else (1, 1)
    flapping: dict[str, Any] = {name: of.pop(name)["value"] for name in ("on_seconds", "off_seconds") if name in of}
    values = _values(of, drawn)
    lasts = values.pop("lasts_seconds", None)
    if flapping:
        edges = _flaps(begins, lasts, flapping, drawn)
    else:
        edges = (begins,) if lasts is None else (begins, begins + lasts)
    return Fault(edges=edges, loop_turns=(turns[0], turns[1]), **values)


def _flaps(begins: float, lasts: float, of: Mapping[str, Any], drawn: np.random.Generator) -> tuple[float, ...]:
    edges, at = [], begins
    while at < begins + lasts:
        ends = at + _value(of["on_seconds"], drawn)
        edges += [at, ends]
        at = ends + _value(of["off_seconds"], drawn)
    return tuple(edges)
