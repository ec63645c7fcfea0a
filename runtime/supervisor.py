"""Runs programs, each its own process in a stable slot, and starts them again when they die.

One thread owns every child: it starts them, sleeps until a pidfd or a request (an eventfd) wakes it, and
reaps. Children are tied to that thread, so none outlives the supervisor, not even one that gets SIGKILL.
The caller's thread asks whether programs are ready, so that a slow answer never delays a restart.
"""

from __future__ import annotations

import dataclasses
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from runtime.child import Child, describe_exit, start_child
from runtime.errors import SupervisorError
from runtime.programs import (
    DEATH_WINDOW_SECONDS,
    DEATHS_TO_FAIL,
    Notice,
    NoticeKind,
    Program,
    http_ready,
    restart_delay_seconds,
)

__all__ = ["Notice", "NoticeKind", "Place", "Program", "Supervisor", "http_ready"]

_READY_POLL_SECONDS = 0.1
_IDLE_POLL_SECONDS = 0.5  # how soon run_until sees that a program was started again and has to be asked

Place: TypeAlias = tuple[str, int]
"""A program's name and slot."""


@dataclasses.dataclass(slots=True)
class _Seat:
    """A place and who sits in it now."""

    program: Program
    child: Child | None = None
    ready: bool = False
    killed: bool = False  # by us, on request or in stop()
    deaths: list[float] = dataclasses.field(default_factory=list)  # those that count, within the window
    died_at: float | None = None
    restart_at: float | None = None
    failure: str | None = None


class Supervisor:
    """Runs programs until told to stop.

    `report` is called with each notice, one call at a time, from the supervising thread or (READY only) from
    the one in `wait_ready` or `run_until`. It has to return soon and must not call `stop`. When it raises,
    everything is killed.

    Raises:
        SupervisorError: two programs share a place, or one has nothing to run.
    """

    def __init__(self, programs: Sequence[Program], report: Callable[[Notice], None]) -> None:
        self._seats: dict[Place, _Seat] = {}
        for program in programs:
            if not program.argv:
                raise SupervisorError(f"{program.title} has no command: give its argv")
            if (program.name, program.slot) in self._seats:
                raise SupervisorError(f"two programs are {program.title}: give each a slot of its own")
            self._seats[program.name, program.slot] = _Seat(program)
        self._report = report
        self._report_lock = threading.RLock()
        self._lock = threading.Lock()  # guards the seats, and that a descriptor in use is not closed
        self._thread: threading.Thread | None = None
        self._wake_fd: int | None = None
        self._launched = threading.Event()
        self._gave_up = threading.Event()
        self._kill_at: float | None = None  # None: no stop was asked for
        self._breakdown: BaseException | None = None

    @property
    def failed(self) -> dict[Place, str]:
        """Return the programs that are not restarted any more, each with the reason."""
        with self._lock:
            return {place: seat.failure for place, seat in self._seats.items() if seat.failure is not None}

    def pids(self) -> dict[Place, int]:
        """Return the process id of each program that runs now."""
        with self._lock:
            return {place: seat.child.pid for place, seat in self._seats.items() if seat.child is not None}

    def start(self) -> None:
        """Start every program, in the order given; return when each was started once.

        Raises:
            SupervisorError: started before; a supervisor runs once.
        """
        if self._thread is not None:
            raise SupervisorError("this supervisor was started before: make a new one")
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # A daemon: a caller that ends without stop() shall not hang, and the tie ends the children.
        self._thread = threading.Thread(target=self._supervise, args=(self._wake_fd,), name="supervisor", daemon=True)
        self._thread.start()
        self._launched.wait()

    def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until every program is ready.

        Raises:
            SupervisorError: a program failed or is not ready in time (the others are left running), or nothing
                is supervised.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            self._check_alive()
            unready = self._ask_ready()
            if failed := self.failed:
                raise SupervisorError("; ".join(f"{name}/{slot}: {reason}" for (name, slot), reason in failed.items()))
            if not unready:
                return
            remaining_seconds = deadline - time.monotonic()
            if remaining_seconds <= 0:
                late = ", ".join(f"{program.title} (log: {program.log})" for program in unready)
                raise SupervisorError(f"not ready after {timeout_seconds:g} s: {late}; the logs should say why")
            self._gave_up.wait(min(_READY_POLL_SECONDS, remaining_seconds))

    def run_until(self, stop: threading.Event, stop_timeout_seconds: float = 10.0) -> None:
        """Run until `stop` is set, `stop()` is called or an exception (Ctrl-C) arrives; then stop everything.

        Meanwhile tells when programs that were started again are ready.

        Raises:
            SupervisorError: not started, or the supervising thread broke down.
        """
        try:
            while not stop.is_set() and self._kill_at is None:
                self._check_alive()
                stop.wait(_READY_POLL_SECONDS if self._ask_ready() else _IDLE_POLL_SECONDS)
        finally:
            self.stop(stop_timeout_seconds)

    def kill(self, name: str, slot: int) -> int:
        """Send SIGKILL to the program in a place, as chaos tests do; return the pid that was hit.

        It is started again as after any death, but the death is no fault of the program's and is not held
        against it.

        Raises:
            SupervisorError: no such place, or nothing runs in it now.
        """
        with self._lock:
            seat = self._seats.get((name, slot))
            if seat is None or seat.child is None:
                running = ", ".join(each.program.title for each in self._seats.values() if each.child is not None)
                raise SupervisorError(f"nothing to kill in {name}/{slot}; running now: {running or 'nothing'}")
            seat.child.send(signal.SIGKILL)
            seat.killed = True
            return seat.child.pid

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """SIGTERM all, last started first; SIGKILL what is left at the timeout; return when all have ended.

        Harmless when repeated or before a start; a second call can only shorten the timeout. Not for a signal
        handler: there, raise, or set the event of `run_until`.
        """
        if self._thread is None:
            return
        with self._lock:
            kill_at = time.monotonic() + timeout_seconds
            self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
            if self._wake_fd is not None:
                os.eventfd_write(self._wake_fd, 1)
        self._thread.join()

    def _check_alive(self) -> None:
        if self._breakdown is not None:
            raise SupervisorError(f"the supervisor broke down and killed all: {self._breakdown!r}") from self._breakdown
        if self._thread is None or not self._thread.is_alive():
            raise SupervisorError("nothing is supervised: start() was not called yet, or stop() was")

    def _ask_ready(self) -> list[Program]:
        """Ask those that were not ready yet; return those that still are not, failed ones apart."""
        with self._lock:
            asked = [(seat, seat.child) for seat in self._seats.values() if not seat.ready and seat.failure is None]
        unready = []
        for seat, child in asked:
            program = seat.program
            if child is None or (program.ready is not None and not program.ready()):
                unready.append(program)
                continue
            with self._lock:
                seat.ready = seat.child is child  # the one that answered may have died since
                answered = seat.ready
            if answered:
                self._tell(seat, NoticeKind.READY, f"{program.title} is ready.", child.pid)
            else:
                unready.append(program)
        return unready

    def _tell(
        self, seat: _Seat, kind: NoticeKind, sentence: str, pid: int | None = None, exit_code: int | None = None
    ) -> None:
        with self._report_lock:
            self._report(Notice(kind, seat.program.name, seat.program.slot, pid, exit_code, sentence))

    # From here on all is the supervising thread's.

    def _supervise(self, wake_fd: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(wake_fd, selectors.EVENT_READ)
            try:
                self._run(selector)
            except BaseException as error:
                self._breakdown = error
                raise
            finally:
                self._close(selector, wake_fd)

    def _run(self, selector: selectors.BaseSelector) -> None:
        for seat in self._seats.values():
            self._launch(seat, selector)
        self._launched.set()
        while self._kill_at is None:
            due = [seat.restart_at for seat in self._seats.values() if seat.restart_at is not None]
            for seat in self._sleep(selector, min(due, default=None)):
                child, code = self._bury(seat, selector)
                self._after_death(seat, child, code, describe_exit(code))
            for seat in self._seats.values():
                if seat.restart_at is not None and seat.restart_at <= time.monotonic():
                    self._launch(seat, selector)
        self._end_all(selector)

    def _end_all(self, selector: selectors.BaseSelector) -> None:
        for seat in reversed(self._seats.values()):
            if seat.child is not None:
                seat.child.send(signal.SIGTERM)
        while left := [seat for seat in self._seats.values() if seat.child is not None]:
            late = self._kill_at is not None and time.monotonic() >= self._kill_at
            for seat in left:
                if late and seat.child is not None and not seat.killed:
                    seat.child.send(signal.SIGKILL)
                    seat.killed = True
            for seat in self._sleep(selector, None if late else self._kill_at):
                child, code = self._bury(seat, selector)
                unwilling = "did not end on SIGTERM in time and " if seat.killed else ""
                sentence = f"{seat.program.title} has stopped: it {unwilling}{describe_exit(code)}."
                self._tell(seat, NoticeKind.STOPPED, sentence, child.pid, code)

    def _sleep(self, selector: selectors.BaseSelector, until: float | None) -> list[_Seat]:
        """Sleep until a child ends, a request comes or the moment `until`; return the seats whose child ended."""
        ended = []
        for key, _ in selector.select(None if until is None else max(0.0, until - time.monotonic())):
            if key.data is None:
                os.eventfd_read(key.fd)
            else:
                ended.append(key.data)
        return ended

    def _launch(self, seat: _Seat, selector: selectors.BaseSelector) -> None:
        seat.restart_at = None
        program = seat.program
        try:
            child = start_child(program.argv, program.env, program.log)
        except OSError as error:  # a death like any other: the other programs go on
            self._after_death(seat, None, None, f"could not be started ({error})")
            return
        with self._lock:
            seat.child, seat.ready, seat.killed = child, False, False
        selector.register(child.pidfd, selectors.EVENT_READ, seat)
        if seat.died_at is None:
            sentence = f"{program.title} runs as pid {child.pid}; its log is {program.log}."
            self._tell(seat, NoticeKind.STARTED, sentence, child.pid)
        else:
            pause_seconds = time.monotonic() - seat.died_at
            sentence = f"{program.title} runs again as pid {child.pid}, {pause_seconds:.2f} s after it died."
            self._tell(seat, NoticeKind.RESTARTED, sentence, child.pid)

    def _bury(self, seat: _Seat, selector: selectors.BaseSelector) -> tuple[Child, int]:
        """Reap the child that has ended; return it and its exit code."""
        with self._lock:
            child = seat.child
            if child is None:
                raise SupervisorError(f"{seat.program.title} ended twice: report this as a defect")
            selector.unregister(child.pidfd)
            seat.child, seat.ready = None, False
            return child, child.reap()

    def _after_death(self, seat: _Seat, child: Child | None, code: int | None, how: str) -> None:
        """Tell of a death, and set the time of the restart or give the program up."""
        now = time.monotonic()
        seat.died_at = now
        if not (seat.killed and code == -signal.SIGKILL):
            seat.deaths = [*(at for at in seat.deaths if now - at < DEATH_WINDOW_SECONDS), now]
        delay_seconds = restart_delay_seconds(seat.deaths, now)
        title, pid = seat.program.title, None if child is None else child.pid
        if delay_seconds is None:
            self._tell(seat, NoticeKind.DIED, f"{title} {how}.", pid, code)
            self._give_up(seat, child, code, how)
            return
        seat.restart_at = now + delay_seconds
        when = f"in {delay_seconds:.1f} s" if delay_seconds else "at once"
        self._tell(seat, NoticeKind.DIED, f"{title} {how}; it is started again {when}.", pid, code)

    def _give_up(self, seat: _Seat, child: Child | None, code: int | None, how: str) -> None:
        program = seat.program
        last_lines = [] if child is None else child.last_lines()
        said = "; its last words:" + "".join(f"\n    {line}" for line in last_lines) if last_lines else ""
        often = f"{DEATHS_TO_FAIL} times within {DEATH_WINDOW_SECONDS:g} s"
        reason = f"died {often}, the last time it {how} (log: {program.log}){said}"
        with self._lock:
            seat.failure = reason
        self._gave_up.set()
        sentence = (
            f"{program.title} stays down, the others go on. Put right what its log complains of, then start again. "
            f"It {reason}"
        )
        self._tell(seat, NoticeKind.FAILED, sentence, None if child is None else child.pid, code)

    def _close(self, selector: selectors.BaseSelector, wake_fd: int) -> None:
        """Leave no child and no descriptor behind, also after a breakdown."""
        for seat in self._seats.values():
            if seat.child is not None:
                seat.child.send(signal.SIGKILL)
                self._bury(seat, selector)
        with self._lock:
            self._wake_fd = None
            os.close(wake_fd)
        self._launched.set()
