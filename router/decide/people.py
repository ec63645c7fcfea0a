"""Which queue of people has a contact: by intent, channel, language and hours. Pure.

Several queues may take an intent; the one that fits best of those that are open has it, as with AI agents. What WFM
says of the people in a queue (`wfm.availability`) is its shortage.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from router.decide.fit import fits, in_language, on_channel
from schemas.control import Availability, HumanQueue, Policy
from schemas.fields import Channel
from schemas.hours import Calendar, calendar
from schemas.interactions import Offered, Reason
from schemas.rules import Answer, IntentRule
from schemas.topics import queue_key

_DIGITS = 9
"""Shares are rounded to these: 95 of 100 are short of 0.05, and of no more."""
FOREVER = 1 << 62
"""Later than any instant."""


@dataclasses.dataclass(frozen=True, slots=True)
class People:
    """A queue of people for some contacts, and why this one. `answer`: what they get where it is closed."""

    queue: str
    answer: Answer = Answer.PEOPLE
    reasons: tuple[Reason, ...] = ()


class Queues:
    """The queues of a tenant at one time. `until`: so long nothing of this changes by itself.

    `shortage`: queue -> share of the people required who are not there, for those of whom WFM says so now.
    """

    def __init__(
        self, policy: Policy, calendars: Mapping[str, Calendar], said: Iterable[Availability], now: int
    ) -> None:
        self._policy = policy
        self._by_name = {queue.queue: queue for queue in policy.queues}
        states = {name: calendar.at(now) for name, calendar in calendars.items()}
        self._closed = {name for name, state in states.items() if not state.is_open}
        edges = [state.until for state in states.values()]
        self.said: dict[str, Availability] = {}
        self.shortage: dict[str, float] = {}
        for each in said:
            edges += [edge for edge in (each.starts_at, each.expires_at) if edge > now]
            if each.starts_at <= now < each.expires_at and each.agents_required > 0.0:
                self.said[each.queue] = each
                missing = (each.agents_required - each.agents_available) / each.agents_required
                self.shortage[each.queue] = max(0.0, round(missing, _DIGITS))
        self.until = min(edges, default=FOREVER)

    def people(self, intent: str, rule: IntentRule | None, offered: Offered) -> People:
        """Return the queue for contacts of an intent, with its rule if it has one, on a channel and in a language."""
        if rule is not None and rule.queue is not None:
            return self.named(rule.queue)
        candidates = [queue for queue in self._policy.queues if intent in queue.intents]
        if not candidates:
            return self.named(self._policy.default_queue)
        if len(candidates) == 1:
            return self._of(candidates[0], ())
        return self._best(candidates, intent, offered)

    def _best(self, candidates: Sequence[HumanQueue], intent: str, offered: Offered) -> People:
        able = [queue for queue in candidates if _serves(queue, offered.channel, offered.language)]
        reasons: list[Reason] = []
        if not able:
            names = ", ".join(queue.queue for queue in candidates)
            reasons.append(Reason(code="no_queue_fits", detail=f"{names}: {offered.channel}, {offered.language}"))
            able = list(candidates)
        open_now = [queue for queue in able if queue.queue not in self._closed]
        closed = [queue.queue for queue in able if queue.queue in self._closed]
        if open_now and closed:
            reasons.append(Reason(code="queue_closed", detail=", ".join(closed)))
        among = open_now or able
        ranked = fits(among, intent, offered.channel, offered.language)
        at = max(range(len(among)), key=ranked.__getitem__)  # of equals the first in the policy
        if len(among) > 1:
            told = f"{among[at].queue}: fit {ranked[at]:.3f}, best of {len(among)}"
            reasons.append(Reason(code="best_queue", detail=told))
        return self._of(among[at], tuple(reasons))

    def _of(self, queue: HumanQueue, reasons: tuple[Reason, ...]) -> People:
        if queue.queue not in self._closed:
            return People(queue.queue, Answer.PEOPLE, reasons)
        closed = Reason(code="queue_closed", detail=f"{queue.queue}: {queue.when_closed}")
        return People(queue.queue, queue.when_closed, (*reasons, closed))

    def named(self, queue: str) -> People:
        """Return the people of a queue that a policy names."""
        known = self._by_name.get(queue)
        return People(queue) if known is None else self._of(known, ())


def calendars_of(policy: Policy) -> dict[str, Calendar]:
    """Return when the queues that have hours are open, by name."""
    return {queue.queue: calendar(queue.hours, queue.time_zone) for queue in policy.queues if queue.hours}


def said_of(policy: Policy, availability: Mapping[str, Availability]) -> tuple[Availability, ...]:
    """Return what WFM says of a tenant's queues."""
    if not availability:
        return ()
    said = (availability.get(queue_key(policy.tenant, queue.queue)) for queue in policy.queues)
    return tuple(each for each in said if each is not None)


def _serves(queue: HumanQueue, channel: Channel, language: str) -> bool:
    return on_channel(queue, channel) is not None and in_language(queue, language) is not None
