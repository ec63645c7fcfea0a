"""The benchmark's Python peers on a real broker, each on some hundred contacts, and how the one in a JVM is started."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.contacts import bench_model, offers, policies
from bench.peers import kafka_streams
from bench.peers.options import Options, read_options
from runtime.embedded.jars import listed_jars
from runtime.kafka import Record, Writer
from runtime.settings import Settings
from schemas.topics import CLASSIFIED, INTERACTION_EVENTS, OFFERED, POLICY, ROUTED, Effect
from tests.support.topics import read_now, read_until

CONTACTS = 300
INTENTS = 12
STOP_SECONDS = 15


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bench_model(tmp_path_factory.mktemp("models"), INTENTS)


@pytest.fixture
def offered(settings: Settings) -> Settings:
    """Settings whose topics hold a policy and contacts."""
    writer = Writer(settings, "test")
    for policy in policies(intents=INTENTS):
        writer.write(Effect(POLICY, policy))
    for packed in offers(CONTACTS, intents=INTENTS):
        writer.write_packed(packed)
    writer.close()
    return settings


def run_peer(settings: Settings, peer: str, *more: str, contacts: int = CONTACTS) -> str:
    """Run a peer until so many decisions are visible, end it by SIGTERM, and return its log; it must end with 0."""
    argv = [sys.executable, "-m", f"bench.peers.{peer}", "--bootstrap", settings.bootstrap]
    argv += ["--prefix", settings.prefix, "--data", str(settings.data), *more]
    log = settings.data / f"{peer}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, subprocess.Popen(argv, stdout=output, stderr=output) as process:

        def enough(records: list[Record]) -> bool:
            assert process.poll() is None, f"{peer} ended by itself:\n{log.read_text()}"
            return len(records) >= contacts

        try:
            read_until(settings, [ROUTED.name], enough)
            process.send_signal(signal.SIGTERM)
            code = process.wait(STOP_SECONDS)
        finally:
            process.kill()
    assert code == 0, log.read_text()
    return log.read_text()


@pytest.mark.soak
@pytest.mark.parametrize("peer", ["faust_core", "quix_core"])
def test_a_peer_with_the_core_writes_the_three_records_of_each_contact(
    offered: Settings, model: Path, peer: str
) -> None:
    run_peer(offered, peer, "--model", str(model))
    keys = sorted(f"bench-{number}".encode() for number in range(CONTACTS))
    for topic in (CLASSIFIED, ROUTED, INTERACTION_EVENTS):
        records = read_now(offered, [topic.name])
        assert sorted(record.key or b"" for record in records) == keys
    decided = {record.key: record for record in read_now(offered, [INTERACTION_EVENTS.name])}
    for record in read_now(offered, [ROUTED.name]):
        assert record.value == decided[record.key].value
        assert record.partition == decided[record.key].partition
    assert not read_now(offered, [OFFERED.dead_letter_name])


def test_quix_passes_every_record_on_as_it_is(offered: Settings) -> None:
    run_peer(offered, "quix_passthrough")
    sent = Counter((record.key, record.value) for record in read_now(offered, [OFFERED.name]))
    assert Counter((record.key, record.value) for record in read_now(offered, [ROUTED.name])) == sent


def test_the_ceiling_passes_every_record_on_as_it_is(offered: Settings) -> None:
    run_peer(offered, "raw")
    sent = Counter((record.key, record.value) for record in read_now(offered, [OFFERED.name]))
    assert Counter((record.key, record.value) for record in read_now(offered, [ROUTED.name])) == sent


def streams_options(folder: Path) -> Options:
    argv = ["--bootstrap", "127.0.0.1:9", "--prefix", "bench1.", "--data", str(folder)]
    return read_options("kafka_streams", "", argv)


def test_kafka_streams_is_told_its_topics_and_to_process_exactly_once(tmp_path: Path) -> None:
    options = streams_options(tmp_path)
    command = kafka_streams.java_command(options, tmp_path / "classes", [tmp_path / "a.jar", tmp_path / "b.jar"])
    assert command[-4:] == [
        "Pipe", str(tmp_path / "streams.properties"), "bench1.interactions.offered", "bench1.interactions.routed",
    ]  # fmt: skip
    assert command[command.index("-cp") + 1] == f"{tmp_path}/classes:{tmp_path}/a.jar:{tmp_path}/b.jar"
    lines = kafka_streams.properties(options).splitlines()
    assert {"application.id=bench1.kafka_streams", "processing.guarantee=exactly_once_v2"} <= set(lines)


def test_kafka_streams_is_of_the_brokers_version_and_shares_its_jars() -> None:
    jars = {jar.coordinates[1]: jar for jar in kafka_streams.needed_jars()}
    assert jars["kafka-streams"].coordinates[2] == jars["kafka-clients"].coordinates[2]
    assert set(jars) - {jar.coordinates[1] for jar in listed_jars()} == {"ecj", "kafka-streams"}
