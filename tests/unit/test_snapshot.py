"""A snapshot of the control topics never changes once it was handed out."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.snapshot import Snapshot
from schemas.agents import Tick
from schemas.topics import CLOCK, POLICY, TRANSITIONS

FIRST, SECOND = Tick(key="a", now=1), Tick(key="a", now=2)
"""Any events will do."""


def test_a_snapshot_of_nothing_is_empty_at_epoch_minus_one() -> None:
    assert dict(Snapshot().of(POLICY)) == {}
    assert Snapshot().epoch(POLICY) == -1


def test_a_record_makes_a_new_snapshot_and_leaves_the_old_one_as_it_was() -> None:
    before = Snapshot().with_record(POLICY, "acme", FIRST, 0)
    after = before.with_record(POLICY, "acme", SECOND, 7)
    assert (before.of(POLICY)["acme"], before.epoch(POLICY)) == (FIRST, 0)
    assert (after.of(POLICY)["acme"], after.epoch(POLICY)) == (SECOND, 7)


def test_a_tombstone_removes_its_key_and_moves_the_epoch() -> None:
    held = Snapshot().with_record(POLICY, "acme", FIRST, 0)
    gone = held.with_record(POLICY, "acme", None, 1)
    assert "acme" in held.of(POLICY)
    assert "acme" not in gone.of(POLICY)
    assert gone.epoch(POLICY) == 1
    assert gone.with_record(POLICY, "never there", None, 2).epoch(POLICY) == 2


def test_nobody_can_write_into_a_snapshot() -> None:
    snapshot = Snapshot().with_record(POLICY, "acme", FIRST, 0)
    for mapping in (snapshot.of(POLICY), snapshot.latest, snapshot.epochs, Snapshot().of(CLOCK)):
        with pytest.raises(TypeError):
            mapping["acme"] = SECOND  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.epochs = {}  # type: ignore[misc]


@settings(deadline=None)
@given(
    records=st.lists(
        st.tuples(
            st.sampled_from([POLICY, TRANSITIONS]), st.sampled_from("abc"), st.sampled_from([FIRST, SECOND, None])
        )
    )
)
def test_a_snapshot_is_the_last_record_of_each_key(records: list) -> None:
    snapshot, model, epochs = Snapshot(), {POLICY: {}, TRANSITIONS: {}}, {POLICY: -1, TRANSITIONS: -1}
    handed_out = []
    for offset, (topic, key, event) in enumerate(records):
        snapshot = snapshot.with_record(topic, key, event, offset)
        model[topic].pop(key, None) if event is None else model[topic].update({key: event})
        epochs[topic] = offset
        handed_out.append((snapshot, {t: dict(entries) for t, entries in model.items()}))
    assert epochs == {topic: snapshot.epoch(topic) for topic in epochs}
    for earlier, then in handed_out:
        assert {topic: dict(earlier.of(topic)) for topic in model} == then
