"""The simulator on a real broker, with a router of the test's own that reads and writes the topics."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import date
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from runtime.errors import SettingsError
from runtime.kafka import Reader, Writer
from runtime.settings import Settings
from schemas.agents import ProbeRequest
from schemas.codec import Codec
from schemas.control import Fault, FaultKind
from schemas.conversations import HandoffAck
from schemas.errors import DecodeError
from schemas.fields import Disposition, FinishedBy, GradedBy, Pool, Supervision, TurnResult
from schemas.interactions import Completed, Feedback, Instructions, Offered, Turn
from schemas.rules import SupervisionPolicy, Triggers
from schemas.supervision import SupervisorPresence, Verdict
from schemas.topics import (
    AGENT_EVENTS,
    ASSIGNMENTS,
    CLOCK,
    FAULTS,
    HANDOFFS,
    INTERACTION_EVENTS,
    OFFERED,
    POLICY,
    PROBES,
    ROUTED,
    SUPERVISION_EVENTS,
    SUPERVISION_REQUESTS,
    Effect,
    Topic,
)
from simulator.app import Simulation, order_fault
from simulator.arrivals import midnight
from simulator.cli import simulate
from simulator.options import Options, parse_fault
from simulator.policies import demo_policy
from simulator.report import Progress, Summary
from tests.centre import SECOND, decision
from tests.said import packet, probe, refused, released, request, result
from tests.support.topics import events, read_now, read_until, write_all

QUICK: dict[str, Any] = {"pace": 0.002, "rate_per_second": 200.0, "report_seconds": 0.1, "drain_seconds": 30.0}


@contextmanager
def answering(settings: Settings, topic: Topic, answer: Callable[[Any], list[Effect]]) -> Iterator[None]:
    """Answer every event of a topic while the block runs."""
    stop = threading.Event()
    reader, writer, codec = Reader(settings, [topic.name], start="beginning"), Writer(settings, "test"), Codec()

    def run_on() -> None:
        while not stop.is_set():
            for record in reader.read(1000, 0.05):
                with suppress(DecodeError):
                    for effect in answer(codec.decode(record.value, topic.types)):
                        writer.write(effect)
            writer.poll()

    thread = threading.Thread(target=run_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        reader.close()
        writer.close()


def routing(settings: Settings, **changes: Any) -> AbstractContextManager[None]:
    """Decide every offer for support-bot while the block runs."""
    seen: set[str] = set()

    def route(offered: Any) -> list[Effect]:
        if not isinstance(offered, Offered) or offered.interaction_id in seen:
            return []
        seen.add(offered.interaction_id)
        return [Effect(ROUTED, decision(offered.interaction_id, **changes))]

    return answering(settings, OFFERED, route)


def run(settings: Settings, seen: list[Progress] | None = None, **options: Any) -> Summary:
    report = (seen if seen is not None else []).append
    return Simulation(settings, Options(**{**QUICK, **options}), threading.Event(), report).run()


def test_a_run_closes_every_contact_and_writes_repeats_and_malformed_records_beside(settings: Settings) -> None:
    seen: list[Progress] = []
    with routing(settings):
        summary = run(settings, seen, contacts=300, offer_twice=0.1, malformed=0.1)
    assert (summary.offered, summary.decided, summary.open, summary.complete) == (300, 300, 0, True)
    assert summary.missing == ""
    assert sum(summary.completed.values()) == 300
    assert summary.repeats > 10
    assert sum(summary.malformed.values()) > 10
    assert seen[-1].completed == 300

    offers = read_now(settings, [OFFERED.name])
    assert len(offers) == summary.offered + summary.repeats + sum(summary.malformed.values())
    told = events(read_now(settings, [INTERACTION_EVENTS.name]), INTERACTION_EVENTS)
    ends = Counter(event.interaction_id for event in told if isinstance(event, Completed))
    assert len(ends) == 300
    assert set(ends.values()) == {1}
    assert sum(isinstance(event, Turn) for event in told) == summary.turns
    (policy,) = events(read_now(settings, [POLICY.name]), POLICY)
    assert policy == demo_policy(summary.started_at, pace=0.002)
    assert read_now(settings, [CLOCK.name]) == []


def test_a_day_runs_in_its_own_time_and_the_next_run_sets_the_clock_back(settings: Settings) -> None:
    day = date(1999, 3, 1)
    with routing(settings):
        summary = run(settings, contacts=50, day=day, speed=600.0, rate_per_second=0.5)
        assert summary.complete
        assert summary.started_at == midnight(day)
        offered = events(read_now(settings, [OFFERED.name]), OFFERED)
        assert all(midnight(day) <= event.occurred_at < midnight(day) + 600_000_000 for event in offered)
        before = time.time_ns() // 1000
        assert run(settings, contacts=5, seed=2).started_at > before
    played, real = events(read_now(settings, [CLOCK.name]), CLOCK)
    assert (played.origin, played.speed) == (midnight(day), 600.0)
    assert (real.origin, real.speed) == (real.real_origin, 1.0)


def test_a_fault_ordered_while_it_runs_takes_effect_and_an_older_order_does_not(settings: Settings) -> None:
    write_all(settings, [Effect(POLICY, demo_policy(1)), Effect(FAULTS, old_order())])
    stop, healthy = threading.Event(), threading.Event()

    def report(progress: Progress) -> None:
        if progress.completed > 50:
            healthy.set()

    options = Options(**QUICK)
    results: list[Summary] = []
    with routing(settings):
        simulation = Simulation(settings, options, stop, report)
        thread = threading.Thread(target=lambda: results.append(simulation.run()))
        thread.start()
        try:
            assert healthy.wait(30)
            order = order_fault(settings, "support-bot", FaultKind.OUTAGE)
            read_until(settings, [INTERACTION_EVENTS.name], lambda records: failed(records) > 20)
        finally:
            stop.set()
            thread.join()
    (applied,) = results[0].faults
    assert (applied.endpoint, applied.kind) == ("support-bot", "outage")
    assert applied.at >= order.occurred_at
    assert results[0].stopped
    assert not results[0].complete


def old_order() -> Fault:
    return Fault(endpoint="support-bot", kind=FaultKind.OUTAGE, occurred_at=1)


def failed(records: list[Any]) -> int:
    told = events(records, INTERACTION_EVENTS)
    return sum(isinstance(event, Turn) and event.result is TurnResult.SERVER_ERROR for event in told)


def test_without_a_router_the_drain_ends_and_says_what_is_missing(settings: Settings) -> None:
    summary = run(settings, contacts=10, drain_seconds=0.5)
    assert (summary.offered, summary.decided, summary.open, summary.complete) == (10, 0, 10, False)
    assert "10 contacts have no decision" in summary.missing


def test_an_endpoint_that_no_policy_names_is_refused_and_nothing_is_written(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="no policy has an endpoint 'x-bot'"):
        order_fault(settings, "x-bot", FaultKind.OUTAGE)
    shown = CliRunner().invoke(
        simulate, ["--bootstrap", settings.bootstrap, "--prefix", settings.prefix, "--fault", "x-bot:outage@1+2"]
    )
    assert isinstance(shown.exception, SettingsError)
    assert read_now(settings, [POLICY.name, OFFERED.name, FAULTS.name]) == []


def test_people_finish_what_ai_could_not_in_a_planned_outage(settings: Settings) -> None:
    with routing(settings):
        summary = run(settings, contacts=50, faults=(parse_fault("support-bot:outage@0+600"),), people_per_queue=100)
    assert summary.completed == {FinishedBy.HUMAN: 50}
    assert summary.turns == 50
    assert summary.faults[0].real_at == summary.started_at


def test_what_sessions_say_of_contacts_reaches_the_agents_and_each_packet_is_acknowledged(settings: Settings) -> None:
    def sessions(told: Any) -> list[Effect]:
        if not (isinstance(told, Turn) and told.person_asked):
            return []
        packets = [packet(told.interaction_id, queue="care", attempt=attempt) for attempt in (1, 2)]
        told_late = Effect(ASSIGNMENTS, refused(told.interaction_id, 0))
        return [*(Effect(HANDOFFS, each) for each in packets), told_late]

    asks = Instructions(escalate=Triggers(person_asked=True))
    with routing(settings, instructions=asks), answering(settings, INTERACTION_EVENTS, sessions):
        summary = run(settings, contacts=300, people_per_queue=0, people={"care": 300})
    assert summary.complete
    told = events(read_now(settings, [INTERACTION_EVENTS.name]), INTERACTION_EVENTS)
    asked = {event.interaction_id for event in told if isinstance(event, Turn) and event.person_asked}
    assert {event.interaction_id for event in told if isinstance(event, HandoffAck)} == asked
    by = {event.interaction_id: event.finished_by for event in told if isinstance(event, Completed)}
    assert {by[name] for name in asked} == {FinishedBy.HUMAN}
    assert (summary.transfers, summary.acknowledged) == (len(asked), 2 * len(asked))
    assert summary.refused == len(asked) > 0


def test_probes_are_made_of_this_tenants_agents_and_what_they_show_goes_to_the_health_monitor(
    settings: Settings,
) -> None:
    write_all(settings, [Effect(POLICY, demo_policy(1))])
    wanted: list[ProbeRequest] = []

    def asking(told: Any) -> list[Effect]:
        """Health, which asks for a probe of another tenant's agent and of ours with each turn."""
        if not isinstance(told, Turn):
            return []
        until = told.occurred_at + 20 * SECOND
        ours = probe(len(wanted), expires_at=until)
        wanted.append(ours)
        return [Effect(PROBES, msgspec.structs.replace(ours, tenant="another")), Effect(PROBES, ours)]

    with routing(settings), answering(settings, INTERACTION_EVENTS, asking):
        summary = run(settings, contacts=200, people_per_queue=100, faults=(parse_fault("support-bot:outage@0+600"),))
    assert summary.complete
    told = events(read_now(settings, [AGENT_EVENTS.name]), AGENT_EVENTS)
    assert summary.probes == len(told) > 20
    assert {each.interaction_id for each in told} <= {request.probe_id for request in wanted}
    assert {(each.tenant, each.synthetic, each.breaker_epoch) for each in told} == {("demo", True, 7)}
    assert {each.result for each in told} == {TurnResult.SERVER_ERROR}


def test_held_contacts_go_on_when_sessions_say_so_and_others_are_called_back_or_deflected(settings: Settings) -> None:
    number = itertools.count()
    people = {"pool": Pool.HUMAN_EXCLUSIVE, "endpoint": None, "notice": "All lines are busy"}

    def spill(offered: Any) -> list[Effect]:
        if not isinstance(offered, Offered):
            return []
        name, until = offered.interaction_id, offered.occurred_at + 600 * SECOND
        kind = (Disposition.HOLD, Disposition.CALLBACK, Disposition.DEFLECT)[next(number) % 3]
        word = decision(name, disposition=kind, hold_until=until if kind is Disposition.HOLD else None, **people)
        return [Effect(ROUTED, word), *([Effect(ASSIGNMENTS, released(name))] if kind is Disposition.HOLD else [])]

    with answering(settings, OFFERED, spill):
        summary = run(settings, contacts=90, people_per_queue=5, pace=0.01, callback_seconds=9000.0)
    assert summary.complete
    spilled = summary.spill
    assert (spilled.held, spilled.callbacks, spilled.deflected, spilled.notices) == (30, 30, 30, 90)
    assert spilled.released > 0
    assert spilled.called_back == 30
    ends = events(read_now(settings, [INTERACTION_EVENTS.name]), INTERACTION_EVENTS)
    assert Counter(end.interaction_id for end in ends) == Counter(
        {f"{summary.run_id}-{n:06d}": 1 for n in range(1, 91)}
    )
    assert summary.completed[FinishedBy.SELF_SERVICE] == 30
    assert any(line.startswith("held 30") for line in summary.lines())


def test_qa_and_customers_grade_what_ai_had(settings: Settings) -> None:
    with routing(settings):
        summary = run(settings, contacts=300, people_per_queue=100, qa_share=0.5, qa_after_seconds=0.1, rated_share=0.5)
    assert summary.complete
    told = events(read_now(settings, [INTERACTION_EVENTS.name]), INTERACTION_EVENTS)
    by = Counter(event.by for event in told if isinstance(event, Feedback))
    grading = summary.grading
    assert (by[GradedBy.QA], by[GradedBy.CUSTOMER]) == (grading.labels, grading.ratings)
    assert grading.labels > 80 < grading.ratings
    assert summary.as_json()["grading"]["labels_due"] == grading.labels_due


def test_supervisors_come_judge_and_go(settings: Settings) -> None:
    policy = msgspec.structs.replace(demo_policy(1), supervision=SupervisionPolicy(sessions_per_supervisor=3))
    write_all(settings, [Effect(POLICY, policy)])

    def sessions(told: Any) -> list[Effect]:
        if isinstance(told, Turn) and told.result is TurnResult.OK:
            return [Effect(SUPERVISION_REQUESTS, request(told.interaction_id, told.epoch, told.number))]
        if isinstance(told, Verdict):
            passed = result(told.interaction_id, told.epoch, told.turn, told.verdict)
            return [Effect(SUPERVISION_REQUESTS, passed)]
        return []

    watched = {"pool": Pool.AI_ASSISTED, "supervision": Supervision.FULL}
    with routing(settings, **watched), answering(settings, INTERACTION_EVENTS, sessions):
        summary = run(settings, contacts=20, supervisors=3)
    assert summary.complete
    assert summary.verdicts > 30
    there = events(read_now(settings, [SUPERVISION_EVENTS.name]), SUPERVISION_EVENTS)
    assert all(isinstance(event, SupervisorPresence) for event in there)
    assert [event.available for event in there] == [True] * 3 + [False] * 3
