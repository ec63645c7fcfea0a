"""`trunkline up`: everything on one machine, as a process; what dies comes back, and nothing stays behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.flow.command import ENV, PATIENCE_SECONDS, trunkline
from trunkline.installation import SERVICES

pytestmark = pytest.mark.xdist_group("up")


class Up:
    """`trunkline up` as a process, its words line by line."""

    def __init__(self, data: Path, log: str = "up.log") -> None:
        self.data = data
        self.log = data.with_name(log)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "trunkline", "up", "--data", str(data)],
                stdout=output, stderr=output, env=ENV, start_new_session=True,
            )  # fmt: skip

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str, seconds: float = PATIENCE_SECONDS) -> re.Match[str]:
        deadline = time.monotonic() + seconds
        while not (match := re.search(pattern, self.said())):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, f"{pattern} was not said:\n{self.said()}"
            time.sleep(0.05)
        return match


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started = Up(tmp_path / "data")
    try:
        started.wait_for("Ctrl-C stops everything")
        yield started
    finally:
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.process.wait(30)
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()


def children_of(pid: int) -> dict[int, str]:
    """Processes below `pid`, each with the moment it started, which tells it from a later one of the same id."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = (int(fields[1]), fields[19])
    found: dict[int, str] = {}
    grown = True
    while grown:
        below = {p: started for p, (parent, started) in parents.items() if parent == pid or parent in found}
        grown, found = below.keys() != found.keys(), below
    return found


def lives(pid: int, started: str) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[19] == started and fields[0] != "Z"


def until(what: str, reached: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def simulate(bootstrap: str, contacts: int) -> subprocess.CompletedProcess[str]:
    return trunkline("simulate", "--bootstrap", bootstrap, "--contacts", str(contacts), "--rate", "30",
                     "--pace", "0.02", "--json")  # fmt: skip


def offered_in(url: str) -> int:
    rows = httpx.get(f"{url}/v1/volume", params={"limit": 500}).json()["items"]
    return sum(row["offered"] for row in rows)


@pytest.mark.timeout(170)
def test_up_runs_everything_restarts_what_dies_and_leaves_nothing_behind(up: Up) -> None:
    kafka = up.wait_for(r"Kafka +(127\.0\.0\.1:\d+)")[1]
    view = up.wait_for(r"live view +(http://\S+)/v1/staffing")[1]
    for service in SERVICES:
        up.wait_for(rf"{service} 0 +http://127\.0\.0\.1:\d+/metrics")

    first = simulate(kafka, 30)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["offered"] == 30
    until("the live view shows 30 contacts", lambda: offered_in(view) == 30)

    second = Up(up.data, "second.log")
    assert second.process.wait(30) == 1
    said = second.said()
    assert "in use by a live" in said
    assert "Traceback" not in said

    router = int(up.wait_for(r"router/0 runs as pid (\d+)")[1])
    assert router in children_of(up.process.pid)
    os.kill(router, signal.SIGKILL)
    again = up.wait_for(r"router/0 runs again as pid (\d+), ([\d.]+) s after it died", 10)
    assert float(again[2]) < 1.0
    more = simulate(kafka, 30)
    assert more.returncode == 0, more.stderr
    assert json.loads(more.stdout)["decided"] == 30
    until("the live view shows 60 contacts", lambda: offered_in(view) == 60)

    children = children_of(up.process.pid)
    assert len(children) >= len(SERVICES) + 2
    began = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(40) == 0
    took = time.monotonic() - began
    assert "everything that was started here has stopped" in up.said()
    assert [pid for pid, started in children.items() if lives(pid, started)] == []
    assert "Traceback" not in up.said()
    assert took < 25
