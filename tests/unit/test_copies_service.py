"""The copier with topic and Redis in memory: what records make of copies, outages, losses, a second writer."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.copies import app
from processors.copies.app import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, LOOK_SECONDS, Copier
from processors.copies.logic import changes_of, place_of_key
from runtime.copies import NOWHERE, VIEW, Batch
from runtime.metrics import METRICS
from schemas.topics import turn_key
from schemas.views import SessionView
from tests.support.views import CODEC, MemoryCopies, MemoryTopic, View, closed, header, key_of, tombstones, turn


class Bench:
    """A copier, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.topic, self.store = MemoryTopic(), MemoryCopies()
        self.copier = self.another()

    def another(self) -> Copier:
        return Copier(CODEC, self.topic, self.store, self.topic.name, lambda: self.now)

    def until_copied(self) -> None:
        self.copier.turn()
        while not (self.copier._following and self.topic.at_end()):
            self.copier.turn()

    def down(self) -> float:
        return METRICS.copies_down._value.get()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def pairs(*made: View | str) -> list[tuple[str, View | None]]:
    return [(each, None) if isinstance(each, str) else (key_of(each), each) for each in made]


# What records make of copies.


def test_each_field_is_written_once_by_its_highest_revision() -> None:
    first, last = header("a", 1), closed(header("a", 7))
    found = changes_of(pairs(first, turn("a", 1, 2), last, header("a", 3), turn("a", 1, 2, said="later")))
    assert [each[:3] for each in found] == [("a", VIEW, 8), ("a", "turn-0-1", 2)]
    assert msgspec.json.decode(found[0].body, type=SessionView) == last
    assert b"it is lost" in found[1].body, "of equal ones the first"
    assert not any(each.cleared for each in found)


def test_what_comes_after_a_tombstone_is_written_whatever_its_revision() -> None:
    found = changes_of(pairs(header("a", 9), "a", header("a", 1), "b", header("c", 4), "c"))
    assert [(each.interaction_id, each.revision, each.cleared) for each in found] == [
        ("a", 1, True),
        ("b", NOWHERE, True),
        ("c", NOWHERE, True),
    ]


@pytest.mark.parametrize("name", ["plain", "with space", "a/b", "100%", "a%2Fb", "turn-1-1", "é/%"])
def test_a_tombstone_takes_the_very_field_that_its_key_had(name: str) -> None:
    assert place_of_key(turn_key(name, 2, 31)) == (name, "turn-2-31")
    assert place_of_key(key_of(header(name))) == (name, VIEW)
    assert key_of(turn(name, 31, epoch=2)) == turn_key(name, 2, 31)


def test_an_id_that_ends_like_the_key_of_a_turn_has_another_key_than_that_turn() -> None:
    assert key_of(header("a/turn-1-2")) != turn_key("a", 1, 2)
    assert place_of_key(turn_key("a", 1, 2)) == ("a", "turn-1-2")


views = st.builds(header, st.sampled_from("ab"), st.integers(0, 4)) | st.builds(
    turn, st.sampled_from("ab"), st.integers(1, 2), st.integers(0, 4), said=st.text("xyz", max_size=2)
)
keys = st.sampled_from([*tombstones("a", 1, 2), *tombstones("b", 1, 2)])


@given(made=st.lists(views | keys, max_size=30), cuts=st.lists(st.integers(0, 30)))
def test_however_records_are_cut_into_batches_the_copies_are_the_same(made: list[Any], cuts: list[int]) -> None:
    at_once, by_parts = MemoryCopies(), MemoryCopies()
    bounds = sorted({0, len(made), *(cut for cut in cuts if cut < len(made))})
    for store, places in ((at_once, (0, len(made))), (by_parts, bounds)):
        for since, to in itertools.pairwise(places):
            expected = store.held.get(0, NOWHERE)
            store.send(Batch(0, expected, to, changes_of(pairs(*made[since:to]))))
            assert store.answer() is not None
    assert at_once.fields == by_parts.fields


# Following.


def test_it_reads_on_from_what_redis_holds_and_what_it_has_none_of_from_the_beginning(bench: Bench) -> None:
    bench.topic.append(*(header(f"c{n}") for n in range(5)))
    bench.topic.append(header("other"), partition=1)
    bench.store.held = {0: 3}
    bench.until_copied()
    assert bench.topic.restarts == [{0: 3}]
    assert sorted(name for name, _ in bench.store.fields) == ["c3", "c4", "other"]
    assert bench.store.held == {0: 5, 1: 1}
    assert METRICS.copies_lag_seconds._value.get() == 0


def test_a_successor_copies_nothing_again_and_skips_nothing(bench: Bench) -> None:
    bench.topic.append(header("a"), header("b"))
    bench.until_copied()
    bench.topic.append(header("c"))
    bench.copier = bench.another()
    bench.until_copied()
    assert [(each.expected, each.following) for each in bench.store.batches] == [(NOWHERE, 2), (2, 3)]
    assert len(bench.store.fields) == 3


def test_a_record_that_cannot_be_read_is_skipped_and_counted(bench: Bench) -> None:
    bench.topic.append(header("a"), b"\x00rubbish", header("b"))
    bad_key = msgspec.structs.replace(bench.topic.logs[0][0], offset=3, key=b"\xff", value=None)
    bench.topic.logs[0].append(bad_key)

    def skipped() -> float:
        labels = ({"service": "copies", "stage": "skipped", "reason": reason} for reason in ("unknown_framing", "key"))
        values = [METRICS.registry.get_sample_value("trunkline_dead_letters_total", each) for each in labels]
        return sum(value or 0.0 for value in values)

    before = skipped()
    bench.until_copied()
    assert (bench.store.held, len(bench.store.fields), skipped() - before) == ({0: 4}, 2, 2)


def test_many_records_are_many_batches_each_from_where_the_one_before_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "BATCH_RECORDS", 3)
    bench.topic.append(*(header(f"c{n}") for n in range(8)))
    bench.until_copied()
    assert [(each.expected, each.following) for each in bench.store.batches] == [(NOWHERE, 3), (3, 6), (6, 8)]


# Redis away.


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_while_redis_is_away_it_waits_longer_and_longer_says_so_once_and_loses_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.topic.append(header("a"))
    bench.until_copied()
    bench.store.down = True
    bench.topic.append(header("b"))
    waits = []
    for _ in range(10):
        waits.append(bench.copier.turn())
        bench.now += 2.0
    assert waits[:3] == [FIRST_RETRY_SECONDS, 2 * FIRST_RETRY_SECONDS, 4 * FIRST_RETRY_SECONDS]
    assert waits[-1] == LAST_RETRY_SECONDS
    assert (bench.down(), METRICS.copies_lag_seconds._value.get()) == (1, 18)
    bench.store.down = False
    assert bench.copier.turn() == 0
    assert said(caplog) == [
        "Redis does not answer: gone fishing; copies stand still until it does",
        "Redis is back after 20.0 s; copies go on",
    ]
    assert (bench.store.held, len(bench.store.fields), bench.down()) == ({0: 2}, 2, 0)
    assert bench.copier.turn() == 0


def test_a_redis_that_answers_and_takes_nothing_is_not_taken_for_well(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.store.full = True
    bench.topic.append(header("a"))
    waits = [bench.copier.turn() for _ in range(8)]
    assert waits == sorted(waits)
    assert waits[-1] == LAST_RETRY_SECONDS
    assert len(said(caplog)) == 1
    bench.store.full = False
    bench.until_copied()
    assert len(said(caplog)) == 2
    assert list(bench.store.fields) == [("a", VIEW)]


def test_a_redis_that_lost_its_data_is_filled_from_the_beginning(bench: Bench) -> None:
    bench.topic.append(header("a"), header("b"))
    bench.topic.append(turn("a", 1), partition=1)
    bench.until_copied()
    everything = [("a", "turn-0-1"), ("a", VIEW), ("b", VIEW)]
    for written in ([header("c")], []):
        bench.store.fields.clear()
        bench.store.held.clear()
        bench.topic.append(*written)
        bench.now += LOOK_SECONDS
        bench.until_copied()
        bench.until_copied()
        assert sorted(bench.store.fields) == [*everything, ("c", VIEW)], "whether or not a record tells"
    assert bench.topic.restarts == [{}, {}, {}]


def test_an_idle_copier_looks_at_redis_once_a_second(bench: Bench) -> None:
    bench.until_copied()
    bench.store.down = True
    assert bench.copier.turn() == 0
    bench.now += LOOK_SECONDS
    assert bench.copier.turn() == FIRST_RETRY_SECONDS
    assert bench.down() == 1
    bench.store.down = False
    bench.copier.turn()
    assert bench.down() == 0


def test_a_redis_that_fell_back_to_older_data_is_filled_from_there(bench: Bench) -> None:
    bench.topic.append(header("a"))
    bench.until_copied()
    older = dict(bench.store.fields), dict(bench.store.held)
    bench.topic.append(header("a", 2), header("b"))
    bench.until_copied()
    bench.store.fields, bench.store.held = older
    bench.topic.append(header("c"))
    bench.until_copied()
    assert bench.store.revisions() == {("a", VIEW): 2, ("b", VIEW): 1, ("c", VIEW): 1}


# Two at once.


def test_of_two_that_copy_the_same_each_goes_on_behind_the_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """
    offset   0 1 2 3 4 5 6
    other    [ ahead ]          takes 0 to 2 first
    this one [   batch     ]    is told so, and takes 3 to 6 alone
    """
    other = MemoryTopic()
    bench.copier.turn()
    for topic in (bench.topic, other):
        topic.append(*(header(f"c{n}") for n in range(3)))
    Copier(CODEC, other, bench.store, other.name).turn()
    bench.topic.append(*(header(f"c{n}") for n in range(3, 7)))
    bench.until_copied()
    assert [(each.expected, each.following) for each in bench.store.batches] == [(NOWHERE, 3), (3, 7)]
    assert len(bench.store.fields) == 7
    assert bench.topic.restarts == [{}], "it need not read again"
    assert said(caplog) == []


def test_what_another_has_copied_already_is_passed_over(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BATCH_RECORDS", 2)
    bench.copier.turn()
    bench.topic.append(*(header(f"c{n}") for n in range(7)))
    bench.store.held[0] = 5
    bench.until_copied()
    assert [(each.expected, each.following) for each in bench.store.batches] == [(5, 6), (6, 7)]


def test_a_batch_that_was_written_twice_as_its_answer_was_lost_is_passed_over(bench: Bench) -> None:
    bench.copier.turn()
    bench.topic.append(header("a"))
    bench.store.held[0] = 1
    bench.until_copied()
    bench.topic.append(header("b"))
    bench.until_copied()
    assert [(each.expected, each.following) for each in bench.store.batches] == [(1, 2)]
