"""What a policy, an order or a plan must be beyond the types of its fields: names that name something, and the like.

Whoever follows the topic `policy` checks the same, so a record that is refused is refused by all, and the last good
one of its tenant stands.
"""

from __future__ import annotations

import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from schemas.control import (
    PLAN_INTERVALS,
    BreakerPolicy,
    Endpoint,
    HumanQueue,
    KillSwitch,
    Policy,
    QueuePlan,
    ThresholdRow,
)
from schemas.errors import RecordError
from schemas.hours import days_of, instant, spans_of, zone
from schemas.interactions import Thresholds
from schemas.rules import ComplianceEffect, IntentHandling, Spillover

ANY = "*"


class PolicyProblem(NamedTuple):
    """One thing that is wrong: where, what, and what to do. `path`: of the document (see `router.policy`)."""

    path: tuple[str, ...]
    wrong: str
    remedy: str

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}: {self.wrong}; {self.remedy}"


class PolicyError(RecordError):
    """A policy or an order contradicts itself (reasons `invalid_policy`, `invalid_command`)."""


def check_policy(policy: Policy) -> None:
    """Raise PolicyError where a policy has problems; its message names them all."""
    found = list(problems(policy))
    if found:
        raise PolicyError("invalid_policy", f"policy of {policy.tenant!r}: " + " | ".join(map(str, found)))


def check_kill(order: KillSwitch) -> None:
    """Raise PolicyError (reason `invalid_command`) for an order about an agent of nobody."""
    if order.endpoint is not None and order.tenant is None:
        raise PolicyError(
            "invalid_command", f"order about agent {order.endpoint!r} names no tenant: agents are each tenant's own"
        )


def check_plan(plan: QueuePlan) -> None:
    """Raise RecordError (reason `invalid_plan`) for a plan of nothing, or of too much."""
    if not 1 <= len(plan.intervals) <= PLAN_INTERVALS:
        raise RecordError(
            "invalid_plan",
            f"the plan of queue {plan.queue!r} has {len(plan.intervals)} intervals: give 1 to {PLAN_INTERVALS}",
        )


def problems(policy: Policy) -> Iterator[PolicyProblem]:
    """Yield what is wrong with a policy."""
    yield from _repeated("endpoints", (each.endpoint for each in policy.endpoints))
    yield from _repeated("queues", (each.queue for each in policy.queues))
    yield from _repeated("matrix", map(row_name, policy.matrix))
    yield from _repeated("residency", (each.customers for each in policy.residency))
    yield from _repeated("intents", (each.intent for each in policy.intents))
    yield from _repeated("compliance", (each.rule for each in policy.compliance))
    yield from _repeated("limits", (each.limit for each in policy.limits))
    yield from _repeated("phrasings", (each.language for each in policy.phrasings))
    yield from _of_queues(policy)
    yield from _of_rules(policy)
    for endpoint in policy.endpoints:
        yield from _of_agent(endpoint)
    yield from _disordered(("thresholds",), policy.thresholds)
    for row in policy.matrix:
        yield from _disordered(("matrix", row_name(row)), row)
    yield from _of_breaker(policy.breaker)
    yield from _of_spillover(policy.spillover)


def _of_queues(policy: Policy) -> Iterator[PolicyProblem]:
    queues = [each.queue for each in policy.queues]
    if policy.default_queue not in queues:
        yield PolicyProblem(
            ("default_queue",), f"there is no queue {policy.default_queue!r}", f"name one of {', '.join(queues)}"
        )
    for queue in policy.queues:
        path = ("queues", queue.queue)
        yield from _able(path, queue)
        yield from _unread((*path, "time_zone"), zone, queue.time_zone, "name one such as Europe/Berlin, or UTC")
        for each in queue.hours:
            at = (*path, "hours", each.days)
            yield from _unread(at, days_of, each.days, "name days such as mon-fri, or a date such as 2026-12-25")
            yield from _unread(at, spans_of, each.hours, "write them as 08:00-18:00, or closed")
    named = [(("intents", rule.intent), rule.queue) for rule in policy.intents]
    named += [(("compliance", rule.rule), rule.queue) for rule in policy.compliance]
    for path, name in named:
        if name is not None and name not in queues:
            yield PolicyProblem((*path, "queue"), f"there is no queue {name!r}", f"name one of {', '.join(queues)}")


def _of_rules(policy: Policy) -> Iterator[PolicyProblem]:
    for rule in policy.intents:
        if rule.handling is IntentHandling.AI and rule.intent in policy.human_only_intents:
            yield PolicyProblem(
                ("intents", rule.intent, "handling"), "is ai, and human_only_intents has it", "take it from one of them"
            )
    for each in policy.compliance:
        if each.effect is ComplianceEffect.DISCLOSE and not each.text:
            yield PolicyProblem(("compliance", each.rule, "text"), "is missing", "write what AI is to say")
        if each.queue is not None and each.effect is not ComplianceEffect.PEOPLE:
            yield PolicyProblem(
                ("compliance", each.rule, "queue"), f"has no meaning for effect {each.effect}", "take it away"
            )
    relief = policy.relief
    if relief is not None and relief.shortage_from >= relief.shortage_full:
        yield PolicyProblem(
            ("relief", "shortage_from"),
            f"{relief.shortage_from:g} is not below shortage_full, {relief.shortage_full:g}",
            "lower it, or raise shortage_full",
        )


def _of_breaker(breaker: BreakerPolicy) -> Iterator[PolicyProblem]:
    for low, high in (("degraded_failure_rate", "open_failure_rate"), ("open_seconds", "open_seconds_max")):
        if getattr(breaker, low) > getattr(breaker, high):
            yield _more(("breaker", low), getattr(breaker, low), high, getattr(breaker, high))
    targets, path = breaker.targets, ("breaker", "targets")
    yield from _repeated(".".join((*path, "latency")), (each.channel for each in targets.latency))
    for each in targets.latency:
        if each.p95_ms <= 0.0:
            yield PolicyProblem((*path, "latency", each.channel), "is 0, which no answer keeps", "give milliseconds")
    baseline = targets.csat_baseline
    if baseline is not None and targets.csat_within > baseline:
        yield _more((*path, "csat_within"), targets.csat_within, "csat_baseline", baseline)
    if targets.utilisation_most <= 0.0:
        yield PolicyProblem(
            (*path, "utilisation_most"), "is 0, which one contact is above", "give a share of max_concurrent"
        )
    yield from _perfect(breaker)


def _perfect(breaker: BreakerPolicy) -> Iterator[PolicyProblem]:
    """A test tells two shares apart; of an agent that may never fail there is no test."""
    targets, path = breaker.targets, ("breaker", "targets")
    most = ("escalated_most", "looping_most", "hallucinated_most", "repeat_most")
    for where, share, never, any_share in (
        (("breaker", "degraded_failure_rate"), breaker.degraded_failure_rate, 0, 1),
        ((*path, "resolved"), targets.resolved, 1, 0),
        *(((*path, name), getattr(targets, name), 0, 1) for name in most),
    ):
        if share == never:
            yield PolicyProblem(
                where,
                f"is {never}, which no agent keeps for ever",
                f"give the share that you accept; {any_share} accepts any",
            )


def _of_spillover(said: Spillover) -> Iterator[PolicyProblem]:
    yield from _repeated("spillover.channels", (each.channel for each in said.channels))
    yield from _repeated("spillover.priorities", (each.segment for each in said.priorities))
    yield from _repeated("spillover.notices", (each.channel for each in said.notices))
    limit, path = said.deflect_below, ("spillover", "deflect_below")
    lowest = min([0, *(each.priority for each in said.priorities)])
    if limit is None:
        return
    if not said.metered:
        yield PolicyProblem(path, "has no meaning while metered is false", "set metered: true, or take it away")
    elif limit <= lowest:
        yield PolicyProblem(
            path, f"no contact has a priority below {limit}: the lowest is {lowest}", "raise it, or lower a priority"
        )


def _more(path: tuple[str, ...], low: float, name: str, high: float) -> PolicyProblem:
    return PolicyProblem(path, f"{low:g} is more than {name}, {high:g}", f"lower it, or raise {name}")


def _of_agent(endpoint: Endpoint) -> Iterator[PolicyProblem]:
    path = ("endpoints", endpoint.endpoint)
    yield from _able(path, endpoint)
    for at, each in enumerate(endpoint.maintenance):
        times = []
        for name in ("starts", "ends"):
            wrong = list(_unread((*path, "maintenance", str(at), name), instant, getattr(each, name),
                                 "write it as 2026-12-01T02:00:00Z"))  # fmt: skip
            yield from wrong
            times += [] if wrong else [instant(getattr(each, name))]
        if len(times) == 2 and times[0] >= times[1]:  # noqa: PLR2004 - both
            yield PolicyProblem((*path, "maintenance", str(at), "ends"), "is not after it starts", "give a later time")


def _able(path: tuple[str, ...], who: Endpoint | HumanQueue) -> Iterator[PolicyProblem]:
    """Yield what is wrong with what an agent or a queue is said to do well."""
    yield from _repeated(".".join((*path, "capabilities")), (each.intent for each in who.capabilities))
    yield from _repeated(".".join((*path, "channels")), (each.channel for each in who.channels))
    yield from _repeated(".".join((*path, "languages")), (each.language for each in who.languages))
    for each in who.capabilities:
        if each.intent not in who.intents:
            whose = "agent" if isinstance(who, Endpoint) else "queue"
            yield PolicyProblem(
                (*path, "capabilities", each.intent),
                f"is none of the {whose}'s intents",
                "add it to them, or take it away here",
            )


def _unread(path: tuple[str, ...], reads: Callable[[str], Any], text: str, remedy: str) -> Iterator[PolicyProblem]:
    try:
        reads(text)
    except (ValueError, zoneinfo.ZoneInfoNotFoundError):
        yield PolicyProblem(path, f"{text!r} cannot be read", remedy)


def row_name(row: ThresholdRow) -> str:
    """Return how a row of the matrix is called: intent/channel/segment, each `*` for any."""
    return "/".join(str(part) if part is not None else ANY for part in (row.intent, row.channel, row.segment))


def _repeated(where: str, names: Iterable[str]) -> Iterator[PolicyProblem]:
    for name, times in Counter(names).items():
        if times > 1:
            yield PolicyProblem((where, name), f"is there {times} times", "keep one")


def _disordered(path: tuple[str, ...], pair: Thresholds | ThresholdRow) -> Iterator[PolicyProblem]:
    if pair.assisted > pair.contained:
        yield PolicyProblem(
            (*path, "assisted"),
            f"{pair.assisted:g} is more than contained, {pair.contained:g}, so no contact could be watched",
            "lower it, or raise contained",
        )
