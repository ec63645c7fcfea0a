"""The simulated centre and the session manager agree on every contact, however late one hears of the other."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.agents import Graded
from schemas.control import Fault, FaultKind, Policy
from schemas.conversations import AgentLost, Handoff, HandoffAck, Moved, MoveRequest
from schemas.fields import Disposition, FinishedBy, Pool, Supervision
from schemas.interactions import Completed, Decision, Feedback, Instructions, Offered, Released, Turn
from schemas.rules import SupervisionPolicy, Triggers
from schemas.supervision import SupervisionRequest, SupervisionResult
from schemas.topics import ASSIGNMENTS, HANDOFFS, INTERACTION_EVENTS, ROUTED, SUPERVISION_REQUESTS, endpoint_key
from schemas.wfm import Held
from simulator.policies import demo_policy
from tests.centre import SECOND, START, decision, world
from tests.together import Together

TRIGGERS = st.builds(
    Triggers,
    person_asked=st.booleans(),
    failures_over=st.none() | st.integers(0, 3),
    breaker_opens=st.booleans(),
    sentiment_below=st.none() | st.floats(-1, 0.5),
    sentiment_slope_below=st.none() | st.floats(-0.5, 0),
    turns_over=st.none() | st.integers(0, 5),
    seconds_over=st.none() | st.floats(1, 60),
)
WATCHED = st.sampled_from(
    [
        (Pool.AI_CONTAINED, Supervision.AUTONOMOUS),
        (Pool.AI_ASSISTED, Supervision.SEMI),
        (Pool.AI_ASSISTED, Supervision.FULL),
    ]
)
SECONDS = st.sampled_from([0.01, 0.1, 0.5, 2.0])
TRANSFER_SECONDS = st.sampled_from([0.01, 0.1, 2.0, 40.0])
"""With the last the ACD has moved the contact by itself, and the packet was sent three times."""
MOVES = st.tuples(st.just(Pool.HUMAN_EXCLUSIVE), st.just(0)) | st.tuples(
    st.sampled_from([Pool.AI_CONTAINED, Pool.AI_ASSISTED]), st.integers(0, 2)
)
"""To which pool, in which epoch. People take no contact back while another agent is sought for it: sessions hear no
more of the router's word then, and refuse that agent's turns as nobody's."""
SPILLED = st.sampled_from([Disposition.ROUTE, Disposition.CALLBACK, Disposition.DEFLECT, Disposition.HOLD])
TOPICS = (ROUTED, ASSIGNMENTS, SUPERVISION_REQUESTS, INTERACTION_EVENTS)


@st.composite
def decisions(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.integers(0, 4)) == 0:
        nobody = {"endpoint": None, "provider": None, "supervision": None}
        spilled = {"disposition": draw(SPILLED), "hold_seconds": draw(st.sampled_from([0.0, 1.0, 30.0, 600.0]))}
        return {"pool": Pool.HUMAN_EXCLUSIVE, "queue": "care", **nobody, **spilled}
    pool, supervision = draw(WATCHED)
    said = Instructions(escalate=draw(st.none() | TRIGGERS), approve=draw(st.none() | TRIGGERS))
    return {
        "pool": pool,
        "supervision": supervision,
        "instructions": said,
        "endpoint": draw(st.sampled_from(["support-bot", "care-bot"])),
        "parallel": draw(st.booleans()),
    }


@st.composite
def plays(draw: st.DrawFn) -> dict[str, Any]:
    seconds = st.integers(0, 60)
    return {
        "arrivals": draw(st.lists(seconds, min_size=1, max_size=8)),
        "decisions": draw(st.lists(decisions(), min_size=1, max_size=12)),
        "took": {**{topic.name: draw(SECONDS) for topic in TOPICS}, HANDOFFS.name: draw(TRANSFER_SECONDS)},
        "seed": draw(st.integers(0, 20)),
        "people_per_queue": draw(st.integers(0, 3)),
        "change_matter": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "supervisors": draw(st.sampled_from([0, 1, 5])),
        "limit": draw(st.sampled_from([None, 3])),
        "lost": draw(st.lists(st.tuples(seconds, st.sampled_from(["support-bot", "care-bot"])), max_size=2)),
        "moves": draw(st.lists(st.tuples(seconds, MOVES), max_size=3)),
        "fault": draw(st.none() | st.sampled_from(list(FaultKind))),
        "room": draw(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 8)), max_size=6)),
        "qa_after_seconds": draw(st.sampled_from([0.0, 30.0])),
        "rated_share": draw(st.sampled_from([0.0, 1.0])),
    }


def answered(offered: Offered, choice: dict[str, Any]) -> Decision:
    """The router's answer; a contact that is under way is not spilled."""
    epoch, fields = offered.handover.epoch if offered.handover else 0, dict(choice)
    seconds = fields.pop("hold_seconds", 0.0)
    if epoch:
        fields.pop("disposition", None)
    elif fields.get("disposition") is Disposition.HOLD:
        fields["hold_until"] = offered.occurred_at + round(seconds * SECOND)
    name = f"d-{offered.interaction_id}-{epoch}"
    return decision(offered.interaction_id, decision_id=name, session_epoch=epoch, **fields)


def policy_of(play: dict[str, Any]) -> Policy:
    said = SupervisionPolicy(sessions_per_supervisor=play["limit"], approve=Triggers(turns_over=2))
    return msgspec.structs.replace(demo_policy(START), supervision=said)


def played(play: dict[str, Any], also_at: list[int] | None = None) -> Together:
    made = ("seed", "people_per_queue", "change_matter", "supervisors", "qa_after_seconds", "rated_share")
    faults = []
    if play["fault"] is not None:
        at = START + 10 * SECOND
        faults = [(at, Fault(endpoint="support-bot", kind=play["fault"], severity=0.6, occurred_at=at))]
    simulated = world(
        [START + at * SECOND for at in play["arrivals"]],
        faults=faults,
        qa_share=1.0,
        **{name: play[name] for name in made},
    )
    policy = policy_of(play)
    simulated.step(0, [policy])
    asked: Counter[str] = Counter()

    def router(offered: Offered) -> Decision:
        choices = play["decisions"]
        number = len(asked) + asked.total()
        asked[offered.interaction_id] += 1
        return answered(offered, choices[number % len(choices)])

    together = Together(simulated, policy, router, play["took"])
    names = [f"run-{number:06d}" for number in range(1, len(play["arrivals"]) + 1)]
    for seconds, number in play["room"]:  # as staffing has it, whether that contact is held or not
        at, name = START + seconds * SECOND, f"run-{number:06d}"
        room = Released(interaction_id=name, tenant="demo", queue="care", reason="room", occurred_at=at)
        together.write(at, INTERACTION_EVENTS.name, room)
    for seconds, endpoint in play["lost"]:
        at = START + seconds * SECOND
        for name in names:
            lost = AgentLost(interaction_id=name, agent=endpoint_key("demo", endpoint), breaker_epoch=1, occurred_at=at)
            together.write(at, INTERACTION_EVENTS.name, lost)
    for seconds, (to, epoch) in play["moves"]:
        at = START + seconds * SECOND
        move = MoveRequest(interaction_id=names[0], tenant="demo", epoch=epoch, to=to, by="kim", occurred_at=at)
        together.write(at, INTERACTION_EVENTS.name, move)
    return together.play(also_at or ())


@given(plays())
@settings(max_examples=150, deadline=None)
def test_both_see_the_same_end_of_every_contact_and_neither_refuses_the_other(play: dict[str, Any]) -> None:
    together = played(play)
    together.check()
    turns = Counter(turn.interaction_id for turn in together.of(Turn))
    assert {end.interaction_id: end.ai_turns for end in together.of(Completed)} == {
        f"run-{number:06d}": turns[f"run-{number:06d}"] for number in range(1, len(play["arrivals"]) + 1)
    }


@given(plays())
@settings(max_examples=100, deadline=None)
def test_a_contact_is_held_until_its_word_comes_and_the_buffer_is_empty_at_the_end(play: dict[str, Any]) -> None:
    together = played({**play, "moves": [], "lost": []})
    holds = {d.interaction_id for d in together.of(Decision) if d.disposition is Disposition.HOLD}
    told = together.of(Held)
    assert Counter(held.interaction_id for held in told if not held.over) == Counter(holds)
    assert Counter(held.interaction_id for held in told if held.over) == Counter(holds)
    words = {event.interaction_id: at for at, event in together.heard if isinstance(event, Moved)}
    heard = {event.interaction_id: at for at, event in together.heard if isinstance(event, Decision)}
    for end in together.of(Completed):
        name = end.interaction_id
        if name in holds and end.finished_by is FinishedBy.HUMAN:
            began_talk = end.occurred_at - (end.talk_seconds + end.wrap_seconds) * SECOND
            assert began_talk >= max(words[name], heard[name]) - 10
    spill = together.world.tally.spill
    assert spill.held == len(holds)
    ended_by_people = {end.interaction_id for end in together.of(Completed) if end.finished_by is FinishedBy.HUMAN}
    assert spill.released >= len(holds & ended_by_people)


@given(plays())
@settings(max_examples=75, deadline=None)
def test_what_is_found_of_a_contact_is_told_of_the_agent_that_had_it_last(play: dict[str, Any]) -> None:
    together = played(play)
    last = {turn.interaction_id: turn.endpoint for turn in together.of(Turn)}
    told = [(each.interaction_id, each.by, each.occurred_at) for each in together.of(Feedback)]
    graded = together.of(Graded)
    assert Counter((each.interaction_id, each.by, each.occurred_at) for each in graded) <= Counter(told)
    over = {name for name, ends in _ends(together).items() if ends.ai_turns}
    assert {each.interaction_id for each in graded} <= over & last.keys()


def _ends(together: Together) -> dict[str, Completed]:
    return {end.interaction_id: end for end in together.of(Completed)}


@given(plays())
@settings(max_examples=75, deadline=None)
def test_a_packet_that_reaches_an_open_contact_is_acknowledged_each_time(play: dict[str, Any]) -> None:
    together = played(play)
    ended = {end.interaction_id: at for at, _, end in together.told if isinstance(end, Completed)}
    acks = Counter((ack.interaction_id, ack.epoch) for ack in together.of(HandoffAck))
    packets = [(at, event) for at, event in together.heard if isinstance(event, Handoff)]
    assert acks <= Counter((event.interaction_id, event.epoch) for _, event in packets)
    assert acks >= Counter(
        (event.interaction_id, event.epoch) for at, event in packets if at < ended[event.interaction_id]
    )


@given(plays())
@settings(max_examples=75, deadline=None)
def test_nothing_follows_an_answer_that_waits_before_its_result_is_heard(play: dict[str, Any]) -> None:
    together = played({**play, "moves": []})  # word of who watches now may come later than the answer
    results = {
        (event.interaction_id, event.epoch, event.turn): at
        for at, event in together.heard
        if isinstance(event, SupervisionResult)
    }
    told = {(turn.interaction_id, turn.epoch, turn.number): turn for turn in together.of(Turn)}
    for request in together.of(SupervisionRequest):
        place = (request.interaction_id, request.epoch, request.turn)
        following = told.get((*place[:2], request.turn + 1))
        if following is not None:
            assert following.occurred_at > results[place]


@given(plays(), st.lists(st.integers(START, START + 200 * SECOND), max_size=20))
@settings(max_examples=40, deadline=None)
def test_being_woken_more_often_changes_nothing_of_a_conversation(play: dict[str, Any], wakes: list[int]) -> None:
    assert played(play).told == played(play, wakes).told
