"""Laws of what-if that hold for every centre: what is better for people never asks for more of them."""

import dataclasses
import math

from hypothesis import given
from hypothesis import strategies as st

from processors.staffing.logic.changes import Contain, Limit, Replace, Scope, Version, Watch, after
from processors.staffing.logic.erlang import Targets, agents_required, scheduled
from processors.staffing.logic.erlang.supervision import Watched, supervisors_required
from processors.staffing.logic.what_if import Cell, Centre, Staffed, compare

QUEUES = ("billing", "sales")
INTENTS = ("refund", "upgrade")
SHARES = st.floats(0, 1)
RATES = st.just(0.0) | st.floats(0.01, 60)
cells = st.tuples(
    *(
        st.builds(Cell, st.just(queue), st.just(intent), RATES, RATES, SHARES, SHARES, st.floats(1, 1_800), SHARES)
        for queue in QUEUES
        for intent in INTENTS
    )
)
queues = st.tuples(
    *(
        st.builds(
            Staffed,
            st.just(queue),
            st.floats(10, 1_800),
            st.builds(Targets, st.floats(0, 0.99), st.floats(0, 120), st.floats(0.3, 1)),
            st.floats(0, 0.9),
            st.just(math.inf) | st.floats(10, 600),
            st.integers(1, 4),
        )
        for queue in QUEUES
    )
)
centres = st.builds(Centre, cells, queues, st.none() | st.integers(1, 400), st.none() | RATES, st.integers(3, 8))
scopes = st.builds(
    Scope, st.sampled_from([(), ("billing",), QUEUES]), st.sampled_from([(), ("refund",), ("upgrade", "refund")])
)


def asked(centre, *changes):
    return compare(centre, after(centre, changes))


@given(centres, scopes)
def test_no_change_makes_no_difference(centre, scope):
    named = {(cell.queue, cell.intent): Version(0.0, -0.5, 60.0) for cell in centre.cells}
    for changes in ((), (Contain(scope, by=0.0), Replace(named), Limit(at_once=centre.ai_at_once))):
        answer = asked(centre, *changes)
        assert answer.ai_lost == 0
        for row in (*answer.queues, answer.supervision, answer.people):
            assert row.difference == 0
            assert row.contacts_per_minute_before == row.contacts_per_minute_after
            assert row.scheduled_before == row.scheduled_after


@given(centres, scopes, SHARES, SHARES)
def test_the_more_ai_contains_the_fewer_agents_are_required(centre, scope, one, other):
    less, more = (asked(centre, Contain(scope, share)) for share in sorted((one, other)))
    for few, many in zip(more.queues, less.queues, strict=True):
        assert few.agents_after <= many.agents_after
        assert few.contacts_per_minute_after <= many.contacts_per_minute_after
    assert all(row.difference <= 0 for row in asked(centre, Contain(scope, by=one)).queues)
    assert all(row.difference >= 0 for row in asked(centre, Contain(scope, by=-one)).queues)


@given(centres, st.integers(0, 400), st.integers(0, 400))
def test_the_less_ai_can_have_at_once_the_more_agents_are_required(centre, one, other):
    small, large = (asked(centre, Limit(at_once=most)) for most in sorted((one, other)))
    assert small.ai_lost >= large.ai_lost >= 0
    for many, few in zip(small.queues, large.queues, strict=True):
        assert many.agents_after >= few.agents_after >= few.agents_before


@given(centres, RATES, RATES, SHARES)
def test_the_less_ai_takes_in_a_minute_the_more_agents_are_required(centre, one, other, share):
    small, large = (asked(centre, Limit(per_minute=most)) for most in sorted((one, other)))
    for many, few in zip(small.queues, large.queues, strict=True):
        assert many.agents_after >= few.agents_after >= few.agents_before
    if centre.ai_at_once is not None:
        assert all(row.difference >= 0 for row in asked(centre, Limit(share=share)).queues)


@given(centres, scopes, SHARES)
def test_the_sum_over_queues_is_the_total_and_with_supervision_all_people(centre, scope, share):
    answer = asked(centre, Contain(scope, share), Watch((), 0.5), Limit(at_once=20))
    total, people = answer.total, answer.people
    assert total.difference == sum(row.difference for row in answer.queues)
    assert total.scheduled_after == sum(row.scheduled_after for row in answer.queues)
    assert people.agents_after == sum(row.agents_after for row in answer.queues) + answer.supervision.agents_after
    assert people.difference == total.difference + answer.supervision.difference
    assert people.contacts_per_minute_after == total.contacts_per_minute_after


@given(centres, SHARES, SHARES, st.sampled_from([(), ("refund",)]))
def test_the_less_is_watched_the_fewer_watch_and_nothing_else_changes(centre, one, other, intents):
    less, more = (asked(centre, Watch(intents, share)) for share in sorted((one, other)))
    assert less.supervision.agents_after <= more.supervision.agents_after
    assert less.people.agents_after <= more.people.agents_after
    assert less.queues == more.queues
    assert all(row.difference == 0 for row in less.queues)
    assert asked(centre, Watch((), 0.0)).supervision.agents_after == 0


@given(centres, SHARES)
def test_people_are_those_that_staffing_asks_for(centre, share):
    plain = dataclasses.replace(
        centre, queues=[dataclasses.replace(each, patience_seconds=math.inf, concurrency=1) for each in centre.queues]
    )
    for row, people in zip(asked(plain, Contain(Scope(), share)).queues, plain.queues, strict=True):
        targets = people.targets
        owed = (people.aht_seconds, targets.service_level, targets.within_seconds, targets.max_occupancy)
        assert row.agents_before == agents_required(row.contacts_per_minute_before, *owed).agents
        assert row.agents_after == agents_required(row.contacts_per_minute_after, *owed).agents
        assert row.scheduled_after == scheduled(row.agents_after, people.shrinkage)


@given(st.floats(0.1, 100), st.floats(1, 1_800), st.integers(3, 8))
def test_who_watches_sessions_of_one_length_is_who_supervision_asks_for(per_minute, seconds, at_once):
    cell = Cell("billing", "refund", ai_per_minute=per_minute, ai_seconds=seconds, watched=1.0)
    centre = Centre((cell,), (Staffed("billing", 300.0, Targets(), 0.3),), sessions_per_supervisor=at_once)
    found = asked(centre).supervision.agents_before
    near = [supervisors_required(Watched(per_minute * rounding, seconds, at_once)) for rounding in (1 - 1e-9, 1 + 1e-9)]
    assert near[0] <= found <= near[1]


@given(centres, scopes, SHARES, SHARES)
def test_contacts_that_ai_does_not_finish_come_to_people_or_leave(centre, scope, share, lost):
    for cell in after(centre, [Contain(scope, share)]).cells:
        most = cell.alone_per_minute + cell.ai_per_minute
        assert cell.alone_per_minute <= cell.people_per_minute(lost) <= most * (1 + 1e-12)
        assert math.isclose(cell.people_per_minute(1.0), most, rel_tol=1e-12)
