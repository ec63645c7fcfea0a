"""The work of the hot path, counted and not timed: a slip shows on any machine, however busy.

A bound is the count at the time of writing and a tenth more. When one is passed, either take the work out again
or, where it is worth it, raise the bound and say in docs/performance.md what it buys.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.contacts import offers, policies
from bench.core import consumed, make_core, world
from router.app import Router
from router.limits import COUNT_SECONDS
from runtime.kafka import Record
from runtime.step import Batch
from runtime.transaction import _produce
from schemas.envelope import Packed

INTENTS = 25
SLICE = 500
MOST_CALLS_PER_CONTACT = 86.0
MOST_CALLS_FOR_A_LONE_CONTACT = 840
MOST_CALLS_PER_CONTACT_PRODUCED = 3.1
MOST_CALLS_PER_CONTACT_OF_A_TENANT_READ_AGAIN = 136.0
"""Each of 500 contacts is of another tenant, and what that tenant's agents have is read again: the worst slice."""


class HeldClock:
    """Real seconds that pass when the test says so: how old a count is does not depend on the machine."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(scope="module")
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture(scope="module")
def core(clock: HeldClock, bench_model_25: Path) -> Router:
    return make_core(bench_model_25, clock)


@pytest.fixture(scope="module")
def bench_model_25(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from bench.contacts import bench_model

    return bench_model(tmp_path_factory.mktemp("model"), INTENTS)


@pytest.fixture(scope="module")
def slices(core: Router) -> list[list[Record]]:
    """Slices of contacts; the core has seen the first ones, so its memories are filled."""
    contacts = [(packed.key or b"", packed.value or b"") for packed in offers(12 * SLICE, 1, INTENTS)]
    records = consumed(contacts)
    made = [records[start : start + SLICE] for start in range(0, len(records), SLICE)]
    for warming in made[:10]:
        step(core, warming)
    return made[10:]


def step(core: Router, records: list[Record]) -> list[Packed]:
    core.begin()
    outputs = core.step(Batch(records, world(policies(1, INTENTS)), 1_700_000_000_000_000))
    core.kept()
    core.sealed()
    core.committed()
    return outputs


def calls(work: Callable[[], Any]) -> Counter[str]:
    """Count calls of Python and of C functions while `work` runs."""
    counts: Counter[str] = Counter()

    def note(_frame: Any, event: str, _argument: Any) -> None:
        counts[event] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counts


def per_slice(core: Router, clock: HeldClock, records: list[Record]) -> float:
    """Count the calls of a slice that reads the counts of contacts at once again."""
    snapshot = world(policies(1, INTENTS))
    core.step(Batch([], snapshot, 0))
    clock.seconds += COUNT_SECONDS
    counts = calls(lambda: core.step(Batch(records, snapshot, 1_700_000_000_000_000)))
    return counts["call"] + counts["c_call"]


def test_a_contact_costs_no_more_calls_than_it_did(core: Router, clock: HeldClock, slices: list[list[Record]]) -> None:
    each = per_slice(core, clock, slices[0]) / SLICE
    assert each <= MOST_CALLS_PER_CONTACT, f"{each:.1f} calls a contact"


def test_a_lone_contact_at_night_costs_no_more_calls_than_it_did(
    core: Router, clock: HeldClock, slices: list[list[Record]]
) -> None:
    count = per_slice(core, clock, slices[1][:1])
    assert count <= MOST_CALLS_FOR_A_LONE_CONTACT, f"{count} calls"


def test_a_contact_of_a_thousand_tenants_costs_what_one_of_a_single_tenant_does(bench_model_25: Path) -> None:
    clock = HeldClock()
    core = make_core(bench_model_25, clock)
    given = world(policies(1000, INTENTS))
    records = consumed([(p.key or b"", p.value or b"") for p in offers(12 * SLICE, 1000, INTENTS)])

    def per_contact(slice_: int) -> float:
        batch = Batch(records[slice_ * SLICE : (slice_ + 1) * SLICE], given, 1_700_000_000_000_000)
        counts = calls(lambda: core.step(batch))
        return (counts["call"] + counts["c_call"]) / SLICE

    for warming in range(10):
        per_contact(warming)
    assert per_contact(10) <= 1.25 * MOST_CALLS_PER_CONTACT
    clock.seconds += COUNT_SECONDS
    assert per_contact(11) <= MOST_CALLS_PER_CONTACT_OF_A_TENANT_READ_AGAIN


def test_the_outputs_of_a_contact_are_handed_over_in_no_more_calls(core: Router, slices: list[list[Record]]) -> None:
    class CountingProducer:
        def __len__(self) -> int:
            return 0

        def produce(self, *_given: Any, **_more: Any) -> None: ...

        def produce_batch(self, _topic: str, messages: list[dict[str, Any]]) -> int:
            return len(messages)

    outputs = step(core, slices[0])
    names = {packed.topic: packed.topic for packed in outputs}
    producer: Any = CountingProducer()
    counts = calls(lambda: _produce(producer, names, outputs))
    assert (counts["call"] + counts["c_call"]) / SLICE <= MOST_CALLS_PER_CONTACT_PRODUCED


def test_the_guard_is_asked_once_a_slice_and_metrics_are_counted_once_a_slice(
    core: Router, slices: list[list[Record]]
) -> None:
    increments: Counter[str] = Counter()

    def note(frame: Any, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code.co_name in {"inc", "labels", "ask"}:
            increments[frame.f_code.co_name] += 1

    sys.setprofile(note)
    try:
        core.step(Batch(slices[1], world(policies(1, INTENTS)), 1_700_000_000_000_000))
    finally:
        sys.setprofile(None)
    assert increments["ask"] == 3, "the guard, and capacity with its store"
    assert max(increments["inc"], increments["labels"]) <= 10
