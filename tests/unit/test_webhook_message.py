"""What receivers are sent, to whom an event goes, and what is said when nobody takes it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.settings import Settings
from runtime.snapshot import Snapshot
from schemas.codec import Codec
from schemas.conversations import Alert, AlertKind
from schemas.envelope import Record
from schemas.fields import Event
from schemas.topics import STAFFING, TOPICS, WEBHOOKS, Effect, disabled_key
from schemas.webhooks import WebhookDisabled
from tests.support.webhooks import KEY, staffing, subscription
from wfm_bridge.models import model_of, to_answer
from wfm_bridge.webhooks.delivery import ALERT_SECONDS, Delivery
from wfm_bridge.webhooks.errors import WebhookError
from wfm_bridge.webhooks.message import message_id, message_of
from wfm_bridge.webhooks.subscriptions import OFFERED, active, subscriptions, topics_of, wants

CODEC = Codec()


def record(event: Event, offset: int = 7) -> Record:
    return Record(STAFFING.name, 2, offset, STAFFING.key_of(event).encode(), CODEC.encode(event))


def test_an_event_is_said_over_webhooks_as_the_api_says_it() -> None:
    row = staffing("billing", 3)
    data = json.loads(message_of(record(row), row, "").body)["data"]
    assert data == json.loads(model_of(type(row))(**to_answer(row)).model_dump_json())
    assert data["occurred_at"] == "2026-03-01T09:00:00.000003Z"


def test_a_message_is_the_same_however_often_it_is_made() -> None:
    row = staffing("billing", 3)
    assert message_of(record(row), row, "p.") == message_of(record(row), row, "p.")


def test_another_place_or_other_bytes_make_another_id() -> None:
    row = record(staffing("billing", 3))
    others = [
        msgspec.structs.replace(row, offset=8), msgspec.structs.replace(row, partition=3),
        msgspec.structs.replace(row, topic="wfm.capacity"), record(staffing("billing", 4)),
    ]  # fmt: skip
    assert len({message_id(each) for each in (row, *others)}) == 5


def test_no_full_stop_is_in_an_id_and_no_two_topics_make_the_same() -> None:
    made = [message_id(Record(topic.name, 0, 0, None, b"v")) for topic in TOPICS]
    assert not any("." in each for each in made)
    assert len(set(made)) == len(TOPICS)


def test_an_event_goes_to_subscriptions_of_its_tenant_and_queue() -> None:
    row = staffing("billing", 1)
    assert wants(subscription(), row)
    assert wants(subscription(queues=("sales", "billing")), row)
    assert not wants(subscription(queues=("sales",)), row)
    assert not wants(subscription(tenant="other"), row)
    alert = Alert(tenant="acme", alert=AlertKind.TELEMETRY_LOST, occurred_at=1)
    assert wants(subscription(), alert)
    assert not wants(subscription(queues=("billing",)), alert)


def test_topics_that_cannot_be_sent_are_refused_by_name() -> None:
    assert topics_of(("wfm.staffing", "wfm.staffing"), ("billing",)) == [STAFFING]
    with pytest.raises(WebhookError, match=r"wfm\.events, policy: no such topic.*wfm\.staffing"):
        topics_of(("wfm.events", "policy"), ())
    with pytest.raises(WebhookError, match=r"breakers\.transitions tells of no queue"):
        topics_of(("wfm.staffing", "breakers.transitions"), ("billing",))
    assert len(topics_of(tuple(OFFERED), ())) == len(OFFERED)


def test_a_receiver_that_is_gone_stays_so_for_that_revision_alone() -> None:
    made = subscription()
    name = made.subscription
    word = WebhookDisabled(subscription=name, tenant="acme", revision=1, reason="gone", occurred_at=1)
    snapshot = Snapshot().with_record(WEBHOOKS, name, made, 0)
    assert active(snapshot) == {name: made}
    gone = snapshot.with_record(WEBHOOKS, disabled_key(name), word, 1)
    assert active(gone) == {}
    assert subscriptions(gone) == {name: made}
    again = msgspec.structs.replace(made, revision=2)
    assert active(gone.with_record(WEBHOOKS, name, again, 2)) == {name: again}
    assert active(gone.with_record(WEBHOOKS, name, None, 2)) == {}


class Said:
    """Takes what the sender would write to Kafka."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []

    async def say(self, effect: Effect) -> None:
        self.effects.append(effect)


class Failing:
    """A courier that has failed for so long."""

    last_failure = "status 503"
    seconds = 0.0

    def failing_seconds(self) -> float:
        return self.seconds


def test_a_receiver_that_fails_for_long_is_an_alert_once_for_each_spell(tmp_path: Path) -> None:
    async def run() -> None:
        said, courier = Said(), Failing()
        made: Any = Delivery(Settings(data=tmp_path), subscription(), KEY, CODEC, said)  # type: ignore[arg-type]
        made._courier = courier
        told = []
        for seconds in (0.0, ALERT_SECONDS - 1, ALERT_SECONDS, ALERT_SECONDS + 99, 0.0, 1.0, ALERT_SECONDS):
            courier.seconds = seconds
            await made._watch()
            told.append(len(said.effects))
        assert told == [0, 0, 1, 1, 1, 1, 2]
        alert = said.effects[0].event
        assert isinstance(alert, Alert)
        assert (alert.tenant, alert.alert) == ("acme", AlertKind.WEBHOOK_FAILING)
        assert "wfm.example.com has taken nothing for 300 s: status 503" in alert.detail

    asyncio.run(run())
