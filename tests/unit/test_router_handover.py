"""Contacts that are under way and need another agent, and contacts that people and AI race for: the router's part."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.decide.decision import decide
from runtime.kafka import Record
from runtime.snapshot import Snapshot
from schemas.control import Policy
from schemas.fields import Channel, Direction, Disposition, Pool
from schemas.interactions import Classification, Customer, Decision, Handover, Load, Offered
from schemas.rules import Condition, Limit, LimitBy, Parallel
from schemas.topics import INTERACTION_EVENTS, OFFERED, POLICY
from tests.offers import NOW, offered, policy, snapshot
from tests.unit.test_router_step import CODEC, Bench, decisions

BALANCE = Classification(intent="balance", confidence=1.0, model="handover")


def handed(name: str, epoch: int = 1, *excluded: str, **changes: Any) -> Offered:
    base = offered(name, text="", classification=BALANCE)
    handover = Handover(epoch=epoch, excluded=excluded, reason="other_intent")
    return msgspec.structs.replace(base, handover=handover, **changes)


def at(offer: Offered, offset: int) -> Record:
    return Record(OFFERED.name, 0, offset, offer.interaction_id.encode(), CODEC.encode(offer))


def governed(made: Policy) -> Snapshot:
    return snapshot().with_record(POLICY, made.tenant, made, 9)


@pytest.mark.parametrize("leaving", ["nova", "vega"])
def test_a_handover_goes_to_an_agent_of_the_intent_that_did_not_give_it_away(leaving: str) -> None:
    bench = Bench()
    for number in range(20):  # of two that fit alike the id decides
        (decision,) = decisions(bench.run(at(handed(f"c-{number}", 1, leaving), number)))
        assert decision.endpoint == ({"nova": "vega", "vega": "nova"}[leaving])
        assert (decision.session_epoch, decision.disposition) == (1, Disposition.ROUTE)
        codes = [reason.code for reason in decision.reasons]
        assert codes[0] == "handover"
        assert "handed_over" in codes


def test_a_handover_that_leaves_nobody_is_for_people() -> None:
    bench = Bench()
    (decision,) = decisions(bench.run(at(handed("c-1", 1, "nova", "vega"), 0)))
    assert (decision.pool, decision.endpoint, decision.session_epoch) == (Pool.HUMAN_EXCLUSIVE, None, 1)


def test_each_handover_of_a_contact_is_decided_once_and_none_is_a_repeat_of_the_offer() -> None:
    bench = Bench()
    first = offered("c-1", text="balance please")
    packed = bench.run(at(first, 0), at(handed("c-1", 1), 1), at(handed("c-1", 2), 2), at(handed("c-1", 2), 3))
    kinds = [(each.session_epoch, each.disposition) for each in decisions(packed)]
    assert kinds == [
        (0, Disposition.ROUTE),
        (1, Disposition.ROUTE),
        (2, Disposition.ROUTE),
        (2, Disposition.REPEAT),
    ]
    inbox = [CODEC.decode(each.value) for each in packed if each.topic == INTERACTION_EVENTS.name]
    assert [each.session_epoch for each in inbox if isinstance(each, Decision)] == [0, 1, 2]


def test_a_contact_under_way_is_above_no_limit() -> None:
    bench = Bench()
    limit = Limit(limit="one", by=LimitBy.TENANT, contacts=1, seconds=60.0)
    bench.snapshot = governed(policy(limits=(limit,)))
    offers = [offered("c-1", text="balance"), offered("c-2", text="balance"), handed("c-3")]
    codes = [
        [reason.code for reason in decision.reasons]
        for decision in decisions(bench.run(*(at(offer, number) for number, offer in enumerate(offers))))
    ]
    assert ["limit" in each for each in codes] == [False, True, False]


def test_a_parallel_position_is_marked_where_the_condition_holds_and_ai_has_the_contact() -> None:
    bench = Bench()
    when = Condition(segments=("gold",), channels=(Channel.CHAT,))
    bench.snapshot = governed(policy(parallel=Parallel(when=when)))
    gold = {"segment": "gold", "channel": Channel.CHAT}
    offers = [
        offered("c-1", text="balance", **gold),
        offered("c-2", text="balance", channel=Channel.CHAT),
        offered("c-3", text="complaint", **gold),
        handed("c-4", 1, **gold),
    ]
    packed = bench.run(*(at(offer, number) for number, offer in enumerate(offers)))
    assert [each.parallel for each in decisions(packed)] == [True, False, False, False]


def test_what_an_offer_states_of_its_customer_is_on_the_decision() -> None:
    bench = Bench()
    stated = {"customer_id": "c-9", "region": "eu", "flags": ("vip",), "age_years": 40, "direction": Direction.OUTBOUND}
    packed = bench.run(at(offered("c-1", **stated), 0), at(offered("c-2"), 1))
    assert [each.customer for each in decisions(packed)] == [Customer(**stated), None]


def test_a_decision_without_a_policy_names_the_epoch_all_the_same() -> None:
    from router.decide.contact import Contact
    from router.decide.world import world_of

    decision = decide(Contact(handed("c-1", 3), 0, 0, BALANCE), world_of(Snapshot()), Load(), NOW)
    assert (decision.session_epoch, decision.pool) == (3, Pool.HUMAN_EXCLUSIVE)
