"""Redis: what may be lost, or is shared and approximate. Its absence is an answer, not an error."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from runtime.settings import Settings

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 0.25
_RETRY_SECONDS = 1.0


class Script:
    """A Lua script. It must never answer nil: that is how a store that is away shows."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha1 = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """Runs scripts on a connection of its own, each in two halves: `send`, then `answer`. One at a time.

    Scripts are run again when a connection breaks before they answer, so each must do the same when run twice.
    A store that failed is left alone for `rest_seconds`, so that batches are not held up. `quiet`: who asks says
    themselves that it is away, and by `problem` why.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        rest_seconds: float = _RETRY_SECONDS,
        quiet: bool = False,
    ) -> None:
        self._client = redis.Redis.from_url(
            settings.redis_url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),  # no contact waits while a store that is away is tried again
        )
        self._rest_seconds = rest_seconds
        self._quiet = quiet
        self._down_until = 0.0
        self._connection: Any = None
        self._sent: tuple[Script, tuple[str | bytes | int, ...]] | None = None
        self.problem = ""

    def send(self, script: Script, keys: Sequence[str], *values: str | bytes | int) -> None:
        """Send a script with its keys and values. Does not wait; what was sent before and not answered is forgotten."""
        if self._sent is not None:  # its answer would be taken for that of this one
            self.answer()
        if time.monotonic() < self._down_until:
            return
        self._sent = script, (len(keys), *keys, *values)
        try:
            if self._connection is None:
                self._connection = self._client.connection_pool.get_connection()
            self._connection.send_command("EVALSHA", script.sha1, *self._sent[1], check_health=False)
        except redis.RedisError as problem:
            self._failed(problem)

    def answer(self) -> Any:
        """Return what the script that was sent last answered; None without Redis, or where nothing was sent."""
        if self._sent is None:
            return None
        (script, asked), self._sent = self._sent, None
        try:
            return self._answer(script, asked)
        except redis.RedisError as problem:
            self._failed(problem)
            return None

    def _answer(self, script: Script, asked: tuple[str | bytes | int, ...]) -> Any:
        try:
            return self._connection.read_response()
        except (redis.exceptions.NoScriptError, redis.ConnectionError):
            # The first time, or Redis was restarted since. What the first try has done is found and done again.
            self._connection.send_command("EVAL", script.text, *asked)
            return self._connection.read_response()

    def _failed(self, problem: redis.RedisError) -> None:
        self.problem = str(problem)
        if not self._quiet:
            log.warning("Redis does not answer: %s; contacts go on without it", problem)
        self._down_until = time.monotonic() + self._rest_seconds
        self._sent = None
        connection, self._connection = self._connection, None
        if connection is not None:  # an answer may be under way on it: it is of no more use
            connection.disconnect()
            self._client.connection_pool.release(connection)


# KEYS: names; ARGV: seconds to keep, then a value for each name. Answers with index, value, index, value, ...
# of the names that had another value already. (SET with NX and GET together needs Redis 7.)
_FIRST_SEEN = Script("""
local others = {}
for i = 1, #KEYS do
  if not redis.call('SET', KEYS[i], ARGV[i + 1], 'NX', 'EX', ARGV[1]) then
    local seen = redis.call('GET', KEYS[i])
    if seen and seen ~= ARGV[i + 1] then
      others[#others + 1] = i - 1
      others[#others + 1] = seen
    end
  end
end
return others
""")


class FirstSeen:
    """Remembers the first value given for a key, for all processes, for a time.

    In two halves, so that the caller can work while Redis does: `ask`, then `others`. One command a batch;
    its cost here is to write the names (0.2 us each by hiredis, where a pipeline of SETs took 6 us).
    """

    def __init__(self, settings: Settings, kind: str, keep_seconds: int) -> None:
        self._scripts = Scripts(settings)
        self._prefix = f"{settings.prefix}{kind}:"
        self._keep_seconds = keep_seconds

    def ask(self, keys: Sequence[str], values: Sequence[str]) -> None:
        """Send a question: which of these keys had another value before? Does not wait."""
        self._scripts.send(_FIRST_SEEN, [self._prefix + key for key in keys], self._keep_seconds, *values)

    def others(self) -> dict[int, str] | None:
        """Return, for what was asked last, index -> the value that came first, where it was another one.

        None without Redis.
        """
        answer = self._scripts.answer()
        return None if answer is None else dict(zip(answer[::2], answer[1::2], strict=True))
