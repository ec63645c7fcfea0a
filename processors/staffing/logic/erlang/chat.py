"""Chat: an agent has several contacts at once, and each of them lasts longer the more there are.

A chat lasts h_1, ..., h_k seconds while its agent has 1, ..., k of them. Where chats are spread evenly over n agents,
their number is a birth-death process: of j chats, j mod n agents have floor(j / n) + 1 and the others floor(j / n),
and each chat ends at its rate 1 / h (Tezcan & Zhang 2014 have rates by level, too). From n k on all places are taken,
and the queue is that of Erlang C or A with n k servers of handle time h_k; what is below enters those formulas as 1/B:
the sum of the weights of the states 0 to n k over that of the last. With equal h it is `Load(concurrency=k)`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from processors.staffing.logic.erlang.checks import (
    ErlangInputError,
    Floats,
    Mask,
    Whole,
    check_not_negative,
    check_patience,
    check_positive,
    check_whole,
)
from processors.staffing.logic.erlang.required import Targets
from processors.staffing.logic.erlang.search import least
from processors.staffing.logic.erlang.service import Service, solved_with


@dataclasses.dataclass(frozen=True, slots=True)
class Chats:
    """Chats for one group of agents.

    handle_seconds: how long a chat lasts while its agent has 1, 2, ... at once; as many as an agent may have.
    """

    contacts_per_minute: float
    handle_seconds: Sequence[float]
    patience_seconds: float = math.inf

    @property
    def per_second(self) -> float:
        """Chats offered in a second."""
        return self.contacts_per_minute / 60.0


def chat_performance(chats: Chats, agents: int, within_seconds: float = 20.0) -> Service:
    """Return what chats get from `agents` people. `occupancy` is the share of their places that is taken.

    Raises ErlangInputError for arguments out of range.
    """
    _check(chats)
    check_whole("agents", agents)
    check_not_negative("within_seconds", within_seconds)
    places, full = agents * len(chats.handle_seconds), chats.handle_seconds[-1]
    logs = _weights(chats, agents)
    inverse = float(logsumexp(logs) - logs[-1]) if chats.per_second > 0 else (math.inf if places else 0.0)
    given = (chats.per_second * full, places, chats.patience_seconds / full, within_seconds / full)
    found = solved_with(np.array(inverse), *(np.array(float(each)) for each in given), with_asa=True)
    return Service(
        wait_probability=found.wait_probability.item(),
        service_level=found.service_level.item(),
        asa_seconds=found.asa_seconds.item() * full,
        occupancy=_occupancy(logs, found.wait_probability.item()) if chats.per_second > 0 else 0.0,
        abandonment=found.abandonment.item(),
    )


def chat_required(chats: Chats, targets: Targets = Targets()) -> int:  # noqa: B008 - frozen
    """Return the least agents with whom chats meet the targets, each of which is one number.

    Raises ErlangInputError for arguments out of range, or where more than MAX_AGENTS would be needed.
    """
    _check(chats)
    low = 0 if chats.contacts_per_minute == 0 else 1
    within = float(np.asarray(targets.within_seconds))

    def is_met(agents: Whole, _: Whole) -> Mask:
        found = [chat_performance(chats, n, within) for n in agents.tolist()]
        return np.array(
            [
                each.service_level >= targets.service_level
                and each.occupancy <= targets.max_occupancy
                and each.asa_seconds <= targets.max_asa_seconds
                and each.abandonment <= targets.max_abandonment
                for each in found
            ]
        )

    return int(least(is_met, np.array([low]))[0])


def _weights(chats: Chats, agents: int) -> Floats:
    """Return the logarithms of the weights of 0, 1, ..., n k chats."""
    if agents == 0 or chats.per_second == 0:
        return np.zeros(1)
    chats_now = np.arange(1, agents * len(chats.handle_seconds) + 1)
    each, more = np.divmod(chats_now, agents)
    ending = np.concatenate(([0.0], np.arange(1, len(chats.handle_seconds) + 1) / np.asarray(chats.handle_seconds)))
    rates = (agents - more) * ending[each] + more * ending[np.minimum(each + 1, len(chats.handle_seconds))]
    return np.concatenate(([0.0], np.cumsum(math.log(chats.per_second) - np.log(rates))))


def _occupancy(logs: Floats, waits: float) -> float:
    places = logs.size - 1
    below = logs[:-1]
    if not below.size or waits >= 1:
        return 1.0
    shares = np.exp(below - logsumexp(below))
    return float((1.0 - waits) * (shares @ np.arange(places)) / places + waits)


def _check(chats: Chats) -> None:
    if not len(chats.handle_seconds):
        raise ErlangInputError("handle_seconds is empty: give how long a chat lasts alone, and so on")
    check_not_negative("contacts_per_minute", chats.contacts_per_minute)
    check_positive("handle_seconds", chats.handle_seconds)
    check_patience("patience_seconds", chats.patience_seconds)
    _check_throughput(chats.handle_seconds)


def _check_throughput(handle_seconds: Sequence[float]) -> None:
    ending = np.arange(1, len(handle_seconds) + 1) / np.asarray(handle_seconds)
    if np.any(np.diff(ending) < 0):
        raise ErlangInputError(
            f"handle_seconds is {list(handle_seconds)}: with more chats at once an agent would end fewer an hour; "
            "let agents have fewer at once"
        )
