"""The step that takes contacts off the counts of agents that have them no more, Redis's part played by a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from processors.counts import app
from processors.counts.app import RETRY_SECONDS, CountsStep
from runtime.kafka import Record
from runtime.metrics import METRICS
from runtime.snapshot import Snapshot
from runtime.step import Batch
from schemas.codec import Codec
from schemas.conversations import AnswerRefused, Assignment, Moved
from schemas.fields import Channel, Event, Handling, Pool
from schemas.interactions import Closed
from schemas.topics import ASSIGNMENTS, CLOSED
from schemas.triggers import Trigger, Triggered

CODEC = Codec()


class MemoryReleases:
    """Notes what is taken off the counts; `down` is Redis's outage."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.down = False

    def release(self, ended: Sequence[tuple[str, str]]) -> bool:
        if not self.down:
            self.told += ended
        return not self.down


class Bench:
    """A step, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.releases = MemoryReleases()
        self.made = CountsStep(CODEC, self.releases, lambda: self.now)

    def step(self, *values: Event | bytes) -> None:
        records = [
            Record(
                ASSIGNMENTS.name if type(value) in ASSIGNMENTS.types else CLOSED.name,
                0,
                offset,
                b"k",
                value if isinstance(value, bytes) else CODEC.encode(value),
            )
            for offset, value in enumerate(values)
        ]
        self.made.begin()
        assert self.made.step(Batch(records, Snapshot(), 0)) == []

    def wake(self) -> float | None:
        return self.made.wake_seconds(Snapshot())


@pytest.fixture
def bench() -> Bench:
    return Bench()


def closed(interaction_id: str, **changes: Any) -> Closed:
    base = Closed(
        interaction_id=interaction_id, tenant="acme", decision_id="d", channel=Channel.CHAT, language="en",
        segment="standard", intent="balance", queue="retail", handling=Handling.AI_CONTAINED, endpoint="nova",
        endpoint_version="7", ai_turns=1, ai_seconds=1.0, wait_seconds=0.0, talk_seconds=0.0, wrap_seconds=0.0,
        offered_at=1, closed_at=2,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def test_contacts_that_an_agent_had_are_taken_off_its_count_and_others_are_not(bench: Bench) -> None:
    bench.step(closed("a"), closed("people", endpoint=None), closed("b/1", endpoint="vega"))
    assert bench.releases.told == [("acme/nova", "acme/a"), ("acme/vega", "acme/b%2F1")]
    assert bench.wake() is None


def moved(interaction_id: str, left: str | None, to: str | None) -> Moved:
    return Moved(
        interaction_id=interaction_id, tenant="acme", epoch=2, from_pool=Pool.AI_CONTAINED, to_pool=Pool.AI_ASSISTED,
        trigger=Triggered(trigger=Trigger.REQUESTED, epoch=1, occurred_at=2), from_endpoint=left, to_endpoint=to,
        queue="retail", occurred_at=2,
    )  # fmt: skip


def test_contacts_that_went_to_people_or_to_another_agent_are_taken_off_the_one_that_they_left(bench: Bench) -> None:
    bench.step(moved("to people", "nova", None), moved("to vega", "nova", "vega"))
    assert bench.releases.told == [("acme/nova", "acme/to people"), ("acme/nova", "acme/to vega")]


def test_contacts_that_stay_with_their_agent_or_had_none_count_on(bench: Bench) -> None:
    bench.step(moved("watched now", "nova", "nova"), moved("from people", None, "nova"), moved("race", None, None))
    bench.step(
        Assignment(interaction_id="a", tenant="acme", round=0, reason="won", occurred_at=2),
        AnswerRefused(
            interaction_id="b", tenant="acme", endpoint="nova", epoch=1, turn=1, session_epoch=2, occurred_at=2
        ),
    )
    assert (bench.releases.told, bench.wake()) == ([], None)


def test_what_redis_could_not_be_told_is_told_when_it_is_back_and_not_tried_all_the_time(bench: Bench) -> None:
    bench.releases.down = True
    bench.step(closed("a"))
    assert bench.wake() == RETRY_SECONDS
    bench.releases.down = False
    bench.step(closed("b"))
    assert bench.releases.told == []
    assert METRICS.releases_waiting._value.get() == 2
    bench.made.aborted()
    bench.now += RETRY_SECONDS
    assert bench.wake() == 0
    bench.step()
    assert bench.releases.told == [("acme/nova", "acme/a"), ("acme/nova", "acme/b")]
    assert (bench.wake(), METRICS.releases_waiting._value.get()) == (None, 0)


def test_when_too_many_wait_the_oldest_are_left_to_their_leases(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MOST_WAITING", 2)
    bench.releases.down = True
    bench.step(*(closed(name) for name in "abc"))
    bench.releases.down = False
    bench.now += RETRY_SECONDS
    bench.step()
    assert bench.releases.told == [("acme/nova", "acme/b"), ("acme/nova", "acme/c")]


def test_a_record_that_cannot_be_read_is_skipped(bench: Bench) -> None:
    bench.step(b"\x00rubbish", closed("a"))
    assert bench.releases.told == [("acme/nova", "acme/a")]
