"""Writes held back: a step sees its own, and the state sees them all or none."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.state import DictState, Overlay

names = st.sampled_from("abcd")
values = st.none() | st.integers(0, 9) | st.lists(st.integers(0, 9), max_size=2)
contents = st.dictionaries(names, values)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("set"), names, values),
        st.tuples(st.just("delete"), names, st.none()),
        st.tuples(st.just("commit"), st.just(""), st.none()),
    ),
    max_size=12,
)
MISSING = object()


def state_of(entries: dict[str, Any]) -> DictState:
    state = DictState()
    state.entries = copy.deepcopy(entries)
    return state


def apply(overlay: Overlay, operation: tuple[str, str, Any]) -> None:
    what, name, value = operation
    if what == "set":
        overlay.set(name, value)
    elif what == "delete":
        overlay.delete(name)
    else:
        overlay.commit()


@settings(max_examples=300, deadline=None)
@given(before=contents, steps=operations)
def test_a_step_reads_what_a_dictionary_would_give_it(before: dict[str, Any], steps: list) -> None:
    overlay, model = Overlay(state_of(before)), dict(before)
    for what, name, value in steps:
        apply(overlay, (what, name, value))
        if what == "set":
            model[name] = value
        elif what == "delete":
            model.pop(name, None)
        assert {n: overlay.get(n, MISSING) for n in "abcd"} == {n: model.get(n, MISSING) for n in "abcd"}


@settings(max_examples=300, deadline=None)
@given(before=contents, steps=operations)
def test_the_state_changes_at_a_commit_and_never_before(before: dict[str, Any], steps: list) -> None:
    base, model, committed = state_of(before), dict(before), dict(before)
    overlay = Overlay(base)
    for what, name, value in steps:
        apply(overlay, (what, name, value))
        if what == "set":
            model[name] = value
        elif what == "delete":
            model.pop(name, None)
        else:
            committed = dict(model)
        assert base.entries == committed


@given(before=contents)
def test_a_commit_is_not_repeated(before: dict[str, Any]) -> None:
    base = state_of(before)
    overlay = Overlay(base)
    overlay.set("a", 1)
    overlay.commit()
    base.set("a", 2)
    overlay.commit()
    assert base.get("a") == overlay.get("a") == 2


def test_a_deleted_entry_gives_the_default_that_was_asked_for() -> None:
    overlay = Overlay(state_of({"a": 1}))
    overlay.delete("a")
    assert overlay.get("a") is None
    assert overlay.get("a", 5) == 5


def test_none_is_a_value_and_not_an_absence() -> None:
    overlay = Overlay(state_of({"a": 1}))
    overlay.set("a", None)
    assert overlay.get("a", 5) is None
