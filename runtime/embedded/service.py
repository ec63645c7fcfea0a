"""The life of an embedded service: a server program in a folder of its own, on loopback."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

from runtime.embedded.folder import LOOPBACK, FolderLock, choose_ports, read_ports
from runtime.embedded.spawn import spawn
from runtime.errors import EmbeddedError

_log = logging.getLogger(__name__)

# Between two looks at a server that starts; short beside the fastest start (Redis: 40 ms).
_READY_PROBE_SECONDS = 0.02
_TAIL_LINES = 20
# Of options for every Java program of a user: they could break this one.
_FOREIGN_OPTIONS = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH")

_REMEDIES = (
    ("Address already in use", "another program took the port: start again, or name another port"),
    ("No space left on device", "free disk space for the folder {folder}"),
    ("OutOfMemoryError", "raise the heap, or free memory"),
    ("Could not reserve enough space", "free memory, or lower the heap"),
    ("insufficient memory for the Java Runtime", "free memory, or lower the heap"),
    ("Permission denied", "let this user write to the folder {folder}"),
)
_LAST_REMEDY = "read {log}; where the data may be lost, delete the folder {folder} and start again"


class Service(ABC):
    """A server program that its owner starts, stops, kills, pauses, and never leaves behind.

    One thread may drive a service at a time. Data and ports stay in `folder` over restarts.
    """

    title: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]]
    stop_timeout_seconds: ClassVar[float]

    def __init__(self, folder: Path, port: int | None = None, *, start_timeout_seconds: float = 60.0) -> None:
        self.folder = folder.absolute()
        self._fixed_ports = {} if port is None else {self.port_names[0]: port}
        self._start_timeout_seconds = start_timeout_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = FolderLock(self.folder, self.title)
        self.log = self.folder / f"{self.title.lower()}.log"

    @abstractmethod
    def _prepare(self) -> Callable[[dict[str, int]], list[str]]:
        """Fetch and lay out what the program needs; return ports -> command line."""

    @abstractmethod
    def _probe(self, port: int) -> bool:
        """Ask the server for an answer of its own protocol; False while it gives none."""

    def start(self) -> None:
        """Start the program and return when it answers.

        Raises:
            EmbeddedError: It is running already, its folder is in use, or it did not come up; in
                the last case nothing of it is left running.
        """
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start the program and do not wait: `await_ready` does. Raises as `start`."""
        if self.running:
            raise EmbeddedError(f"{self.title} in {self.folder} runs already, as process {self.pid}: stop it first")
        self._lock.release()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = self._lock.acquire()
            command_for = self._prepare()
            ports = choose_ports(self.folder, self.port_names, self._fixed_ports)
            self._process = self._spawn(command_for(ports), lock)
            self._lock.describe(f"process {self._process.pid} on {LOOPBACK}:{self.port}, started by {os.getpid()}")
        except OSError as error:
            self.kill()
            message = f"{self.title} cannot start in {self.folder}: {error}; check the path, its rights and the disk"
            raise EmbeddedError(message) from error
        except BaseException:
            self.kill()
            raise

    def await_ready(self) -> None:
        """Return when the launched program answers. Raises as `start`."""
        try:
            self._await_answer()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the program in order, by force after a bound; do nothing where it does not run."""
        self.request_stop()
        self.await_stopped()

    def request_stop(self) -> None:
        """Ask the program to end and do not wait: `await_stopped` does."""
        self._signal(signal.SIGTERM, signal.SIGCONT)

    def await_stopped(self) -> None:
        """Return when a program that was asked to end has ended, by force after `stop_timeout_seconds`."""
        if self._process is not None:
            try:
                self._process.wait(self.stop_timeout_seconds)
            except subprocess.TimeoutExpired:
                _log.warning("%s did not end within %s s: it is killed", self.title, self.stop_timeout_seconds)
        self.kill()

    def kill(self) -> None:
        """End the program at once (SIGKILL); do nothing where it does not run."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        self._lock.release()

    def pause(self) -> None:
        """Freeze the program (SIGSTOP): connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen program go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        """Whether the program is alive (which a frozen one is)."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last run, negative for a signal; None while it runs and before the first start."""
        return None if self._process is None else self._process.poll()

    @property
    def pid(self) -> int:
        """Process id of the running program.

        Raises:
            EmbeddedError: It does not run.
        """
        if self._process is None or self._process.poll() is not None:
            raise EmbeddedError(f"{self.title} in {self.folder} does not run: start it first")
        return self._process.pid

    @property
    def port(self) -> int:
        """Port for clients, known from the first start on and kept over restarts.

        Raises:
            EmbeddedError: It never started.
        """
        port = read_ports(self.folder).get(self.port_names[0])
        if port is None:
            raise EmbeddedError(f"{self.title} in {self.folder} has no port yet: start it first")
        return port

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _signal(self, *signals: signal.Signals) -> None:
        if self._process is not None:
            for each in signals:
                self._process.send_signal(each)

    def _spawn(self, command: list[str], *inherited_files: int) -> subprocess.Popen[bytes]:
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".previous.log"))
        environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN_OPTIONS}
        with self.log.open("ab") as output:
            return spawn(
                command, folder=self.folder, output=output, environment=environment, inherited_files=inherited_files
            )

    def _await_answer(self) -> None:
        process, port = self._process, self.port
        if process is None:
            raise EmbeddedError(f"{self.title} in {self.folder} was not launched")
        give_up = time.monotonic() + self._start_timeout_seconds
        while not self._probe(port):
            try:
                code = process.wait(_READY_PROBE_SECONDS)
            except subprocess.TimeoutExpired:
                if time.monotonic() > give_up:
                    raise self._failure(f"gave no answer within {self._start_timeout_seconds:g} s") from None
            else:
                raise self._failure(f"ended with exit code {code} before it was ready")

    def _failure(self, what: str) -> EmbeddedError:
        """Return an error that carries the end of the program's log and the remedy for what it says."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        remedy = next((remedy for sign, remedy in _REMEDIES if sign in text), _LAST_REMEDY)
        tail = "".join(f"\n  {line}" for line in text.splitlines()[-_TAIL_LINES:]) or "\n  (nothing)"
        remedy = remedy.format(folder=self.folder, log=self.log)
        return EmbeddedError(f"{self.title} {what}. The end of {self.log}:{tail}\nRemedy: {remedy}.")
