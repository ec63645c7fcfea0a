"""The topic registry: keys, names, and the page that is made from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import EVENT_TYPES
from schemas.fields import Event
from schemas.topics import (
    AGENT_EVENTS,
    BREAKER_STATE,
    BY_NAME,
    CAPACITY,
    SCHEMAS_NAME,
    STAFFING,
    TOPICS,
    TRANSITIONS,
    VOLUME,
    Layout,
    Topic,
    contact_key,
    endpoint_key,
    provider_key,
)
from schemas.wfm import VolumeRow
from tests.strategies import events
from trunkline.asyncapi import OUTSIDE, as_yaml, document
from trunkline.topics import as_markdown

OURS = {
    "all services", "analytics", "bridge", "clock", "copies", "counts", "health", "live view", "router", "sessions",
    "simulator", "staffing", "supervisors", "webhooks-sender",
}  # fmt: skip
PAIRS = [(topic, kind) for topic in TOPICS for kind in topic.types]
awkward = st.sampled_from(["a/b", "a%2Fb", "a|b", "a%7Cb", "a%b", "a%25b", "a%252Fb"]) | st.text(
    alphabet="ab/|%2F7C.é", min_size=1, max_size=5
)
"""Names with the separators in them, plain and escaped."""


@pytest.mark.parametrize(("topic", "kind"), PAIRS, ids=[f"{t.name}-{k.__name__}" for t, k in PAIRS])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_type_of_a_topic_has_a_key_there(topic: Topic, kind: type[Event], data: st.DataObject) -> None:
    key = topic.key_of(data.draw(events(kind)))
    assert key
    assert key.encode().decode() == key


@pytest.mark.parametrize("key_of", [provider_key, endpoint_key, contact_key])
@settings(max_examples=400, deadline=None)
@given(one=st.tuples(awkward, awkward), other=st.tuples(awkward, awkward))
def test_two_different_pairs_of_names_have_different_keys(
    key_of: Callable[[str, str], str], one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)


@settings(max_examples=25, deadline=None)
@given(name=awkward, other=awkward, tail=awkward)
def test_a_separator_that_moves_from_one_name_to_the_next_makes_another_key(name: str, other: str, tail: str) -> None:
    assert endpoint_key(f"{name}/{other}", tail) != endpoint_key(name, f"{other}/{tail}")


@pytest.mark.parametrize("topic", [CAPACITY, STAFFING], ids=lambda topic: topic.name)
@settings(max_examples=400, deadline=None)
@given(one=st.tuples(awkward, awkward), other=st.tuples(awkward, awkward), data=st.data())
def test_two_different_queues_of_two_tenants_have_different_keys(
    topic: Topic, one: tuple[str, str], other: tuple[str, str], data: st.DataObject
) -> None:
    (kind,) = topic.types
    row = data.draw(events(kind))
    keys = [topic.key_of(_with(row, tenant=tenant, queue=queue)) for tenant, queue in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@settings(max_examples=400, deadline=None)
@given(one=st.tuples(*[awkward] * 4), other=st.tuples(*[awkward] * 4), row=events(VolumeRow))
def test_two_different_cells_have_different_keys(one: tuple[str, ...], other: tuple[str, ...], row: VolumeRow) -> None:
    names = ("tenant", "queue", "intent", "language")
    keys = [VOLUME.key_of(_with(row, **dict(zip(names, cell, strict=True)))) for cell in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


def _with(event: Event, **changes: str) -> Event:
    return type(event)(**{**{name: getattr(event, name) for name in event.__struct_fields__}, **changes})


@settings(max_examples=25, deadline=None)
@given(tenant=awkward, name=awkward)
def test_plain_names_stay_readable_in_a_key(tenant: str, name: str) -> None:
    if not set(tenant + name) & set("/%"):
        assert endpoint_key(tenant, name) == f"{tenant}/{name}"


def test_the_two_topics_of_a_breaker_have_the_same_key() -> None:
    assert TRANSITIONS.key_of is BREAKER_STATE.key_of
    assert AGENT_EVENTS.key_of is not TRANSITIONS.key_of


def test_a_dead_letter_topic_is_named_after_its_own_and_no_two_topics_share_a_name() -> None:
    assert BY_NAME["interactions.offered"].dead_letter_name == "interactions.offered.dlq"
    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letter_name)] + [SCHEMAS_NAME]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z.-]{0,200}", name) for name in names), "Kafka takes these, with a prefix"


def test_every_event_type_has_a_topic() -> None:
    assert {kind for topic in TOPICS for kind in topic.types} == set(EVENT_TYPES)


def test_control_topics_are_kept_from_the_start() -> None:
    """A decision is replayed from them, so nothing may be compacted away; faults decide nothing."""
    control = [topic for topic in TOPICS if topic.layout is Layout.CONTROL]
    assert not [topic.name for topic in control if topic.compacted]
    assert [topic.name for topic in control if topic.retention_ms >= 0] == ["simulator.faults"]


def test_the_page_of_topics_is_what_the_registry_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "topics.md"
    assert page.read_text(encoding="utf-8") == as_markdown(), (
        "run `.venv/bin/trunkline topics list --markdown > docs/topics.md`"
    )


def test_the_asyncapi_document_is_what_the_registry_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
    assert page.read_text(encoding="utf-8") == as_yaml(), (
        "run `.venv/bin/trunkline topics asyncapi --into docs/asyncapi.yaml`"
    )


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    made = document()
    references = _references(made)
    assert references
    for reference in references:
        place: Any = made
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_the_asyncapi_document_has_what_others_share_and_nothing_else() -> None:
    made = document()
    services = {name for topic in TOPICS for name in (*topic.writers, *topic.readers)} - OUTSIDE
    assert services == OURS, "a new party: put it into OUTSIDE of trunkline/asyncapi.py, or here"
    assert {"wfm.volume", "wfm.staffing", "wfm.availability", "interactions.offered"} <= made["channels"].keys()
    assert not {"timers", "sessions.views", "wfm.events"} & made["channels"].keys()
    assert {"wfm.volume.send", "wfm.availability.receive"} <= made["operations"].keys()
    assert not {"wfm.volume.receive", "wfm.availability.send"} & made["operations"].keys()


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [each for value in node.values() for each in _references(value)]
    return [each for value in node for each in _references(value)] if isinstance(node, list) else []
