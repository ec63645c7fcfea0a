"""A world goes with the time: opening hours, maintenance and what WFM says begin and end without a record."""

from __future__ import annotations

import msgspec

from router.decide.decision import decide
from router.decide.world import World, world_of
from schemas.control import Availability, HumanQueue, Policy
from schemas.fields import Disposition
from schemas.hours import instant
from schemas.interactions import Decision, Load
from schemas.rules import Answer, Maintenance, Opening, Relief
from schemas.topics import AVAILABILITY, queue_key
from tests.offers import NOW, contact, policy, snapshot

EIGHT, NOON, EVENING = (instant(f"1999-03-24T{hour}:00:00Z") for hour in ("08", "12", "20"))


def said(world: World, now: int, **changes: object) -> Decision:
    return decide(contact("card_lost", **{"confidence": 0.97, "occurred_at": now, **changes}), world, Load(), now)  # type: ignore[arg-type]


def with_agents(**changes: object) -> Policy:
    base = policy()
    agents = [msgspec.structs.replace(each, **changes) if each.endpoint == "vega" else each for each in base.endpoints]
    return policy(endpoints=tuple(agents))


def test_maintenance_begins_and_ends_by_itself() -> None:
    window = Maintenance(starts="1999-03-24T10:00:00Z", ends="1999-03-24T14:00:00Z", reason="upgrade")
    world = world_of(snapshot(of=with_agents(maintenance=(window,))))
    # 08 vega | 10 ........ 14 | 20 vega; and back again: a replay may ask in any order
    for now, endpoint in ((EIGHT, "vega"), (NOON, None), (EVENING, "vega"), (NOON, None), (EIGHT, "vega")):
        assert said(world, now).endpoint == endpoint


def test_a_queue_opens_and_closes_by_itself() -> None:
    hours = (Opening(days="mon-sun", hours="09:00-18:00"),)
    cards = HumanQueue(queue="cards", intents=("card_lost",), hours=hours, when_closed=Answer.CALLBACK)
    world = world_of(snapshot(of=policy(queues=(cards,), default_queue="cards")))
    found = [said(world, now, confidence=0.1).disposition for now in (EIGHT, NOON, EVENING)]
    assert found == [Disposition.CALLBACK, Disposition.ROUTE, Disposition.CALLBACK]


def test_what_wfm_says_counts_from_its_start_to_its_expiry() -> None:
    short = Availability(
        tenant="acme", queue="cards", agents_required=10, agents_available=5, starts_at=NOON, expires_at=EVENING,
        occurred_at=EIGHT,
    )  # fmt: skip
    given = snapshot(of=policy(relief=Relief(contained_by=0.2)))
    world = world_of(given.with_record(AVAILABILITY, queue_key("acme", "cards"), short, 0))
    found = [said(world, now).thresholds.contained for now in (EIGHT, NOON, EVENING - 1, EVENING)]
    assert found == [0.92, 0.72, 0.72, 0.92]
    assert said(world, NOON).epochs[AVAILABILITY.name] == 0


def test_a_tenant_is_arranged_anew_when_wfm_says_something_else() -> None:
    given = snapshot(of=policy(relief=Relief(contained_by=0.2)))
    before = world_of(given)
    assert said(before, NOW).thresholds.contained == 0.92
    short = Availability(
        tenant="acme", queue="cards", agents_required=10, agents_available=0, expires_at=2 * NOW, occurred_at=NOW
    )
    after = world_of(given.with_record(AVAILABILITY, queue_key("acme", "cards"), short, 0), before)
    assert said(after, NOW).thresholds.contained == 0.72
