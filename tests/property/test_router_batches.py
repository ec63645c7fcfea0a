"""A contact's records do not depend on who else is in its batch, nor on the order of the others."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.contacts import bench_model, offers, policies
from bench.core import consumed, make_core, world
from runtime.kafka import Record
from runtime.step import Batch

INTENTS, TENANTS, CONTACTS = 25, 3, 120
NOW = 1_700_000_000_000_000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bench_model(tmp_path_factory.mktemp("model"), INTENTS)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return consumed([(packed.key or b"", packed.value or b"") for packed in offers(CONTACTS, TENANTS, INTENTS)])


def written(model: Path, batches: list[list[Record]]) -> list[Any]:
    """All that a new router writes, whatever the order."""
    core, snapshot = make_core(model), world(policies(TENANTS, INTENTS))
    outputs = []
    for batch in batches:
        core.begin()
        outputs += core.step(Batch(batch, snapshot, NOW))
        core.kept()
        core.sealed()
        core.committed()
    return sorted((packed.topic, packed.key, packed.value) for packed in outputs)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_batches_and_the_order_of_others_change_no_byte(
    model: Path, records: list[Record], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(records))
    cuts = sorted(data.draw(st.sets(st.integers(1, CONTACTS - 1), max_size=8)))
    bounds = [0, *cuts, CONTACTS]
    batches = [order[start:end] for start, end in itertools.pairwise(bounds)]
    assert written(model, batches) == written(model, [records])


def test_one_at_a_time_is_as_all_at_once(model: Path, records: list[Record]) -> None:
    assert written(model, [[record] for record in records]) == written(model, [records])
