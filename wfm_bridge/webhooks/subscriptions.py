"""What subscriptions say: which are sent something, and whether an event is for one. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.snapshot import Snapshot
from schemas import topics
from schemas.fields import Event
from schemas.topics import Topic, disabled_key
from schemas.webhooks import WebhookDisabled, WebhookSubscription
from wfm_bridge.webhooks.errors import WebhookError

OFFERED: Mapping[str, Topic] = {
    topic.name: topic
    for topic in (
        topics.STAFFING,
        topics.CAPACITY,
        topics.SPARE,
        topics.VOLUME,
        topics.CONTAINMENT,
        topics.TRANSITIONS,
        topics.ALERTS,
    )
}
"""What can be subscribed to. Not inboxes, which are between services, nor what WFM itself writes."""


def subscriptions(snapshot: Snapshot) -> dict[str, WebhookSubscription]:
    """Return the subscriptions that stand, those of receivers that are gone included, by id."""
    found = snapshot.of(topics.WEBHOOKS)
    return {key: each for key, each in sorted(found.items()) if isinstance(each, WebhookSubscription)}


def disabled(snapshot: Snapshot, subscription: WebhookSubscription) -> WebhookDisabled | None:
    """Return the word that a subscription's receiver is gone, None where it is not, or was enabled since."""
    word = snapshot.of(topics.WEBHOOKS).get(disabled_key(subscription.subscription))
    return word if isinstance(word, WebhookDisabled) and word.revision == subscription.revision else None


def active(snapshot: Snapshot) -> dict[str, WebhookSubscription]:
    """Return the subscriptions that are sent something, by id."""
    return {key: each for key, each in subscriptions(snapshot).items() if disabled(snapshot, each) is None}


def topics_of(names: tuple[str, ...], queues: tuple[str, ...]) -> list[Topic]:
    """Return the topics of these names; raises WebhookError where one cannot be subscribed to."""
    unknown = [name for name in names if name not in OFFERED]
    if unknown:
        raise WebhookError(f"{', '.join(unknown)}: no such topic is sent by webhooks; there are {', '.join(OFFERED)}")
    found = [OFFERED[name] for name in dict.fromkeys(names)]
    without = [topic.name for topic in found if not any("queue" in kind.__struct_fields__ for kind in topic.types)]
    if queues and without:
        raise WebhookError(f"{', '.join(without)} tells of no queue: leave --queue out, or that topic")
    return found


def wants(subscription: WebhookSubscription, event: Event) -> bool:
    """Return whether an event is for a subscription: of its tenant, and of its queues where it names some."""
    if getattr(event, "tenant", None) != subscription.tenant:
        return False
    return not subscription.queues or getattr(event, "queue", None) in subscription.queues
