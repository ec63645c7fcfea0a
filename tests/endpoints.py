"""Outcomes of AI endpoints, and a bench that runs the health monitor's step as a service does."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from processors.health.logic import HealthMonitor
from processors.health.logic.breaker import Breaker
from runtime.snapshot import Snapshot
from runtime.state import DictState, Overlay
from schemas import topics
from schemas.agents import (
    BreakerAction,
    BreakerCommand,
    ContactOutcome,
    Graded,
    Outcome,
    ProbeRequest,
    ProviderState,
    ProviderStatus,
    Tick,
    Transition,
)
from schemas.control import BreakerPolicy, Endpoint, HumanQueue, KillSwitch, Policy
from schemas.conversations import Alert
from schemas.fields import BreakerState, Channel, Event, GradedBy, Handling, TurnResult
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


def with_endpoint(changed: Policy, endpoint: str = "nova", **fields: Any) -> Policy:
    """The policy with other fields of one endpoint."""
    endpoints = tuple(
        msgspec.structs.replace(each, **fields) if each.endpoint == endpoint else each for each in changed.endpoints
    )
    return msgspec.structs.replace(changed, endpoints=endpoints)


class Bench:
    """The monitor of one key. Time is in seconds since START; what a step wrote must survive JSON."""

    def __init__(self, *, known: bool = True, partitions: int = PARTITIONS, **breaker: Any) -> None:
        self.monitor = HealthMonitor(offered_partitions=partitions)
        self.snapshot = Snapshot()
        if known:
            self.follow(policy(**breaker))
        self.state = DictState()
        self.effects: list[Effect] = []
        self.turns = 0

    @property
    def policy(self) -> Policy:
        """The tenant's policy, as the monitor has it."""
        found: Policy = self.snapshot.of(topics.POLICY)["acme"]
        return found

    def follow(self, event: Policy | Transition | KillSwitch) -> None:
        """Have a record on its control topic, as the monitor follows it."""
        topic = {Policy: topics.POLICY, Transition: topics.TRANSITIONS, KillSwitch: topics.COMMANDS}[type(event)]
        self.snapshot = self.snapshot.with_record(topic, topic.key_of(event), event, 0)

    def agent(self, endpoint: str = "nova", **fields: Any) -> None:
        """Have the policy say something else of an endpoint."""
        self.follow(with_endpoint(self.policy, endpoint, **fields))

    def restarted(self) -> None:
        """A new process: its state is all that it knows."""
        self.monitor = HealthMonitor(offered_partitions=self.monitor.offered_partitions)

    def apply(self, event: Event, second: float) -> list[Effect]:
        """One step; its writes reach the state through JSON."""
        overlay = Overlay(self.state)
        effects = list(self.monitor.step(event, overlay, self.snapshot, START + round(second * SECOND)))
        overlay.commit()
        stored = orjson.loads(orjson.dumps(self.state.entries))  # as Quix does: keys are plain strings
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
            breaker_epoch=self.admitting(endpoint, fields.get("version", "1")),
            result=result,
            latency_ms=800.0,
            occurred_at=START,
        )
        return self.apply(msgspec.structs.replace(base, **fields), second)

    def turns_of(self, times: int, second: float, result: TurnResult = TurnResult.OK, **fields: Any) -> None:
        """The same outcome several times at one instant."""
        for _ in range(times):
            self.turn(second, result, **fields)

    def ended(self, second: float, handling: Handling = Handling.AI_CONTAINED, **fields: Any) -> list[Effect]:
        """A contact of nova is over."""
        base = ContactOutcome(**self._contact(fields), handling=handling, occurred_at=START)
        return self.apply(msgspec.structs.replace(base, **fields), second)

    def graded(self, second: float, by: GradedBy = GradedBy.QA, **fields: Any) -> list[Effect]:
        """Somebody has found something of a contact of nova."""
        base = Graded(**self._contact(fields), by=by, handled_at=START, occurred_at=START)
        return self.apply(msgspec.structs.replace(base, **fields), second)

    def provider(self, second: float, status: ProviderState, until: float | None = None) -> list[Effect]:
        """A provider says how it is, and until which second."""
        event = ProviderStatus(
            tenant="acme",
            provider="north",
            status=status,
            until=None if until is None else START + round(until * SECOND),
            occurred_at=START + round(second * SECOND),
        )
        return self.apply(event, second)

    def tick(self, second: float) -> list[Effect]:
        """Time has passed."""
        return self.apply(Tick(key="acme/north", now=START), second)

    def order(
        self, action: BreakerAction, second: float, endpoint: str = "nova", version: str | None = None, by: str = ""
    ) -> list[Effect]:
        """An operator's command."""
        command = BreakerCommand(
            tenant="acme", provider="north", endpoint=endpoint, action=action, reason="drill", occurred_at=START,
            version=version, by=by,
        )  # fmt: skip
        return self.apply(command, second)

    def admitting(self, endpoint: str = "nova", version: str = "1") -> int:
        """The epoch under which a router admits a contact now."""
        scopes = (endpoint, f"{endpoint}\x1e{version}")
        return max(self.breaker(scope).epoch for scope in scopes)

    def _contact(self, fields: dict[str, Any]) -> dict[str, Any]:
        self.turns += 1
        epoch = self.admitting(fields.get("endpoint", "nova"), fields.get("version", "1"))
        return {
            "tenant": "acme", "provider": "north", "endpoint": "nova", "version": "1", "channel": Channel.CHAT,
            "interaction_id": f"c-{self.turns}", "intent": "balance", "queue": "retail", "breaker_epoch": epoch,
        }  # fmt: skip

    def breaker(self, endpoint: str = "nova") -> Breaker:
        """The stored breaker, or the one that every endpoint begins with."""
        stored = self.state.get(f"breaker\x1f{endpoint}")
        return Breaker() if stored is None else msgspec.convert(stored, Breaker)

    def of_version(self, version: str, endpoint: str = "nova") -> Breaker:
        """The breaker of one version of an endpoint."""
        return self.breaker(f"{endpoint}\x1e{version}")

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
    def probes(self) -> list[ProbeRequest]:
        """Calls without a customer that were wished for so far."""
        return [e.event for e in self.effects if isinstance(e.event, ProbeRequest)]

    @property
    def alerts(self) -> list[Alert]:
        """Alerts so far."""
        return [e.event for e in self.effects if isinstance(e.event, Alert)]

    @property
    def reasons(self) -> list[str]:
        """Reasons of the moves so far."""
        return [transition.reason for transition in self.transitions]

    @property
    def path(self) -> list[str]:
        """States in order, by their values, and the reason of the last step."""
        return [transition.to_state.value for transition in self.transitions]
