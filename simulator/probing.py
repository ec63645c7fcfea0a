"""Calls without a customer: the AI platform tries a recovering agent where Trunkline asks for it."""

from __future__ import annotations

import random
from typing import NamedTuple

from schemas.agents import Outcome, ProbeRequest
from schemas.fields import MICROS_PER_SECOND, Channel, TurnResult
from schemas.topics import AGENT_EVENTS
from simulator.agenda import micros
from simulator.centre import Centre
from simulator.fleet import COST_PER_TOKEN, Answer, Fleet
from simulator.ledger import Ledger

QUEUE = "probes"
"""No queue of people: nobody waits for what a probe is told."""
_LETTERS = 40
"""Of the question that a probe asks."""


class _Call(NamedTuple):
    request: ProbeRequest
    answer: Answer


class Probing:
    """Makes one call per request, of the fleet as it is just then. `rng` is its own: probes change no contact."""

    def __init__(self, ledger: Ledger, fleet: Fleet, centre: Centre, rng: random.Random) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._centre = centre
        self._rng = rng
        self._heard: set[str] = set()

    def asked(self, at: int, request: ProbeRequest) -> None:
        """Call the agent of a request, unless it came too late, or before, or is about none of this fleet.

        A call that is not over by the end of the request is given up then, as one that timed out.
        """
        ours = request.tenant == self._centre.tenant and self._fleet.endpoint(request.endpoint) is not None
        if not ours or at >= request.expires_at or request.probe_id in self._heard:
            return
        self._heard.add(request.probe_id)
        answer = self._fleet.call(request.endpoint, self._rng)
        ends_at = at + micros(answer.seconds)
        if ends_at > request.expires_at:
            ends_at = request.expires_at
            answer = Answer(TurnResult.TIMEOUT, (ends_at - at) / MICROS_PER_SECOND, None)
        self._ledger.agenda.push(ends_at, self._tell, _Call(request, answer))

    def _tell(self, at: int, call: _Call) -> None:
        request, answer = call
        endpoint = self._fleet.endpoint(request.endpoint)
        tokens = answer.tokens(1, _LETTERS, looping=answer.looping)
        outcome = Outcome(
            tenant=request.tenant,
            provider=request.provider,
            endpoint=request.endpoint,
            version=request.version,
            interaction_id=request.probe_id,
            turn=1,
            channel=Channel.CHAT,
            intent=next(iter(endpoint.intents if endpoint else ()), QUEUE),
            queue=QUEUE,
            breaker_epoch=request.breaker_epoch,
            result=answer.result,
            latency_ms=answer.seconds * 1000.0,
            quality=answer.quality,
            occurred_at=at,
            tokens=tokens,
            cost=tokens * COST_PER_TOKEN,
            retry_after_seconds=answer.retry_after_seconds,
            looping=answer.looping,
            synthetic=True,
        )
        self._ledger.tally.probes += 1
        self._ledger.emit(AGENT_EVENTS, outcome)
