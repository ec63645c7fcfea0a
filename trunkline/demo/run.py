"""Runs the demonstration: start everything, offer contacts, break an AI agent, heal it, drain, check."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.errors import TrunklineError
from schemas.control import FaultKind
from schemas.fields import BreakerState
from simulator.app import order_fault
from trunkline.demo import report
from trunkline.demo.observe import Witness
from trunkline.demo.view import View
from trunkline.installation import Installation

ENDPOINT = "support-bot"


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """The course of the demonstration, in seconds after the first contact.

    `pace` shortens every handling, so that a contact lasts seconds: the loop's own times are real.

    A healthy agent fails now and then too, and one failed probe keeps the breaker open for twice as
    long: contacts arrive until a second trial has had its time.
    """

    contacts: int = 2200
    rate_per_second: float = 44.0
    pace: float = 0.02
    people_per_queue: int = 300
    break_at: float = 20.0
    heal_at: float = 26.0
    drain_seconds: float = 60.0


class Demo:
    """One demonstration on a running installation."""

    def __init__(self, running: Installation, script: Script, shown: View) -> None:
        self._running = running
        self._script = script
        self._view = shown
        self._witness = Witness(running.settings)
        self._fault_at = 0
        self._began: float | None = None

    def run(self) -> dict[str, Any]:
        """Return the report, as JSON data; raises TrunklineError where the simulation itself fails."""
        log = self._running.log("simulator")
        argv = [
            sys.executable,
            "-m",
            "trunkline",
            "simulate",
            "--json",
            "--bootstrap",
            self._running.settings.bootstrap,
        ]
        argv += ["--prefix", self._running.settings.prefix, "--contacts", str(self._script.contacts)]
        argv += ["--rate", str(self._script.rate_per_second), "--pace", str(self._script.pace)]
        argv += ["--people", str(self._script.people_per_queue)]
        argv += ["--drain-seconds", str(self._script.drain_seconds)]
        with (
            log.open("wb") as progress,
            subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=progress, env=dict(os.environ)) as acd,
        ):
            try:
                summary = self._follow(acd)
            finally:
                acd.terminate()
                self._witness.close()
        if summary is None:
            raise TrunklineError(f"the simulation failed: see {log}")
        return report.build(self._witness, ENDPOINT, self._fault_at, summary["offered"])

    def _follow(self, acd: subprocess.Popen[bytes]) -> dict[str, Any] | None:
        self._until(lambda: bool(self._witness.offered) or acd.poll() is not None)
        self._began = time.monotonic()
        self._until(lambda: self._seconds() >= self._script.break_at or acd.poll() is not None)
        self._fault_at = self._order(FaultKind.OUTAGE, "breaks: every call fails from now on")
        self._until(lambda: self._seconds() >= self._script.heal_at or acd.poll() is not None)
        self._order(FaultKind.NONE, "is well again; its breaker will find out by itself")
        self._until(lambda: acd.poll() is not None)
        output = acd.stdout.read() if acd.stdout else b""
        self._settle()
        return json.loads(output) if acd.returncode == 0 else None

    def _order(self, kind: FaultKind, sentence: str) -> int:
        fault = order_fault(self._running.settings, ENDPOINT, kind)
        self._view.say(f"{self._seconds():5.0f} s  {ENDPOINT} {sentence}")
        return fault.occurred_at

    def _settle(self) -> None:
        """Wait until WFM has every contact and the breaker is closed, or for as long as is decent."""
        deadline = time.monotonic() + 20.0
        self._until(lambda: self._is_settled() or time.monotonic() > deadline)

    def _is_settled(self) -> bool:
        witness = self._witness
        closed_again = witness.breaker_states().get(ENDPOINT) is BreakerState.CLOSED
        return closed_again and witness.volume_total == witness.decided and witness.volume_open == 0

    def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._witness.look(0.05)
            self._view.show(self._witness, self._seconds())
            for (service, slot), reason in self._running.supervisor.failed.items():
                raise TrunklineError(f"{service}/{slot} is down: {reason}")

    def _seconds(self) -> float:
        return 0.0 if self._began is None else time.monotonic() - self._began


def save(result: dict[str, Any], path: Path) -> None:
    """Write the report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
