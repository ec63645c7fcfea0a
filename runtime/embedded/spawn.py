"""Starts programs that cannot outlive this process.

The tie (`runtime/tether.py`) is to the *thread* that forked the child, not to its process
(PR_SET_PDEATHSIG in prctl(2)). All children are therefore forked by one thread that lives as long
as the process; a pool's thread would not do, the interpreter ends those before its exit handlers.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO

from runtime import tether

_TETHER = Path(tether.__file__)


class _Spawner:
    """A thread that forks on request and never ends by itself."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[tuple[dict[str, object], Future[subprocess.Popen[bytes]]]]
        self._requests = queue.SimpleQueue()
        threading.Thread(target=self._run, name="embedded-spawner", daemon=True).start()

    def spawn(self, **popen: object) -> subprocess.Popen[bytes]:
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._requests.put((popen, answer))
        try:
            return answer.result()
        except KeyboardInterrupt:  # nobody will know of the child
            answer.add_done_callback(_kill_result)
            raise

    def _run(self) -> None:
        while True:
            popen, answer = self._requests.get()
            try:
                answer.set_result(subprocess.Popen(**popen))  # type: ignore[call-overload]
            except OSError as error:
                answer.set_exception(error)


def _kill_result(answer: Future[subprocess.Popen[bytes]]) -> None:
    if answer.exception() is None:
        answer.result().kill()


_lock = threading.Lock()
_spawners: dict[int, _Spawner] = {}


def _spawner() -> _Spawner:
    """Return the spawner of this process: a forked copy of a process has no threads, so it needs its own."""
    process = os.getpid()
    with _lock:
        if process not in _spawners:
            _spawners[process] = _Spawner()
        return _spawners[process]


def spawn(
    command: Sequence[str],
    *,
    folder: Path,
    output: IO[bytes],
    environment: Mapping[str, str],
    inherited_files: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that a terminal's Ctrl-C reaches only the owner.

    Args:
        command: An absolute path and its arguments.
        folder: The program's working directory.
        output: Where its standard output and error go.
        environment: Its environment.
        inherited_files: File descriptors that it keeps open (a lock that it holds as long as it lives).

    Raises:
        OSError: It could not be started.
    """
    return _spawner().spawn(
        args=[sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=tuple(inherited_files),
        start_new_session=True,
    )
