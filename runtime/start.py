"""How every service begins: it waits for Kafka, publishes its schemas, and gets a codec."""

from __future__ import annotations

import logging
import time

from runtime.errors import KafkaUnavailableError
from runtime.kafka import wait_for_kafka
from runtime.schemas_topic import PublishedSchemas, publish
from runtime.service import Process
from runtime.settings import Settings
from schemas.codec import Codec

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_SAY_EVERY_SECONDS = 10.0


def wait_for_broker(settings: Settings, process: Process) -> None:
    """Wait for a broker for as long as it takes: a service that ended instead would only be started again.

    Raises KafkaUnavailableError where the process is told to stop before.
    """
    say_at = time.monotonic()
    while True:
        try:
            wait_for_kafka(settings, _LOOK_SECONDS)
        except KafkaUnavailableError as problem:
            if process.stopping.is_set():
                raise
            if time.monotonic() >= say_at:
                say_at = time.monotonic() + _SAY_EVERY_SECONDS
                log.warning("%s waits: %s", process.name, problem)
        else:
            return


def service_codec(settings: Settings, process: Process) -> Codec:
    """Return a codec that knows this release's schemas and finds those that others publish.

    Waits for a broker first. Raises KafkaUnavailableError as `wait_for_broker`, or where topics are missing.
    """
    wait_for_broker(settings, process)
    publish(settings, process.name)
    return Codec(PublishedSchemas(settings).fetch)
