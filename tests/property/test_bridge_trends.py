"""The view of containment is the same whatever the order and repetition of its rows."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import CONTAINMENT
from schemas.wfm import ContainmentRow, TrendSpan
from wfm_bridge.store import Views


def row(revision: int, names: tuple[str | None, str | None], span: TrendSpan, start: int) -> ContainmentRow:
    return ContainmentRow(
        tenant="acme", queue=names[0], intent=names[1], span=span, starts_at=start, revision=revision,
        contacts=revision, contained=revision, assisted=0, escalated=0, abandoned=0, containment=1.0, low=0.5,
        high=1.0, updated_at=1,
    )  # fmt: skip


NAMES = st.sampled_from([(None, None), ("a", None), ("b", None), (None, "a")])
WRITTEN = st.lists(st.tuples(NAMES, st.sampled_from([TrendSpan.MINUTES_5, TrendSpan.HOUR]), st.integers(0, 3)))


@given(WRITTEN, st.randoms(use_true_random=False), st.integers(0, 4), st.integers(0, 4))
def test_rows_in_any_order_leave_the_last_of_each_key_listed_by_start(
    written: list[tuple[tuple[str | None, str | None], TrendSpan, int]], order: random.Random, first: int, last: int
) -> None:
    rows = [row(revision, *each) for revision, each in enumerate(written)]
    expected = {CONTAINMENT.key_of(each): each for each in rows}
    shuffled = rows + order.sample(rows, len(rows) // 2)
    order.shuffle(shuffled)
    view = Views().containment
    for each in shuffled:
        view.apply(each)
    found = view.select()
    assert {CONTAINMENT.key_of(each): each for each in found} == expected
    assert len(found) == len(view) == len(expected)
    assert [each.starts_at for each in found] == sorted(each.starts_at for each in found)
    within = view.select(from_micros=first, to_micros=last)
    assert within == [each for each in found if first <= each.starts_at < last]
