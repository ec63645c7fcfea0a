"""Service processes for tests: real ones, in a slot, with a log, killed by their own id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from runtime.programs import http_ready
from runtime.settings import Settings


class ServiceProcess:
    """One `trunkline SERVICE` process. `start` again after a kill: the same slot."""

    def __init__(self, settings: Settings, name: str, slot: int = 0, arguments: Sequence[str] = ()) -> None:
        self.settings, self.name, self.slot, self.arguments = settings, name, slot, arguments
        self.log = settings.data / f"{name}-{slot}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> ServiceProcess:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        s = self.settings
        argv = [sys.executable, "-m", "trunkline", self.name, "--bootstrap", s.bootstrap, "--redis-url", s.redis_url]
        argv += ["--prefix", s.prefix, "--data", str(s.data), "--slot", str(self.slot), "--port", "0", *self.arguments]
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env=dict(os.environ))
        return self

    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def port(self) -> int:
        """The port that it serves metrics on, from its log since the last start."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for line in self.log.read_bytes()[self._log_start :].decode(errors="replace").splitlines():
                if " serves http://" in line or line.startswith("http://"):
                    return int(line.rsplit(":", 1)[1].split("/")[0])
            assert self.process is not None
            assert self.process.poll() is None, self.tail()
            time.sleep(0.05)
        raise AssertionError(f"{self.name} did not say its port:\n{self.tail()}")

    def wait_ready(self, seconds: float = 40.0) -> ServiceProcess:
        ready = http_ready(f"http://127.0.0.1:{self.port()}")
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.process is not None
            assert self.process.poll() is None, self.tail()
            assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.tail()}"
            time.sleep(0.05)
        return self
