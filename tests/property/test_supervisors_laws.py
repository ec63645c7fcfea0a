"""The assignment of supervisors against a plain list of them, under repetition, and within its bounds."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.supervisors.logic import memory
from processors.supervisors.logic.book import SUPERVISOR, Supervisor
from processors.supervisors.logic.memory import KEPT_MICROS
from processors.supervisors.logic.room import PAGES
from schemas.fields import Event
from schemas.supervision import SupervisionEnded, SupervisionWanted, SupervisorPresence
from tests.contacts import HOUR
from tests.supervision import NOW, Bench, comes, ended, goes, wanted

NAMES = ("ann", "bob", "cy", "dee")
CONTACTS = tuple(f"c{n}" for n in range(12))
IDLE = (ended("ghost"),) * 5
"""Nothing happens in them, but that the memory passes over its gaps."""


@dataclasses.dataclass
class Model:
    """What ought to be: who is there, with which limit, and with which contacts."""

    there: dict[str, int] = dataclasses.field(default_factory=dict)
    held: dict[str, str] = dataclasses.field(default_factory=dict)
    limit: int = 0

    def next(self) -> str | None:
        """The one with the fewest contacts who may have more."""
        load = Counter(self.held.values())
        free = [(load[name], name) for name, own in self.there.items() if load[name] < min(own, self.limit)]
        return min(free)[1] if free else None

    def answers(self, event: Event) -> list[tuple[str, str | None]]:
        """Apply an event that came once; return (contact, supervisor) of each answer that it must give."""
        match event:
            case SupervisorPresence(supervisor=name, available=True):
                self.there[name] = event.sessions or 8
            case SupervisorPresence(supervisor=name):
                self.there.pop(name, None)
                return [(contact, self._give(contact)) for contact in self._of(name)]
            case SupervisionWanted(interaction_id=contact):
                self.limit = event.limit
                return [] if contact in self.held else [(contact, self._give(contact))]
            case SupervisionEnded(interaction_id=contact):
                self.held.pop(contact, None)
        return []

    def _of(self, name: str) -> list[str]:
        return [contact for contact, holder in self.held.items() if holder == name]

    def _give(self, contact: str) -> str | None:
        self.held.pop(contact, None)
        name = self.next()
        if name is not None:
            self.held[contact] = name
        return name


@st.composite
def days(draw) -> list[Event]:
    """Distinct events in the order of a log; a contact ends only after it needed a supervisor."""
    log: list[Event] = []
    seen: set[str] = set()
    for n in range(draw(st.integers(0, 60))):
        at = NOW - 60 + n
        kinds = ["comes", "goes", "wanted", "wanted", "wanted", "ended"] if seen else ["comes", "wanted"]
        kind = draw(st.sampled_from(kinds))
        if kind == "comes":
            log.append(comes(draw(st.sampled_from(NAMES)), at, draw(st.none() | st.integers(1, 4))))
        elif kind == "goes":
            log.append(goes(draw(st.sampled_from(NAMES)), at))
        elif kind == "wanted":
            log.append(wanted(draw(st.sampled_from(CONTACTS)), at, draw(st.sampled_from([3, 3, 3, 4, 8]))))
            seen.add(log[-1].interaction_id)
        else:
            log.append(ended(draw(st.sampled_from(sorted(seen))), at))
    return log


@st.composite
def repeated(draw) -> tuple[list[Event], list[Event]]:
    """A log, and the same with repetitions of its events anywhere behind them."""
    once = draw(days())
    log = list(once)
    for event in draw(st.lists(st.sampled_from(once), max_size=20)) if once else ():
        log.insert(draw(st.integers(log.index(event) + 1, len(log))), event)
    return once, log


def load(bench: Bench) -> dict[str, Sequence[str]]:
    """The contacts of each supervisor who has an entry."""
    entries = {name: bench.state.get(name) for name in bench.state.entries if name.startswith(f"{SUPERVISOR}\x1f")}
    return {name.split("\x1f")[1]: msgspec.convert(entry, Supervisor).contacts for name, entry in entries.items()}


@settings(max_examples=200)
@given(days())
def test_every_answer_is_what_a_plain_list_of_supervisors_would_give(log):
    """So every wish has exactly one first answer, nobody is above a limit when given one, and freed slots are used."""
    bench, model = Bench(), Model()
    for event in log:
        given_before = Counter(model.held.values())
        assert bench.run(event) == model.answers(event)
        for name, contacts in load(bench).items():
            assert sorted(contacts) == sorted(c for c, holder in model.held.items() if holder == name)
            if len(contacts) > given_before[name]:
                assert len(contacts) <= min(model.limit, model.there[name])
    assert bench.refused == []
    sequences = [answer.sequence for answer in bench.given]
    assert sequences == list(range(1, len(sequences) + 1))


@settings(max_examples=200)
@given(repeated())
def test_any_repetition_changes_neither_the_entries_nor_the_answers(logs):
    once, log = logs
    in_order, with_repetitions = Bench(), Bench()
    in_order.run(*once, *IDLE)
    with_repetitions.run(*log, *IDLE)
    assert with_repetitions.state.entries == in_order.state.entries
    assert with_repetitions.given == in_order.given


@settings(max_examples=100)
@given(days())
def test_who_leaves_keeps_nothing_and_a_floor_that_all_leave_holds_no_contact(log):
    bench = Bench()
    bench.run(*log)
    bench.run(*(goes(name, NOW + 1) for name in NAMES))
    assert all(contacts == () for contacts in load(bench).values())
    last = {answer.interaction_id: answer.supervisor for answer in bench.given}
    over = {event.interaction_id for event in log if isinstance(event, SupervisionEnded)}
    assert all(supervisor is None for contact, supervisor in last.items() if contact not in over)
    assert bench.state.get("room", {}) == {}


@settings(max_examples=100)
@given(days(), st.lists(st.integers(0, 30 * HOUR), min_size=60, max_size=60))
def test_days_that_pass_between_events_leave_every_index_in_order(log, gaps):
    """The entries agree with each other, and nothing is left once all is over for two days."""
    bench, now = Bench(), NOW - 60
    for event, gap in zip(log, gaps, strict=False):
        now += gap
        bench.run(msgspec.structs.replace(event, occurred_at=now), now=now)
        agrees(bench)
    for name in NAMES:
        bench.run(goes(name, now + 1), now=now + 1)
    for _ in range(30):
        bench.run(ended("ghost"), now=now + 2 + KEPT_MICROS)
    assert set(bench.state.entries) <= {"desk", "memory", "room"}


@settings(max_examples=50)
@given(days(), st.integers(0, 6))
def test_the_memory_is_bounded_by_number_too(log, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "MOST_KEPT", most)
        bench = Bench()
        for event in log:
            bench.run(event)
            agrees(bench)
        for _ in range(30):
            bench.run(ended("ghost"))
    held = sum(len(contacts) for contacts in load(bench).values())
    contacts = [name for name in bench.state.entries if name.startswith("contact\x1f")]
    assert len(contacts) <= most + held
    # Desk, memory and room; a page and an entry per supervisor there; two entries per contact that is kept, at most
    # as many supervisors who have gone.
    assert len(bench.state.entries) <= 3 + 2 * min(PAGES, len(NAMES)) + 2 * (most + held)


def agrees(bench: Bench) -> None:
    """Contacts, supervisors, the room and the memory tell the same story."""
    entries = {name: bench.state.get(name) for name in bench.state.entries}
    held = {name.split("\x1f")[1]: entry[1] for name, entry in entries.items() if name.startswith("contact\x1f")}
    for name, contacts in load(bench).items():
        assert sorted(contacts) == sorted(c for c, holder in held.items() if holder == name)
    assert {holder for holder in held.values() if holder} <= set(load(bench))
    room = {name: count for key, page in entries.items() if key.startswith("room\x1f") for name, count in page.items()}
    assert room.items() <= {name: len(contacts) for name, contacts in load(bench).items()}.items()
    queued = sorted(entry[1] for key, entry in entries.items() if key.startswith("memory\x1f"))
    gone = [
        key.split("\x1f")[1]
        for key, entry in entries.items()
        if key.startswith("supervisor\x1f") and msgspec.convert(entry, Supervisor).place is not None
    ]
    assert queued == sorted([*held, *gone])
    assert entries.get("memory", [0, 0, 0])[2] == len(queued)
