"""The demonstration's report on constructed witnesses: a good run passes, and each failing invariant is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from runtime.kafka import Writer
from runtime.settings import Settings
from schemas.agents import Transition
from schemas.conversations import Alert, AlertKind
from schemas.fields import BreakerState, Disposition, Event, Handling, Pool
from schemas.interactions import Decision
from schemas.topics import (
    ALERTS,
    CLOSED,
    HANDOFFS,
    OFFERED,
    ROUTED,
    STAFFING,
    TRANSITIONS,
    VOLUME,
    Effect,
    Topic,
)
from schemas.wfm import StaffingRequirement, VolumeRow
from tests import contacts
from tests.flow.steps import SECOND, offered, transition
from tests.said import packet
from trunkline.demo import report
from trunkline.demo.observe import Witness

FAULT_AT = contacts.OFFERED_AT + 20 * SECOND
CONTACTS = ("c-1", "c-2", "c-3")

Records = list[tuple[Topic, Event]]


def decided(name: str, **changes: Any) -> Decision:
    return contacts.decision(interaction_id=name, decision_id=f"d-{name}", **changes)


def row(**changes: Any) -> VolumeRow:
    none = dict.fromkeys((handling.value for handling in Handling), 0)
    base = VolumeRow(
        tenant="acme", queue="cards", intent="card_lost", channel=contacts.decision().channel, language="en",
        interval_start=0, revision=2, updated_at=FAULT_AT, offered=3, **{**none, "ai_contained": 3},
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def told(**changes: Any) -> StaffingRequirement:
    base = StaffingRequirement(
        tenant="acme", queue="cards", revision=1, cause_endpoint="nova", cause_state=BreakerState.OPEN, cause_epoch=1,
        cause_at=FAULT_AT + SECOND, since=FAULT_AT + SECOND, human_contacts_per_minute_before=2.0,
        human_contacts_per_minute_after=9.0, aht_seconds=300.0, agents_required_before=3, agents_required_after=8,
        agents_scheduled_after=12, service_level_target=0.8, service_level_seconds=20.0, service_level_after=0.9,
        occupancy_after=0.7, expected_seconds_p50=60.0, expected_seconds_p90=300.0, duration_samples=0,
        occurred_at=FAULT_AT + SECOND,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def moved(from_state: BreakerState, to_state: BreakerState, epoch: int, seconds: float) -> Transition:
    at = FAULT_AT + round(seconds * SECOND)
    return transition("acme", to_state, epoch, from_state=from_state, occurred_at=at)


OPENED = moved(BreakerState.CLOSED, BreakerState.OPEN, 1, 1.5)
HEALED = [
    moved(BreakerState.OPEN, BreakerState.HALF_OPEN, 2, 12),
    moved(BreakerState.HALF_OPEN, BreakerState.CLOSED, 3, 14),
]


def good_run() -> Records:
    """Three contacts through the whole loop, one by way of another agent, and an outage that WFM hears of."""
    records: Records = [(OFFERED, offered(name, "acme", occurred_at=contacts.OFFERED_AT)) for name in CONTACTS]
    records += [(ROUTED, decided(name)) for name in CONTACTS]
    again = decided("c-1", disposition=Disposition.REPEAT, pool=None, first_decision_id="d-c-1")
    records += [(ROUTED, again), (ROUTED, decided("c-2", session_epoch=1, endpoint="eve"))]
    records += [(HANDOFFS, packet("c-1")), (HANDOFFS, packet("c-1", attempt=2)), (HANDOFFS, packet("c-3"))]
    records += [(CLOSED, closed(name)) for name in CONTACTS]
    records += [(VOLUME, row(revision=1, offered=1, ai_contained=1)), (VOLUME, row())]
    return [*records, *((TRANSITIONS, event) for event in (OPENED, *HEALED)), (STAFFING, told())]


def closed(name: str) -> Event:
    from processors.sessions.logic.book import Progress, Session, Story
    from processors.sessions.logic.effects import closed as effects_of

    session = Session.of(decided(name), Pool.AI_CONTAINED)
    event = effects_of(session, Progress(), Story(), contacts.completed(1, interaction_id=name))[0].event
    assert event is not None
    return event


def witness_of(settings: Settings, records: Records, dead: int = 0) -> Witness:
    """Let a witness read records from the topics themselves."""
    writer = Writer(settings, "test")
    for topic, event in records:
        writer.write(Effect(topic, event))
    for number in range(dead):
        writer.write_bytes(OFFERED.dead_letter_name, b"%d" % number, b"\x00", [("dlq_reason", b"empty")])
    writer.close()
    witness = Witness(settings)
    witness.look(1.0)
    while not witness._reader.at_end():
        witness.look(0.1)
    witness.close()
    return witness


def built(settings: Settings, records: Records, dead: int = 0, by_acd: int = 3) -> dict[str, Any]:
    witness = witness_of(settings, records, dead)
    seen = OPENED.occurred_at + SECOND // 5
    witness.staffing = [(seen, requirement) for _, requirement in witness.staffing]
    return report.build(witness, "nova", FAULT_AT, by_acd)


def test_a_good_run_has_no_failures_and_its_figures_are_those_of_the_topics(settings: Settings) -> None:
    result = built(settings, good_run())
    assert report.failures(result) == []
    assert (result["offered"], result["decided"], result["closed"]) == (3, 3, 3)
    assert (result["lost"], result["duplicated"], result["dead_lettered"]) == (0, 0, 0)
    assert result["pools"] == {"ai_contained": 3}
    assert (result["transfers"], result["transfers_unacknowledged"]) == ({"person_asked": 2}, 0)
    assert (result["volume_rows_total"], result["volume_in_progress"]) == (3, 0)
    assert result["breaker_path"] == ["closed", "open", "half_open", "closed"]
    outage = result["outage"]
    assert (outage["detect_seconds"], outage["react_seconds"]) == (1.5, 0.2)
    assert (outage["agents_required_before"], outage["agents_required_after"]) == (3, 8)
    text = "\n".join(report.lines(result))
    for figure in (
        "3 offered, 3 decided, 3 closed",
        "person_asked 2",
        "3 -> 8",
        "closed -> open -> half_open -> closed",
        "1.5 s",
    ):
        assert figure in text


def without(topic: Topic, at: int = 0) -> Callable[[Records], Records]:
    def change(records: Records) -> Records:
        place = [number for number, (each, _) in enumerate(records) if each is topic][at]
        return records[:place] + records[place + 1 :]

    return change


def replaced(topic: Topic, *events: Event) -> Callable[[Records], Records]:
    return lambda records: [*(r for r in records if r[0] is not topic), *((topic, event) for event in events)]


def added(topic: Topic, event: Event) -> Callable[[Records], Records]:
    return lambda records: [*records, (topic, event)]


UNANSWERED = Alert(tenant="acme", alert=AlertKind.HANDOFF_UNACKNOWLEDGED, occurred_at=FAULT_AT)
BROKEN: list[tuple[str, Callable[[Records], Records], str]] = [
    ("undecided", without(ROUTED), "1 contacts were offered and never decided"),
    ("decided twice", added(ROUTED, decided("c-2")), "1 decisions or closings were doubled"),
    ("closed twice", added(CLOSED, closed("c-2")), "1 decisions or closings were doubled"),
    ("not acknowledged", added(ALERTS, UNANSWERED), "1 warm transfers were never acknowledged"),
    ("not closed", without(CLOSED), "1 decided contacts never closed"),
    ("volumes short", replaced(VOLUME, row(offered=2, ai_contained=2)), "volume rows add up to 2, not 3"),
    ("in progress", replaced(VOLUME, row(ai_contained=2, in_progress=1)), "1 contacts are still in progress in WFM"),
    (
        "seen late",
        replaced(TRANSITIONS, moved(BreakerState.CLOSED, BreakerState.OPEN, 1, 5.5), *HEALED),
        "the breaker opened after 5.5 s",
    ),
    ("not seen", replaced(TRANSITIONS), "the breaker never opened"),
    ("WFM not told", replaced(STAFFING), "WFM was never told"),
    ("told of nobody", replaced(STAFFING, told(agents_required_after=3)), "WFM was not told of more people"),
    ("not healed", replaced(TRANSITIONS, OPENED, HEALED[0]), "the breaker did not close again: closed -> open"),
]


@pytest.mark.parametrize(("change", "sentence"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_each_invariant_that_fails_is_told(
    settings: Settings, change: Callable[[Records], Records], sentence: str
) -> None:
    failures = report.failures(built(settings, change(good_run())))
    assert any(sentence in failure for failure in failures), failures


def test_dead_letters_and_contacts_that_never_reached_the_topic_are_told(settings: Settings) -> None:
    failures = report.failures(built(settings, good_run(), dead=2, by_acd=4))
    assert failures == ["the ACD offered more contacts than the topic holds", "2 records were dead-lettered"]


def test_wfm_that_hears_late_is_told(settings: Settings) -> None:
    witness = witness_of(settings, good_run())
    witness.staffing = [(OPENED.occurred_at + 2 * SECOND, event) for _, event in witness.staffing]
    result = report.build(witness, "nova", FAULT_AT, 3)
    assert report.failures(result) == ["WFM was told after 2.0 s"]


def test_a_run_in_which_nothing_happened_can_still_be_reported(settings: Settings) -> None:
    result = report.build(witness_of(settings, []), "nova", FAULT_AT, 0)
    assert len(report.failures(result)) >= 4
    assert "\n".join(report.lines(result))
