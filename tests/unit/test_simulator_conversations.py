"""What the simulated centre does when sessions have their say: transfers, other agents, moves.

The words of sessions are the test's own: see `tests/property/test_simulated_sessions.py` for both together.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from schemas.control import Fault, FaultKind
from schemas.conversations import HandoffAck
from schemas.fields import FinishedBy, Pool
from schemas.interactions import Completed, Decision, Instructions, Offered, Turn
from schemas.rules import Triggers
from schemas.triggers import Trigger
from simulator.floor import WORD_SECONDS
from tests.centre import SECOND, START, by_contact, decision, of, play, to_ai, world
from tests.said import assigned, hit, moved, packet

MANY = [START + i * SECOND for i in range(400)]
ASKS = Triggers(person_asked=True)


def fault(kind: FaultKind, severity: float = 1.0) -> tuple[int, Fault]:
    return START, Fault(endpoint="support-bot", kind=kind, severity=severity, occurred_at=START)


def escalating(offered: Offered, escalate: Triggers = ASKS, **changes: Any) -> list[tuple[int, Decision]]:
    return [(20_000, decision(offered.interaction_id, instructions=Instructions(escalate=escalate), **changes))]


def handing_off(told: Any) -> list[tuple[int, Any]]:
    """Sessions which send a packet for who asks for a person, 0.2 s later."""
    asked = isinstance(told, Turn) and told.person_asked
    return [(SECOND // 5, packet(told.interaction_id, queue="care"))] if asked else []


def test_without_the_trigger_the_acd_moves_who_asks_for_a_person_at_once() -> None:
    effects = play(world(MANY, people_per_queue=500), to_ai, sessions=lambda _told: [])
    asked = {turn.interaction_id: turn.occurred_at for turn in of(effects, Turn) if turn.person_asked}
    ends = {end.interaction_id: end for end in of(effects, Completed) if end.interaction_id in asked}
    assert all(end.finished_by is FinishedBy.HUMAN for end in ends.values())
    assert all(_began_talk(end) == pytest.approx(asked[name], abs=10) for name, end in ends.items())


def test_with_the_trigger_the_contact_goes_to_the_people_of_the_packet_when_it_arrives() -> None:
    simulated = world(MANY, people_per_queue=0, people={"care": 500})
    effects = play(simulated, escalating, sessions=handing_off)
    asked = {turn.interaction_id: turn.occurred_at for turn in of(effects, Turn) if turn.person_asked}
    ends = {end.interaction_id: end for end in of(effects, Completed) if end.interaction_id in asked}
    acks = {ack.interaction_id: ack for ack in of(effects, HandoffAck)}
    assert asked.keys() == acks.keys()
    assert len(asked) > 8
    for name, at in asked.items():
        assert (acks[name].epoch, acks[name].by) == (1, "care")
        assert acks[name].occurred_at == at + SECOND // 5
        assert ends[name].finished_by is FinishedBy.HUMAN
        assert _began_talk(ends[name]) == pytest.approx(acks[name].occurred_at, abs=10)
    assert (simulated.tally.transfers, simulated.tally.acknowledged) == (len(asked), len(asked))


def _began_talk(end: Completed) -> float:
    return end.occurred_at - (end.talk_seconds + end.wrap_seconds) * SECOND


def test_where_no_packet_comes_the_acd_moves_the_contact_after_30_seconds_whatever_the_pace() -> None:
    effects = play(world(MANY, people_per_queue=500, pace=0.1), escalating)
    asked = {turn.interaction_id: turn.occurred_at for turn in of(effects, Turn) if turn.person_asked}
    for end in of(effects, Completed):
        if end.interaction_id in asked:
            assert _began_talk(end) == pytest.approx(asked[end.interaction_id] + WORD_SECONDS * SECOND, abs=10)
    assert of(effects, HandoffAck) == []


def test_a_packet_that_people_have_the_contact_of_is_acknowledged_and_so_is_each_repetition() -> None:
    def late(told: Any) -> list[tuple[int, Any]]:
        if not (isinstance(told, Turn) and told.person_asked):
            return []
        seconds = (35, 36, 37)
        return [(s * SECOND, packet(told.interaction_id, attempt=n)) for n, s in enumerate(seconds, start=1)]

    simulated = world(MANY, people_per_queue=500)
    effects = play(simulated, escalating, sessions=late)
    asked = [turn.interaction_id for turn in of(effects, Turn) if turn.person_asked]
    assert sorted(ack.interaction_id for ack in of(effects, HandoffAck)) == sorted(asked * 3)
    assert simulated.tally.transfers == len(asked)
    assert len(of(effects, Completed)) == len(MANY)


def test_after_a_packet_at_any_time_the_agent_is_silent_but_for_a_few_late_answers_which_count() -> None:
    def breaker(told: Any) -> list[tuple[int, Any]]:
        first = isinstance(told, Turn) and told.number == 1
        return [(3 * SECOND, packet(told.interaction_id, trigger=hit(Trigger.BREAKER_OPEN)))] if first else []

    simulated = world(MANY, people_per_queue=500)
    effects = play(simulated, to_ai, sessions=breaker)
    heard = {ack.interaction_id: ack.occurred_at for ack in of(effects, HandoffAck)}
    after = [turn for turn in of(effects, Turn) if turn.occurred_at > heard[turn.interaction_id]]
    assert all(turn.epoch == 0 for turn in after)
    assert len({turn.interaction_id for turn in after}) == len(after)
    assert 0.1 < len(after) / len(MANY) < 0.3
    turns = by_contact(effects)
    assert all(end.ai_turns == len(turns[end.interaction_id]) for end in of(effects, Completed))
    assert all(end.finished_by is FinishedBy.HUMAN for end in of(effects, Completed))


def test_a_packet_ahead_of_its_decision_is_acknowledged_and_the_decision_gives_the_contact_to_people() -> None:
    simulated = world([START], people_per_queue=1)
    simulated.step(START)
    (ack,) = of(simulated.step(START + SECOND, [packet("run-000001")]), HandoffAck)
    assert ack.by == "technical"
    simulated.step(START + 2 * SECOND, [decision("run-000001")])
    assert simulated.progress().with_people == 1


@pytest.mark.parametrize(("most", "turns"), [(0, 1), (1, 2), (3, 4)])
def test_an_agent_that_fails_tries_as_often_as_the_policy_bears_and_then_waits_for_the_packet(
    most: int, turns: int
) -> None:
    simulated = world(MANY[:50], faults=[fault(FaultKind.OUTAGE)], people_per_queue=50)
    effects = play(simulated, lambda offered: escalating(offered, Triggers(failures_over=most)))
    assert all(len(each) == turns for each in by_contact(effects).values())
    last = {turn.interaction_id: turn.occurred_at for turn in of(effects, Turn)}
    for end in of(effects, Completed):
        assert _began_talk(end) == pytest.approx(last[end.interaction_id] + WORD_SECONDS * SECOND, abs=10)


# -- other agents


def another(told: Any) -> list[tuple[int, Any]]:
    """Sessions and a router which send who has another matter on to care-bot, a second later."""
    if not (isinstance(told, Turn) and told.intent):
        return []
    word = decision(
        told.interaction_id,
        session_epoch=told.epoch + 1,
        endpoint="care-bot",
        endpoint_version="9",
        queue="care",
        intent=told.intent,
    )
    return [(SECOND, word)]


def test_who_turns_to_another_matter_goes_on_with_the_agent_of_the_new_decision_from_turn_1() -> None:
    simulated = world(MANY, people_per_queue=500, change_matter=0.3)
    effects = play(simulated, to_ai, sessions=another)
    changed = {name: each for name, each in by_contact(effects).items() if any(turn.intent for turn in each)}
    assert 0.2 < len(changed) / len(MANY) < 0.4
    assert simulated.tally.handovers >= len(changed)
    for each in changed.values():
        assert each[0].intent is None
        matter = "internet_fault"
        for before, after in itertools.pairwise(each):
            if before.intent:
                assert before.intent != matter
                matter = before.intent
                assert "something else" in before.customer_text
                assert (after.epoch, after.number, after.endpoint, after.version) == (
                    before.epoch + 1,
                    1,
                    "care-bot",
                    "9",
                )
                assert after.occurred_at > before.occurred_at + SECOND
            else:
                assert (after.epoch, after.number) == (before.epoch, before.number + 1)
    ends = {end.interaction_id: end for end in of(effects, Completed)}
    assert all(ends[name].ai_turns == len(each) for name, each in changed.items())
    assert any(end.finished_by is FinishedBy.AI for name, end in ends.items() if name in changed)


def test_by_default_nobody_turns_to_another_matter() -> None:
    assert not any(turn.intent for turn in of(play(world(MANY), to_ai), Turn))


def test_where_no_other_agent_is_found_people_take_the_contact_by_packet_or_after_30_seconds() -> None:
    def nobody(told: Any) -> list[tuple[int, Any]]:
        return [(delay, _for_people(answer)) for delay, answer in another(told)]

    effects = play(world(MANY[:50], people_per_queue=50, change_matter=1.0), to_ai, sessions=nobody)
    last = {name: each[-1] for name, each in by_contact(effects).items() if each[-1].intent}
    assert len(last) > 30
    for end in of(effects, Completed):
        if end.interaction_id in last:
            at = last[end.interaction_id].occurred_at
            assert _began_talk(end) == pytest.approx(at + WORD_SECONDS * SECOND, abs=10)


def _for_people(answer: Decision) -> Decision:
    return decision(answer.interaction_id, session_epoch=answer.session_epoch, endpoint=None, pool=Pool.HUMAN_EXCLUSIVE)


def test_a_decision_of_an_epoch_that_is_over_changes_nothing() -> None:
    simulated = world([START], people_per_queue=1)
    simulated.step(START)
    simulated.step(START, [decision("run-000001"), packet("run-000001", epoch=2)])
    assert simulated.progress().with_people == 1
    for epoch in (1, 2):
        simulated.step(START, [decision("run-000001", session_epoch=epoch, endpoint="care-bot")])
        assert simulated.progress().with_people == 1
    simulated.step(START, [decision("run-000001", session_epoch=3, endpoint="care-bot"), packet("run-000001", epoch=2)])
    assert simulated.progress().with_ai == 1


def test_an_agent_that_gets_a_contact_from_people_frees_its_person_for_the_next_in_line() -> None:
    simulated = world([START, START + 1, START + 2], people={"technical": 1})
    simulated.step(START + 2)
    names = [f"run-{number:06d}" for number in (1, 2, 3)]
    simulated.step(START + 2, [_for_people(decision(name)) for name in names])
    assert simulated.progress().waiting["technical"] == 2
    at = START + 10 * SECOND
    simulated.step(at, [decision(names[1], session_epoch=1), decision(names[0], session_epoch=1)])
    now = simulated.progress()
    assert (now.with_ai, now.with_people, now.waiting["technical"]) == (2, 1, 0)
    effects = play(simulated, to_ai)
    ends = {end.interaction_id: end for end in of(effects, Completed)}
    assert ends[names[0]].talk_seconds == pytest.approx(10, abs=0.01)
    assert ends[names[1]].wait_seconds == pytest.approx(10, abs=0.01)
    assert ends.keys() == set(names)


# -- moves and races


def test_a_move_to_people_takes_the_contact_without_a_packet_and_without_an_acknowledgement() -> None:
    simulated = world([START], people_per_queue=1)
    simulated.step(START)
    simulated.step(START + 1, [decision("run-000001")])
    told = simulated.step(START + 2, [moved("run-000001", 1)])
    assert of(told, HandoffAck) == []
    assert simulated.progress().with_people == 1


def test_who_won_a_race_asks_nothing_of_a_centre_that_keeps_nobody_back() -> None:
    simulated = world([START])
    simulated.step(START)
    simulated.step(START + 1, [decision("run-000001", parallel=True)])
    simulated.step(START + 2, [assigned("run-000001")])
    assert simulated.progress().with_ai == 1
