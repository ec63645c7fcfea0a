"""What a policy on the topic must be, whoever wrote it; and that followers keep the last good one."""

from __future__ import annotations

import msgspec
import pytest

from schemas.control import BreakerPolicy, Endpoint, HumanQueue, ThresholdRow
from schemas.fields import Channel
from schemas.interactions import Thresholds
from schemas.policy_check import PolicyError, check_policy, problems, row_name
from schemas.rules import (
    Answer,
    ChannelAnswer,
    ChannelLatency,
    ChannelNotice,
    ComplianceEffect,
    ComplianceRule,
    IntentHandling,
    IntentRule,
    Maintenance,
    Opening,
    Relief,
    SegmentPriority,
    Spillover,
    Targets,
)
from schemas.topics import POLICY
from simulator.policies import demo_policy
from tests.offers import policy


def test_the_demonstration_s_policy_is_valid() -> None:
    assert list(problems(demo_policy(0))) == []


def test_the_topic_checks_its_policies() -> None:
    assert POLICY.check is check_policy


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"default_queue": "nowhere"}, "default_queue: there is no queue 'nowhere'"),
        ({"thresholds": Thresholds(contained=0.5, assisted=0.7)}, "thresholds.assisted: 0.7 is more than contained"),
        ({"matrix": (ThresholdRow(contained=0.5, assisted=0.7),)}, "matrix.*/*/*.assisted: 0.7 is more"),
        ({"matrix": (ThresholdRow(intent="a", contained=0.9, assisted=0.7),) * 2}, "matrix.a/*/*: is there 2 times"),
        ({"endpoints": policy().endpoints[:1] * 2}, "endpoints.nova: is there 2 times"),
        (
            {"queues": (*policy().queues, HumanQueue(queue="night", intents=(), time_zone="Mars/Base"))},
            "queues.night.time_zone: 'Mars/Base' cannot be read; name one such as Europe/Berlin",
        ),
        (
            {"queues": (*policy().queues, HumanQueue(queue="n", intents=(), hours=(Opening(days="mo", hours="8-9"),)))},
            "queues.n.hours.mo: 'mo' cannot be read; name days such as mon-fri, or a date such as 2026-12-25",
        ),
        (
            {"queues": (*policy().queues, HumanQueue(queue="n", intents=(), hours=(Opening(days="mon", hours="8"),)))},
            "queues.n.hours.mon: '8' cannot be read; write them as 08:00-18:00, or closed",
        ),
        (
            {"endpoints": (*policy().endpoints, Endpoint(
                endpoint="x", provider="p", version="1", intents=(),
                maintenance=(Maintenance(starts="2026-12-01T04:00:00Z", ends="2026-12-01T02:00:00Z"),)))},
            "endpoints.x.maintenance.0.ends: is not after it starts",
        ),
        ({"intents": (IntentRule(intent="loan", queue="no"),)}, "intents.loan.queue: there is no queue 'no'"),
        (
            {"intents": (IntentRule(intent="complaint", handling=IntentHandling.AI),)},
            "intents.complaint.handling: is ai, and human_only_intents has it",
        ),
        (
            {"compliance": (ComplianceRule(rule="say", effect=ComplianceEffect.DISCLOSE),)},
            "compliance.say.text: is missing; write what AI is to say",
        ),
        (
            {"compliance": (ComplianceRule(rule="w", effect=ComplianceEffect.WATCH, queue="retail"),)},
            "compliance.w.queue: has no meaning for effect watch",
        ),
        ({"relief": Relief(shortage_from=0.4)}, "relief.shortage_from: 0.4 is not below shortage_full, 0.3"),
        (
            {"spillover": Spillover(channels=(ChannelAnswer(channel=Channel.CHAT, answer=Answer.HOLD),) * 2)},
            "spillover.channels.chat: is there 2 times; keep one",
        ),
        (
            {"spillover": Spillover(priorities=(SegmentPriority(segment="gold", priority=1),) * 2)},
            "spillover.priorities.gold: is there 2 times; keep one",
        ),
        (
            {"spillover": Spillover(notices=(ChannelNotice(channel=Channel.VOICE, notice="a"),) * 2)},
            "spillover.notices.voice: is there 2 times; keep one",
        ),
        (
            {"spillover": Spillover(deflect_below=1)},
            "spillover.deflect_below: has no meaning while metered is false; set metered: true, or take it away",
        ),
        (
            {"spillover": Spillover(metered=True, deflect_below=0)},
            "spillover.deflect_below: no contact has a priority below 0: the lowest is 0; raise it, or lower",
        ),
        (
            {"spillover": Spillover(
                metered=True, deflect_below=-5, priorities=(SegmentPriority(segment="basic", priority=-5),))},
            "spillover.deflect_below: no contact has a priority below -5: the lowest is -5",
        ),
        (
            {"breaker": BreakerPolicy(open_seconds=60.0, open_seconds_max=30.0)},
            "breaker.open_seconds: 60 is more than open_seconds_max, 30; lower it, or raise open_seconds_max",
        ),
        (
            {"breaker": BreakerPolicy(targets=Targets(latency=(ChannelLatency(channel=Channel.CHAT, p95_ms=9),) * 2))},
            "breaker.targets.latency.chat: is there 2 times; keep one",
        ),
        (
            {"breaker": BreakerPolicy(targets=Targets(latency=(ChannelLatency(channel=Channel.CHAT, p95_ms=0.0),)))},
            "breaker.targets.latency.chat: is 0, which no answer keeps; give milliseconds",
        ),
        (
            {"breaker": BreakerPolicy(targets=Targets(csat_baseline=0.8, csat_within=0.9))},
            "breaker.targets.csat_within: 0.9 is more than csat_baseline, 0.8; lower it, or raise csat_baseline",
        ),
        (
            {"breaker": BreakerPolicy(targets=Targets(utilisation_most=0.0))},
            "breaker.targets.utilisation_most: is 0, which one contact is above; give a share of max_concurrent",
        ),
        (
            {"breaker": BreakerPolicy(targets=Targets(resolved=1.0))},
            "targets.resolved: is 1, which no agent keeps for ever; give the share that you accept; 0 accepts any",
        ),
        (
            {"breaker": BreakerPolicy(degraded_failure_rate=0.0)},
            "breaker.degraded_failure_rate: is 0, which no agent keeps for ever; give the share that you accept",
        ),
        *(
            (
                {"breaker": BreakerPolicy(targets=Targets(**{name: 0.0}))},
                f"breaker.targets.{name}: is 0, which no agent keeps for ever; give the share that you accept; 1 acce",
            )
            for name in ("escalated_most", "looping_most", "hallucinated_most", "repeat_most")
        ),
    ],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused_with_path_and_remedy(changes: dict[str, object], says: str) -> None:
    with pytest.raises(PolicyError) as raised:
        check_policy(msgspec.structs.replace(policy(), **changes))
    assert raised.value.reason == "invalid_policy"
    assert str(raised.value).startswith("policy of 'acme': ")
    assert says in str(raised.value)


def test_all_that_a_policy_may_say_of_breakers_and_spillover_is_valid() -> None:
    said = Spillover(
        metered=True,
        channels=(ChannelAnswer(channel=Channel.VOICE, answer=Answer.CALLBACK),),
        priorities=(SegmentPriority(segment="gold", priority=10), SegmentPriority(segment="basic", priority=-10)),
        deflect_below=0,
        notices=(ChannelNotice(channel=Channel.VOICE, notice="ai_away"),),
    )
    targets = Targets(latency=(ChannelLatency(channel=Channel.VOICE, p95_ms=500.0),), csat_baseline=0.8)
    breaker = BreakerPolicy(targets=targets, ramp_seconds=0.0, ramp_from=1.0, synthetic_probes=False)
    assert list(problems(policy(spillover=said, breaker=breaker))) == []


def test_a_row_is_named_by_what_it_fits() -> None:
    assert row_name(ThresholdRow(contained=1.0, assisted=0.0)) == "*/*/*"
    assert row_name(ThresholdRow(intent="a/b", segment="gold", contained=1.0, assisted=0.0)) == "a/b/*/gold"
