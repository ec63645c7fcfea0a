"""The folder of an embedded service: one live owner at a time, and ports that stay the same over restarts."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from runtime.errors import EmbeddedError

_log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"

# A killed service frees its folder as soon as the kernel has taken it down (measured: within 0.04 s).
_LOCK_PATIENCE_SECONDS = 2.0
_LOCK_RETRY_SECONDS = 0.05

# Below the ports that the kernel hands to outgoing connections (32768 and up by default): one of those could
# take the address of a broker that is away, and a client that retries could even be connected to itself.
_LOWEST_PORT, _HIGHEST_PORT = 20_000, 32_767


class FolderLock:
    """A lock that lives as long as any process has its file open: the owner's and the service's own."""

    def __init__(self, folder: Path, title: str) -> None:
        self._path = folder / "lock"
        self._title = title
        self._file: int | None = None

    def acquire(self) -> int:
        """Take the lock and return its file descriptor, for the service to inherit.

        Raises:
            EmbeddedError: A live service holds it.
        """
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        give_up = time.monotonic() + _LOCK_PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < give_up:
                    time.sleep(_LOCK_RETRY_SECONDS)
                    continue
                os.close(file)
                raise EmbeddedError(
                    f"{self._path.parent} is in use by a live {self._title} ({self._path.read_text().strip()}): "
                    "stop it, or choose another folder"
                ) from None
            self._file = file
            return file

    def describe(self, text: str) -> None:
        """Write down who holds the lock, for the message to the next who wants it."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, text.encode(), 0)

    def release(self) -> None:
        """Let go; the folder is free when the service has ended too."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_ports(folder: Path, names: Sequence[str], fixed: Mapping[str, int]) -> dict[str, int]:
    """Return a port for each name: the fixed one, else that of the last start if still free, else a free one.

    Raises:
        EmbeddedError: A fixed port is taken, or no port is free.
    """
    remembered = read_ports(folder)
    chosen: dict[str, int] = {}
    for name in names:
        wanted = fixed.get(name) or remembered.get(name)
        if name in fixed and not is_free(fixed[name]):
            raise EmbeddedError(
                f"port {fixed[name]} on {LOOPBACK} is taken: stop what listens there, or choose another"
            )
        taken = chosen.values()
        if wanted and wanted not in taken and is_free(wanted):
            chosen[name] = wanted
        else:
            chosen[name] = _any_free_port(taken)
            if wanted:
                _log.warning("%s: port %d of the last start is taken now, %d instead", folder, wanted, chosen[name])
    write_atomically(folder / "ports.json", json.dumps(chosen))
    return chosen


def read_ports(folder: Path) -> dict[str, int]:
    """Return the ports of the last start; empty before the first, and where the file is damaged."""
    try:
        content = json.loads((folder / "ports.json").read_text())
    except (OSError, ValueError):
        return {}
    return {name: port for name, port in content.items() if isinstance(port, int)} if isinstance(content, dict) else {}


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that a reader sees the old or the new content, and nothing between."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text)
    scratch.replace(path)


def _any_free_port(taken: Collection[int]) -> int:
    for _ in range(200):
        port = _LOWEST_PORT + secrets.randbelow(_HIGHEST_PORT - _LOWEST_PORT + 1)
        if port not in taken and is_free(port):
            return port
    raise EmbeddedError(
        f"no free port between {_LOWEST_PORT} and {_HIGHEST_PORT} on {LOOPBACK} in 200 tries: "
        "stop other servers, or name a port"
    )
