"""Webhooks on the real broker, to real receivers: what is told is taken once by each, in order, whatever they do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from runtime.settings import Settings
from schemas.conversations import Alert, AlertKind
from schemas.topics import ALERTS, CAPACITY, STAFFING, WEBHOOKS
from schemas.webhooks import WebhookDisabled
from schemas.wfm import CapacitySignal
from tests.flow.command import trunkline
from tests.flow.steps import Watch, new_room, write
from tests.support.receivers import Got, Receiver, Reply, after, by_key, is_signed, takes
from tests.support.webhooks import capacity, sending, staffing, subscribe
from wfm_bridge.webhooks.delivery import WINDOW

pytestmark = pytest.mark.xdist_group("webhooks_flow")

QUEUES = ("billing", "sales", "repairs")


@pytest.fixture
def room(bootstrap: str, redis_url: str, tmp_path: Path) -> Settings:
    return new_room(bootstrap, redis_url, tmp_path)


def at(room: Settings) -> list[str]:
    return ["--bootstrap", room.bootstrap, "--prefix", room.prefix]


def rows(count: int) -> list[tuple[str, int]]:
    return [(queue, revision) for revision in range(1, count + 1) for queue in QUEUES]


def told(got: list[Got]) -> list[tuple[str, int]]:
    return [(each.event["data"]["queue"], each.event["data"]["revision"]) for each in got]


def in_order(got: list[Got]) -> bool:
    """Whether what was taken came in the order of each key, repetitions left out."""
    return all(sequences == sorted(sequences) for sequences in by_key(got).values())


def test_a_subscription_is_sent_its_tenants_events_from_its_beginning_on_signed_and_in_order(room: Settings) -> None:
    write(room, STAFFING, staffing("billing", 1))
    time.sleep(0.01)  # another millisecond, which is what Kafka's clock tells apart
    with Receiver() as all_of_it, Receiver() as billing:
        whole, secret = subscribe(room, all_of_it.url, STAFFING, CAPACITY)
        subscribe(room, billing.url, queues=("billing",))
        write(room, STAFFING, *(staffing(*row) for row in rows(20)), staffing("billing", 99, tenant="other"))
        with sending(room):
            write(room, CAPACITY, *(capacity(*row) for row in rows(20)))
            all_of_it.until("120 events", lambda: len(all_of_it.taken) >= 120)
            billing.until("20 events", lambda: len(billing.taken) >= 20)
            write(room, STAFFING, staffing("billing", 21))
            billing.until("one more", lambda: len(billing.taken) >= 21)
        assert told(billing.taken) == [("billing", revision) for revision in range(1, 22)]
        assert sorted(told(all_of_it.taken)) == sorted([*rows(20), *rows(20), ("billing", 21)])
        assert in_order([each for each in all_of_it.taken if "staffing" in each.id])
        assert in_order([each for each in all_of_it.taken if "capacity" in each.id])
        assert all(is_signed(each, secret) for each in all_of_it.got)
        assert not any(is_signed(each, secret) for each in billing.got)
        assert len({each.id for each in all_of_it.got}) == len(all_of_it.got) == 121
        first = next(each for each in all_of_it.got if each.event["sequence"] == f"{1:019d}" and "staffing" in each.id)
        assert first.headers["content-type"] == "application/cloudevents+json"
        assert first.event | {"data": None} == {
            "specversion": "1.0", "id": first.headers["webhook-id"], "source": f"/trunkline/{room.prefix}wfm.staffing",
            "type": "io.trunkline.StaffingRequirement", "time": "2026-03-01T09:00:00.000001Z",
            "subject": "acme|billing", "partitionkey": "acme|billing", "sequence": f"{1:019d}",
            "datacontenttype": "application/json", "data": None,
        }  # fmt: skip
        assert first.event["data"]["cause_at"] == "2026-03-01T09:00:00.000001Z"
        assert whole.subscription not in first.body.decode()


LIES = {
    "fails": Reply(status=500),
    "is overloaded": Reply(status=503, headers=("Retry-After: 1",)),
    "redirects": Reply(status=302, headers=("Location: http://127.0.0.1:1/elsewhere",)),
    "hangs up without a word": Reply(raw=b""),
    "breaks off": Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    "talks rubbish": Reply(raw=b"220 smtp.example.com ESMTP\r\n"),
}


@pytest.mark.timeout(120)
def test_receivers_that_fail_hang_or_lie_get_all_in_order_and_hold_up_nobody_else(room: Settings) -> None:
    held = threading.Event()
    behaviours = {name: after(2, reply) for name, reply in LIES.items()}
    behaviours["hangs"] = lambda got: (
        Reply(hold=held) if got.event["data"]["revision"] == 2 and got.number == 1 else Reply()
    )
    behaviours["is slow"] = lambda _got: Reply(seconds=0.2)
    behaviours["answers without end"] = lambda _got: Reply(endless=True)
    with ExitStack() as stack:
        odd = {name: stack.enter_context(Receiver(behave)) for name, behave in behaviours.items()}
        well = stack.enter_context(Receiver())
        for receiver in (*odd.values(), well):
            subscribe(room, receiver.url)
        stack.enter_context(sending(room))
        write(room, STAFFING, staffing("warm", 0))
        well.until("the first", lambda: well.taken)
        began = time.time()
        for row in rows(5):
            write(room, STAFFING, staffing(*row))
        well.until("all", lambda: len(well.taken) == 16, 10)
        assert max(each.at for each in well.taken) - began < 5.0, "held up by the others"
        assert sum(len(receiver.first()) == 16 for receiver in odd.values()) < len(odd), "nobody was odd"
        for name, receiver in odd.items():
            receiver.until(f"all to one that {name}", lambda receiver=receiver: len(receiver.first()) == 16, 60)
            assert in_order(receiver.first()), name
            assert len(receiver.taken) == 16, f"one that {name} was sent again what it had taken"
        held.set()
    assert all(each.number == 1 for each in well.got)


def test_a_key_that_is_stuck_holds_up_no_other_key(room: Settings) -> None:
    def behave(got: Got) -> Reply:
        return Reply(status=500) if got.event["data"]["queue"] == "billing" else Reply()

    with Receiver(behave) as receiver:
        made, _ = subscribe(room, receiver.url)
        with sending(room) as sender:
            write(room, STAFFING, staffing("billing", 1), staffing("billing", 2))
            write(room, STAFFING, *(staffing(f"queue-{n % 7}", n) for n in range(WINDOW + 200)))
            receiver.until("all others", lambda: len(receiver.taken) == WINDOW + 200)
            metrics = httpx.get(f"http://127.0.0.1:{sender.port()}/metrics").text
            label = f'subscription="{made.subscription}"'
            assert f'trunkline_webhook_attempts_total{{outcome="http_2xx",{label}}} {WINDOW + 200}.0' in metrics
            assert f'trunkline_webhook_attempts_total{{outcome="http_5xx",{label}}}' in metrics
            (oldest,) = [line for line in metrics.splitlines() if line.startswith("trunkline_webhook_oldest_seconds{")]
            assert float(oldest.rpartition(" ")[2]) > 0
            receiver.behave = takes
            receiver.until("the rest", lambda: len(receiver.taken) == WINDOW + 202)
        assert in_order(receiver.taken)


def test_a_message_that_nobody_takes_is_a_dead_letter_and_what_follows_is_sent(room: Settings) -> None:
    def behave(got: Got) -> Reply:
        return Reply(status=500) if got.event["data"]["revision"] == 1 else Reply()

    with Receiver(behave) as receiver, Watch(room, WEBHOOKS.dead_letter_name) as watch:
        made, _ = subscribe(room, receiver.url, max_attempts=3)
        with sending(room):
            write(room, STAFFING, staffing("billing", 1), staffing("billing", 2))
            receiver.until("the second", lambda: receiver.taken)
            watch.until("the dead letter", lambda: watch.records)
        (letter,) = watch.records
        headers = dict(letter.headers)
        assert told(receiver.got) == [("billing", 1)] * 3 + [("billing", 2)]
        assert letter.key == b"acme|billing"
        assert headers["dlq_subscription"].decode() == made.subscription
        assert headers["dlq_topic"] == b"wfm.staffing"
        assert headers["dlq_reason"] == b"http_500"
        assert headers["dlq_webhook_id"].decode() == receiver.got[0].id
        assert headers["dlq_attempts"] == b"3"


def test_a_receiver_that_is_gone_is_sent_nothing_more_until_it_is_enabled(room: Settings) -> None:
    with Receiver(lambda _got: Reply(status=410)) as receiver, Watch(room, WEBHOOKS) as watch:
        made, _ = subscribe(room, receiver.url)
        with sending(room) as sender:
            write(room, STAFFING, staffing("billing", 1), staffing("sales", 1))
            watch.until("the word", lambda: [each for each in watch.of(WEBHOOKS) if isinstance(each, WebhookDisabled)])
            asked = len(receiver.got)
            sender.stop()
            write(room, STAFFING, staffing("billing", 2))
            sender.start().wait_ready()
            receiver.behave = lambda _got: Reply()
            done = trunkline("webhooks", "enable", made.subscription, *at(room))
            assert done.returncode == 0, done.stderr
            receiver.until("all", lambda: len(receiver.taken) == 3)
        assert len(receiver.got) == asked + 3
        assert in_order(receiver.taken)


def test_a_sender_that_is_killed_in_the_middle_loses_nothing_and_repeats_under_the_same_ids(room: Settings) -> None:
    with Receiver(lambda _got: Reply(seconds=0.01)) as receiver:
        subscribe(room, receiver.url, STAFFING, CAPACITY, at_once=4)
        with sending(room) as sender:
            write(room, STAFFING, *(staffing(*row) for row in rows(100)))
            write(room, CAPACITY, *(capacity(*row) for row in rows(100)))
            for part in (100, 300):
                receiver.until(f"{part} of them", lambda part=part: len(receiver.first()) >= part)
                sender.kill()
                sender.start().wait_ready()
            receiver.until("all", lambda: len(receiver.first()) >= 600)
        taken = receiver.first()
        assert sorted(told(taken)) == sorted(rows(100) * 2)
        for topic in ("staffing", "capacity"):
            assert in_order([each for each in taken if topic in each.id])
        repeated = len(receiver.got) - len(taken)
        print(f"\n600 messages, 2 kills, {repeated} repeated")
        assert {each.body for each in receiver.got} == {each.body for each in taken}, "a repetition says the same"


@pytest.mark.soak
def test_a_second_sender_takes_partitions_over_and_gives_its_own_back(room: Settings) -> None:
    def some(first: int) -> list[CapacitySignal]:
        return [capacity(f"queue-{number}", n) for n in range(first, first + 40) for number in range(12)]

    with Receiver(lambda _got: Reply(seconds=0.05)) as receiver:
        subscribe(room, receiver.url, CAPACITY, at_once=4)
        with sending(room) as first:
            write(room, CAPACITY, *some(1))
            receiver.until("some", lambda: len(receiver.first()) >= 60)
            with sending(room, slot=1) as second:
                until("the second reads its half", lambda: "wfm.capacity[3] from" in second.tail())
                write(room, CAPACITY, *some(41))
                receiver.until("more", lambda: len(receiver.first()) >= 600)
                assert first.stop() == 0
                receiver.until("all", lambda: len(receiver.first()) == 960, 60)
        assert in_order(receiver.first())
        print(f"\n960 messages, one sender more and one less, {len(receiver.got) - 960} repeated")


def until(what: str, reached: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_more_than_a_window_waits_in_kafka_while_a_receiver_is_away(room: Settings) -> None:
    with Receiver(lambda _got: Reply(status=503)) as receiver:
        subscribe(room, receiver.url)
        with sending(room):
            write(room, STAFFING, *(staffing(f"queue-{n % 300}", n // 300 + 1) for n in range(1500)))
            receiver.until("a window of attempts", lambda: len(receiver.got) >= 300)
            receiver.behave = lambda _got: Reply()
            began = time.monotonic()
            receiver.until("all", lambda: len(receiver.first()) == 1500, 60)
            print(f"\n1500 messages after an outage: {1500 / (time.monotonic() - began):.0f}/s")
        assert in_order(receiver.first())
        assert len(receiver.taken) == 1500


def test_a_subscription_that_was_added_with_another_key_is_not_sent_anything(room: Settings) -> None:
    with Receiver() as strange, Receiver() as well:
        subscribe(room, well.url)
        subscribe(room, strange.url, secret_check="0" * 16)
        with sending(room) as sender:
            write(room, STAFFING, staffing("billing", 1))
            well.until("it", lambda: well.taken)
            assert "was added with another key" in sender.tail()
        assert not strange.got


def test_alerts_are_sent_too(room: Settings) -> None:
    with Receiver() as receiver:
        subscribe(room, receiver.url, ALERTS)
        with sending(room):
            write(room, ALERTS, Alert(tenant="acme", alert=AlertKind.TELEMETRY_LOST, endpoint="nova", occurred_at=1))
            receiver.until("it", lambda: receiver.taken)
        assert receiver.taken[0].event["data"]["alert"] == "telemetry_lost"
