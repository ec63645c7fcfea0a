"""The live views on a real broker: what they show, what they leave behind, how they end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer
from confluent_kafka.admin import AdminClient

from runtime.errors import KafkaUnavailableError
from runtime.kafka import client_config, producer_config
from runtime.metrics import METRICS
from runtime.settings import Settings
from schemas import topics
from schemas.agents import Evidence, Transition
from schemas.codec import Codec
from schemas.fields import BreakerState, Channel, Event
from schemas.topics import Topic
from schemas.wfm import StaffingRequirement, VolumeRow
from wfm_bridge.service import serve

CODEC = Codec()
REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0


class Transactions:
    """Writes in transactions, and commits or aborts them."""

    def __init__(self, settings: Settings, name: str = "writer") -> None:
        self._settings = settings
        self._producer = Producer({**producer_config(settings), "transactional.id": settings.prefix + name})
        self._producer.init_transactions(10)

    def write(self, topic: Topic, *events: Event) -> None:
        """Begin a transaction and put events on the broker's log, whatever becomes of them."""
        self._producer.begin_transaction()
        for event in events:
            self._producer.produce(self._settings.topic(topic.name), CODEC.encode(event), topic.key_of(event).encode())
        self._producer.flush(10)

    def finish(self) -> None:
        self._producer.commit_transaction(10)

    def commit(self, topic: Topic, *events: Event) -> None:
        self.write(topic, *events)
        self.finish()

    def abort(self, topic: Topic, *events: Event) -> None:
        self.write(topic, *events)
        self._producer.abort_transaction(10)

    def commit_bytes(self, topic: Topic, *values: bytes | None) -> None:
        self._producer.begin_transaction()
        for value in values:
            self._producer.produce(self._settings.topic(topic.name), value, b"acme")
        self.finish()


def volume(intent: str = "refund", revision: int = 1) -> VolumeRow:
    return VolumeRow(
        tenant="acme", queue="billing", intent=intent, channel=Channel.VOICE, language="en", interval_start=900_000_000,
        revision=revision, offered=revision, ai_contained=revision, ai_assisted=0, ai_escalated=0, human_only=0,
        deflected=0, abandoned=0, in_progress=0, updated_at=1,
    )  # fmt: skip


def staffing(revision: int, after: int) -> StaffingRequirement:
    return StaffingRequirement(
        tenant="acme", queue="billing", revision=revision, cause_endpoint="nova", cause_state=BreakerState.OPEN,
        cause_epoch=1, cause_at=1, since=1, human_contacts_per_minute_before=1, human_contacts_per_minute_after=4,
        aht_seconds=300, agents_required_before=8, agents_required_after=after, agents_scheduled_after=35,
        service_level_target=0.8, service_level_seconds=20, service_level_after=0.84, occupancy_after=0.83,
        expected_seconds_p50=300, expected_seconds_p90=900, duration_samples=0, occurred_at=1,
    )  # fmt: skip


def transition(epoch: int, to_state: BreakerState) -> Transition:
    evidence = Evidence(
        window_seconds=60, outcomes=10, failures=9, consecutive_failures=9, failure_rate=0.9, posterior_mean=0.8,
        latency_mean_ms=100, latency_baseline_ms=100,
    )  # fmt: skip
    return Transition(
        tenant="acme", provider="north", endpoint="nova", from_state=BreakerState.CLOSED, to_state=to_state,
        epoch=epoch, reason="failures", evidence=evidence, occurred_at=epoch,
    )  # fmt: skip


class Bridge:
    """A running bridge, asked over HTTP."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str) -> Any:
        answer = await self._client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def until(self, path: str, expected: Any, *, of: str) -> None:
        """Ask until the field `of` of the items is as expected."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        found = None
        while time.monotonic() < deadline:
            answer = await self._client.get(path)
            if answer.status_code == 200:
                found = [item[of] for item in answer.json()["items"]]
                if found == expected:
                    return
            await asyncio.sleep(0.002)
        pytest.fail(f"{path} shows {found}, not {expected}")

    async def ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := await self._client.get("/readyz")).status_code != 200:
            assert time.monotonic() < deadline, answer.text
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def bridge(settings: Settings) -> AsyncIterator[Bridge]:
    stop, address = asyncio.Event(), asyncio.Queue[str]()
    serving = asyncio.create_task(serve(settings, stop, address.put_nowait))
    announced = asyncio.create_task(address.get())
    await asyncio.wait([serving, announced], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        announced.cancel()
        await serving
    async with httpx.AsyncClient(base_url=announced.result()) as client:
        yield Bridge(client)
    stop.set()
    await asyncio.wait_for(serving, PATIENCE_SECONDS)


def test_a_row_of_an_aborted_transaction_never_shows_and_a_committed_one_does(settings: Settings) -> None:
    #  at start:  commit refund@1 | abort refund@9, ghost@1         (the log ends with an abort marker)
    #  later:     abort refund@9, ghost@1 | commit refund@2 on the same partition, so after them in order
    writer = Transactions(settings)
    writer.commit(topics.VOLUME, volume("refund", 1))
    writer.abort(topics.VOLUME, volume("refund", 9), volume("ghost", 1))

    async def scenario() -> None:
        async with bridge(settings) as views:
            await views.ready()
            await views.until("/v1/volume", [1], of="revision")
            await asyncio.to_thread(writer.abort, topics.VOLUME, volume("refund", 9), volume("ghost", 1))
            await asyncio.to_thread(writer.commit, topics.VOLUME, volume("refund", 2))
            await views.until("/v1/volume", [2], of="revision")

    asyncio.run(scenario())


def test_a_row_of_an_open_transaction_shows_only_once_it_is_committed(settings: Settings) -> None:
    writer, other = Transactions(settings, "writer"), Transactions(settings, "other")

    async def scenario() -> None:
        writer.write(topics.STAFFING, staffing(1, 24))
        async with bridge(settings) as views:
            await views.ready()
            await asyncio.to_thread(other.commit, topics.TRANSITIONS, transition(1, BreakerState.OPEN))
            await views.until("/v1/breakers", ["open"], of="to_state")
            assert (await views.get("/v1/staffing"))["total"] == 0
            await asyncio.to_thread(writer.finish)
            await views.until("/v1/staffing", [24], of="agents_required_after")

    asyncio.run(scenario())


def test_a_second_start_rebuilds_the_same_views_from_the_topics(settings: Settings) -> None:
    writer = Transactions(settings)
    writer.commit(topics.VOLUME, *(volume(f"intent-{n:03}", n) for n in range(300)))
    writer.commit(topics.STAFFING, staffing(2, 24), staffing(1, 8))
    writer.commit(topics.TRANSITIONS, transition(1, BreakerState.OPEN), transition(2, BreakerState.HALF_OPEN))

    async def everything() -> list[Any]:
        async with bridge(settings) as views:
            await views.ready()
            paths = ("/v1/volume", "/v1/staffing", "/v1/capacity", "/v1/breakers", "/v1/breakers/acme/nova/history")
            return [await views.get(path) for path in paths]

    first, second = asyncio.run(everything()), asyncio.run(everything())
    assert first == second
    volumes, requirement, capacity, breakers, history = first
    assert volumes["total"] == 300
    assert [row["agents_required_after"] for row in requirement["items"]] == [24]
    assert capacity["total"] == 0
    assert [row["to_state"] for row in breakers["items"]] == ["half_open"]
    assert [row["to_state"] for row in history["items"]] == ["open", "half_open"]


def test_a_record_that_cannot_be_read_is_counted_and_skipped(settings: Settings) -> None:
    writer = Transactions(settings)
    good = CODEC.encode(volume())
    foreign = CODEC.encode(staffing(1, 8))

    async def scenario() -> float:
        before = METRICS.registry.get_sample_value("trunkline_view_undecodable_total") or 0.0
        async with bridge(settings) as views:
            await views.ready()
            bad = (b"\x00garbage", good[:-3], foreign, b"", None)
            await asyncio.to_thread(writer.commit_bytes, topics.VOLUME, *bad, good)
            await views.until("/v1/volume", [1], of="revision")
        return (METRICS.registry.get_sample_value("trunkline_view_undecodable_total") or 0.0) - before

    assert asyncio.run(scenario()) == 5


def test_the_bridge_writes_nothing_to_kafka_and_commits_no_offsets(settings: Settings) -> None:
    admin = AdminClient(client_config(settings))
    Transactions(settings).commit(topics.VOLUME, *(volume(f"intent-{n}") for n in range(100)))
    topics_before = set(admin.list_topics(timeout=10).topics)
    groups: list[str] = []

    async def scenario() -> None:
        async with bridge(settings) as views:
            await views.ready()
            found = admin.list_consumer_groups(request_timeout=10).result().valid
            groups.extend(g.group_id for g in found if g.group_id.startswith(f"{settings.prefix}bridge-0-"))
            # Faust commits every 2.8 s (broker_commit_interval), and once more when it stops.
            await asyncio.sleep(3.5)

    asyncio.run(scenario())
    assert set(admin.list_topics(timeout=10).topics) - topics_before <= {"__consumer_offsets"}
    assert len(groups) == 1
    asked = ConsumerGroupTopicPartitions(groups[0])
    committed = admin.list_consumer_group_offsets([asked], request_timeout=10)[groups[0]].result()
    assert [p for p in committed.topic_partitions if p.offset >= 0] == []


def test_a_row_shows_within_a_fraction_of_a_second_of_its_commit(settings: Settings) -> None:
    writer = Transactions(settings)

    async def scenario() -> list[float]:
        lags = []
        async with bridge(settings) as views:
            await views.ready()
            for revision in range(1, 101):
                await asyncio.to_thread(writer.commit, topics.VOLUME, volume("refund", revision))
                committed = time.perf_counter()
                await views.until("/v1/volume", [revision], of="revision")
                lags.append(1000 * (time.perf_counter() - committed))
        return sorted(lags)

    lags = asyncio.run(scenario())
    print(f"from commit to answer, ms: median {lags[50]:.1f}, p95 {lags[95]:.1f}, worst {lags[-1]:.1f}")
    assert lags[50] < 250


def test_a_missing_topic_stops_the_start_and_names_the_remedy(bootstrap: str) -> None:
    settings = Settings(bootstrap=bootstrap, prefix=f"none-{uuid.uuid4().hex[:8]}.")

    async def scenario() -> None:
        async with bridge(settings):
            pytest.fail("it started")

    with pytest.raises(KafkaUnavailableError, match="trunkline topics create"):
        asyncio.run(scenario())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_with_exit_code_0_and_nothing_left_behind(
    settings: Settings, tmp_path: Path, number: signal.Signals
) -> None:
    working, temporary = tmp_path / "working", tmp_path / "temporary"
    working.mkdir()
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", "from wfm_bridge.cli import bridge; bridge()",
         "--bootstrap", settings.bootstrap, "--prefix", settings.prefix, "--port", "0", "--slot", "3"],
        cwd=working, env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert httpx.get(f"{address}/livez").json() == {"live": True}
        signalled = time.monotonic()
        process.send_signal(number)
        assert process.wait(PATIENCE_SECONDS) == 0
        assert time.monotonic() - signalled < 8
    assert list(itertools.chain(working.iterdir(), temporary.iterdir())) == []
