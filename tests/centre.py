"""A simulated contact centre in virtual time, with a router that the test plays."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from schemas.control import Fault
from schemas.fields import Disposition, Pool
from schemas.interactions import Decision, Load, Offered, Thresholds, Turn
from schemas.topics import OFFERED, Effect
from simulator.centre import Centre
from simulator.policies import demo_policy
from simulator.utterances import Utterance
from simulator.world import Input, World

SECOND = 1_000_000
START = 1_800_000_000 * SECOND
UTTERANCES = (Utterance("where is my parcel", "delivery_tracking"), Utterance("my line is dead", "internet_fault"))

Router = Callable[[Offered], list[tuple[int, Decision]]]
"""What it answers to an offer: decisions, each with its delay in microseconds."""
Sessions = Callable[[Any], list[tuple[int, Input]]]
"""What sessions answer to anything else that the centre tells, each with its delay in microseconds."""


def decision(offered_id: str, **changes: Any) -> Decision:
    """A decision for AI alone, at support-bot."""
    fields: dict[str, Any] = {
        "decision_id": f"d-{offered_id}",
        "interaction_id": offered_id,
        "tenant": "demo",
        "channel": "chat",
        "language": "en",
        "segment": "standard",
        "intent": "internet_fault",
        "confidence": 0.97,
        "runner_up_gap": 0.5,
        "model": "m",
        "pool": Pool.AI_CONTAINED,
        "supervision": None,
        "disposition": Disposition.ROUTE,
        "queue": "technical",
        "endpoint": "support-bot",
        "endpoint_version": "5.0.3",
        "provider": "lumen-ai",
        "thresholds": Thresholds(contained=0.92, assisted=0.75),
        "reasons": (),
        "epochs": {},
        "load": Load(),
        "offered_partition": 0,
        "offered_offset": 0,
        "offered_at": START,
        "decided_at": START,
    }
    return Decision(**{**fields, **changes})


def to_ai(offered: Offered) -> list[tuple[int, Decision]]:
    return [(20_000, decision(offered.interaction_id))]


def to_people(offered: Offered) -> list[tuple[int, Decision]]:
    return [(20_000, decision(offered.interaction_id, pool=Pool.HUMAN_EXCLUSIVE, endpoint=None))]


def world(arrivals: Iterable[int], *, seed: int = 1, faults: Iterable[tuple[int, Fault]] = (), **changes: Any) -> World:
    """A world with the demo's policy, offering at these instants. changes: of the centre, and of its `policy`."""
    policy = msgspec.structs.replace(demo_policy(START), **changes.pop("policy", {}))
    fields = {"tenant": "demo", "run_id": "run", "utterances": UTTERANCES, **changes}
    rngs = (random.Random(f"{purpose}{seed}") for purpose in "ahb")
    made = World(Centre(**fields), iter(sorted(arrivals)), *rngs, faults)
    made.step(0, [policy])
    return made


def of(effects: Iterable[Effect], kind: type[Any]) -> list[Any]:
    """The events of a type among effects."""
    return [effect.event for effect in effects if isinstance(effect.event, kind)]


def by_contact(effects: Iterable[Effect]) -> dict[str, list[Turn]]:
    """The turns of each contact that had any."""
    turns: dict[str, list[Turn]] = defaultdict(list)
    for turn in of(effects, Turn):
        turns[turn.interaction_id].append(turn)
    return turns


def play(
    simulated: World,
    router: Router,
    *,
    sessions: Sessions = lambda _told: [],
    also_at: Iterable[int] = (),
    look: Callable[[World], None] = lambda _world: None,
    steps: int = 200_000,
) -> list[Effect]:
    """Run until everything is closed or nothing can happen any more; return the effects in order.

    also_at: further instants at which the world is woken, though nothing is due. look: is shown the world at each step.
    """
    effects: list[Effect] = []
    answers: list[tuple[int, int, Input]] = []
    extra = sorted(also_at)
    now = START
    answered = 0
    for _ in range(steps):
        inputs = []
        while answers and answers[0][0] <= now:
            inputs.append(heapq.heappop(answers)[2])
        new = simulated.step(now, inputs)
        effects += new
        look(simulated)
        for effect in new:
            for delay, answer in (router if effect.topic is OFFERED else sessions)(effect.event):
                answered += 1
                heapq.heappush(answers, (max(effect.event.occurred_at + delay, now), answered, answer))
        due = [at for at in (simulated.wakes_at(), answers[0][0] if answers else None) if at is not None]
        if not due or (simulated.finished and not answers):
            return effects
        while extra and extra[0] <= now:
            extra.pop(0)
        now = max(now, min([*due, *extra[:1]]))
    raise AssertionError(f"not at an end after {steps} steps: {simulated.progress()}")
