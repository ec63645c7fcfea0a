"""The counts service as a process: what closes or moves on the broker is no longer at once in Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from runtime.counts import ContactsAtOnce
from runtime.embedded import EmbeddedRedis
from runtime.kafka import Writer
from runtime.settings import Settings
from schemas.conversations import Moved
from schemas.fields import Channel, Handling, Pool
from schemas.interactions import Closed
from schemas.topics import ASSIGNMENTS, CLOSED
from schemas.triggers import Trigger, Triggered
from tests.flow.steps import SECOND, new_room, running, write
from tests.support.services import ServiceProcess

pytestmark = pytest.mark.xdist_group("counts_flow")

NOVA = "acme/nova"
Room = tuple[Settings, EmbeddedRedis, ServiceProcess]


@pytest.fixture
def room(bootstrap: str, tmp_path: Path) -> Iterator[Room]:
    """The service on a Redis of its own, which a test may stop."""
    with EmbeddedRedis(tmp_path / "redis") as store:
        settings = new_room(bootstrap, store.url, tmp_path)
        with running(settings, "counts") as (service,):
            yield settings, store, service


def closed(name: str, endpoint: str | None = "nova") -> Closed:
    return Closed(
        interaction_id=name, tenant="acme", decision_id=f"d-{name}", channel=Channel.CHAT, language="en",
        segment="standard", intent="balance", queue="retail", handling=Handling.AI_CONTAINED, endpoint=endpoint,
        endpoint_version="7", ai_turns=1, ai_seconds=1.0, wait_seconds=0.0, talk_seconds=0.0, wrap_seconds=0.0,
        offered_at=SECOND, closed_at=2 * SECOND,
    )  # fmt: skip


def moved(name: str, left: str | None, to: str | None) -> Moved:
    return Moved(
        interaction_id=name, tenant="acme", epoch=2, from_pool=Pool.AI_CONTAINED, to_pool=Pool.HUMAN_EXCLUSIVE,
        trigger=Triggered(trigger=Trigger.PERSON_ASKED, epoch=1, occurred_at=SECOND), from_endpoint=left,
        to_endpoint=to, queue="retail", occurred_at=SECOND,
    )  # fmt: skip


def until(what: str, reached: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        time.sleep(0.02)


def test_contacts_that_close_are_taken_off_the_count_of_their_agent(room: Room) -> None:
    settings, _, service = room
    counts = ContactsAtOnce(settings)
    counts.take([(NOVA, f"acme/c{n}") for n in range(5)])
    assert counts.read([NOVA]) == {NOVA: 5}
    writer = Writer(settings, "test")
    writer.write_bytes(CLOSED.name, b"c9", b"\x00rubbish", [])
    writer.close()
    write(settings, CLOSED, *(closed(f"c{n}") for n in range(3)), closed("c3", endpoint=None))
    until("the release", lambda: counts.read([NOVA]) == {NOVA: 2})

    service.kill()
    write(settings, CLOSED, closed("c4"))
    service.start().wait_ready()
    until("the release after a crash", lambda: counts.read([NOVA]) == {NOVA: 1})
    assert service.stop() == 0


def test_contacts_that_are_handed_on_are_taken_off_the_agent_that_they_left(room: Room) -> None:
    settings, _, service = room
    counts, vega = ContactsAtOnce(settings), "acme/vega"
    counts.take([*((NOVA, f"acme/c{n}") for n in range(6)), (vega, "acme/c1")])
    assert counts.read([NOVA, vega]) == {NOVA: 6, vega: 1}
    write(settings, ASSIGNMENTS, moved("c0", "nova", None), moved("c1", "nova", "vega"), moved("c2", "nova", "nova"))
    until("the releases", lambda: counts.read([NOVA]) == {NOVA: 4})

    service.kill()
    write(settings, ASSIGNMENTS, moved("c3", "nova", None))
    write(settings, CLOSED, closed("c4"))
    service.start().wait_ready()
    until("the releases after a crash", lambda: counts.read([NOVA]) == {NOVA: 2})
    assert counts.read([vega]) == {vega: 1}


def test_what_closes_while_redis_does_not_answer_is_taken_off_when_it_does(room: Room) -> None:
    settings, store, service = room
    counts = ContactsAtOnce(settings)
    counts.take([(NOVA, f"acme/c{n}") for n in range(4)])
    assert counts.read([NOVA]) == {NOVA: 4}
    with redis.Redis.from_url(store.url) as client:
        client.client_pause(1500)
    write(settings, CLOSED, *(closed(f"c{n}") for n in range(3)))
    until("the failed attempt", lambda: "Redis does not answer" in service.tail())
    until("the release", lambda: counts.read([NOVA]) == {NOVA: 1})
