"""One attempt: a POST to an address that was checked, within a time, with an answer of which little is read.

httpcore and not httpx: below it there are no redirects, cookies, proxies of the environment or decompression to turn
off, and its network backend is the one place where an address is chosen.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import httpcore

from wfm_bridge.webhooks.addresses import Address, Network, Receiver, refusal
from wfm_bridge.webhooks.retry import asked_seconds

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
"""From the look-up of the name to the end of the answer: Standard Webhooks advises 15 to 30 s. A receiver that has
more to do should answer first."""
ANSWER_BYTES = 64 * 1024
"""Read of an answer; what is longer is cut off, and the connection with it."""
_EXCERPT_BYTES = 300
_KEEP_SECONDS = 15.0
_MALFORMED = frozenset({400, 413, 422})
_GONE = 410

T = TypeVar("T")


class Verdict(enum.Enum):
    """What an attempt came to."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """The receiver calls the message malformed."""
    FAILED = "failed"
    GONE = "gone"
    """The receiver wants nothing any more."""


class Answer(NamedTuple):
    """What came back. `code`: a short stable word, fit for a header. `detail`: for people.

    `status`: None where no answer came. `asked_seconds`: the receiver's wish to be left alone for so long. `excerpt`:
    the first bytes of the body.
    """

    verdict: Verdict
    code: str
    detail: str
    status: int | None = None
    asked_seconds: float | None = None
    excerpt: str = ""


class AddressRefusedError(Exception):
    """A name has no address that a webhook may go to."""


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name once for each connection, and connects to an address that passed."""

    def __init__(self, allowed: tuple[Network, ...], *, secure: bool) -> None:
        self._allowed = allowed
        self._secure = secure
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers, of those that are not refused."""
        found = await _in_thread(lambda: addresses_of(host, port))
        reasons = {each: refusal(each, self._allowed, secure=self._secure) for each in found}
        good = [address for address, reason in reasons.items() if reason is None]
        if not good:
            raise AddressRefusedError("; ".join(filter(None, reasons.values())))
        last: Exception | None = None
        for address in good:
            try:
                return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
                last = problem
        assert last is not None  # noqa: S101 - there was an address, and it failed
        raise last


def addresses_of(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, each once; waits for DNS. Raises OSError where there are none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as problem:  # a part of the name is empty, or longer than DNS takes
        raise socket.gaierror(socket.EAI_NONAME, str(problem)) from problem
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))


async def _in_thread(function: Callable[[], T]) -> T:
    """Run what may wait for DNS in a thread of its own.

    One that is kept waiting takes no place in a pool from other receivers' names, nor holds up the end of the process.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, problem: BaseException | None) -> None:
        if outcome.done():
            return
        if problem is not None:
            outcome.set_exception(problem)
        else:
            outcome.set_result(result)  # type: ignore[arg-type] # without a problem it is a T

    def work() -> None:
        result, problem = None, None
        try:
            result = function()
        except OSError as error:
            problem = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=work, name="resolve", daemon=True).start()
    return await outcome


class Post:
    """The way to one receiver, with connections of its own."""

    def __init__(
        self, receiver: Receiver, allowed: tuple[Network, ...], at_once: int, total_seconds: float = TOTAL_SECONDS
    ) -> None:
        self._total_seconds = total_seconds
        scheme = b"https" if receiver.secure else b"http"
        self._url = httpcore.URL(
            scheme=scheme, host=receiver.host.encode(), port=receiver.port, target=receiver.target.encode()
        )
        self._authority = receiver.authority
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=at_once,
            keepalive_expiry=_KEEP_SECONDS,
            network_backend=_CheckedBackend(allowed, secure=receiver.secure),
        )

    async def send(self, headers: dict[str, str], body: bytes) -> Answer:
        """Send a message once. Whatever the receiver does, an answer comes within the total of seconds."""
        try:
            async with asyncio.timeout(self._total_seconds):
                return await self._sent(headers, body)
        except (TimeoutError, httpcore.TimeoutException) as problem:
            code = "connect_timeout" if isinstance(problem, httpcore.ConnectTimeout) else "timeout"
            return Answer(Verdict.FAILED, code, f"no whole answer within {self._total_seconds:g} s")
        except AddressRefusedError as problem:
            return Answer(Verdict.FAILED, "address_refused", str(problem))
        except socket.gaierror as problem:
            return Answer(Verdict.FAILED, "no_address", f"the host's name is not found: {problem.strerror}")
        except (httpcore.ConnectError, OSError) as problem:
            return Answer(Verdict.FAILED, "no_connection", f"no connection: {problem}")
        except (httpcore.NetworkError, httpcore.ProtocolError) as problem:
            return Answer(Verdict.FAILED, "broken_answer", f"the answer breaks off, or is no HTTP: {problem}")

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _sent(self, headers: dict[str, str], body: bytes) -> Answer:
        async with self._pool.stream(
            "POST",
            self._url,
            headers=list({"host": self._authority, "user-agent": "trunkline-webhooks", **headers}.items()),
            content=body,
            extensions={"timeout": {"connect": CONNECT_SECONDS}},  # the total is over the rest
        ) as response:
            read = await _beginning(response)
            fields = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        return _judged(response.status, fields, read)


async def _beginning(response: httpcore.Response) -> bytes:
    """Return the body, or the beginning of one that is long. What follows is never read."""
    read = b""
    async for chunk in response.aiter_stream():
        read += chunk
        if len(read) >= ANSWER_BYTES:
            break
    return read


def _judged(status: int, fields: Mapping[bytes, str], read: bytes) -> Answer:
    excerpt = read[:_EXCERPT_BYTES].decode(errors="replace")
    asked = asked_seconds(fields.get(b"retry-after", ""), dt.datetime.now(dt.UTC))
    code = f"http_{status}"
    if 200 <= status < 300:  # noqa: PLR2004 - success, RFC 9110
        return Answer(Verdict.DELIVERED, code, "delivered", status, None, excerpt)
    if status == _GONE:
        return Answer(Verdict.GONE, code, "the receiver says that it is gone", status, None, excerpt)
    if 300 <= status < 400:  # noqa: PLR2004 - redirection, RFC 9110
        detail = f"status {status}: redirects are not followed; give the subscription its new URL"
        return Answer(Verdict.FAILED, code, detail, status, asked, excerpt)
    verdict = Verdict.REFUSED if status in _MALFORMED else Verdict.FAILED
    return Answer(verdict, code, f"status {status}", status, asked, excerpt)
