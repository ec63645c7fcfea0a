"""The clock as a process: contacts whose agent was lost are told, all of them, also when it is killed meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.conversations import AgentLost
from schemas.fields import BreakerState
from schemas.interactions import TimerSet
from schemas.topics import INTERACTION_EVENTS, TIMERS, endpoint_key
from tests.flow.steps import CODEC, SECOND, Watch, ids, new_room, publish_transition, running, transition, write
from tests.support.services import ServiceProcess

pytestmark = pytest.mark.xdist_group("clock_flow")

Room = tuple[Settings, ServiceProcess]


@pytest.fixture(scope="module")
def room(bootstrap: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The clock; each test has a tenant of its own. Who kills it starts it again."""
    settings = new_room(bootstrap, redis_url, tmp_path_factory.mktemp("clock-flow"))
    with running(settings, "clock") as (service,):
        yield settings, service


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4().hex[:8]}"


def timer(contact: str, agent: str | None, epoch: int = 0, due_seconds: float = 3600.0) -> TimerSet:
    due_at = real_now() + int(due_seconds * SECOND)
    return TimerSet(interaction_id=contact, due_at=due_at, agent=agent, breaker_epoch=epoch)


class Told(Watch):
    """Follows what the clock writes to sessions: contact -> the epochs of the losses that it was told of."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, INTERACTION_EVENTS)
        self.epochs: dict[str, list[int]] = {}
        self.rung: set[str] = set()

    def look(self, seconds: float = 0.05) -> None:
        super().look(seconds)
        for record in self.records:
            event = CODEC.decode(record.value)
            if isinstance(event, AgentLost):
                self.epochs.setdefault(event.interaction_id, []).append(event.breaker_epoch)
            else:
                self.rung.add(event.interaction_id)
        self.records.clear()


def test_contacts_of_a_lost_agent_are_told_once_and_those_of_others_are_not(room: Room, tenant: str) -> None:
    settings, _ = room
    nova, vega = endpoint_key(tenant, "nova"), endpoint_key(tenant, "vega")
    early, others = ids(f"{tenant}-early", 50), ids(f"{tenant}-other", 50)
    with Told(settings) as told:
        write(settings, TIMERS, *(timer(name, nova, 1) for name in early), *(timer(name, vega) for name in others),
              timer(f"{tenant}-probe", nova, 2), timer(f"{tenant}-read", None, due_seconds=0.0))  # fmt: skip
        told.until("the timer, so that the others are set", lambda: f"{tenant}-read" in told.rung)
        publish_transition(settings, transition(tenant, BreakerState.OPEN, 2))
        told.until("word to all", lambda: told.epochs.keys() >= set(early))
        write(settings, TIMERS, timer(f"{tenant}-late", nova, 1), timer(early[0], nova, 1))
        told.until("word to who came late", lambda: f"{tenant}-late" in told.epochs)
        publish_transition(settings, transition(tenant, BreakerState.FORCED_OPEN, 3))
        told.until("word to the probe", lambda: f"{tenant}-probe" in told.epochs)
        told.until("word to all", lambda: all(told.epochs[name][-1] == 3 for name in early))
        told.to_end()
    assert all(told.epochs[name] == [2, 3] for name in (*early, f"{tenant}-late"))
    assert told.epochs[f"{tenant}-probe"] == [3]
    assert not told.epochs.keys() & set(others)


def test_a_clock_that_is_killed_while_it_tells_contacts_misses_none(room: Room, tenant: str) -> None:
    settings, clock = room
    nova, vega = endpoint_key(tenant, "nova"), endpoint_key(tenant, "vega")
    contacts, others = [f"{tenant}-{n}" for n in range(40_000)], ids(f"{tenant}-other", 100)
    with Told(settings) as told:
        write(settings, TIMERS, *(timer(name, vega) for name in others), *(timer(name, nova) for name in contacts),
              timer(f"{tenant}-read", None, due_seconds=0.0))  # fmt: skip
        told.until("the timer, so that the others are set", lambda: f"{tenant}-read" in told.rung)
        publish_transition(settings, transition(tenant, BreakerState.OPEN, 1))
        told.until("the first word", lambda: told.epochs)
        clock.kill()
        told.to_end()
        before = len(told.epochs)
        publish_transition(settings, transition(tenant, BreakerState.HALF_OPEN, 2))
        clock.start().wait_ready()
        told.until("word to all", lambda: told.epochs.keys() >= set(contacts), 60)
    assert 0 < before < len(contacts), "it was killed in the middle"
    assert all(set(told.epochs[name]) == {1} for name in contacts)
    assert not told.epochs.keys() & set(others)
