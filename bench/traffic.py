"""A whole contact centre's records on an open-loop schedule: each contact's offer, six turns and its end.

`python -m bench.traffic` stands for the ACD and the AI platforms. Offers are written when they are due; turns and the
end, which must name the agent that was chosen, at their own instants, or once the decision has come where that is
later. Begun and ended as `bench.openloop`.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import itertools
import time
from typing import NamedTuple

import msgspec
import numpy as np
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Partition

from bench.contacts import offers
from bench.openloop import Floats, begin, percentile, schedule
from bench.stage import PARTITIONS
from runtime.clock import real_now
from runtime.kafka import consumer_config, producer_config
from runtime.options import settings_of
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.envelope import Envelope, Packed
from schemas.fields import FinishedBy, TurnResult
from schemas.interactions import Completed, Decision, Turn
from schemas.topics import INTERACTION_EVENTS, ROUTED, Effect

TURNS = 6
TURN_SECONDS = 0.5
"""From one turn to the next: a contact lasts 3.5 s, so that the load is whole a few seconds after the beginning."""
_TICK_SECONDS = 0.005
_DRAIN_SECONDS = 5.0
_FLUSH_SECONDS = 30.0
_CODEC = Codec()
_LATENCY_MS = 800.0


class Written(NamedTuple):
    """What a generator says at its end. undecided: offers whose decision did not come in time."""

    offers: int
    turns: int
    completions: int
    undecided: int
    late_p99_ms: float
    decided_p99_ms: float


class Traffic:
    """The state of one run: what is due next, and which contacts wait for their decision."""

    def __init__(self, settings: Settings, scheduled: Floats, start: float, first: int) -> None:
        self._settings = settings
        self._start = start
        self._arrivals = scheduled.tolist()
        self._first = first
        self._envelope = Envelope(_CODEC, "bench")
        self._producer = Producer({**producer_config(settings), "delivery.report.only.error": True, "linger.ms": 5})
        self._due: list[tuple[float, int, Decision, int]] = []
        self._order = itertools.count()
        self._late: list[float] = []
        self._decided: list[float] = []
        self.turns = self.completions = 0

    def run(self, packed: list[Packed], consumer: Consumer) -> Written:
        """Write everything; return when the last contact has ended or is not decided for 5 s."""
        at, deadline = 0, self._start + self._arrivals[-1] + TURNS * TURN_SECONDS + _DRAIN_SECONDS
        while (now := time.monotonic()) < deadline and (at < len(packed) or self.completions < len(packed)):
            while at < len(packed) and self._start + self._arrivals[at] <= now:
                self._produce(packed[at])
                self._late.append(now - self._start - self._arrivals[at])
                at += 1
            for message in consumer.consume(10_000, 0):
                if message.error() is None:
                    self._follow(message.value(), now)
            self._report(now)
            self._producer.poll(0)
            time.sleep(_TICK_SECONDS)
        self._producer.flush(_FLUSH_SECONDS)
        late, decided = (percentile(np.array(each or [0.0]), 0.99) * 1000 for each in (self._late, self._decided))
        return Written(at, self.turns, self.completions, at - len(self._decided), late, decided)

    def _follow(self, value: bytes, now: float) -> None:
        """Plan what a decided contact does."""
        decision = _CODEC.decode(value, (Decision,))
        assert isinstance(decision, Decision)  # noqa: S101 - the only type of the topic
        number = int(decision.interaction_id[6:]) - self._first
        if not 0 <= number < len(self._arrivals):
            return
        arrival = self._start + self._arrivals[number]
        self._decided.append(now - arrival)
        number = 1 if decision.endpoint is not None else TURNS + 1
        heapq.heappush(self._due, (arrival + number * TURN_SECONDS, next(self._order), decision, number))

    def _report(self, now: float) -> None:
        """Write the turns and the ends that are due."""
        while self._due and self._due[0][0] <= now:
            due_at, _, decision, number = heapq.heappop(self._due)
            if number > TURNS:
                self._produce(self._envelope.pack(Effect(INTERACTION_EVENTS, _completed(decision))))
                self.completions += 1
                continue
            self._produce(self._envelope.pack(Effect(INTERACTION_EVENTS, _turn(decision, number))))
            self.turns += 1
            heapq.heappush(self._due, (due_at + TURN_SECONDS, next(self._order), decision, number + 1))

    def _produce(self, packed: Packed) -> None:
        self._producer.produce(self._settings.topic(packed.topic), packed.value, packed.key, headers=packed.headers)


def _turn(decision: Decision, number: int) -> Turn:
    return Turn(
        interaction_id=decision.interaction_id,
        tenant=decision.tenant,
        number=number,
        endpoint=decision.endpoint or "",
        version=decision.endpoint_version or "",
        result=TurnResult.OK,
        latency_ms=_LATENCY_MS,
        quality=0.9,
        occurred_at=real_now(),
    )


def _completed(decision: Decision) -> Completed:
    by_agent = decision.endpoint is not None
    return Completed(
        interaction_id=decision.interaction_id,
        tenant=decision.tenant,
        finished_by=FinishedBy.AI if by_agent else FinishedBy.HUMAN,
        ai_turns=TURNS if by_agent else 0,
        resolved=True,
        ai_seconds=TURNS * TURN_SECONDS,
        occurred_at=real_now(),
    )


def main() -> None:
    """Play the traffic of a schedule and print what was written."""
    parser = argparse.ArgumentParser(prog="python -m bench.traffic", description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--per-second", required=True, type=float)
    parser.add_argument("--seconds", required=True, type=float)
    parser.add_argument("--first", required=True, type=int, help="number of the first contact")
    given = parser.parse_args()
    settings = settings_of({"bootstrap": given.bootstrap, "prefix": given.prefix})
    scheduled = schedule(given.per_second, given.seconds, seed=given.first)
    packed = list(offers(given.first + len(scheduled)))[given.first :]
    consumer = Consumer({**consumer_config(settings), "group.id": f"{settings.prefix}traffic"})
    routed = settings.topic(ROUTED.name)
    places = [Partition(routed, partition) for partition in range(PARTITIONS)]
    for place in places:
        place.offset = consumer.get_watermark_offsets(place)[1]
    consumer.assign(places)
    gc.collect()
    gc.freeze()
    written = Traffic(settings, scheduled, begin(), given.first).run(packed, consumer)
    consumer.close()
    print(msgspec.json.encode(written).decode(), flush=True)


if __name__ == "__main__":
    main()
