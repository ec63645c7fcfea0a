"""Redis: what may be lost, or is shared and approximate. Its absence is an answer, not an error."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import redis

from runtime.settings import Settings

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 0.25
_RETRY_SECONDS = 1.0


class FirstSeen:
    """Remembers the first value given for a key, for all processes, for a time."""

    def __init__(self, settings: Settings, kind: str, keep_seconds: int) -> None:
        self._client = redis.Redis.from_url(
            settings.redis_url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            decode_responses=True,
        )
        self._prefix = f"{settings.prefix}{kind}:"
        self._keep_seconds = keep_seconds
        self._down_until = 0.0

    def first(self, keys: Sequence[str], values: Sequence[str]) -> list[str] | None:
        """Return, for each key, the value that came first (its own where it is new); None without Redis.

        A store that failed is left alone for a second, so that a batch is not held up by it.
        """
        if not keys:
            return []
        if time.monotonic() < self._down_until:
            return None
        names = [self._prefix + key for key in keys]
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for name, value in zip(names, values, strict=True):
                    pipeline.set(name, value, nx=True, ex=self._keep_seconds)
                pipeline.mget(names)
                found: list[str | None] = pipeline.execute()[-1]
        except redis.RedisError as problem:
            log.warning("Redis does not answer: %s; contacts go on without it", problem)
            self._down_until = time.monotonic() + _RETRY_SECONDS
            return None
        return [seen if seen is not None else value for seen, value in zip(found, values, strict=True)]
