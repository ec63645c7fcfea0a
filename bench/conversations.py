"""Conversations for the benchmarks of sessions: decisions, turns with what was said, ends, as others write them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from runtime.clock import real_now
from schemas.codec import Codec
from schemas.envelope import Envelope, Packed
from schemas.fields import Channel, Disposition, Event, FinishedBy, Pool, Supervision, TurnResult
from schemas.interactions import Completed, Decision, Fact, Load, Thresholds, Turn
from schemas.topics import INTERACTION_EVENTS, Effect

TURNS = 6
_TOGETHER = 500
"""Contacts whose events lie mixed in the log, as many a minute do."""
_SAID = (
    "Hello, I would like to know why my invoice of last month is so much higher than the one before.",
    "It is the one of the 12th, about 84.90, and I have not bought anything.",
    "No, that is not what I meant. The number of the contract is on the letter that you sent me in May.",
    "Could you send it to anna.bergmann@example.com, please? My old address is not in use any more.",
    "Yes, that would help. How long will it take until I have the money back?",
    "All right. Thank you, that was all for today.",
)
_ANSWERED = (
    "I am sorry to hear that. Let me have a look at your invoices of the last two months.",
    "I see a one-off fee of 35.00 for a replaced device on it. Was a device replaced in May?",
    "Thank you. The device was sent back, so that fee should not be there. I shall take it off.",
    "Of course. I have sent a corrected invoice, and noted the new address for what comes.",
    "It takes three to five working days, depending on your bank.",
    "You are welcome. Have a good day!",
)


def decision(number: int, at: int) -> Decision:
    """Return the decision by which contact `bench-NUMBER` is with AI alone."""
    return Decision(
        decision_id=f"decision-{number}",
        interaction_id=f"bench-{number}",
        tenant="bench-0",
        channel=Channel.CHAT,
        language="en",
        segment="standard",
        intent="intent_0001",
        confidence=0.97,
        runner_up_gap=0.5,
        model="bench150-0123456789ab",
        pool=Pool.AI_CONTAINED,
        supervision=Supervision.AUTONOMOUS,
        disposition=Disposition.ROUTE,
        queue="queue-0",
        endpoint="agent-1",
        endpoint_version="1.0.0",
        provider="provider-0",
        thresholds=Thresholds(contained=0.92, assisted=0.75),
        reasons=(),
        epochs={"policy": 0, "breakers.transitions": -1, "commands": -1, "wfm.availability": -1, "clock": -1},
        load=Load(),
        offered_partition=0,
        offered_offset=number,
        offered_at=at,
        decided_at=at,
    )


def turn(number: int, nth: int, at: int) -> Turn:
    """Return the nth turn of a contact, from 1."""
    said = (nth - 1) % len(_SAID)
    return Turn(
        interaction_id=f"bench-{number}",
        tenant="bench-0",
        number=nth,
        endpoint="agent-1",
        version="1.0.0",
        result=TurnResult.OK,
        latency_ms=420.0 + nth,
        quality=0.93,
        occurred_at=at + nth * 8_000_000,
        customer_text=_SAID[said],
        agent_text=_ANSWERED[said],
        sentiment=0.1,
        facts=(Fact(name="invoice", value="of May"),) if nth == 2 else (),
    )


def completed(number: int, turns: int, at: int) -> Completed:
    """Return the end of a contact."""
    return Completed(
        interaction_id=f"bench-{number}",
        tenant="bench-0",
        finished_by=FinishedBy.AI,
        ai_turns=turns,
        ai_seconds=8.0 * turns,
        occurred_at=at + (turns + 1) * 8_000_000,
    )


def conversations(contacts: int, turns: int = TURNS, *, ends: bool = True) -> Iterator[Packed]:
    """Yield the inbox of sessions with so many contacts, from `bench-0` on; without their ends they stay open."""
    envelope, at = Envelope(Codec(), "bench"), real_now()
    numbers = iter(range(contacts))
    while together := list(itertools.islice(numbers, _TOGETHER)):
        waves: list[list[Event]] = [[decision(number, at) for number in together]]
        waves += [[turn(number, nth, at) for number in together] for nth in range(1, turns + 1)]
        if ends:
            waves.append([completed(number, turns, at) for number in together])
        for event in itertools.chain.from_iterable(waves):
            yield envelope.pack(Effect(INTERACTION_EVENTS, event))
