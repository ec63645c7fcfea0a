"""Subscriptions to webhooks: who is sent what, and where. No secret is in them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from schemas.fields import Count, Event, Id, Micros, Name, Seconds

Url = Annotated[str, Meta(min_length=1, max_length=2048, description="where it is sent")]


class WebhookSubscription(Event, frozen=True, kw_only=True):
    """A receiver, and what of a tenant it is sent. Written by operators; the last record of a subscription stands.

    `topics`: by the registry's names. `queues`: of these alone; empty for all. It is sent what was written from
    `starts_at` on. `revision` grows with every change. `secret_generation`: which secret signs, derived from the
    installation's key; `secret_check` tells whether the key at hand is that one. `previous_secret_until`: until then
    the generation before signs too. `at_once`: requests under way at most. A message that nobody takes is a dead letter
    once it is `max_age_seconds` old, or after `max_attempts`.
    """

    subscription: Id
    tenant: Id
    url: Url
    topics: Annotated[tuple[str, ...], Meta(min_length=1)]
    queues: tuple[Name, ...] = ()
    revision: Count
    secret_generation: Count
    secret_check: str
    previous_secret_until: Micros | None = None
    at_once: Annotated[int, Meta(ge=1, le=64, description="requests under way")]
    max_age_seconds: Seconds
    max_attempts: Annotated[int, Meta(ge=1, description="attempts of one message")]
    starts_at: Micros
    changed_by: str = ""
    created_at: Micros
    occurred_at: Micros


class WebhookDisabled(Event, frozen=True, kw_only=True):
    """A receiver said that it is gone (410): revision `revision` of its subscription is sent nothing more.

    Written by the sender, under a key of its own: it cannot undo what an operator writes at the same time.
    """

    subscription: Id
    tenant: Id
    revision: Count
    reason: str
    occurred_at: Micros
