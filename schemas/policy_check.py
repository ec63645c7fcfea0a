"""What a policy must be beyond the types of its fields: names that name something, thresholds in order.

Whoever follows the topic `policy` checks the same, so a record that is refused is refused by all, and the last good
one of its tenant stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.control import Endpoint, KillSwitch, Policy, ThresholdRow
from schemas.errors import RecordError
from schemas.interactions import Thresholds

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


def problems(policy: Policy) -> Iterator[PolicyProblem]:
    """Yield what is wrong with a policy."""
    yield from _repeated("endpoints", (each.endpoint for each in policy.endpoints))
    yield from _repeated("queues", (each.queue for each in policy.queues))
    yield from _repeated("matrix", map(row_name, policy.matrix))
    yield from _repeated("residency", (each.customers for each in policy.residency))
    yield from _of_queues(policy)
    for endpoint in policy.endpoints:
        yield from _of_agent(endpoint)
    yield from _disordered(("thresholds",), policy.thresholds)
    for row in policy.matrix:
        yield from _disordered(("matrix", row_name(row)), row)
    breaker = policy.breaker
    for low, high in (("degraded_failure_rate", "open_failure_rate"), ("open_seconds", "open_seconds_max")):
        if getattr(breaker, low) > getattr(breaker, high):
            yield PolicyProblem(
                ("breaker", low),
                f"{getattr(breaker, low):g} is more than {high}, {getattr(breaker, high):g}",
                f"lower it, or raise {high}",
            )


def _of_queues(policy: Policy) -> Iterator[PolicyProblem]:
    queues = [each.queue for each in policy.queues]
    if policy.default_queue not in queues:
        yield PolicyProblem(
            ("default_queue",), f"there is no queue {policy.default_queue!r}", f"name one of {', '.join(queues)}"
        )
    homes: dict[str, str] = {}
    for queue in policy.queues:
        for intent in queue.intents:
            first = homes.setdefault(intent, queue.queue)
            if first != queue.queue:
                yield PolicyProblem(
                    ("queues", queue.queue, "intents"),
                    f"{intent!r} is an intent of {first!r} too",
                    "leave it to one of them",
                )


def _of_agent(endpoint: Endpoint) -> Iterator[PolicyProblem]:
    yield from _repeated(f"endpoints.{endpoint.endpoint}.capabilities", (each.intent for each in endpoint.capabilities))
    yield from _repeated(f"endpoints.{endpoint.endpoint}.channels", (each.channel for each in endpoint.channels))
    yield from _repeated(f"endpoints.{endpoint.endpoint}.languages", (each.language for each in endpoint.languages))
    for each in endpoint.capabilities:
        if each.intent not in endpoint.intents:
            yield PolicyProblem(
                ("endpoints", endpoint.endpoint, "capabilities", each.intent),
                "is none of the agent's intents",
                "add it to them, or take it away here",
            )


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
