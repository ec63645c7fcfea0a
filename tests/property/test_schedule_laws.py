"""Schedules as numbers: whatever people's shifts are, no second of work is lost, doubled or booked to another queue."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from runtime.plans import starts_of
from wfm_bridge.inbound.schedules import Activity, people_at, plans_of, stretches_of_csv

DAY = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
MINUTE = 60_000_000
START = int(DAY.timestamp()) * 1_000_000

shifts = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "eve"]), st.sampled_from(["a", "b"]), st.integers(0, 100), st.integers(1, 90),
        st.sampled_from(list(Activity)),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


def as_csv(rows: list[tuple[str, str, int, int, Activity]]) -> str:
    def at(minute: int) -> str:
        return (DAY + dt.timedelta(minutes=minute)).isoformat()

    lines = [f"{who},{queue},{at(start)},{at(start + length)},{what}" for who, queue, start, length, what in rows]
    return "\n".join(["agent,queue,starts_at,ends_at,activity", *lines])


@given(shifts, st.permutations(range(8)))
def test_nobody_counts_twice_and_the_order_of_rows_does_not_matter(
    rows: list[tuple[str, str, int, int, Activity]], order: list[int]
) -> None:
    stretches = stretches_of_csv(as_csv(rows))
    shuffled = [rows[at] for at in order if at < len(rows)]
    for minute in range(0, 191, 7):
        people = people_at(stretches, START + minute * MINUTE)
        there = {who for who, _, start, length, _ in rows if start <= minute < start + length}
        assert abs(sum(sum(counts.values()) for counts in people.values()) - len(there)) < 1e-5
        again = people_at(stretches_of_csv(as_csv(shuffled)), START + minute * MINUTE)
        assert again == people


@given(shifts, st.sampled_from([300, 900, 1800]))
def test_the_people_of_all_intervals_are_the_minutes_on_the_queue(
    rows: list[tuple[str, str, int, int, Activity]], interval_seconds: int
) -> None:
    stretches = stretches_of_csv(as_csv(rows))
    wanted: dict[str, float] = {}
    for minute in range(191):
        for queue, counts in people_at(stretches, START + minute * MINUTE).items():
            wanted[queue] = wanted.get(queue, 0.0) + counts[Activity.ON_QUEUE]
    plans = plans_of(stretches, "acme", interval_seconds)
    for queue, minutes in wanted.items():
        of_queue = [plan for plan in plans if plan.queue == queue]
        planned = sum(each.agents or 0.0 for plan in of_queue for each in plan.intervals) * interval_seconds / 60
        assert abs(planned - minutes) < 1e-2
        starts = [start for plan in of_queue for start in starts_of(plan)]
        assert len(starts) == len(set(starts))
        assert all(start % (interval_seconds * 1_000_000) == 0 for start in starts)
