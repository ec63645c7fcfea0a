"""Outcomes of AI endpoints, and a bench that runs the health monitor's step as a service does."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from processors.health.logic import HealthMonitor
from processors.health.logic.breaker import Breaker
from runtime.snapshot import Snapshot
from runtime.state import DictState, Overlay
from schemas import topics
from schemas.agents import BreakerAction, BreakerCommand, Outcome, Tick, Transition
from schemas.control import BreakerPolicy, Endpoint, HumanQueue, Policy
from schemas.fields import BreakerState, Channel, TurnResult
from schemas.interactions import Thresholds
from schemas.topics import Effect
from schemas.wfm import Impact

SECOND = 1_000_000
START = 922_271_400 * SECOND
PARTITIONS = 4


def policy(**breaker: Any) -> Policy:
    """A tenant with two endpoints that share the intent `balance`."""
    return Policy(
        tenant="acme",
        revision=1,
        thresholds=Thresholds(contained=0.92, assisted=0.75),
        endpoints=(
            Endpoint(endpoint="nova", provider="north", version="1", intents=("balance", "card_lost")),
            Endpoint(endpoint="vega", provider="north", version="1", intents=("balance",)),
        ),
        queues=(HumanQueue(queue="retail", intents=("balance", "card_lost")),),
        default_queue="retail",
        breaker=BreakerPolicy(**breaker),
        occurred_at=START,
    )


class Bench:
    """The monitor of one key. Time is in seconds since START; what a step wrote must survive JSON."""

    def __init__(self, *, known: bool = True, partitions: int = PARTITIONS, **breaker: Any) -> None:
        self.monitor = HealthMonitor(offered_partitions=partitions)
        self.snapshot = Snapshot()
        if known:
            self.snapshot = self.snapshot.with_record(topics.POLICY, "acme", policy(**breaker), 0)
        self.state = DictState()
        self.effects: list[Effect] = []
        self.turns = 0

    def apply(self, event: Outcome | Tick | BreakerCommand, second: float) -> list[Effect]:
        """One step; its writes reach the state through JSON."""
        overlay = Overlay(self.state)
        effects = list(self.monitor.step(event, overlay, self.snapshot, START + round(second * SECOND)))
        overlay.commit()
        stored = json.loads(json.dumps(self.state.entries))
        assert stored == self.state.entries
        self.state.entries = stored
        self.effects += effects
        return effects

    def turn(
        self, second: float, result: TurnResult = TurnResult.OK, endpoint: str = "nova", **fields: Any
    ) -> list[Effect]:
        """An outcome, by default of the endpoint's present epoch, and not a contact's first."""
        self.turns += 1
        base = Outcome(
            tenant="acme",
            provider="north",
            endpoint=endpoint,
            version="1",
            interaction_id=f"c-{self.turns}",
            turn=2,
            channel=Channel.CHAT,
            intent="balance",
            queue="retail",
            breaker_epoch=self.breaker(endpoint).epoch,
            result=result,
            latency_ms=800.0,
            occurred_at=START,
        )
        return self.apply(msgspec.structs.replace(base, **fields), second)

    def turns_of(self, times: int, second: float, result: TurnResult = TurnResult.OK, **fields: Any) -> None:
        """The same outcome several times at one instant."""
        for _ in range(times):
            self.turn(second, result, **fields)

    def tick(self, second: float) -> list[Effect]:
        """Time has passed."""
        return self.apply(Tick(key="acme/north", now=START), second)

    def order(self, action: BreakerAction, second: float, endpoint: str = "nova") -> list[Effect]:
        """An operator's command."""
        command = BreakerCommand(
            tenant="acme", provider="north", endpoint=endpoint, action=action, reason="drill", occurred_at=START
        )
        return self.apply(command, second)

    def breaker(self, endpoint: str = "nova") -> Breaker:
        """The stored breaker, or the one that every endpoint begins with."""
        stored = self.state.get(f"breaker\x1f{endpoint}")
        return Breaker() if stored is None else msgspec.convert(stored, Breaker)

    def opened(self, second: float = 0.0) -> Bench:
        """Open the breaker of nova by five timeouts at `second`."""
        self.turns_of(5, second, TurnResult.TIMEOUT)
        assert self.breaker().state is BreakerState.OPEN
        return self

    def half_opened(self, second: float = 0.0) -> float:
        """Open at `second`, wait it out, and return the second at which probes began."""
        self.opened(second)
        woken = (self.breaker().open_until - START) / SECOND
        self.tick(woken)
        assert self.breaker().state is BreakerState.HALF_OPEN
        return woken

    @property
    def transitions(self) -> list[Transition]:
        """Transitions so far, as the router reads them."""
        return [e.event for e in self.effects if e.topic is topics.TRANSITIONS and isinstance(e.event, Transition)]

    @property
    def impacts(self) -> list[Impact]:
        """Impacts so far."""
        return [e.event for e in self.effects if isinstance(e.event, Impact)]

    @property
    def path(self) -> list[str]:
        """States in order, by their values, and the reason of the last step."""
        return [transition.to_state.value for transition in self.transitions]
