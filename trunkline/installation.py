"""Everything on one machine: Kafka, Redis, and each service as a process in its slot.

`trunkline up`, the demo and the chaos tests start the same thing from here.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from runtime.admin import create_topics
from runtime.kafka import wait_for_kafka
from runtime.programs import Notice, Program, http_ready
from runtime.settings import Settings
from runtime.supervisor import Supervisor

SERVICES = (
    "router",
    "sessions",
    "supervisors",
    "clock",
    "health",
    "analytics",
    "staffing",
    "counts",
    "copies",
    "bridge",
    "webhooks-sender",
)
EMBEDDED_PARTITIONS = 4
READY_SECONDS = 60.0
KAFKA_SECONDS = 15.0


class Installation:
    """A running Trunkline. Enter to start, leave to stop what was started, in reverse order.

    bootstrap, redis_url: where Kafka and Redis are; what is not given is started, with its data in
    `settings.data`. slots: service -> number of processes (default 1 each, and none with 0).
    """

    def __init__(
        self,
        settings: Settings,
        report: Callable[[str], None],
        *,
        bootstrap: str | None = None,
        redis_url: str | None = None,
        slots: Mapping[str, int] | None = None,
    ) -> None:
        self._settings = settings.model_copy(update={"data": settings.data.absolute()})
        self._report = report
        self._given = (bootstrap, redis_url)
        self._slots = {service: (slots or {}).get(service, 1) for service in SERVICES}
        self._started = contextlib.ExitStack()
        self.urls: dict[tuple[str, int], str] = {}
        self.settings = self._settings
        self.supervisor: Supervisor

    def __enter__(self) -> Self:
        """Start everything and return when every service is ready; raises a TrunklineError that says why not."""
        try:
            self.settings = self._with_stores()
            wait_for_kafka(self.settings, KAFKA_SECONDS)
            created, _ = create_topics(self.settings)
            self._report(f"topics: {len(created)} created")
            self.supervisor = Supervisor(self._programs(), self._tell)
            self._started.callback(self.supervisor.stop)
            self.supervisor.start()
            self.supervisor.wait_ready(READY_SECONDS)
        except BaseException:
            self._started.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the services, then Redis and Kafka."""
        self._started.close()

    def url(self, service: str, slot: int = 0) -> str:
        """Return the address of a service's HTTP endpoints."""
        return self.urls[service, slot]

    def _with_stores(self) -> Settings:
        bootstrap, redis_url = self._given
        folder = self._settings.data
        changes: dict[str, object] = {"keyed_partitions": EMBEDDED_PARTITIONS}
        if bootstrap is None or redis_url is None:
            from runtime.embedded import EmbeddedKafka, EmbeddedRedis  # noqa: PLC0415 - an extra

            if redis_url is None:
                redis = self._started.enter_context(EmbeddedRedis(folder / "redis"))
                redis_url = redis.url
            if bootstrap is None:
                self._report("Kafka is starting")
                kafka = self._started.enter_context(EmbeddedKafka(folder / "kafka", progress=self._report))
                bootstrap = kafka.bootstrap
            else:
                changes = {}
        else:
            changes = {}
        self._report(f"Kafka at {bootstrap}, Redis at {redis_url}")
        return self._settings.model_copy(update={**changes, "bootstrap": bootstrap, "redis_url": redis_url})

    def _programs(self) -> list[Program]:
        return [self._program(service, slot) for service, count in self._slots.items() for slot in range(count)]

    def _program(self, service: str, slot: int) -> Program:
        s = self.settings
        url = f"http://127.0.0.1:{free_port()}"
        self.urls[service, slot] = url
        options = {
            "TRUNKLINE_BOOTSTRAP": s.bootstrap,
            "TRUNKLINE_REDIS_URL": s.redis_url,
            "TRUNKLINE_PREFIX": s.prefix,
            "TRUNKLINE_DATA": str(s.data),
            "TRUNKLINE_HOST": "127.0.0.1",
            "TRUNKLINE_PORT": url.rpartition(":")[2],
            "TRUNKLINE_SLOT": str(slot),
            "TRUNKLINE_LOG_LEVEL": s.log_level,
            "TRUNKLINE_REDACTION_KEY": self._redaction_key(),
        }
        return Program(
            name=service,
            slot=slot,
            argv=[sys.executable, "-m", "trunkline", service],
            env=dict(os.environ) | options,
            log=self.log(service, slot),
            ready=http_ready(url),
        )

    def _redaction_key(self) -> str:
        """Return the key of tokens in redacted texts: the one given, else one made once for the data folder."""
        given = self.settings.redaction_key
        if given is not None:
            return given.get_secret_value()
        file = self.settings.data / "redaction.key"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(32))
        return file.read_text()

    def log(self, service: str, slot: int = 0) -> Path:
        """Return the log file of a service."""
        return self.settings.data / "logs" / f"{service}-{slot}.log"

    def _tell(self, notice: Notice) -> None:
        self._report(notice.sentence)


def free_port() -> int:
    """Return a port on loopback that is free now; a service keeps it over its restarts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
