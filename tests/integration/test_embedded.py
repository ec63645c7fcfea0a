"""The embedded Kafka and Redis themselves: always these, whatever broker the other tests are given."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from runtime.embedded import EmbeddedKafka
from runtime.embedded.jars import cache_folder, ensure_jars, listed_jars
from runtime.errors import EmbeddedError

QUIET = {"log_level": 0, "retry.backoff.ms": 1, "retry.backoff.max.ms": 5, "reconnect.backoff.max.ms": 200}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(tmp_path_factory.mktemp("embedded") / "a folder, with = signs: \\ and é") as kafka:
        yield kafka


@pytest.fixture
def topic(kafka: EmbeddedKafka) -> str:
    name = f"t{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, **QUIET})
    for made in admin.create_topics([NewTopic(name, 1, 1)]).values():
        made.result()
    return name


def produce(kafka: EmbeddedKafka, topic: str, value: str, *, commit: bool = True) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": "test", **QUIET})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, value.encode())
    producer.flush(20)
    if commit:
        producer.commit_transaction(20)
    else:
        producer.abort_transaction(20)


def read_committed(kafka: EmbeddedKafka, topic: str) -> list[str]:
    """Return all values up to the end of the only partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": uuid.uuid4().hex,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            **QUIET,
        }
    )
    consumer.subscribe([topic])
    values: list[str] = []
    try:
        for message in iter(lambda: consumer.poll(30), None):
            if message.error():
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                return values
            values.append(message.value().decode())
    finally:
        consumer.close()
    raise AssertionError("no end of the partition in 30 s")


def ended(pid: int, within_seconds: float) -> bool:
    """Tell whether a process that is not our child ends in time."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], within_seconds)[0])
    finally:
        os.close(pidfd)


def test_a_committed_transaction_is_read_and_an_aborted_one_is_not(kafka: EmbeddedKafka, topic: str) -> None:
    produce(kafka, topic, "aborted", commit=False)
    produce(kafka, topic, "committed")
    assert read_committed(kafka, topic) == ["committed"]


def test_the_broker_comes_back_at_its_address_with_its_data(kafka: EmbeddedKafka, topic: str) -> None:
    produce(kafka, topic, "before")
    address = kafka.bootstrap
    kafka.stop()
    assert kafka.exit_code == 143
    kafka.start()
    assert kafka.bootstrap == address
    produce(kafka, topic, "between")
    kafka.kill()
    kafka.start()
    assert kafka.bootstrap == address
    produce(kafka, topic, "after")
    assert read_committed(kafka, topic) == ["before", "between", "after"]


def test_a_topic_that_was_not_created_does_not_come_to_be(kafka: EmbeddedKafka) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, **QUIET})
    metadata = admin.list_topics("not-created", timeout=10).topics["not-created"]
    assert metadata.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_the_broker_listens_on_loopback_only(kafka: EmbeddedKafka) -> None:
    sockets = {str(file.readlink()) for file in Path(f"/proc/{kafka.pid}/fd").iterdir()}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in sockets:
                listening.append(local.split(":")[0])
    loopback = ("0100007F", "0000000000000000FFFF00000100007F")
    assert len(listening) == 2
    assert all(address in loopback for address in listening)


def test_a_frozen_broker_keeps_its_data_and_answers_when_resumed(kafka: EmbeddedKafka, topic: str) -> None:
    produce(kafka, topic, "kept")
    kafka.pause()
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": kafka.bootstrap, **QUIET}).list_topics(timeout=0.5)
    kafka.resume()
    assert read_committed(kafka, topic) == ["kept"]


def test_a_second_start_over_a_live_folder_is_refused(kafka: EmbeddedKafka) -> None:
    with pytest.raises(EmbeddedError, match=f"in use by a live Kafka .process {kafka.pid} "):
        EmbeddedKafka(kafka.folder).start()
    assert kafka.running


def test_a_folder_that_kafka_refuses_is_told_with_the_broker_s_own_words(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "meta.properties").write_text("version=99\n")
    broken = EmbeddedKafka(tmp_path)
    with pytest.raises(EmbeddedError, match=r"(?s)Kafka ended with exit code 1 .*meta\.properties.*Remedy: "):
        broken.start()
    assert not broken.running


OWNER = """
import pathlib, sys, threading
from runtime.embedded import EmbeddedServices
services = EmbeddedServices(pathlib.Path(sys.argv[1]))
starter = threading.Thread(target=services.start)
starter.start()
starter.join()
print(services.kafka.pid, services.redis.pid, flush=True)
sys.stdin.read()
if sys.argv[2] == "stop":
    services.stop()
"""


@pytest.fixture(scope="module")
def owner_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("owned")


@pytest.mark.parametrize("way", ["SIGKILL", "stop"])
def test_an_owner_leaves_no_child_behind(owner_folder: Path, way: str) -> None:
    """One after the other in the same folder: what a dead owner left must not block the next."""
    command = [sys.executable, "-c", OWNER, str(owner_folder), way]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdin is not None
        children = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(children) == 2, owner.stderr and owner.stderr.read().decode()
        if way == "SIGKILL":
            owner.kill()
        owner.stdin.close()
        assert all(ended(pid, within_seconds=15) for pid in children)


def test_a_corrupted_jar_is_found_and_rebuilt(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    source, copy = cache_folder() / "jars", tmp_path / "jars"
    copy.mkdir()
    jars = listed_jars()
    for jar in jars:
        shutil.copy2(source / jar.file, copy)
    said: list[str] = []
    ensure_jars(tmp_path, jars, said.append)
    assert said == [], "a whole copy needs no network"
    victim = copy / next(jar.file for jar in jars if jar.file.startswith("slf4j-simple"))
    good = victim.read_bytes()
    victim.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    ensure_jars(tmp_path, jars, said.append)
    assert victim.read_bytes() == good
    assert "damaged" in said[0]
    began = time.monotonic()
    ensure_jars(tmp_path, jars, said.append)
    assert time.monotonic() - began < 0.1, "the second look costs no reading"
