"""Minutes of traffic with a kill every few seconds, at random but seeded: `make soak`.

TRUNKLINE_SOAK_MINUTES (default 10) says how long, TRUNKLINE_SOAK_SEED (default 1) in which order.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from runtime.settings import Settings
from tests.chaos.storm import Storm, summary_of, traffic
from trunkline.demo.observe import Witness
from trunkline.installation import SERVICES, Installation

MINUTES = float(os.environ.get("TRUNKLINE_SOAK_MINUTES", "10"))
SEED = int(os.environ.get("TRUNKLINE_SOAK_SEED", "1"))
RATE_PER_SECOND = 120


@pytest.mark.chaos
@pytest.mark.soak
def test_kills_at_random_for_minutes_lose_and_double_nothing(settings: Settings) -> None:
    rng = random.Random(SEED)
    seconds = MINUTES * 60
    said: list[str] = []
    with Installation(settings, said.append, bootstrap=settings.bootstrap, redis_url=settings.redis_url) as running:
        witness = Witness(settings)
        storm = Storm(running, witness)
        arguments = ["--duration", str(seconds), "--rate", str(RATE_PER_SECOND), "--offer-twice", "0.01"]
        arguments += ["--pace", "0.02", "--people", "1000", "--drain-seconds", "180"]
        with traffic(running, arguments) as acd:
            storm.look_until(lambda: witness.decided > 0, 60)
            ends_at = time.monotonic() + seconds - 20
            while time.monotonic() < ends_at:
                next_kill = time.monotonic() + rng.uniform(2, 15)
                storm.look_until(lambda t=next_kill: time.monotonic() > t, 60)
                storm.kill(rng.choice(SERVICES))
                service, gap = storm.gaps[-1]
                print(f"{witness.decided} decided; {service} killed, decisions again after {gap:.1f} s", flush=True)
            storm.look_until(lambda: acd.poll() is not None, 300)
            summary = summary_of(acd)
        contacts = summary["offered"]
        storm.look_until(lambda: witness.volume_total == contacts and witness.volume_open == 0, 120)
        witness.close()
    print(f"soak: {contacts} contacts, {len(storm.gaps)} kills, longest gap {max(gap for _, gap in storm.gaps):.1f} s")
    assert (witness.decided, witness.lost, witness.duplicated) == (contacts, 0, 0)
    assert len(witness.closed) == contacts
    assert not witness.dead_letters
