"""The broker goes away under load and comes back: nothing is lost and nothing doubled. For 30 s in `make soak`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runtime.admin import create_topics
from runtime.clock import real_now
from runtime.embedded import EmbeddedKafka
from runtime.settings import Settings
from schemas.fields import Channel, FinishedBy
from schemas.interactions import Completed, Offered
from schemas.topics import INTERACTION_EVENTS, OFFERED, POLICY, Effect
from simulator.policies import demo_policy
from tests.support.topics import write_all
from trunkline.demo.observe import Witness
from trunkline.installation import Installation

LONG = 30.0
"""Three times the transaction time-out, five times the session time-out."""


def contacts(first: int, count: int) -> list[Effect]:
    now = real_now()
    out = []
    for number in range(first, first + count):
        name = f"contact-{number}"
        out.append(
            Effect(
                OFFERED,
                Offered(interaction_id=name, tenant="demo", channel=Channel.CHAT, text="agent please", occurred_at=now),
            )
        )
        done = Completed(
            interaction_id=name,
            tenant="demo",
            finished_by=FinishedBy.HUMAN,
            ai_turns=0,
            talk_seconds=9,
            occurred_at=now,
        )
        out.append(Effect(INTERACTION_EVENTS, done))
    return out


@pytest.mark.chaos
@pytest.mark.timeout(240)
@pytest.mark.parametrize("outage_seconds", [12.0, pytest.param(LONG, marks=pytest.mark.soak)])
def test_a_broker_that_is_gone_loses_and_doubles_nothing(
    tmp_path: Path, redis_url: str, capsys: pytest.CaptureFixture[str], outage_seconds: float
) -> None:
    said: list[str] = []
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        settings = Settings(
            bootstrap=kafka.bootstrap, redis_url=redis_url, prefix="gone.", data=tmp_path / "data", keyed_partitions=4
        )
        create_topics(settings)
        write_all(settings, [Effect(POLICY, demo_policy(real_now()))])
        with Installation(settings, said.append, bootstrap=kafka.bootstrap, redis_url=redis_url) as running:
            write_all(settings, contacts(0, 3000))
            kafka.stop()  # most of them are still on their way
            time.sleep(outage_seconds)
            kafka.start()
            back_at = time.monotonic()
            write_all(settings, contacts(3000, 500))
            witness = Witness(settings)
            settled_at = _settle(running, witness, 3500, seconds=120)
            witness.close()
    with capsys.disabled():
        print(f"\nbroker outage: all settled {settled_at - back_at:.1f} s after it was back; {len(said)} notices")
    assert (witness.decided, witness.lost, witness.duplicated) == (3500, 0, 0)
    assert len(witness.closed) == 3500
    assert witness.volume_total == 3500
    assert not witness.dead_letters


def _settle(running: Installation, witness: Witness, count: int, seconds: float) -> float:
    deadline = time.monotonic() + seconds
    while not (witness.decided >= count and len(witness.closed) >= count and witness.volume_open == 0):
        witness.look(0.1)
        assert not running.supervisor.failed, running.supervisor.failed
        assert time.monotonic() < deadline, (witness.decided, len(witness.closed), witness.volume_total)
    while witness.volume_total < count:
        witness.look(0.1)
        assert time.monotonic() < deadline, witness.volume_total
    return time.monotonic()
