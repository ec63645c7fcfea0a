"""A broker that is away for ten seconds while webhooks are sent: what was told is taken, in order, once it is back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runtime.embedded import EmbeddedKafka
from schemas.topics import STAFFING
from tests.flow.steps import new_room, write
from tests.support.receivers import Receiver, Reply, by_key
from tests.support.webhooks import sending, staffing, subscribe

OUTAGE_SECONDS = 10.0


@pytest.mark.chaos
@pytest.mark.soak
@pytest.mark.timeout(180)
def test_a_broker_that_is_away_loses_no_message_and_ends_no_sender(
    redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with EmbeddedKafka(tmp_path / "kafka") as kafka, Receiver(lambda _got: Reply(seconds=0.02)) as receiver:
        room = new_room(kafka.bootstrap, redis_url, tmp_path / "data")
        subscribe(room, receiver.url, at_once=4)
        with sending(room) as sender:
            write(room, STAFFING, *(staffing(f"queue-{n % 8}", n) for n in range(400)))
            receiver.until("a part", lambda: len(receiver.first()) >= 100)
            kafka.stop()
            time.sleep(OUTAGE_SECONDS)
            kafka.start()
            back_at = time.monotonic()
            write(room, STAFFING, *(staffing(f"queue-{n % 8}", n) for n in range(400, 500)))
            receiver.until("all", lambda: len(receiver.first()) == 500, 90)
            took = time.monotonic() - back_at
            assert sender.process is not None
            assert sender.process.poll() is None
    with capsys.disabled():
        print(f"\n500 messages, {took:.1f} s after the broker was back, {len(receiver.got) - 500} repeated")
    assert all(sequences == sorted(sequences) for sequences in by_key(receiver.first()).values())
