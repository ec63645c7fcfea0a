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
from schemas.rules import Answer, ChannelAnswer, ChannelNotice, SegmentPriority, Spillover, Tightening
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
CALLED_BACK = Spillover(metered=True, channels=(ChannelAnswer(channel=Channel.CHAT, answer=Answer.CALLBACK),))


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


@pytest.mark.parametrize(("given", "kept"), [(9, 3), (10, 4), (3, 1), (2, 0), (2, 1), (1, 0), (1, 1)])
def test_the_last_permits_are_kept_for_those_who_come_first_as_many_as_staffing_says(given: int, kept: int) -> None:
    row = spare(permits=(0, given), kept=(0, kept))
    for segment, least in (("standard", kept + 1), ("gold", 1)):
        for left in range(given + 1):
            decision = spilled(METERED, left, row, segment=segment, partition=1)
            assert spent_spare(decision) == (left >= least), (segment, left)


def test_a_row_that_says_of_no_permit_that_it_is_kept_keeps_none() -> None:
    assert [spent_spare(spilled(METERED, left, spare(kept=()))) for left in (0, 1, 9)] == [False, True, True]


@pytest.mark.parametrize(
    ("said", "left", "becomes"),
    [
        (METERED, 9, "route"),
        (METERED, 0, "hold"),
        (CALLED_BACK, 0, "callback"),
        (Spillover(), None, "route"),
    ],
)
def test_a_contact_that_ai_would_have_had_is_displaced_whatever_becomes_of_it(
    said: Spillover, left: int | None, becomes: str
) -> None:
    decision = spilled(said, left)
    assert (decision.displaced, str(decision.disposition)) == (True, becomes)


def test_a_contact_of_low_priority_that_is_deflected_is_displaced() -> None:
    decision = spilled(METERED, 9, segment="basic")
    assert (decision.displaced, decision.disposition) == (True, Disposition.DEFLECT)


def test_what_ai_has_or_would_not_have_had_is_not_displaced() -> None:
    given = snapshot(OPENED, of=policy(spillover=METERED))
    of = {intent: decide(contact(intent), world_of(given), Load(), NOW) for intent in ("balance", "complaint")}
    unsure = decide(contact("card_lost", confidence=0.5), world_of(given), Load(), NOW)
    assert (of["balance"].endpoint is not None, of["balance"].displaced) == (True, False)
    assert (of["complaint"].endpoint, of["complaint"].displaced) == (None, False)
    assert (unsure.endpoint, unsure.displaced) == (None, False)


def test_what_tightening_sends_to_people_is_their_own() -> None:
    given = snapshot(OPENED, of=policy(spillover=METERED, tightening=Tightening(agents_unwell=0.1)))
    decision = decide(contact("card_lost"), world_of(given), Load(), NOW)
    assert (decision.reasons[-1].code, decision.displaced) == ("not_simple", False)


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
    assert (again.priority, again.notice, again.hold_until, again.displaced) == (0, None, None, False)
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
