"""Contacts that move between AI and people, through the real router, sessions, clock and supervisors."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.agents import ContactOutcome, Graded, Outcome
from schemas.conversations import Alert, AnswerRefused, Assignment, ChannelSwitched, Claim, Moved, Side
from schemas.fields import (
    BreakerState,
    Channel,
    Disposition,
    FinishedBy,
    GradedBy,
    Handling,
    Pool,
    Supervision,
    TurnResult,
)
from schemas.interactions import Decision, Fact, Feedback, Released
from schemas.rules import Parallel, Phase, Phrasing, SupervisionPolicy, Transfer, Triggers
from schemas.supervision import SupervisionRequest, SupervisionResult, SupervisorPresence, Verdict, VerdictKind
from schemas.topics import (
    AGENT_EVENTS,
    ALERTS,
    ASSIGNMENTS,
    CLOSED,
    HANDOFFS,
    ROUTED,
    SESSION_VIEWS,
    SUPERVISION_EVENTS,
    SUPERVISION_REQUESTS,
    WFM_EVENTS,
    Topic,
)
from schemas.triggers import Trigger
from schemas.views import SessionView
from schemas.wfm import Held
from tests.flow.command import trunkline
from tests.flow.conversing import ASKS, TOPICS, Talk, open_house, sure_of
from tests.flow.steps import Watch, new_room, publish_transition, running, transition, write

pytestmark = pytest.mark.xdist_group("conversations_flow")


@pytest.fixture(scope="module")
def room(bootstrap: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Settings]:
    data = tmp_path_factory.mktemp("conversations-flow")
    (data / "models").symlink_to(models)
    settings = new_room(bootstrap, redis_url, data)
    with running(settings, "router", "sessions", "clock", "supervisors"):
        yield settings


@pytest.fixture
def watch(room: Settings) -> Iterator[Watch]:
    with Watch(room, *TOPICS) as watch:
        yield watch


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4().hex[:8]}"


def talk(room: Settings, watch: Watch, tenant: str, policy: dict[str, Any], **offer: Any) -> Talk:
    """A contact of a tenant whose policy the router follows already, decided for its agent."""
    open_house(room, tenant, **policy)
    contact = Talk(room, watch, tenant, f"{tenant}-1", **offer)
    decision = contact.begin()
    for attempt in range(2, 60):  # the router may not have read the policy yet
        if "no_policy" not in [reason.code for reason in decision.reasons]:
            return contact
        contact = Talk(room, watch, tenant, f"{tenant}-{attempt}", **offer)
        decision = contact.begin()
    raise AssertionError(f"the router never followed the policy of {tenant}")


BY_A_TURN = [
    (Trigger.SENTIMENT, Triggers(sentiment_below=-0.5), {"sentiment": -0.8}),
    (Trigger.TURNS, Triggers(turns_over=2), {}),
    (Trigger.TOPIC, Triggers(topics=("legal",)), {"topics": ("legal",)}),
    (Trigger.OUT_OF_SCOPE, Triggers(out_of_scope=True), {"out_of_scope": True}),
    (Trigger.PERSON_ASKED, ASKS, {"customer_text": "Please let me talk to a human!"}),
    (Trigger.AMOUNT, Triggers(amount_over=500.0), {"amount": 812.5}),
    (Trigger.AI_ERROR, Triggers(failures_over=0), {"result": TurnResult.TIMEOUT}),
]


@pytest.mark.parametrize(("trigger", "escalation", "said"), BY_A_TURN, ids=[str(row[0]) for row in BY_A_TURN])
def test_a_turn_that_meets_a_trigger_is_one_warm_transfer_which_names_it(
    room: Settings, watch: Watch, tenant: str, trigger: Trigger, escalation: Triggers, said: dict[str, Any]
) -> None:
    contact = talk(room, watch, tenant, {"escalation": escalation}, customer_id="c-77", region="eu")
    contact.tell(
        contact.turn(1, tried=("balance_lookup",), facts=(Fact(name="account", value="closed"),)),
        contact.turn(2, assessment="wants a refund", tried=("refund_form",)),
        contact.turn(3, **said),
    )
    packet = contact.handoff()
    assert packet.trigger.trigger is trigger
    assert (packet.trigger.turn, packet.epoch, packet.attempt) == (3, 1, 1)
    assert [each.turn for each in packet.history] == [1, 2, 3]
    assert packet.history[0].customer_text == "question 1"
    assert (packet.assessment, packet.tried) == ("wants a refund", ("balance_lookup", "refund_form"))
    assert packet.facts == (Fact(name="account", value="closed"),)
    assert packet.customer is not None
    assert (packet.customer.customer_id, packet.customer.region, packet.queue) == ("c-77", "eu", "retail")
    contact.tell(contact.ack(), contact.ended(3, FinishedBy.HUMAN))
    closed = contact.await_one(CLOSED)
    watch.to_end()
    assert closed.handling is Handling.AI_ESCALATED
    assert len(contact.of(HANDOFFS)) == 1
    view = contact.of(SESSION_VIEWS, SessionView)[-1]
    assert [each.trigger for each in view.triggers] == [trigger]
    assert (view.transfer.attempts, view.transfer.acked_by, view.closed) == (1, "person-7", Handling.AI_ESCALATED)


def test_sentiment_that_falls_from_turn_to_turn_is_a_trigger_of_its_own(
    room: Settings, watch: Watch, tenant: str
) -> None:
    contact = talk(room, watch, tenant, {"escalation": Triggers(sentiment_slope_below=-0.2)})
    contact.tell(*(contact.turn(nth, sentiment=0.9 - 0.3 * nth) for nth in (1, 2, 3)))
    assert contact.handoff().trigger.trigger is Trigger.SENTIMENT_SLOPE


def test_phrases_of_the_policy_stand_for_a_language_in_place_of_our_own(
    room: Settings, watch: Watch, tenant: str
) -> None:
    policy = {"escalation": ASKS, "phrasings": (Phrasing(language="de", phrases=("gib mir den chef",)),)}
    contact = talk(room, watch, tenant, policy, language="de-AT")
    contact.tell(contact.turn(1, customer_text="Ich will mit einem Menschen sprechen"),
                 contact.turn(2, customer_text="Na los, GIB MIR  den Chef!"))  # fmt: skip
    assert contact.handoff().trigger.turn == 2


def test_a_conversation_that_lasts_too_long_is_handed_over_by_the_clock(
    room: Settings, watch: Watch, tenant: str
) -> None:
    contact = talk(room, watch, tenant, {"escalation": Triggers(seconds_over=1.5)})
    contact.tell(contact.turn(1))
    packet = contact.handoff()
    assert (packet.trigger.trigger, packet.trigger.turn) == (Trigger.DURATION, 0)
    assert [each.turn for each in packet.history] == [1]


def test_a_breaker_that_opens_in_the_middle_of_conversations_hands_them_over(
    room: Settings, watch: Watch, tenant: str
) -> None:
    contact = talk(room, watch, tenant, {"escalation": Triggers(breaker_opens=True)})
    contact.tell(contact.turn(1))
    contact.await_one(SESSION_VIEWS, SessionView)
    publish_transition(room, transition(tenant, BreakerState.OPEN, 1))
    packet = contact.handoff()
    assert packet.trigger.trigger is Trigger.BREAKER_OPEN
    assert packet.trigger.detail == "nova, epoch 1"


def test_an_answer_after_the_handoff_is_refused_and_counted(room: Settings, watch: Watch, tenant: str) -> None:
    contact = talk(room, watch, tenant, {"escalation": ASKS})
    contact.tell(contact.turn(1, person_asked=True))
    contact.handoff()
    contact.tell(contact.turn(2), contact.turn(3, result=TurnResult.TIMEOUT), contact.turn(2), contact.ack())
    refused = contact.await_one(ASSIGNMENTS, AnswerRefused)
    assert (refused.turn, refused.epoch, refused.session_epoch, refused.endpoint) == (2, 0, 1, "nova")
    contact.tell(contact.ended(3, FinishedBy.HUMAN))
    contact.await_one(CLOSED)
    watch.to_end()
    assert len(contact.of(ASSIGNMENTS, AnswerRefused)) == 1
    assert contact.of(SESSION_VIEWS, SessionView)[-1].refused == 1


def test_a_packet_that_nobody_acknowledges_is_sent_again_and_is_an_alert_at_last(
    room: Settings, watch: Watch, tenant: str
) -> None:
    policy = {"escalation": ASKS, "transfer": Transfer(ack_seconds=1.0, attempts=3)}
    contact = talk(room, watch, tenant, policy)
    contact.tell(contact.turn(1, person_asked=True))
    alert = contact.await_one(ALERTS, Alert)
    watch.to_end()
    packets = contact.of(HANDOFFS)
    assert [packet.attempt for packet in packets] == [1, 2, 3]
    assert {packet.handoff_id for packet in packets} == {f"{contact.name}/1"}
    assert {packet.epoch for packet in packets} == {1}
    assert "3 times" in alert.detail


def claim(contact: Talk, side: Side, claimant: str, round_: int = 0) -> Claim:
    return Claim(
        interaction_id=contact.name, tenant=contact.tenant, side=side, claimant=claimant, round=round_,
        occurred_at=real_now(),
    )  # fmt: skip


@pytest.mark.parametrize("first", list(Side))
def test_the_first_claim_in_the_log_has_a_contact_of_a_parallel_position_and_the_other_side_is_released_once(
    room: Settings, watch: Watch, tenant: str, first: Side
) -> None:
    contact = talk(room, watch, tenant, {"parallel": Parallel()})
    assert contact.of(ROUTED, Decision)[0].parallel
    claims = [claim(contact, Side.AI, "nova"), claim(contact, Side.PEOPLE, "person-3")]
    claims.sort(key=lambda each: each.side is not first)
    contact.tell(*claims, *claims)
    won = contact.await_one(ASSIGNMENTS, Assignment)
    assert (won.winner, won.claimant) == (first, "nova" if first is Side.AI else "person-3")
    assert won.released is not first
    contact.tell(contact.turn(1), contact.ack())
    if first is Side.AI:
        contact.tell(contact.ended(1))
        assert contact.await_one(CLOSED).handling is Handling.AI_CONTAINED
    else:
        refused = contact.await_one(ASSIGNMENTS, AnswerRefused)
        assert refused.turn == 1
        contact.tell(contact.ended(1, FinishedBy.HUMAN))
        contact.await_one(CLOSED)
    watch.to_end()
    assert len(contact.of(ASSIGNMENTS, Assignment)) == 1
    assert contact.of(HANDOFFS) == []


def test_a_claim_after_which_nobody_speaks_is_void_and_the_race_is_open_again(
    room: Settings, watch: Watch, tenant: str
) -> None:
    contact = talk(room, watch, tenant, {"parallel": Parallel(claim_seconds=3.0)})
    contact.tell(claim(contact, Side.AI, "nova"))
    again = contact.await_one(ASSIGNMENTS, Assignment, reason="claim_expired")
    assert (again.round, again.winner) == (1, None)
    contact.tell(claim(contact, Side.PEOPLE, "person-3", round_=1))
    won = contact.await_one(ASSIGNMENTS, Assignment, winner=Side.PEOPLE)
    assert (won.round, won.released) == (1, Side.AI)


FULL = SupervisionPolicy(phase=Phase.PILOT, sessions_per_supervisor=3)


def on_duty(room: Settings, tenant: str, *names: str, available: bool = True) -> None:
    for name in names:
        presence = SupervisorPresence(tenant=tenant, supervisor=name, available=available, occurred_at=real_now())
        write(room, SUPERVISION_EVENTS, presence)


def verdict(contact: Talk, number: int, kind: VerdictKind, **changes: Any) -> Verdict:
    return Verdict(
        interaction_id=contact.name, tenant=contact.tenant, epoch=0, turn=number, verdict=kind, by="sue",
        occurred_at=real_now(), **changes,
    )  # fmt: skip


def test_in_full_supervision_each_answer_waits_for_a_verdict_and_overrides_are_recorded(
    room: Settings, watch: Watch, tenant: str
) -> None:
    on_duty(room, tenant, "sue")
    contact = talk(room, watch, tenant, {"supervision": FULL})
    assert contact.of(ROUTED, Decision)[0].supervision is Supervision.FULL
    contact.tell(contact.turn(1))
    request = contact.await_one(SUPERVISION_REQUESTS, SupervisionRequest, turn=1)
    assert (request.supervisor, request.customer_text, request.agent_text) == ("sue", "question 1", "answer 1")
    contact.tell(verdict(contact, 1, VerdictKind.APPROVE))
    assert contact.await_one(SUPERVISION_REQUESTS, SupervisionResult, turn=1).verdict is VerdictKind.APPROVE
    contact.tell(contact.turn(2))
    contact.await_one(SUPERVISION_REQUESTS, SupervisionRequest, turn=2)
    contact.tell(verdict(contact, 2, VerdictKind.EDIT, why="too curt", text="a kinder answer"))
    result = contact.await_one(SUPERVISION_REQUESTS, SupervisionResult, turn=2)
    assert (result.verdict, result.text) == (VerdictKind.EDIT, "a kinder answer")
    contact.tell(contact.ended(2))
    assert contact.await_one(CLOSED).handling is Handling.AI_ASSISTED
    watch.to_end()
    (override,) = contact.of(SESSION_VIEWS, SessionView)[-1].overrides
    assert (override.by, override.why, override.turn, override.verdict) == ("sue", "too curt", 2, VerdictKind.EDIT)


def test_without_a_free_supervisor_people_take_the_contact(room: Settings, watch: Watch, tenant: str) -> None:
    contact = talk(room, watch, tenant, {"supervision": FULL})
    contact.tell(contact.turn(1))
    assert contact.handoff().trigger.trigger is Trigger.NO_SUPERVISOR
    watch.to_end()
    assert contact.of(SUPERVISION_REQUESTS) == []


def test_a_supervisor_watches_three_contacts_and_the_fourth_goes_to_people(
    room: Settings, watch: Watch, tenant: str
) -> None:
    on_duty(room, tenant, "sue")
    first = talk(room, watch, tenant, {"supervision": FULL})
    others = [Talk(room, watch, tenant, f"{tenant}-more-{nth}") for nth in range(3)]
    for contact in others:
        contact.begin()
    watch.until("one transfer", lambda: watch.of(HANDOFFS, tenant=tenant))
    watch.until(
        "three watched",
        lambda: len({v.interaction_id for v in watch.of(SESSION_VIEWS, tenant=tenant, supervisor="sue")}) == 3,
    )
    assert [packet.trigger.trigger for packet in watch.of(HANDOFFS, tenant=tenant)] == [Trigger.NO_SUPERVISOR]
    watched = {view.interaction_id for view in watch.of(SESSION_VIEWS, tenant=tenant, supervisor="sue")}
    done = next(contact for contact in (first, *others) if contact.name in watched)
    done.tell(done.ended(0))
    done.await_one(CLOSED)
    after = Talk(room, watch, tenant, f"{tenant}-after")
    after.begin()
    watch.until("the freed place", lambda: after.of(SESSION_VIEWS, SessionView, supervisor="sue"))


def test_in_semi_supervision_only_what_the_policy_names_waits(room: Settings, watch: Watch, tenant: str) -> None:
    semi = SupervisionPolicy(phase=Phase.SCALING, approve=Triggers(amount_over=200.0))
    contact = talk(room, watch, tenant, {"supervision": semi})
    contact.tell(contact.turn(1, amount=20.0), contact.turn(2, amount=950.0))
    request = contact.await_one(SUPERVISION_REQUESTS, SupervisionRequest)
    assert (request.turn, request.supervisor) == (2, None)
    assert [each.trigger for each in request.why] == [Trigger.AMOUNT]
    contact.tell(verdict(contact, 2, VerdictKind.TAKE_OVER, why="a regular customer"))
    packet = contact.handoff()
    assert (packet.trigger.trigger, packet.trigger.detail) == (Trigger.TAKEN_OVER, "sue: a regular customer")
    watch.to_end()
    assert len(contact.of(SUPERVISION_REQUESTS, SupervisionRequest)) == 1


def test_a_contact_that_goes_from_chat_to_voice_keeps_its_history(room: Settings, watch: Watch, tenant: str) -> None:
    contact = talk(room, watch, tenant, {"escalation": ASKS})
    contact.tell(contact.turn(1))
    switched = ChannelSwitched(
        interaction_id=contact.name, tenant=tenant, to=Channel.VOICE, by="acd", occurred_at=real_now()
    )
    contact.tell(switched, contact.turn(2, channel=Channel.VOICE, person_asked=True))
    packet = contact.handoff()
    assert packet.channel is Channel.VOICE
    assert [(each.turn, each.channel) for each in packet.history] == [(1, Channel.CHAT), (2, Channel.VOICE)]
    contact.tell(contact.ack(), contact.ended(2, FinishedBy.HUMAN))
    closed = contact.await_one(CLOSED)
    assert closed.channel is Channel.CHAT  # volumes stay where the contact arrived
    watch.to_end()
    assert contact.of(SESSION_VIEWS, SessionView)[-1].channel is Channel.VOICE


def test_an_agent_hands_over_to_the_agent_of_another_intent_at_most_twice(
    room: Settings, watch: Watch, tenant: str
) -> None:
    contact = talk(room, watch, tenant, {})
    contact.tell(contact.turn(1, intent="router_reset"))
    second = contact.await_one(ROUTED, Decision, session_epoch=1)
    assert (second.endpoint, second.interaction_id) == ("tess", contact.name)
    assert second.reasons[0].code == "handover"
    contact.await_one(ASSIGNMENTS, Moved, to_endpoint="tess")
    tess = {"endpoint": "tess", "version": "3", "epoch": 1}
    contact.tell(contact.turn(2), contact.turn(1, **tess), contact.turn(2, **tess, intent="balance"))
    assert contact.await_one(ASSIGNMENTS, AnswerRefused).epoch == 0
    third = contact.await_one(ROUTED, Decision, session_epoch=2)
    assert third.endpoint == "nova"
    contact.await_one(ASSIGNMENTS, Moved, to_endpoint="nova")
    contact.tell(contact.turn(1, epoch=2, intent="router_reset"))
    packet = contact.handoff()
    assert packet.trigger.trigger is Trigger.HANDOVER_LIMIT
    assert [(each.epoch, each.turn) for each in packet.history] == [(0, 1), (1, 1), (1, 2), (2, 1)]
    contact.tell(contact.ack(epoch=3), contact.ended(5, FinishedBy.HUMAN))
    contact.await_one(CLOSED)
    watch.to_end()
    assert len(contact.of(CLOSED)) == 1
    assert len(contact.of(ROUTED, Decision)) == 3
    assert len(contact.of(HANDOFFS)) == 1


def test_an_intent_that_no_other_agent_has_goes_to_people(room: Settings, watch: Watch, tenant: str) -> None:
    contact = talk(room, watch, tenant, {})
    contact.tell(contact.turn(1, intent="inheritance"))
    packet = contact.handoff()
    assert packet.trigger.trigger is Trigger.NO_AGENT
    assert [each.trigger for each in packet.triggers] == [Trigger.OTHER_INTENT, Trigger.NO_AGENT]


def counted(contact: Talk, topic: Topic, kind: Any) -> list[Any]:
    """What was told of a contact on a topic that has ticks, too."""
    told = [event for event in contact.watch.of(topic) if isinstance(event, kind)]
    return [event for event in told if event.interaction_id == contact.name]


def await_counted(contact: Talk, topic: Topic, kind: type[Any], times: int = 1) -> Any:
    contact.watch.until(f"{kind.__name__} of {contact.name}", lambda: len(counted(contact, topic, kind)) >= times)
    return counted(contact, topic, kind)[-1]


def feedback(contact: Talk, by: GradedBy, **found: Any) -> Feedback:
    return Feedback(interaction_id=contact.name, tenant=contact.tenant, by=by, occurred_at=real_now(), **found)


def test_the_end_of_a_contact_and_what_is_found_of_it_are_told_of_its_agent_once(
    room: Settings, watch: Watch, tenant: str
) -> None:
    contact = talk(room, watch, tenant, {"escalation": ASKS})
    early = feedback(contact, GradedBy.PLATFORM, hallucination=True)
    contact.tell(
        contact.turn(1, agent_text="Which card?", tokens=310, cost=0.02),
        contact.turn(2, agent_text=" which  CARD?"),
        early,
        contact.turn(3, person_asked=True, result=TurnResult.RATE_LIMITED, retry_after_seconds=5.0),
        early,
    )
    contact.handoff()
    contact.tell(contact.ack(), contact.ended(3, FinishedBy.HUMAN))
    ended = await_counted(contact, AGENT_EVENTS, ContactOutcome)
    assert (ended.endpoint, ended.handling, ended.trigger) == ("nova", Handling.AI_ESCALATED, Trigger.PERSON_ASKED)
    late = feedback(contact, GradedBy.CUSTOMER, csat=2)
    contact.tell(late, early, late)
    await_counted(contact, AGENT_EVENTS, Graded, times=2)
    watch.to_end()
    graded = counted(contact, AGENT_EVENTS, Graded)
    assert [(each.by, each.endpoint, each.csat, each.hallucination) for each in graded] == [
        (GradedBy.PLATFORM, "nova", None, True),
        (GradedBy.CUSTOMER, "nova", 2, None),
    ]
    assert len(counted(contact, AGENT_EVENTS, ContactOutcome)) == 1
    outcomes = sorted(counted(contact, AGENT_EVENTS, Outcome), key=lambda each: each.turn)
    assert [each.looping for each in outcomes] == [False, True, False]
    assert (outcomes[0].tokens, outcomes[0].cost, outcomes[2].retry_after_seconds) == (310, 0.02, 5.0)


def held(room: Settings, watch: Watch, like: Talk, name: str, seconds: float) -> Talk:
    """A contact that its decision holds for so long."""
    contact = Talk(room, watch, like.tenant, f"{like.name}-{name}")
    decided = msgspec.structs.replace(
        like.of(ROUTED, Decision)[0], interaction_id=contact.name, decision_id=f"d-{contact.name}",
        pool=Pool.HUMAN_EXCLUSIVE, supervision=None, endpoint=None, endpoint_version=None, provider=None,
        disposition=Disposition.HOLD, hold_until=real_now() + round(seconds * 1_000_000), priority=3,
    )  # fmt: skip
    contact.tell(decided)
    return contact


def test_a_held_contact_moves_once_when_there_is_room_when_its_hold_ends_and_not_when_it_ends_before(
    room: Settings, tenant: str
) -> None:
    with Watch(room, *TOPICS, WFM_EVENTS) as watch:
        like = talk(room, watch, tenant, {})
        lucky, patient, gone = (held(room, watch, like, *each) for each in (("a", 600.0), ("b", 1.5), ("c", 600.0)))
        told = await_counted(lucky, WFM_EVENTS, Held)
        assert (told.queue, told.priority, told.over) == ("retail", 3, False)
        room_for = {"tenant": tenant, "queue": "retail", "reason": "spare", "occurred_at": real_now()}
        release = Released(interaction_id=lucky.name, **room_for)
        lucky.tell(release, release, gone.ended(0, FinishedBy.CUSTOMER), Released(interaction_id=gone.name, **room_for))
        for contact, trigger in ((lucky, Trigger.RELEASED), (patient, Trigger.HOLD_ENDED)):
            moved = contact.await_one(ASSIGNMENTS, Moved)
            assert (moved.trigger.trigger, moved.to_pool, moved.queue) == (trigger, Pool.HUMAN_EXCLUSIVE, "retail")
        gone.await_one(CLOSED)
        watch.to_end()
        assert [[each.over for each in counted(contact, WFM_EVENTS, Held)] for contact in (lucky, patient, gone)] == [
            [False, True]
        ] * 3
        assert [len(contact.of(ASSIGNMENTS, Moved)) for contact in (lucky, patient, gone)] == [1, 1, 0]
        lucky.tell(feedback(lucky, GradedBy.CUSTOMER, csat=3), lucky.ended(0, FinishedBy.HUMAN))
        lucky.await_one(CLOSED)
        assert counted(lucky, AGENT_EVENTS, Graded | ContactOutcome) == []
    shown = trunkline("sessions", "show", lucky.name, "--bootstrap", room.bootstrap, "--prefix", room.prefix).stdout
    whats = [line[28:40].strip() for line in shown.splitlines() if line and not line.startswith(" ")]
    assert sorted(whats) == ["closed", "completed", "feedback", "hold over", "moved"]
    assert whats[:2] == ["hold over", "moved"]
    assert "satisfaction 3 of 5" in shown


def test_the_story_of_a_contact_is_told_in_order_with_nothing_personal_in_it(
    room: Settings, watch: Watch, tenant: str
) -> None:
    contact = talk(room, watch, tenant, {"escalation": ASKS}, classification=sure_of("balance"))
    contact.tell(
        contact.turn(1, customer_text="my card 4111 1111 1111 1111 is blocked"),
        contact.turn(2, customer_text="let me talk to a human, or write to anna@example.com"),
    )
    contact.handoff()
    contact.tell(contact.ack(), contact.ended(2, FinishedBy.HUMAN))
    contact.await_one(CLOSED)
    where = ("--bootstrap", room.bootstrap, "--prefix", room.prefix)
    told = trunkline("sessions", "show", contact.name, *where)
    assert told.returncode == 0, told.stderr
    lines = [line for line in told.stdout.splitlines() if line and not line.startswith(" ")]
    whats = [line[28:40].strip() for line in lines]
    assert whats[:3] == ["decided", "turn 0.1", "turn 0.2"]
    assert {"moved", "transfer", "acknowledged", "completed", "closed"} <= set(whats)
    assert "version 7" in told.stdout
    assert "person_asked" in told.stdout
    assert "4111" not in told.stdout
    assert "anna@example.com" not in told.stdout
    as_json = [
        json.loads(line) for line in trunkline("sessions", "show", contact.name, *where, "--json").stdout.splitlines()
    ]
    assert [each["what"] for each in as_json] == whats
    unknown = trunkline("sessions", "show", "nobody", *where)
    assert unknown.returncode == 1
    assert "nobody" in unknown.stderr
