"""Quix Streams as a pass-through: bytes in, bytes out, exactly once, no work."""

from __future__ import annotations

from typing import Any

import quixstreams

from bench.peers.options import Options, read_options

COMMIT_SECONDS = 0.5
CONSUMER: dict[str, Any] = {}
PRODUCER: dict[str, Any] = {}


def application(options: Options) -> quixstreams.Application:
    """Return the topology, ready to run."""
    app = quixstreams.Application(
        broker_address=options.bootstrap,
        consumer_group=options.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=COMMIT_SECONDS,
        use_changelog_topics=False,
        auto_create_topics=False,
        state_dir=options.data / "state",
        loglevel="WARNING",
        consumer_extra_config=CONSUMER,
        producer_extra_config=PRODUCER,
    )
    offered = app.topic(options.offered, key_deserializer="bytes", value_deserializer="bytes")
    routed = app.topic(options.routed, key_serializer="bytes", value_serializer="bytes")
    app.dataframe(offered).to_topic(routed)
    return app


def main() -> None:
    """Run until SIGTERM."""
    application(read_options("quix_passthrough", __doc__ or "")).run()


if __name__ == "__main__":
    main()
