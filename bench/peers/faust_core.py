"""The router's core as a Faust agent, at least once: Faust's default, and its best case.

Before it commits offsets Faust waits for all that was sent, so the agent need not wait for its sends. (One that fails
for good is not repeated; to see to that, the agent would have to wait.)

What was tried, in the order in which it was added: contacts/s and microseconds of the process's CPU a contact (of
them the core 27), medians of two runs to the line, of three below it. The machine was busy: runs of a setting lie
20 % apart.

    event by event, the core stepping one at a time          1,264   761
    take_events(500), topic.send                             2,602   382   (topic.send_soon: 2,440)
    take_events(500), app.producer.send                      5,050   200
    ------------------------------------------------------
    aiokafka's DEBUG records, one a send, are not made       5,005   191   (one of the runs: 6,901)
    one hash for the three records of a contact              5,434   184
    uvloop, where it is installed                            7,181   139
    no sensor calls for each record                          7,097   130

Of no gain: gathering the sends' futures; 250, 1,000 or 2,000 events a take; no linger, or 100 ms; 5,000 records a
poll with a larger stream buffer. A buffer of our own with acknowledgements by hand: 1,709. Batches of 16 KiB, the
default, instead of 256 KiB: 4,958, and three times the broker's CPU.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from typing import Any

import faust

from bench.peers.core import OUTPUTS, Core
from bench.peers.options import Options, read_options
from runtime.partitioner import partition_of

TAKE_RECORDS = 500
TAKE_SECONDS = 0.1
SETTINGS: dict[str, Any] = {
    "cython_optimizations": True,
    "producer_linger": 0.01,
    "producer_max_batch_size": 262_144,
    "broker_max_poll_records": 1_000,
}


def application(options: Options, core: Core) -> Any:
    """Return the app with its one agent, ready for a worker."""
    app = faust.App(
        options.group,
        broker=f"kafka://{options.bootstrap}",
        consumer_auto_offset_reset="earliest",
        datadir=str(options.data / "faust"),
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        reply_create_topic=False,
        monitor=_QuietMonitor(),
        producer_partitioner=_partition,
        **SETTINGS,
    )
    offered = app.topic(options.offered, key_type=bytes, key_serializer="raw", value_type=bytes, value_serializer="raw")
    names = {name: options.topic(name) for name in OUTPUTS}

    async def route(stream: Any) -> None:
        send = app.producer.send
        async for events in stream.take_events(TAKE_RECORDS, within=TAKE_SECONDS):
            records = [core.record(e.message.partition, e.message.offset, e.key, e.value) for e in events]
            for packed in core.step(records):
                # Returns once the record is in its batch.
                await send(names[packed.topic], packed.key, packed.value, None, None, packed.headers)

    app.agent(offered, name="route")(route)
    return app


class _QuietMonitor(faust.Monitor):
    """Faust's monitor without what it notes of each record."""

    def on_message_in(self, *_: Any) -> None:
        """Note nothing."""

    def on_message_out(self, *_: Any) -> None:
        """Note nothing."""

    def on_stream_event_in(self, *_: Any) -> None:
        """Note nothing."""

    def on_stream_event_out(self, *_: Any) -> None:
        """Note nothing."""


def _partition(key: bytes, every: Sequence[int], _available: Sequence[int]) -> int:
    """Return Kafka's partition of a key: Faust hashes it anew for each of a contact's three records, this does not."""
    return every[partition_of(key, len(every))]


def main() -> None:
    """Run until SIGTERM."""
    options = read_options("faust_core", __doc__ or "", with_core=True)
    if importlib.util.find_spec("uvloop"):
        import mode.loop.uvloop  # noqa: F401, PLC0415 - makes it the event loop
    app = application(options, Core(options))
    worker = faust.Worker(app, loglevel="WARNING", redirect_stdouts=False)
    logging.disable(logging.INFO)  # mode lets aiokafka make a DEBUG record of each send, and drops it
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
