"""Become a program that is killed when the thread that started it ends.

Run as a script, by path and in isolated mode: `python -I -S tether.py PARENT_PID PROGRAM [ARG...]`.
The tie is made here, in the child and after its own exec, and not in a hook between fork and exec: no
Python code then runs in the forked copy of a process with several threads, where a lock may be held by a
thread that the copy does not have. The tie outlives the exec below, and so does the process id.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CANNOT_START = 127  # what a shell exits with when it cannot start a command


def main() -> None:
    """Tie this process to its parent, then replace it by the program (never returns)."""
    parent_pid, argv = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"cannot tie {argv[0]} to its supervisor: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent_pid:  # the parent ended before the tie was made: no signal will come
        sys.exit(f"{argv[0]} is not started: its supervisor, pid {parent_pid}, has ended")
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):  # an ignored signal stays so across exec
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - the supervisor's own list, no shell
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[0]}: {error.strerror}\n")
        sys.exit(_CANNOT_START)


if __name__ == "__main__":
    main()
