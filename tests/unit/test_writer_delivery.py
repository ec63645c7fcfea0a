"""Events that are acknowledged one by one: without a broker that is refused in time, and nothing comes late."""

from __future__ import annotations

import pytest

from runtime.errors import KafkaUnavailableError
from runtime.kafka import Writer
from runtime.settings import Settings
from schemas.control import Availability, QueuePlan
from schemas.errors import RecordError
from schemas.topics import AVAILABILITY, PLANS, Effect
from tests.flow.test_command_line import nobody_listens

SAID = Effect(
    AVAILABILITY,
    Availability(tenant="acme", queue="billing", agents_required=1, agents_available=1, expires_at=2, occurred_at=1),
)
NOTHING = Effect(PLANS, QueuePlan(tenant="acme", queue="billing", starts_at=0, intervals=(), occurred_at=1))


def test_what_no_broker_takes_is_refused_and_dropped() -> None:
    writer = Writer(Settings(bootstrap=nobody_listens()), "test", at_once=True)
    with pytest.raises(KafkaUnavailableError, match="is Kafka up"):
        writer.deliver([SAID, SAID], 0.1)
    writer.flush(0.0)  # it would raise, did anything wait


def test_nothing_is_queued_where_one_of_the_events_makes_no_sense() -> None:
    writer = Writer(Settings(bootstrap=nobody_listens()), "test", at_once=True)
    with pytest.raises(RecordError, match="0 intervals"):
        writer.deliver([SAID, NOTHING], 0.1)
    writer.flush(0.0)
