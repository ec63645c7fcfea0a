"""Volumes are conserved whatever the order of contacts and wherever ticks fall."""

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
from schemas.topics import VOLUME
from schemas.wfm import VolumeDelta

FINAL = [handling for handling in Handling if handling is not Handling.IN_PROGRESS]
NAMES = st.sampled_from(["billing", "sales", "a|b", 'quote"'])

contacts = st.lists(
    st.tuples(
        NAMES,
        NAMES,
        st.sampled_from(Channel),
        st.sampled_from(["en", ""]),
        st.integers(0, 2).map(lambda n: n * 900_000_000),
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


def run(all_contacts, seed, ticks):
    """Return every row in order, and the last of each cell, of one interleaving with random ticks."""
    rng = random.Random(seed)
    state, rows = DictState(), []
    log = list(shuffled_log(all_contacts, rng))
    for position in sorted((rng.randint(0, len(log)) for _ in range(ticks)), reverse=True):
        log.insert(position, Tick(key="acme", now=0))
    for now, event in enumerate([*log, Tick(key="acme", now=0)]):
        rows += [effect.event for effect in step(event, state, Snapshot(), now) if effect.topic is VOLUME]
    assert json.loads(json.dumps(state.entries)) == state.entries
    return rows, {cell(row): row for row in rows}


def cell(row):
    return (row.queue, row.intent, row.channel, row.language, row.interval_start)


def volumes(row):
    return {"offered": row.offered, **{handling.value: getattr(row, handling.value) for handling in Handling}}


@given(contacts, st.integers(), st.integers(0, 15), st.integers(), st.integers(0, 15))
def test_any_interleaving_of_contacts_and_ticks_ends_in_the_same_rows(all_contacts, seed, ticks, other, other_ticks):
    _, last = run(all_contacts, seed, ticks)
    _, other_last = run(all_contacts, other, other_ticks)
    assert {name: volumes(row) for name, row in last.items()} == {
        name: volumes(row) for name, row in other_last.items()
    }


@given(contacts, st.integers(), st.integers(0, 15))
def test_in_every_row_offered_is_the_sum_of_the_states_and_revisions_count_up_from_one(all_contacts, seed, ticks):
    rows, _ = run(all_contacts, seed, ticks)
    seen = Counter()
    for row in rows:
        assert row.offered == sum(getattr(row, handling.value) for handling in Handling)
        seen[cell(row)] += 1
        assert row.revision == seen[cell(row)]


@given(contacts, st.integers(), st.integers(0, 15))
def test_the_last_revisions_hold_every_contact_once_in_its_final_state(all_contacts, seed, ticks):
    _, last = run(all_contacts, seed, ticks)
    assert sum(row.offered for row in last.values()) == len(all_contacts)
    expected = Counter((contact[:5], contact[5] or Handling.IN_PROGRESS) for contact in all_contacts)
    found = Counter(
        {
            (name, handling): getattr(row, handling.value)
            for name, row in last.items()
            for handling in Handling
            if getattr(row, handling.value)
        }
    )
    assert found == expected
