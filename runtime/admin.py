"""Creates the topics of the registry."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from runtime.errors import KafkaUnavailableError
from runtime.kafka import MAX_DEAD_LETTER_BYTES, client_config, partitions_of
from runtime.settings import Settings
from schemas.topics import DAY_MS, SCHEMAS_NAME, TOPICS, Layout, Topic

_LISTED_SECONDS = 15.0
_LOOK_SECONDS = 0.05


def topic_specs(settings: Settings) -> list[NewTopic]:
    """Return every topic that Trunkline uses, dead letters included, as the broker wants them."""
    specs = [_new_topic(settings, SCHEMAS_NAME, 1, {"cleanup.policy": "compact"})]
    for topic in TOPICS:
        partitions = settings.keyed_partitions if topic.layout is Layout.KEYED else 1
        specs.append(_new_topic(settings, topic.name, partitions, _config(topic)))
        if topic.dead_letters:
            config = {"retention.ms": str(7 * DAY_MS), "max.message.bytes": str(MAX_DEAD_LETTER_BYTES)}
            specs.append(_new_topic(settings, topic.dead_letter_name, partitions, config))
    return specs


def _config(topic: Topic) -> dict[str, str]:
    if topic.compacted:
        return {"cleanup.policy": "compact"}
    return {"retention.ms": str(topic.retention_ms)}


def _new_topic(settings: Settings, name: str, partitions: int, config: dict[str, str]) -> NewTopic:
    return NewTopic(
        settings.topic(name), num_partitions=partitions, replication_factor=settings.replication, config=config
    )


def create_topics(settings: Settings, timeout_seconds: float = 30.0) -> tuple[list[str], list[str]]:
    """Create the topics that are missing; return (created, already there), by name on the broker.

    Raises KafkaUnavailableError where the broker does not answer or refuses one.
    """
    partitions_of(settings, ())  # says so soon, and with the remedy, where nobody answers
    admin = AdminClient(client_config(settings))
    specs = topic_specs(settings)
    try:
        futures = admin.create_topics(specs, operation_timeout=timeout_seconds, request_timeout=timeout_seconds)
    except KafkaException as problem:
        raise KafkaUnavailableError(f"Kafka at {settings.bootstrap} does not answer: {problem}") from problem
    created, present = [], []
    for name, future in futures.items():
        try:
            future.result()
        except KafkaException as problem:
            error = problem.args[0]
            if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise KafkaUnavailableError(
                    f"topic {name!r} could not be created on {settings.bootstrap}: {error.str()}"
                ) from problem
            present.append(name)
        else:
            created.append(name)
    _wait_until_listed(admin, created, settings)
    return created, present


def _wait_until_listed(admin: AdminClient, names: Sequence[str], settings: Settings) -> None:
    """Return when the broker names these topics to clients: it learns of them from the controller a moment later."""
    deadline = time.monotonic() + _LISTED_SECONDS
    while names:
        known = admin.list_topics(timeout=_LISTED_SECONDS).topics
        missing = [name for name in names if name not in known or known[name].error is not None]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise KafkaUnavailableError(
                f"{settings.bootstrap} made {len(names)} topics, and after {_LISTED_SECONDS:g} s does not name "
                f"{missing[0]!r}: see the broker's log"
            )
        time.sleep(_LOOK_SECONDS)
