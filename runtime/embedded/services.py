"""Kafka and Redis together."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from runtime.embedded.jars import Progress, show_progress
from runtime.embedded.kafka import EmbeddedKafka
from runtime.embedded.redis import EmbeddedRedis


class EmbeddedServices:
    """Both services, each in its own folder below `folder`: started, and stopped, at the same time."""

    def __init__(self, folder: Path, *, progress: Progress = show_progress) -> None:
        self.kafka = EmbeddedKafka(folder / "kafka", progress=progress)
        self.redis = EmbeddedRedis(folder / "redis")

    def start(self) -> None:
        """Return when both answer.

        Raises:
            EmbeddedError: One of them did not come up; then neither runs.
        """
        try:
            self.redis.launch()
            self.kafka.start()
            self.redis.await_ready()
        except BaseException:
            self.kafka.kill()
            self.redis.kill()
            raise

    def stop(self) -> None:
        """End both in order, by force after a bound."""
        self.kafka.request_stop()
        self.redis.request_stop()
        self.redis.await_stopped()
        self.kafka.await_stopped()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()
