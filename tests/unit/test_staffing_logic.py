"""From outage to people. Time runs left to right: h human contacts, O open, H half-open, C closed."""

import msgspec
import pytest

from processors.staffing.logic.erlang import agents_required, scheduled
from runtime.snapshot import Snapshot
from schemas import topics
from schemas.agents import Tick
from schemas.errors import RecordError
from schemas.fields import BreakerState, Handling, Pool
from schemas.topics import Effect
from tests.staffing_bench import (
    MINUTE,
    POLICY,
    SECOND,
    START,
    Bench,
    carried,
    closing,
    delta,
    human_contacts,
    impact,
)

OPEN, HALF_OPEN, CLOSED = BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED
DEGRADED, FORCED_OPEN = BreakerState.DEGRADED, BreakerState.FORCED_OPEN
OUTAGE = START + 5 * MINUTE
"""The rate window's end: a minute holds 12 contacts on the bench that `busy` returns."""


def busy(snapshot=None):
    """A tenant that has had 12 human contacts a minute in billing for 5 minutes."""
    bench = Bench() if snapshot is None else Bench(snapshot)
    bench.feed(*human_contacts(60, START, OUTAGE))
    return bench


def out(at=OUTAGE, epoch=1, state=OPEN, rate=10.0, **changes):
    return impact(at, state, epoch, carried("billing", rate), **changes)


def other(at, state, epoch, *displaced):
    return impact(at, state, epoch, *displaced, endpoint="two")


def rates(requirement):
    return (
        round(requirement.human_contacts_per_minute_before, 3),
        round(requirement.human_contacts_per_minute_after, 3),
    )


def test_an_outage_from_open_to_closed_raises_the_requirement_and_takes_it_back():
    #  h h h h h |O ------ |H --- |C
    bench = busy()
    opened = bench.told(out(), now=OUTAGE + SECOND).staffing["billing"]
    probing = bench.told(out(OUTAGE + 30 * SECOND, 2, HALF_OPEN)).staffing["billing"]
    closed = bench.told(out(OUTAGE + 45 * SECOND, 3, CLOSED)).staffing["billing"]
    before = opened.human_contacts_per_minute_before
    assert before == pytest.approx(12, rel=0.05)
    assert [rates(r)[1] - rates(r)[0] for r in (opened, probing, closed)] == [10, 10, 0]
    assert {r.human_contacts_per_minute_before for r in (opened, probing, closed)} == {before}
    assert [r.since for r in (opened, probing, closed)] == [OUTAGE, OUTAGE, None]
    assert [r.cause_at for r in (opened, probing, closed)] == [OUTAGE, OUTAGE + 30 * SECOND, OUTAGE + 45 * SECOND]
    assert [r.cause_state for r in (opened, probing, closed)] == [OPEN, HALF_OPEN, CLOSED]
    assert [r.cause_epoch for r in (opened, probing, closed)] == [1, 2, 3]
    assert [r.revision for r in (opened, probing, closed)] == [1, 2, 3]
    assert opened.agents_required_after > opened.agents_required_before > 0
    assert closed.agents_required_after == closed.agents_required_before == opened.agents_required_before
    assert opened.occurred_at == OUTAGE + SECOND


def test_the_agents_are_those_of_erlang_c_with_the_queues_targets():
    policy = msgspec.structs.replace(
        POLICY,
        queues=(
            msgspec.structs.replace(
                POLICY.queues[0],
                aht_seconds=180.0,
                service_level_target=0.9,
                service_level_seconds=15.0,
                max_occupancy=0.8,
                shrinkage=0.4,
            ),
        ),
    )
    told = busy(Snapshot().with_record(topics.POLICY, "acme", policy, 0)).told(out()).staffing["billing"]
    before = agents_required(told.human_contacts_per_minute_before, 180.0, 0.9, 15.0, 0.8)
    after = agents_required(told.human_contacts_per_minute_after, 180.0, 0.9, 15.0, 0.8)
    assert (told.agents_required_before, told.agents_required_after) == (before.agents, after.agents)
    assert (told.service_level_after, told.occupancy_after) == (after.service_level, after.occupancy)
    assert told.agents_scheduled_after == scheduled(after.agents, 0.4)
    assert (told.aht_seconds, told.service_level_target, told.service_level_seconds) == (180.0, 0.9, 15.0)


def test_a_tenant_without_a_policy_gets_the_default_targets():
    told = busy(Snapshot()).told(out()).staffing["billing"]
    assert (told.aht_seconds, told.service_level_target, told.service_level_seconds) == (300.0, 0.8, 20.0)
    assert told.agents_scheduled_after == scheduled(told.agents_required_after, 0.30)


def test_the_handle_time_is_the_one_observed():
    bench = busy()
    bench.feed(*[closing(OUTAGE, Handling.HUMAN_ONLY, talk_seconds=500.0, wrap_seconds=100.0) for _ in range(20)])
    assert bench.told(out()).staffing["billing"].aht_seconds == pytest.approx(450.0)  # (20 x 300 + 20 x 600) / 40


def test_the_signals_carry_the_loss_its_cause_and_the_expected_duration():
    told = busy().told(out(expected_seconds_p50=90.0, expected_seconds_p90=400.0, duration_samples=7))
    signal, requirement = told.capacity["billing"], told.staffing["billing"]
    assert (signal.ai_contacts_per_minute_lost, signal.endpoints_out) == (10.0, ("one",))
    for each in (signal, requirement):
        assert (each.tenant, each.cause_endpoint, each.cause_state, each.cause_epoch) == ("acme", "one", OPEN, 1)
        assert (each.expected_seconds_p50, each.expected_seconds_p90, each.duration_samples) == (90.0, 400.0, 7)


def test_each_queue_that_the_endpoint_served_is_told_and_no_other():
    bench = Bench()
    told = bench.told(
        impact(
            OUTAGE,
            OPEN,
            1,
            carried("sales", 4.0, intent="upgrade"),
            carried("billing", 2.0, intent="refund"),
            carried("billing", 3.0, intent="balance"),
        )
    )
    assert {queue: s.ai_contacts_per_minute_lost for queue, s in told.capacity.items()} == {
        "billing": 5.0,
        "sales": 4.0,
    }
    assert told.staffing.keys() == {"billing", "sales"}


def test_displaced_contacts_that_arrive_during_the_outage_are_not_counted_twice():
    #  12 a minute |O  22 a minute ... |still open: HALF_OPEN, OPEN, HALF_OPEN
    bench = busy()
    opened = bench.told(out()).staffing["billing"]
    bench.feed(*human_contacts(110, OUTAGE, OUTAGE + 5 * MINUTE))
    for epoch, state in enumerate((HALF_OPEN, OPEN, HALF_OPEN), 2):
        again = bench.told(out(OUTAGE + 5 * MINUTE, epoch, state)).staffing["billing"]
        assert rates(again) == rates(opened)
        assert again.since == OUTAGE


def test_a_breaker_that_flaps_does_not_raise_the_load_before():
    #  12 a minute |O 22 a minute |C |O again, while the window still holds displaced contacts
    bench = busy()
    opened = bench.told(out()).staffing["billing"]
    bench.feed(*human_contacts(44, OUTAGE, OUTAGE + 2 * MINUTE))
    bench.feed(out(OUTAGE + 2 * MINUTE, 2, CLOSED))
    again = bench.told(out(OUTAGE + 3 * MINUTE, 3, OPEN)).staffing["billing"]
    assert rates(again) == rates(opened)
    assert again.since == OUTAGE + 3 * MINUTE


def test_a_later_outage_starts_from_the_load_of_its_own_time():
    #  12 a minute |O |C    30 a minute for 6 minutes |O
    bench = busy()
    bench.feed(out(), out(OUTAGE + MINUTE, 2, CLOSED))
    later = OUTAGE + 7 * MINUTE
    bench.feed(*human_contacts(180, OUTAGE + MINUTE, later))
    again = bench.told(out(later, 3, OPEN)).staffing["billing"]
    assert again.human_contacts_per_minute_before == pytest.approx(30, rel=0.05)


def test_the_rate_is_that_of_event_time_however_late_the_log_is_read():
    prompt, late = busy(), Bench()
    late.feed(*human_contacts(60, START, OUTAGE), now=OUTAGE + 60 * MINUTE)
    on_time = prompt.told(out()).staffing["billing"]
    replayed = late.told(out(), now=OUTAGE + 60 * MINUTE).staffing["billing"]
    assert rates(on_time) == rates(replayed)


def test_contacts_of_ai_count_for_how_long_a_tenant_was_observed():
    # The first human contact comes after 4 minutes of AI contacts: one in 4 minutes, not one in 10 s.
    bench = Bench()
    bench.feed(delta(START, pool=Pool.AI_CONTAINED), delta(START + 4 * MINUTE))
    told = bench.told(out(START + 4 * MINUTE)).staffing["billing"]
    assert told.human_contacts_per_minute_before == pytest.approx(0.25)


def test_a_second_impact_of_the_same_epoch_changes_nothing():
    bench = busy()
    bench.feed(out())
    stored = dict(bench.state.entries)
    assert bench.feed(out(), out(rate=99.0)) == []
    assert bench.state.entries == stored


def test_an_impact_of_an_older_epoch_is_ignored():
    bench = busy()
    bench.feed(out(epoch=5))
    stored = dict(bench.state.entries)
    assert bench.feed(out(OUTAGE + SECOND, 4, CLOSED)) == []
    assert bench.state.entries == stored


def test_what_was_carried_at_the_outage_stands_when_probes_carry_less():
    bench = busy()
    bench.feed(out(rate=10.0))
    assert (
        bench.told(out(OUTAGE + MINUTE, 2, HALF_OPEN, rate=0.1)).capacity["billing"].ai_contacts_per_minute_lost == 10
    )
    assert bench.told(out(OUTAGE + MINUTE, 3, OPEN, rate=0.0)).capacity["billing"].ai_contacts_per_minute_lost == 10


@pytest.mark.parametrize("state", [DEGRADED, CLOSED])
def test_an_endpoint_that_still_takes_traffic_says_nothing(state):
    bench = busy()
    assert bench.feed(out(state=state)) == []
    assert bench.feed(out(epoch=2, state=DEGRADED)) == []


@pytest.mark.parametrize("state", [OPEN, FORCED_OPEN, HALF_OPEN])
def test_an_endpoint_takes_no_traffic_in_each_open_state(state):
    assert busy().told(out(state=state)).capacity["billing"].ai_contacts_per_minute_lost == 10


def test_an_endpoint_that_comes_back_degraded_takes_traffic_again():
    bench = busy()
    bench.feed(out())
    told = bench.told(out(OUTAGE + MINUTE, 2, DEGRADED))
    assert told.capacity["billing"].ai_contacts_per_minute_lost == 0
    assert told.staffing["billing"].since is None
    assert bench.feed(out(OUTAGE + 2 * MINUTE, 3, CLOSED)) == []


def test_an_alternative_that_still_works_takes_the_contacts():
    told = busy().told(impact(OUTAGE, OPEN, 1, carried("billing", 10.0, "two")))
    assert (told.capacity["billing"].ai_contacts_per_minute_lost, told.capacity["billing"].endpoints_out) == (
        0,
        ("one",),
    )
    requirement = told.staffing["billing"]
    assert requirement.human_contacts_per_minute_after == requirement.human_contacts_per_minute_before
    assert requirement.since is None


def test_two_endpoints_that_cover_each_other_lose_what_each_carried_once_both_are_out():
    #  one: |O ............ |C
    #  two:      |O ............. |C
    bench = busy()
    one, two = carried("billing", 10.0, "two"), carried("billing", 7.0, "one")
    steps = [
        impact(OUTAGE, OPEN, 1, one),
        other(OUTAGE + MINUTE, OPEN, 1, two),
        impact(OUTAGE + 2 * MINUTE, CLOSED, 2, one),
        other(OUTAGE + 3 * MINUTE, CLOSED, 2, two),
    ]
    told = [bench.told(event) for event in steps]
    assert [t.capacity["billing"].ai_contacts_per_minute_lost for t in told] == [0, 17, 0, 0]
    assert [t.capacity["billing"].endpoints_out for t in told] == [("one",), ("one", "two"), ("two",), ()]
    assert [t.staffing["billing"].since for t in told] == [None, OUTAGE + MINUTE, None, None]
    assert [t.capacity["billing"].revision for t in told] == [1, 2, 3, 4]


def test_a_queue_whose_cover_goes_is_told_though_that_endpoint_carried_none_of_it():
    #  one (billing, covered by two) |O     two (sales only) |O ... |C
    bench = busy()
    bench.feed(impact(OUTAGE, OPEN, 1, carried("billing", 10.0, "two")))
    gone = bench.told(other(OUTAGE + MINUTE, OPEN, 1, carried("sales", 3.0, intent="upgrade")))
    assert {queue: s.ai_contacts_per_minute_lost for queue, s in gone.capacity.items()} == {
        "billing": 10.0,
        "sales": 3.0,
    }
    assert gone.staffing["billing"].cause_endpoint == "two"
    back = bench.told(other(OUTAGE + 2 * MINUTE, CLOSED, 2))
    assert {queue: s.ai_contacts_per_minute_lost for queue, s in back.capacity.items()} == {
        "billing": 0.0,
        "sales": 0.0,
    }
    assert back.capacity["billing"].endpoints_out == ("one",)


def test_the_loss_of_a_queue_outlasts_the_first_of_two_outages():
    #  one: |O ....... |C        since stays with the first loss until nothing is lost
    #  two:     |O ......... |C
    bench = busy()
    told = [
        bench.told(event).staffing["billing"]
        for event in (
            impact(OUTAGE, OPEN, 1, carried("billing", 10.0)),
            other(OUTAGE + MINUTE, OPEN, 1, carried("billing", 4.0)),
            impact(OUTAGE + 2 * MINUTE, CLOSED, 2),
            other(OUTAGE + 3 * MINUTE, CLOSED, 2),
        )
    ]
    before = told[0].human_contacts_per_minute_before
    assert [round(r.human_contacts_per_minute_after - before, 9) for r in told] == [10, 14, 4, 0]
    assert [r.since for r in told] == [OUTAGE, OUTAGE, OUTAGE, None]


def test_an_outage_before_any_contact_starts_from_nobody():
    told = Bench().told(out()).staffing["billing"]
    assert (told.human_contacts_per_minute_before, told.agents_required_before) == (0, 0)
    assert told.agents_required_after > 0


def test_a_tick_in_the_shared_inbox_changes_nothing():
    bench = busy()
    stored = dict(bench.state.entries)
    assert bench.feed(Tick(key="acme", now=OUTAGE), now=OUTAGE) == []
    assert bench.state.entries == stored


def test_a_contact_that_people_never_see_writes_nothing_once_the_tenant_is_known():
    bench = busy()
    stored = dict(bench.state.entries)
    bench.feed(delta(OUTAGE, pool=Pool.AI_CONTAINED))
    bench.feed(closing(OUTAGE, Handling.AI_CONTAINED, pool=Pool.AI_CONTAINED))
    assert bench.state.entries == stored


@pytest.mark.parametrize(("field", "value"), [("max_occupancy", 0.0), ("shrinkage", 1.0)])
def test_targets_that_cannot_be_planned_for_are_refused_by_name_and_change_nothing(field, value):
    queue = msgspec.structs.replace(POLICY.queues[0], **{field: value})
    policy = msgspec.structs.replace(POLICY, queues=(queue,))
    bench = busy(Snapshot().with_record(topics.POLICY, "acme", policy, 0))
    stored = dict(bench.state.entries)
    with pytest.raises(RecordError, match=rf"queue billing: {field} is") as raised:
        bench.feed(out())
    assert raised.value.reason == "unusable_policy"
    assert bench.state.entries == stored


def test_capacity_and_staffing_go_to_their_topics():
    effects = busy().feed(out())
    assert [effect.topic for effect in effects] == [topics.CAPACITY, topics.STAFFING]
    assert all(isinstance(effect, Effect) for effect in effects)
