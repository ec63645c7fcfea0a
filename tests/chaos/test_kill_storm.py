"""Every service is killed under load, the router five times: nothing is lost and nothing doubled.

offered  ----------------------------------------------------------> 12,000, 1 % of them twice
router        X     X     X     X     X                    (frozen with its transaction open, then killed)
others           S     C     H     A     T                 (sessions, clock, health, analytics, staffing)
"""

from __future__ import annotations

import pytest

from runtime.settings import Settings
from tests.chaos.storm import Storm, count_uncommitted, summary_of, traffic
from trunkline.demo.observe import Witness
from trunkline.installation import Installation

CONTACTS = 12_000
RATE_PER_SECOND = 250
KILL_EVERY = 960
MOST_GAP_SECONDS = 15.0
STORM = ("router", "sessions", "router", "clock", "router", "health", "router", "analytics", "router", "staffing")


@pytest.mark.chaos
@pytest.mark.timeout(420)
def test_a_storm_of_kills_under_load_loses_and_doubles_nothing(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    with Installation(settings, said.append, bootstrap=settings.bootstrap, redis_url=settings.redis_url) as running:
        witness = Witness(settings)
        storm = Storm(running, witness)
        arguments = ["--contacts", str(CONTACTS), "--rate", str(RATE_PER_SECOND), "--offer-twice", "0.01"]
        arguments += ["--pace", "0.02", "--people", "1000", "--drain-seconds", "120"]
        with traffic(running, arguments) as acd:
            for number, service in enumerate(STORM, start=1):
                storm.look_until(lambda n=number: witness.decided >= n * KILL_EVERY, 120)
                storm.kill(service)
            storm.look_until(lambda: acd.poll() is not None, 200)
            summary = summary_of(acd)
        storm.look_until(lambda: witness.volume_total == CONTACTS and witness.volume_open == 0, 60)
        committed = witness.decided + witness.repeats
        uncommitted = count_uncommitted(settings)
        witness.close()

    longest = max(gap for _, gap in storm.gaps)
    with capsys.disabled():
        gaps = ", ".join(f"{service} {gap:.1f} s" for service, gap in storm.gaps)
        print(f"\nkill storm: until decisions were visible again: {gaps}; longest {longest:.1f} s")
        print(f"kill storm: {storm.open_transactions_killed} routers killed with a transaction open, "
              f"{uncommitted - committed} records aborted")  # fmt: skip
    assert summary["offered"] == CONTACTS
    assert len(witness.offered) == CONTACTS
    assert witness.decided == CONTACTS
    assert (witness.lost, witness.duplicated) == (0, 0), doubled(witness)
    assert witness.repeats == summary["repeats"] > 0
    assert len(witness.closed) == CONTACTS
    assert not witness.dead_letters
    assert storm.open_transactions_killed >= 1
    assert uncommitted > committed, "no aborted batch was seen"
    assert longest <= MOST_GAP_SECONDS


def doubled(witness: Witness) -> list[str]:
    """Say of each contact that was decided twice where it was offered, and whether Redis, which guards, answered."""
    return [
        f"{name}: {[(d.offered_partition, d.offered_offset, 'store down' if d.load.store_down else '') for d in made]}"
        for name, made in witness.decisions.items()
        if len(made) > 1
    ]
