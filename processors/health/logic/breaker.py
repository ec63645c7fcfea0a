"""The breaker of one endpoint: its states, its one table of moves, its epochs.

A `Breaker` is frozen; `move` returns the next one or raises and changes nothing. All instants
are UTC microseconds.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from schemas.control import BreakerPolicy
from schemas.errors import TrunklineError
from schemas.fields import MICROS_PER_SECOND, NORMAL_TRAFFIC, BreakerState

PROBE_RENEWAL_SECONDS = 5.0
"""Probe permits are issued anew after this long: a probe may never have met a contact, and a
conversation's first answers come within a few seconds. Doubled for each issue of which nothing was
heard, up to `half_open_seconds_max`, so that a night without contacts costs one record a minute."""
CLOCK_TOLERANCE_SECONDS = 60
"""A clock that is behind by less than this is noise between hosts; more, and it was set back."""


class MoveReason(enum.StrEnum):
    """Why a breaker moved: the stable codes of `Transition.reason`."""

    CONSECUTIVE_FAILURES = "consecutive_failures"
    FAILURE_RATE = "failure_rate"
    FAILURE_POSTERIOR = "failure_posterior"
    LATENCY = "latency"
    QUALITY = "quality"
    RECOVERED = "recovered"
    EVIDENCE_EXPIRED = "evidence_expired"
    OPEN_ELAPSED = "open_elapsed"
    PROBES_RENEWED = "probes_renewed"
    PROBES_SUCCEEDED = "probes_succeeded"
    PROBE_FAILED = "probe_failed"
    PROBES_INCONCLUSIVE = "probes_inconclusive"
    FORCED_BY_COMMAND = "forced_by_command"
    CLOSED_BY_COMMAND = "closed_by_command"
    LOOPING = "looping"
    UNRESOLVED = "unresolved"
    HALLUCINATIONS = "hallucinations"
    UNSATISFIED = "unsatisfied"
    ESCALATIONS = "escalations"
    REPEAT_CONTACTS = "repeat_contacts"
    INTENT_FAILING = "intent_failing"
    SHED_ELAPSED = "shed_elapsed"
    CAP_LOWERED = "cap_lowered"
    RETRY_AFTER = "retry_after"


_S, _R = BreakerState, MoveReason
_FAILING = frozenset({_R.CONSECUTIVE_FAILURES, _R.FAILURE_RATE, _R.FAILURE_POSTERIOR, _R.RETRY_AFTER})
_WORSE = frozenset(
    {
        _R.FAILURE_RATE, _R.FAILURE_POSTERIOR, _R.LATENCY, _R.QUALITY, _R.LOOPING, _R.UNRESOLVED, _R.HALLUCINATIONS,
        _R.UNSATISFIED, _R.ESCALATIONS, _R.REPEAT_CONTACTS,
    }
)  # fmt: skip
_FORCED = frozenset({_R.FORCED_BY_COMMAND})
_ORDERED = frozenset({_R.CLOSED_BY_COMMAND})

TABLE: Mapping[tuple[BreakerState, BreakerState], frozenset[MoveReason]] = MappingProxyType(
    {
        (_S.CLOSED, _S.DEGRADED): _WORSE | {_R.INTENT_FAILING},
        (_S.CLOSED, _S.OPEN): _FAILING,
        (_S.CLOSED, _S.FORCED_OPEN): _FORCED,
        (_S.DEGRADED, _S.DEGRADED): _WORSE | {_R.INTENT_FAILING, _R.CAP_LOWERED},
        (_S.DEGRADED, _S.CLOSED): frozenset({_R.RECOVERED, _R.EVIDENCE_EXPIRED, _R.SHED_ELAPSED, _R.CLOSED_BY_COMMAND}),
        (_S.DEGRADED, _S.OPEN): _FAILING,
        (_S.DEGRADED, _S.FORCED_OPEN): _FORCED,
        (_S.OPEN, _S.HALF_OPEN): frozenset({_R.OPEN_ELAPSED}),
        (_S.OPEN, _S.CLOSED): _ORDERED,
        (_S.OPEN, _S.FORCED_OPEN): _FORCED,
        (_S.HALF_OPEN, _S.HALF_OPEN): frozenset({_R.PROBES_RENEWED}),
        (_S.HALF_OPEN, _S.CLOSED): frozenset({_R.PROBES_SUCCEEDED, _R.CLOSED_BY_COMMAND}),
        (_S.HALF_OPEN, _S.OPEN): frozenset({_R.PROBE_FAILED, _R.PROBES_INCONCLUSIVE, _R.RETRY_AFTER}),
        (_S.HALF_OPEN, _S.FORCED_OPEN): _FORCED,
        (_S.FORCED_OPEN, _S.CLOSED): _ORDERED,
    }
)
"""Every move there is: (from, to) -> the reasons for which it may be made."""

OUT = frozenset({_S.OPEN, _S.FORCED_OPEN})
"""States in which it takes none, and no outcome is booked."""


class IllegalMoveError(TrunklineError):
    """A breaker was to make a move that is not in the table; it stays where it was."""


class Breaker(msgspec.Struct, frozen=True, array_like=True):
    """State of one breaker, stored as a compact list.

    Attributes:
        state: where it is.
        epoch: grows with each transition; all breakers of one endpoint draw theirs from one count.
        accepts_from_epoch: outcomes admitted under an older epoch are never booked.
        changed_at: when it entered `state` (for HALF_OPEN: when permits were last issued).
        open_until: end of OPEN, 0 in other states.
        opens: times OPEN was entered since the last stable close.
        recovered_at: when it last came back to normal traffic, 0 before that.
        out_since: when it last left normal traffic, 0 before that.
        half_open_at: when HALF_OPEN was entered.
        renew_at: when permits are next issued, while in HALF_OPEN.
        barren_issues: issues of permits in a row of which nothing was heard.
        issues: issues of permits ever; rotates them over the partitions.
        heard: probe outcomes since the last issue.
        successes: successful probe outcomes since HALF_OPEN was entered.
        inconclusive: probe outcomes that were neither success nor hard failure, likewise.
        shed: intents that the endpoint does not get, in DEGRADED.
        shed_until: when it gets them again, 0 where none is shed.
        sheds: times that intents were shed since it was last stable.
        intents_only: only those intents are degraded.
        most_at_once: contacts at once that it may have in DEGRADED, None where the policy's number stands.
        capped_at: when that was last set.
        clean_from: epoch from which on what its intents do counts.
    """

    state: BreakerState = BreakerState.CLOSED
    epoch: int = 0
    accepts_from_epoch: int = 0
    changed_at: int = 0
    open_until: int = 0
    opens: int = 0
    recovered_at: int = 0
    out_since: int = 0
    half_open_at: int = 0
    renew_at: int = 0
    barren_issues: int = 0
    issues: int = 0
    heard: int = 0
    successes: int = 0
    inconclusive: int = 0
    shed: tuple[str, ...] = ()
    shed_until: int = 0
    sheds: int = 0
    intents_only: bool = False
    most_at_once: int | None = None
    capped_at: int = 0
    clean_from: int = 0

    def books(self, admitted_epoch: int) -> bool:
        """Whether an outcome of a contact admitted under `admitted_epoch` counts now."""
        return self.state not in OUT and admitted_epoch >= self.accepts_from_epoch


def move(
    breaker: Breaker,
    to_state: BreakerState,
    reason: MoveReason,
    now: int,
    *,
    policy: BreakerPolicy,
    endpoint: str,
    epoch: int | None = None,
) -> Breaker:
    """Return the breaker after one transition at `now` (microseconds).

    epoch: of the transition, where the endpoint has used some since this breaker's last; else the next one.

    Raises:
        IllegalMoveError: the table does not allow this move for this reason.
    """
    if reason not in TABLE.get((breaker.state, to_state), ()):
        raise IllegalMoveError(
            f"breaker of endpoint {endpoint!r} in epoch {breaker.epoch} cannot go from {breaker.state} to {to_state} "
            f"for reason {reason}: add the move to TABLE if it is wanted"
        )
    next_epoch = breaker.epoch + 1 if epoch is None else epoch
    moved = msgspec.structs.replace(breaker, state=to_state, epoch=next_epoch, changed_at=now, open_until=0)
    if to_state is not BreakerState.DEGRADED:
        moved = msgspec.structs.replace(
            moved, shed=(), shed_until=0, intents_only=False, most_at_once=None, capped_at=0
        )
    if to_state in OUT or reason is MoveReason.CLOSED_BY_COMMAND:
        moved = msgspec.structs.replace(moved, clean_from=next_epoch)
    if to_state not in NORMAL_TRAFFIC and breaker.state in NORMAL_TRAFFIC:
        moved = msgspec.structs.replace(moved, out_since=now)
    if to_state is BreakerState.OPEN:
        return _opened(breaker, moved, policy, endpoint)
    if to_state is BreakerState.HALF_OPEN:
        return _half_opened(breaker, moved, policy)
    if to_state is BreakerState.CLOSED:
        return _closed(breaker, moved, reason)
    return moved


def _opened(before: Breaker, moved: Breaker, policy: BreakerPolicy, endpoint: str) -> Breaker:
    """A close is stable, and the count of opens begins anew, once it has held for the longest wait."""
    held = moved.changed_at - before.recovered_at
    stable = before.state in NORMAL_TRAFFIC and held >= micros(policy.open_seconds_max)
    opens = 1 if stable else before.opens + 1
    wait = micros(open_seconds(endpoint, moved.epoch, opens, policy))
    return msgspec.structs.replace(moved, opens=opens, open_until=moved.changed_at + wait)


def _half_opened(before: Breaker, moved: Breaker, policy: BreakerPolicy) -> Breaker:
    renewed = before.state is BreakerState.HALF_OPEN
    barren = before.barren_issues + 1 if renewed and not before.heard else 0
    # The exponent is bounded because the wait is: 5 s * 2**20 is two months.
    wait = min(PROBE_RENEWAL_SECONDS * 2 ** min(barren, 20), policy.half_open_seconds_max)
    issued = msgspec.structs.replace(
        moved, renew_at=moved.changed_at + micros(wait), barren_issues=barren, issues=before.issues + 1, heard=0
    )
    if renewed:
        return issued
    return msgspec.structs.replace(
        issued, accepts_from_epoch=moved.epoch, half_open_at=moved.changed_at, successes=0, inconclusive=0
    )


def _closed(before: Breaker, moved: Breaker, reason: MoveReason) -> Breaker:
    """After HALF_OPEN, the contacts that it admitted still count; after OPEN only new ones do."""
    if reason is MoveReason.CLOSED_BY_COMMAND:
        moved = msgspec.structs.replace(moved, opens=0)
    if before.state in NORMAL_TRAFFIC:
        return moved
    if before.state is not BreakerState.HALF_OPEN:
        moved = msgspec.structs.replace(moved, accepts_from_epoch=moved.epoch)
    return msgspec.structs.replace(moved, recovered_at=moved.changed_at)


def open_seconds(endpoint: str, epoch: int, opens: int, policy: BreakerPolicy) -> float:
    """Seconds that OPEN lasts the `opens`-th time in a row: linear, jittered, bounded."""
    nominal = min(policy.open_seconds * opens, policy.open_seconds_max)
    return min(nominal * (1.0 + policy.open_jitter * spread(endpoint, epoch)), policy.open_seconds_max)


def spread(endpoint: str, epoch: int) -> float:
    """Return a number from -1 to 1 that spreads breakers which tripped together, so that they do not probe together.

    It is a hash of endpoint and epoch, not a random number: a replay gives the same instant.
    """
    digest = hashlib.blake2b(f"{endpoint}\x1f{epoch}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / (2**64 - 1) * 2.0 - 1.0


def rebased(breaker: Breaker, now: int) -> Breaker:
    """Return the breaker with its instants moved back where the clock was set back behind its last change.

    Its waits then begin anew at `now`, rather than last until the old time comes round again.
    """
    lead = breaker.changed_at - now
    if lead <= CLOCK_TOLERANCE_SECONDS * MICROS_PER_SECOND:
        return breaker
    instants = (
        "changed_at", "open_until", "recovered_at", "out_since", "half_open_at", "renew_at", "shed_until", "capped_at",
    )  # fmt: skip
    return msgspec.structs.replace(breaker, **{name: max(0, getattr(breaker, name) - lead) for name in instants})


def micros(seconds: float) -> int:
    """Seconds in whole microseconds."""
    return round(seconds * MICROS_PER_SECOND)
