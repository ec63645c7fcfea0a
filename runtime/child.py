"""One process of ours: started, signalled and reaped through a pidfd, never by a bare number."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_TETHER = Path(__file__).with_name("tether.py")
_TAIL_BYTES = 4096
_TAIL_LINES = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Child:
    """A running process that we started and have not reaped: so its pid cannot be another's."""

    process: subprocess.Popen[bytes]
    pidfd: int
    log: Path
    log_start_bytes: int

    @property
    def pid(self) -> int:
        """Return the process id; it is also the id of the child's own session and process group."""
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where the process has ended already."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def reap(self) -> int:
        """Wait for the end, leave no zombie, close the pidfd; return the exit code (negative: a signal)."""
        code = self.process.wait()
        os.close(self.pidfd)
        return code

    def last_lines(self) -> list[str]:
        """Return at most five last lines that this very process wrote to its log."""
        try:
            with self.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                written_here_from = self.log_start_bytes if self.log_start_bytes <= size else 0
                log.seek(max(written_here_from, size - _TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except OSError:
            return []
        return [line.rstrip() for line in text.splitlines() if line.strip()][-_TAIL_LINES:]


def start_child(argv: Sequence[str], env: Mapping[str, str], log: Path) -> Child:
    """Start a program in a session of its own, its output appended to `log`.

    It is killed when the calling *thread* ends, however that comes about (see `tether.py`): call this from
    a thread that lives as long as the program shall.

    Raises:
        OSError: the log cannot be opened, or the system starts no more processes.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        log_start_bytes = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *argv],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C reaches the supervisor alone
        )
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError:
        process.kill()
        process.wait()
        raise
    return Child(process, pidfd, log, log_start_bytes)


def describe_exit(code: int) -> str:
    """Return an exit code in words: `exited with code 3`, `was killed by SIGKILL`."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name of its own
        return f"was killed by signal {-code}"
