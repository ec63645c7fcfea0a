"""Quix Streams as a pass-through: bytes in, bytes out, exactly once, no work.

One Python thread is the limit: 15 us of its CPU a record, all of it Quix's own steps for each record, so settings move
little. Records/s over 400,000, medians of three, in two rounds on a busy machine, the second the busier:

    commits each 0.5 s (taken)                          63,300   63,400
    commits each 0.1 s                                  59,700   57,900   (each second, one run: 62,500)
    delivery reports of errors alone (taken: less work) 62,100   56,600
    these, and no garbage collection                    61,800   53,000
    these, and lz4                                      66,900   46,200
    these, and a linger of 50 ms (taken)                64,100   56,900   (beside it, as it comes: 61,600   50,800)

What becomes visible comes in steps of a commit, 30,000 records: measure it over some ten commits at least.
"""

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
