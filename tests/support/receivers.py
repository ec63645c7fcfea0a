"""Receivers of webhooks for tests: real servers on loopback that take, fail, hang or lie, and remember all they got."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import socketserver
import ssl
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

LOOPBACK = "127.0.0.0/8"


@dataclasses.dataclass(frozen=True)
class Got:
    """A request as it came. `number`: the how-manieth of its id, from 1. at: real time, seconds."""

    id: str
    number: int
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event


@dataclasses.dataclass(frozen=True)
class Reply:
    """How a receiver answers. `raw`: instead of all else. `hold`: waited for first. `endless`: a body without end."""

    status: int = 200
    body: bytes = b"ok"
    headers: tuple[str, ...] = ()
    raw: bytes | None = None
    hold: threading.Event | None = None
    seconds: float = 0.0
    endless: bool = False
    close: bool = False

    def head(self) -> bytes:
        length = 10**12 if self.endless else len(self.body)
        lines = [f"HTTP/1.1 {self.status} Any", f"Content-Length: {length}", *self.headers, "", ""]
        return "\r\n".join(lines).encode()


Behaviour = Callable[[Got], Reply]


def takes(_got: Got) -> Reply:
    return Reply()


def after(failures: int, reply: Reply) -> Behaviour:
    """Each message is answered so for the first few times, and taken after that."""
    return lambda got: reply if got.number <= failures else Reply()


class Receiver:
    """A server on a port of its own. `behave` may be replaced while it runs. tls: files of certificate and key."""

    def __init__(self, behave: Behaviour = takes, tls: tuple[Path, Path] | None = None) -> None:
        self.behave = behave
        self.got: list[Got] = []
        self.taken: list[Got] = []
        self.gone = threading.Event()
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while (got := receiver._read(self)) is not None and receiver._answer(got, self.wfile):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                """The sender may hang up at any time."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?of=trunkline"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gone.set()
        self._server.shutdown()
        self._server.server_close()

    def until(self, what: str, reached: Callable[[], object], seconds: float = 30.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: bool(reached()), seconds), (
                f"{what} did not come within {seconds:g} s; {len(self.got)} requests came, {len(self.taken)} were taken"
            )

    def first(self) -> list[Got]:
        """What was taken, without repetitions."""
        return list({got.id: got for got in reversed(self.taken)}.values())[::-1]

    def _read(self, handler: socketserver.StreamRequestHandler) -> Got | None:
        stream = handler.rfile
        if not stream.readline():
            return None
        headers = {"from-port": str(handler.client_address[1])}
        while line := stream.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", -1))
        body = stream.read(max(0, length))
        if len(body) != length:
            return None  # the sender was killed while it wrote
        with self._changed:
            self._counts[headers["webhook-id"]] += 1
            got = Got(headers["webhook-id"], self._counts[headers["webhook-id"]], headers, body, time.time())
            self.got.append(got)
            self._changed.notify_all()
        return got

    def _answer(self, got: Got, stream: Any) -> bool:
        """Answer; return whether the connection is kept."""
        reply = self.behave(got)
        if reply.hold is not None:
            reply.hold.wait(60)
        if reply.seconds:
            time.sleep(reply.seconds)
        with self._changed:
            if reply.raw is None and 200 <= reply.status < 300:
                self.taken.append(got)
                self._changed.notify_all()
        stream.write(reply.head() + reply.body if reply.raw is None else reply.raw)
        while reply.endless and not self.gone.is_set():
            stream.write(b"x" * 65536)
        return not reply.close and reply.raw is None


def is_signed(got: Got, secret: str) -> bool:
    """Whether a request is signed with a secret as `webhooks add` prints it: as docs/webhooks.md tells receivers."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return (
        wanted in got.headers["webhook-signature"].split(" ")
        and abs(time.time() - int(got.headers["webhook-timestamp"])) < 300
    )


def by_key(got: list[Got]) -> dict[str, list[str]]:
    """The sequences of each key, in the order in which they came."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in got:
        found[each.event["partitionkey"]].append(each.event["sequence"])
    return dict(found)
