"""What grows with what: processes, tenants, intents, and the whole system under a rising load.

The broker shares the machine's cores with everybody, so rates say less than CPU seconds per 1,000 contacts: those
should stay as they are whatever the size.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.contacts import INTENTS, policies
from bench.hotpath import router_argv
from bench.options import Options
from bench.report import Report, Row
from bench.stage import Stage, say
from bench.subject import Run, Subject, measure
from bench.system import MOST_LAG_SECONDS, STATEFUL, System, SystemLoad
from bench.traffic import TURNS
from runtime.settings import Settings

PROCESSES = (1, 2, 3, 4)
TENANTS = (1, 10, 100, 1_000)
INTENT_COUNTS = (25, INTENTS, 500, 1_000)
CONTACTS, QUICK_CONTACTS = 60_000, 8_000
RATES = (100, 200, 300, 400, 500, 600, 700, 850, 1_000, 1_200, 1_500)
QUICK_RATES = (50,)
SYSTEM_SECONDS, QUICK_SYSTEM_SECONDS = 15.0, 3.0
"""At 15 % more than it can take, a service is 2 s behind after 15 s."""
_SINGULAR = {"processes": "process", "tenants": "tenant", "intents": "intent"}
_START_SHARE = 1.5
"""More contacts for each further process: the first would have done a tenth before the last has started."""


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """One size of one of the first three: what is varied, and to what."""

    kind: str
    count: int

    @property
    def name(self) -> str:
        """As tables have it."""
        return f"{self.count:,} {self.kind if self.count > 1 else _SINGULAR[self.kind]}"


def sizes(*, quick: bool) -> list[Size]:
    """Return what is measured: the size that all three have in common, one process and one tenant, only once."""
    if quick:
        return [
            Size("processes", 1),
            Size("processes", 2),
            Size("tenants", TENANTS[1]),
            Size("intents", INTENT_COUNTS[0]),
        ]
    kinds = {"processes": PROCESSES, "tenants": TENANTS[1:], "intents": [n for n in INTENT_COUNTS if n != INTENTS]}
    return [Size(kind, count) for kind, counts in kinds.items() for count in counts]


def run(options: Options) -> Report:
    """Measure all sizes, then the whole system, and return the report."""
    with Stage() as stage:
        taking_part = sizes(quick=options.quick)
        runs: dict[Size, list[Run]] = {size: [] for size in taking_part}
        say("warm-up")
        _measure(stage, taking_part[0], options)
        for repetition in range(options.repetitions()):
            for size in taking_part:
                outcome = _measure(stage, size, options)
                runs[size].append(outcome)
                say(f"run {repetition + 1}: {size.name}: {outcome.per_second:,.0f} contacts/s, {_cpu(outcome.cpu)}")
        loads = system_loads(stage, quick=options.quick)
    return report(runs, loads)


def _measure(stage: Stage, size: Size, options: Options) -> Run:
    count = options.contacts_or(CONTACTS, QUICK_CONTACTS)
    tenants = size.count if size.kind == "tenants" else 1
    intents = size.count if size.kind == "intents" else INTENTS
    processes = size.count if size.kind == "processes" else 1
    count = int(count * (1 + (processes - 1) * _START_SHARE))
    subject = Subject(size.name, _routers(router_argv(stage.model(intents)), processes))
    with stage.run(stage.contacts(count, tenants, intents), policies(tenants, intents)) as settings:
        return measure(stage, settings, subject, count)


def _routers(command: Callable[[Settings], list[str]], count: int) -> Callable[[Settings], list[str]]:
    """Return the command that runs so many of one command, each in its slot."""

    def many(settings: Settings) -> list[str]:
        return [sys.executable, "-m", "bench.slots", str(count), *command(settings)]

    return command if count == 1 else many


def system_loads(stage: Stage, *, quick: bool) -> list[SystemLoad]:
    """Return the whole system at rising rates, up to the first at which a stateful service lags too much."""
    rates, seconds = (QUICK_RATES, QUICK_SYSTEM_SECONDS) if quick else (RATES, SYSTEM_SECONDS)
    loads: list[SystemLoad] = []
    with System(stage) as system:
        if not quick:
            say(f"warm-up: the whole system at {rates[0]} contacts/s")
            system.under(rates[0], seconds)
        for rate in rates:
            loads.append(system.under(rate, seconds))
            say(f"the whole system at {rate} contacts/s: {_system_note(loads[-1])}")
            if not loads[-1].holds:
                break
    return loads


def _cpu(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{party} {each:.3f}" for party, each in seconds.items())


def _system_note(load: SystemLoad) -> str:
    first, lag = load.worst()
    parties = {name: service.cpu_share for name, service in load.services.items()} | dict(load.parties)
    return f"lag at most {lag:.1f} s ({first}); cores: " + ", ".join(f"{n} {share:.2f}" for n, share in parties.items())


def report(runs: Mapping[Size, Sequence[Run]], loads: Sequence[SystemLoad]) -> Report:
    """Return the report of runs by size and of the system's loads, lowest rate first."""
    medians = {size: _medians(each) for size, each in runs.items()}
    one = medians[Size("processes", 1)]
    kinds: dict[str, dict[str, Any]] = {
        kind: {str(size.count): each for size, each in medians.items() if size.kind == kind}
        for kind in ("processes", "tenants", "intents")
    }
    kinds["tenants"] = {"1": one, **kinds["tenants"]}
    by_intents = {INTENTS: one, **{int(count): each for count, each in kinds["intents"].items()}}
    kinds["intents"] = {str(count): each for count, each in sorted(by_intents.items())}
    rows = [_row(size, each) for size, each in runs.items()]
    rows += [Row(f"whole system, {TURNS} turns", (load.per_second,), note=_system_note(load)) for load in loads]
    fields = {**kinds, "tenants_cpu_ratio": _ratio(kinds["tenants"]), "system": _system(loads)}
    title = "Router by processes, tenants and intents; the whole system under load"
    return Report("scale", title, "contacts/s", rows, fields=fields, draw=lambda figure: draw(figure, kinds, loads))


def _medians(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "per_second": statistics.median(run.per_second for run in runs),
        "cpu_seconds_per_1000": {party: statistics.median(run.cpu[party] for run in runs) for party in runs[0].cpu},
        "resident_megabytes": max(run.resident_megabytes for run in runs),
        "lost": sum(run.lost for run in runs),
        "doubled": sum(run.doubled for run in runs),
    }


def _ratio(by_tenants: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the router's CPU per contact at the most tenants as a multiple of that at one."""
    last = list(by_tenants.values())[-1]
    return float(last["cpu_seconds_per_1000"]["subject"] / by_tenants["1"]["cpu_seconds_per_1000"]["subject"])


def _row(size: Size, runs: Sequence[Run]) -> Row:
    medians = _medians(runs)
    troubled = medians["lost"] or medians["doubled"]
    return Row(
        size.name,
        tuple(run.per_second for run in runs),
        runs[0].contacts,
        medians["cpu_seconds_per_1000"],
        medians["resident_megabytes"],
        f"{medians['lost']} lost, {medians['doubled']} doubled" if troubled else "",
    )


def _system(loads: Sequence[SystemLoad]) -> dict[str, Any]:
    """Return what the system did at each rate, and where it stopped keeping up."""
    held = [load.per_second for load in loads if load.holds]
    failed = next((load for load in loads if not load.holds), None)
    return {
        "turns_per_contact": TURNS,
        "most_lag_seconds": MOST_LAG_SECONDS,
        "holds_per_second": max(held, default=0),
        "passes_per_second": failed.per_second if failed else None,
        "first_to_lag": failed.worst()[0] if failed else None,
        "loads": {
            f"{load.per_second:g}": dataclasses.asdict(load) | {"written": load.written._asdict()} for load in loads
        },
    }


def draw(figure: Any, kinds: Mapping[str, Mapping[str, Any]], loads: Sequence[SystemLoad]) -> None:
    """Draw CPU seconds per 1,000 contacts over each size, and the lag of the stateful services over the rate."""
    axes = figure.subplots(2, 2).flat
    for ax, (kind, by_count) in zip(axes, kinds.items(), strict=False):
        counts = [int(count) for count in by_count]
        for party in ("subject", "broker", "redis"):
            seconds = [each["cpu_seconds_per_1000"][party] for each in by_count.values()]
            ax.plot(counts, seconds, "o-", label="router" if party == "subject" else party)
        ax.set(xlabel=kind, ylabel="CPU s per 1,000", xscale="linear" if kind == "processes" else "log", ylim=(0, None))
        ax.legend(fontsize=7)
    last = axes[3]
    for service in STATEFUL:
        lags = [load.services[service].lag_max_seconds or 0.0 for load in loads]
        last.plot([load.per_second for load in loads], lags, "o-", label=service)
    last.axhline(MOST_LAG_SECONDS, color="#888888", linestyle=":")
    last.set(xlabel=f"contacts/s of {TURNS} turns", ylabel="lag at most, s")
    last.legend(fontsize=7)
