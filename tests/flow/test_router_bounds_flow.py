"""What bounds a router: contacts at once, limits and the people there are, through a real broker and a real Redis."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.control import Availability, Policy
from schemas.fields import Disposition, FinishedBy, Pool
from schemas.interactions import Completed, Decision
from schemas.rules import Answer, Limit, LimitBy, Relief
from schemas.topics import AVAILABILITY, INTERACTION_EVENTS, OFFERED, POLICY, ROUTED
from tests.flow.steps import SECOND, Watch, new_room, offered, policy, publish_policy, reasons, running, write

pytestmark = pytest.mark.xdist_group("router_bounds_flow")


@pytest.fixture(scope="module")
def room(bootstrap: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Settings]:
    """A router, sessions, and the service that takes contacts that ended off the counts."""
    data = tmp_path_factory.mktemp("bounds-flow")
    (data / "models").symlink_to(models)
    settings = new_room(bootstrap, redis_url, data)
    with running(settings, "router", "sessions", "counts"):
        yield settings


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4().hex[:8]}"


def follow(settings: Settings, watch: Watch, made: Policy) -> None:
    """Publish a policy, and wait until the router obeys it; what is offered for that is sure of nothing."""
    publish_policy(settings, made)
    deadline = time.monotonic() + 20
    while True:
        assert time.monotonic() < deadline, "the router does not follow the policy"
        (said,) = decided(settings, watch, made.tenant, f"{made.tenant}-wait-{uuid.uuid4().hex[:8]}", confidence=0.1)
        if said.epochs[POLICY.name] >= 0 and said.reasons[0].code == "confidence_below_assisted":
            return


def decided(settings: Settings, watch: Watch, tenant: str, *names: str, confidence: float = 0.99) -> list[Decision]:
    found = msgspec.structs.replace(offered("", tenant).classification, confidence=confidence)  # type: ignore[type-var]
    contacts = [offered(name, tenant, source="dialler", classification=found) for name in names]
    for contact in contacts:  # one by one: what a slice gave is known to the next
        write(settings, OFFERED, contact)
        watch.decision(contact.interaction_id)
    return [watch.decision(name) for name in names]


def test_an_agent_that_is_full_gets_no_more_until_one_of_its_contacts_ends(room: Settings, tenant: str) -> None:
    agents = tuple(msgspec.structs.replace(each, max_concurrent=3) for each in policy(tenant).endpoints)
    with Watch(room, ROUTED) as watch:
        follow(room, watch, msgspec.structs.replace(policy(tenant), endpoints=agents))
        names = [f"{tenant}-{n}" for n in range(5)]
        found = decided(room, watch, tenant, *names)
        assert [each.pool for each in found] == [Pool.AI_CONTAINED] * 3 + [Pool.HUMAN_EXCLUSIVE] * 2
        assert reasons(found[-1]) == ["at_capacity", "all_ai_unavailable"]
        assert found[-1].load.full == ("nova",)
        ended = Completed(
            interaction_id=names[1], tenant=tenant, finished_by=FinishedBy.AI, ai_turns=0, occurred_at=real_now()
        )
        write(room, INTERACTION_EVENTS, ended)
        deadline = time.monotonic() + 20
        while True:
            (again,) = decided(room, watch, tenant, f"{tenant}-more-{uuid.uuid4().hex[:8]}")
            if again.endpoint == "nova":
                break
            assert time.monotonic() < deadline, "the contact that ended is still counted"


def test_contacts_above_a_limit_get_its_answer_and_say_which(room: Settings, tenant: str) -> None:
    bursts = Limit(limit="bursts", by=LimitBy.SOURCE, contacts=4, seconds=3600.0, answer=Answer.DEFLECT)
    with Watch(room, ROUTED) as watch:
        follow(room, watch, msgspec.structs.replace(policy(tenant), limits=(bursts,)))
        waiting = len(watch.of(ROUTED, tenant=tenant))  # those count too
        found = decided(room, watch, tenant, *(f"{tenant}-{n}" for n in range(6)))
        above = [each for each in found if "limit" in reasons(each)]
        assert len(above) == min(6, max(0, waiting + 6 - 4))
        assert {each.disposition for each in above} == {Disposition.DEFLECT}
        assert above[-1].load.limited == ("bursts",)
        assert above[-1].reasons[0].detail == "bursts: over 4 in 3600 s by source"
        repeated = above[-1].interaction_id
        write(room, OFFERED, offered(repeated, tenant, source="dialler"))
        watch.until("the repeat", lambda: len(watch.of(ROUTED, interaction_id=repeated)) == 2)
        assert watch.of(ROUTED, interaction_id=repeated)[1].disposition is Disposition.REPEAT


def test_what_wfm_says_of_its_people_moves_thresholds_within_seconds(room: Settings, tenant: str) -> None:
    relief = Relief(shortage_full=0.5, contained_by=0.2, assisted_by=0.2)
    with Watch(room, ROUTED) as watch:
        follow(room, watch, msgspec.structs.replace(policy(tenant), relief=relief))
        (before,) = decided(room, watch, tenant, f"{tenant}-before", confidence=0.85)
        assert (before.pool, before.thresholds.contained) == (Pool.AI_ASSISTED, 0.92)
        short = Availability(
            tenant=tenant, queue="retail", agents_required=20, agents_available=15, occurred_at=real_now(),
            expires_at=real_now() + 600 * SECOND,
        )  # fmt: skip
        write(room, AVAILABILITY, short)
        began = time.monotonic()
        while True:
            (after,) = decided(room, watch, tenant, f"{tenant}-{uuid.uuid4().hex[:8]}", confidence=0.85)
            if after.pool is Pool.AI_CONTAINED:
                break
            assert time.monotonic() - began < 5.0
        assert (after.thresholds.contained, after.thresholds.assisted) == (0.82, 0.65)
        assert after.reasons[0].detail == "retail has 15 of 20: contained 0.82, assisted 0.65"
