"""Redis dies under load and comes back empty: no contact is lost or doubled, and copies are right again within 30 s.

contacts  -----------------------------------------------> as many a second all the time, through every service
Redis             X .......... back, and empty
copies                         ????right
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import redis

from runtime.embedded import EmbeddedRedis
from runtime.kafka import Reader
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.topics import SESSION_VIEWS
from schemas.views import SessionView
from tests.chaos.storm import Storm, summary_of, traffic
from trunkline.demo.observe import Witness
from trunkline.installation import Installation

CONTACTS = 3_000
RATE_PER_SECOND = 120
AWAY_SECONDS = 5.0
RIGHT_WITHIN_SECONDS = 30.0


class Copies:
    """Holds the copies in Redis against what the topic says."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._reader = Reader(settings, [SESSION_VIEWS.name], start="beginning")
        self._client = redis.Redis.from_url(url, decode_responses=True)
        self._prefix = settings.prefix
        self._codec = Codec()
        self.revisions: dict[str, int] = {}

    def wrong(self) -> int:
        """How many contacts that the topic has now are missing in Redis, or stand there at a lower revision."""
        self._read_to_end()
        names = list(self.revisions)
        with self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hget(f"{self._prefix}session:{name}", "view@")
            held = pipe.execute()
        return sum(
            int(found if found is not None else -1) < self.revisions[name]
            for name, found in zip(names, held, strict=True)
        )

    def _read_to_end(self) -> None:
        while True:
            records = self._reader.read(5000, 0.05)
            for record in records:
                event = self._codec.decode(record.value) if record.value else None
                if isinstance(event, SessionView):
                    self.revisions[event.interaction_id] = event.revision
            if not records and self._reader.at_end():
                return

    def close(self) -> None:
        self._reader.close()
        self._client.close()


def right_after(copies: Copies, began: float) -> float:
    """Seconds until every contact that the topic had at a look is in Redis."""
    while copies.wrong():
        took = time.monotonic() - began
        assert took < RIGHT_WITHIN_SECONDS, f"{copies.wrong()} of {len(copies.revisions)} are wrong after {took:.0f} s"
    return time.monotonic() - began


@pytest.mark.soak
@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_redis_that_dies_and_comes_back_empty_costs_no_contact_and_copies_are_right_within_30_seconds(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    with (
        EmbeddedRedis(tmp_path / "redis") as store,
        Installation(settings, said.append, bootstrap=settings.bootstrap, redis_url=store.url) as running,
    ):
        witness = Witness(settings)
        storm = Storm(running, witness)
        arguments = ["--contacts", str(CONTACTS), "--rate", str(RATE_PER_SECOND), "--pace", "0.02"]
        arguments += ["--people", "1000", "--drain-seconds", "120"]
        with traffic(running, arguments) as acd:
            storm.look_until(lambda: witness.decided >= 800, 120)
            store.kill()
            came_back = threading.Timer(AWAY_SECONDS, store.start)
            came_back.start()
            storm.look_until(lambda: not came_back.is_alive(), 60)
            came_back.join()
            began = time.monotonic()
            copies = Copies(settings, store.url)
            took = right_after(copies, began)
            under_load, known = acd.poll() is None, len(copies.revisions)
            storm.look_until(lambda: acd.poll() is not None, 200)
            summary = summary_of(acd)
        storm.look_until(lambda: witness.volume_total == CONTACTS and witness.volume_open == 0, 60)
        last = right_after(copies, time.monotonic())
        copies.close()
        witness.close()
    with capsys.disabled():
        print(f"\nRedis restart: {known} contacts right {took:.1f} s after an empty Redis answered, under load; all "
              f"{len(copies.revisions)} right {last:.1f} s after the end")  # fmt: skip
    assert under_load, "the copies came right when the load was over"
    assert summary["offered"] == CONTACTS
    assert witness.decided == CONTACTS
    assert (witness.lost, witness.duplicated) == (0, 0)
    assert len(witness.closed) == CONTACTS
    assert not witness.dead_letters
    assert len(copies.revisions) == CONTACTS
