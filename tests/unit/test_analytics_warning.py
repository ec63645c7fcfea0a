"""The alerts on containment that falls: which queue, which intents, how often."""

from __future__ import annotations

import msgspec

from processors.analytics.logic import step
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas.agents import Tick
from schemas.conversations import Alert, AlertKind
from schemas.fields import Channel, Handling, Pool
from schemas.topics import ALERTS
from schemas.wfm import VolumeDelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
START = 1_772_355_600_000_000  # 2026-03-01T09:00:00Z
LEARNT = START + 120 * MINUTE
DELTA = VolumeDelta(
    tenant="acme", interaction_id="i", queue="retail", intent="balance", channel=Channel.CHAT, language="en",
    interval_start=START, pool=Pool.AI_CONTAINED, from_handling=None, to_handling=Handling.AI_CONTAINED,
    occurred_at=START,
)  # fmt: skip


def minute(state, now, kinds, late=0):
    """One minute: of each (queue, intent) so many contained and so many escalated, then a tick; its alerts."""
    for (queue, intent), (contained, escalated) in kinds.items():
        for handling, count in ((Handling.AI_CONTAINED, contained), (Handling.AI_ESCALATED, escalated)):
            changes = {"queue": queue, "intent": intent, "to_handling": handling, "occurred_at": now - late}
            for _ in range(count):
                step(msgspec.structs.replace(DELTA, **changes), state, Snapshot(), now)
    effects = step(Tick(key="acme", now=now), state, Snapshot(), now)
    return [effect.event for effect in effects if effect.topic is ALERTS]


def minutes(state, start, count, kinds, late=0):
    return [alert for n in range(count) for alert in minute(state, start + n * MINUTE, kinds, late)]


GOOD = {("retail", "balance"): (17, 3), ("retail", "refund"): (17, 3), ("cards", "lost"): (17, 3)}
"""60 contacts a minute, 85 % contained."""


def learnt(kinds=GOOD):
    state = DictState()
    assert minutes(state, START, 120, kinds) == []
    return state


def test_a_fall_in_one_queue_is_one_alert_that_names_the_queue_and_the_intent() -> None:
    state = learnt()
    alerts = minutes(state, LEARNT, 50, {**GOOD, ("retail", "refund"): (10, 10)})
    (alert,) = alerts
    assert isinstance(alert, Alert)
    assert (alert.tenant, alert.alert, alert.queue) == ("acme", AlertKind.CONTAINMENT_FALLING, "retail")
    assert alert.intents == ("refund",)
    assert LEARNT < alert.occurred_at < LEARNT + 20 * MINUTE
    assert "Mostly changes within intents" in alert.detail
    assert "refund 100.0 %" in alert.detail
    assert "contained 85.0 % to 50.0 %" in alert.detail


def test_a_fall_by_the_mix_says_so() -> None:
    kinds = {("retail", "balance"): (36, 4), ("retail", "dispute"): (4, 6)}
    alerts = minutes(learnt(kinds), LEARNT, 50, {("retail", "balance"): (27, 3), ("retail", "dispute"): (8, 12)})
    (alert,) = alerts
    assert alert.intents[0] == "dispute"
    assert "Mostly a changed mix of intents: 0.0 % within, 100.0 % mix" in alert.detail


def test_a_fall_that_is_small_in_each_of_many_queues_is_told_of_the_tenant() -> None:
    kinds = {(f"queue-{number}", "balance"): (17, 3) for number in range(10)}
    worse = {name: (15, 5) if int(name[0][-1]) % 2 else (16, 4) for name in kinds}
    alerts = minutes(learnt(kinds), LEARNT, 8, worse)
    (alert,) = alerts
    assert (alert.queue, alert.intents) == (None, ("balance",))


def test_a_tenant_without_a_baseline_gets_no_alert() -> None:
    assert minutes(DictState(), START, 30, {("retail", "balance"): (0, 30)}) == []


def test_contacts_that_ended_long_ago_say_nothing_of_now() -> None:
    state = learnt()
    assert minutes(state, LEARNT, 50, {**GOOD, ("retail", "refund"): (0, 20)}, late=31 * MINUTE) == []


def test_containment_that_stays_gives_no_alert() -> None:
    assert minutes(learnt(), LEARNT, 300, GOOD) == []
