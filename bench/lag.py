"""How far services are behind their inboxes, in seconds: how long ago the oldest record that waits was written.

Offsets alone do not tell: a lag of 1,000 records is a second for one service and a minute for another. So the ends of
the inboxes are noted as time goes by, and the place that a group has committed is looked up among them.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaException
from confluent_kafka import TopicPartition as Partition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.kafka import client_config, partitions_of
from runtime.settings import Settings
from schemas.topics import Topic

_MARKERS = 4
"""Offsets behind the last record that no record has: one marker for each of a topic's writers, of which none has more
than four (schemas/topics.py)."""
_CALL_SECONDS = 10.0


class Lag(NamedTuple):
    """records: offsets between a group's place and the ends, control markers included. seconds: the worst partition."""

    records: int
    seconds: float


class Ends:
    """The end of one partition as time goes by."""

    def __init__(self) -> None:
        self._instants: list[float] = []
        self._ends: list[int] = []

    def note(self, instant: float, end: int) -> None:
        """Take note of the end at an instant, in seconds; instants grow."""
        self._instants.append(instant)
        self._ends.append(end)

    def lag(self, committed: int) -> Lag:
        """Return how far a place was behind at the last look.

        The first waiting record was written when the end passed it: between two looks, in proportion. What lay
        there before the first look is as old as that look.
        """
        if not self._ends or self._ends[-1] - committed <= _MARKERS:
            return Lag(0, 0.0)
        records, now = self._ends[-1] - committed, self._instants[-1]
        after = bisect.bisect_right(self._ends, committed)
        if after == 0:
            return Lag(records, now - self._instants[0])
        a, b = after - 1, after
        share = (committed - self._ends[a]) / (self._ends[b] - self._ends[a])
        return Lag(records, now - (self._instants[a] + share * (self._instants[b] - self._instants[a])))


class LagWatch:
    """Looks at the inboxes of services and at what their groups have committed. inboxes: by service."""

    def __init__(self, settings: Settings, inboxes: Mapping[str, Topic]) -> None:
        self._admin = AdminClient(client_config(settings))
        self._places = {
            service: [Partition(topic, number) for topic, number in partitions_of(settings, [inbox.name])]
            for service, inbox in inboxes.items()
        }
        self._groups = {
            service: Consumer({**client_config(settings), "group.id": f"{settings.prefix}{service}"})
            for service in inboxes
        }
        self._ends: dict[tuple[str, int], Ends] = {
            (place.topic, place.partition): Ends() for places in self._places.values() for place in places
        }

    def look(self, instant: float) -> dict[str, Lag]:
        """Return each service's lag at an instant, in seconds, of a clock of the caller's.

        A group whose coordinator does not answer is left out of this look.
        """
        # Places first: an end that is asked for later is not before them.
        committed = {service: self._committed(service) for service in self._places}
        asked = {Partition(topic, number): OffsetSpec.latest() for topic, number in self._ends}
        futures = self._admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_CALL_SECONDS
        )
        for place, future in futures.items():
            self._ends[place.topic, place.partition].note(instant, future.result().offset)
        return {service: self._lag(places) for service, places in committed.items() if places is not None}

    def _committed(self, service: str) -> Sequence[Partition] | None:
        # By a consumer: AdminClient.list_consumer_group_offsets of confluent-kafka 2.12 ends the process with a
        # segmentation fault where the answer is an error.
        try:
            places: Sequence[Partition] = self._groups[service].committed(self._places[service], _CALL_SECONDS)
        except KafkaException:
            return None
        return places

    def _lag(self, places: Iterable[Partition]) -> Lag:
        lags = [self._ends[place.topic, place.partition].lag(max(0, place.offset)) for place in places]
        return Lag(sum(lag.records for lag in lags), max(lag.seconds for lag in lags))

    def close(self) -> None:
        """Close the connections."""
        for consumer in self._groups.values():
            consumer.close()
