"""Each way through a routing decision, and the reasons that it leaves on the record."""

from __future__ import annotations

import pytest

from router.decide.decision import (
    AHEAD_MICROS,
    BEHIND_MICROS,
    FALLBACK_QUEUE,
    decide,
    decision_id,
    eligible_probes,
    offered_at,
    repeat,
)
from router.decide.world import World, world_of
from runtime.snapshot import Snapshot
from schemas.codec import Codec
from schemas.control import KillSwitch, ThresholdRow
from schemas.fields import BreakerState, Channel, Disposition, Pool, Supervision
from schemas.interactions import DEFAULT_THRESHOLDS, Decision, Load, Thresholds
from schemas.topics import AVAILABILITY, CLOCK, COMMANDS, POLICY, SPARE, TRANSITIONS, kill_key
from tests.offers import NOW, SECOND, breaker, contact, offered, policy, recovering, snapshot, world

CLOSED, DEGRADED, OPEN, FORCED = (
    BreakerState.CLOSED,
    BreakerState.DEGRADED,
    BreakerState.OPEN,
    BreakerState.FORCED_OPEN,
)


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def details(decision: Decision) -> dict[str, str]:
    return {reason.code: reason.detail for reason in decision.reasons}


def assert_for_people(decision: Decision) -> None:
    assert decision.pool is Pool.HUMAN_EXCLUSIVE
    assert decision.disposition is Disposition.ROUTE
    assert (decision.supervision, decision.endpoint, decision.endpoint_version, decision.provider) == (None,) * 4
    assert decision.breaker_epoch == 0


def test_a_confident_contact_goes_to_ai_alone() -> None:
    decision = decide(contact("card_lost", 0.97), world(), Load(), NOW)
    assert (decision.pool, decision.supervision) == (Pool.AI_CONTAINED, Supervision.AUTONOMOUS)
    assert (decision.endpoint, decision.endpoint_version, decision.provider) == ("vega", "2", "south")
    assert details(decision) == {"confidence_contained": "0.9700 >= 0.92"}
    assert decision.queue == "cards", "where a person would take it over"


def test_a_less_confident_contact_goes_to_ai_with_a_person_watching() -> None:
    decision = decide(contact("card_lost", 0.80), world(), Load(), NOW)
    assert (decision.pool, decision.supervision) == (Pool.AI_ASSISTED, Supervision.SEMI)
    assert details(decision) == {"confidence_assisted": "0.8000 >= 0.75"}


@pytest.mark.parametrize(
    ("confidence", "pool"),
    [
        (0.7499, Pool.HUMAN_EXCLUSIVE),
        (0.75, Pool.AI_ASSISTED),
        (0.9199, Pool.AI_ASSISTED),
        (0.92, Pool.AI_CONTAINED),
        (1.0, Pool.AI_CONTAINED),
        (0.0, Pool.HUMAN_EXCLUSIVE),
    ],
)
def test_a_threshold_itself_is_enough(confidence: float, pool: Pool) -> None:
    assert decide(contact("card_lost", confidence), world(), Load(), NOW).pool is pool


MATRIX = tuple(
    ThresholdRow(intent=intent, channel=channel, segment=segment, contained=contained, assisted=0.5)
    for intent, channel, segment, contained in [
        ("card_lost", None, None, 0.90),
        ("card_lost", None, "gold", 0.91),
        ("card_lost", Channel.CHAT, None, 0.93),
        ("card_lost", Channel.VOICE, "gold", 0.94),
        (None, Channel.EMAIL, None, 0.95),
        (None, Channel.EMAIL, "gold", 0.96),
        (None, None, "gold", 0.97),
    ]
)


@pytest.mark.parametrize(
    ("intent", "channel", "segment", "row", "contained"),
    [
        ("card_lost", Channel.SOCIAL, "standard", "card_lost/*/*", 0.90),
        ("card_lost", Channel.SOCIAL, "gold", "card_lost/*/gold", 0.91),
        ("card_lost", Channel.CHAT, "gold", "card_lost/chat/*", 0.93),
        ("card_lost", Channel.VOICE, "gold", "card_lost/voice/gold", 0.94),
        ("card_lost", Channel.EMAIL, "gold", "card_lost/*/gold", 0.91),
        ("balance", Channel.EMAIL, "standard", "*/email/*", 0.95),
        ("balance", Channel.EMAIL, "gold", "*/email/gold", 0.96),
        ("balance", Channel.CHAT, "gold", "*/*/gold", 0.97),
        ("balance", Channel.CHAT, "standard", None, 0.92),
    ],
)
def test_the_most_specific_row_decides_and_is_named(
    intent: str, channel: Channel, segment: str, row: str | None, contained: float
) -> None:
    given = world(of=policy(matrix=MATRIX))
    above, below = (
        decide(contact(intent, contained + by, channel=channel, segment=segment), given, Load(), NOW)
        for by in (0.0, -0.001)
    )
    assert (above.pool, below.pool) == (Pool.AI_CONTAINED, Pool.AI_ASSISTED)
    assert above.thresholds.contained == contained
    assert details(above).get("threshold_row") == details(below).get("threshold_row") == row


def test_a_row_that_keeps_a_contact_from_ai_is_named() -> None:
    row = ThresholdRow(intent="card_lost", contained=1.0, assisted=0.99)
    decision = decide(contact("card_lost", 0.98), world(of=policy(matrix=(row,))), Load(), NOW)
    assert_for_people(decision)
    assert codes(decision) == ["threshold_row", "confidence_below_assisted"]


def test_below_the_lower_threshold_people_take_it() -> None:
    decision = decide(contact("card_lost", 0.7), world(), Load(), NOW)
    assert_for_people(decision)
    assert details(decision) == {"confidence_below_assisted": "0.7000 < 0.75"}


def test_a_tenant_s_own_thresholds_count_and_are_recorded() -> None:
    strict = Thresholds(contained=0.99, assisted=0.98)
    decision = decide(contact("card_lost", 0.97), world(of=policy(thresholds=strict)), Load(), NOW)
    assert_for_people(decision)
    assert decision.thresholds == strict


def test_a_tenant_without_a_policy_is_served_by_people() -> None:
    decision = decide(contact(tenant="unheard"), world(), Load(), NOW)
    assert_for_people(decision)
    assert details(decision) == {"no_policy": "unheard"}
    assert (decision.queue, decision.thresholds) == (FALLBACK_QUEUE, DEFAULT_THRESHOLDS)


def test_an_intent_for_people_only_goes_to_people_whatever_the_confidence_and_the_agents() -> None:
    decision = decide(contact("complaint", 1.0), world(), Load(), NOW)
    assert_for_people(decision)
    assert details(decision) == {"human_only_intent": "complaint"}
    assert decision.queue == "front_desk", "the default queue takes the intents of no queue"


def test_what_is_none_of_the_centre_s_business_goes_to_people() -> None:
    decision = decide(contact("oos", 1.0), world(), Load(), NOW)
    assert_for_people(decision)
    assert codes(decision) == ["out_of_scope"]


def test_an_intent_that_no_endpoint_has_goes_to_people() -> None:
    decision = decide(contact("mortgage", 1.0), world(), Load(), NOW)
    assert_for_people(decision)
    assert details(decision) == {"no_endpoint_for_intent": "mortgage"}


@pytest.mark.parametrize("state", [OPEN, FORCED, BreakerState.HALF_OPEN])
def test_an_endpoint_that_takes_no_traffic_leaves_it_to_its_sibling(state: BreakerState) -> None:
    for number in range(20):
        decision = decide(contact(interaction_id=f"c-{number}"), world(breaker("nova", state)), Load(), NOW)
        assert (decision.endpoint, decision.pool) == ("vega", Pool.AI_CONTAINED)
        assert codes(decision) == [f"breaker_{state}", "confidence_contained"]
        assert details(decision)[f"breaker_{state}"] == "nova"


def test_an_endpoint_without_a_sibling_leaves_it_to_people() -> None:
    decision = decide(contact("card_lost"), world(breaker("vega", OPEN)), Load(), NOW)
    assert_for_people(decision)
    assert codes(decision) == ["breaker_open", "all_ai_unavailable"]


def test_when_every_agent_is_out_people_take_it_and_each_is_named() -> None:
    decision = decide(contact(), world(breaker("nova", OPEN), breaker("vega", FORCED)), Load(), NOW)
    assert_for_people(decision)
    assert [(r.code, r.detail) for r in decision.reasons] == [
        ("breaker_open", "nova"),
        ("breaker_forced_open", "vega"),
        ("all_ai_unavailable", ""),
    ]


def test_a_degraded_agent_is_watched_however_confident_the_intent() -> None:
    decision = decide(contact("card_lost", 1.0), world(breaker("vega", DEGRADED, epoch=9)), Load(), NOW)
    assert (decision.pool, decision.endpoint, decision.breaker_epoch) == (Pool.AI_ASSISTED, "vega", 9)
    assert codes(decision) == ["breaker_degraded", "degraded_needs_watching"]


def test_a_degraded_agent_is_passed_over_while_a_sibling_is_well() -> None:
    chosen = {
        decide(contact(interaction_id=f"c-{n}"), world(breaker("nova", DEGRADED)), Load(), NOW).endpoint
        for n in range(50)
    }
    assert chosen == {"vega"}


def test_a_breaker_that_closed_again_is_like_one_that_never_moved_but_for_its_epoch() -> None:
    decision = decide(contact("card_lost"), world(breaker("vega", OPEN, 4), breaker("vega", CLOSED, 5)), Load(), NOW)
    assert (decision.pool, decision.endpoint, decision.breaker_epoch) == (Pool.AI_CONTAINED, "vega", 5)
    assert codes(decision) == ["confidence_contained"]


def test_a_recovering_agent_gets_a_watched_probe_where_a_permit_is_left() -> None:
    decision = decide(contact("card_lost", 1.0), world(recovering("vega")), Load(probe_permits={"vega": 1}), NOW)
    assert (decision.pool, decision.endpoint, decision.breaker_epoch) == (Pool.AI_ASSISTED, "vega", 4)
    assert [(r.code, r.detail) for r in decision.reasons] == [("breaker_half_open", "vega"), ("probe", "vega")]


def test_a_probe_comes_before_a_well_sibling() -> None:
    decision = decide(contact(), world(recovering("nova")), Load(probe_permits={"nova": 1}), NOW)
    assert (decision.endpoint, codes(decision)[-1]) == ("nova", "probe")


def test_without_a_permit_a_recovering_agent_gets_nothing() -> None:
    for permits in ({}, {"vega": 0}, {"vega": -1}, {"nova": 3}):
        decision = decide(contact("card_lost"), world(recovering("vega")), Load(probe_permits=permits), NOW)
        assert_for_people(decision)


@pytest.mark.parametrize("state", [OPEN, FORCED])
def test_a_permit_opens_no_breaker_that_is_not_half_open(state: BreakerState) -> None:
    decision = decide(contact("card_lost"), world(breaker("vega", state)), Load(probe_permits={"vega": 3}), NOW)
    assert_for_people(decision)


@pytest.mark.parametrize("target", ["complaint", "oos"])
def test_no_probe_is_sent_with_a_contact_that_ai_may_not_have(target: str) -> None:
    load = Load(probe_permits={"lyra": 3, "vega": 3})
    assert_for_people(decide(contact(target, 1.0), world(recovering("lyra"), recovering("vega")), load, NOW))
    assert_for_people(decide(contact("card_lost", 0.5), world(recovering("vega")), load, NOW))


def test_agents_of_the_intent_in_half_open_are_the_eligible_probes() -> None:
    both = world(recovering("nova"), breaker("vega", OPEN), recovering("lyra"))
    assert [agent.endpoint.endpoint for agent in eligible_probes(contact("balance"), both, NOW)] == ["nova"]
    assert eligible_probes(contact("mortgage"), both, NOW) == ()
    assert eligible_probes(contact(tenant="unheard"), both, NOW) == ()


def test_the_endpoints_of_an_intent_share_its_contacts() -> None:
    chosen = [decide(contact(interaction_id=f"c-{n}"), world(), Load(), NOW).endpoint for n in range(1000)]
    # 500 each at random, with a standard deviation of 16: five of them either way.
    assert 420 < chosen.count("nova") < 580
    assert set(chosen) == {"nova", "vega"}


@pytest.mark.parametrize(
    ("occurred_at", "corrected"),
    [
        (NOW, False),
        (NOW + AHEAD_MICROS, False),
        (NOW + AHEAD_MICROS + 1, True),
        (NOW - BEHIND_MICROS, False),
        (NOW - BEHIND_MICROS - 1, True),
        (0, True),
    ],
)
def test_a_time_that_cannot_be_is_replaced_by_now_and_said_so(occurred_at: int, corrected: bool) -> None:
    decision = decide(contact(occurred_at=occurred_at), world(), Load(), NOW)
    assert decision.offered_at == offered_at(offered(occurred_at=occurred_at), NOW)
    assert decision.offered_at == (NOW if corrected else occurred_at)
    assert decision.decided_at == NOW
    assert details(decision).get("time_corrected") == (str(occurred_at) if corrected else None)
    assert ("time_corrected" in codes(decision)[1:]) is False, "it comes first"


def test_the_limits_of_time_are_five_minutes_ahead_and_seven_days_behind() -> None:
    assert AHEAD_MICROS == 300 * SECOND
    assert BEHIND_MICROS == 604_800 * SECOND


def test_a_decision_records_what_it_depended_on() -> None:
    load = Load(store_down=True, probe_permits={"lyra": 2})
    deciding = contact(partition=3, offset=77, language="de", segment="gold")
    decision = decide(deciding, world(breaker("nova", OPEN), breaker("vega", CLOSED)), load, NOW)
    empty = {COMMANDS.name: -1, AVAILABILITY.name: -1, SPARE.name: -1, CLOCK.name: -1}
    assert decision.epochs == {POLICY.name: 0, TRANSITIONS.name: 1, **empty}
    assert decision.load == load
    assert (decision.offered_partition, decision.offered_offset) == (3, 77)
    assert (decision.language, decision.segment) == ("de", "gold")
    assert (decision.intent, decision.confidence, decision.runner_up_gap, decision.model) == (
        "balance", 0.97, 0.5, "m-1",
    )  # fmt: skip
    assert Codec().decode(Codec().encode(decision)) == decision


def test_a_world_of_nothing_decides_for_people() -> None:
    decision = decide(contact(), world_of(Snapshot()), Load(), NOW)
    assert_for_people(decision)
    names = (POLICY.name, TRANSITIONS.name, COMMANDS.name, AVAILABILITY.name, SPARE.name, CLOCK.name)
    assert decision.epochs == dict.fromkeys(names, -1)


def test_a_breaker_of_another_tenant_s_endpoint_of_the_same_name_changes_nothing() -> None:
    decision = decide(contact("card_lost"), world(breaker("vega", OPEN, tenant="other")), Load(), NOW)
    assert (decision.pool, decision.endpoint) == (Pool.AI_CONTAINED, "vega")


def test_a_decision_id_depends_on_the_contact_and_its_place_alone() -> None:
    ids = {
        decision_id(name, partition, offset)
        for name in ("c-1", "c-2", "c|1") for partition in (0, 1, 11) for offset in (0, 1, 11)
    }  # fmt: skip
    assert len(ids) == 27
    here = contact(partition=2, offset=9)
    well = decide(here, world(), Load(), NOW)
    later = decide(here, world(breaker("nova", OPEN)), Load(), NOW + SECOND)
    assert well.decision_id == later.decision_id == decision_id("c-1", 2, 9)


def test_a_repeat_names_the_first_decision_and_decides_nothing() -> None:
    first = decide(contact(partition=1, offset=5), world(), Load(), NOW)
    again = repeat(contact(partition=1, offset=9), world(), (1, 5), NOW + SECOND)
    assert again.first_decision_id == first.decision_id
    assert again.decision_id != first.decision_id
    assert again.disposition is Disposition.REPEAT
    assert (again.pool, again.supervision, again.endpoint, again.provider) == (None,) * 4
    assert [(r.code, r.detail) for r in again.reasons] == [("repeat", f"decided first as {first.decision_id}")]
    assert (again.offered_partition, again.offered_offset) == (1, 9)
    assert Codec().decode(Codec().encode(again)) == again


def kill(*, killed: bool = True, **about: str) -> KillSwitch:
    return KillSwitch(**about, killed=killed, reason="drill", occurred_at=NOW)  # type: ignore[arg-type]


def under(*orders: KillSwitch) -> World:
    made = snapshot()
    for offset, order in enumerate(orders):
        made = made.with_record(COMMANDS, kill_key(order), order, offset)
    return world_of(made)


@pytest.mark.parametrize(
    ("order", "detail"), [(kill(), "all: drill"), (kill(tenant="acme"), "tenant/acme: drill")], ids=["all", "tenant"]
)
def test_after_a_kill_no_contact_goes_to_ai(order: KillSwitch, detail: str) -> None:
    decision = decide(contact("card_lost", 0.99), under(order), Load(), NOW)
    assert_for_people(decision)
    assert details(decision) == {"kill_switch": detail}
    assert decision.queue == "cards"
    assert decision.epochs[COMMANDS.name] == 0


def test_a_killed_agent_gets_nothing_and_the_others_of_its_intent_take_over() -> None:
    given = under(kill(tenant="acme", endpoint="nova"))
    decisions = [decide(contact("balance", 0.99, interaction_id=f"c-{n}"), given, Load(), NOW) for n in range(20)]
    assert {decision.endpoint for decision in decisions} == {"vega"}
    assert codes(decisions[0]) == ["killed", "confidence_contained"]
    assert details(decisions[0])["killed"] == "nova: drill"


def test_with_its_last_agent_killed_an_intent_goes_to_people() -> None:
    decision = decide(contact("card_lost", 0.99), under(kill(tenant="acme", endpoint="vega")), Load(), NOW)
    assert_for_people(decision)
    assert codes(decision) == ["killed", "all_ai_unavailable"]


def test_a_killed_agent_is_not_probed() -> None:
    made = snapshot(recovering("vega"))
    order = kill(tenant="acme", endpoint="vega")
    given = world_of(made.with_record(COMMANDS, kill_key(order), order, 0))
    assert eligible_probes(contact("card_lost"), given, NOW) == ()
    decision = decide(contact("card_lost"), given, Load(probe_permits={"vega": 3}), NOW)
    assert_for_people(decision)


@pytest.mark.parametrize("about", [{}, {"tenant": "acme"}, {"tenant": "acme", "endpoint": "vega"}])
def test_what_is_restored_is_as_before(about: dict[str, str]) -> None:
    given = under(kill(**about), kill(killed=False, **about))
    assert decide(contact("card_lost", 0.99), given, Load(), NOW).pool is Pool.AI_CONTAINED


def test_a_kill_of_one_tenant_is_nothing_to_another() -> None:
    given = under(kill(tenant="other"), kill(tenant="other", endpoint="vega"))
    assert decide(contact("card_lost", 0.99), given, Load(), NOW).pool is Pool.AI_CONTAINED


def test_a_kill_and_its_end_reach_a_world_that_was_arranged_before() -> None:
    first = snapshot()
    pools, previous = [], None
    for made in (
        first,
        first.with_record(COMMANDS, "all", kill(), 0),
        first.with_record(COMMANDS, "all", kill(killed=False), 1),
    ):
        previous = world_of(made, previous)
        pools.append(decide(contact("card_lost", 0.99), previous, Load(), NOW).pool)
    assert pools == [Pool.AI_CONTAINED, Pool.HUMAN_EXCLUSIVE, Pool.AI_CONTAINED]
