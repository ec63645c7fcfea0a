"""The copier as a process: aborted records, crashes, an empty Redis under load, two at once; look-ups with keys."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis
from confluent_kafka import Producer

from runtime.copies import VIEW, Copy, SessionLookup
from runtime.embedded import EmbeddedRedis
from runtime.kafka import producer_config
from runtime.programs import http_ready
from runtime.settings import Settings
from schemas.fields import Handling
from schemas.topics import SESSION_VIEWS
from schemas.views import SessionView, TurnView
from tests.flow.command import trunkline
from tests.flow.conversing import TOPICS, Talk, open_house
from tests.flow.steps import Watch, new_room, running
from tests.support.services import ServiceProcess
from tests.support.views import CODEC, View, closed, header, key_of, texts, tombstones, turn
from trunkline.installation import free_port

pytestmark = pytest.mark.xdist_group("session_copies_flow")

Held = dict[tuple[str, str], int]
"""Contact and field -> revision."""


class Sessions:
    """Writes views as the service sessions does, in transactions, and knows what copies there must be."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic(SESSION_VIEWS.name)
        self._producer = Producer({**producer_config(settings), "transactional.id": f"{settings.prefix}sessions"})
        self._producer.init_transactions(30)
        self.expected: Held = {}

    def commit(self, *made: View | str) -> None:
        self._write(*made)
        self._producer.commit_transaction(30)
        for each in made:
            if isinstance(each, str):
                name, _, field = each.partition("/")
                del self.expected[name, field or VIEW]
            else:
                name, _, field = key_of(each).partition("/")
                self.expected[name, field or VIEW] = each.revision

    def abort(self, *made: View | str) -> None:
        self._write(*made)
        self._producer.abort_transaction(30)

    def _write(self, *made: View | str) -> None:
        self._producer.begin_transaction()
        for each in made:
            key, value = (each, None) if isinstance(each, str) else (key_of(each), CODEC.encode(each))
            self._producer.produce(self._topic, value, key)
        self._producer.flush(30)


def contact(name: str, turns: int = 6) -> list[View]:
    """A header and turns, each with a revision of its own."""
    return [*(turn(name, number, number) for number in range(1, turns + 1)), header(name, turns + 1, turns=turns)]


class Room:
    """An installation with a Redis of its own, which a test may stop."""

    def __init__(self, settings: Settings, store: EmbeddedRedis) -> None:
        self.settings, self.store = settings, store
        self.sessions = Sessions(settings)
        self.client = redis.Redis.from_url(store.url, decode_responses=True)

    def held(self) -> Held:
        """What there is in Redis."""
        start = f"{self.settings.prefix}session:"
        names = list(self.client.scan_iter(f"{start}*", count=1000))
        with self.client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hgetall(name)
            hashes = pipeline.execute()
        return {
            (name.removeprefix(start), field.removesuffix("@")): int(value)
            for name, fields in zip(names, hashes, strict=True)
            for field, value in fields.items()
            if field.endswith("@")
        }

    def copied(self) -> int:
        """How many offsets lie behind the copier."""
        return sum(int(offset) for offset in self.client.hvals(f"{self.settings.prefix}session-copies"))

    def is_right(self) -> bool:
        with contextlib.suppress(redis.ConnectionError):
            return self.held() == self.sessions.expected
        return False

    def until_right(self, seconds: float = 30.0) -> float:
        """Wait until the copies are what was written; return the seconds that it took."""
        began = time.monotonic()
        until("the right copies", self.is_right, seconds)
        return time.monotonic() - began


@pytest.fixture
def room(bootstrap: str, tmp_path: Path) -> Iterator[Room]:
    with EmbeddedRedis(tmp_path / "redis") as store:
        made = Room(new_room(bootstrap, store.url, tmp_path / "data"), store)
        yield made
        made.client.close()


@contextlib.contextmanager
def load(sessions: Sessions, name: str, transactions: int, pause_seconds: float = 0.0) -> Iterator[threading.Thread]:
    """Contacts that go on while a test does something else, 10 a transaction; some are changed, some removed."""

    def work() -> None:
        for nth in range(transactions):
            names = [f"{name}-{nth}-{n}" for n in range(10)]
            sessions.commit(*(each for one in names for each in contact(one, 4)))
            if nth % 4 == 1:
                sessions.commit(*tombstones(names[0], 1, 2, 3, 4), closed(header(names[1], 5)))
            time.sleep(pause_seconds)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()


def until(what: str, reached: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        time.sleep(0.02)


def said(service: ServiceProcess, words: str) -> int:
    return service.log.read_text().count(words)


def test_copies_show_what_is_committed_and_never_what_is_aborted(room: Room) -> None:
    """
    before  a@1 committed, a@9 and ghost@1 aborted
    then    b committed, b's tombstones aborted, a@2 committed, ghost@2 aborted
    """
    room.sessions.commit(header("a", 1))
    room.sessions.abort(header("a", 9), header("ghost", 1), turn("a", 1, 9))
    with running(room.settings, "copies") as (service,):
        room.until_right()
        room.sessions.commit(*contact("b"))
        room.sessions.abort(*tombstones("b", 1, 2, 3, 4, 5, 6))
        room.sessions.commit(header("a", 2))
        room.sessions.abort(header("ghost", 2))
        room.sessions.commit(header("z"))
        until("the last one", lambda: ("z", VIEW) in room.held())
        room.until_right()
        assert room.held()["a", VIEW] == 2
        room.sessions.commit(*tombstones("b", 1, 2, 3, 4, 5, 6))
        room.until_right()
        assert {name for name, _ in room.held()} == {"a", "z"}
        assert service.stop() == 0


def test_a_copier_that_is_killed_in_the_middle_of_5000_records_loses_none(room: Room) -> None:
    copied_at = []
    with running(room.settings, "copies") as (service,), load(room.sessions, "c", 100) as writing:
        for share in (1, 2, 3):
            until(f"{share} quarters", lambda share=share: room.copied() > share * 1250)  # type: ignore[misc]
            service.kill()
            copied_at.append(room.copied())
            service.start().wait_ready()
        writing.join()
        room.until_right()
        copied_at.append(room.copied())
        assert service.stop() == 0
    assert copied_at == sorted(copied_at)
    assert len(room.sessions.expected) == 5_000 - 25 * 5
    print(f"killed after {copied_at[:3]} of {copied_at[3]} offsets")


@pytest.mark.timeout(120)
def test_a_redis_that_comes_back_empty_under_load_is_right_again_within_30_seconds(room: Room) -> None:
    with running(room.settings, "copies") as (service,):
        for start in range(0, 3_000, 500):
            room.sessions.commit(*(each for n in range(start, start + 500) for each in contact(f"old-{n}")))
        room.until_right()
        old = dict(room.sessions.expected)
        with load(room.sessions, "new", 60, pause_seconds=0.1) as writing:
            until("new contacts", lambda: ("new-4-0", VIEW) in room.held())
            room.store.stop()
            until("the outage", lambda: said(service, "Redis does not answer") == 1)
            away = len(room.sessions.expected)
            until("contacts meanwhile", lambda: len(room.sessions.expected) > away + 500)
            room.store.start()
            began = time.monotonic()
            until("the old contacts", lambda: old.items() <= room.held().items())
            took = time.monotonic() - began
            assert writing.is_alive(), "that was under load"
        room.until_right(30.0 - took)
        assert (said(service, "Redis does not answer"), said(service, "Redis is back")) == (1, 1)
        print(f"{len(old)} records were there {took:.1f} s after an empty Redis answered, under load")
        room.client.flushall()
        print(f"{len(room.sessions.expected)} records were there {room.until_right():.1f} s after all were deleted")
        assert service.stop() == 0


def test_two_copiers_at_once_do_no_harm_and_one_is_enough(room: Room) -> None:
    with running(room.settings, "copies") as (one,), running(room.settings, "copies", slot=1) as (other,):
        with load(room.sessions, "c", 80):
            until("a thousand", lambda: room.copied() > 1_000)
            one.kill()
        room.until_right()
        one.start().wait_ready()
        with load(room.sessions, "d", 40):
            pass
        room.until_right()
        assert (one.stop(), other.stop()) == (0, 0)
    for service in (one, other):
        assert "lost copies" not in service.log.read_text()


def test_what_sessions_write_of_a_contact_is_what_is_looked_up(settings: Settings) -> None:
    async def find() -> Copy | None:
        lookup = SessionLookup(settings)
        try:
            return await lookup.find("a-1")
        finally:
            await lookup.close()

    open_house(settings, "acme")
    with running(settings, "router", "sessions", "copies"), Watch(settings, *TOPICS) as watch:
        talk = Talk(settings, watch, "acme", "a-1")
        talk.begin()
        talk.tell(*(talk.turn(number) for number in (2, 1, 3)), talk.ended(3))
        view = talk.await_one(SESSION_VIEWS, SessionView, closed=Handling.AI_CONTAINED)
        until("the copy", lambda: (found := asyncio.run(find())) is not None and found.view == view)
        found = asyncio.run(find())
        assert found is not None
        assert texts(found.turns) == ["question 1", "question 2", "question 3"]
        watch.to_end()
        assert set(found.turns) <= set(talk.of(SESSION_VIEWS, TurnView))


def test_contacts_are_looked_up_over_http_with_keys_of_their_tenants(room: Room) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    bridge = ServiceProcess(room.settings, "bridge", arguments=("--port", url.rpartition(":")[2]))
    data = ("--data", str(room.settings.data))
    keys = {
        tenant: trunkline("keys", "create", f"{tenant}-desk", "--tenant", tenant, *data).stdout.strip()
        for tenant in ("acme", "beta")
    }
    room.sessions.commit(*contact("a", 12))
    with running(room.settings, "copies"), httpx.Client(base_url=url) as client:
        bridge.start()
        try:
            until("the bridge", http_ready(url))
            room.until_right()

            def ask(name: str, key: str) -> httpx.Response:
                return client.get(f"/v1/sessions/{name}", headers={"Authorization": f"Bearer {key}"})

            found = ask("a", keys["acme"])
            assert found.status_code == 200, found.text
            assert [each["turn"] for each in found.json()["history"]] == list(range(1, 13))
            assert client.get("/v1/sessions/a").status_code == 401
            assert ask("a", "tlk_wrong").status_code == 401
            assert ask("a", keys["beta"]).status_code == ask("b", keys["beta"]).status_code == 404

            laps = []
            for _ in range(500):
                began = time.perf_counter()
                assert ask("a", keys["acme"]).status_code == 200
                laps.append(1000 * (time.perf_counter() - began))
            laps.sort()
            print(f"look-up of a contact of 12 turns: median {laps[250]:.1f} ms, p99 {laps[495]:.1f} ms")

            room.store.stop()
            down = ask("a", keys["acme"])
            assert (down.status_code, down.headers["retry-after"]) == (503, "1")
            assert client.get("/v1/sessions/a").status_code == 401
            room.store.start()
            until("the copy", lambda: ask("a", keys["acme"]).status_code == 200)

            assert trunkline("keys", "revoke", "acme-desk", *data).returncode == 0
            assert ask("a", keys["acme"]).status_code == 401
            assert bridge.stop() == 0
        finally:
            assert bridge.process is not None
            if bridge.process.poll() is None:
                bridge.kill()
