"""One attempt against real servers on loopback: what comes of each thing that a receiver can do."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.receivers import LOOPBACK, Receiver, Reply
from wfm_bridge.webhooks import post as module
from wfm_bridge.webhooks.addresses import networks_of, receiver_of
from wfm_bridge.webhooks.post import Answer, Post, Verdict

HEADERS = {"webhook-id": "m-1", "content-type": "application/cloudevents+json"}


def send(url: str, *, allowed: str = LOOPBACK, seconds: float = 5.0, times: int = 1) -> list[Answer]:
    async def run() -> list[Answer]:
        way = Post(receiver_of(url), networks_of(allowed), 2, total_seconds=seconds)
        try:
            return [await way.send(dict(HEADERS), b'{"a":1}') for _ in range(times)]
        finally:
            await way.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("reply", "verdict", "code"),
    [
        (Reply(), Verdict.DELIVERED, "http_200"),
        (Reply(status=202, body=b""), Verdict.DELIVERED, "http_202"),
        (Reply(body=b"<html>no JSON at all"), Verdict.DELIVERED, "http_200"),
        (Reply(status=500), Verdict.FAILED, "http_500"),
        (Reply(status=404), Verdict.FAILED, "http_404"),
        (Reply(status=400), Verdict.REFUSED, "http_400"),
        (Reply(status=422), Verdict.REFUSED, "http_422"),
        (Reply(status=410), Verdict.GONE, "http_410"),
        (Reply(status=304), Verdict.FAILED, "http_304"),
        (Reply(raw=b""), Verdict.FAILED, "broken_answer"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), Verdict.FAILED, "broken_answer"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz"), Verdict.FAILED, "broken_answer"),
        (Reply(raw=b"HTTP/1.1 200"), Verdict.FAILED, "broken_answer"),
        (Reply(raw=b"220 smtp.example.com ESMTP\r\n"), Verdict.FAILED, "broken_answer"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000), Verdict.FAILED, "broken_answer"),
        (Reply(endless=True), Verdict.DELIVERED, "http_200"),
    ],
)
def test_what_a_receiver_answers_is_judged_by_its_status_and_its_being_whole(
    reply: Reply, verdict: Verdict, code: str
) -> None:
    with Receiver(lambda _got: reply) as receiver:
        (answer,) = send(receiver.url)
        assert (answer.verdict, answer.code) == (verdict, code), answer
        assert len(answer.excerpt) <= 300
        (got,) = receiver.got
        assert got.body == b'{"a":1}'
        assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert "cookie" not in got.headers
        assert "authorization" not in got.headers


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as elsewhere:
        to = (f"Location: {elsewhere.url}",)
        for status in (301, 302, 303, 307, 308):
            with Receiver(lambda _got, status=status: Reply(status=status, headers=to)) as receiver:
                (answer,) = send(receiver.url)
            assert (answer.verdict, answer.status) == (Verdict.FAILED, status)
            assert "redirects are not followed" in answer.detail
        assert not elsewhere.got


def test_a_pause_that_is_asked_for_is_told() -> None:
    with Receiver(lambda _got: Reply(status=429, headers=("Retry-After: 17",))) as receiver:
        assert send(receiver.url)[0].asked_seconds == 17.0


def test_a_receiver_that_hangs_or_trickles_is_left_in_time() -> None:
    held = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not held.wait(0.05):
            connection.sendall(b"x")

    with Receiver(lambda _got: Reply(hold=held)) as hangs:
        began = time.monotonic()
        (hung,) = send(hangs.url, seconds=0.5)
        (trickled,) = send(_raw(trickle), seconds=0.5)
        assert time.monotonic() - began < 4.0
        held.set()
    assert hung.code == trickled.code == "timeout"


def test_nobody_there_is_a_failure_like_another() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert send(f"http://127.0.0.1:{port}/")[0].code == "no_connection"
    for host in ("no-such-host.invalid", "a..example.com", "a" * 64 + ".example.com"):
        assert send(f"https://{host}/")[0].code == "no_address", host


def test_plain_text_where_tls_is_expected_is_no_connection() -> None:
    url = _raw(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    answer = send(url.replace("http:", "https:"))[0]
    assert (answer.verdict, answer.code) == (Verdict.FAILED, "no_connection")


def test_a_certificate_must_be_of_the_hosts_name_and_of_somebody_who_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _certificate("localhost", tmp_path)
    with Receiver(tls=files) as receiver:
        url = f"https://localhost:{receiver.port}/"
        (stranger,) = send(url)
        assert (stranger.code, receiver.got) == ("no_connection", [])
        assert "certificate" in stranger.detail
        monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
        assert send(url)[0].verdict is Verdict.DELIVERED
        (misnamed,) = send(f"https://127.0.0.1:{receiver.port}/")
        assert (misnamed.code, len(receiver.got)) == ("no_connection", 1)


def _certificate(name: str, folder: Path) -> tuple[Path, Path]:
    """A certificate of a name that vouches for itself, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "localhost", "[::ffff:127.0.0.1]"])
def test_an_address_within_is_never_connected_to(host: str) -> None:
    with Receiver() as receiver:
        (answer,) = send(f"http://{host}:{receiver.port}/", allowed="10.0.0.0/8")
        assert answer.code == "address_refused"
        assert not receiver.got


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public at the first look and loopback at the second: there is no second look."""
    looks: list[str] = []

    def rebinding(host: str, port: int, *, type: int) -> list[object]:  # noqa: A002 - the socket module's name
        looks.append(host)
        address = "127.0.0.2" if len(looks) == 1 else "127.0.0.1"
        return [(socket.AF_INET, type, 6, "", (address, port))]

    monkeypatch.setattr(module.socket, "getaddrinfo", rebinding)
    with Receiver() as receiver:
        url = f"http://rebinding.example.com:{receiver.port}/"
        (refused,) = send(url, allowed="127.0.0.1/32")
        assert refused.code == "address_refused"
        assert not receiver.got
        looks.clear()
        (elsewhere,) = send(url, allowed="127.0.0.2/32")
        assert elsewhere.code == "no_connection", "the receiver listens on 127.0.0.1 alone"
        assert not receiver.got
        assert len(looks) == 1
        looks.append("as if before")
        assert send(url, allowed="127.0.0.1/32")[0].verdict is Verdict.DELIVERED
        assert receiver.got[0].headers["host"] == f"rebinding.example.com:{receiver.port}"


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with Receiver() as receiver:
        assert send(receiver.url)[0].verdict is Verdict.DELIVERED


def test_one_connection_serves_many_messages() -> None:
    with Receiver() as receiver:
        assert [each.verdict for each in send(receiver.url, times=5)] == [Verdict.DELIVERED] * 5
        assert len({got.headers["from-port"] for got in receiver.got}) == 1


def _raw(serve: Callable[[socket.socket], None]) -> str:
    """The URL of a server that takes one connection and does with it as it likes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        connection, _ = listener.accept()
        with listener, connection:
            connection.recv(65536)
            try:
                serve(connection)
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"
