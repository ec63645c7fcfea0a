"""The router's core as a Faust agent, at least once."""

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
    logging.disable(logging.INFO)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
