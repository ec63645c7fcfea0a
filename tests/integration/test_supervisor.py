"""Real child processes under a real supervisor: nothing here stands in for the system."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import os
import queue
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from runtime.errors import SupervisorError
from runtime.supervisor import Notice, NoticeKind, Program, Supervisor, http_ready

PATIENCE_SECONDS = 15.0
ROOT = Path(__file__).resolve().parents[2]
WAIT_FOREVER = "import signal; signal.pause()"


class Notices:
    """Receives what a supervisor reports, and waits for one kind."""

    def __init__(self) -> None:
        self.all: list[Notice] = []
        self._queue: queue.Queue[Notice] = queue.Queue()

    def __call__(self, notice: Notice) -> None:
        self.all.append(notice)
        self._queue.put(notice)

    def next(self, kind: NoticeKind) -> Notice:
        """Return the next notice of a kind; those before it are passed over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            notice = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            if notice.kind is kind:
                return notice

    def kinds(self, name: str) -> list[NoticeKind]:
        return [notice.kind for notice in self.all if notice.name == name]


def python(
    tmp_path: Path,
    name: str,
    code: str,
    slot: int = 0,
    *,
    ready: Callable[[], bool] | None = None,
    env: Mapping[str, str] | None = None,
) -> Program:
    argv = [sys.executable, "-I", "-S", "-c", textwrap.dedent(code)]
    return Program(name, slot, argv, env or {}, tmp_path / f"{name}-{slot}.log", ready)


def once_said(program: Program, words: str) -> Program:
    """Return the program, ready as soon as its log holds `words`."""
    return dataclasses.replace(program, ready=lambda: program.log.exists() and words in program.log.read_text())


@contextlib.contextmanager
def supervising(*programs: Program) -> Iterator[tuple[Supervisor, Notices]]:
    notices = Notices()
    supervisor = Supervisor(programs, notices)
    supervisor.start()
    try:
        yield supervisor, notices
    finally:
        supervisor.stop(timeout_seconds=0)


def exists(pid: int | None) -> bool:
    """Return whether a process is there, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


def test_a_program_runs_with_its_own_environment_and_session_and_its_log_is_appended_to(tmp_path: Path) -> None:
    code = "import os, sys; print('colour', os.environ['COLOUR'], 'HOME' in os.environ, file=sys.stderr, flush=True)"
    program = once_said(python(tmp_path, "router", f"{code}\n{WAIT_FOREVER}", env={"COLOUR": "blue"}), "colour")
    program.log.write_text("an earlier run\n")

    with supervising(program) as (supervisor, notices):
        pid = supervisor.pids()["router", 0]
        started = notices.next(NoticeKind.STARTED)
        supervisor.wait_ready(PATIENCE_SECONDS)
        assert os.getsid(pid) == os.getpgid(pid) == pid != os.getsid(0)

    assert program.log.read_text() == "an earlier run\ncolour blue False\n"
    assert started.pid == pid
    assert started.sentence == f"router/0 runs as pid {pid}; its log is {program.log}."


def test_a_program_killed_by_anyone_runs_again_in_its_slot_within_a_second(tmp_path: Path) -> None:
    programs = [python(tmp_path, "router", WAIT_FOREVER, slot) for slot in (0, 1)]

    with supervising(*programs) as (supervisor, notices):
        before = supervisor.pids()
        os.kill(before["router", 1], signal.SIGKILL)
        killed_at = time.monotonic()
        died, again = notices.next(NoticeKind.DIED), notices.next(NoticeKind.RESTARTED)
        pause_seconds = time.monotonic() - killed_at
        after = supervisor.pids()

    assert pause_seconds < 1.0
    assert (died.name, died.slot, died.pid, died.exit_code) == ("router", 1, before["router", 1], -signal.SIGKILL)
    assert died.sentence == "router/1 was killed by SIGKILL; it is started again at once."
    assert (again.name, again.slot, again.pid) == ("router", 1, after["router", 1])
    assert after["router", 1] != before["router", 1]
    assert after["router", 0] == before["router", 0]


def test_after_five_deaths_in_a_minute_a_program_stays_down_with_the_reason_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    broken = python(
        tmp_path, "broken", "import sys; print('warming up', flush=True); sys.exit('no broker at 127.0.0.1:1')"
    )
    sound = python(tmp_path, "sound", WAIT_FOREVER)

    with supervising(broken, sound) as (supervisor, notices):
        sound_pid = supervisor.pids()["sound", 0]
        failed = notices.next(NoticeKind.FAILED)
        reason = supervisor.failed["broken", 0]
        with pytest.raises(SupervisorError, match="no broker at"):
            supervisor.wait_ready(timeout_seconds=PATIENCE_SECONDS)
        assert supervisor.pids() == {("sound", 0): sound_pid}

    assert list(supervisor.failed) == [("broken", 0)]
    assert "died 5 times within 60 s, the last time it exited with code 1" in reason
    assert reason.endswith("warming up\n    no broker at 127.0.0.1:1")
    assert str(broken.log) in reason
    assert reason in failed.sentence
    assert "start again" in failed.sentence
    assert broken.log.read_text().count("no broker") == 5
    assert notices.kinds("broken").count(NoticeKind.DIED) == 5
    assert notices.kinds("broken").count(NoticeKind.RESTARTED) == 4
    assert notices.kinds("sound") == [NoticeKind.STARTED, NoticeKind.READY, NoticeKind.STOPPED]


def test_deaths_that_were_asked_for_are_not_held_against_a_program(tmp_path: Path) -> None:
    with supervising(python(tmp_path, "router", WAIT_FOREVER)) as (supervisor, notices):
        pids = []
        for _ in range(7):
            pids.append(supervisor.kill("router", 0))
            assert notices.next(NoticeKind.RESTARTED).pid == supervisor.pids()["router", 0]
        assert supervisor.failed == {}

    assert len(set(pids)) == 7
    assert [notice.pid for notice in notices.all if notice.kind is NoticeKind.DIED] == pids


def test_a_kill_of_what_does_not_run_says_what_does(tmp_path: Path) -> None:
    with (
        supervising(python(tmp_path, "router", WAIT_FOREVER)) as (supervisor, _),
        pytest.raises(SupervisorError, match="nothing to kill in clock/0; running now: router/0"),
    ):
        supervisor.kill("clock", 0)


def test_a_command_that_does_not_exist_fails_with_its_name(tmp_path: Path) -> None:
    program = Program("router", 0, ["/no/such/command"], {}, tmp_path / "router.log")

    with supervising(program) as (supervisor, notices):
        notices.next(NoticeKind.FAILED)
        assert "cannot start /no/such/command: No such file or directory" in supervisor.failed["router", 0]


def test_a_log_that_cannot_be_opened_counts_as_deaths_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    program = Program("router", 0, [sys.executable], {}, tmp_path / "file" / "router.log")
    sound = python(tmp_path, "sound", WAIT_FOREVER)

    with supervising(program, sound) as (supervisor, notices):
        assert notices.next(NoticeKind.FAILED).pid is None
        assert "could not be started" in supervisor.failed["router", 0]
        assert list(supervisor.pids()) == [("sound", 0)]


def test_a_stop_ends_all_and_kills_those_that_ignore_sigterm(tmp_path: Path) -> None:
    polite_code = """
        import signal, sys
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        print("set", flush=True)
        signal.pause()
    """
    stubborn_code = """
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("set", flush=True)
        while True:
            signal.pause()
    """
    polite = once_said(python(tmp_path, "polite", polite_code), "set")
    stubborn = once_said(python(tmp_path, "stubborn", stubborn_code), "set")

    with supervising(polite, stubborn) as (supervisor, notices):
        supervisor.wait_ready(PATIENCE_SECONDS)
        pids = supervisor.pids()
        supervisor.stop(timeout_seconds=0.3)
        stopped = {notice.name: notice for notice in notices.all if notice.kind is NoticeKind.STOPPED}
        count = len(notices.all)
        supervisor.stop(timeout_seconds=0.3)

    assert stopped["polite"].exit_code == 7
    assert stopped["polite"].sentence == "polite/0 has stopped: it exited with code 7."
    assert stopped["stubborn"].exit_code == -signal.SIGKILL
    assert "did not end on SIGTERM in time and was killed by SIGKILL" in stopped["stubborn"].sentence
    assert supervisor.pids() == {}
    assert not any(exists(pid) for pid in pids.values())
    assert len(notices.all) == count, "the second stop did something"


def test_a_stop_between_a_death_and_the_restart_starts_nothing_more(tmp_path: Path) -> None:
    with supervising(python(tmp_path, "router", "import sys; sys.exit(3)")) as (supervisor, notices):
        while "in 0." not in notices.next(NoticeKind.DIED).sentence:  # the restarts after the first one wait
            pass
        supervisor.stop()

    assert supervisor.pids() == {}
    assert notices.all[-1].kind is NoticeKind.DIED


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = f"""
        import sys, signal
        from pathlib import Path
        from runtime.supervisor import Program, Supervisor
        ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        stubborn = ignore + "print('up', flush=True); signal.pause()"
        argv = [sys.executable, "-I", "-S", "-c", stubborn]
        def program(slot):
            log = Path({str(tmp_path)!r}) / f"{{slot}}.log"
            return Program("stubborn", slot, argv, {{}}, log, lambda: log.exists() and "up" in log.read_text())
        supervisor = Supervisor([program(0), program(1)], lambda notice: None)
        supervisor.start()
        supervisor.wait_ready({PATIENCE_SECONDS})
        print(*supervisor.pids().values(), flush=True)
        signal.pause()
    """
    argv = [sys.executable, "-c", textwrap.dedent(script)]
    with (
        contextlib.ExitStack() as cleanup,
        subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner,
    ):
        cleanup.callback(owner.kill)
        assert owner.stdout is not None
        children = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(children) == 2
        pidfds = [os.pidfd_open(pid) for pid in children]
        for pidfd in pidfds:
            cleanup.callback(os.close, pidfd)
        assert select.select(pidfds, [], [], 0.2)[0] == [], "a child ended before its supervisor was killed"

        owner.kill()

        ended = [bool(select.select([pidfd], [], [], PATIENCE_SECONDS)[0]) for pidfd in pidfds]
        for pidfd, has_ended in zip(pidfds, ended, strict=True):
            if not has_ended:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert ended == [True, True]


def test_a_program_whose_supervisor_has_gone_before_it_was_tied_does_not_start(tmp_path: Path) -> None:
    tether = ROOT / "runtime" / "tether.py"
    gone_pid = os.getppid()  # any process that is not the parent of the one started here
    argv = [sys.executable, "-I", "-S", str(tether), str(gone_pid), "touch", str(tmp_path / "made")]

    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "touch is not started" in done.stderr
    assert not (tmp_path / "made").exists()


def test_readiness_waits_for_every_program_and_is_told_once_each(tmp_path: Path) -> None:
    quick, asked_of_slow = python(tmp_path, "quick", WAIT_FOREVER), iter([False, False, False, True])
    slow = python(tmp_path, "slow", WAIT_FOREVER, ready=lambda: next(asked_of_slow))

    with supervising(quick, slow) as (supervisor, notices):
        supervisor.wait_ready(PATIENCE_SECONDS)
        assert [notice.name for notice in notices.all if notice.kind is NoticeKind.READY] == ["quick", "slow"]
        supervisor.wait_ready(PATIENCE_SECONDS)
        assert notices.kinds("slow") == [NoticeKind.STARTED, NoticeKind.READY]
        assert next(asked_of_slow, None) is None


def test_a_program_that_is_never_ready_is_named_with_its_log(tmp_path: Path) -> None:
    idle = python(tmp_path, "idle", WAIT_FOREVER, ready=lambda: False)

    with (
        supervising(idle, python(tmp_path, "sound", WAIT_FOREVER)) as (supervisor, _),
        pytest.raises(SupervisorError, match=r"^not ready after 0\.2 s: idle/0 \(log: .*idle-0\.log\)"),
    ):
        supervisor.wait_ready(timeout_seconds=0.2)


def test_run_until_tells_that_a_restarted_program_is_ready_and_stops_all_at_the_event(tmp_path: Path) -> None:
    with supervising(python(tmp_path, "router", WAIT_FOREVER)) as (supervisor, notices):
        supervisor.wait_ready(PATIENCE_SECONDS)
        first = notices.next(NoticeKind.READY)
        stop = threading.Event()
        runner = threading.Thread(target=supervisor.run_until, args=(stop,))
        runner.start()
        supervisor.kill("router", 0)
        second = notices.next(NoticeKind.READY)
        stop.set()
        runner.join(PATIENCE_SECONDS)

    assert not runner.is_alive()
    assert first.pid != second.pid
    assert notices.all[-1].kind is NoticeKind.STOPPED
    assert notices.all[-1].exit_code == -signal.SIGTERM


def test_ctrl_c_in_run_until_stops_everything(tmp_path: Path) -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    with supervising(python(tmp_path, "router", WAIT_FOREVER, ready=interrupted)) as (supervisor, notices):
        with pytest.raises(KeyboardInterrupt):
            supervisor.run_until(threading.Event())
        assert supervisor.pids() == {}
        assert notices.all[-1].kind is NoticeKind.STOPPED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_report_that_raises_ends_everything_and_is_named(tmp_path: Path) -> None:
    pids = []

    def report(notice: Notice) -> None:
        pids.append(notice.pid)
        raise OSError("the terminal has gone")

    supervisor = Supervisor([python(tmp_path, "router", WAIT_FOREVER)], report)
    supervisor.start()

    with pytest.raises(SupervisorError, match="the terminal has gone"):
        supervisor.run_until(threading.Event())
    assert len(pids) == 1
    assert not exists(pids[0])
    supervisor.stop()


def test_neither_zombies_nor_descriptors_are_left(tmp_path: Path) -> None:
    def open_descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted with its own descriptor, both times

    before = open_descriptors()
    with supervising(python(tmp_path, "router", WAIT_FOREVER), python(tmp_path, "clock", "1 / 0")) as (
        supervisor,
        notices,
    ):
        supervisor.kill("router", 0)
        notices.next(NoticeKind.FAILED)
        supervisor.stop()

    pids = {notice.pid for notice in notices.all if notice.pid is not None}
    assert len(pids) == 7, "two of the router and five of the clock"
    assert not any(exists(pid) for pid in pids)
    assert open_descriptors() == before


def test_an_idle_supervisor_does_not_poll(tmp_path: Path) -> None:
    with supervising(python(tmp_path, "router", WAIT_FOREVER)):
        (thread,) = (each for each in threading.enumerate() if each.name == "supervisor")
        status = Path(f"/proc/self/task/{thread.native_id}/status")

        def switches() -> int:
            (line,) = (line for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt"))
            return int(line.split()[1])

        select.select([], [], [], 0.1)
        before = switches()
        select.select([], [], [], 0.5)
        assert switches() - before <= 2


def test_misuse_is_refused_with_the_remedy(tmp_path: Path) -> None:
    program = python(tmp_path, "router", WAIT_FOREVER)

    with pytest.raises(SupervisorError, match="two programs are router/0"):
        Supervisor([program, program], Notices())
    with pytest.raises(SupervisorError, match="router/0 has no command"):
        Supervisor([Program("router", 0, [], {}, tmp_path / "log")], Notices())
    unstarted = Supervisor([program], Notices())
    with pytest.raises(SupervisorError, match="start"):
        unstarted.wait_ready(1.0)
    unstarted.stop()
    with supervising(program) as (supervisor, _), pytest.raises(SupervisorError, match="make a new one"):
        supervisor.start()


class _Readiness(http.server.BaseHTTPRequestHandler):
    answers: Mapping[str, int]

    def do_GET(self) -> None:
        self.send_response(self.server.answers.get(self.path, 404))  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


def test_http_ready_is_true_for_a_200_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Readiness) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        answers = {}
        for status in (503, 404, 204, 200):
            server.answers = {"/readyz": status}  # type: ignore[attr-defined]
            answers[status] = http_ready(address)()
        with_slash = http_ready(address + "/")()
        server.shutdown()
        thread.join()

    assert answers == {503: False, 404: False, 204: False, 200: True}
    assert with_slash
    assert not http_ready(address)(), "nobody listens any more"
    with pytest.raises(SupervisorError, match="give an address"):
        http_ready("127.0.0.1:8080")
