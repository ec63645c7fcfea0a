"""The simulated contact centre loses nobody and finishes nobody twice, whatever the router and sessions say."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.agents import Outcome
from schemas.codec import Codec
from schemas.control import Fault, FaultKind
from schemas.conversations import HandoffAck
from schemas.fields import Disposition, FinishedBy, GradedBy, Pool
from schemas.interactions import Completed, Feedback, Offered, Turn
from schemas.supervision import Verdict
from schemas.topics import OFFERED
from simulator.world import World
from tests import said
from tests.centre import SECOND, START, decision, play, to_ai, world

ENDPOINTS = ("support-bot", "billing-bot", "no-such-bot", None)
ANSWER = st.fixed_dictionaries(
    {
        "pool": st.sampled_from([*Pool, None]),
        "disposition": st.sampled_from([d for d in Disposition if d is not Disposition.REPEAT]),
        "endpoint": st.sampled_from(ENDPOINTS),
        "queue": st.sampled_from(["technical", "care", "a queue of nobody's policy"]),
        "hold_until": st.none() | st.integers(START, START + 300 * SECOND),
        "notice": st.sampled_from([None, "All lines are busy"]),
    }
)
DELAY = st.integers(0, 100 * SECOND)
ANSWERS = st.lists(st.tuples(DELAY, ANSWER), min_size=1, max_size=3)
WORDS = st.lists(st.tuples(DELAY, st.sampled_from(list(said.WORDS)), st.integers(0, 3)), max_size=4)
"""What sessions say of a contact, with or without sense: after how long, what, and of which epoch."""
ARRIVALS = st.lists(st.integers(START, START + 60 * SECOND), max_size=25)
FAULTS = st.lists(
    st.builds(
        lambda at, endpoint, kind, severity: (
            at,
            Fault(endpoint=endpoint, kind=kind, severity=severity, occurred_at=at),
        ),
        st.integers(START, START + 120 * SECOND),
        st.sampled_from(["support-bot", "billing-bot"]),
        st.sampled_from(list(FaultKind)),
        st.floats(0, 20),
    ),
    max_size=4,
)


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    arrivals = draw(ARRIVALS)
    return {
        "arrivals": arrivals,
        "answers": draw(st.lists(ANSWERS, min_size=len(arrivals), max_size=len(arrivals))),
        "words": draw(st.lists(WORDS, min_size=len(arrivals), max_size=len(arrivals))),
        "faults": draw(FAULTS),
        "seed": draw(st.integers(0, 5)),
        "people_per_queue": draw(st.integers(0, 3)),
        "offer_twice": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "change_matter": draw(st.sampled_from([0.0, 0.5])),
        "supervisors": 2,
        "qa_share": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "qa_after_seconds": draw(st.sampled_from([0.0, 60.0])),
        "rated_share": draw(st.sampled_from([0.0, 1.0])),
        "callback_seconds": draw(st.sampled_from([60.0, 900.0])),
    }


def options_of(run: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in run.items() if key not in ("arrivals", "answers", "words")}


def simulate(run: dict[str, Any], **more: Any) -> tuple[Any, list[Any], dict[str, int]]:
    """Play a run; return the world, its events, and when each contact was decided first."""
    simulated = world(run["arrivals"], **options_of(run))
    decided: dict[str, int] = {}
    seen: set[str] = set()

    def router(offered: Offered) -> list[Any]:
        name = offered.interaction_id
        number = int(name.rpartition("-")[2]) - 1
        answers, words = run["answers"][number], run["words"][number]
        if name in seen:
            return [(0, decision(name, disposition=Disposition.REPEAT, pool=None))]
        seen.add(name)
        decided[name] = offered.occurred_at + min(delay for delay, _ in answers)
        stranger = (0, decision("nobody", pool=Pool.AI_CONTAINED))
        told = [(delay, said.WORDS[word](name, epoch)) for delay, word, epoch in words]
        return [stranger, *((delay, decision(name, **fields)) for delay, fields in answers), *told]

    return simulated, [effect.event for effect in play(simulated, router, **more)], decided


@given(runs())
@settings(max_examples=75, deadline=None)
def test_every_offered_contact_ends_exactly_once_whatever_is_decided(run: dict[str, Any]) -> None:
    simulated, events, _ = simulate(run)
    offered = {event.interaction_id for event in events if isinstance(event, Offered)}
    ends = Counter(event.interaction_id for event in events if isinstance(event, Completed))
    assert len(offered) == len(run["arrivals"])
    assert ends == Counter(offered)
    assert simulated.finished
    assert simulated.tally.completed.total() == simulated.tally.decided == simulated.tally.offered == len(offered)
    if run["offer_twice"] == 1.0:
        assert simulated.tally.repeats == len(offered)


@given(runs())
@settings(max_examples=50, deadline=None)
def test_at_every_instant_each_offered_contact_is_in_one_place(run: dict[str, Any]) -> None:
    def look(simulated: World) -> None:
        now = simulated.progress()
        people = now.with_people + sum(now.waiting.values()) + now.held + now.to_call_back
        assert now.offered == now.completed + now.undecided + now.with_ai + people
        assert min(now.undecided, now.with_ai, now.with_people, now.held, now.to_call_back) >= 0

    simulate(run, look=look)


@given(runs())
@settings(max_examples=75, deadline=None)
def test_each_disposition_is_counted_once_per_contact_and_ends_as_it_should(run: dict[str, Any]) -> None:
    simulated, events, _ = simulate(run)
    first = {
        f"run-{number:06d}": min(answers, key=lambda answer: answer[0])[1]
        for number, answers in enumerate(run["answers"], start=1)
    }
    ends = {event.interaction_id: event for event in events if isinstance(event, Completed)}
    words = {name for name, said_of in zip(first, run["words"], strict=True) if said_of}
    by = Counter(said["disposition"] for said in first.values())
    spill = simulated.tally.spill
    assert spill.notices == sum(said["notice"] is not None for said in first.values())
    assert spill.deflected == by[Disposition.DEFLECT] == simulated.tally.completed[FinishedBy.SELF_SERVICE]
    held = [s for s in first.values() if s["disposition"] is Disposition.HOLD and s["hold_until"] is not None]
    assert 0 <= spill.released <= spill.held == len(held)
    assert 0 <= spill.called_back <= spill.callbacks <= by[Disposition.CALLBACK]
    promised = {name for name, said in first.items() if said["disposition"] is Disposition.CALLBACK} - words
    for name in promised:  # nobody waited, and nobody was lost before the promise had lapsed
        if len(run["answers"][int(name[-6:]) - 1]) == 1:
            assert ends[name].wait_seconds == 0
            assert ends[name].finished_by in (FinishedBy.HUMAN, FinishedBy.CUSTOMER)


@given(runs())
@settings(max_examples=75, deadline=None)
def test_feedback_comes_after_the_end_at_most_once_from_each_and_none_is_lost(run: dict[str, Any]) -> None:
    simulated, events, _ = simulate(run)
    late = simulated.step(START + 1000 * SECOND)
    ends = {event.interaction_id: event for event in events if isinstance(event, Completed)}
    told = [event for event in [*events, *(effect.event for effect in late)] if isinstance(event, Feedback)]
    of_each = Counter((event.interaction_id, event.by) for event in told)
    assert set(of_each.values()) <= {1}
    assert {name for name, _ in of_each} <= {name for name, end in ends.items() if end.ai_turns > 0}
    by_ai = {name for name, end in ends.items() if end.finished_by is FinishedBy.AI and end.ai_turns}
    labelled = {name for name, by in of_each if by is GradedBy.QA}
    assert labelled <= by_ai
    if run["qa_share"] == 1.0:
        assert labelled == by_ai
    if run["rated_share"] == 1.0:
        stayed = {name for name, end in ends.items() if end.ai_turns and end.finished_by is not FinishedBy.CUSTOMER}
        assert {name for name, by in of_each if by is GradedBy.CUSTOMER} == stayed
    counted = simulated.tally.grading
    assert (counted.labels, counted.labels_due, counted.ratings) == (len(labelled), 0, len(told) - len(labelled))


@given(runs())
@settings(max_examples=50, deadline=None)
def test_nothing_is_told_of_a_contact_before_its_decision_or_after_its_end(run: dict[str, Any]) -> None:
    _, events, decided = simulate(run)
    ended: set[str] = set()
    turns: Counter[str] = Counter()
    of_epoch: Counter[tuple[str, int]] = Counter()
    for event in events:
        if isinstance(event, Offered):
            continue
        name = event.interaction_id
        if isinstance(event, Outcome):
            assert event.synthetic
            continue
        assert event.occurred_at >= decided[name] or isinstance(event, HandoffAck | Verdict)
        assert (name in ended) is isinstance(event, Feedback)
        if isinstance(event, Turn):
            turns[name] += 1
            of_epoch[name, event.epoch] += 1
            assert event.number == of_epoch[name, event.epoch]
        elif isinstance(event, Completed):
            ended.add(name)
            assert event.ai_turns == turns[name]


@given(runs())
@settings(max_examples=40, deadline=None)
def test_the_same_seed_gives_the_same_effects(run: dict[str, Any]) -> None:
    assert simulate(run)[1] == simulate(run)[1]


@given(runs(), st.lists(st.integers(START, START + 200 * SECOND), max_size=30))
@settings(max_examples=40, deadline=None)
def test_being_woken_more_often_changes_nothing(run: dict[str, Any], wakes: list[int]) -> None:
    assert simulate(run)[1] == simulate(run, also_at=wakes)[1]


@given(runs())
@settings(max_examples=50, deadline=None)
def test_what_is_offered_does_not_depend_on_what_is_decided(run: dict[str, Any]) -> None:
    offers = [event for event in simulate(run)[1] if isinstance(event, Offered)]
    others = play(world(run["arrivals"], **{**options_of(run), "qa_share": 0.0, "rated_share": 0.0}), to_ai)
    assert offers == [effect.event for effect in others if effect.topic is OFFERED]


@given(runs(), st.integers(START, START + 90 * SECOND))
@settings(max_examples=50, deadline=None)
def test_nothing_is_offered_ahead_of_the_schedule_and_a_stall_is_caught_up(run: dict[str, Any], now: int) -> None:
    simulated = world(run["arrivals"], seed=run["seed"])
    offered = [effect.event.occurred_at for effect in simulated.step(now)]
    assert offered == sorted(at for at in run["arrivals"] if at <= now)


@given(runs())
@settings(max_examples=40, deadline=None)
def test_every_event_is_valid_on_the_wire(run: dict[str, Any]) -> None:
    codec = Codec()
    for event in simulate(run)[1]:
        assert codec.decode(codec.encode(event)) == event
