"""One process, one event loop: Faust's agents and uvicorn side by side, and a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import uvicorn
from fastapi import FastAPI

from runtime.copies import SessionLookup
from runtime.errors import SettingsError
from runtime.keys import Keyring
from runtime.metrics import METRICS
from runtime.schemas_topic import PublishedSchemas
from runtime.settings import Settings
from schemas.codec import Codec
from wfm_bridge.api import create_api
from wfm_bridge.inbound.desk import Desk
from wfm_bridge.inbound.routes import create_inbound
from wfm_bridge.progress import Progress
from wfm_bridge.sessions import create_lookups
from wfm_bridge.store import Views
from wfm_bridge.views import Follower, ends_at_start

_GRACE_SECONDS = 2
"""Time that requests under way have to end."""


class _Server(uvicorn.Server):
    """Leaves signals to `run`: uvicorn would raise them again at its end, and the exit code would not be 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


async def serve(settings: Settings, stop: asyncio.Event, announce: Callable[[str], None]) -> None:
    """Follow and serve until `stop` is set; `announce` gets the address once it answers.

    Raises KafkaUnavailableError or SettingsError at start, BridgeError where following fails later.
    """
    views, progress = Views(), Progress(await ends_at_start(settings))
    for view, _rows in views.sizes():
        METRICS.view_rows.labels(view).set_function(partial(_size, views, view))
    schemas = await asyncio.to_thread(PublishedSchemas, settings)
    lookup = SessionLookup(settings)
    desk = await asyncio.to_thread(Desk, settings, "bridge")
    try:
        with _listen(settings) as listener:
            follower = Follower(settings, Codec(schemas.fetch), views, progress)
            keys, require_keys = Keyring(settings.api_keys_file), _requires_keys(settings)
            others = (create_lookups(keys, lookup), *create_inbound(desk, keys, require_keys=require_keys))
            api = create_api(views, progress, *others, keys=keys, require_keys=require_keys)
            async with _http(api, listener):
                try:
                    await follower.start()
                    announce(f"http://{settings.host}:{listener.getsockname()[1]}")
                    await follower.run_until(stop)
                finally:
                    await follower.stop()
    finally:
        schemas.close()
        desk.close()
        await lookup.close()


async def run(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; to be called in the main thread."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop, announce)


def _requires_keys(settings: Settings) -> bool:
    """Return whether views are for holders of a key alone: unless said otherwise, where others can reach them."""
    if settings.require_keys is not None:
        return settings.require_keys
    try:
        return not ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        return settings.host != "localhost"


def _size(views: Views, view: str) -> float:
    return dict(views.sizes())[view]


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off only where it reads TCP: without, an
    # answer on a kept connection waits 40 ms for the other side's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen()
    except OSError as problem:
        listener.close()
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port}: {problem.strerror}. "
            "Give another --host or --port (0 takes a free one)."
        ) from problem
    return listener


@contextlib.asynccontextmanager
async def _http(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=_GRACE_SECONDS
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
