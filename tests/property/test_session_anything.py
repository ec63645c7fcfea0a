"""Whatever is told of a contact, and however senseless, is taken or refused; nothing grows without bound."""

from __future__ import annotations

from collections import Counter
from functools import partial

from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from processors.sessions.logic.book import PARKED, REPEATS_KEPT, SESSION
from processors.sessions.logic.feedback import GRADES_KEPT
from processors.sessions.logic.moves import EPOCHS_MOST
from processors.sessions.logic.oversight import OVERRIDES_KEPT
from processors.sessions.logic.race import ROUNDS_MOST
from processors.sessions.logic.transfer import TRIGGERS_KEPT
from processors.sessions.logic.turns import HELD_LIMIT
from schemas.agents import ContactOutcome, Graded, Outcome
from schemas.codec import Codec
from schemas.conversations import AnswerRefused, Handoff, Side
from schemas.fields import Channel, Event, FinishedBy, GradedBy, Pool, Supervision, TurnResult
from schemas.interactions import Instructions, TimerDue
from schemas.rules import SupervisionPolicy, Triggers
from schemas.supervision import SupervisionEnded, SupervisionWanted, VerdictKind
from schemas.topics import CLOSED, SESSION_VIEWS
from schemas.views import TurnView
from schemas.wfm import Finding, Held, VolumeDelta
from tests.contacts import (
    DECIDED_AT,
    SECOND,
    Bench,
    ack,
    claim,
    completed,
    decision,
    feedback,
    for_people,
    given,
    held,
    lost,
    policy,
    released,
    request,
    switched,
    turn,
    verdict,
    word,
)  # fmt: skip

CODEC = Codec()
AGENTS = st.sampled_from(["ada", "ada", "eve"])
MOMENTS = st.integers(0, 90).map(lambda second: DECIDED_AT + second * SECOND)
DUE = Triggers(amount_over=50.0, failures_over=0, breaker_opens=True, seconds_over=45.0)
POLICIES = st.sampled_from([None, policy(), policy(supervision=SupervisionPolicy(sessions_per_supervisor=3))])


def epoch_of(bench: Bench, lag: int) -> int:
    """The epoch of the session, or another one nearby."""
    return max(0, (bench.progress.epoch if SESSION in bench.state.entries else 0) - lag)


def applied_of(bench: Bench) -> int:
    return bench.progress.applied if SESSION in bench.state.entries else 0


def decides(bench: Bench, **changes) -> Event:
    return decision(**changes)


def decides_for_people(bench: Bench, **changes) -> Event:
    return for_people(**changes)


def holds(bench: Bench, **changes) -> Event:
    return held(**changes)


def answers(bench: Bench, lag: int, found: bool, **changes) -> Event:
    nobody = {} if found else {"endpoint": None, "pool": Pool.HUMAN_EXCLUSIVE}
    return word(epoch_of(bench, lag), **{**changes, **nobody})


def speaks(bench: Bench, lag: int, ahead: int, right: bool, **changes) -> Event:
    epoch = epoch_of(bench, lag)
    agent = bench.view.endpoint if right and bench.of(SESSION_VIEWS) and SESSION in bench.state.entries else None
    return turn(max(1, applied_of(bench) + ahead), epoch=epoch, **{**changes, "endpoint": agent or changes["endpoint"]})


def moves(bench: Bench, lag: int, to: Pool, at: int) -> Event:
    return request(to, epoch_of(bench, lag), occurred_at=at)


def acknowledges(bench: Bench, lag: int, at: int) -> Event:
    return ack(epoch_of(bench, lag), at=at)


def judges(bench: Bench, lag: int, back: int, kind: VerdictKind) -> Event:
    return verdict(max(1, applied_of(bench) - back), kind, epoch_of(bench, lag))


def claims(bench: Bench, side: Side, claimant: str, behind: int) -> Event:
    return claim(side, claimant, max(0, bench.story.round - behind))


def rings(bench: Bench, early: bool) -> Event:
    return TimerDue(interaction_id="c-1", due_at=(bench.timer or 1) - early)


def says(bench: Bench, event: Event) -> Event:
    return event


MOSTLY = st.sampled_from([True] * 5 + [False])
RARELY = MOSTLY.map(lambda usual: not usual)
LAGS = st.sampled_from([0, 0, 0, 0, 1, -1])
SAID = {
    "supervision": st.sampled_from(Supervision),
    "instructions": st.sampled_from([None, Instructions(escalate=DUE), Instructions(approve=DUE, escalate=DUE)]),
}


def of(what, **drawn):
    return st.builds(partial, st.just(what), **drawn)


TURN = of(
    speaks, lag=LAGS, ahead=st.sampled_from([1, 1, 1, 0, 2, 3, 2_000]), right=MOSTLY,
    endpoint=AGENTS, result=st.sampled_from([TurnResult.OK, TurnResult.OK, TurnResult.TIMEOUT]),
    agent_text=st.sampled_from([None, "yes", "yes", "no"]), no_progress=RARELY,
    amount=st.sampled_from([None, None, 60.0]), intent=st.sampled_from([None, None, "fraud", "loan"]),
    channel=st.sampled_from([None, *Channel]), occurred_at=MOMENTS, tenant=st.sampled_from(["acme"] * 15 + ["rival"]),
)  # fmt: skip
DECISION = of(decides, decision_id=st.sampled_from("abcdefghijklmnopqrstuvwxyz"), parallel=st.booleans(), **SAID)
HELD = of(holds, hold_until=MOMENTS, parallel=st.booleans())
ACTS = st.one_of(
    DECISION,
    of(decides_for_people, parallel=st.booleans()),
    HELD,
    of(answers, lag=LAGS, found=MOSTLY, endpoint=AGENTS, **SAID),
    TURN,
    TURN,
    TURN,
    TURN,
    TURN,
    of(moves, lag=LAGS, to=st.sampled_from(Pool), at=MOMENTS),
    of(acknowledges, lag=LAGS, at=MOMENTS),
    of(judges, lag=LAGS, back=st.integers(0, 2), kind=st.sampled_from(VerdictKind)),
    of(claims, side=st.sampled_from(Side), claimant=AGENTS, behind=st.integers(-1, 1)),
    of(rings, early=RARELY),
    of(says, event=st.builds(switched, st.sampled_from(Channel), MOMENTS)),
    of(says, event=st.builds(given, st.sampled_from([None, "sam", "kim"]), st.integers(0, 9))),
    of(says, event=st.builds(lost, st.integers(0, 9), st.sampled_from(["acme/ada", "acme/eve", "rival/ada"]))),
    of(says, event=st.builds(released, MOMENTS)),
    of(says, event=st.builds(feedback, st.sampled_from(GradedBy), occurred_at=MOMENTS)),
    of(says, event=st.builds(completed, st.integers(0, 30), finished_by=st.sampled_from(FinishedBy))),
)


def lives():
    """Mostly a decision, and then whatever."""
    acts = st.lists(ACTS, min_size=8)
    return st.builds(
        lambda decided, first, then: [first, *then] if decided else then,
        MOSTLY,
        st.one_of(DECISION, DECISION, HELD),
        acts,
    )


def lived(rules, acts) -> Bench:
    """Let a contact live through all that; the bench lets anything but RecordError through."""
    bench, now = Bench(rules), DECIDED_AT
    for act in acts:
        event = act(bench)
        now = max(now, event.due_at if isinstance(event, TimerDue) else now) + SECOND // 10
        bench.run(event, now=now)
    return bench


def keeps_its_bounds(bench: Bench) -> None:
    if SESSION not in bench.state.entries:
        assert set(bench.state.entries) <= {PARKED}
        return
    progress, story = bench.progress, bench.story
    assert bench.timer == progress.due_at == min(progress.waits.values())
    assert progress.epoch <= EPOCHS_MOST + 2
    assert len(story.triggers) <= TRIGGERS_KEPT
    assert len(story.overrides) <= OVERRIDES_KEPT
    assert len(story.grades) <= GRADES_KEPT
    assert len(progress.repeats) <= REPEATS_KEPT
    assert story.round < ROUNDS_MOST
    assert sum(len(text) for name, text in bench.state.entries.items() if not name.startswith("turn-")) < 60_000


@settings(max_examples=200, deadline=None)
@over(POLICIES, lives())
def test_nothing_but_a_refusal_ever_comes_of_senseless_events(rules, acts):
    bench = lived(rules, acts)
    keeps_its_bounds(bench)
    told = [effect.event for effect in bench.effects if effect.event is not None]
    assert [CODEC.decode(CODEC.encode(event)) for event in told] == told


@settings(max_examples=150, deadline=None)
@over(POLICIES, lives())
def test_whatever_comes_a_contact_ends_at_most_once_and_each_late_answer_is_refused_once(rules, acts):
    bench = Bench(rules)
    for at, act in enumerate([partial(decides), *acts]):
        bench.run(act(bench), now=DECIDED_AT + at)
        if SESSION not in bench.state.entries:
            return  # closed, and forgotten
    assert len(bench.of(CLOSED)) == bool(bench.progress.closed)
    assert len(bench.all(VolumeDelta)) == 1 + bool(bench.progress.closed)
    refused = Counter((each.epoch, each.turn) for each in bench.all(AnswerRefused))
    assert set(refused.values()) <= {1}
    assert refused.total() == bench.progress.refused
    first = Counter(packet.epoch for packet in bench.all(Handoff) if packet.attempt == 1)
    assert set(first.values()) <= {1}
    watched = len(bench.all(SupervisionWanted)) - len(bench.all(SupervisionEnded))
    assert watched == bench.story.wanted


@settings(max_examples=150, deadline=None)
@over(POLICIES, lives())
def test_when_all_waits_are_over_each_turn_has_one_outcome_and_no_contact_is_held(rules, acts):
    bench = lived(rules, acts)
    while bench.timer is not None:
        bench.ring()
    assert bench.state.entries == {}
    taken = [view for view in bench.all(TurnView) if view.revision == 1]
    assert len(bench.all(Outcome)) == len(taken)
    waits = 0
    for each in bench.all(Held):
        waits += -1 if each.over else 1
        assert waits in {0, 1}
    assert waits == 0
    assert len(bench.all(ContactOutcome)) <= len(bench.of(CLOSED))
    assert bool(bench.all(ContactOutcome)) >= bool(bench.all(Graded))
    assert len(bench.all(Graded)) <= len(bench.all(Finding))
    assert bool(bench.of(CLOSED)) >= bool(bench.all(Finding))


@settings(max_examples=75, deadline=None)
@over(POLICIES, st.lists(ACTS, min_size=1, max_size=5))
def test_what_comes_again_and_again_fills_no_entry(rules, acts):
    bench = lived(rules, [partial(decides), *(acts * (HELD_LIMIT + 9))])
    keeps_its_bounds(bench)
