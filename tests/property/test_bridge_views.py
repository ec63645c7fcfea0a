"""Views are the same whatever the order and repetition of their records."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from schemas.agents import Evidence, Transition
from schemas.fields import BreakerState, Channel
from schemas.wfm import VolumeRow
from wfm_bridge.models import model_of, to_answer, to_datetime, to_micros
from wfm_bridge.progress import Place, Progress
from wfm_bridge.store import MAX_MICROS, BreakerView, Views

INTERVALS = st.integers(0, 5).map(lambda n: n * 900_000_000)


def make_row(cell: tuple[str, str, int], revision: int) -> VolumeRow:
    tenant, queue, interval = cell
    return VolumeRow(
        tenant=tenant, queue=queue, intent="refund", channel=Channel.CHAT, language="en", interval_start=interval,
        revision=revision, offered=revision, ai_contained=revision, ai_assisted=0, ai_escalated=0, human_only=0,
        deflected=0, abandoned=0, in_progress=0, updated_at=revision,
    )  # fmt: skip


def make_transition(endpoint: str, epoch: int, state: BreakerState) -> Transition:
    evidence = Evidence(
        window_seconds=60, outcomes=1, failures=1, consecutive_failures=1, failure_rate=1, posterior_mean=0.5,
        latency_mean_ms=1, latency_baseline_ms=1,
    )  # fmt: skip
    return Transition(
        tenant="acme", provider="north", endpoint=endpoint, from_state=BreakerState.CLOSED, to_state=state,
        epoch=epoch, reason="failures", evidence=evidence, occurred_at=epoch,
    )  # fmt: skip


CELLS = st.tuples(st.sampled_from("ab"), st.sampled_from("qr"), INTERVALS)
REVISED = st.lists(st.tuples(CELLS, st.integers(0, 9)), max_size=40, unique=True)


@given(REVISED, st.randoms(use_true_random=False))
def test_volume_rows_in_any_order_and_repeated_leave_the_highest_revision_of_each_cell(
    written: list[tuple[tuple[str, str, int], int]], order: random.Random
) -> None:
    rows = [make_row(*each) for each in written]
    shuffled = rows + order.sample(rows, len(rows) // 2)
    order.shuffle(shuffled)
    view = Views().volume
    for row in shuffled:
        view.apply(row)
    expected = {cell: max(r for c, r in written if c == cell) for cell, _ in written}
    found = view.select()
    assert {(r.tenant, r.queue, r.interval_start): r.revision for r in found} == expected
    assert [r.interval_start for r in found] == sorted(r.interval_start for r in found)


@given(REVISED, INTERVALS, INTERVALS, st.sampled_from([None, "a", "b"]))
def test_a_range_and_a_filter_select_what_a_plain_scan_would(
    written: list[tuple[tuple[str, str, int], int]], first: int, last: int, tenant: str | None
) -> None:
    view = Views().volume
    for each in written:
        view.apply(make_row(*each))
    found = view.select(from_micros=first, to_micros=last, tenant=tenant)
    scan = [r for r in view.select() if first <= r.interval_start < last and tenant in {None, r.tenant}]
    assert found == scan


@given(
    st.lists(st.integers(1, 60), unique=True, max_size=40),
    st.integers(1, 50),
    st.randoms(use_true_random=False),
)
def test_a_breakers_history_is_the_last_epochs_in_order_whatever_order_they_come_in(
    epochs: list[int], length: int, order: random.Random
) -> None:
    shuffled = epochs * 2
    order.shuffle(shuffled)
    view = BreakerView(history_length=length)
    for epoch in shuffled:
        view.apply(make_transition("nova", epoch, list(BreakerState)[epoch % 5]))
    history = [t.epoch for t in view.history("acme", "nova") or ()]
    assert history == sorted(epochs)[-length:]
    assert [t.epoch for t in view.latest()] == history[-1:]


@given(st.integers(0, MAX_MICROS))
def test_an_instant_survives_the_way_to_the_answer_exactly(micros: int) -> None:
    assert to_micros(to_datetime(micros)) == micros


@given(CELLS, st.integers(0, 9))
def test_every_row_fits_its_response_model_and_keeps_its_field_names(cell: tuple[str, str, int], revision: int) -> None:
    row = make_row(cell, revision)
    answer = model_of(VolumeRow).model_validate(to_answer(row))
    assert tuple(type(answer).model_fields) == row.__struct_fields__


@given(
    st.dictionaries(st.integers(0, 3).map(lambda p: Place("t", p)), st.integers(0, 8), max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["hand", "apply"])), max_size=60),
)
def test_the_views_are_ready_exactly_when_each_partition_is_read_and_applied_to_its_end(
    ends: dict[Place, int], moves: list[tuple[int, str]]
) -> None:
    progress, handed, applied, latched = Progress(ends), {}, {}, set()
    for partition, move in moves:
        place = Place("t", partition)
        if move == "hand":
            handed[place] = handed.get(place, 0) + 1
            progress.handed(place, handed[place] - 1)
            progress.at(place, handed[place])
        elif applied.get(place, 0) < handed.get(place, 0):
            applied[place] = applied.get(place, 0) + 1
            progress.applied(place, applied[place] - 1)
        latched |= {p for p, n in handed.items() if n >= ends.get(p, 0) and applied.get(p, 0) == n}
        wanted = {p for p, end in ends.items() if end > 0}
        assert progress.ready == (wanted <= latched)
