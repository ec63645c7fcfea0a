"""What staffing was told that routers take an agent for, where a breaker of one version has a part in it.

A policy may name another version while the old one is out, or one that is out: no breaker moves then, and yet the
agent's capacity is back, or gone. State, one entry per endpoint: the state last told, while it is not CLOSED.
"""

from __future__ import annotations

from processors.health.logic import impact, outlook
from processors.health.logic.watch import Watch
from schemas.fields import BreakerState
from schemas.topics import WFM_EVENTS, Effect
from schemas.wfm import Impact


def noted(watch: Watch, epoch: int, rows: impact.Rows) -> Impact:
    """Return the impact of what routers now take the agent for, and take note of it. epoch: of the impact."""
    state = watch.routed_state()
    name = _name(watch.endpoint)
    if state is not BreakerState.CLOSED:
        watch.state.set(name, state.value)
    elif watch.state.get(name) is not None:
        watch.state.delete(name)
    duration = outlook.expected_duration(watch.state, watch.endpoint, watch.now)
    contacts = impact.counted(rows)
    return Impact(
        tenant=watch.tenant,
        provider=watch.provider,
        endpoint=watch.endpoint,
        state=state,
        epoch=epoch,
        displaced=impact.displaced(rows, watch.endpoint, watch.tenant_policy),
        expected_seconds_p50=duration.p50_seconds,
        expected_seconds_p90=duration.p90_seconds,
        duration_samples=duration.samples,
        occurred_at=watch.now,
        contacts_counted=contacts,
        confidence=impact.confidence(contacts),
        duration_source=duration.source,
    )


def told(watch: Watch) -> list[Effect]:
    """Return the impact that is due without a move. watch: of the endpoint's own breaker."""
    if watch.routed_state() == watch.state.get(_name(watch.endpoint), BreakerState.CLOSED):
        return []
    return [Effect(WFM_EVENTS, noted(watch, watch.next_epoch(), watch.load()))]


def _name(endpoint: str) -> str:
    return f"routed\x1f{endpoint}"
