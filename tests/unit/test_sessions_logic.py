"""Sessions, case by case. Time runs left to right: D decided, 1..n turns, C completed, * timer."""

from __future__ import annotations

import pytest

from processors.sessions.logic import step
from processors.sessions.logic.book import PARKED, PROGRESS, REPEATS_KEPT, SESSION, Parked, Progress, load
from processors.sessions.logic.turns import HELD_LIMIT, TURN_LIMIT
from processors.sessions.logic.waits import PARKED_LIMIT
from runtime.kafka import MAX_RECORD_BYTES
from runtime.snapshot import Snapshot
from schemas.agents import Outcome, Tick
from schemas.errors import RecordError
from schemas.fields import Disposition, FinishedBy, Handling, Pool
from schemas.interactions import TimerDue
from schemas.topics import AGENT_EVENTS, CLOSED, INTERACTION_EVENTS, SESSION_VIEWS, TIMERS, WFM_EVENTS, Effect
from tests.contacts import (
    DECIDED_AT,
    HOUR,
    OFFERED_AT,
    SECOND,
    Bench,
    completed,
    decision,
    for_people,
    turn,
)


def after(*events, now=DECIDED_AT):
    bench = Bench()
    bench.run(*events, now=now)
    return bench


def test_a_decision_opens_the_contact_in_its_quarter_of_an_hour():
    bench = after(decision())
    (delta,) = bench.of(WFM_EVENTS)
    assert (delta.from_handling, delta.to_handling) == (None, Handling.IN_PROGRESS)
    assert (delta.interval_start, delta.occurred_at) == (OFFERED_AT - SECOND, DECIDED_AT)
    assert (delta.queue, delta.intent, delta.pool) == ("cards", "card_lost", Pool.AI_CONTAINED)
    assert bench.timer == DECIDED_AT + 24 * HOUR
    assert [effect.topic for effect in bench.effects] == [WFM_EVENTS, TIMERS, SESSION_VIEWS]


@pytest.mark.parametrize("displaced", [False, True])
def test_every_delta_of_a_contact_says_whether_ai_would_have_had_it(displaced):
    bench = after(for_people(displaced=displaced), completed(0, finished_by=FinishedBy.HUMAN))
    assert [delta.displaced for delta in bench.of(WFM_EVENTS)] == [displaced, displaced]


def test_the_same_decision_again_changes_nothing():
    bench = after(decision())
    entries = dict(bench.state.entries)
    assert bench.feed(decision()) == []
    assert bench.state.entries == entries


def test_a_second_decision_is_flagged_and_enters_no_volume():
    bench = after(decision())
    assert bench.feed(decision(decision_id="d-2", queue="loans")) == []
    bench.run(decision(decision_id="d-2"), decision(decision_id="d-3"))
    assert len(load(bench.state, PROGRESS, Progress).repeats) == 2
    bench.run(completed(0))
    assert [record.decision_id for record in bench.of(CLOSED)] == ["d-1"]


def test_repeats_that_are_told_apart_are_bounded():
    bench = after(decision(), *(decision(decision_id=f"r-{n:03}") for n in reversed(range(100))))
    assert load(bench.state, PROGRESS, Progress).repeats == [f"r-{n:03}" for n in range(REPEATS_KEPT)]


def test_a_turn_becomes_an_outcome_under_the_epoch_of_its_decision():
    bench = after(decision(), turn(1, quality=0.8))
    (outcome,) = bench.of(AGENT_EVENTS)
    assert (outcome.tenant, outcome.provider, outcome.endpoint, outcome.version) == ("acme", "north", "ada", "7")
    assert (outcome.breaker_epoch, outcome.turn, outcome.quality, outcome.latency_ms) == (3, 1, 0.8, 401.0)
    assert (outcome.queue, outcome.intent, outcome.occurred_at) == ("cards", "card_lost", turn(1).occurred_at)


def test_a_turn_writes_only_the_small_entry_and_sets_no_timer():
    bench = after(decision())
    session = bench.state.entries[SESSION]
    assert [effect.topic for effect in bench.feed(turn(1))] == [AGENT_EVENTS, SESSION_VIEWS]
    assert bench.state.entries[SESSION] == session
    assert len(bench.state.entries[PROGRESS]) < 128
    assert set(bench.state.entries) == {SESSION, PROGRESS, "turn-0-1"}


def test_of_two_turns_with_one_number_the_first_counts():
    bench = after(decision(), turn(1, latency_ms=5.0), turn(1, latency_ms=9.0))
    assert [outcome.latency_ms for outcome in bench.of(AGENT_EVENTS)] == [5.0]


def test_a_completion_closes_when_it_has_its_turns():
    bench = after(decision(), turn(1), turn(2), completed(2, resolved=True, wait_seconds=1.0))
    (record,) = bench.of(CLOSED)
    assert (record.handling, record.ai_turns, record.resolved) == (Handling.AI_CONTAINED, 2, True)
    assert (record.ai_seconds, record.wait_seconds) == (12.5, 1.0)
    assert (record.offered_at, record.closed_at) == (OFFERED_AT, completed(2).occurred_at)
    moved = bench.of(WFM_EVENTS)[-1]
    assert (moved.from_handling, moved.to_handling) == (Handling.IN_PROGRESS, Handling.AI_CONTAINED)
    assert (moved.ai_seconds, moved.occurred_at) == (12.5, completed(2).occurred_at)


def test_a_plain_contact_costs_one_timer_and_one_tombstone():
    bench = after(decision(), turn(1), completed(1))
    assert len(bench.of(TIMERS)) == 1
    bench.ring()
    assert bench.of(TIMERS)[1:] == [None]
    assert bench.effects[-3:] == [
        Effect(TIMERS, None, "c-1"),
        Effect(SESSION_VIEWS, None, "c-1"),
        Effect(SESSION_VIEWS, None, "c-1/turn-0-1"),
    ]
    assert bench.state.entries == {}


def test_a_completion_waits_for_its_turns_and_closes_with_the_last():
    # D C 2 1
    bench = after(decision(), completed(2), turn(2))
    assert bench.of(CLOSED) == []
    assert bench.timer == DECIDED_AT + 30 * SECOND
    bench.run(turn(1))
    assert len(bench.of(CLOSED)) == 1
    assert bench.timer == DECIDED_AT + 24 * HOUR


def test_a_completion_waits_30_seconds_at_most_and_late_turns_still_count_for_health():
    # D C * 1 1 2
    bench = after(decision(), completed(2))
    bench.ring()
    assert [record.ai_turns for record in bench.of(CLOSED)] == [2]
    bench.run(turn(1), turn(1), turn(2))
    assert len(bench.of(CLOSED)) == 1
    assert [outcome.turn for outcome in bench.all(Outcome)] == [1, 2]


def test_of_two_completions_the_first_stands():
    other = completed(1, finished_by=FinishedBy.HUMAN)
    assert after(decision(), completed(1), other, turn(1)).of(CLOSED)[0].handling is Handling.AI_CONTAINED
    bench = after(decision(), turn(1), completed(1), other)
    assert [record.handling for record in bench.of(CLOSED)] == [Handling.AI_CONTAINED]


def test_a_contact_that_nobody_completes_is_abandoned_after_a_day():
    bench = after(decision(), turn(1))
    due_at = bench.ring()
    (record,) = bench.of(CLOSED)
    assert (record.handling, record.closed_at, record.ai_turns) == (Handling.ABANDONED, DECIDED_AT + 24 * HOUR, 1)
    assert bench.of(WFM_EVENTS)[-1].occurred_at == due_at
    bench.ring(due_at)
    bench.run(completed(1))
    assert len(bench.of(CLOSED)) == 1
    assert bench.timer == due_at + HOUR
    bench.ring()
    assert bench.state.entries == {}


def test_a_contact_completed_at_the_very_end_of_its_day_is_kept_for_an_hour():
    bench = after(decision(), completed(0, occurred_at=DECIDED_AT + 24 * HOUR - SECOND))
    assert bench.timer == DECIDED_AT + 25 * HOUR


def test_a_wait_that_ends_at_the_instant_of_removal_asks_for_that_instant_again():
    # The wait's timer has rung; without a new one the entries would stay for ever.
    bench = after(decision())
    bench.run(completed(1), now=DECIDED_AT + 24 * HOUR - 30 * SECOND)
    assert bench.timer == DECIDED_AT + 24 * HOUR
    bench.feed(TimerDue(interaction_id="c-1", due_at=bench.timer))
    assert [record.handling for record in bench.of(CLOSED)] == [Handling.AI_CONTAINED]
    assert len(bench.of(TIMERS)) == 2
    bench.ring()
    assert bench.state.entries == {}


def test_stale_timers_change_nothing():
    bench = after(decision(), completed(1))
    entries = dict(bench.state.entries)
    for due_at in (0, bench.timer - 1, bench.timer + 1, DECIDED_AT + 24 * HOUR):
        assert bench.feed(TimerDue(interaction_id="c-1", due_at=due_at)) == []
    assert bench.state.entries == entries
    assert Bench().feed(TimerDue(interaction_id="c-1", due_at=1)) == []


@pytest.mark.parametrize(
    ("decided", "ended", "handling"),
    [
        (decision(), completed(0, finished_by=FinishedBy.AI), Handling.AI_CONTAINED),
        (decision(), completed(0, finished_by=FinishedBy.AI, watched=True), Handling.AI_ASSISTED),
        (decision(pool=Pool.AI_ASSISTED), completed(0, finished_by=FinishedBy.AI), Handling.AI_ASSISTED),
        (decision(), completed(0, finished_by=FinishedBy.HUMAN), Handling.AI_ESCALATED),
        (for_people(), completed(0, finished_by=FinishedBy.HUMAN), Handling.HUMAN_ONLY),
        (decision(), completed(0, finished_by=FinishedBy.CUSTOMER), Handling.ABANDONED),
        (for_people(), completed(0, finished_by=FinishedBy.CUSTOMER), Handling.ABANDONED),
        (decision(), completed(0, finished_by=FinishedBy.SELF_SERVICE), Handling.DEFLECTED),
        (
            for_people(disposition=Disposition.DEFLECT),
            completed(0, finished_by=FinishedBy.CUSTOMER),
            Handling.DEFLECTED,
        ),
        (for_people(disposition=Disposition.DEFLECT), completed(0, finished_by=FinishedBy.HUMAN), Handling.HUMAN_ONLY),
        (
            for_people(disposition=Disposition.CALLBACK),
            completed(0, finished_by=FinishedBy.CUSTOMER),
            Handling.ABANDONED,
        ),
    ],
)
def test_who_finished_a_contact_decides_its_final_volume(decided, ended, handling):
    bench = after(decided, ended)
    assert [record.handling for record in bench.of(CLOSED)] == [handling]
    assert bench.of(WFM_EVENTS)[-1].to_handling is handling


def test_a_contact_for_people_in_which_ai_spoke_was_escalated():
    bench = after(for_people(), completed(1, finished_by=FinishedBy.HUMAN))
    bench.ring()
    assert bench.of(CLOSED)[0].handling is Handling.AI_ESCALATED


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (turn(1, endpoint="eve"), "wrong_endpoint"),
        (turn(1, tenant="rival"), "wrong_tenant"),
        (completed(0, tenant="rival"), "wrong_tenant"),
        (turn(TURN_LIMIT + 1), "turn_number"),
    ],
)
def test_an_event_that_is_not_the_contacts_is_refused_before_and_after_the_decision(event, reason):
    late = after(decision(), event)
    early = after(event, decision())
    for bench in (late, early):
        assert bench.refused == [(event, reason)]
    assert early.state.entries == late.state.entries
    assert early.told() == late.told()


def test_a_turn_of_a_contact_that_went_to_people_is_refused():
    assert after(for_people(), turn(1)).refused == [(turn(1), "wrong_endpoint")]


def test_the_turn_with_the_highest_number_fits_in_json():
    bench = after(decision(), turn(TURN_LIMIT), turn(TURN_LIMIT))
    assert len(bench.of(AGENT_EVENTS)) == 1


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (decision(pool=None, disposition=Disposition.REPEAT, first_decision_id="d-0"), "no_decision"),
        (decision(disposition=Disposition.REPEAT), "no_decision"),
        (decision(pool=None), "no_decision"),
        (decision(provider=None), "no_provider"),
    ],
)
def test_a_decision_that_can_open_nothing_is_refused(event, reason):
    bench = after(event)
    assert bench.refused == [(event, reason)]
    assert bench.state.entries == {}


def test_an_event_of_another_service_is_refused():
    with pytest.raises(RecordError, match="Tick") as refusal:
        step(Tick(key="acme", now=1), Bench().state, Snapshot(), 1)
    assert refusal.value.reason == "unexpected_type"


def test_events_ahead_of_their_decision_are_told_when_it_comes():
    # C 2 1 D
    bench = after(completed(2), turn(2), turn(1))
    assert bench.told() == []
    assert len(bench.of(TIMERS)) == 1
    bench.run(decision())
    assert len(bench.of(CLOSED)) == 1
    assert sorted(outcome.turn for outcome in bench.all(Outcome)) == [1, 2]
    assert PARKED not in bench.state.entries
    assert len(bench.of(TIMERS)) == 2


def test_the_65th_parked_event_is_refused_and_the_64_are_kept():
    bench = after(*(turn(n) for n in range(1, PARKED_LIMIT + 1)), turn(1), turn(PARKED_LIMIT + 1))
    assert bench.refused == [(turn(PARKED_LIMIT + 1), "parked_full")]
    bench.run(decision())
    assert len(bench.of(AGENT_EVENTS)) == PARKED_LIMIT


def test_the_65th_turn_that_waits_is_refused_and_the_one_that_they_wait_for_is_not():
    bench = after(decision(), *(turn(n) for n in range(2, HELD_LIMIT + 3)))
    assert bench.refused == [(turn(HELD_LIMIT + 2), "held_full")]
    bench.run(turn(1), completed(HELD_LIMIT + 1))
    assert [record.ai_turns for record in bench.of(CLOSED)] == [HELD_LIMIT + 1]
    bench.run(turn(HELD_LIMIT + 2))
    assert len(bench.all(Outcome)) == HELD_LIMIT + 2


def test_long_events_that_wait_are_refused_sooner_so_that_an_entry_fits_into_a_record():
    def long(number):
        return turn(number, customer_text='"\u20ac' * 25_000)  # 100 kB, 125 kB as JSON, more as JSON in JSON

    parked = after(*map(long, range(1, 9)))
    assert parked.refused == [(long(number), "parked_full") for number in range(4, 9)]
    held = after(decision(), *map(long, range(2, 9)))
    assert held.refused == [(long(number), "held_full") for number in range(6, 9)]
    for bench in (parked, held):
        assert max(len(text.encode()) for text in bench.state.entries.values()) < MAX_RECORD_BYTES
    held.run(turn(1), completed(5))
    assert len(held.of(CLOSED)) == 1


def test_orphans_go_back_to_the_inbox_and_are_refused_there():
    # 1 C * then an hour to be refused in, * and nothing is left
    bench = after(turn(1), completed(1))
    assert bench.timer == DECIDED_AT + HOUR
    bench.ring()
    assert bench.of(INTERACTION_EVENTS) == [turn(1), completed(1)]
    assert bench.refused == [(turn(1), "orphan"), (completed(1), "orphan")]
    assert load(bench.state, PARKED, Parked).events == []
    bench.ring()
    assert bench.state.entries == {}
    assert bench.of(TIMERS)[-1] is None
    assert bench.told() == []


def test_a_stale_timer_does_not_make_orphans():
    bench = after(turn(1))
    entries = dict(bench.state.entries)
    for due_at in (bench.timer - 1, bench.timer + 1):
        assert bench.feed(TimerDue(interaction_id="c-1", due_at=due_at)) == []
    assert bench.state.entries == entries


def test_a_decision_that_needs_the_timer_that_stands_sets_none():
    # Parked 23 h after the decision was made: the wait for it ends when the contact would expire.
    bench = after(turn(1), now=DECIDED_AT + 23 * HOUR)
    assert bench.timer == DECIDED_AT + 24 * HOUR
    bench.run(decision())
    assert len(bench.of(TIMERS)) == 1


def test_a_decision_after_its_orphans_opens_the_contact_all_the_same():
    bench = after(turn(1))
    bench.ring()
    bench.run(decision(), turn(1), completed(1))
    assert len(bench.of(CLOSED)) == 1
    assert len(bench.all(Outcome)) == 1
    assert PARKED not in bench.state.entries
