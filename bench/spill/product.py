"""Trunkline in virtual time: the router's decision and staffing's step, on control topics and states in memory."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from bench.spill.setting import AGENTS, QUEUE, TENANT, Setting, policy_of
from processors.staffing.logic import Staffing
from router.decide.contact import Contact
from router.decide.decision import decide, spare_room
from router.decide.permits import PermitLedger
from router.decide.spillover import spent_spare
from router.decide.world import world_of
from runtime.snapshot import Snapshot
from runtime.state import DictState, Overlay
from schemas.agents import Evidence, Tick, Transition
from schemas.control import Availability
from schemas.fields import MICROS_PER_SECOND, BreakerState, Event
from schemas.interactions import Decision, Load, Offered, Released
from schemas.rules import Spillover
from schemas.topics import AVAILABILITY, POLICY, SPARE, TRANSITIONS, Topic, endpoint_key, queue_key
from schemas.wfm import Displaced, Impact, SpareCapacity

_EVIDENCE = Evidence(
    window_seconds=60.0, outcomes=10, failures=10, consecutive_failures=10, failure_rate=1.0, posterior_mean=0.9,
    latency_mean_ms=0.0, latency_baseline_ms=0.0,
)  # fmt: skip


class Trunkline:
    """One tenant's policy, breakers and people on control topics; the router's world and staffing's state."""

    def __init__(self, spillover: Spillover, setting: Setting, now: int) -> None:
        self._setting = setting
        self._offsets = 0
        self._decided = 0
        self._staffing = Staffing(offered_partitions=setting.partitions)
        self._state = DictState()
        self._snapshot = Snapshot()
        self._world = world_of(self._snapshot)
        self._permits = PermitLedger()
        self._tell(POLICY, TENANT, policy_of(spillover, setting, now))

    def decide(self, offered: Offered, now: int) -> Decision:
        """Return the router's decision on an offer that brings its classification."""
        partition = zlib.crc32(offered.interaction_id.encode()) % self._setting.partitions
        self._decided += 1
        assert offered.classification is not None  # noqa: S101 - `outage` gives each its own
        contact = Contact(offered, partition, self._decided, offered.classification)
        room = spare_room(contact, self._world, now)
        if room is None:
            return decide(contact, self._world, Load(), now)
        left = max(0, self._permits.left((room,), partition, now))
        decision = decide(contact, self._world, Load(spare=left), now)
        if spent_spare(decision):
            self._permits.spend((room,), partition)
            self._permits.kept()
            self._permits.sealed()
            self._permits.committed()
        return decision

    def feed(self, event: Event, now: int) -> list[Released]:
        """Give staffing an event; return the contacts that it lets out of its buffer."""
        overlay = Overlay(self._state)
        effects = self._staffing.step(event, overlay, self._snapshot, now)
        overlay.commit()
        released = []
        for effect in effects:
            if isinstance(effect.event, Released):
                released.append(effect.event)
            elif isinstance(effect.event, SpareCapacity):
                self._tell(SPARE, queue_key(TENANT, QUEUE), effect.event)
        return released

    def tick(self, now: int) -> list[Released]:
        """Let a second pass for staffing."""
        return self.feed(Tick(key=TENANT, now=now), now)

    def staff(self, people: int, now: int, until: int) -> None:
        """Tell how many people are in seats until then: as many as are needed, says WFM."""
        said = Availability(
            tenant=TENANT, queue=QUEUE, agents_required=people, agents_available=people, starts_at=now,
            expires_at=until, occurred_at=now,
        )  # fmt: skip
        self._tell(AVAILABILITY, queue_key(TENANT, QUEUE), said)

    def moves(
        self, state: BreakerState, epoch: int, carried: Sequence[tuple[str, str, float]], now: int
    ) -> list[Released]:
        """Move the breakers of all agents. carried: agent, intent and contacts per minute, from before."""
        released = []
        for agent in AGENTS:
            self._tell(TRANSITIONS, endpoint_key(TENANT, agent), _transition(agent, state, epoch, self._setting, now))
            others = tuple(other for other in AGENTS if other != agent)
            displaced = tuple(
                Displaced(queue=QUEUE, intent=intent, contacts_per_minute=per_minute, alternatives=others)
                for name, intent, per_minute in carried
                if name == agent
            )
            impact = Impact(
                tenant=TENANT, provider=f"{agent}-ai", endpoint=agent, state=state, epoch=epoch, displaced=displaced,
                expected_seconds_p50=300.0, expected_seconds_p90=1800.0, duration_samples=0, occurred_at=now,
            )  # fmt: skip
            released += self.feed(impact, now)
        return released

    def _tell(self, topic: Topic, key: str, event: Event) -> None:
        """Put a record on a control topic."""
        self._offsets += 1
        self._snapshot = self._snapshot.with_record(topic, key, event, self._offsets)
        self._world = world_of(self._snapshot, self._world)


def _transition(agent: str, state: BreakerState, epoch: int, setting: Setting, now: int) -> Transition:
    closed = state is BreakerState.CLOSED
    return Transition(
        tenant=TENANT,
        provider=f"{agent}-ai",
        endpoint=agent,
        from_state=BreakerState.HALF_OPEN if closed else BreakerState.CLOSED,
        to_state=state,
        epoch=epoch,
        reason="probes_succeeded" if closed else "consecutive_failures",
        evidence=_EVIDENCE,
        open_until=None if closed else now + round(setting.outage_seconds * MICROS_PER_SECOND),
        occurred_at=now,
        ramp_seconds=setting.ramp_seconds if closed else 0.0,
        ramp_from=setting.ramp_from if closed else 1.0,
    )
