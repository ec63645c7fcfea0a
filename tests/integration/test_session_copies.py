"""Copies of contacts on a real Redis: revisions, tombstones in every order, positions, two writers, look-ups."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from processors.copies.logic import changes_of
from runtime.copies import (
    KEEP_SECONDS,
    LEAVE_SECONDS,
    NOWHERE,
    VIEW,
    Applied,
    Batch,
    Copy,
    Outcome,
    SessionCopies,
    SessionLookup,
)
from runtime.embedded import EmbeddedRedis
from runtime.errors import StoreUnavailableError
from runtime.settings import Settings
from tests.support.views import MemoryCopies, View, closed, header, key_of, texts, tombstones, turn


class Room:
    """A prefix of its own on a Redis."""

    def __init__(self, url: str) -> None:
        self.settings = Settings(redis_url=url, prefix=f"t{uuid.uuid4().hex[:10]}.")
        self.copies = SessionCopies(self.settings)
        self.client = redis.Redis.from_url(url, decode_responses=True)

    def write(self, *made: View | str, partition: int = 0, copies: SessionCopies | None = None) -> Applied:
        """Apply records of a partition from where it stands."""
        writer = copies or self.copies
        positions = writer.positions()
        assert positions is not None
        expected = positions.get(partition, NOWHERE)
        pairs = [(each, None) if isinstance(each, str) else (key_of(each), each) for each in made]
        writer.send(Batch(partition, expected, max(0, expected) + len(made), changes_of(pairs)))
        answer = writer.answer()
        assert answer is not None
        return answer

    def find(self, interaction_id: str) -> Copy | None:
        async def ask() -> Copy | None:
            lookup = SessionLookup(self.settings)
            try:
                return await lookup.find(interaction_id)
            finally:
                await lookup.close()

        return asyncio.run(ask())

    def name(self, interaction_id: str) -> str:
        return f"{self.settings.prefix}session:{interaction_id}"

    def names(self) -> set[str]:
        return set(self.client.scan_iter(f"{self.settings.prefix}session:*"))

    def ttl(self, interaction_id: str) -> int:
        return int(self.client.ttl(self.name(interaction_id)))


@pytest.fixture
def room(redis_url: str) -> Iterator[Room]:
    made = Room(redis_url)
    yield made
    made.client.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as store:
        yield store


def in_every_order(*logs: Sequence[View | str]) -> Iterator[list[tuple[int, View | str]]]:
    """Every order in which the records of several partitions can be read; within a partition their order stands."""
    if not any(logs):
        yield []
    for partition, log in enumerate(logs):
        if log:
            for rest in in_every_order(*logs[:partition], log[1:], *logs[partition + 1 :]):
                yield [(partition, log[0]), *rest]


# Revisions.


def test_what_is_written_is_found_as_it_was_with_its_turns_by_epoch_and_number(room: Room) -> None:
    view = header("a", 5)
    turns = [turn("a", number, number, epoch=epoch, said=f"{epoch}-{number}") for epoch, number in
             ((1, 1), (0, 10), (0, 2), (1, 11), (0, 1))]  # fmt: skip
    assert room.write(view, *turns) == Applied(Outcome.APPLIED, 6)
    found = room.find("a")
    assert found is not None
    assert found.view == view
    assert texts(found.turns) == ["0-1", "0-2", "0-10", "1-1", "1-11"]
    assert set(found.turns) == set(turns)
    fields = room.client.hgetall(room.name("a"))
    assert (fields["view@"], fields["turn-0-10@"], len(fields)) == ("5", "10", 12)
    assert room.find("b") is None


def test_a_lower_or_equal_revision_never_overwrites_a_higher_one(room: Room) -> None:
    last = closed(header("a", 9))
    room.write(last, turn("a", 1, 4, said="as it stands"))
    for revision in (1, 9, 10):
        answer = room.write(header("a", revision), turn("a", 1, min(revision, 4), said="old"))
        assert answer.outcome is Outcome.APPLIED, "the position moves nevertheless"
    found = room.find("a")
    assert found is not None
    assert (found.view, texts(found.turns)) == (last, ["as it stands"])
    room.write(turn("a", 1, 5, said="edited"))
    found = room.find("a")
    assert found is not None
    assert texts(found.turns) == ["edited"]


@pytest.mark.parametrize("name", ["a/b", "100%", "turn-1-1", "spaces and ü", "a%2Fb"])
def test_any_id_is_found_and_removed(room: Room, name: str) -> None:
    room.write(header(name), turn(name, 1))
    found = room.find(name)
    assert found is not None
    assert (found.view.interaction_id, len(found.turns)) == (name, 1)
    room.write(*tombstones(name, 1))
    assert room.find(name) is None
    assert room.names() == set()


# Tombstones.


def test_a_removed_contact_leaves_nothing_in_whatever_order_its_partitions_are_read(redis_url: str) -> None:
    gone, *turns_gone = tombstones("a", 1, 2)
    logs = (
        [header("a", 1), header("a", 5), gone],
        [turn("a", 1, 2), turns_gone[0]],
        [turn("a", 2, 3), turn("a", 2, 4), turns_gone[1]],
    )
    orders = list(in_every_order(*logs))
    assert len(orders) == 560
    room = Room(redis_url)
    for order in orders:
        for partition, made in order:
            room.write(made, partition=partition)
        assert room.names() == set(), order
    room.client.close()


def test_a_contact_that_has_the_id_of_a_removed_one_keeps_all_that_is_its_own_in_every_order(redis_url: str) -> None:
    gone, turn_gone = tombstones("a", 1)
    logs = (
        [header("a", 9), gone, header("a", 2, language="fr")],
        [turn("a", 1, 5), turn_gone, turn("a", 1, 1, said="bonjour")],
    )
    orders = list(in_every_order(*logs))
    assert len(orders) == 20
    for order in orders:
        room = Room(redis_url)
        for partition, made in order:
            room.write(made, partition=partition)
        found = room.find("a")
        assert found is not None, order
        assert (found.view.language, found.view.revision, texts(found.turns)) == ("fr", 2, ["bonjour"]), order
        assert KEEP_SECONDS - 60 < room.ttl("a") <= KEEP_SECONDS
        room.client.close()


def test_a_turn_that_comes_before_or_after_its_header_shows_no_contact(room: Room) -> None:
    room.write(turn("a", 1), partition=1)
    assert room.find("a") is None
    room.write(header("a"))
    assert room.find("a") is not None
    room.write("a")
    assert room.find("a") is None, "its tombstone has not come"
    room.write(turn("a", 2), partition=1)
    assert room.find("a") is None, "and a late turn brings no contact back"
    room.write(*tombstones("a", 1, 2)[1:], partition=1)
    assert room.names() == set()


def test_a_copy_goes_26_hours_after_the_last_write_and_what_a_header_leaves_after_an_hour(room: Room) -> None:
    room.write(header("a"), turn("a", 1))
    assert KEEP_SECONDS - 60 < room.ttl("a") <= KEEP_SECONDS
    room.client.expire(room.name("a"), 100)
    room.write(header("a", 1))
    assert room.ttl("a") <= 100, "what changes nothing prolongs nothing"
    room.write(turn("a", 2))
    assert room.ttl("a") > KEEP_SECONDS - 60
    room.write("a")
    assert LEAVE_SECONDS - 60 < room.ttl("a") <= LEAVE_SECONDS


# Positions.


def test_a_batch_from_another_position_writes_nothing_and_is_told_where_the_partition_stands(room: Room) -> None:
    room.copies.send(Batch(3, 7, 8, changes_of([("", header("a"))])))
    assert room.copies.answer() == Applied(Outcome.LOST, NOWHERE)
    room.write(header("b"), header("c"), partition=3)
    for expected in (NOWHERE, 0, 1, 3):
        room.copies.send(Batch(3, expected, 9, changes_of([("", header("a")), ("b", None)])))
        assert room.copies.answer() == Applied(Outcome.LOST, 2)
    assert room.copies.positions() == {3: 2}
    assert room.names() == {room.name("b"), room.name("c")}


def test_a_batch_that_is_sent_twice_is_written_once(room: Room) -> None:
    batch = Batch(0, NOWHERE, 5, changes_of([("", header("a"))]))
    room.copies.send(batch)
    assert room.copies.answer() == Applied(Outcome.APPLIED, 5)
    room.copies.send(batch)
    assert room.copies.answer() == Applied(Outcome.LOST, 5)


def test_a_batch_of_records_that_change_nothing_moves_the_position(room: Room) -> None:
    room.copies.send(Batch(1, NOWHERE, 40, ()))
    assert room.copies.answer() == Applied(Outcome.APPLIED, 40)
    assert room.copies.positions() == {1: 40}


def test_of_two_writers_at_full_speed_exactly_one_writes_each_record(room: Room) -> None:
    """Each takes the next 1 to 7 offsets; what it is told that it has lost, it takes from where the other ended."""
    records = 2_000
    written: list[list[range]] = [[], []]

    def work(who: int) -> None:
        copies, at, nth = SessionCopies(room.settings), NOWHERE, 0
        while at < records:
            nth += 1
            following = min(records, max(0, at) + 1 + (nth + 3 * who) % 7)
            views = [header(f"c{offset % 50}", offset + 1) for offset in range(max(0, at), following)]
            copies.send(Batch(0, at, following, changes_of([("", view) for view in views])))
            answer = copies.answer()
            assert answer is not None
            if answer.outcome is Outcome.APPLIED:
                written[who].append(range(max(0, at), following))
            at = answer.position

    threads = [threading.Thread(target=work, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(offset for ranges in written for each in ranges for offset in each) == list(range(records))
    assert [int(room.client.hget(room.name(f"c{n}"), "view@")) for n in range(50)] == list(
        range(records - 49, records + 1)
    )


views = st.builds(header, st.sampled_from("ab"), st.integers(0, 4)) | st.builds(
    turn, st.sampled_from("ab"), st.integers(1, 2), st.integers(0, 4), said=st.text("xyz", max_size=2)
)
keys = st.sampled_from([*tombstones("a", 1, 2), *tombstones("b", 1, 2)])


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(views | keys, max_size=8), max_size=6))
def test_redis_holds_what_the_store_in_memory_does(redis_url: str, batches: list[list[Any]]) -> None:
    room, memory = Room(redis_url), MemoryCopies()
    at = NOWHERE
    for batch in batches:
        pairs = [(each, None) if isinstance(each, str) else (key_of(each), each) for each in batch]
        made = Batch(0, at, max(0, at) + len(batch), changes_of(pairs))
        answers = []
        for store in (room.copies, memory):
            store.send(made)
            answers.append(store.answer())
        assert answers[0] == answers[1]
        at = made.following
    held = {
        (name, field): (int(room.client.hget(room.name(name), f"{field}@")), value.encode())
        for name in "ab"
        for field, value in room.client.hgetall(room.name(name)).items()
        if not field.endswith("@")
    }
    assert held == memory.fields
    room.client.close()


# Redis away.


def test_without_redis_nothing_is_answered_and_look_ups_say_so(store: EmbeddedRedis) -> None:
    room = Room(store.url)
    room.write(header("a"))
    store.stop()
    assert room.copies.positions() is None
    room.copies.send(Batch(0, 1, 2, changes_of([("", header("b"))])))
    assert room.copies.answer() is None
    assert room.copies.problem
    with pytest.raises(StoreUnavailableError, match="Redis does not answer"):
        room.find("a")
    store.start()
    assert room.copies.positions() == {}, "with the copies it has lost where they ended"
    room.write(header("a"))
    assert room.find("a") is not None


def test_a_redis_that_hangs_is_given_up(store: EmbeddedRedis) -> None:
    room = Room(store.url)
    room.write(header("a"))
    store.pause()
    try:
        assert room.copies.positions() is None
        with pytest.raises(StoreUnavailableError):
            room.find("a")
    finally:
        store.resume()
    assert room.copies.positions() == {0: 1}


def test_a_connection_from_before_a_restart_is_made_anew_by_the_look_up_itself(store: EmbeddedRedis) -> None:
    room = Room(store.url)

    async def ask() -> list[Copy | None]:
        lookup = SessionLookup(room.settings)
        found = [await lookup.find("a")]
        await asyncio.to_thread(store.stop)
        await asyncio.to_thread(store.start)
        found.append(await lookup.find("a"))
        await lookup.close()
        return found

    assert asyncio.run(ask()) == [None, None]


def test_a_copy_of_a_release_that_is_not_understood_is_not_taken_for_none(room: Room) -> None:
    room.client.hset(room.name("a"), VIEW, '{"interaction_id": "a"}')
    with pytest.raises(StoreUnavailableError, match="of another release"):
        room.find("a")


def test_installations_do_not_see_each_other_s_copies(room: Room, redis_url: str) -> None:
    room.write(header("a"))
    assert Room(redis_url).find("a") is None
    assert Room(redis_url).copies.positions() == {}
