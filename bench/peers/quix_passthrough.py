"""Quix Streams as a pass-through: bytes in, bytes out, exactly once, no work."""

from __future__ import annotations

import quixstreams

from bench.peers.options import Options, read_options
from bench.peers.quix import application

COMMIT_SECONDS = 0.5


def dataframe(options: Options) -> quixstreams.Application:
    """Return the topology, ready to run."""
    app = application(options, COMMIT_SECONDS)
    offered = app.topic(options.offered, key_deserializer="bytes", value_deserializer="bytes")
    routed = app.topic(options.routed, key_serializer="bytes", value_serializer="bytes")
    app.dataframe(offered).to_topic(routed)
    return app


def main() -> None:
    """Run until SIGTERM."""
    dataframe(read_options("quix_passthrough", __doc__ or "")).run()


if __name__ == "__main__":
    main()
