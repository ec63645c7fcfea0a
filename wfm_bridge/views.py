"""Faust agents that follow the topics of the views. The only module that imports Faust.

What Faust does by default and must not do here:

- It reads uncommitted records unless it runs exactly-once, which would need transactional producers
  of its own: `_CommittedThread` makes the consumer itself, read-committed.
- It creates a topic to elect a leader, one for replies, and changelogs: all off; no producer is started.
- It commits what was acknowledged: the channels have `acks=False`, so no offset is ever committed and
  the broker forgets the group soon after its only member has gone.
- It makes a data folder in the working directory: here a temporary one, removed at the end.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiokafka  # type: ignore[import-untyped]
import faust
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from mode.supervisors import CrashingSupervisor

from runtime.errors import KafkaUnavailableError, TrunklineError
from runtime.kafka import partitions_of
from runtime.metrics import METRICS
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.errors import RecordError
from schemas.topics import Topic
from wfm_bridge.progress import Place, Progress
from wfm_bridge.store import FOLLOWED, Views

_LOG = logging.getLogger(__name__)

_FETCH_WAIT_MS = 50
"""Longest that a fetch waits at the broker: a partition that has just answered is asked again only by
the next fetch, so this bounds how long its next record waits. Faust's own 1,500 ms would show."""
_POLL_SECONDS = 0.1
"""How often positions are looked at while the views are rebuilt."""
_METADATA_MS = 10_000
"""How soon new partitions of a followed topic are noticed; the default is five minutes."""
_STOP_SECONDS = 5.0

for _name in ("faust", "mode", "aiokafka"):  # each step of each of their services is a line at INFO
    logging.getLogger(_name).setLevel(logging.WARNING)


class BridgeError(TrunklineError):
    """The views can no longer follow their topics; the process must start again."""


class _CommittedThread(driver.AIOKafkaConsumerThread):
    """Reads committed records only, whatever Faust's processing guarantee."""

    mundane_level = "debug"

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            metadata_max_age_ms=_METADATA_MS,
            max_poll_records=conf.broker_max_poll_records,
        )


class _Consumer(driver.Consumer):
    """Tells `progress` what it hands out and where it stands, until the views are rebuilt."""

    mundane_level = "debug"
    app: _App

    def _new_consumer_thread(self) -> _CommittedThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        progress = self.app.progress
        if progress.ready:
            return await super()._getmany(active_partitions, timeout)
        records = await super()._getmany(active_partitions, min(timeout, _POLL_SECONDS))
        for partition, batch in records.items():
            progress.handed(Place(partition.topic, partition.partition), batch[-1].offset)
        # Nobody else fetches: a position read here has everything before it in some batch handed out.
        assigned = {Place(tp.topic, tp.partition): tp for tp in self.assignment()}
        for place in progress.waiting:
            if place in assigned:
                progress.at(place, await self.position(assigned[place]) or 0)
        return records


class _Transport(driver.Transport):
    Consumer = _Consumer


class _ReadOnly(BootStrategy):
    """No producer: nothing can be written."""

    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):
    """A Faust app that knows how far its views have been rebuilt."""

    BootStrategy = _ReadOnly
    mundane_level = "debug"

    def __init__(self, group: str, progress: Progress, **options: Any) -> None:
        super().__init__(group, **options)
        self.progress = progress


async def ends_at_start(settings: Settings) -> dict[Place, int]:
    """Return the last stable offset of every partition of the followed topics.

    Raises KafkaUnavailableError where the broker does not answer or a topic is missing.
    """
    names = [topic.name for topic in FOLLOWED]
    places = [Place(*each) for each in await asyncio.to_thread(partitions_of, settings, names)]
    reader = aiokafka.AIOKafkaConsumer(bootstrap_servers=settings.bootstrap, isolation_level="read_committed")
    try:
        await reader.start()
        ends = await reader.end_offsets([aiokafka.TopicPartition(*place) for place in places])
    except KafkaError as problem:
        raise _unavailable(settings, problem) from problem
    finally:
        await reader.stop()
    return {Place(partition.topic, partition.partition): end for partition, end in ends.items()}


def _unavailable(settings: Settings, problem: Exception) -> KafkaUnavailableError:
    return KafkaUnavailableError(
        f"Kafka at {settings.bootstrap} does not answer: {problem}. "
        "Start it, or give its address with --bootstrap or TRUNKLINE_BOOTSTRAP."
    )


class Follower:
    """Keeps `views` up to date with their topics, from the earliest record on.

    A group id of its own per start: every process sees every partition, and always from the beginning.
    """

    def __init__(self, settings: Settings, codec: Codec, views: Views, progress: Progress) -> None:
        self._settings = settings
        self._codec = codec
        self._views = views
        self._progress = progress
        self._folder = tempfile.TemporaryDirectory(prefix="trunkline-bridge-")
        self.group = f"{settings.prefix}bridge-{settings.slot}-{uuid.uuid4().hex}"
        self._app = self._create_app()

    async def start(self) -> None:
        """Start to follow; raises KafkaUnavailableError where the broker does not answer."""
        loop = asyncio.get_running_loop()
        self._app.transport = _Transport(self._app.conf.broker_consumer, self._app, loop=loop)
        try:
            await self._app.start()
        except KafkaError as problem:
            raise _unavailable(self._settings, problem) from problem

    async def run_until(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set; raises BridgeError where following failed."""
        outcome = await self._app.wait(stop.wait())
        if outcome.stopped:
            reason = self._app.crash_reason
            raise BridgeError(f"the views lost their topics: {reason!r}. Start the bridge again.") from reason

    async def stop(self) -> None:
        """Leave the group and remove the temporary folder."""
        try:
            await asyncio.wait_for(self._app.stop(), _STOP_SECONDS)
        except TimeoutError:
            _LOG.warning("the Kafka consumer did not stop within %g s", _STOP_SECONDS)
        finally:
            self._folder.cleanup()

    def _create_app(self) -> Any:
        brokers = [f"kafka://{address.strip()}" for address in self._settings.bootstrap.split(",")]
        app = _App(
            self.group,
            self._progress,
            broker=brokers,
            datadir=self._folder.name,
            store="memory://",
            autodiscover=False,
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            reply_create_topic=False,
            stream_wait_empty=False,
            agent_supervisor=CrashingSupervisor,
        )
        for topic in FOLLOWED:
            channel = app.topic(
                self._settings.topic(topic.name),
                key_type=bytes,
                key_serializer="raw",
                value_type=bytes,
                value_serializer="raw",
                allow_empty=True,
                acks=False,
            )
            app.agent(channel, name=topic.name)(self._agent(topic))
        return app

    def _agent(self, topic: Topic) -> Callable[[Any], Awaitable[None]]:
        async def follow(stream: Any) -> None:
            async for event in _events(stream):
                self._take(topic, event)

        return follow

    def _take(self, topic: Topic, event: Any) -> None:
        message = event.message
        place = Place(message.topic, message.partition)
        try:
            self._views.apply(self._codec.decode(event.value, topic.types))
        except RecordError as problem:
            METRICS.view_undecodable.inc()
            _LOG.warning("%s[%d] offset %d is skipped: %s", *place, message.offset, problem)
        if self._progress.is_live(place, message.offset):
            METRICS.view_lag_seconds.observe(max(0.0, time.time() - message.timestamp))
        self._progress.applied(place, message.offset)


def _events(stream: Any) -> AsyncIterator[Any]:
    events: AsyncIterator[Any] = stream.events()
    return events
