"""What a supervisor runs, when it gives a program up, and what it tells about it."""

from __future__ import annotations

import dataclasses
import enum
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runtime.errors import SupervisorError

DEATHS_TO_FAIL = 5  # these two are the promise: after five deaths a minute a service stays down
DEATH_WINDOW_SECONDS = 60.0
_DELAY_PER_DEATH_SECONDS = 0.2  # the fourth restart waits 3 * 0.2 = 0.6 s: 0.4 s of the promised second are left
_READY_ANSWER_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """What runs in one slot of a service.

    `env` is the whole environment: nothing is inherited. stdout and stderr are appended to `log`. `ready` is
    asked again and again from the caller's thread and has to answer within about a second; None means ready
    as soon as started.
    """

    name: str
    slot: int
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    ready: Callable[[], bool] | None = None

    @property
    def title(self) -> str:
        """Return the name and the slot, as in `router/0`."""
        return f"{self.name}/{self.slot}"


class NoticeKind(enum.StrEnum):
    """What happened to a program."""

    STARTED = "started"
    READY = "ready"
    DIED = "died"
    RESTARTED = "restarted"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclasses.dataclass(frozen=True, slots=True)
class Notice:
    """One event, with a sentence for people.

    `pid` is None where no process came to be. `exit_code` is negative for a signal (-9: SIGKILL) and None
    where no process ended.
    """

    kind: NoticeKind
    name: str
    slot: int
    pid: int | None
    exit_code: int | None
    sentence: str


def restart_delay_seconds(deaths: Sequence[float], now: float) -> float | None:
    """Return how long to wait before a restart, or None when the program is not to be restarted.

    Args:
        deaths: seconds on a monotonic clock of the deaths so far, the one in question included.
        now: seconds on the same clock.
    """
    recent = sum(1 for died_at in deaths if now - died_at < DEATH_WINDOW_SECONDS)
    if recent >= DEATHS_TO_FAIL:
        return None
    return _DELAY_PER_DEATH_SECONDS * max(0, recent - 1)


def http_ready(url: str) -> Callable[[], bool]:
    """Return a question to a service: does `/readyz` answer 200 within a second?

    Args:
        url: the service's address, such as `http://127.0.0.1:8080`.

    Raises:
        SupervisorError: the address is not an http one.
    """
    if not url.startswith(("http://", "https://")):
        raise SupervisorError(f"{url!r} cannot be asked for readiness: give an address such as http://127.0.0.1:8080")
    address = url.rstrip("/").removesuffix("/readyz") + "/readyz"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not know our loopback

    def ready() -> bool:
        try:
            with opener.open(address, timeout=_READY_ANSWER_SECONDS) as answer:
                return bool(answer.status == http.HTTPStatus.OK)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return False
        except (OSError, http.client.HTTPException):
            return False

    return ready
