"""The simulated contact centre loses nobody and finishes nobody twice, whatever the router and sessions say."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.control import Fault, FaultKind
from schemas.conversations import HandoffAck
from schemas.fields import Disposition, Pool
from schemas.interactions import Completed, Offered, Turn
from schemas.supervision import Verdict
from schemas.topics import OFFERED
from tests import said
from tests.centre import SECOND, START, decision, play, to_ai, world

ENDPOINTS = ("support-bot", "billing-bot", "no-such-bot", None)
ANSWER = st.fixed_dictionaries(
    {
        "pool": st.sampled_from([*Pool, None]),
        "disposition": st.sampled_from([d for d in Disposition if d is not Disposition.REPEAT]),
        "endpoint": st.sampled_from(ENDPOINTS),
        "queue": st.sampled_from(["technical", "care", "a queue of nobody's policy"]),
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
@settings(max_examples=150, deadline=None)
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
@settings(max_examples=100, deadline=None)
def test_nothing_is_told_of_a_contact_before_its_decision_or_after_its_end(run: dict[str, Any]) -> None:
    _, events, decided = simulate(run)
    ended: set[str] = set()
    turns: Counter[str] = Counter()
    of_epoch: Counter[tuple[str, int]] = Counter()
    for event in events:
        if isinstance(event, Offered):
            continue
        name = event.interaction_id
        assert event.occurred_at >= decided[name] or isinstance(event, HandoffAck | Verdict)
        assert name not in ended
        if isinstance(event, Turn):
            turns[name] += 1
            of_epoch[name, event.epoch] += 1
            assert event.number == of_epoch[name, event.epoch]
        elif isinstance(event, Completed):
            ended.add(name)
            assert event.ai_turns == turns[name]


@given(runs())
@settings(max_examples=80, deadline=None)
def test_the_same_seed_gives_the_same_effects(run: dict[str, Any]) -> None:
    assert simulate(run)[1] == simulate(run)[1]


@given(runs(), st.lists(st.integers(START, START + 200 * SECOND), max_size=30))
@settings(max_examples=80, deadline=None)
def test_being_woken_more_often_changes_nothing(run: dict[str, Any], wakes: list[int]) -> None:
    assert simulate(run)[1] == simulate(run, also_at=wakes)[1]


@given(runs())
@settings(max_examples=50, deadline=None)
def test_what_is_offered_does_not_depend_on_what_is_decided(run: dict[str, Any]) -> None:
    offers = [event for event in simulate(run)[1] if isinstance(event, Offered)]
    others = play(world(run["arrivals"], **options_of(run)), to_ai)
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
