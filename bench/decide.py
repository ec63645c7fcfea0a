"""What a decision takes with full policies: agents, intents and tenants as a large outsourcer has them. No broker.

Decisions alone, as in the middle of the router's step: no decoding, classifying, encoding. A batch of 1,000 contacts of
all tenants, intents, channels, languages and segments in turn, decided again and again (`warm`), and once by a world
that has seen none of it (`cold`): what is arranged at first sight is paid there.
"""

from __future__ import annotations

import gc
import itertools
import random
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

import psutil

from bench.options import Options
from bench.report import Report, Row
from bench.stage import say
from router.decide.contact import Contact
from router.decide.decision import decide
from router.decide.world import World, world_of
from runtime.snapshot import Snapshot
from schemas.control import (
    Availability,
    Capability,
    ChannelQuality,
    Endpoint,
    HumanQueue,
    LanguageQuality,
    Policy,
    ResidencyRule,
    ThresholdRow,
)
from schemas.fields import LATEST, Channel
from schemas.interactions import DEFAULT_THRESHOLDS, Classification, Load, Offered
from schemas.rules import (
    ComplianceEffect,
    ComplianceRule,
    Condition,
    IntentRule,
    Opening,
    Phase,
    Relief,
    Tightening,
    Triggers,
)
from schemas.topics import AVAILABILITY, POLICY, queue_key

BATCH = 1_000
NOW = 1_700_000_000_000_000
INTENTS_OF_AGENT = 30
_CHANNELS, _LANGUAGES, _SEGMENTS, _REGIONS = tuple(Channel), ("en", "de", "fr"), ("standard", "gold"), ("eu", "us")
_PLAIN = Load()
_SEED = 43


class Size(NamedTuple):
    """How much there is. Agents and intents are each tenant's own; an agent has 30 intents at most."""

    agents: int
    intents: int
    tenants: int

    def __str__(self) -> str:
        return f"{self.agents} agents, {self.intents:,} intents, {self.tenants} tenants"


SIZES = (Size(50, 150, 20), Size(500, 1_500, 200))


def run(options: Options) -> Report:
    """Time decisions at both sizes; each repetition has a world of its own."""
    rows = []
    fields: dict[str, object] = {"batch": BATCH}
    for size in SIZES:
        snapshot, contacts = snapshot_of(size), contacts_of(size, BATCH)
        cold, warm = [], []
        for repetition in range(options.repetitions()):
            world = world_of(snapshot)
            gc.collect()
            gc.freeze()  # as `runtime.service.tune_interpreter` has it: what stands is not looked at again
            cold.append(_microseconds(world, contacts))
            rounds = 5 if options.quick else 50
            warm.append(statistics.median(_microseconds(world, contacts) for _ in range(rounds)))
            say(f"{size}, run {repetition + 1}: cold {cold[-1]:.1f}, warm {warm[-1]:.2f} microseconds a decision")
        resident = psutil.Process().memory_info().rss / 1e6
        rows.append(Row(f"warm: {size}", tuple(warm), resident_megabytes=resident, note="the median of 50 batches"))
        rows.append(Row(f"cold: {size}", tuple(cold), note="the first batch of a new world"))
        fields[f"microseconds_{size.agents}_agents"] = {"warm": rows[-2].median, "cold": rows[-1].median}
    return Report("decide", "Microseconds per decision, batches of 1,000", "microseconds", rows, rows[0].name, fields)


def _microseconds(world: World, contacts: Sequence[Contact]) -> float:
    start = time.perf_counter()
    for contact in contacts:
        decide(contact, world, _PLAIN, NOW)
    return (time.perf_counter() - start) / len(contacts) * 1e6


def snapshot_of(size: Size) -> Snapshot:
    """Return the control topics: a policy for each tenant with all that a policy may have, and people."""
    snapshot = Snapshot()
    for tenant in range(size.tenants):
        policy = _policy(f"tenant-{tenant}", size, random.Random(_SEED + tenant))
        snapshot = snapshot.with_record(POLICY, policy.tenant, policy, tenant)
    for tenant in range(0, size.tenants, 4):
        said = Availability(
            tenant=f"tenant-{tenant}", queue="queue-0", agents_required=50, agents_available=45, expires_at=LATEST,
            occurred_at=NOW,
        )  # fmt: skip
        snapshot = snapshot.with_record(AVAILABILITY, queue_key(said.tenant, said.queue), said, tenant)
    return snapshot


def contacts_of(size: Size, count: int) -> list[Contact]:
    """Return contacts of all tenants in turn, the rest drawn."""
    drawn = random.Random(_SEED)
    contacts = []
    for number in range(count):
        offered = Offered(
            interaction_id=f"bench-{number}",
            tenant=f"tenant-{number % size.tenants}",
            channel=drawn.choice(_CHANNELS),
            language=drawn.choice(_LANGUAGES),
            segment=drawn.choice(_SEGMENTS),
            region=drawn.choice(_REGIONS),
            age_years=drawn.choice((None, 17, 40)),
            text="",
            occurred_at=NOW,
        )
        intent = f"intent-{drawn.randrange(size.intents)}"
        found = Classification(intent=intent, confidence=drawn.uniform(0.5, 1.0), model="bench")
        contacts.append(Contact(offered, number % 24, number, found))
    return contacts


def _policy(tenant: str, size: Size, drawn: random.Random) -> Policy:
    intents = [f"intent-{number}" for number in range(size.intents)]
    queues = max(1, size.intents // 15)
    return Policy(
        tenant=tenant,
        revision=1,
        thresholds=DEFAULT_THRESHOLDS,
        matrix=tuple(
            ThresholdRow(intent=intent, channel=channel, contained=0.95, assisted=0.8)
            for intent, channel in itertools.product(intents[::10], (None, Channel.VOICE))
        ),
        endpoints=tuple(_agent(number, intents, drawn) for number in range(size.agents)),
        queues=tuple(
            HumanQueue(queue=f"queue-{at}", intents=tuple(intents[at::queues]), hours=_HOURS) for at in range(queues)
        ),
        default_queue="queue-0",
        human_only_intents=tuple(intents[::8]),
        human_only_flags=("automation_opt_out",),
        residency=(ResidencyRule(customers="eu", agents=("eu",)),),
        intents=tuple(
            IntentRule(intent=intent, phase=Phase.SCALING, approve=Triggers(amount_over=100.0))
            for intent in intents[1::5]
        ),
        compliance=(
            ComplianceRule(rule="minors", when=Condition(age_under=18), effect=ComplianceEffect.PEOPLE),
            ComplianceRule(
                rule="disclosure",
                when=Condition(regions=("eu",)),
                effect=ComplianceEffect.DISCLOSE,
                text="I am a machine.",
            ),
        ),
        escalation=Triggers(sentiment_below=-0.5, turns_over=12),
        relief=Relief(contained_by=0.05, assisted_by=0.05),
        tightening=Tightening(contained_by=0.03),
        occurred_at=NOW,
    )


_HOURS = (Opening(days="mon-sun", hours="00:00-24:00"),)


def _agent(number: int, intents: Sequence[str], drawn: random.Random) -> Endpoint:
    own = tuple(sorted(drawn.sample(intents, min(INTENTS_OF_AGENT, len(intents)))))
    return Endpoint(
        endpoint=f"agent-{number}",
        provider=f"provider-{number % 5}",
        version="1",
        intents=own,
        capabilities=tuple(Capability(intent=each, resolved=drawn.random(), samples=200) for each in own),
        channels=tuple(ChannelQuality(channel=each, quality=drawn.uniform(0.5, 1.0)) for each in _CHANNELS),
        languages=tuple(LanguageQuality(language=each, quality=drawn.uniform(0.5, 1.0)) for each in _LANGUAGES),
        region=drawn.choice(_REGIONS),
        cost=drawn.choice((0.1, 0.2)),
    )
