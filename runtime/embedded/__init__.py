"""Kafka and Redis without Docker and without system packages: the extra `embedded`.

Both are separate programs on loopback, with data and port kept in a folder, and neither outlives
the process that started it.
"""

from runtime.embedded.kafka import EmbeddedKafka
from runtime.embedded.redis import EmbeddedRedis
from runtime.embedded.services import EmbeddedServices
from runtime.errors import EmbeddedError

__all__ = ["EmbeddedError", "EmbeddedKafka", "EmbeddedRedis", "EmbeddedServices"]
