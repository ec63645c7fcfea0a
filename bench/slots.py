"""Several routers as one subject: `python -m bench.slots N COMMAND...` runs the command in the slots 0 to N - 1."""

from __future__ import annotations

import signal
import subprocess
import sys
import types


def main() -> None:
    """Run until SIGTERM, or until a process ends: then they all do."""
    count, command = int(sys.argv[1]), sys.argv[2:]
    processes = [subprocess.Popen([*command, "--slot", str(slot)]) for slot in range(count)]

    def end(_number: int, _frame: types.FrameType | None) -> None:
        for process in processes:
            process.terminate()

    signal.signal(signal.SIGTERM, end)
    processes[0].wait()
    end(signal.SIGTERM, None)
    sys.exit(max(process.wait() for process in processes))


if __name__ == "__main__":
    main()
