"""A conversation's events in any order that its causes allow, and any repetition, tell the same story, once."""

from __future__ import annotations

import dataclasses
from collections import Counter

import msgspec
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from processors.sessions.logic.book import PROGRESS, Stage
from runtime.state import DictState
from schemas.agents import ContactOutcome, Graded, Outcome
from schemas.codec import Codec
from schemas.control import Policy
from schemas.conversations import AnswerRefused, ChannelSwitched, Handoff, Moved, MoveRequest
from schemas.fields import Channel, Event, FinishedBy, GradedBy, Pool, Supervision, TurnResult
from schemas.interactions import Decision, Fact, Feedback, Instructions, Offered, Released, Turn
from schemas.rules import SupervisionPolicy, Transfer, Triggers
from schemas.supervision import Verdict, VerdictKind
from schemas.topics import CLOSED, SESSION_VIEWS, SUPERVISION_REQUESTS, TIMERS, turn_key
from schemas.triggers import Trigger
from schemas.views import SessionView
from schemas.wfm import Finding, Held, VolumeDelta
from tests.contacts import (
    DECIDED_AT,
    SECOND,
    Bench,
    ack,
    completed,
    decision,
    feedback,
    given,
    held,
    policy,
    released,
    request,
    switched,
    turn,
    verdict,
    word,
)  # fmt: skip

CODEC = Codec()
AGENTS = ("ada", "eve", "bob")
INTENTS = ("card_lost", "fraud", "loan")
MOMENTS = st.integers(0, 40).map(lambda second: DECIDED_AT + second * SECOND)
NOBODY = {"endpoint": None, "provider": None, "pool": Pool.HUMAN_EXCLUSIVE, "supervision": None}


def one_in(times: int) -> st.SearchStrategy[bool]:
    return st.integers(1, times).map(lambda number: number == times)


@st.composite
def triggers(draw) -> Triggers:
    """Some triggers; turns to come meet them now and then."""
    return Triggers(
        amount_over=50.0 if draw(one_in(4)) else None,
        sentiment_below=-0.75 if draw(one_in(4)) else None,
        sentiment_slope_below=-0.25 if draw(one_in(4)) else None,
        turns_over=draw(st.integers(1, 4)) if draw(one_in(4)) else None,
        failures_over=draw(st.integers(0, 1)) if draw(one_in(3)) else None,
        seconds_over=35.0 if draw(one_in(4)) else None,
        topics=("legal",) if draw(one_in(4)) else (),
        person_asked=draw(one_in(4)),
    )


@st.composite
def turns(draw, number: int, epoch: int) -> Turn:
    """A turn with some of what a platform may know, most of it rarely."""
    return turn(
        number,
        epoch=epoch,
        endpoint=AGENTS[epoch],
        result=draw(st.sampled_from(TurnResult)) if draw(one_in(4)) else TurnResult.OK,
        occurred_at=draw(MOMENTS),
        customer_text="get me a human" if draw(one_in(6)) else "hello",
        agent_text=draw(st.sampled_from([f"answer {epoch}/{number}", "yes", " YES "])),
        cost=draw(st.sampled_from([0.0, 0.1, 0.2, 0.7])),
        no_progress=draw(one_in(6)),
        sentiment=draw(st.sampled_from([None, 1.0, 0.5, 0.0, -0.5, -1.0])),
        channel=draw(st.sampled_from(Channel)) if draw(one_in(4)) else None,
        amount=60.0 if draw(one_in(5)) else None,
        topics=("legal",) if draw(one_in(6)) else (),
        intent=draw(st.sampled_from(INTENTS)) if draw(one_in(4)) else None,
        assessment=f"assessed {number}" if draw(one_in(3)) else None,
        tried=draw(st.sampled_from([(), ("a",), ("b", "a")])),
        facts=(Fact(name="n", value=str(number)),) if draw(one_in(3)) else (),
    )


@dataclasses.dataclass
class Conversation:
    """Distinct events of one contact in the order in which they happened, and what must come before each in any log.

    A turn, a switch and the end depend on nothing that sessions write, an acknowledgement on the packet, the second
    agent's turns on the decision, a verdict on the answer. What people say of answers lies before or after a packet
    that shows it, in every log: they have seen the packet, or had not.
    """

    policy: Policy
    events: list[Event] = dataclasses.field(default_factory=list)
    causes: list[set[int]] = dataclasses.field(default_factory=list)
    said: set[int] = dataclasses.field(default_factory=set)

    def __post_init__(self) -> None:
        self.bench = Bench(self.policy)

    def add(self, event: Event, causes: set[int]) -> int:
        """Have an event happen; return its place."""
        packets = len(self.bench.all(Handoff))
        self.bench.run(event)
        self.events.append(event)
        self.causes.append(causes | (self.said if len(self.bench.all(Handoff)) > packets else set()))
        return len(self.events) - 1

    @property
    def epoch(self) -> int:
        return self.bench.progress.epoch

    @property
    def turns(self) -> int:
        return sum(isinstance(event, Turn) for event in self.events)

    @property
    def has_switch(self) -> bool:
        return any(isinstance(event, ChannelSwitched) for event in self.events)


@st.composite
def conversations(draw) -> Conversation:
    """AI has a contact, then perhaps another agent, then perhaps people; some of them end."""
    assigned = draw(st.sampled_from([None, None, 3]))
    rules = SupervisionPolicy(sessions_per_supervisor=assigned, verdict_seconds=3_600.0)
    talk = Conversation(policy(supervision=rules, transfer=Transfer(ack_seconds=3_600.0)))
    begun_held = draw(one_in(5))
    opened = talk.add(held() if begun_held else decision(**draw(said())), set())
    for _ in range(draw(st.integers(0, 2))):
        talk.add(switched(draw(st.sampled_from(Channel)), draw(MOMENTS)), set())
    found = draw(
        st.lists(st.builds(feedback, st.sampled_from(GradedBy), csat=st.integers(1, 5)), max_size=3, unique=True)
    )
    for each in found[:1]:
        talk.add(each, set())
    causes: set[int] | None = draw(let_go(talk, opened)) if begun_held else {opened}
    epoch = int(begun_held)
    while causes is not None:
        if talk.bench.story.wanted:
            causes = {talk.add(given("sam", epoch + 1), causes)}
        fence = conversed(draw, talk, epoch, causes if epoch or assigned else set())
        epoch += 1
        causes = handed_over(draw, talk, fence, epoch) if fence else None
    if not draw(one_in(4)):
        talk.add(completed(talk.turns, finished_by=draw(st.sampled_from(FinishedBy))), ends_after(talk))
    for each in found[1:]:
        talk.add(each, set())
    return talk


@st.composite
def let_go(draw, talk: Conversation, opened: int) -> set[int] | None:
    """Let a contact be held, released perhaps, and given to AI perhaps; return what the agent's turns depend on."""
    last = {opened}
    for _ in range(draw(st.integers(0, 2))):
        last = {talk.add(released(draw(MOMENTS)), last)}
    if draw(st.booleans()):
        return None
    asked = talk.add(request(Pool.AI_CONTAINED), last)
    return {talk.add(word(1, intent="card_lost", **draw(said())), {asked})}


def ends_after(talk: Conversation) -> set[int]:
    """What lies before the end in every log: it waits for turns by itself, but for no person and no service."""
    spoke = {event.epoch for event in talk.events if isinstance(event, Turn)}
    return {
        at
        for at, event in enumerate(talk.events)
        if (isinstance(event, Verdict) and event.verdict is VerdictKind.TAKE_OVER)
        or isinstance(event, Released | MoveRequest)
        or (isinstance(event, Decision) and event.session_epoch and event.session_epoch not in spoke)
    }


@st.composite
def said(draw) -> dict[str, object]:
    """How an agent is watched, and what it is told of triggers."""
    supervision = draw(st.sampled_from(Supervision))
    return {
        "supervision": supervision,
        "pool": Pool.AI_CONTAINED if supervision is Supervision.AUTONOMOUS else Pool.AI_ASSISTED,
        "instructions": Instructions(escalate=draw(triggers()), approve=draw(triggers())),
    }


def conversed(draw, talk: Conversation, epoch: int, causes: set[int]) -> set[int] | None:
    """Let an agent speak until it loses the contact; return what led to that, None where it keeps it."""
    spoken: set[int] = set()
    number = 0
    for number in range(1, 1 + draw(st.integers(0, 6))):
        asked = len(talk.bench.of(SUPERVISION_REQUESTS))
        spoken.add(talk.add(draw(turns(number, epoch)), causes))
        if talk.epoch == epoch and len(talk.bench.of(SUPERVISION_REQUESTS)) > asked and draw(st.booleans()):
            kind = draw(st.sampled_from(VerdictKind))
            word_on_it = verdict(number, kind, epoch, why="so", text="instead")
            talk.said.add(talk.add(word_on_it, spoken | {0} | causes))
        if talk.epoch > epoch:
            break
    if talk.epoch == epoch:
        return None
    fence = spoken | {0} | talk.said
    for late in range(number + 1, number + 1 + draw(st.integers(0, 2))):
        taken_over = talk.said if talk.bench.view.triggers[-1].trigger == "taken_over" else set()
        talk.add(draw(turns(late, epoch)), causes | taken_over)
    if talk.bench.all(Handoff) and draw(st.booleans()):
        talk.add(ack(talk.epoch), fence)
    if spoken and draw(one_in(4)):
        talk.said.add(talk.add(verdict(1, VerdictKind.EDIT, epoch, why="late"), fence))
    return fence


def handed_over(draw, talk: Conversation, fence: set[int], epoch: int) -> set[int] | None:
    """Let the router answer where it was asked; return what the next agent's turns depend on, None without one."""
    if len(talk.bench.all(Offered)) < epoch or draw(one_in(6)):
        return None
    intent = talk.bench.all(Offered)[-1].classification.intent
    found = epoch < len(AGENTS) and not draw(one_in(5))
    who = {"endpoint": AGENTS[epoch], **draw(said())} if found else NOBODY
    told = talk.add(word(epoch, intent=intent, **who), fence)
    if not found and draw(st.booleans()):
        talk.add(ack(talk.epoch), {told})
    return {told} if found else None


@st.composite
def logs(draw, talk: Conversation) -> list[Event]:
    """The events in an order that has causes first, each once or more: a repeat lies anywhere behind its event."""
    ranks = draw(st.permutations(range(len(talk.events))))
    order: list[int] = []
    while len(order) < len(ranks):
        free = [at for at in range(len(ranks)) if at not in order and talk.causes[at] <= set(order)]
        order.append(min(free, key=lambda at: ranks[at]))
    for again in draw(st.lists(st.sampled_from(range(len(ranks))), max_size=10)):
        order.insert(draw(st.integers(order.index(again) + 1, len(order))), again)
    return [talk.events[at] for at in order]


def played(talk: Conversation, log, state=None) -> Bench:
    """Run a log within a second: no wait runs out. Epochs and revisions only grow."""
    bench, epoch = Bench(talk.policy, state), 0
    for at, event in enumerate(log):
        bench.run(event, now=DECIDED_AT + at)
        if bench.state.get_bytes(PROGRESS) is not None:
            assert bench.progress.epoch >= epoch
            assert bench.progress.due_at == min(bench.progress.waits.values()) == bench.timer
            epoch = bench.progress.epoch
    return bench


def remembered(bench: Bench) -> dict[str, object]:
    """All that is stored, but for how often others were told of it and for instants that depend on the time of it."""
    progress = bench.progress
    waits = sorted(progress.waits)
    progress.revision, progress.due_at, progress.waits = 0, 0, {}
    return {**bench.state.entries, PROGRESS: (progress, waits)}


def recorded(bench: Bench, talk: Conversation) -> Counter:
    """All that was told, but for timers and views. A packet has the channel of when it was made: switches depend on
    nothing, so it is left out where there are any."""
    told: Counter = Counter()
    for topic, event, _ in bench.effects:
        if topic is not TIMERS and topic is not SESSION_VIEWS:
            blank = talk.has_switch and isinstance(event, Handoff | Offered)
            same = msgspec.structs.replace(event, channel=Channel.CHAT) if blank else event
            told[topic.name, CODEC.encode(same)] += 1
    return told


def shown(bench: Bench) -> dict[str, object]:
    """The last view of everything. While a contact lasts its turns are counted whenever something else has changed."""
    last = {}
    revisions: dict[str, int] = {}
    for view in bench.of(SESSION_VIEWS):
        at = view.exchange if not isinstance(view, SessionView) else None
        key = view.interaction_id if at is None else turn_key(view.interaction_id, at.epoch, at.turn)
        assert view.revision > revisions.get(key, 0)
        revisions[key] = view.revision
        last[key] = msgspec.structs.replace(view, revision=0)
        if at is None:
            last[key] = msgspec.structs.replace(last[key], updated_at=0, turns=view.turns if view.closed else 0)
    return last


def with_log():
    return conversations().flatmap(lambda talk: st.tuples(st.just(talk), logs(talk)))


@settings(max_examples=300, deadline=None)
@over(with_log())
def test_any_order_that_causes_allow_and_any_repetition_give_the_same_state_and_the_same_records(case):
    talk, log = case
    in_order, mixed_up = talk.bench, played(talk, log)
    assert (mixed_up.refused, in_order.refused) == ([], [])
    assert remembered(mixed_up) == remembered(in_order)
    assert recorded(mixed_up, talk) == recorded(in_order, talk)
    assert shown(mixed_up) == shown(in_order)


@settings(max_examples=150, deadline=None)
@over(with_log())
def test_each_epoch_has_one_packet_each_contact_one_end_and_each_late_answer_one_refusal(case):
    talk, log = case
    bench = played(talk, log)
    packets = Counter(packet.epoch for packet in bench.all(Handoff))
    assert set(packets.values()) <= {1}
    assert len(bench.of(CLOSED)) == bool(bench.progress.closed)
    refused = Counter((each.epoch, each.turn) for each in bench.all(AnswerRefused))
    assert set(refused.values()) <= {1}
    assert bench.progress.refused == len(refused)
    answers = {(event.epoch, event.number) for event in talk.events if isinstance(event, Turn) and event.result == "ok"}
    shown_in = {(each.epoch, each.turn) for packet in bench.all(Handoff) for each in packet.history}
    assert refused.keys() <= answers
    assert not shown_in & refused.keys()
    assert all(CODEC.decode(CODEC.encode(effect.event)) == effect.event for effect in bench.effects)


@settings(max_examples=150, deadline=None)
@over(with_log())
def test_each_turn_has_one_outcome_each_contact_that_ai_had_one_and_each_finding_is_told_of_its_agent(case):
    talk, log = case
    bench = played(talk, log)
    turns_taken = Counter((event.endpoint, event.number) for event in talk.events if isinstance(event, Turn))
    assert Counter((each.endpoint, each.turn) for each in bench.all(Outcome)) <= turns_taken
    if bench.progress.closed is None:
        assert bench.all(ContactOutcome) + bench.all(Graded) + bench.all(Finding) == []
        return
    assert Counter((each.endpoint, each.turn) for each in bench.all(Outcome)) == turns_taken
    said = {(each.endpoint, each.turn) for each in bench.all(Outcome)} if turns_taken else set()
    assert [each.handling for each in bench.all(ContactOutcome)] == [bench.progress.closed] * bool(said)
    findings = {event for event in talk.events if isinstance(event, Feedback)}
    assert {(each.by, each.csat) for each in bench.all(Graded)} == {(each.by, each.csat) for each in findings if said}
    agents = {each.endpoint for each in bench.all(Graded) + bench.all(ContactOutcome)}
    assert len(agents) <= 1
    told = [(each.by, each.csat, each.handling) for each in bench.all(Finding)]
    assert sorted(told) == sorted((each.by, each.csat, bench.progress.closed) for each in findings)


@settings(max_examples=150, deadline=None)
@over(with_log())
def test_the_last_move_of_a_contact_says_what_its_turns_cost_and_why_people_have_it(case):
    talk, log = case
    bench = played(talk, log)
    if bench.progress.closed is None:
        return
    last = bench.all(VolumeDelta)[-1]
    cost = sum(event.cost for event in talk.events if isinstance(event, Turn))
    assert last.ai_cost == pytest.approx(cost)
    packets = bench.all(Handoff)
    with_people = bench.progress.stage is Stage.PEOPLE and packets
    assert last.trigger == (packets[-1].trigger.trigger if with_people else None)


@settings(max_examples=75, deadline=None)
@over(with_log())
def test_a_contact_that_is_held_is_let_go_once_and_a_release_moves_it_once(case):
    talk, log = case
    bench = played(talk, log)
    begun_held = talk.events[0] == held()
    gone = any(isinstance(event, Released | MoveRequest) for event in talk.events) or bench.progress.closed is not None
    assert [each.over for each in bench.all(Held)] == ([False] + [True] * gone) * begun_held
    let = [each for each in bench.all(Moved) if each.trigger.trigger is Trigger.RELEASED]
    assert len(let) == any(isinstance(event, Released) for event in talk.events)


@settings(max_examples=75, deadline=None)
@over(with_log())
def test_it_makes_no_difference_that_the_state_is_thrown_away_and_loaded_between_all_steps(case):
    talk, log = case
    loaded, kept = played(talk, log), played(talk, log, DictState())
    assert kept.effects == loaded.effects
    assert {name: value.decode() for name, value in kept.state.entries.items()} == loaded.state.entries
