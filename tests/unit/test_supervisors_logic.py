"""Who watches which contact: limits, order, who goes, repetitions and what is forgotten."""

from __future__ import annotations

import pytest

from processors.supervisors.logic import memory
from processors.supervisors.logic.book import TOLD_KEPT
from processors.supervisors.logic.memory import KEPT_MICROS, Memory, Remembered
from processors.supervisors.logic.room import PAGES, Room
from processors.supervisors.logic.step import AHEAD_MICROS
from schemas.agents import Tick
from schemas.supervision import SupervisorGiven
from tests.contacts import HOUR, SECOND, JsonState
from tests.supervision import NOW, Bench, comes, ended, goes, wanted


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_contact_gets_the_supervisor_with_the_fewest_contacts_and_of_several_the_first_by_name(bench: Bench) -> None:
    bench.run(comes("zoe"), comes("ann"), comes("bob"))
    answers = bench.run(*(wanted(f"c{n}") for n in range(5)))
    assert answers == [("c0", "ann"), ("c1", "bob"), ("c2", "zoe"), ("c3", "ann"), ("c4", "bob")]


def test_an_answer_bears_the_instant_of_the_wish_and_counts_on(bench: Bench) -> None:
    bench.run(comes("ann"))
    (first,) = bench.feed(wanted("c1", at=NOW - 7))
    (second,) = bench.feed(wanted("c2", at=NOW - 9))
    assert first == SupervisorGiven(
        interaction_id="c1", tenant="acme", supervisor="ann", sequence=1, occurred_at=NOW - 7
    )
    assert (second.sequence, second.occurred_at) == (2, NOW - 9)


def test_without_a_supervisor_a_contact_is_told_that_nobody_is_free_and_does_not_wait(bench: Bench) -> None:
    assert bench.run(wanted("c1")) == [("c1", None)]
    assert bench.run(comes("ann")) == []
    assert bench.run(wanted("c2")) == [("c2", "ann")]


@pytest.mark.parametrize(("own", "limit", "most"), [(None, 3, 3), (2, 3, 2), (8, 3, 3), (None, 8, 8)])
def test_nobody_has_more_contacts_than_the_lower_of_both_limits(
    bench: Bench, own: int | None, limit: int, most: int
) -> None:
    bench.run(comes("ann", sessions=own))
    answers = bench.run(*(wanted(f"c{n}", limit=limit) for n in range(most + 2)))
    assert [supervisor for _, supervisor in answers] == ["ann"] * most + [None, None]


def test_a_supervisor_who_is_full_by_their_own_limit_leaves_the_next_contact_to_others(bench: Bench) -> None:
    bench.run(comes("ann", sessions=1), comes("bob"))
    assert bench.run(*(wanted(f"c{n}") for n in range(4))) == [
        ("c0", "ann"), ("c1", "bob"), ("c2", "bob"), ("c3", "bob"),
    ]  # fmt: skip


def test_the_latest_limit_of_a_policy_stands_for_all_and_takes_nothing_away(bench: Bench) -> None:
    bench.run(comes("ann"), *(wanted(f"c{n}", limit=5) for n in range(5)))
    assert bench.run(wanted("more", limit=3)) == [("more", None)]
    assert bench.run(ended("c0"), wanted("still", limit=3)) == [("still", None)]
    assert bench.run(wanted("higher", limit=8)) == [("higher", "ann")]


def test_a_lower_limit_of_their_own_takes_no_contact_away_and_gives_no_new_one(bench: Bench) -> None:
    bench.run(comes("ann"), wanted("a"), wanted("b"))
    assert bench.run(comes("ann", NOW + 1, sessions=1), wanted("c")) == [("c", None)]
    assert bench.run(ended("a"), wanted("d")) == [("d", None)], "she still has b"
    assert bench.run(ended("b"), wanted("e")) == [("e", "ann")]
    assert bench.run(comes("ann", NOW + 2), wanted("f")) == [("f", "ann")]


def test_a_slot_that_is_freed_is_used_again(bench: Bench) -> None:
    bench.run(comes("ann", sessions=1), wanted("a"))
    assert bench.run(wanted("b"), ended("a"), wanted("c")) == [("b", None), ("c", "ann")]


def test_who_goes_gives_their_contacts_to_others_in_the_order_in_which_they_got_them(bench: Bench) -> None:
    bench.run(comes("ann"), wanted("z"), wanted("y"), wanted("x"), comes("bob", sessions=2))
    assert bench.run(goes("ann", NOW + 5)) == [("z", "bob"), ("y", "bob"), ("x", None)]
    assert [(given.sequence, given.occurred_at) for given in bench.given[-3:]] == [(n, NOW + 5) for n in (4, 5, 6)]


def test_who_comes_back_starts_empty(bench: Bench) -> None:
    bench.run(comes("ann"), *(wanted(f"c{n}") for n in range(3)), goes("ann", NOW + 1), comes("ann", NOW + 2))
    assert bench.run(*(wanted(f"d{n}") for n in range(4))) == [
        ("d0", "ann"), ("d1", "ann"), ("d2", "ann"), ("d3", None),
    ]  # fmt: skip
    assert bench.run(ended("c0"), wanted("e")) == [("e", None)], "the end of a contact that went to people frees nobody"


def test_of_two_words_on_a_supervisor_the_later_stands_and_of_one_instant_going_does(bench: Bench) -> None:
    bench.run(goes("ann", NOW + 2), comes("ann", NOW + 1))
    assert bench.run(wanted("a")) == [("a", None)]
    bench.run(comes("bob", NOW), goes("bob", NOW), comes("bob", NOW))
    assert bench.run(wanted("b")) == [("b", None)]


def test_a_wish_that_is_repeated_is_not_answered_again_whoever_has_the_contact(bench: Bench) -> None:
    bench.run(comes("ann", sessions=1), wanted("a"), wanted("b"))
    before = dict(bench.state.entries)
    assert bench.run(wanted("a"), wanted("b"), wanted("a")) == []
    assert bench.state.entries == before


def test_a_second_wish_of_a_contact_that_is_watched_is_not_answered_either(bench: Bench) -> None:
    bench.run(comes("ann"), wanted("a"))
    assert bench.run(wanted("a", NOW + 5)) == []
    bench.run(ended("a", NOW + 6))
    assert bench.run(wanted("a", NOW + 5)) == [], "and its repetition after the end takes no slot"


def test_a_wish_that_is_repeated_after_the_end_takes_no_slot(bench: Bench) -> None:
    bench.run(comes("ann", sessions=1), wanted("a"), ended("a", NOW + 1))
    assert bench.run(wanted("a")) == []
    assert bench.run(wanted("b")) == [("b", "ann")]


def test_a_contact_that_comes_back_to_ai_is_answered_anew_also_when_clocks_differ(bench: Bench) -> None:
    bench.run(comes("ann"), wanted("a", NOW), ended("a", NOW + 9))
    assert bench.run(wanted("a", NOW - 3)) == [("a", "ann")]
    assert bench.run(ended("a", NOW + 9), wanted("a", NOW), wanted("a", NOW - 3)) == []
    bench.run(ended("a", NOW - 1))
    assert bench.run(*(wanted(name) for name in "bcd")) == [("b", "ann"), ("c", "ann"), ("d", "ann")]


def test_a_contact_that_was_told_of_nobody_may_ask_again(bench: Bench) -> None:
    bench.run(wanted("a"), comes("ann"))
    assert bench.run(wanted("a", NOW + 1)) == [("a", "ann")]


def test_of_a_contact_with_very_many_returns_the_latest_are_told_apart(bench: Bench) -> None:
    bench.run(comes("ann"))
    for n in range(TOLD_KEPT + 3):
        assert bench.run(wanted("a", NOW + n), ended("a", NOW + n)) == [("a", "ann")]
    assert bench.run(*(wanted("a", NOW + n) for n in range(TOLD_KEPT + 3))) == []
    (size,) = {len(entry) for name, entry in bench.state.entries.items() if name.startswith("contact")}
    assert size < 30 * 2 * TOLD_KEPT


def test_the_end_of_a_contact_that_never_was_is_nothing(bench: Bench) -> None:
    assert bench.run(ended("ghost")) == []
    assert bench.state.entries == {}


def test_a_contact_whose_end_is_never_told_gives_its_supervisor_back_after_two_days(bench: Bench) -> None:
    bench.run(comes("ann", sessions=1), wanted("lost"))
    later = NOW + KEPT_MICROS
    assert bench.run(wanted("early", later - 1), now=later - 1) == [("early", None)]
    assert bench.run(wanted("next", later), now=later) == [("next", "ann")]


def test_what_is_too_old_to_be_judged_is_watched_by_nobody_and_takes_no_slot(bench: Bench) -> None:
    bench.run(comes("ann", sessions=1), wanted("a"), ended("a", NOW + 1))
    later = NOW + KEPT_MICROS + 1
    before = [bench.run(comes("ann", later, sessions=1), now=later), dict(bench.state.entries)]
    assert bench.run(wanted("a"), now=later) == [("a", None)]
    assert bench.given[-1].sequence == 1, "no more than it was told before"
    assert [[], bench.state.entries] == before
    assert bench.run(wanted("b", later), now=later) == [("b", "ann")]


def test_ended_contacts_and_supervisors_who_went_are_forgotten_after_two_days(bench: Bench) -> None:
    bench.run(comes("ann"), wanted("a"), ended("a"), goes("ann", NOW + 1), goes("bob", NOW + 1))
    assert {name.split("\x1f")[0] for name in bench.state.entries} >= {"contact", "supervisor"}
    bench.run(ended("ghost"), now=NOW + KEPT_MICROS)
    assert sorted(bench.state.entries) == ["desk", "memory", "room"]


def test_a_supervisor_who_came_back_is_not_forgotten(bench: Bench) -> None:
    later = NOW + KEPT_MICROS
    bench.run(comes("ann"), goes("ann", NOW + 1), comes("ann", NOW + 2), ended("ghost"))
    bench.run(ended("ghost"), now=later)
    assert bench.run(wanted("a", later), now=later) == [("a", "ann")]


def test_when_there_are_too_many_the_oldest_that_nobody_watches_are_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST_KEPT", 3)
    bench.run(comes("ann", sessions=1), wanted("watched"), *(wanted(f"c{n}", NOW + n) for n in range(1, 6)))
    bench.run(ended("ghost"))
    kept = {name.split("\x1f")[1] for name in bench.state.entries if name.startswith("contact")}
    assert kept == {"watched", "c4", "c5"}
    assert bench.run(ended("watched", NOW + 9), wanted("next", NOW + 9)) == [("next", "ann")]


def test_a_clock_that_is_set_far_back_does_not_keep_the_memory_for_ever(bench: Bench) -> None:
    bench.run(wanted("a"), wanted("b", NOW - 2 * KEPT_MICROS), now=NOW)
    bench.run(ended("ghost"), now=NOW - 2 * KEPT_MICROS)
    assert not [name for name in bench.state.entries if name.startswith("contact")]


@pytest.mark.parametrize(
    ("at", "reason"), [(NOW + AHEAD_MICROS + 1, "ahead_of_time"), (NOW - KEPT_MICROS - 1, "too_old")]
)
def test_a_presence_that_cannot_be_put_in_order_is_refused(bench: Bench, at: int, reason: str) -> None:
    bench.run(comes("ann", at), goes("ann", at))
    assert [said for _, said in bench.refused] == [reason, reason]
    bench.run(comes("ann", NOW + AHEAD_MICROS), comes("bob", NOW - KEPT_MICROS))
    assert len(bench.refused) == 2


def test_an_event_of_another_inbox_is_refused(bench: Bench) -> None:
    bench.run(Tick(key="acme", now=NOW))
    assert [reason for _, reason in bench.refused] == ["unexpected_type"]


def test_with_500_supervisors_of_8_contacts_no_event_writes_much() -> None:
    class Metered(JsonState):
        written = 0

        def set(self, name: str, value: object) -> None:
            super().set(name, value)
            self.written += len(name) + len(self.entries[name])

    bench = Bench(Metered())
    bench.run(*(comes(f"supervisor-{n:03}") for n in range(500)))
    sizes = []
    for n in range(4_000):
        before = bench.state.written
        assert bench.feed(wanted(f"contact-{n:06}", NOW + n, limit=8))[0].supervisor is not None
        sizes.append(bench.state.written - before)
    assert bench.run(wanted("one more", limit=8)) == [("one more", None)]
    assert max(sizes) < 3_000
    before = bench.state.written
    bench.run(goes("supervisor-250", NOW + HOUR // 100))
    assert bench.state.written - before < 6_000
    assert [given.supervisor for given in bench.given[-8:]] == [None] * 8


def test_a_room_finds_the_first_over_all_pages() -> None:
    room = Room(JsonState())
    names = [f"s{n:04}" for n in range(4 * PAGES)]
    for name in names:
        room.put(name, 2)
    assert room.first(3) == names[0]
    assert room.first(2) is None
    room.put(names[70], 1)
    assert room.first(2) == names[70]
    for name in names:
        room.drop(name)
    assert room.first(8) is None


def test_a_memory_passes_over_what_was_dropped() -> None:
    queue = Memory(JsonState())
    places = [queue.add(Remembered("contact", f"c{n}", NOW)) for n in range(40)]
    for place in places[:39]:
        queue.drop(place)
    later = NOW + KEPT_MICROS
    taken = [queue.take(later) for _ in range(4)]
    assert [each.name for each in taken if each is not None] == ["c39"]
    assert queue.take(later + SECOND) is None
