"""The health suite's simulated agents are what they are said to be, and Trunkline's router obeys its breaker."""

from __future__ import annotations

import collections
import itertools
import math
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from bench.fleet.contacts import (
    CONTAINED,
    FAILED,
    OK,
    SECOND,
    TIMEOUT,
    Flag,
    Happening,
    Kind,
    instant,
)
from bench.fleet.parameters import FILE, Drawn, Fault, draw, scenarios
from bench.fleet.trunkline import PARTITIONS, Trunkline
from runtime.state import KeyedState
from schemas import topics
from schemas.agents import Evidence, Outcome, ProbeRequest, Tick, Transition
from schemas.errors import TrunklineError
from schemas.fields import BreakerState, TurnResult
from schemas.topics import Effect
from tests.fleets import (
    CLOSED,
    DEGRADED,
    DEVIATIONS,
    HALF_OPEN,
    HOUR,
    OPEN,
    arrival,
    call,
    everything,
    fleet,
    hour,
    is_share,
    kind,
    states,
)

# The agents.


def test_a_healthy_agent_has_the_rates_that_were_drawn_for_it() -> None:
    of = fleet()
    seen = hour()
    arrived, calls, ended = (kind(seen, each) for each in (Kind.ARRIVED, Kind.ANSWERED, Kind.ENDED))
    graded = kind(seen, Kind.GRADED)
    assert abs(len(arrived) - 5 * HOUR) <= DEVIATIONS * math.sqrt(5 * HOUR)
    assert is_share(sum(each.code != OK for each in calls), len(calls), of.error_rate)
    assert is_share(sum(each.code != CONTAINED for each in ended), len(ended), of.escalated)
    assert is_share(sum(bool(each.flags & Flag.LOOPING) for each in calls), len(calls), of.looping)
    assert is_share(len(graded), sum(each.at < instant(HOUR) - 600 * SECOND for each in ended), of.qa_share)
    assert is_share(sum(bool(each.flags & Flag.RESOLVED) for each in graded), len(graded), of.resolved)
    assert not any(each.flags & Flag.HARMED for each in arrived)


def test_latency_is_lognormal_about_the_median_of_its_channel() -> None:
    of = fleet(latency_swing=0.0)
    calls = [each for each in hour(latency_swing=0.0) if each.kind == Kind.ANSWERED and each.code == OK]
    for channel, median, sigma in ((0, of.chat_median_ms, of.chat_sigma), (1, of.voice_median_ms, of.voice_sigma)):
        logs = np.log([each.value for each in calls if each.channel == channel])
        assert np.mean(logs) == pytest.approx(math.log(median), abs=DEVIATIONS * sigma / math.sqrt(logs.size))
        assert np.std(logs) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize(
    ("error_rate", "timeout_share"),
    [(1.0, 0.0), (1.0, 1.0), (0.3, 0.2)],
)
def test_a_fault_fails_the_share_of_calls_that_begin_within_it(error_rate: float, timeout_share: float) -> None:
    fault = Fault(edges=(1200.0, 2400.0), error_rate=error_rate, timeout_share=timeout_share)
    calls = kind(hour(fault), Kind.ANSWERED)
    begun = [(each, each.at - instant(0.0) - each.value * 1000.0) for each in calls]
    during = [each for each, at in begun if 1200.0 * SECOND + 1 < at < 2400.0 * SECOND - 1]
    outside = [each for each, at in begun if not 1200.0 * SECOND - 1 <= at <= 2400.0 * SECOND + 1]
    failed = [each for each in during if each.code != OK]
    assert is_share(len(failed), len(during), error_rate)
    assert is_share(sum(each.code == TIMEOUT for each in failed), len(failed), timeout_share)
    assert is_share(sum(each.code != OK for each in outside), len(outside), fleet().error_rate)


def test_silent_wrong_answers_are_seen_in_labels_ten_minutes_later_and_in_nothing_before() -> None:
    fault = Fault(edges=(600.0,), resolved=0.8)
    of = fleet(resolved=0.95)
    seen, well = hour(fault, resolved=0.95), hour(resolved=0.95)
    labels = kind(seen, Kind.GRADED)
    since = [each for each in labels if each.value >= instant(600.0)]
    assert is_share(sum(bool(each.flags & Flag.RESOLVED) for each in since), len(since), 0.8)
    assert min(each.at for each in since) >= instant(600.0 + of.qa_seconds)
    assert kind(seen, Kind.ANSWERED) == kind(well, Kind.ANSWERED)
    assert kind(seen, Kind.ENDED) == kind(well, Kind.ENDED)


def test_contacts_that_are_harmed_are_those_that_came_during_the_fault_and_suffered_by_it() -> None:
    arrived = kind(hour(Fault(edges=(600.0, 1800.0), resolved=0.8), resolved=0.95), Kind.ARRIVED)
    during = [each for each in arrived if instant(600.0) <= each.at < instant(1800.0)]
    assert is_share(sum(each.flags & Flag.HARMED for each in during), len(during), 0.15)
    assert sum(each.flags & Flag.HARMED for each in arrived) == sum(each.flags & Flag.HARMED for each in during)


def test_latency_creeps_up_from_the_beginning_of_the_fault_to_its_most() -> None:
    fault = Fault(edges=(600.0,), slow_per_minute=0.1, slow_most=3.0)
    assert fault.slowness(np.array([0.0, 599.0, 600.0, 1200.0, 1800.0, 3600.0])) == pytest.approx(
        [1.0, 1.0, 1.0, 2.0, 3.0, 3.0]
    )


def test_contacts_that_loop_go_on_for_longer_and_repeat_themselves() -> None:
    fault = Fault(edges=(600.0,), looping_contacts=0.3, loop_turns=(8, 15))
    seen = hour(fault)
    repeats = collections.Counter(each.contact for each in seen if each.flags & Flag.LOOPING and each.number > 1)
    arrived = [each for each in kind(seen, Kind.ARRIVED) if instant(600.0) <= each.at < instant(HOUR - 1200.0)]
    long = [each for each in arrived if repeats[each.contact] >= 5]
    assert is_share(len(long), len(arrived), 0.3)
    assert all(each.flags & Flag.HARMED for each in long)


def test_a_contact_arrives_once_speaks_in_order_and_ends_once_and_time_never_goes_back() -> None:
    #  arrived  1  2  3 ... ended  (label, survey)
    seen = hour(Fault(edges=(600.0, 700.0, 900.0), error_rate=1.0, timeout_share=0.5))
    assert [each.at for each in seen] == sorted(each.at for each in seen)
    stories: dict[int, list[Happening]] = collections.defaultdict(list)
    for each in seen:
        if each.kind != Kind.TICK:
            stories[each.contact].append(each)
    assert [each.contact for each in kind(seen, Kind.ARRIVED)] == list(range(len(stories)))
    patience = fleet().failures_until_person
    for story in stories.values():
        calls = [each for each in story if each.kind == Kind.ANSWERED]
        assert [each.number for each in calls] == list(range(1, len(calls) + 1))
        assert story[0].kind == Kind.ARRIVED
        ended = [each for each in story if each.kind == Kind.ENDED]
        assert len(ended) <= 1
        for each in ended:
            assert each.number == len(calls)
            last = [call.code != OK for call in calls[-patience:]]
            assert (each.code == FAILED) == (all(last) and len(last) == patience)


def test_there_is_a_tick_in_every_second() -> None:
    ticks = [each.at for each in hour() if each.kind == Kind.TICK]
    assert len(ticks) == HOUR
    assert {later - earlier for earlier, later in itertools.pairwise(ticks)} == {SECOND}


def test_a_seed_gives_the_same_run_again_and_another_seed_another() -> None:
    first, again, other = (everything(Drawn("test", seed, fleet(), None, 600.0)) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert draw("flapping", 7) == draw("flapping", 7)
    assert draw("flapping", 7).fault != draw("flapping", 8).fault


def test_the_cut_into_chunks_loses_nothing_and_doubles_nothing() -> None:
    of = Drawn("test", 1, fleet(), None, 3 * HOUR)
    seen = everything(of)
    keys = [(each.contact, each.kind, each.number) for each in seen if each.kind not in (Kind.TICK, Kind.SURVEYED)]
    assert len(keys) == len(set(keys))
    ended = {each.contact for each in kind(seen, Kind.ENDED)}
    early = {each.contact for each in kind(seen, Kind.ARRIVED) if each.at < instant(2 * HOUR)}
    assert early <= ended


@pytest.mark.parametrize("scenario", scenarios())
def test_what_is_drawn_is_within_the_ranges_of_the_file(scenario: str) -> None:
    read = YAML(typ="safe").load(FILE.read_text())
    own = read["scenarios"][scenario].get("fleet", {})
    for seed in range(20):
        drawn = draw(scenario, seed)
        for name, entry in read["fleet"].items():
            bounds = own.get(name, entry["value"])
            low, high = bounds if isinstance(bounds, list) else (bounds, bounds)
            value = len(drawn.fleet.shares) if name == "intents" else getattr(drawn.fleet, name)
            assert low <= value <= high, name


def test_each_parameter_of_the_file_says_why() -> None:
    read = YAML(typ="safe").load(FILE.read_text())
    for group in (read["fleet"], read["patience"], *read["faults"].values()):
        for name, entry in group.items():
            assert set(entry) == {"value", "why"}, name


def test_a_scenario_that_is_not_in_the_file_is_named_with_those_that_are() -> None:
    with pytest.raises(TrunklineError, match=r"'brown_out' is no scenario: choose one of hard_outage_5, "):
        draw("brown_out", 0)


# Trunkline's rule: the router that obeys.


class Script:
    """A monitor that says what it is told to say, at the next step; `heard` is what it was asked."""

    def __init__(self) -> None:
        self.says: list[Effect] = []
        self.heard: list[Any] = []

    def step(self, event: Any, state: KeyedState, snapshot: Any, now: int) -> list[Effect]:
        said, self.says = self.says, []
        self.heard.append(event)
        return said


EVIDENCE = Evidence(
    window_seconds=60.0, outcomes=0, failures=0, consecutive_failures=0, failure_rate=0.0, posterior_mean=0.1,
    latency_mean_ms=0.0, latency_baseline_ms=0.0,
)  # fmt: skip


def answers(now: int) -> tuple[TurnResult, float]:
    return TurnResult.OK, 1500.0


def standing(to: BreakerState, at: float = 0.0, epoch: int = 1, **fields: Any) -> tuple[Trunkline, Script]:
    """A rule whose breaker has gone to a state."""
    script = Script()
    rule = Trunkline(fleet(), answers, script)
    moved = Transition(
        tenant="acme", provider="north", endpoint="ada", from_state=CLOSED, to_state=to, epoch=epoch, reason="quality",
        evidence=EVIDENCE, occurred_at=instant(at), **fields,
    )  # fmt: skip
    script.says = [Effect(topics.TRANSITIONS, moved), Effect(topics.BREAKER_STATE, moved)]
    rule.tick(instant(at))
    return rule, script


def test_the_router_lets_everything_in_under_epoch_nought_before_any_transition() -> None:
    assert Trunkline(fleet(), answers, Script()).admit(arrival(0.0)) == 0


@pytest.mark.parametrize(("to", "epoch"), [(OPEN, None), (BreakerState.FORCED_OPEN, None), (DEGRADED, 1), (CLOSED, 1)])
def test_the_router_lets_in_what_the_state_allows(to: BreakerState, epoch: int | None) -> None:
    rule, _ = standing(to)
    assert rule.admit(arrival(1.0)) == epoch
    assert states(rule) == [to]


def test_in_half_open_the_router_spends_each_partitions_permits_until_they_expire() -> None:
    rule, _ = standing(HALF_OPEN, probe_permits=(2, 1, 0, 0), probes_expire_at=instant(60.0))
    partitions = [contact % PARTITIONS for contact in range(12) if rule.admit(arrival(1.0, contact)) == 1]
    assert partitions == [0, 1, 0]
    late, _ = standing(HALF_OPEN, probe_permits=(2, 1, 0, 0), probes_expire_at=instant(60.0))
    assert late.admit(arrival(60.0)) is None


@pytest.mark.parametrize(
    ("to", "only", "supervised"), [(DEGRADED, False, True), (DEGRADED, True, False), (CLOSED, False, False)]
)
def test_a_person_watches_what_comes_in_while_all_of_the_agent_is_degraded(
    to: BreakerState, only: bool, supervised: bool
) -> None:
    rule, _ = standing(to, intents_only=only)
    assert rule.supervised is supervised


def test_shed_intents_do_not_come_in_and_others_do() -> None:
    rule, _ = standing(DEGRADED, shed_intents=("intent-1",), intents_only=True)
    assert [rule.admit(arrival(1.0, intent=intent)) for intent in (0, 1, 2)] == [1, None, 1]


def test_a_cap_is_on_contacts_at_once() -> None:
    rule, _ = standing(DEGRADED, most_at_once=2)
    assert [rule.admit(arrival(1.0, contact)) for contact in range(3)] == [1, 1, None]
    rule.hear(call(2.0, False, 0)._replace(kind=Kind.ENDED), 1)
    assert rule.admit(arrival(3.0, 3)) == 1


@pytest.mark.parametrize(("after", "share"), [(0.0, 0.2), (30.0, 0.6), (60.0, 1.0), (600.0, 1.0)])
def test_after_recovery_the_router_lets_in_a_share_that_grows(after: float, share: float) -> None:
    rule, _ = standing(CLOSED, ramp_seconds=60.0, ramp_from=0.2)
    let_in = sum(rule.admit(arrival(after, contact)) is not None for contact in range(2000))
    assert is_share(let_in, 2000, share)


def test_a_synthetic_probe_is_answered_once_the_call_has_ended() -> None:
    rule, script = standing(HALF_OPEN, probe_permits=(0, 0, 0, 0), probes_expire_at=instant(60.0))
    request = ProbeRequest(
        tenant="acme", provider="north", endpoint="ada", version="1", probe_id="p-1", breaker_epoch=1,
        expires_at=instant(60.0), occurred_at=instant(1.0),
    )  # fmt: skip
    script.says = [Effect(topics.PROBES, request)]
    for second in (1.0, 2.0, 3.0):
        rule.tick(instant(second))
    assert [type(each) for each in script.heard[1:]] == [Tick, Tick, Outcome, Tick]
    outcome = script.heard[3]
    assert (outcome.synthetic, outcome.interaction_id, outcome.breaker_epoch) == (True, "p-1", 1)
    assert outcome.occurred_at == instant(2.5)
