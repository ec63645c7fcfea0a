"""A process of the benchmarks' own that waits for its cue: a generator, or a reader."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from bench.subject import SubjectError

_SOON_SECONDS = 0.2
"""Between the cue and the beginning: it has come, and been read, long before."""
_ROOT = Path(__file__).parent.parent


class Generator:
    """A module that says `ready`, reads on standard input when to begin, and prints JSON at its end.

    argv: the module's name and its options. It is started at once, and killed when this is left.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._name = argv[0]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
        )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def __enter__(self) -> Self:
        """Do nothing: it runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it where it has not ended."""
        self._process.kill()
        self._process.communicate()

    def wait_ready(self) -> None:
        """Return when it is ready; raises SubjectError where it ends before."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        if self._process.stdout.readline() != "ready\n":
            raise SubjectError(f"{self._name} did not become ready (exit code {self._process.wait()})")

    def begin(self, at: float | None = None) -> float:
        """Have it begin at an instant of CLOCK_MONOTONIC, seconds, or soon; return when."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        at = time.monotonic() + _SOON_SECONDS if at is None else at
        self._process.stdin.write(f"{at!r}\n")
        self._process.stdin.flush()
        return at

    def end(self) -> str:
        """Wait for its end and return what it has printed."""
        printed, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise SubjectError(f"{self._name} ended with exit code {self._process.returncode}")
        return printed
