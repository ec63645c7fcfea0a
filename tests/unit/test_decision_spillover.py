"""Contacts that AI would have had: to people as fast as there is room, and what the others get."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.decide.counterfactual import counterfactuals
from router.decide.decision import decide, repeat, spare_room
from router.decide.spillover import spent_spare
from router.decide.world import world_of
from schemas.codec import Codec
from schemas.fields import BreakerState, Channel, Disposition
from schemas.interactions import Decision, Handover, Load
from schemas.rules import Answer, ChannelAnswer, ChannelNotice, SegmentPriority, Spillover
from schemas.topics import SPARE
from tests.offers import NOW, SECOND, breaker, contact, policy, snapshot, spare, with_spare

OPENED = breaker("vega", BreakerState.OPEN)
METERED = Spillover(
    metered=True,
    channels=(ChannelAnswer(channel=Channel.CHAT, answer=Answer.HOLD),),
    priorities=(SegmentPriority(segment="gold", priority=10), SegmentPriority(segment="basic", priority=-10)),
    deflect_below=-5,
    notices=(ChannelNotice(channel=Channel.CHAT, notice="please_wait"),),
    hold_seconds=90.0,
)
CALM = msgspec.structs.replace(METERED, priorities=(), deflect_below=None)
"""Nobody comes first."""


def spilled(said: Spillover, left: int | None, *rows: Any, **changes: Any) -> Decision:
    given = with_spare(snapshot(OPENED, of=policy(spillover=said)), *(rows or (spare(),)))
    return decide(contact("card_lost", **changes), world_of(given), Load(spare=left), NOW)


def outcome(decision: Decision) -> tuple[str, str]:
    return str(decision.disposition), decision.reasons[-1].code


def test_a_contact_with_a_permit_goes_to_people_and_one_without_waits() -> None:
    assert outcome(spilled(METERED, 9)) == ("route", "spare")
    decision = spilled(METERED, 0)
    assert outcome(decision) == ("hold", "spillover")
    assert decision.hold_until == NOW + 90 * SECOND
    assert (decision.priority, decision.notice) == (0, "please_wait")
    assert Codec().decode(Codec().encode(decision)) == decision


def test_only_a_contact_that_spends_a_permit_says_so() -> None:
    assert spent_spare(spilled(METERED, 9))
    assert not spent_spare(spilled(METERED, 0))
    assert not spent_spare(decide(contact("balance"), world_of(snapshot()), Load(spare=9), NOW))


@pytest.mark.parametrize(("given", "kept"), [(9, 3), (10, 3), (3, 1), (2, 0), (1, 0)])
def test_the_last_third_of_a_partition_is_kept_for_those_who_come_first(given: int, kept: int) -> None:
    row = spare(permits=(0, given))
    for segment, least in (("standard", kept + 1), ("gold", 1)):
        for left in range(given + 1):
            decision = spilled(METERED, left, row, segment=segment, partition=1)
            assert spent_spare(decision) == (left >= least), (segment, left)


def test_where_nobody_comes_first_nothing_is_kept() -> None:
    assert [spent_spare(spilled(CALM, left)) for left in (0, 1, 9)] == [False, True, True]


def test_a_load_that_says_nothing_of_room_leaves_none() -> None:
    assert outcome(spilled(CALM, None)) == ("hold", "spillover")


def test_a_contact_under_way_is_neither_deflected_nor_held() -> None:
    moved = Handover(epoch=1)
    for segment, left, code in (("basic", 9, "spare"), ("standard", 0, "spillover"), ("basic", 0, "spillover")):
        decision = spilled(METERED, left, segment=segment, handover=moved)
        assert (decision.disposition, decision.reasons[-1].code) == (Disposition.ROUTE, code)
        assert decision.hold_until is None


def test_a_row_counts_until_its_time_and_the_latest_alone() -> None:
    assert spilled(CALM, 0, spare(seconds=0)).disposition is Disposition.ROUTE
    ended = spare(revision=2, seconds=-1)
    assert spilled(CALM, 0, spare(), ended).disposition is Disposition.ROUTE
    assert spilled(CALM, 0, ended, spare(revision=3)).disposition is Disposition.HOLD


def test_a_repeat_has_nothing_of_a_contact_that_spills_over() -> None:
    given = with_spare(snapshot(OPENED, of=policy(spillover=METERED)), spare())
    again = repeat(contact("card_lost", segment="gold", offset=9), world_of(given), (0, 5), NOW)
    assert (again.priority, again.notice, again.hold_until) == (0, None, None)
    assert again.disposition is Disposition.REPEAT


@pytest.mark.parametrize(
    ("changes", "intent", "needed"),
    [
        ({}, "card_lost", True),
        ({}, "balance", False),
        ({}, "complaint", False),
        ({"tenant": "unheard"}, "card_lost", False),
    ],
)
def test_permits_are_asked_for_only_where_a_contact_may_need_one(changes: Any, intent: str, needed: bool) -> None:
    given = with_spare(snapshot(OPENED, of=policy(spillover=METERED)), spare(), spare(queue="front_desk"))
    room = spare_room(contact(intent, **changes), world_of(given), NOW)
    assert (room is not None) == needed


def test_without_metering_nobody_asks_for_permits() -> None:
    given = with_spare(snapshot(OPENED, of=policy(spillover=Spillover())), spare())
    made = world_of(given)
    assert made.spare_until == 0
    assert spare_room(contact("card_lost"), made, NOW) is None


def test_a_row_of_staffing_s_arranges_no_tenant_anew() -> None:
    given = with_spare(snapshot(OPENED, of=policy(spillover=METERED)), spare())
    before = world_of(given)
    known = before.tenant("acme", NOW)
    after = world_of(with_spare(given, spare(revision=2, permits=(1,))), before)
    assert after.tenant("acme", NOW) is known
    assert after.epochs[SPARE.name] == 1
    room = spare_room(contact("card_lost"), after, NOW)
    assert room is not None
    assert (room.epoch, room.of(0), room.of(1)) == (2, 1, 0)


# What would have changed it.


def moves(load: Load, **changes: Any) -> dict[str, tuple[Any, Any, str]]:
    given = with_spare(snapshot(OPENED, of=policy(spillover=METERED)), spare())
    found = counterfactuals(contact("card_lost", **changes), given, load, NOW)
    return {each.move.name: (each.move.was, each.move.now, each.outcome.disposition) for each in found}


def test_a_contact_that_was_held_is_told_how_much_room_it_lacked() -> None:
    assert moves(Load(spare=0))["spare"] == (0, 4, "route")
    assert moves(Load(spare=0), segment="gold")["spare"] == (0, 1, "route")
    assert moves(Load(spare=0))["spillover.metered"] == (True, False, "route")


def test_a_contact_that_had_a_permit_is_told_what_it_would_have_got_without() -> None:
    assert moves(Load(spare=9))["spare"] == (9, 0, "hold")


def test_a_contact_that_was_deflected_for_its_priority_is_told_so() -> None:
    assert moves(Load(spare=9), segment="basic")["spillover.deflect_below"] == (-5, None, "route")
