"""How every service begins: it waits for Kafka, publishes its schemas, and gets a codec."""

from __future__ import annotations

import logging

from runtime.errors import KafkaUnavailableError
from runtime.kafka import wait_for_kafka
from runtime.schemas_topic import PublishedSchemas, publish
from runtime.service import Process
from runtime.settings import Settings
from schemas.codec import Codec

log = logging.getLogger(__name__)

_SAY_EVERY_SECONDS = 10.0


def service_codec(settings: Settings, process: Process) -> Codec:
    """Return a codec that knows this release's schemas and finds those that others publish.

    Waits for a broker for as long as it takes: a service that ended instead would only be started again.
    Raises KafkaUnavailableError where the process is told to stop before, or the topics are not there.
    """
    while True:
        try:
            wait_for_kafka(settings, _SAY_EVERY_SECONDS)
        except KafkaUnavailableError as problem:
            if process.stopping.is_set():
                raise
            log.warning("%s waits: %s", process.name, problem)
        else:
            break
    publish(settings, process.name)
    return Codec(PublishedSchemas(settings).fetch)
