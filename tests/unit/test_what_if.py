"""A centre as the topics have it, and what becomes of it by changes: worked examples."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from processors.staffing.logic.changes import Contain, Limit, Scope, after
from processors.staffing.logic.erlang import ErlangInputError, Targets, agents_required, erlang_b
from processors.staffing.logic.what_if import Cell, Centre, Staffed, compare
from runtime.errors import SettingsError
from runtime.snapshot import Snapshot
from schemas.control import Availability, HumanQueue, PlannedInterval, Policy, QueuePlan
from schemas.fields import Event, Handling, Pool, Supervision
from schemas.rules import IntentRule, Phase, PhaseRule, SupervisionPolicy
from schemas.topics import AVAILABILITY, PLANS, POLICY, queue_key
from tests.history import at, kept, policy, span, times, volume
from tests.thresholds_truth import closed
from trunkline.what_if.base import Base, Basis, Seen, seen
from trunkline.what_if.changes import Model, Wanted, changes_of, told_of
from trunkline.what_if.words import text
from wfm_bridge.history.versions import Versions

AN_HOUR = span(0, 4)
TALK = {"talk": 200.0, "wrap": 40.0}


def rows() -> list[Event]:
    """An hour of billing: 60 contained, 20 assisted, 15 escalated, 30 people's own, 10 left, 5 of these after AI."""
    return [
        volume(0, ai_contained=40, ai_assisted=20, ai_escalated=10, human_only=10, abandoned=5),
        volume(3, ai_contained=20, ai_escalated=5, human_only=20, abandoned=5, in_progress=2),
        times(0, [{"ai": 100.0}] * 60, handling=Handling.AI_CONTAINED),
        times(0, [{"ai": 150.0}] * 20, handling=Handling.AI_ASSISTED),
        times(0, [{"ai": 60.0, **TALK}] * 15, handling=Handling.AI_ESCALATED),
        times(0, [TALK] * 30, handling=Handling.HUMAN_ONLY),
        times(0, [{"ai": 20.0}] * 5 + [{"wait": 30.0}] * 5, handling=Handling.ABANDONED),
        times(0, [{"ai": 900.0}] * 9, handling=Handling.DEFLECTED),
    ]


def control(of: Policy, *records: Event) -> Snapshot:
    found = Snapshot().with_record(POLICY, of.tenant, of, 0)
    for number, record in enumerate(records):
        if isinstance(record, QueuePlan):
            found = found.with_record(PLANS, f"plan-{number}", record, number)
        elif isinstance(record, Availability):
            found = found.with_record(AVAILABILITY, queue_key(record.tenant, record.queue), record, number)
    return found


def a_base(
    found: list[Event],
    *records: Event,
    of: Policy | None = None,
    planned_at: int | None = None,
    now: int | None = at(4),
) -> Base:
    snapshot = control(of or policy(), *records)
    return seen(Seen("acme", snapshot, kept(AN_HOUR, found, "acme"), AN_HOUR, now, planned_at, 180.0), "an hour")


def said_by(base: Base, basis: Basis) -> str:
    return "; ".join(source.figures for source in base.sources if source.basis is basis)


def test_contacts_are_counted_per_minute_by_what_became_of_them() -> None:
    base = a_base(rows())
    (cell,) = base.centre.cells
    # AI had 60 + 20 + 15 + 5 who left after it; of the 20 that it did not contain 15 came to people.
    assert (cell.queue, cell.intent) == ("billing", "refund")
    assert cell.ai_per_minute == pytest.approx(100 / 60)
    assert cell.alone_per_minute == pytest.approx((30 + 5) / 60)
    assert (cell.containment, cell.reaching) == pytest.approx((0.8, 0.75))
    assert cell.watched == pytest.approx(20 / 80)
    assert cell.people_per_minute() == pytest.approx((35 + 15) / 60)
    # 60 x 100 + 20 x 150 + 15 x 60 + 5 x 20 seconds of AI in 100 contacts
    assert cell.ai_seconds == pytest.approx(100.0)
    (people,) = base.centre.queues
    assert people.aht_seconds == pytest.approx(240.0)
    assert "135 contacts of 1 h; 2 under way are in no figure" in said_by(base, Basis.MEASURED)
    assert "handle time in billing (240 s, 45 contacts)" in said_by(base, Basis.MEASURED)


def test_what_was_not_measured_is_the_policys_or_a_default_and_says_so() -> None:
    own = policy(HumanQueue(queue="billing", intents=("refund",), aht_seconds=420.0, shrinkage=0.5))
    base = a_base([volume(0, ai_contained=8, human_only=4, queue="sales", intent="upgrade")], of=own)
    assert [(each.queue, each.aht_seconds, each.shrinkage) for each in base.centre.queues] == [
        ("billing", 420.0, 0.5),
        ("sales", 300.0, 0.3),
    ]
    assert [(cell.queue, cell.intent) for cell in base.centre.cells] == [("billing", "refund"), ("sales", "upgrade")]
    assert "handle time in billing (420 s)" in said_by(base, Basis.POLICY)
    assert "100, max_concurrent of all agents" in said_by(base, Basis.POLICY)
    assert "handle time in sales (300 s)" in said_by(base, Basis.DEFAULT)
    assert "AI's time with contacts of sales (180 s)" in said_by(base, Basis.DEFAULT)
    assert "AI sessions that a person watches at once (5)" in said_by(base, Basis.DEFAULT)
    watched = msgspec.structs.replace(own, supervision=SupervisionPolicy(sessions_per_supervisor=8))
    assert a_base(rows(), of=watched).centre.sessions_per_supervisor == 8


def test_an_interval_to_come_has_the_plans_contacts_mixed_as_they_came() -> None:
    planned = QueuePlan(
        tenant="acme", queue="billing", starts_at=at(8), occurred_at=1,
        intervals=(PlannedInterval(contacts=150.0, aht_seconds=200.0, agents=44.0),),
    )  # fmt: skip
    base = a_base(rows(), planned, planned_at=at(8))
    (cell,) = base.centre.cells
    assert cell.people_per_minute() == pytest.approx(10.0)
    assert cell.ai_per_minute / cell.alone_per_minute == pytest.approx(100 / 35)
    assert base.centre.queues[0].aht_seconds == 200.0
    assert base.available == {"billing": 44.0}
    assert "contacts of billing (10 a minute)" in said_by(base, Basis.PLAN)
    alone = a_base([], planned, planned_at=at(8))
    assert sum(each.people_per_minute() for each in alone.centre.cells) == 10.0


def test_people_there_are_told_while_what_wfm_said_counts() -> None:
    said = Availability(
        tenant="acme", queue="billing", agents_required=9.0, agents_available=7.0, expires_at=at(5), occurred_at=at(3)
    )
    assert a_base(rows(), said).available == {"billing": 7.0}
    assert a_base(rows(), said, now=at(5)).available == {}
    assert a_base(rows(), said, now=None).available == {}


def watching(**phases: Phase) -> Policy:
    rules = tuple(IntentRule(intent=intent, phase=phase) for intent, phase in phases.items())
    return msgspec.structs.replace(policy(HumanQueue(queue="billing", intents=("refund", "upgrade"))), intents=rules)


def shares_watched(of: Policy, *phases: tuple[str, str]) -> dict[str, float]:
    found = [*rows(), volume(0, ai_assisted=30, intent="upgrade")]
    base = a_base(found, of=of)
    cells = after(base.centre, changes_of(Wanted(phases=phases), base, None)).cells
    return {cell.intent: cell.watched for cell in cells}


@pytest.mark.parametrize(
    ("phase", "watched"),
    [
        (("upgrade", "maturity"), {"refund": 0.25, "upgrade": 0.0}),
        (("upgrade", "autonomous"), {"refund": 0.25, "upgrade": 0.0}),
        (("refund", "scaling"), {"refund": 1.0, "upgrade": 1.0}),
        (("refund", "full"), {"refund": 1.0, "upgrade": 1.0}),
        (("*", "pilot"), {"refund": 1.0, "upgrade": 1.0}),
        (
            ("*", "maturity"),
            {"refund": 0.25, "upgrade": 0.0},
        ),  # refund is on its own already, as far as confidence lets
    ],
)
def test_a_phase_watches_all_or_none_of_an_intent_and_changes_nothing_where_it_holds(
    phase: tuple[str, str], watched: dict[str, float]
) -> None:
    assert shares_watched(watching(upgrade=Phase.SCALING), phase) == watched


def test_of_several_phases_of_an_intent_the_last_holds() -> None:
    of = watching(upgrade=Phase.SCALING)
    assert shares_watched(of, ("*", "pilot"), ("refund", "maturity")) == {"refund": 0.25, "upgrade": 1.0}
    assert shares_watched(of, ("refund", "pilot"), ("*", "maturity")) == {"refund": 0.25, "upgrade": 0.0}


def test_a_share_of_ais_places_is_whole_and_not_one_short() -> None:
    centre = Centre((), (), ai_at_once=100)
    assert [Limit(share=share)(centre).ai_at_once for share in (0.29, 0.295, 0.0)] == [29, 29, 0]


def test_a_phase_means_what_the_policy_says_it_does() -> None:
    rules = (PhaseRule(phase=Phase.SCALING, supervision=Supervision.AUTONOMOUS),)
    own = msgspec.structs.replace(watching(upgrade=Phase.PILOT), supervision=SupervisionPolicy(phases=rules))
    assert shares_watched(own, ("upgrade", "scaling")) == {"refund": 0.25, "upgrade": 0.0}


def versions(*, old: int = 40, others: int = 40) -> Versions:
    """Nova: version 7 had the hour's contacts and contained half, in 30 s; version 8 earlier 9 of 10, in 60 s."""
    found = Versions("acme", "nova", AN_HOUR)

    def take(count: int, contained: int, **changes: Any) -> None:
        about = {"queue": "billing", "offered_at": at(1), "endpoint": "nova", "endpoint_version": "7", **changes}
        for number in range(count):
            handling = Handling.AI_CONTAINED if number < contained else Handling.AI_ESCALATED
            found.take(closed(handling=handling, **about))

    take(old, old // 2)
    take(others, others, endpoint="other", endpoint_version="1")
    take(100, 90, endpoint_version="8", offered_at=at(-40), ai_seconds=60.0)
    take(100, 0, endpoint_version="8", offered_at=at(-40), tenant="beta")
    take(100, 0, pool=Pool.HUMAN_EXCLUSIVE, endpoint=None)
    return found


def with_model(model: Model, of: Versions) -> Cell:
    base = a_base(rows())
    (cell,) = after(base.centre, changes_of(Wanted(model=model), base, of)).cells
    return cell


def test_a_version_takes_the_agents_contacts_and_does_with_them_what_it_was_measured_to_do() -> None:
    # Nova has half of AI's contacts; of these 0.9 in place of 0.5 are contained, in 60 s in place of 30.
    cell = with_model(Model("nova", "8", None, None), versions())
    assert cell.containment == pytest.approx(0.8 + 0.5 * 0.4)
    assert cell.ai_seconds == pytest.approx(100.0 + 0.5 * 30.0)
    supposed = with_model(Model("nova", "9", 0.3, 90.0), versions())
    assert supposed.containment == pytest.approx(0.8 - 0.5 * 0.2)
    assert supposed.ai_seconds == pytest.approx(100.0 + 0.5 * 60.0)


def test_what_a_version_does_is_told_with_how_many_contacts_it_rests_on() -> None:
    measured = list(told_of(Wanted(Model("nova", "8", None, None)), versions()))
    assert [source.basis for source in measured] == [Basis.MEASURED] * 3
    assert "(90.0% of 100 contacts)" in measured[0].figures
    assert "(40)" in measured[2].figures
    supposed = list(told_of(Wanted(Model("nova", "9", 0.3, 90.0)), versions()))
    assert [source.basis for source in supposed] == [Basis.GIVEN, Basis.MEASURED]


def test_a_version_contains_all_at_most() -> None:
    # By what nova's contacts say it gains 0.5 on all of them, where volumes have only 0.2 to gain.
    assert with_model(Model("nova", "9", 1.0, None), versions(others=0)).containment == 1.0


def test_who_watches_has_fewer_to_watch_where_ai_has_no_room() -> None:
    cell = Cell("billing", "refund", ai_per_minute=20.0, ai_seconds=120.0, watched=0.5)
    centre = Centre((cell,), (Staffed("billing", 300.0, Targets(), 0.3),))
    watching = compare(centre, after(centre, [Limit(per_minute=5.0)])).supervision
    assert (watching.contacts_per_minute_before, watching.contacts_per_minute_after) == (10.0, 2.5)
    assert watching.agents_after < watching.agents_before


def test_the_version_that_runs_changes_nothing() -> None:
    assert with_model(Model("nova", "7", None, None), versions()) == a_base(rows()).centre.cells[0]


def test_an_intent_with_few_contacts_of_a_version_goes_by_all_of_them() -> None:
    found = Versions("acme", "nova", AN_HOUR)
    for number in range(60):
        found.take(closed(endpoint="nova", endpoint_version="8", intent="refund" if number < 29 else "upgrade",
                          handling=Handling.AI_CONTAINED if number < 30 else Handling.AI_ESCALATED))  # fmt: skip
    assert found.expected("8", "refund").containment == 0.5
    assert found.expected("8", "upgrade").containment == pytest.approx(1 / 31)


def test_contacts_above_what_ai_can_have_come_to_people_by_erlang_b() -> None:
    # 20 contacts a minute of 120 s are 40 Erlangs of AI; on 30 places.
    cell = Cell("billing", "refund", ai_per_minute=20.0, containment=0.75, ai_seconds=120.0)
    centre = Centre((cell,), (Staffed("billing", 300.0, Targets(), 0.3),), ai_at_once=60)
    answer = compare(centre, after(centre, [Limit(share=0.5)]))
    lost = 1 - (1 - erlang_b(40.0, 30)) / (1 - erlang_b(40.0, 60))
    (row,) = answer.queues
    assert answer.ai_lost == pytest.approx(lost)
    assert row.contacts_per_minute_after == pytest.approx(20 * (0.25 + lost * 0.75))
    assert row.agents_after == agents_required(row.contacts_per_minute_after, 300.0, 0.8, 20.0, 0.85).agents
    slower = compare(centre, after(centre, [Limit(per_minute=5.0)]))
    assert slower.ai_lost == pytest.approx(1 - (5 / 20) / (1 - erlang_b(40.0, 60)))


def test_changes_are_laid_one_on_the_other() -> None:
    base = a_base(rows())
    wanted = Wanted(Model("nova", "9", 0.3, 90.0), Contain(Scope(), by=-0.1), (("refund", "full"),), Limit(at_once=1))
    changed = after(base.centre, changes_of(wanted, base, versions()))
    assert changed.cells[0].containment == pytest.approx(0.8 - 0.5 * 0.2 - 0.1)
    assert (changed.cells[0].watched, changed.ai_at_once) == (1.0, 1)


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (Wanted(contain=Contain(Scope(queues=("sale",)), 0.5)), "there is no queue 'sale': there is billing"),
        (Wanted(contain=Contain(Scope(intents=("rebate",)), 0.5)), "there is no intent 'rebate': there is refund"),
        (Wanted(phases=(("rebate", "full"),)), "there is no intent 'rebate': there is refund"),
        (Wanted(model=Model("luna", "8", None, None)), "there is no agent 'luna': there is nova"),
        (Wanted(model=Model("nova", "9", None, None)), "measured are 7, 8: name one of these, or say"),
    ],
)
def test_what_there_is_not_is_named_with_what_there_is(wanted: Wanted, named: str) -> None:
    base = a_base(rows())
    with pytest.raises(SettingsError, match=named):
        after(base.centre, changes_of(wanted, base, versions()))


def test_a_queue_and_an_intent_that_never_meet_are_refused() -> None:
    two = policy(HumanQueue(queue="billing", intents=("refund",)), HumanQueue(queue="sales", intents=("upgrade",)))
    base = a_base(rows(), of=two)
    with pytest.raises(SettingsError, match="no contacts of intent refund come to queue sales"):
        after(base.centre, [Contain(Scope(("sales",), ("refund",)), 0.5)])


def test_a_load_that_no_number_of_agents_carries_names_its_queue() -> None:
    centre = Centre((Cell("billing", "refund", alone_per_minute=1e12),), (Staffed("billing", 300.0, Targets(), 0.3),))
    with pytest.raises(ErlangInputError, match=r"queue billing: .*check the units"):
        compare(centre, centre)


def test_the_table_has_a_line_for_each_queue_and_what_its_figures_are_from() -> None:
    two = policy(HumanQueue(queue="billing", intents=("refund",)), HumanQueue(queue="sales", intents=("upgrade",)))
    base = a_base(rows(), of=two)
    answer = compare(base.centre, after(base.centre, [Contain(Scope(), 0.0)]))
    lines = list(text(base, answer))
    assert [line.split()[0] for line in lines[3:6]] == ["billing", "sales", "all"]
    billing = answer.queues[0]
    assert lines[3].split()[1:] == [
        f"{billing.contacts_per_minute_before:.2f}", f"{billing.contacts_per_minute_after:.2f}",
        f"{billing.agents_before}", f"{billing.agents_after}", f"{billing.scheduled_before}",
        f"{billing.scheduled_after}", f"{billing.difference:+}",
    ]  # fmt: skip
    assert billing.difference > 0
    assert any(line.startswith("supervision ") for line in lines)  # a quarter is watched
    assert [line.split(":")[0] for line in lines[-3:]] == ["measured", "policy", "default"]


def test_contacts_of_another_hour_are_not_counted() -> None:
    assert a_base([*rows(), volume(4, human_only=100)]).centre == a_base(rows()).centre
