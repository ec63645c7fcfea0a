"""Where a moment of the past is on a topic."""

from __future__ import annotations

from runtime.clock import real_now
from runtime.kafka import partitions_of
from runtime.offsets import offsets_at
from runtime.settings import Settings
from schemas.fields import BreakerState
from schemas.topics import TRANSITIONS
from tests.flow.steps import publish_transition, transition

MINUTE = 60_000_000


def test_a_moment_is_the_first_record_written_since_and_the_end_where_there_is_none(settings: Settings) -> None:
    places = partitions_of(settings, [TRANSITIONS.name])
    assert offsets_at(settings, places, real_now() - MINUTE) == {places[0]: 0}
    publish_transition(settings, transition("acme", BreakerState.OPEN, 1))
    between = real_now() + 1_000
    while real_now() // 1_000 <= between // 1_000:
        pass  # the broker's stamps are whole milliseconds
    publish_transition(settings, transition("acme", BreakerState.CLOSED, 2))
    asked = [real_now() - MINUTE, between, real_now() + MINUTE, 0]
    assert [offsets_at(settings, places, at)[places[0]] for at in asked] == [0, 1, 2, 0]
