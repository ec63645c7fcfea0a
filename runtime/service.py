"""A Trunkline process: logging, signals, `/metrics`, `/livez`, `/readyz`."""

from __future__ import annotations

import contextlib
import gc
import http.server
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

from runtime.metrics import exposition
from runtime.redaction import Redactor, redaction_key
from runtime.redaction.logs import RedactingFormatter
from runtime.settings import Settings
from schemas.errors import TrunklineError

log = logging.getLogger(__name__)

STALLED_SECONDS = 60.0
"""A loop that has not turned for so long is not alive: more than any wait for a broker's answer."""
_WATCH_SECONDS = 5.0
_SWITCH_SECONDS = 0.0005
_LOG_FORMAT, _LOG_TIME = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
_GC_THRESHOLD = 200_000
"""Containers allocated and not freed; alive at once are 16,000 records of a batch and what a slice of 500 makes."""


class Process:
    """The life of one service process: whether it is alive, ready, or told to stop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stopping = threading.Event()
        self.port = 0
        self._ready = threading.Event()
        self._ready_check: Callable[[], bool] | None = None
        self._last_beat: float | None = None

    def beat(self) -> None:
        """Say that the loop has turned. A process that never beats is judged by being there."""
        self._last_beat = time.monotonic()

    def ready(self) -> None:
        """Say that the service takes records."""
        self._ready.set()

    def ready_when(self, check: Callable[[], bool]) -> None:
        """Have `check` asked by `/readyz` until it says yes."""
        self._ready_check = check

    def is_alive(self) -> bool:
        """Return whether the loop turns."""
        return self._last_beat is None or time.monotonic() - self._last_beat < STALLED_SECONDS

    def is_ready(self) -> bool:
        """Return whether the service takes records."""
        if not self._ready.is_set() and self._ready_check is not None and self._ready_check():
            self._ready.set()
        return self._ready.is_set()


def tune_interpreter() -> None:
    """Tune memory and threads, once, when a service is set up and before its first record.

    What is there by now stays, so the garbage collector need not look through it again. What a batch makes dies with
    the batch, by reference count: the threshold is above what a batch keeps alive, so that cycles (exceptions,
    mostly) are still found, but not looked for within each batch. Measured: 1.9 us, not 4.7, for a record produced.

    A thread that commits asks for the interpreter between its calls; a step that computes would keep it for 5 ms.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 20)


@contextlib.contextmanager
def service(name: str, settings: Settings) -> Iterator[Process]:
    """Run a process under this name: logging, SIGTERM and SIGINT, and its HTTP endpoints."""
    configure_logging(settings)
    process = Process(name)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.stopping.set())
    server = http.server.ThreadingHTTPServer((settings.host, settings.port), _handler(process))
    server.daemon_threads = True
    process.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    log.info("%s slot %d serves http://%s:%d/metrics", name, settings.slot, settings.host, process.port)
    threading.Thread(target=_watch, args=(process,), name="watchdog", daemon=True).start()
    try:
        yield process
    except Exception as problem:  # noqa: BLE001 - whatever it is, it ends the process
        _end(process, problem)
    finally:
        process.stopping.set()
        server.shutdown()
        server.server_close()
        log.info("%s slot %d has stopped", name, settings.slot)


def _end(process: Process, problem: Exception) -> NoReturn:
    """End at once: a client library that waits for a dead broker in its destructor must not hold us up."""
    if isinstance(problem, TrunklineError):
        log.critical("%s ends: %s", process.name, problem)
    else:
        log.critical("%s ends", process.name, exc_info=problem)
    logging.shutdown()
    os._exit(1)


def _watch(process: Process) -> None:
    """End a process whose loop hangs, so that a successor can take its slot."""
    while not process.stopping.wait(_WATCH_SECONDS):
        if not process.is_alive():
            _end(process, TrunklineError(f"the loop has not turned for {STALLED_SECONDS:g} s"))


def configure_logging(settings: Settings) -> None:
    """Log to standard error, one line a record, time in UTC, without customers' values.

    Raises SettingsError where the key of their tokens is too short.
    """
    logging.Formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(Redactor(redaction_key(settings)), _LOG_FORMAT, _LOG_TIME))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])


def _handler(process: Process) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, *exposition())
            elif path == "/livez":
                self._say(process.is_alive(), "alive", "the loop does not turn")
            elif path == "/readyz":
                self._say(process.is_ready(), "ready", "not ready yet")
            else:
                self._answer(404, b"there are /metrics, /livez and /readyz\n", "text/plain")

        def _say(self, good: bool, yes: str, no: str) -> None:  # noqa: FBT001 - a verdict and its two words
            self._answer(200 if good else 503, f"{process.name}: {yes if good else no}\n".encode(), "text/plain")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every second: they are not logged."""

    return Handler
