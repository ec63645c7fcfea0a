"""Where subjects are measured: a broker and a Redis of its own, topics filled anew for every run."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import psutil
import redis
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient

from bench.contacts import INTENTS, bench_model, offers, policies, write_contacts
from runtime.admin import create_topics, topic_specs
from runtime.embedded import EmbeddedKafka, EmbeddedRedis
from runtime.embedded.kafka import LONG_RUN
from runtime.errors import KafkaUnavailableError
from runtime.kafka import Writer, client_config, producer_config
from runtime.options import settings_of
from runtime.settings import Settings
from schemas.control import Policy
from schemas.envelope import Packed
from schemas.topics import POLICY, Effect

PARTITIONS = 4
_HEAP_MEGABYTES = 1024
"""Twice the embedded broker's own, so that its garbage collector does not set the rate."""
_CALL_SECONDS = 120.0


def say(line: str) -> None:
    """Print a line of progress to standard error."""
    print(line, file=sys.stderr, flush=True)


class Stage:
    """An embedded broker and Redis in a temporary folder; `settings` are those of one run.

    A run has a prefix of its own, so it starts with fresh topics, groups and guard. Its topics go when it ends:
    disk and page cache stay small.
    """

    def __init__(self, jvm_flags: Sequence[str] = LONG_RUN) -> None:
        self._jvm_flags = jvm_flags
        self._exits = contextlib.ExitStack()
        self._runs = 0
        self._models: dict[int, Path] = {}
        self._contacts: dict[tuple[int, int], list[Packed]] = {}

    def __enter__(self) -> Self:
        """Start both."""
        self.folder = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-bench-")))
        self.redis = self._exits.enter_context(EmbeddedRedis(self.folder / "redis"))
        kafka = EmbeddedKafka(self.folder / "kafka", heap_megabytes=_HEAP_MEGABYTES, jvm_flags=self._jvm_flags)
        self.kafka = self._exits.enter_context(kafka)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop both and remove the folder."""
        self._exits.close()

    def servers(self) -> dict[str, psutil.Process]:
        """Return the processes that work for every subject, by the name that tables give them."""
        return {"broker": psutil.Process(self.kafka.pid), "redis": psutil.Process(self.redis.pid)}

    def kafka_logs(self, *parts: str) -> list[Path]:
        """Return the broker's folders of partitions whose names have all of these parts."""
        folders = (self.folder / "kafka").rglob("*-[0-9]*")
        return [each for each in folders if each.is_dir() and all(part in each.name for part in parts)]

    def model(self, intents: int = INTENTS) -> Path:
        """Return the file of the model with so many intents; made once."""
        if intents not in self._models:
            self._models[intents] = bench_model(self.folder / "models", intents)
        return self._models[intents]

    def contacts(self, count: int, tenants: int = 1, intents: int = INTENTS) -> Sequence[Packed]:
        """Return the first `count` offers; encoded once for all runs."""
        made = self._contacts.get((tenants, intents), [])
        if len(made) < count:
            made = self._contacts[tenants, intents] = list(offers(count, tenants, intents))
        return made[:count]

    def contacts_file(self, contacts: Sequence[Packed]) -> Path:
        """Return a file with these contacts, for a process that takes them from memory."""
        path = self.folder / f"contacts-{len(contacts)}.msgpack"
        if not path.exists():
            write_contacts(path, contacts)
        return path

    @contextlib.contextmanager
    def run(self, contacts: Sequence[Packed], given: Sequence[Policy] | None = None) -> Iterator[Settings]:
        """Give the settings of one run, its topics made and filled; remove the topics afterwards.

        given: the policies; by default those of one tenant.
        """
        self._runs += 1
        settings = settings_of(
            {
                "bootstrap": self.kafka.bootstrap,
                "redis_url": self.redis.url,
                "prefix": f"bench{self._runs}.",
                "data": self.folder / f"run{self._runs}",
                "keyed_partitions": PARTITIONS,
            }
        )
        create_topics(settings)
        try:
            self._preload(settings, contacts, policies() if given is None else given)
            yield settings
        finally:
            self._remove_topics(settings)

    def _preload(self, settings: Settings, contacts: Sequence[Packed], given: Sequence[Policy]) -> None:
        started = time.perf_counter()
        writer = Writer(settings, "bench")
        for policy in given:
            writer.write(Effect(POLICY, policy))
        writer.close()
        preload(settings, contacts)
        seconds = time.perf_counter() - started
        say(f"  preloaded {len(contacts):,} contacts in {seconds:.1f} s ({len(contacts) / seconds:,.0f}/s)")

    def _remove_topics(self, settings: Settings) -> None:
        names = [topic.topic for topic in topic_specs(settings)]
        admin = AdminClient(client_config(settings))
        for future in admin.delete_topics(names, operation_timeout=_CALL_SECONDS).values():
            future.result()
        with redis.Redis.from_url(settings.redis_url) as client:
            client.flushdb()


def preload(settings: Settings, contacts: Sequence[Packed]) -> None:
    """Write contacts to their topic as fast as one producer can; raises KafkaUnavailableError."""
    failures: list[str] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error.str())

    producer = Producer(
        {
            **producer_config(settings),
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "delivery.report.only.error": True,
            "on_delivery": delivered,
        }
    )
    names = {name: settings.topic(name) for name in {contact.topic for contact in contacts}}
    for packed in contacts:
        while True:
            try:
                producer.produce(names[packed.topic], packed.value, packed.key, headers=packed.headers)
            except BufferError:
                producer.poll(0.05)
            else:
                break
    left = producer.flush(_CALL_SECONDS)
    if left or failures:
        raise KafkaUnavailableError(f"{left} contacts could not be preloaded: {failures[:1]}")
