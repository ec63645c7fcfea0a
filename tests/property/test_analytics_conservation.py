"""Volumes are conserved whatever the order of contacts, however late they come, and wherever ticks fall."""

import json
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from processors.analytics.logic import step
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas.agents import Tick
from schemas.fields import Channel, Handling, Pool
from schemas.topics import ALERTS, VOLUME
from schemas.wfm import INTERVAL_MICROS, VolumeDelta

DAY = 86_400_000_000
FINAL = [handling for handling in Handling if handling is not Handling.IN_PROGRESS]
NAMES = st.sampled_from(["billing", "sales", "a|b", 'quote"'])

contacts = st.lists(
    st.tuples(
        NAMES,
        NAMES,
        st.sampled_from(Channel),
        st.sampled_from(["en", ""]),
        st.integers(0, 2).map(lambda n: n * INTERVAL_MICROS),
        st.sampled_from([None, *FINAL]),
    ),
    max_size=40,
)


def deltas(number, contact):
    queue, intent, channel, language, interval_start, final = contact
    moves = [(None, Handling.IN_PROGRESS)]
    if final is not None:
        moves.append((Handling.IN_PROGRESS, final))
    return [
        VolumeDelta(
            tenant="acme",
            interaction_id=f"i-{number}",
            queue=queue,
            intent=intent,
            channel=channel,
            language=language,
            interval_start=interval_start,
            pool=Pool.AI_CONTAINED,
            from_handling=from_handling,
            to_handling=to_handling,
            occurred_at=0,
        )
        for from_handling, to_handling in moves
    ]


def shuffled_log(all_contacts, rng):
    """Deltas in any order across contacts, in their own order within each."""
    waiting = [deltas(number, contact) for number, contact in enumerate(all_contacts)]
    while waiting:
        chosen = rng.randrange(len(waiting))
        yield waiting[chosen].pop(0)
        if not waiting[chosen]:
            waiting.pop(chosen)


def run(all_contacts, seed, ticks, days=0.0):
    """Return every row in order, and the last of each key, of one interleaving with random ticks.

    days: over which the log comes; intervals are forgotten after seven.
    """
    rng = random.Random(seed)
    state, rows, alerts = DictState(), [], []
    log = list(shuffled_log(all_contacts, rng))
    for position in sorted((rng.randint(0, len(log)) for _ in range(ticks)), reverse=True):
        log.insert(position, Tick(key="acme", now=0))
    times = sorted(int(rng.uniform(0, days) * DAY) for _ in log)
    for now, event in zip([*times, int(days * DAY) + 1], [*log, Tick(key="acme", now=0)], strict=True):
        effects = step(event, state, Snapshot(), now)
        rows += [effect.event for effect in effects if effect.topic is VOLUME]
        alerts += [effect.event for effect in effects if effect.topic is ALERTS]
    assert json.loads(json.dumps(state.entries)) == state.entries
    assert alerts == []
    return rows, {VOLUME.key_of(row): row for row in rows}, state


def cell(row):
    return (row.queue, row.intent, row.channel, row.language, row.interval_start)


def volumes(row):
    return {"offered": row.offered, **{handling.value: getattr(row, handling.value) for handling in Handling}}


def by_names(rows):
    """Volumes of each queue, intent, channel and language, over all intervals and what was late."""
    sums = {}
    for row in rows:
        sums.setdefault(cell(row)[:4], Counter()).update(volumes(row))
    return {names: +total for names, total in sums.items()}


ACROSS_SEVEN_DAYS = st.floats(0, 20)


@given(contacts, st.integers(), st.integers(0, 15), st.integers(), st.integers(0, 15))
def test_any_interleaving_of_contacts_and_ticks_ends_in_the_same_rows(all_contacts, seed, ticks, other, other_ticks):
    _, last, _ = run(all_contacts, seed, ticks)
    _, other_last, _ = run(all_contacts, other, other_ticks)
    assert {key: volumes(row) for key, row in last.items()} == {key: volumes(row) for key, row in other_last.items()}


@given(contacts, st.integers(), st.integers(0, 15), ACROSS_SEVEN_DAYS)
def test_in_every_row_offered_is_the_sum_of_the_states_and_revisions_grow(all_contacts, seed, ticks, days):
    rows, _, _ = run(all_contacts, seed, ticks, days)
    seen = Counter()
    for row in rows:
        assert row.offered == sum(getattr(row, handling.value) for handling in Handling)
        assert row.conserved
        assert row.revision > seen[VOLUME.key_of(row)]
        seen[VOLUME.key_of(row)] = row.revision


@given(contacts, st.integers(), st.integers(0, 15))
def test_the_last_revisions_hold_every_contact_once_in_its_final_state(all_contacts, seed, ticks):
    _, last, _ = run(all_contacts, seed, ticks)
    assert sum(row.offered for row in last.values()) == len(all_contacts)
    expected = Counter((contact[:5], contact[5] or Handling.IN_PROGRESS) for contact in all_contacts)
    found = Counter(
        {
            (cell(row), handling): getattr(row, handling.value)
            for row in last.values()
            for handling in Handling
            if getattr(row, handling.value)
        }
    )
    assert found == expected
    assert not any(row.late for row in last.values())


@given(contacts, st.integers(), st.integers(0, 15), ACROSS_SEVEN_DAYS)
def test_however_late_contacts_come_the_last_rows_and_the_late_totals_hold_each_once(all_contacts, seed, ticks, days):
    _, last, _ = run(all_contacts, seed, ticks, days)
    expected = {}
    for contact in all_contacts:
        sums = expected.setdefault(contact[:4], Counter())
        sums.update(["offered", (contact[5] or Handling.IN_PROGRESS).value])
    assert by_names(last.values()) == expected


@given(contacts, st.integers(), st.integers(0, 15), ACROSS_SEVEN_DAYS)
def test_after_seven_days_the_state_holds_cells_with_contacts_under_way_and_late_totals_alone(
    all_contacts, seed, ticks, days
):
    *_, state = run(all_contacts, seed, ticks, days)
    step(Tick(key="acme", now=0), state, Snapshot(), 30 * DAY)
    for name, entry in state.entries.items():
        if name.startswith("cell:"):
            assert entry["counts"][Handling.IN_PROGRESS.value] > 0
        assert not name.startswith("kept:volume:")
