"""The health monitor is killed in every state of a breaker, and while breakers open: all is known, and told once."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest

from processors.health.logic.breaker import MoveReason
from runtime.clock import real_now
from runtime.kafka import Writer
from runtime.settings import Settings
from schemas.agents import BreakerAction, BreakerCommand, Tick, Transition
from schemas.fields import BreakerState, TurnResult
from schemas.topics import AGENT_EVENTS, POLICY, TRANSITIONS, WFM_EVENTS, Effect, provider_key
from schemas.wfm import Impact
from tests.chaos.storm import count_uncommitted, freeze_in_transaction
from tests.flow.steps import SECOND, Watch, outcome, policy, write
from tests.support.services import ServiceProcess
from tests.support.topics import write_all

CLOSED, DEGRADED, OPEN = BreakerState.CLOSED, BreakerState.DEGRADED, BreakerState.OPEN
HALF_OPEN, FORCED_OPEN = BreakerState.HALF_OPEN, BreakerState.FORCED_OPEN
OPENS_AT, CLOSES_AT = 5, 5
"""Hard failures in a row that open a breaker, and successes that close it: the defaults."""
WAITS = {OPEN: 12.0, HALF_OPEN: 0.5}
"""Seconds that OPEN lasts, of the tenant that is to be killed in that state."""
KILLS = 3
FAILING_PER_SECOND = 40


class House:
    """Tenants named after the state that each is brought to, their agents' outcomes, and what the monitor tells."""

    def __init__(self, settings: Settings, watch: Watch) -> None:
        self.settings, self.watch = settings, watch
        for state in BreakerState:
            made = policy(state.value, open_seconds=WAITS.get(state, 300.0), open_jitter=0.0)
            write_all(settings, [Effect(POLICY, made)])

    def moves(self, state: BreakerState) -> list[Transition]:
        """What a tenant's breaker has done; that it asks for more probes, where the wait was long, is no move."""
        told = self.watch.of(TRANSITIONS, tenant=state.value)
        return [move for move in told if move.reason != MoveReason.PROBES_RENEWED]

    def epoch(self, state: BreakerState) -> int:
        return max((move.epoch for move in self.watch.of(TRANSITIONS, tenant=state.value)), default=0)

    def turns(self, state: BreakerState, times: int, result: TurnResult, epoch: int | None = None) -> None:
        epoch = self.epoch(state) if epoch is None else epoch
        write(
            self.settings,
            AGENT_EVENTS,
            *(outcome(state.value, f"{state.value}-{time.monotonic_ns()}", epoch, result) for _ in range(times)),
        )

    def tick(self) -> None:
        """As the clock service does, for every tenant."""
        keys = [provider_key(state.value, "north") for state in BreakerState]
        write(self.settings, AGENT_EVENTS, *(Tick(key=key, now=real_now()) for key in keys))

    def order(self, state: BreakerState, action: BreakerAction) -> None:
        command = BreakerCommand(
            tenant=state.value, provider="north", endpoint="nova", action=action, reason="test", occurred_at=real_now()
        )
        write(self.settings, AGENT_EVENTS, command)

    def until(self, state: BreakerState, *path: BreakerState, ticking: bool = False) -> Transition:
        """Wait until a tenant's breaker has gone just so; return its last move."""
        ticked = time.monotonic()

        def there() -> bool:
            nonlocal ticked
            if ticking and time.monotonic() - ticked > 0.25:
                self.tick()
                ticked = time.monotonic()
            return len(self.moves(state)) >= len(path)

        self.watch.until(f"{path[-1]} of {state.value}", there)
        moves = self.moves(state)
        assert [move.to_state for move in moves] == list(path)
        return moves[-1]


@pytest.fixture
def health(settings: Settings) -> Iterator[ServiceProcess]:
    service = ServiceProcess(settings, "health")
    yield service
    if service.process is not None and service.process.poll() is None:
        service.stop()


@pytest.mark.chaos
@pytest.mark.timeout(180)
def test_a_monitor_killed_in_any_state_goes_on_in_it(settings: Settings, health: ServiceProcess) -> None:
    with Watch(settings, TRANSITIONS, WFM_EVENTS) as watch:
        house = House(settings, watch)
        health.start().wait_ready()
        opened_until = into_each_state(house)
        health.kill()
        house.turns(CLOSED, 1, TurnResult.TIMEOUT)  # the last that it takes, and nobody is there
        health.start().wait_ready()

        house.until(CLOSED, OPEN)
        assert house.moves(CLOSED)[0].evidence.consecutive_failures == OPENS_AT

        house.turns(HALF_OPEN, 1, TurnResult.OK)
        closed = house.until(HALF_OPEN, OPEN, HALF_OPEN, CLOSED)
        assert (closed.reason, closed.from_state) == ("probes_succeeded", HALF_OPEN)

        late_outcomes_change_nothing(house)

        half_open = house.until(OPEN, OPEN, HALF_OPEN, ticking=True)
        assert opened_until <= half_open.occurred_at < opened_until + 5 * SECOND, "its wait went on, and not anew"

        house.turns(DEGRADED, OPENS_AT, TurnResult.TIMEOUT)
        assert house.until(DEGRADED, DEGRADED, OPEN).from_state is DEGRADED

        assert [move.to_state for move in house.moves(FORCED_OPEN)] == [FORCED_OPEN], "ticks do not free it"
        house.order(FORCED_OPEN, BreakerAction.CLOSE)
        assert house.until(FORCED_OPEN, FORCED_OPEN, CLOSED).from_state is FORCED_OPEN
        each_move_is_told_once_with_its_consequence(watch)


def into_each_state(house: House) -> int:
    """Bring every tenant's breaker into its state, one short of the next move; return when OPEN ends."""
    house.turns(CLOSED, OPENS_AT - 1, TurnResult.TIMEOUT)
    house.turns(OPEN, OPENS_AT, TurnResult.TIMEOUT)
    house.turns(HALF_OPEN, OPENS_AT, TurnResult.TIMEOUT)
    house.order(FORCED_OPEN, BreakerAction.FORCE_OPEN)
    for _ in range(8):
        house.turns(DEGRADED, 2, TurnResult.OK)
        house.turns(DEGRADED, 1, TurnResult.SERVER_ERROR)
    house.until(DEGRADED, DEGRADED)
    opened_until = house.until(OPEN, OPEN).open_until
    house.until(FORCED_OPEN, FORCED_OPEN)
    house.until(HALF_OPEN, OPEN, HALF_OPEN, ticking=True)
    house.turns(HALF_OPEN, CLOSES_AT - 1, TurnResult.OK)
    # Closed already: it changes nothing, and comes after the tenant's outcomes.
    house.order(CLOSED, BreakerAction.CLOSE)
    house.watch.to_end()
    assert house.moves(CLOSED) == []
    assert opened_until is not None
    return opened_until


def late_outcomes_change_nothing(house: House) -> None:
    """Contacts that were admitted before the breaker opened end in failure: they say nothing of the agent now."""
    house.turns(HALF_OPEN, 3 * OPENS_AT, TurnResult.TIMEOUT, epoch=0)
    house.turns(HALF_OPEN, OPENS_AT - 1, TurnResult.TIMEOUT)
    house.order(HALF_OPEN, BreakerAction.FORCE_OPEN)
    forced = house.until(HALF_OPEN, OPEN, HALF_OPEN, CLOSED, FORCED_OPEN)
    assert forced.evidence.failures == forced.evidence.consecutive_failures == OPENS_AT - 1


def each_move_is_told_once_with_its_consequence(watch: Watch) -> None:
    """A transition and its impact are there together, once, and every tenant's chain of states has no gap."""
    watch.to_end()
    chains: dict[str, list[Transition]] = defaultdict(list)
    for move in watch.of(TRANSITIONS):
        chains[move.tenant].append(move)
    assert chains
    for chain in chains.values():
        assert [move.from_state for move in chain] == [CLOSED, *(move.to_state for move in chain[:-1])]
        epochs = [move.epoch for move in chain]
        assert epochs == sorted(set(epochs))
    impacts = [(event.tenant, event.epoch) for event in watch.of(WFM_EVENTS) if isinstance(event, Impact)]
    assert sorted(impacts) == sorted((move.tenant, move.epoch) for chain in chains.values() for move in chain)


class Failing:
    """Tenant after tenant, at an even rate, whose agent dies."""

    def __init__(self, settings: Settings) -> None:
        self._writer = Writer(settings, "sessions")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="failing")
        self.tenants: list[str] = []

    def __enter__(self) -> Failing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._writer.flush(30)

    def _run(self) -> None:
        while not self._stop.wait(1.0 / FAILING_PER_SECOND):
            tenant = f"t{len(self.tenants):04d}"
            for number in range(OPENS_AT):
                self._writer.write(
                    Effect(AGENT_EVENTS, outcome(tenant, f"{tenant}-{number}", 0, TurnResult.SERVER_ERROR))
                )
            self._writer.poll()
            self.tenants.append(tenant)


@pytest.mark.chaos
@pytest.mark.timeout(180)
def test_a_monitor_killed_while_breakers_open_tells_each_with_its_impact_once(
    settings: Settings, health: ServiceProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    gaps, frozen = [], 0
    with Watch(settings, TRANSITIONS, WFM_EVENTS) as watch:
        health.start().wait_ready()
        with Failing(settings) as failing:
            watch.until("the first transition", lambda: watch.of(TRANSITIONS))
            for _ in range(KILLS):
                frozen += freeze_in_transaction(settings, health.pid(), TRANSITIONS, lambda: watch.look(0.005))
                health.kill()
                killed = time.monotonic()
                watch.to_end()
                told = len(watch.records)
                health.start()
                watch.until("a transition after a kill", lambda told=told: len(watch.records) > told)
                gaps.append(time.monotonic() - killed)
        watch.until("every breaker", lambda: len(watch.of(TRANSITIONS, to_state=OPEN)) >= len(failing.tenants), 60)
        each_move_is_told_once_with_its_consequence(watch)
        opened = watch.of(TRANSITIONS, to_state=OPEN)
        aborted = count_uncommitted(settings, TRANSITIONS) - len(watch.of(TRANSITIONS))
    with capsys.disabled():
        print(f"\nbreaker kills: {KILLS} kills, {frozen} in an open transaction, {len(failing.tenants)} agents died, "
              f"{len(opened)} breakers opened once each, {aborted} transitions aborted; transitions again after "
              f"{min(gaps):.1f} to {max(gaps):.1f} s")  # fmt: skip
    assert sorted(move.tenant for move in opened) == failing.tenants
    assert all(move.evidence.consecutive_failures == OPENS_AT for move in opened)
    assert aborted >= frozen > 0, "no transition was ever aborted"
