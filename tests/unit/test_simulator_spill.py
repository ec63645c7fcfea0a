"""What the simulated ACD does with contacts that people have no room for at once: hold, call back, deflect, tell."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.conversations import HandoffAck
from schemas.fields import Disposition, FinishedBy, Pool
from schemas.interactions import Completed, Decision, Feedback, Offered
from schemas.triggers import Trigger
from simulator.floor import WORD_SECONDS
from simulator.people import CALLBACK_SECONDS
from simulator.world import World
from tests.centre import SECOND, START, decision, of, play, to_people, world
from tests.said import moved, packet, released

NAME = "run-000001"
MANY = [START + i * SECOND for i in range(300)]


def spilled(disposition: Disposition, name: str = NAME, **changes: Any) -> Decision:
    """A decision for people which does not let the contact go to them at once."""
    fields = {"pool": Pool.HUMAN_EXCLUSIVE, "endpoint": None, "disposition": disposition}
    return decision(name, **{**fields, **changes})


def held(name: str = NAME, seconds: float = 600.0, **changes: Any) -> Decision:
    return spilled(Disposition.HOLD, name, hold_until=START + round(seconds * SECOND), **changes)


def one(word: Decision, **changes: Any) -> World:
    """A world with one contact, decided so at its start."""
    simulated = world([START], **{"people_per_queue": 1, "seed": 3, **changes})
    simulated.step(START)
    simulated.step(START, [word])
    return simulated


# -- held


@pytest.mark.parametrize("trigger", [Trigger.RELEASED, Trigger.HOLD_ENDED])
def test_a_held_contact_waits_though_people_are_free_until_it_is_told_to_go_on(trigger: Trigger) -> None:
    simulated = one(held())
    now = simulated.progress()
    assert (now.held, now.with_people) == (1, 0)
    assert simulated.step(START + 20 * SECOND) == []
    simulated.step(START + 20 * SECOND, [released(NAME, trigger=trigger, queue="care")])
    assert (simulated.progress().held, simulated.progress().with_people) == (0, 1)
    (end,) = of(play(simulated, lambda _: []), Completed)
    assert (end.finished_by, end.wait_seconds) == (FinishedBy.HUMAN, pytest.approx(20.0))
    spill = simulated.tally.spill
    assert (spill.held, spill.released) == (1, 1)


def test_a_contact_that_goes_on_waits_in_line_with_the_patience_that_it_came_with() -> None:
    def left_at(told: list[Any]) -> int:
        simulated = one(held(seconds=5000), people_per_queue=0)
        simulated.step(START + 20 * SECOND, told)
        assert simulated.progress().waiting["technical"] == len(told)
        (end,) = of(play(simulated, lambda _: []), Completed)
        assert end.finished_by is FinishedBy.CUSTOMER
        assert end.wait_seconds == pytest.approx((end.occurred_at - START) / SECOND)
        return end.occurred_at

    assert left_at([]) == left_at([released(NAME)]) > START + 20 * SECOND


def test_held_customers_lose_patience_as_others_do() -> None:
    simulated = world(MANY, people_per_queue=0)
    effects = play(simulated, lambda o: [(0, held(o.interaction_id, seconds=100_000))])
    ends = of(effects, Completed)
    assert {end.finished_by for end in ends} == {FinishedBy.CUSTOMER}
    assert 250 < sum(end.wait_seconds for end in ends) / len(ends) < 350
    spill = simulated.tally.spill
    assert (spill.held, spill.released) == (len(MANY), 0)


def test_where_no_word_comes_the_acd_has_the_contact_go_on_some_time_after_the_end_of_the_hold() -> None:
    simulated = one(held(seconds=10.0))
    due = START + round((10 + WORD_SECONDS) * SECOND)
    simulated.step(due - 1)
    assert simulated.progress().held == 1
    simulated.step(due)
    assert simulated.progress().with_people == 1
    assert simulated.tally.spill.released == 0
    simulated.step(due, [released(NAME)])
    assert simulated.progress().with_people == 1
    assert simulated.tally.spill.released == 0


def test_a_hold_that_is_over_when_the_acd_hears_of_it_leaves_sessions_their_time_to_say_so() -> None:
    simulated = one(held(seconds=-100.0))
    simulated.step(START + round(WORD_SECONDS * SECOND) - 1)
    assert simulated.progress().held == 1
    simulated.step(START + round(WORD_SECONDS * SECOND))
    assert simulated.progress().with_people == 1


def test_a_word_ahead_of_its_decision_is_not_forgotten() -> None:
    simulated = world([START], people_per_queue=1)
    simulated.step(START)
    simulated.step(START, [released(NAME)])
    simulated.step(START, [held()])
    assert simulated.progress().with_people == 1
    spill = simulated.tally.spill
    assert (spill.held, spill.released) == (1, 1)


def test_a_transfer_takes_a_held_contact_to_people_and_is_acknowledged() -> None:
    simulated = one(held())
    (ack,) = of(simulated.step(START + SECOND, [packet(NAME, queue="care")]), HandoffAck)
    assert ack.by == "care"
    assert simulated.progress().with_people == 1


def test_an_agent_that_gets_a_held_contact_has_it_and_the_word_to_go_on_changes_nothing() -> None:
    simulated = one(held())
    simulated.step(START + 5 * SECOND, [decision(NAME, session_epoch=1)])
    assert (simulated.progress().with_ai, simulated.progress().held) == (1, 0)
    simulated.step(START + 6 * SECOND, [released(NAME)])
    assert simulated.progress().with_ai == 1
    ends = of(play(simulated, lambda _: []), Completed)
    assert [end.wait_seconds for end in ends] == [pytest.approx(5.0)]


def test_a_hold_without_an_end_is_the_line_of_the_queue() -> None:
    assert one(spilled(Disposition.HOLD)).progress().with_people == 1


# -- called back


def test_a_promised_callback_is_made_when_a_person_is_free_and_nobody_waits_on_the_line() -> None:
    simulated = world([START, START + 1, START + 2], people_per_queue=1, seed=1)
    names = [f"run-{number:06d}" for number in (1, 2, 3)]
    simulated.step(START + 2)
    words = [spilled(Disposition.ROUTE, names[0]), spilled(Disposition.CALLBACK, names[1]),
             spilled(Disposition.ROUTE, names[2])]  # fmt: skip
    simulated.step(START + 2, words)
    now = simulated.progress()
    assert (now.with_people, now.to_call_back, now.waiting["technical"]) == (1, 1, 1)
    ends = of(play(simulated, lambda _: []), Completed)
    assert [end.interaction_id for end in ends] == [names[0], names[2], names[1]]
    assert [end.finished_by for end in ends] == [FinishedBy.HUMAN] * 3
    assert ends[1].wait_seconds > 0
    assert ends[2].wait_seconds == 0
    spill = simulated.tally.spill
    assert (spill.callbacks, spill.called_back) == (1, 1)


def test_where_a_person_is_free_the_customer_is_called_back_at_once() -> None:
    simulated = one(spilled(Disposition.CALLBACK))
    assert simulated.progress().with_people == 1
    assert simulated.tally.spill.called_back == 1


def test_who_is_to_be_called_back_does_not_lose_patience_but_counts_on_it_no_more_than_a_while() -> None:
    simulated = world(MANY, people_per_queue=0, pace=0.5)
    effects = play(simulated, lambda o: [(0, spilled(Disposition.CALLBACK, o.interaction_id))])
    ends = of(effects, Completed)
    assert {end.finished_by for end in ends} == {FinishedBy.CUSTOMER}
    offered = {each.interaction_id: each.occurred_at for each in of(effects, Offered)}
    assert {e.occurred_at - offered[e.interaction_id] for e in ends} == {round(CALLBACK_SECONDS * 0.5 * SECOND)}
    assert {end.wait_seconds for end in ends} == {0.0}
    spill = simulated.tally.spill
    assert (spill.callbacks, spill.called_back) == (len(MANY), 0)


def test_a_callback_counts_for_as_long_as_the_centre_says() -> None:
    (end,) = of(
        play(one(spilled(Disposition.CALLBACK), people_per_queue=0, callback_seconds=50.0), to_people), Completed
    )
    assert end.occurred_at == START + 50 * SECOND


def test_an_agent_that_gets_a_contact_which_is_to_be_called_back_has_it() -> None:
    simulated = one(spilled(Disposition.CALLBACK), people_per_queue=0)
    simulated.step(START + 5 * SECOND, [decision(NAME, session_epoch=1)])
    assert (simulated.progress().with_ai, simulated.progress().to_call_back) == (1, 0)
    (end,) = of(play(simulated, lambda _: []), Completed)
    assert end.finished_by is FinishedBy.AI
    assert end.wait_seconds == 0


def test_who_was_to_be_called_back_and_is_with_an_agent_is_not_called_when_a_person_is_free() -> None:
    simulated = world([START, START + 1], people_per_queue=1)
    names = ["run-000001", "run-000002"]
    simulated.step(START + 1)
    simulated.step(START + 1, [spilled(Disposition.ROUTE, names[0]), spilled(Disposition.CALLBACK, names[1])])
    simulated.step(START + SECOND, [decision(names[1], session_epoch=1, endpoint_version=None)])
    effects: list[Any] = []
    while simulated.progress().with_people:
        at = simulated.wakes_at()
        assert at is not None
        effects += simulated.step(at)
    assert names[0] in {end.interaction_id for end in of(effects, Completed)}
    assert simulated.tally.spill.called_back == 0


def test_who_waits_elsewhere_is_not_promised_a_callback_when_people_have_the_contact_already() -> None:
    simulated = world([START], people_per_queue=0)
    simulated.step(START)
    simulated.step(START, [moved(NAME, 1), spilled(Disposition.CALLBACK)])
    assert simulated.progress().waiting["technical"] == 1
    assert simulated.tally.spill.callbacks == 0


# -- deflected, told


def test_what_is_deflected_ends_in_self_service_and_is_counted_with_the_notices() -> None:
    simulated = world(MANY[:30])
    words = [Disposition.DEFLECT, Disposition.ROUTE, Disposition.CALLBACK]

    def router(offered: Offered) -> list[tuple[int, Decision]]:
        number = int(offered.interaction_id[-6:])
        return [(0, spilled(words[number % 3], offered.interaction_id, notice="busy" if number % 2 else None))]

    effects = play(simulated, router)
    by = [end.finished_by for end in of(effects, Completed)]
    assert by.count(FinishedBy.SELF_SERVICE) == 10
    assert of(effects, Feedback) == []
    spill = simulated.tally.spill
    assert (spill.deflected, spill.callbacks, spill.notices) == (10, 10, 15)


def test_the_summary_tells_of_spill_where_there_was_any() -> None:
    simulated = one(held(notice="We call you soon"))
    assert simulated.tally.spill.line() == (
        "held 1, of which released 0; callbacks 0, of which made 0; deflected 0; notices 1"
    )
    assert world([]).tally.spill.line() == ""
    assert "held 1" in simulated.progress().line()
