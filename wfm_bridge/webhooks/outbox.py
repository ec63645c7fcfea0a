"""What the sender writes to Kafka: dead letters, receivers that are gone, alerts. Each until the broker has it."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from runtime.errors import KafkaUnavailableError
from runtime.kafka import Writer
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.envelope import Envelope, Packed
from schemas.topics import Effect

log = logging.getLogger(__name__)

_FLUSH_SECONDS = 10.0
_RETRY_SECONDS = 1.0


class Outbox:
    """A writer in a thread of its own, for all subscriptions: what is written here is rare."""

    def __init__(self, settings: Settings, source: str) -> None:
        self._writer = Writer(settings, source)
        self._envelope = Envelope(Codec(), source)
        self._thread = ThreadPoolExecutor(1, "outbox")

    async def write(self, packed: Packed) -> None:
        """Return when the broker has a record, however long that takes."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._thread, self._written, packed)
            except KafkaUnavailableError as problem:
                log.warning("a record for %s is written again: %s", packed.topic, problem)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def say(self, effect: Effect) -> None:
        """Return when the broker has an event."""
        await self.write(self._envelope.pack(effect))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _written(self, packed: Packed) -> None:
        self._writer.write_packed(packed)
        self._writer.flush(_FLUSH_SECONDS)
