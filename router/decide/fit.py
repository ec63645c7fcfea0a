"""Which AI agents may have a contact, and how well each fits it; queues of people are held against the same. Pure.

The fit is what the agent has been shown to resolve of the intent, cautiously (the lower bound of the share, so that few
samples count for little), times its quality on the channel and in the language.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from schemas.control import Endpoint, HumanQueue, ResidencyRule
from schemas.fields import Channel

Z = 1.645
"""Of the lower bound: 95 % one-sided, as is usual."""
ANY_REGION = "*"

Worker = Endpoint | HumanQueue
"""Who can be held against a contact: both say alike what they are good at."""


def lower_bound(share: float, samples: int) -> float:
    """Return the lower end of Wilson's interval (1927) for a share seen in so many samples; 0 where there are none."""
    if samples <= 0:
        return 0.0
    spread = Z * math.sqrt(share * (1.0 - share) / samples + Z * Z / (4.0 * samples * samples))
    return max(0.0, (share + Z * Z / (2.0 * samples) - spread) / (1.0 + Z * Z / samples))


def allowed_regions(residency: Sequence[ResidencyRule], region: str | None) -> Collection[str] | None:
    """Return the regions of the agents that may serve a customer of a region; None for any."""
    rules = {rule.customers: rule.agents for rule in residency}
    return rules.get(region or ANY_REGION, rules.get(ANY_REGION))


def hindrance(endpoint: Endpoint, regions: Collection[str] | None, channel: Channel, language: str) -> str | None:
    """Return why an agent may not have such a contact, as the code of a reason; None where it may."""
    if regions is not None and endpoint.region not in regions:
        return "outside_region"
    if on_channel(endpoint, channel) is None:
        return "not_on_channel"
    return "not_in_language" if in_language(endpoint, language) is None else None


def fits(workers: Sequence[Worker], intent: str, channel: Channel, language: str) -> list[float]:
    """Return how well each of some agents or queues fits a contact, 0 to 1.

    Where no agent states a capability for the intent, none is better than another; where some do, one that does not
    has shown nothing.
    """
    strengths = [shown(worker, intent) for worker in workers]
    if all(each is None for each in strengths):
        strengths = [1.0] * len(workers)
    return [
        (strength or 0.0) * (on_channel(worker, channel) or 0.0) * (in_language(worker, language) or 0.0)
        for worker, strength in zip(workers, strengths, strict=True)
    ]


def on_channel(worker: Worker, channel: Channel) -> float | None:
    """Return a worker's quality on a channel, None where it is not on it; 1 where it names no channel."""
    if not worker.channels:
        return 1.0
    return next((each.quality for each in worker.channels if each.channel is channel), None)


def in_language(worker: Worker, language: str) -> float | None:
    """Return a worker's quality in a language, None where it has it not; 1 where it names none.

    `en-GB` is looked for as it is, then as `en`.
    """
    if not worker.languages:
        return 1.0
    qualities = {each.language: each.quality for each in worker.languages}
    found = qualities.get(language)
    return qualities.get(language.partition("-")[0]) if found is None else found


def shown(worker: Worker, intent: str) -> float | None:
    """Return what a worker was shown to resolve of an intent, cautiously; None where it states nothing."""
    for capability in worker.capabilities:
        if capability.intent == intent:
            return lower_bound(capability.resolved, capability.samples)
    return None
