"""What the simulated centre is like, and the three policies that are compared. Every number here is an assumption."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from schemas.control import Endpoint, HumanQueue, Policy
from schemas.fields import Channel
from schemas.interactions import DEFAULT_THRESHOLDS
from schemas.rules import Answer, ChannelAnswer, ChannelNotice, SegmentPriority, Spillover

TENANT, QUEUE = "bank", "service"
AGENTS = ("ada", "bell")
AI_INTENTS = ("balance", "transfer", "card", "address")
PEOPLE_INTENT = "complaint"
CONFIDENCE = 0.97
"""Of each classification: above every threshold, so that the intent alone says who has a contact."""


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """The centre, its customers and the outage. Means and rates; the reasons stand with each.

    scale: times the bank's calls: some 22,000 contacts a day, a centre of middle size (56 people at the peak).
    ai_share: of contacts that AI carries while it is well: what a mature deployment aims for. The rest is people's
        own load, what AI escalates included, and it is for this that people are staffed, by Erlang C per half hour.
    voice_share: of contacts that are calls; the others are chats. Both go to one queue of people, who have one
        contact at a time.
    segments: share and priority of each: few very important customers, and a quarter without a contract.
    handle_seconds, handle_deviation: people's handle time, lognormal as in the bank's data, the mean HumanQueue's
        default; a deviation as large as the mean is what Erlang C takes it to be.
    ai_seconds: mean time of a contact with AI, lognormal too; those that AI has at the outage are thrown on people.
    patience_seconds: mean patience by channel, exponential. Who chats does other things meanwhile, and waits longer.
        Holding is waiting: patience runs in Trunkline's buffer as in the queue.
    outage_seconds, detect_seconds: how long AI is away, and until its breakers open: what the health monitor is
        held to at half a contact a second.
    ramp_seconds, ramp_from: of the recovery, BreakerPolicy's defaults.
    hold_seconds: longest time in the buffer. Long: who has waited ten minutes and is sent to a queue that is full
        has gained nothing.
    callback_declined: share of callers who will not be called back and hang up.
    callback_reserve: share of people at work that stay free while callbacks are dialled, so that who calls
        finds somebody: 3 of 56. With twice as many the next hour's service level is 0.82 and not 0.77, and half
        of the callbacks come only on the next day.
    callback_hours: from and until what hour (UTC, as the bank's times) customers are called.
    resolved_by_self_service: share of deflected contacts after which the customer needs nobody; the others come
        again, as new contacts and each time with the same luck, after `again_seconds` (mean, exponential).
    warm_seconds: simulated before the outage, so that queues are as on any day. after_seconds: simulated from the
        outage's end on; 19 h reach the next day's noon, and with it the end of the callbacks.
    partitions: of `interactions.offered`, Trunkline's default: permits are shared among them.
    """

    scale: float = 10.0
    ai_share: float = 0.7
    voice_share: float = 0.6
    segments: tuple[tuple[str, float, int], ...] = (("vip", 0.1, 10), ("standard", 0.65, 0), ("basic", 0.25, -10))
    handle_seconds: float = 300.0
    handle_deviation: float = 1.0
    ai_seconds: float = 180.0
    patience_seconds: tuple[tuple[Channel, float], ...] = ((Channel.VOICE, 300.0), (Channel.CHAT, 600.0))
    outage_seconds: float = 3600.0
    detect_seconds: float = 20.0
    ramp_seconds: float = 60.0
    ramp_from: float = 0.2
    hold_seconds: float = 3600.0
    callback_declined: float = 0.1
    callback_reserve: float = 0.05
    callback_hours: tuple[int, int] = (8, 21)
    resolved_by_self_service: float = 0.3
    again_seconds: float = 1800.0
    warm_seconds: float = 3 * 3600.0
    after_seconds: float = 19 * 3600.0
    partitions: int = 24


class Measure(NamedTuple):
    """One way to bear an outage: its name in JSON, what it is called, and its rules."""

    name: str
    title: str
    spillover: Spillover


def measures(setting: Setting) -> tuple[Measure, ...]:
    """Return the three: none, metering, metering with deflection and callback."""
    voice, chat = Channel.VOICE, Channel.CHAT
    priorities = tuple(SegmentPriority(segment=name, priority=priority) for name, _, priority in setting.segments)
    held = tuple(ChannelAnswer(channel=channel, answer=Answer.HOLD) for channel in (voice, chat))
    called = (ChannelAnswer(channel=voice, answer=Answer.CALLBACK), held[1])
    notices = (ChannelNotice(channel=voice, notice="busy"), ChannelNotice(channel=chat, notice="busy"))
    metered = Spillover(
        metered=True, channels=held, priorities=priorities, notices=notices, hold_seconds=setting.hold_seconds
    )
    everything = Spillover(
        metered=True,
        channels=called,
        priorities=priorities,
        notices=notices,
        hold_seconds=setting.hold_seconds,
        deflect_below=0,
    )
    return (
        Measure("none", "no measure", Spillover()),
        Measure("metering", "metering", metered),
        Measure("all", "metering, deflection, callback", everything),
    )


def policy_of(spillover: Spillover, setting: Setting, now: int) -> Policy:
    """Return the tenant's policy: two agents with the same intents, one queue of people."""
    return Policy(
        tenant=TENANT,
        revision=1,
        thresholds=DEFAULT_THRESHOLDS,
        endpoints=tuple(
            Endpoint(endpoint=agent, provider=f"{agent}-ai", version="1", intents=AI_INTENTS, max_concurrent=10_000)
            for agent in AGENTS
        ),
        queues=(HumanQueue(queue=QUEUE, intents=(*AI_INTENTS, PEOPLE_INTENT), aht_seconds=setting.handle_seconds),),
        default_queue=QUEUE,
        human_only_intents=(PEOPLE_INTENT,),
        spillover=spillover,
        occurred_at=now,
    )
