"""Two versions of one agent: the bad one is out by itself, under epochs of the agent's one count."""

from __future__ import annotations

from schemas.agents import BreakerAction
from schemas.fields import BreakerState, TurnResult
from schemas.wfm import ImpactCause
from tests.endpoints import SECOND, START, Bench

TIMEOUT = TurnResult.TIMEOUT
OPEN, CLOSED, HALF_OPEN = BreakerState.OPEN, BreakerState.CLOSED, BreakerState.HALF_OPEN


def rolled_out(**breaker: object) -> Bench:
    """Version 1 had the contacts of two minutes, version 2 has had some of them for ten seconds."""
    bench = Bench(**breaker)
    for second in range(120):
        bench.turn(float(second), turn=1)
    bench.agent(version="2")
    for second in range(120, 130):
        bench.turn(float(second), version="2", turn=1)
        bench.turn(float(second), version="1")
    return bench


def version_out(**breaker: object) -> Bench:
    bench = rolled_out(open_jitter=0.0, **breaker)
    bench.turns_of(5, 130.0, TIMEOUT, version="2")
    assert (bench.of_version("2").state, bench.breaker().state) == (OPEN, CLOSED)
    return bench


def test_one_version_has_no_breaker_of_its_own() -> None:
    bench = Bench()
    for second in range(200):
        bench.turn(float(second))
        bench.tick(float(second))
    assert not [name for name in bench.state.entries if "\x1e" in name]
    assert bench.state.get("versions\x1fnova") == {"1": (START // SECOND) + 180}


def test_the_bad_version_opens_its_own_breaker_and_the_endpoints_stays_closed() -> None:
    bench = version_out()
    assert [(t.version, t.to_state) for t in bench.transitions] == [("2", OPEN)]
    assert bench.transitions[0].evidence.consecutive_failures == 5
    bench.turns_of(20, 131.0, TIMEOUT, version="2")
    bench.turns_of(20, 131.0, version="1")
    assert bench.breaker().state is CLOSED
    assert bench.of_version("1").state is CLOSED


def test_the_impact_of_the_policys_version_is_told_with_the_load_of_the_endpoint() -> None:
    bench = version_out()
    impact = bench.impacts[-1]
    assert (impact.state, impact.epoch, impact.cause) == (OPEN, 1, ImpactCause.BREAKER)
    # One contact a second: not the contacts of two minutes over the ten seconds of the version.
    assert 50.0 < impact.displaced[0].contacts_per_minute < 70.0
    for second in range(131, 900):
        bench.tick(float(second))
    later = [each for each in bench.impacts if each.state is HALF_OPEN]
    assert later
    assert all(each.displaced == impact.displaced for each in later)


def test_a_version_that_the_policy_does_not_name_is_no_loss() -> None:
    bench = rolled_out()
    bench.turns_of(5, 130.0, TIMEOUT, version="1")
    assert [(t.version, t.to_state) for t in bench.transitions] == [("1", OPEN)]
    assert bench.impacts == []


def test_epochs_come_from_one_count() -> None:
    bench = version_out()
    bench.order(BreakerAction.FORCE_OPEN, 131.0)
    bench.order(BreakerAction.CLOSE, 132.0)
    bench.tick(170.0)
    bench.order(BreakerAction.FORCE_OPEN, 171.0, version="2")
    assert [t.epoch for t in bench.transitions] == list(range(1, 1 + len(bench.transitions)))
    assert [t.version for t in bench.transitions] == ["2", None, None, "2", "2"]


def test_the_worse_state_is_told_where_the_endpoint_moves_too() -> None:
    bench = version_out()
    bench.order(BreakerAction.FORCE_OPEN, 131.0)
    bench.order(BreakerAction.CLOSE, 132.0)
    assert [impact.state for impact in bench.impacts] == [OPEN, BreakerState.FORCED_OPEN, OPEN]


def test_a_version_recovers_by_its_own_probes() -> None:
    bench = version_out()
    bench.tick(160.0)
    breaker = bench.of_version("2")
    assert breaker.state is HALF_OPEN
    assert sum(bench.transitions[-1].probe_permits) == 3
    bench.turns_of(4, 161.0, version="1")
    bench.turns_of(5, 161.0, version="2", breaker_epoch=breaker.epoch - 1)
    assert bench.of_version("2").successes == 0
    bench.turns_of(5, 161.0, version="2", breaker_epoch=breaker.epoch)
    assert bench.of_version("2").state is CLOSED
    assert [impact.state for impact in bench.impacts] == [OPEN, HALF_OPEN, CLOSED]


def test_a_version_that_no_contact_dares_recovers_by_synthetic_probes() -> None:
    bench = version_out(half_open_successes=2)
    for second in range(160, 300):
        wished = len(bench.probes)
        bench.tick(float(second))
        for request in bench.probes[wished:]:
            assert request.version == "2"
            bench.turn(
                second + 0.5, version="2", synthetic=True, turn=1, interaction_id=request.probe_id,
                breaker_epoch=request.breaker_epoch, intent="probe",
            )  # fmt: skip
    assert bench.of_version("2").state is CLOSED
    assert len(bench.probes) == 2
    assert bench.breaker().epoch == 0


def test_a_roll_back_gives_the_capacity_back_at_once_and_a_roll_out_takes_it() -> None:
    bench = version_out()
    bench.agent(version="1")
    bench.tick(131.0)
    bench.tick(132.0)
    bench.agent(version="2")
    bench.tick(133.0)
    bench.tick(134.0)
    assert [impact.state for impact in bench.impacts] == [OPEN, CLOSED, OPEN]
    epochs = [impact.epoch for impact in bench.impacts]
    assert epochs == sorted(set(epochs))
    assert len(bench.transitions) == 1


def test_a_version_rolled_back_for_hours_and_named_again_is_not_out_for_good() -> None:
    bench = version_out(half_open_successes=1)
    bench.agent(version="1")
    for second in range(140, 8000, 20):
        bench.turn(float(second))
        bench.tick(float(second))
    assert set(bench.state.get("versions\x1fnova")) == {"1"}
    assert bench.of_version("2").state is not CLOSED
    bench.agent(version="2")
    bench.tick(8001.0)
    bench.tick(8040.0)
    assert bench.of_version("2").state is HALF_OPEN
    bench.turn(8041.0, version="2", breaker_epoch=bench.of_version("2").epoch)
    assert bench.of_version("2").state is CLOSED
    assert bench.impacts[-1].state is CLOSED


def test_a_version_out_of_use_for_an_hour_leaves_nothing_behind() -> None:
    bench = rolled_out()
    for second in range(140, 140 + 2 * 3600, 20):
        bench.turn(float(second), version="2")
    left = {name.split("\x1f")[0] for name in bench.state.entries if "\x1e1" in name}
    assert left == set()
    many = Bench()
    sizes = []
    for version in range(30):
        for second in range(0, 4000, 100):
            many.turn(4000.0 * version + second, version=str(version))
        sizes.append(len(many.state.entries))
    assert max(sizes[3:]) <= max(sizes[:3]) + 2


def test_an_order_to_a_version_moves_that_alone_and_holds() -> None:
    bench = Bench()
    bench.turn(0.0)
    bench.order(BreakerAction.FORCE_OPEN, 1.0, version="1", by="kim")
    transition = bench.transitions[-1]
    assert (transition.version, transition.to_state, transition.by) == ("1", BreakerState.FORCED_OPEN, "kim")
    assert bench.breaker().state is CLOSED
    before = dict(bench.state.entries)
    bench.turns_of(9, 2.0, TIMEOUT, breaker_epoch=0)
    # Only that the version was seen, and the endpoint's own books, which no failure enters.
    assert bench.state.get("signals\x1fnova") is None
    assert bench.state.get("window\x1fnova") == before["window\x1fnova"]
    bench.order(BreakerAction.CLOSE, 3.0, version="1")
    assert [impact.state for impact in bench.impacts] == [BreakerState.FORCED_OPEN, CLOSED]


def test_what_became_of_a_contact_is_held_against_its_version_too() -> None:
    bench = rolled_out()
    for second in range(130, 139):
        bench.graded(float(second), version="2", resolved=False, intent=f"i-{second}")
    assert [(t.version, t.reason) for t in bench.transitions] == [("2", "unresolved"), (None, "unresolved")]
