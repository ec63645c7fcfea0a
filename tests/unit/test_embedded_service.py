"""The life of an embedded service, with a server of ten lines in the place of Kafka."""

from __future__ import annotations

import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.embedded.folder import LOOPBACK, choose_ports, is_free
from runtime.embedded.redis import EmbeddedRedis, find_server
from runtime.embedded.service import Service
from runtime.errors import EmbeddedError

SERVER = """
import signal, socket, sys
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = server.accept()
    connection.sendall(b"hello")
    connection.close()
"""
MUTE = "import signal; signal.pause()"


class Toy(Service):
    title = "Toy"
    port_names = ("toy", "other")
    stop_timeout_seconds = 0.5

    def __init__(self, folder: Path, port: int | None = None, program: str = SERVER, *options: str) -> None:
        super().__init__(folder, port, start_timeout_seconds=5.0)
        self.program, self.options = program, options

    def _prepare(self) -> Callable[[dict[str, int]], list[str]]:
        return lambda ports: [sys.executable, "-c", self.program, str(ports["toy"]), *self.options]

    def _probe(self, port: int) -> bool:
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
                return connection.recv(5) == b"hello"
        except OSError:
            return False


def answers(toy: Toy) -> bool:
    return toy._probe(toy.port)


def test_a_started_service_answers_and_a_stopped_one_is_gone(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "new" / "folder")
    with toy:
        assert answers(toy)
        assert toy.running
        assert os.getsid(toy.pid) == toy.pid, "a session of its own: the terminal's Ctrl-C does not reach it"
    assert not answers(toy)
    assert not toy.running
    assert toy.exit_code == 143
    with pytest.raises(EmbeddedError, match="start it first"):
        _ = toy.pid
    toy.stop()
    toy.kill()


def test_a_service_comes_back_at_the_same_port(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.start()
    port = toy.port
    toy.kill()
    assert toy.exit_code == -signal.SIGKILL
    toy.start()
    toy.stop()
    with Toy(tmp_path) as again:
        assert again.port == port


def test_a_service_that_does_not_mind_sigterm_is_killed_after_the_bound(tmp_path: Path) -> None:
    toy = Toy(tmp_path, None, SERVER, "stubborn")
    toy.start()
    toy.stop()
    assert toy.exit_code == -signal.SIGKILL


def test_a_frozen_service_gives_no_answer_until_resumed_and_can_be_stopped(tmp_path: Path) -> None:
    with Toy(tmp_path) as toy:
        toy.pause()
        with socket.create_connection((LOOPBACK, toy.port), timeout=0.2) as connection, pytest.raises(TimeoutError):
            connection.recv(5)
        toy.resume()
        assert answers(toy)
        toy.pause()
        toy.stop()
        assert toy.exit_code == 143


def test_a_folder_with_a_live_service_is_refused_to_others_and_to_itself(tmp_path: Path) -> None:
    with Toy(tmp_path) as toy:
        with pytest.raises(EmbeddedError, match=rf"in use by a live Toy \(process {toy.pid} on 127.0.0.1:{toy.port}"):
            Toy(tmp_path).start()
        with pytest.raises(EmbeddedError, match="runs already"):
            toy.start()
        assert answers(toy)


def test_a_service_that_died_by_itself_can_be_started_again(tmp_path: Path) -> None:
    with Toy(tmp_path) as toy:
        pid = toy.pid
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        toy.start()
        assert answers(toy)


def test_a_service_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    thread = threading.Thread(target=toy.start)
    thread.start()
    thread.join()
    pidfd = os.pidfd_open(toy.pid)
    ended, _, _ = select.select([pidfd], [], [], 0.3)
    os.close(pidfd)
    assert not ended
    assert answers(toy)
    toy.stop()


def test_a_program_that_ends_at_once_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    toy = Toy(tmp_path, None, "print('bad luck'); raise SystemExit(3)")
    with pytest.raises(EmbeddedError, match=r"(?s)exit code 3 .*toy\.log:\n  bad luck\nRemedy: read .*toy\.log"):
        toy.start()


def test_an_error_names_the_remedy_for_what_the_log_says(tmp_path: Path) -> None:
    toy = Toy(tmp_path, None, "raise SystemExit('java.io.IOException: No space left on device')")
    with pytest.raises(EmbeddedError, match="Remedy: free disk space"):
        toy.start()


def test_a_program_that_never_answers_is_killed_and_told(tmp_path: Path) -> None:
    toy = Toy(tmp_path, None, MUTE)
    toy._start_timeout_seconds = 0.3
    with pytest.raises(EmbeddedError, match=r"(?s)no answer within 0\.3 s.*\(nothing\)"):
        toy.start()
    assert not toy.running


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    class Absent(Toy):
        def _prepare(self) -> Callable[[dict[str, int]], list[str]]:
            return lambda _ports: ["/nowhere/kafka"]

    with pytest.raises(EmbeddedError, match="cannot start /nowhere/kafka"):
        Absent(tmp_path).start()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="check the path"):
        Toy(tmp_path / "file" / "folder").start()


def test_a_named_port_is_used_and_a_taken_one_is_refused(tmp_path: Path) -> None:
    port = choose_ports(tmp_path, ["any"], {})["any"]
    with Toy(tmp_path / "a", port) as toy:
        assert toy.port == port
        with pytest.raises(EmbeddedError, match=f"port {port} on 127.0.0.1 is taken"):
            Toy(tmp_path / "b", port).start()


def test_ports_stay_while_free_move_when_taken_and_differ(tmp_path: Path) -> None:
    first = choose_ports(tmp_path, ["a", "b"], {})
    assert len(set(first.values())) == 2
    assert choose_ports(tmp_path, ["a", "b"], {}) == first
    with socket.create_server((LOOPBACK, first["a"])):
        assert not is_free(first["a"])
        moved = choose_ports(tmp_path, ["a", "b"], {})
    assert moved["a"] != first["a"]
    assert moved["b"] == first["b"]


def test_chosen_ports_are_none_that_the_kernel_gives_to_outgoing_connections(tmp_path: Path) -> None:
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [choose_ports(tmp_path / str(n), ["a"], {})["a"] for n in range(50) if not (tmp_path / str(n)).mkdir()]
    assert max(ports) < lowest_outgoing


@pytest.mark.parametrize("content", ["", "{", "[]", '{"toy": "x"}'])
def test_a_damaged_note_of_ports_is_written_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "ports.json").write_text(content)
    assert choose_ports(tmp_path, ["toy"], {})["toy"] > 0


def test_redis_on_path_goes_before_the_wheel_s_and_valkey_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("valkey-server", "redis-server"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert find_server() == str(program)


def test_redis_answers_and_comes_back_at_the_same_url(tmp_path: Path) -> None:
    redis = EmbeddedRedis(tmp_path)
    with redis:
        url = redis.url
        assert redis._probe(redis.port)
    assert redis.exit_code == 0
    with redis:
        assert redis.url == url


OWNER = """
import pathlib, sys
from runtime.embedded import EmbeddedRedis
redis = EmbeddedRedis(pathlib.Path(sys.argv[1]))
redis.start()
print(redis.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None])
def test_a_service_ends_with_its_owner_however_that_ends(tmp_path: Path, end: signal.Signals | None) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        assert owner.stdout is not None
        assert owner.stdin is not None
        service = os.pidfd_open(int(owner.stdout.readline()))
        if end is not None:
            owner.send_signal(end)
        owner.stdin.close()
        ended, _, _ = select.select([service], [], [], 10)
        os.close(service)
        assert ended
