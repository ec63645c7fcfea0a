"""Sessions, clock, health, analytics and staffing as processes: from a decision to people required."""

from __future__ import annotations

import itertools
import time
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from processors.sessions.logic.book import Session
from processors.sessions.logic.effects import opened
from runtime.clock import real_now
from runtime.kafka import Writer, client_config
from runtime.partitioner import partition_of
from runtime.settings import Settings
from schemas.agents import Outcome, Tick, Transition
from schemas.control import ClockSetting
from schemas.fields import BreakerState, Event, FinishedBy, Handling, Pool, TurnResult
from schemas.interactions import Closed, Completed, Decision, TimerDue, Turn
from schemas.topics import (
    AGENT_EVENTS,
    BREAKER_STATE,
    CAPACITY,
    CLOCK,
    CLOSED,
    INTERACTION_EVENTS,
    STAFFING,
    TIMERS,
    TRANSITIONS,
    VOLUME,
    WFM_EVENTS,
)
from schemas.wfm import CapacitySignal, Impact, StaffingRequirement, VolumeDelta, VolumeRow
from tests import contacts
from tests.flow.steps import CODEC, PARTITIONS, SECOND, Watch, ids, new_room, policy, publish_policy, running, write
from tests.support.services import ServiceProcess

pytestmark = pytest.mark.xdist_group("stateful_flow")

SERVICES = ("sessions", "clock", "health", "analytics", "staffing")
OPEN_SECONDS = 2.0
INTERVAL = 15 * 60 * SECOND
EVERYTHING = (INTERACTION_EVENTS, CLOSED, AGENT_EVENTS, WFM_EVENTS, TRANSITIONS, BREAKER_STATE, VOLUME, CAPACITY,
              STAFFING, TIMERS)  # fmt: skip

Rooms = tuple[Settings, dict[str, ServiceProcess]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stateful-flow")


@pytest.fixture(scope="module")
def room(bootstrap: str, redis_url: str, data: Path) -> Iterator[Rooms]:
    """All stateful services; each test has a tenant of its own. Who kills one starts it again."""
    settings = new_room(bootstrap, redis_url, data)
    with running(settings, *SERVICES) as services:
        yield settings, {service.name: service for service in services}


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4().hex[:8]}"


def decision(name: str, tenant: str, **changes: Any) -> Decision:
    now = real_now()
    who = {"interaction_id": name, "tenant": tenant, "decision_id": f"d-{name}", "endpoint": "nova"}
    base = {**who, "intent": "balance", "queue": "retail", "breaker_epoch": 0, "offered_at": now, "decided_at": now}
    return contacts.decision(**{**base, **changes})


def turn(name: str, tenant: str, number: int = 1, **changes: Any) -> Turn:
    base = {"interaction_id": name, "tenant": tenant, "endpoint": "nova", "occurred_at": real_now()}
    return contacts.turn(number, **{**base, **changes})


def completed(name: str, tenant: str, ai_turns: int, **changes: Any) -> Completed:
    return contacts.completed(
        ai_turns, **{"interaction_id": name, "tenant": tenant, "occurred_at": real_now(), **changes}
    )


def final_row(watch: Watch, tenant: str, offered: int, **counts: int) -> VolumeRow:
    """The row of a tenant with one cell, once it shows these counts."""

    def rows() -> list[Any]:
        return [
            row
            for row in watch.of(VOLUME, tenant=tenant, offered=offered)
            if all(getattr(row, name) == count for name, count in counts.items())
        ]

    watch.until(f"a volume row with {offered} offered and {counts}", rows)
    row = rows()[-1]
    assert isinstance(row, VolumeRow)
    return row


def test_a_contact_goes_from_decision_to_outcome_close_and_volume(room: Rooms, tenant: str) -> None:
    settings, _ = room
    name = f"{tenant}-one"
    publish_policy(settings, policy(tenant))
    made = decision(name, tenant)
    with Watch(settings, *EVERYTHING) as watch:
        write(settings, INTERACTION_EVENTS, made)
        opened = final_row(watch, tenant, 1, in_progress=1)
        write(settings, INTERACTION_EVENTS, turn(name, tenant, quality=0.9, latency_ms=812.5),
              completed(name, tenant, 1, resolved=True, ai_seconds=7.5))  # fmt: skip
        watch.until("the close", lambda: watch.of(CLOSED, tenant=tenant))
        row = final_row(watch, tenant, 1, ai_contained=1)
        (closed,) = watch.of(CLOSED, tenant=tenant)
        (outcome,) = [
            event for event in watch.of(AGENT_EVENTS) if isinstance(event, Outcome) and event.tenant == tenant
        ]
        keys = {record.topic: record.key for record in watch.records if record.value and name.encode() in record.value}
        volume_keys = {r.key for r in watch.records if r.topic == VOLUME.name and tenant.encode() in (r.key or b"")}

    assert isinstance(closed, Closed)
    assert (closed.handling, closed.ai_turns, closed.resolved, closed.ai_seconds) == (
        Handling.AI_CONTAINED, 1, True, 7.5,
    )  # fmt: skip
    assert (closed.decision_id, closed.offered_at) == (made.decision_id, made.offered_at)
    assert (outcome.provider, outcome.endpoint, outcome.turn, outcome.queue) == ("north", "nova", 1, "retail")
    assert (outcome.result, outcome.latency_ms, outcome.quality) == (TurnResult.OK, 812.5, 0.9)
    assert (row.queue, row.intent, row.channel, row.language) == ("retail", "balance", made.channel, "en")
    assert row.interval_start == made.offered_at - made.offered_at % INTERVAL
    assert (row.in_progress, row.revision > opened.revision) == (0, True)
    assert keys[AGENT_EVENTS.name] == f"{tenant}/north".encode()
    assert keys[WFM_EVENTS.name] == tenant.encode()
    assert volume_keys == {f"{tenant}|retail|balance|chat|en|{row.interval_start}".encode()}


def test_what_comes_before_its_decision_or_twice_gives_one_close(room: Rooms, tenant: str) -> None:
    settings, _ = room
    name = f"{tenant}-early"
    with Watch(settings, *EVERYTHING) as watch:
        early = [completed(name, tenant, 2), turn(name, tenant, 2), turn(name, tenant, 1)]
        write(settings, INTERACTION_EVENTS, *early, *early)
        watch.until(
            "its parking", lambda: [r for r in watch.records if r.topic == TIMERS.name and r.key == name.encode()]
        )
        assert not watch.of(CLOSED, tenant=tenant)
        made = decision(name, tenant)
        write(settings, INTERACTION_EVENTS, made, made, *early)
        watch.until("the close", lambda: watch.of(CLOSED, tenant=tenant))
        publish_policy(settings, policy(tenant))
        final_row(watch, tenant, 1, ai_contained=1)
        watch.to_end()
        assert len(watch.of(CLOSED, tenant=tenant)) == 1
        outcomes = [event for event in watch.of(AGENT_EVENTS) if isinstance(event, Outcome) and event.tenant == tenant]
        assert sorted(outcome.turn for outcome in outcomes) == [1, 2]
        deltas = [event for event in watch.of(WFM_EVENTS) if isinstance(event, VolumeDelta) and event.tenant == tenant]
        assert [(delta.from_handling, delta.to_handling) for delta in deltas] == [
            (None, Handling.IN_PROGRESS),
            (Handling.IN_PROGRESS, Handling.AI_CONTAINED),
        ]


def produce_as_librdkafka_would(settings: Settings, topic: str, records: list[tuple[bytes | None, bytes]]) -> None:
    """Write with a producer that nobody configured: its partitioner is CRC32's, not murmur2's."""
    producer = Producer(client_config(settings))
    for key, value in records:
        producer.produce(settings.topic(topic), key=key, value=value)
    assert producer.flush(20) == 0


def test_records_on_a_wrong_partition_or_under_a_wrong_key_reach_the_right_state(room: Rooms, tenant: str) -> None:
    settings, _ = room
    publish_policy(settings, policy(tenant))
    names = ids(f"{tenant}-astray", 24)
    astray = [
        name for name in names if zlib.crc32(name.encode()) % PARTITIONS != partition_of(name.encode(), PARTITIONS)
    ]
    assert len(astray) > 8
    odd_keys: list[bytes | None] = [None, b"", b"another-key", b"\xff\xfe", tenant.encode()]
    with Watch(settings, *EVERYTHING, INTERACTION_EVENTS.dead_letter_name) as watch:
        write(settings, INTERACTION_EVENTS, *(decision(name, tenant) for name in names[::2]))
        records: list[tuple[bytes | None, Event]] = [(n.encode(), decision(n, tenant)) for n in names[1::2]]
        records += [(name.encode(), turn(name, tenant, number)) for name in names for number in (1, 2)]
        records += [(key, turn(name, tenant, 3)) for key, name in zip(itertools.cycle(odd_keys), names, strict=False)]
        records += [(name.encode(), completed(name, tenant, 3)) for name in names]
        encoded = [(key, CODEC.encode(event)) for key, event in records]
        produce_as_librdkafka_would(settings, INTERACTION_EVENTS.name, encoded)
        tick = CODEC.encode(Tick(key=tenant, now=real_now()))
        produce_as_librdkafka_would(settings, WFM_EVENTS.name, [(b"astray", tick)])
        watch.until("every close", lambda: len(watch.of(CLOSED, tenant=tenant)) >= len(names))
        final_row(watch, tenant, len(names), ai_contained=len(names))
        watch.to_end()
        outcomes = [event for event in watch.of(AGENT_EVENTS) if isinstance(event, Outcome) and event.tenant == tenant]
        dead = [r for r in watch.records if r.topic.endswith(".dlq") and tenant.encode() in (r.value or b"")]
    assert Counter(c.interaction_id for c in watch.of(CLOSED, tenant=tenant)) == dict.fromkeys(names, 1)
    assert Counter((o.interaction_id, o.turn) for o in outcomes) == {(n, t): 1 for n in names for t in (1, 2, 3)}
    assert not dead


def opened_delta(name: str, tenant: str) -> Event:
    """What sessions tells WFM of a contact that was just decided."""
    event = opened(name, Session.of(decision(name, tenant), Pool.AI_CONTAINED)).event
    assert event is not None
    return event


def test_a_delta_gone_astray_counts_once_though_two_services_read_the_inbox(room: Rooms, tenant: str) -> None:
    settings, _ = room
    publish_policy(settings, policy(tenant))
    right = partition_of(tenant.encode(), PARTITIONS)
    wrong = next(key for key in ids("key", 50) if partition_of(key.encode(), PARTITIONS) != right).encode()
    with Watch(settings, *EVERYTHING, WFM_EVENTS.dead_letter_name) as watch:
        astray = opened_delta(f"{tenant}-astray", tenant)
        writer = Writer(settings, "test")
        writer.write_bytes(WFM_EVENTS.name, wrong, CODEC.encode(astray))
        writer.write_bytes(WFM_EVENTS.name, tenant.encode(), b"\x00" + tenant.encode())
        writer.close()
        final_row(watch, tenant, 1, in_progress=1)
        write(settings, INTERACTION_EVENTS, decision(f"{tenant}-fence", tenant))
        final_row(watch, tenant, 2, in_progress=2)
        watch.to_end()
        dead = [record for record in watch.records if record.topic == WFM_EVENTS.dead_letter_name]
    assert [record.value for record in dead if record.key == tenant.encode()] == [b"\x00" + tenant.encode()]


def test_a_service_that_is_told_to_stop_while_it_starts_stops(bootstrap: str, redis_url: str, data: Path) -> None:
    service = ServiceProcess(new_room(bootstrap, redis_url, data), "sessions").start()
    service.port()
    assert service.stop() == 0


def fail_five_times(settings: Settings, watch: Watch, tenant: str) -> Transition:
    """Give nova 40 good contacts, then five whose turns fail; return the transition that opens its breaker."""
    good, bad = ids(f"{tenant}-good", 40), ids(f"{tenant}-bad", 5)
    publish_policy(settings, policy(tenant, open_seconds=OPEN_SECONDS, open_jitter=0.0))
    provider = f"{tenant}/north".encode()
    watch.until("a tick, so that health has the policy", lambda: [r for r in watch.records if r.key == provider])
    write(settings, INTERACTION_EVENTS, *(decision(name, tenant) for name in (*good, *bad)))
    write(settings, INTERACTION_EVENTS, *(turn(name, tenant) for name in good))
    watch.until("the good outcomes", lambda: len(outcomes_of(watch, tenant)) == len(good))
    write(settings, INTERACTION_EVENTS, *(turn(name, tenant, result=TurnResult.SERVER_ERROR) for name in bad))
    watch.until("OPEN", lambda: watch.of(TRANSITIONS, tenant=tenant, to_state=BreakerState.OPEN))
    (opened,) = watch.of(TRANSITIONS, tenant=tenant, to_state=BreakerState.OPEN)
    assert isinstance(opened, Transition)
    return opened


def test_five_failing_turns_open_the_breaker_and_wfm_is_told_of_more_people(room: Rooms, tenant: str) -> None:
    settings, _ = room
    with Watch(settings, *EVERYTHING) as watch:
        opened = fail_five_times(settings, watch, tenant)
        watch.until("the requirement", lambda: watch.of(STAFFING, tenant=tenant))
        watch.until("the capacity", lambda: watch.of(CAPACITY, tenant=tenant))
        impacts = [event for event in watch.of(WFM_EVENTS) if isinstance(event, Impact) and event.tenant == tenant]
        (told,) = watch.of(STAFFING, tenant=tenant, cause_epoch=opened.epoch)
        (lost,) = watch.of(CAPACITY, tenant=tenant, cause_epoch=opened.epoch)
        watch.until("the compacted twin", lambda: watch.of(BREAKER_STATE, tenant=tenant))

    assert (opened.from_state, opened.reason) == (BreakerState.CLOSED, "consecutive_failures")
    assert (opened.evidence.outcomes, opened.evidence.consecutive_failures) == (45, 5)
    assert watch.of(BREAKER_STATE, tenant=tenant)[0] == opened
    assert impacts[0].epoch == opened.epoch
    (displaced,) = impacts[0].displaced
    assert (displaced.queue, displaced.intent) == ("retail", "balance")
    assert displaced.contacts_per_minute > 0
    assert isinstance(told, StaffingRequirement)
    assert told.agents_required_after > told.agents_required_before
    assert told.human_contacts_per_minute_after == pytest.approx(
        told.human_contacts_per_minute_before + displaced.contacts_per_minute
    )
    assert (told.cause_endpoint, told.cause_state, told.cause_at) == ("nova", BreakerState.OPEN, opened.occurred_at)
    assert isinstance(lost, CapacitySignal)
    assert (lost.endpoints_out, lost.ai_contacts_per_minute_lost) == (("nova",), displaced.contacts_per_minute)


def test_an_open_breaker_wakes_to_half_open_by_ticks_alone(room: Rooms, tenant: str) -> None:
    settings, _ = room
    with Watch(settings, *EVERYTHING) as watch:
        opened = fail_five_times(settings, watch, tenant)
        watch.until("HALF_OPEN", lambda: watch.of(TRANSITIONS, tenant=tenant, to_state=BreakerState.HALF_OPEN), 10)
        half_open = watch.of(TRANSITIONS, tenant=tenant, to_state=BreakerState.HALF_OPEN)[0]
    assert opened.open_until is not None
    assert opened.open_until - opened.occurred_at == OPEN_SECONDS * SECOND
    late_seconds = (half_open.occurred_at - opened.open_until) / SECOND
    assert 0 <= late_seconds < 2, "a tick comes every second"
    assert (half_open.epoch, half_open.reason) == (opened.epoch + 1, "open_elapsed")
    assert sum(half_open.probe_permits) == 3
    assert len(half_open.probe_permits) == PARTITIONS


def test_health_that_is_killed_in_open_goes_on_in_open_and_probes_close_it(room: Rooms, tenant: str) -> None:
    settings, services = room
    with Watch(settings, *EVERYTHING) as watch:
        opened = fail_five_times(settings, watch, tenant)
        services["health"].kill()
        services["health"].start().wait_ready()
        watch.until("HALF_OPEN", lambda: watch.of(TRANSITIONS, tenant=tenant, to_state=BreakerState.HALF_OPEN), 20)
        half_open = watch.of(TRANSITIONS, tenant=tenant, to_state=BreakerState.HALF_OPEN)[0]
        probes = ids(f"{tenant}-probe", 5)
        write(settings, INTERACTION_EVENTS,
              *(decision(name, tenant, breaker_epoch=half_open.epoch, pool=Pool.AI_ASSISTED) for name in probes),
              *(turn(name, tenant) for name in probes))  # fmt: skip
        watch.until("CLOSED", lambda: watch.of(TRANSITIONS, tenant=tenant, to_state=BreakerState.CLOSED))
        watch.until("the all-clear", lambda: watch.of(STAFFING, tenant=tenant, cause_state=BreakerState.CLOSED))
        watch.to_end()
        path = [(t.from_state, t.to_state) for t in watch.of(TRANSITIONS, tenant=tenant)]
        over = watch.of(STAFFING, tenant=tenant, cause_state=BreakerState.CLOSED)[-1]
    assert (half_open.from_state, half_open.epoch) == (BreakerState.OPEN, opened.epoch + 1)
    assert path == [
        (BreakerState.CLOSED, BreakerState.OPEN),
        (BreakerState.OPEN, BreakerState.HALF_OPEN),
        (BreakerState.HALF_OPEN, BreakerState.CLOSED),
    ]
    assert (over.agents_required_after, over.since) == (over.agents_required_before, None)


def test_sessions_that_is_killed_between_turns_and_completion_closes_once(room: Rooms, tenant: str) -> None:
    settings, services = room
    publish_policy(settings, policy(tenant))
    names = ids(f"{tenant}-kill", 60)
    with Watch(settings, *EVERYTHING) as watch:
        write(settings, INTERACTION_EVENTS, *(decision(name, tenant) for name in names),
              *(turn(name, tenant, number) for name in names for number in (1, 2)))  # fmt: skip
        watch.until("the first outcomes", lambda: len(outcomes_of(watch, tenant)) >= 30)
        services["sessions"].kill()
        write(settings, INTERACTION_EVENTS, *(completed(name, tenant, 2) for name in names))
        services["sessions"].start().wait_ready()
        watch.until("every close", lambda: len(watch.of(CLOSED, tenant=tenant)) >= len(names))
        row = final_row(watch, tenant, len(names), ai_contained=len(names))
        watch.to_end()
        assert row.in_progress == 0
        assert Counter(c.interaction_id for c in watch.of(CLOSED, tenant=tenant)) == dict.fromkeys(names, 1)
        told = Counter((outcome.interaction_id, outcome.turn) for outcome in outcomes_of(watch, tenant))
        assert told == {(name, number): 1 for name in names for number in (1, 2)}


def outcomes_of(watch: Watch, tenant: str) -> list[Outcome]:
    return [event for event in watch.of(AGENT_EVENTS) if isinstance(event, Outcome) and event.tenant == tenant]


def test_an_event_that_a_step_refuses_is_dead_lettered_and_its_key_goes_on(room: Rooms, tenant: str) -> None:
    settings, _ = room
    name = f"{tenant}-refused"
    with Watch(settings, CLOSED, INTERACTION_EVENTS.dead_letter_name) as watch:
        stranger = turn(name, tenant, endpoint="somebody-else")
        write(settings, INTERACTION_EVENTS, decision(name, tenant), stranger, turn(name, tenant),
              completed(name, tenant, 1))  # fmt: skip
        produce_as_librdkafka_would(settings, INTERACTION_EVENTS.name, [(name.encode(), b"\x00rubbish")])
        watch.until("the close", lambda: watch.of(CLOSED, tenant=tenant))
        letters = {r.value: dict(r.headers) for r in watch.records if r.key == name.encode() and r.topic != CLOSED.name}
        watch.until("two dead letters", lambda: len([r for r in watch.records if r.key == name.encode()]) == 3)
        letters = {r.value: dict(r.headers) for r in watch.records if r.key == name.encode() and r.topic != CLOSED.name}
    assert letters[CODEC.encode(stranger)]["dlq_reason"] == b"wrong_endpoint"
    assert letters[CODEC.encode(stranger)]["dlq_stage"] == b"sessions:step"
    assert letters[b"\x00rubbish"]["dlq_reason"] == b"unknown_framing"


def test_a_completion_that_waits_in_vain_is_closed_by_its_timer_also_when_the_clock_is_killed(
    bootstrap: str, redis_url: str, data: Path
) -> None:
    """Time runs 20 times as fast: the wait of 30 s for a missing turn takes 1.5 s."""
    settings = new_room(bootstrap, redis_url, data)
    now = real_now()
    write(settings, CLOCK, ClockSetting(origin=now, real_origin=now, speed=20.0))
    with running(settings, "sessions", "clock") as (_, clock), Watch(settings, *EVERYTHING) as watch:
        write(settings, INTERACTION_EVENTS, decision("w", "acme"), turn("w", "acme"),
              completed("w", "acme", 2, finished_by=FinishedBy.HUMAN))  # fmt: skip
        watch.until("the timer", lambda: len([r for r in watch.records if r.topic == TIMERS.name]) >= 2)
        clock.kill()
        began = time.monotonic()
        clock.start()
        watch.until("the close", lambda: watch.of(CLOSED))
        took = time.monotonic() - began
        watch.to_end()
        due = [event for event in watch.of(INTERACTION_EVENTS) if isinstance(event, TimerDue)]
        (closed,) = watch.of(CLOSED)
    assert closed.handling is Handling.AI_ESCALATED
    assert len(due) == 1
    assert took < 15
