"""The centre as it is, read from Kafka: contacts, policy, people, plans, and versions of an agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from runtime.clock import now
from runtime.errors import SettingsError
from runtime.once import look_at
from runtime.reading import events
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from schemas.envelope import iso_time
from schemas.fields import MICROS_PER_SECOND
from schemas.interactions import Closed
from schemas.topics import AVAILABILITY, CLOCK, CLOSED, HANDLE_TIME, PLANS, POLICY, VOLUME
from schemas.wfm import INTERVAL_MICROS
from trunkline.what_if.base import Base, Seen, seen
from wfm_bridge.history.kept import Kept, Span
from wfm_bridge.history.versions import Versions

_HOUR = 3600 * MICROS_PER_SECOND


class Asked(NamedTuple):
    """Of whom and of when: the last `hours`, or the 15-minute interval with an instant in it (UTC microseconds).

    endpoint: agent of which the versions are wanted. ai_seconds: as on `base.Seen`.
    """

    tenant: str | None
    hours: int
    interval: int | None
    endpoint: str | None
    ai_seconds: float


class Found(NamedTuple):
    """The centre as it is, and what the versions of the agent have done, where one was asked for."""

    base: Base
    versions: Versions | None


def running(settings: Settings, asked: Asked, tell: Callable[[str], None]) -> Found:
    """Return the centre as the topics have it; `tell` is told how reading goes.

    Raises SettingsError where there is nothing to go by, KafkaUnavailableError where the topics cannot be read.
    """
    control = look_at(settings, "what-if", (POLICY, CLOCK, AVAILABILITY, PLANS))
    at = now(control)
    tenant = _tenant(asked.tenant, control)
    span, planned_at = _times(asked, at)
    kept = Kept(span, tenant)
    versions = None if asked.endpoint is None else Versions(tenant, asked.endpoint, span)
    for event in events(settings, (VOLUME, HANDLE_TIME) if versions is None else (VOLUME, HANDLE_TIME, CLOSED), tell):
        if isinstance(event, Closed):
            if versions is not None:
                versions.take(event)
        else:
            kept.take(event)
    is_past = asked.interval is not None and planned_at is None
    what = Seen(tenant, control, kept, span, None if is_past else at, planned_at, asked.ai_seconds)
    base = seen(what, _title(what, asked))
    _check(base, what)
    return Found(base, versions)


def _tenant(tenant: str | None, control: Snapshot) -> str:
    names = sorted(control.of(POLICY))
    if tenant is not None:
        return tenant
    if len(names) == 1:
        return str(names[0])
    raise SettingsError(f"say whose contacts with --tenant; tenants with a policy: {', '.join(names) or 'none'}")


def _times(asked: Asked, at: int) -> tuple[Span, int | None]:
    """Return the span to read, and the instant to come of which the plan is wanted."""
    end = at - at % INTERVAL_MICROS
    last = Span(end - asked.hours * _HOUR, end)
    if asked.interval is None:
        return last, None
    start = asked.interval - asked.interval % INTERVAL_MICROS
    return (Span(start, start + INTERVAL_MICROS), None) if start < end else (last, start)


def _title(what: Seen, asked: Asked) -> str:
    if what.planned_at is not None:
        return f"{what.tenant}, 15 minutes from {iso_time(what.planned_at)} on as planned, mixed as of {asked.hours} h"
    if asked.interval is not None:
        return f"{what.tenant}, 15 minutes from {iso_time(what.span.start)} on"
    return (
        f"{what.tenant}, mean of {asked.hours} h until {iso_time(what.span.end)}: its busy intervals require more "
        "(--interval TIME takes one)"
    )


def _check(base: Base, what: Seen) -> None:
    if what.planned_at is not None and not any(source.basis == "plan" for source in base.sources):
        raise SettingsError(
            f"nothing is planned for {iso_time(what.planned_at)}: load a plan (trunkline wfm plan load), or give an "
            "--interval that is over, or none"
        )
    if what.planned_at is None and not what.kept.volumes:
        names = ", ".join(sorted(what.control.of(POLICY))) or "none"
        raise SettingsError(
            f"no contacts of {what.tenant!r} came from {iso_time(what.span.start)} to {iso_time(what.span.end)}: give "
            f"more --hours, or a load with --contacts; tenants with a policy: {names}"
        )
