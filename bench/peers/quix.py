"""Quix Streams as both of its peers set it up: exactly once, without state, tuned for throughput."""

from __future__ import annotations

from typing import Any

import quixstreams

from bench.peers.options import Options

CONSUMER: dict[str, Any] = {"fetch.queue.backoff.ms": 5}
"""As ours. Larger queues and no statistics were tried, and are within the spread."""
PRODUCER: dict[str, Any] = {
    "linger.ms": 50,
    "delivery.report.only.error": True,  # offsets of what was delivered are for changelogs, and there are none
}
"""Batches that wait longer: with the core, 40 us of the broker's CPU a contact, not 92 with librdkafka's 5 ms.
The end of a transaction does not wait for them."""


def application(options: Options, commit_seconds: float) -> quixstreams.Application:
    """Return an application without topics; SIGTERM ends its `run`."""
    return quixstreams.Application(
        broker_address=options.bootstrap,
        consumer_group=options.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=commit_seconds,
        use_changelog_topics=False,
        auto_create_topics=False,
        state_dir=options.data / "state",
        loglevel="WARNING",
        consumer_extra_config=dict(CONSUMER),
        producer_extra_config=dict(PRODUCER),
    )
