"""Supervisors as a process: every contact is answered once, nobody has too many, also when it is killed under load."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from processors.supervisors.logic import step
from runtime.clock import real_now
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas.fields import Event
from schemas.supervision import SupervisionEnded, SupervisionWanted, SupervisorGiven, SupervisorPresence
from schemas.topics import INTERACTION_EVENTS, SUPERVISION_EVENTS
from tests.flow.steps import CODEC, SECOND, Watch, ids, new_room, running, write
from tests.support.services import ServiceProcess

pytestmark = pytest.mark.xdist_group("supervisors_flow")

LIMIT = 4
Room = tuple[Settings, ServiceProcess]


@pytest.fixture(scope="module")
def room(bootstrap: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The service; each test has a tenant of its own. Who kills it starts it again."""
    settings = new_room(bootstrap, redis_url, tmp_path_factory.mktemp("supervisors-flow"))
    with running(settings, "supervisors") as (service,):
        yield settings, service


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4().hex[:8]}"


def presence(tenant: str, name: str, *, available: bool = True) -> SupervisorPresence:
    return SupervisorPresence(tenant=tenant, supervisor=name, available=available, occurred_at=real_now())


def wanted(tenant: str, *contacts: str) -> list[Event]:
    at = real_now()
    return [SupervisionWanted(tenant=tenant, interaction_id=c, limit=LIMIT, occurred_at=at) for c in contacts]


def ended(tenant: str, *contacts: str) -> list[Event]:
    at = real_now()
    return [SupervisionEnded(tenant=tenant, interaction_id=contact, occurred_at=at) for contact in contacts]


def answers(watch: Watch, tenant: str) -> list[SupervisorGiven]:
    """All that was answered, in order: sequences grow over a tenant."""
    records = [record for record in watch.records if record.topic == INTERACTION_EVENTS.name and record.value]
    events = [CODEC.decode(record.value) for record in records]
    told = [event for event in events if isinstance(event, SupervisorGiven) and event.tenant == tenant]
    return sorted(told, key=lambda answer: answer.sequence)


def log_of(watch: Watch, tenant: str) -> list[Event]:
    """The tenant's events as the service reads them."""
    records = [record for record in watch.records if record.topic == SUPERVISION_EVENTS.name and record.value]
    events = [CODEC.decode(record.value) for record in sorted(records, key=lambda record: record.offset)]
    return [event for event in events if event.tenant == tenant]


def stepped(log: Sequence[Event]) -> list[SupervisorGiven]:
    """What the fold answers to a log, stepped once."""
    state, now = DictState(), real_now()
    return [effect.event for event in log for effect in step(event, state, Snapshot(), now)]


def test_contacts_are_given_to_who_is_free_and_given_on_when_they_go(room: Room, tenant: str) -> None:
    settings, _ = room
    contacts = ids(f"{tenant}-c", 6)
    with Watch(settings, INTERACTION_EVENTS) as watch:
        write(settings, SUPERVISION_EVENTS, presence(tenant, "ann"), *wanted(tenant, *contacts[:5]))
        watch.until("five answers", lambda: len(answers(watch, tenant)) == 5)
        first = [(answer.interaction_id, answer.supervisor) for answer in answers(watch, tenant)]
        write(settings, SUPERVISION_EVENTS, presence(tenant, "bob"), *ended(tenant, contacts[0]),
              presence(tenant, "ann", available=False), *wanted(tenant, contacts[5]))  # fmt: skip
        watch.until("four more", lambda: len(answers(watch, tenant)) == 9)
        then = [(answer.interaction_id, answer.supervisor) for answer in answers(watch, tenant)[5:]]
        keys = {record.key for record in watch.records if tenant.encode() in (record.value or b"")}
    assert first == [*((contact, "ann") for contact in contacts[:4]), (contacts[4], None)]
    assert then == [*((contact, "bob") for contact in contacts[1:4]), (contacts[5], "bob")]
    assert keys == {contact.encode() for contact in contacts}


def test_a_presence_ahead_of_time_is_dead_lettered_and_what_follows_is_not(room: Room, tenant: str) -> None:
    settings, _ = room
    ahead = msgspec.structs.replace(presence(tenant, "ann"), occurred_at=real_now() + 3600 * SECOND)
    with Watch(settings, INTERACTION_EVENTS, SUPERVISION_EVENTS.dead_letter_name) as watch:
        write(settings, SUPERVISION_EVENTS, ahead, *wanted(tenant, "c"))
        watch.until("the answer", lambda: answers(watch, tenant))
        watch.to_end()
        letters = [r for r in watch.records if r.topic.endswith(".dlq") and r.key == tenant.encode()]
    assert [answer.supervisor for answer in answers(watch, tenant)] == [None]
    assert [dict(letter.headers)["dlq_reason"] for letter in letters] == [b"ahead_of_time"]


def test_a_service_that_is_killed_under_load_answers_each_contact_once_and_keeps_to_the_limit(
    room: Room, tenant: str
) -> None:
    """Three kills while contacts come and go, with repetitions: the answers are those of one fold over the log."""
    settings, service = room
    names, contacts = ids("s", 20), ids(f"{tenant}-c", 1_500)

    def load() -> None:
        pause = threading.Event()
        for start in range(0, len(contacts), 30):
            events = wanted(tenant, *contacts[start : start + 30])
            events += events[::7]
            events += ended(tenant, *contacts[max(0, start - 60) : max(0, start - 30) : 2])
            if start % 300 == 150:
                name = names[start // 300]
                events += [presence(tenant, name, available=False), presence(tenant, f"{name}-relief")]
            write(settings, SUPERVISION_EVENTS, *events)
            pause.wait(0.1)

    with Watch(settings, INTERACTION_EVENTS, SUPERVISION_EVENTS) as watch:
        write(settings, SUPERVISION_EVENTS, *(presence(tenant, name) for name in names))
        writer = threading.Thread(target=load)
        writer.start()
        for target in (150, 500, 900):
            watch.until(f"{target} answers", lambda target=target: len(answers(watch, tenant)) >= target, 60)
            service.kill()
            service.start().wait_ready()
        writer.join()
        last = f"{tenant}-last"
        write(settings, SUPERVISION_EVENTS, *wanted(tenant, last))
        watch.until("the last answer", lambda: any(a.interaction_id == last for a in answers(watch, tenant)), 60)
        watch.to_end()
        log, told = log_of(watch, tenant), answers(watch, tenant)
    assert told == stepped(log)
    assert [answer.sequence for answer in told] == list(range(1, len(told) + 1))
    assert Counter(a.interaction_id for a in firsts(told)) == dict.fromkeys([*contacts, last], 1)
    assert most_at_once(log, told) == LIMIT


def firsts(told: Sequence[SupervisorGiven]) -> list[SupervisorGiven]:
    """Answers but those that give a contact on: these follow one that named a supervisor."""
    held: dict[str, str | None] = {}
    out = []
    for answer in told:
        if held.get(answer.interaction_id) is None:
            out.append(answer)
        held[answer.interaction_id] = answer.supervisor
    return out


def most_at_once(log: Sequence[Event], told: Sequence[SupervisorGiven]) -> int:
    """The most contacts that a supervisor had, by the log and the answers to its events."""
    waiting, held, most = iter(told), {}, 0
    for event in log:
        match event:
            case SupervisionEnded(interaction_id=contact):
                held.pop(contact, None)
                continue
            case SupervisionWanted(interaction_id=contact):
                due = 0 if contact in held else 1
            case SupervisorPresence(supervisor=name, available=available):
                due = 0 if available else sum(holder == name for holder in held.values())
            case _:
                due = 0
        for _ in range(due):
            answer = next(waiting)
            held[answer.interaction_id] = answer.supervisor
        most = max(most, *Counter(name for name in held.values() if name is not None).values(), 0)
    return most
