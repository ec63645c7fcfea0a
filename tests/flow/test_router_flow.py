"""The router as a process: offers in, decisions out, through a real broker and a real Redis."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from runtime.clock import real_now
from runtime.embedded import EmbeddedRedis
from runtime.settings import Settings
from schemas.envelope import iso_time
from schemas.fields import BreakerState, Channel, Disposition, Pool
from schemas.interactions import Classification, Classified, Decision
from schemas.rules import Answer, ChannelAnswer, ChannelNotice, Spillover
from schemas.topics import (
    AVAILABILITY,
    CLASSIFIED,
    CLOCK,
    COMMANDS,
    INTERACTION_EVENTS,
    MODELS,
    OFFERED,
    POLICY,
    ROUTED,
    SPARE,
    TRANSITIONS,
)
from schemas.wfm import SpareCapacity
from tests.flow.steps import (
    CODEC,
    PARTITIONS,
    SECOND,
    Watch,
    ids,
    new_room,
    offered,
    policy,
    publish_policy,
    publish_transition,
    reasons,
    running,
    transition,
    write,
)
from tests.support.services import ServiceProcess

pytestmark = pytest.mark.xdist_group("router_flow")

FOLLOWS_WITHIN_SECONDS = 2.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("router-flow")


@pytest.fixture(scope="module")
def room(bootstrap: str, redis_url: str, data: Path) -> Iterator[Settings]:
    """One router for the tests that leave it running; each has a tenant of its own."""
    settings = new_room(bootstrap, redis_url, data)
    with running(settings, "router"):
        yield settings


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4().hex[:8]}"


def offer_until(
    settings: Settings, watch: Watch, tenant: str, code: str, seconds: float
) -> tuple[list[Decision], float]:
    """Offer a contact every now and then until a decision bears `code`; return the decisions and how long it took."""
    began = time.monotonic()
    decisions: list[Decision] = []
    while not decisions or code not in reasons(decisions[-1]):
        assert time.monotonic() - began < seconds, [reasons(decision) for decision in decisions[-3:]]
        name = f"{tenant}-{uuid.uuid4().hex[:8]}"
        write(settings, OFFERED, offered(name, tenant))
        decisions.append(watch.decision(name))
    return decisions, time.monotonic() - began


def following_policy(settings: Settings, watch: Watch, tenant: str) -> None:
    publish_policy(settings, policy(tenant))
    offer_until(settings, watch, tenant, "confidence_contained", 20)


def test_an_offer_is_classified_decided_and_told_to_sessions_in_one_go(room: Settings, tenant: str) -> None:
    with Watch(room, CLASSIFIED, ROUTED, INTERACTION_EVENTS, POLICY) as watch:
        following_policy(room, watch, tenant)
        name, before = f"{tenant}-first", real_now()
        write(room, OFFERED, offered(name, tenant, customer_id="c-77"))
        decision = watch.decision(name)
        watch.until("its classification", lambda: watch.of(CLASSIFIED, interaction_id=name))
        watch.until("its decision in the inbox", lambda: watch.of(INTERACTION_EVENTS, interaction_id=name))
        policy_offset = next(r.offset for r in watch.records if r.topic == POLICY.name and r.key == tenant.encode())
        mine = [record for record in watch.records if record.key == name.encode()]

    assert (decision.pool, decision.endpoint, decision.queue) == (Pool.AI_CONTAINED, "nova", "retail")
    assert decision.reasons[0].code == "confidence_contained"
    assert decision.reasons[0].detail == "0.9900 >= 0.92"
    assert decision.epochs[POLICY.name] >= policy_offset
    assert decision.epochs[CLOCK.name] == -1
    followed = (POLICY, TRANSITIONS, COMMANDS, AVAILABILITY, SPARE, CLOCK, MODELS)
    assert set(decision.epochs) == {topic.name for topic in followed}
    assert not decision.load.store_down
    assert decision.load.probe_permits == {}
    assert before <= decision.offered_at <= decision.decided_at <= real_now()
    assert sorted(record.topic for record in mine) == sorted([CLASSIFIED.name, ROUTED.name, INTERACTION_EVENTS.name])
    routed, told = (next(r for r in mine if r.topic == topic.name) for topic in (ROUTED, INTERACTION_EVENTS))
    assert (routed.value, routed.partition) == (told.value, told.partition)
    assert told.headers == ()
    headers = dict(routed.headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == b"io.trunkline.Decision"
    assert headers["ce_source"] == b"/trunkline/router"
    assert headers["ce_time"] == iso_time(decision.decided_at).encode()
    assert headers["content-type"] == b"application/avro"
    classified = next(record for record in mine if record.topic == CLASSIFIED.name)
    assert dict(classified.headers)["ce_type"] == b"io.trunkline.Classified"
    assert headers["ce_id"] != dict(classified.headers)["ce_id"]


def test_words_are_classified_by_the_model_and_the_decision_says_by_which(room: Settings, tenant: str) -> None:
    with Watch(room, CLASSIFIED, ROUTED) as watch:
        name = f"{tenant}-words"
        write(room, OFFERED, offered(name, tenant, text="I want to cancel my contract", classification=None))
        decision = watch.decision(name)
        watch.until("its classification", lambda: watch.of(CLASSIFIED, interaction_id=name))
        (classified,) = watch.of(CLASSIFIED, interaction_id=name)
    assert isinstance(classified, Classified)
    assert decision.model.startswith("seed")
    assert classified.classification == Classification(
        intent=decision.intent,
        confidence=decision.confidence,
        runner_up=classified.classification.runner_up,
        runner_up_gap=decision.runner_up_gap,
        model=decision.model,
    )


def test_a_policy_that_comes_later_changes_decisions_within_two_seconds(room: Settings, tenant: str) -> None:
    with Watch(room, ROUTED) as watch:
        write(room, OFFERED, offered(f"{tenant}-early", tenant))
        early = watch.decision(f"{tenant}-early")
        publish_policy(room, policy(tenant))
        decisions, took = offer_until(room, watch, tenant, "confidence_contained", 20)
    assert (early.pool, early.queue, reasons(early)) == (Pool.HUMAN_EXCLUSIVE, "default", ["no_policy"])
    assert decisions[-1].epochs[POLICY.name] > early.epochs[POLICY.name]
    assert took <= FOLLOWS_WITHIN_SECONDS


def test_an_open_breaker_sends_contacts_to_people_within_two_seconds(room: Settings, tenant: str) -> None:
    with Watch(room, ROUTED) as watch:
        following_policy(room, watch, tenant)
        publish_transition(room, transition(tenant, BreakerState.OPEN, 1, open_until=real_now() + 30 * SECOND))
        opened, took = offer_until(room, watch, tenant, "breaker_open", 20)
        publish_transition(room, transition(tenant, BreakerState.CLOSED, 2))
        closed, took_back = offer_until(room, watch, tenant, "confidence_contained", 20)
    assert reasons(opened[-1]) == ["breaker_open", "all_ai_unavailable"]
    assert (opened[-1].pool, opened[-1].endpoint) == (Pool.HUMAN_EXCLUSIVE, None)
    assert (closed[-1].pool, closed[-1].breaker_epoch) == (Pool.AI_CONTAINED, 2)
    assert opened[-1].epochs[TRANSITIONS.name] < closed[-1].epochs[TRANSITIONS.name]
    assert max(took, took_back) <= FOLLOWS_WITHIN_SECONDS


def test_a_half_open_breaker_gets_its_probes_and_not_one_more(room: Settings, tenant: str) -> None:
    with Watch(room, ROUTED) as watch:
        following_policy(room, watch, tenant)
        expiry = real_now() + 60 * SECOND
        publish_transition(
            room,
            transition(tenant, BreakerState.HALF_OPEN, 3, probe_permits=(1, 0, 2, 1), probes_expire_at=expiry),
        )
        offer_until(room, watch, tenant, "breaker_half_open", 20)
        names = ids(f"{tenant}-probe", 80)
        write(room, OFFERED, *(offered(name, tenant) for name in names))
        watch.until("80 decisions", lambda: {d.interaction_id for d in watch.of(ROUTED, tenant=tenant)} >= set(names))
        half_open = [d for d in watch.of(ROUTED, tenant=tenant) if "breaker_half_open" in reasons(d)]
        probes = [decision for decision in half_open if "probe" in reasons(decision)]
    assert Counter(probe.offered_partition for probe in probes) == {0: 1, 2: 2, 3: 1}
    assert {(probe.pool, probe.endpoint, probe.breaker_epoch) for probe in probes} == {(Pool.AI_ASSISTED, "nova", 3)}
    assert all(probe.load.probe_permits["nova"] > 0 for probe in probes)
    others = [decision for decision in half_open if decision not in probes]
    assert all(d.load.probe_permits == {"nova": 0} and d.pool is Pool.HUMAN_EXCLUSIVE for d in others)


def test_a_repeat_names_the_first_decision_also_after_a_restart_and_sigterm_ends_with_code_0(
    bootstrap: str, redis_url: str, data: Path
) -> None:
    settings = new_room(bootstrap, redis_url, data)
    with running(settings, "router") as (router,), Watch(settings, ROUTED, CLASSIFIED, INTERACTION_EVENTS) as watch:
        write(settings, OFFERED, offered("again", "acme"))
        first = watch.decision("again")
        write(settings, OFFERED, offered("again", "acme"), offered("again", "other-tenant"))
        watch.until("two more records", lambda: len(watch.of(ROUTED)) == 3)

        signalled = time.monotonic()
        assert router.stop() == 0
        assert time.monotonic() - signalled < 5
        write(settings, OFFERED, offered("again", "acme", text="quite another"))
        router.start().wait_ready()
        watch.until("the record after the restart", lambda: len(watch.of(ROUTED)) == 4)
        watch.to_end()

        repeats = watch.of(ROUTED, disposition=Disposition.REPEAT)
        assert [repeat.first_decision_id for repeat in repeats] == [first.decision_id] * 2
        assert all(repeat.pool is None and repeat.reasons[0].code == "repeat" for repeat in repeats)
        assert len({repeat.decision_id for repeat in repeats} | {first.decision_id}) == 3
        told = watch.of(INTERACTION_EVENTS)
        assert [(d.tenant, d.disposition) for d in told] == [
            ("acme", Disposition.ROUTE),
            ("other-tenant", Disposition.ROUTE),
        ], "interaction ids are per tenant, and a repeat is no decision"
        assert len(watch.of(CLASSIFIED)) == 2


def test_with_redis_frozen_or_gone_contacts_are_decided_and_with_redis_back_repeats_are_known_again(
    bootstrap: str, data: Path, tmp_path: Path
) -> None:
    with EmbeddedRedis(tmp_path / "redis") as redis:
        settings = new_room(bootstrap, redis.url, data)
        with running(settings, "router") as (router,), Watch(settings, ROUTED) as watch:
            write(settings, OFFERED, offered("with", "acme"))
            assert not watch.decision("with").load.store_down
            redis.pause()
            began = time.monotonic()
            write(settings, OFFERED, offered("frozen", "acme"))
            assert watch.decision("frozen").load.store_down
            assert time.monotonic() - began < FOLLOWS_WITHIN_SECONDS
            redis.stop()
            began = time.monotonic()
            write(settings, OFFERED, *(offered(name, "acme") for name in ids("without", 50)))
            last = watch.decision("without-0049")
            took = time.monotonic() - began
            watch.until("50 decisions", lambda: len(watch.of(ROUTED)) == 52)
            metrics = httpx.get(f"http://127.0.0.1:{router.port()}/metrics").text
            write(settings, OFFERED, offered("without-0000", "acme"))
            watch.until("the second decision", lambda: len(watch.of(ROUTED, interaction_id="without-0000")) == 2)
            redis.start()
            number = 0
            while watch.decision(f"back-{number}").load.store_down if number else True:
                number += 1
                assert number < 200, "the router does not find Redis again"
                write(settings, OFFERED, offered(f"back-{number}", "acme"))
            write(settings, OFFERED, offered(f"back-{number}", "acme"))
            watch.until("a repeat", lambda: watch.of(ROUTED, disposition=Disposition.REPEAT))
            (repeat,) = watch.of(ROUTED, disposition=Disposition.REPEAT)
            assert router.stop() == 0
    assert last.load.store_down
    assert took < FOLLOWS_WITHIN_SECONDS
    assert "trunkline_offer_guard_down 1.0" in metrics
    without = [d for d in watch.of(ROUTED) if d.interaction_id.startswith("without")]
    assert all(decision.load.store_down and decision.disposition is Disposition.ROUTE for decision in without)
    assert repeat.first_decision_id == watch.of(ROUTED, interaction_id=f"back-{number}")[0].decision_id


def test_two_routers_share_the_partitions_and_a_kill_of_one_loses_and_doubles_nothing(
    bootstrap: str, redis_url: str, data: Path
) -> None:
    settings = new_room(bootstrap, redis_url, data)
    names = ids("shared", 1200)
    stop = threading.Event()

    def offer_all() -> None:
        for at in range(0, len(names), 20):
            write(settings, OFFERED, *(offered(name, "acme") for name in names[at : at + 20]))
            if stop.wait(0.05):
                return

    with running(settings, "router") as (first,), Watch(settings, ROUTED, INTERACTION_EVENTS) as watch:
        second = ServiceProcess(settings, "router", slot=1)
        try:
            second.start().wait_ready()
            watch.until("each router to own half", lambda: owned(first) == owned(second) == PARTITIONS / 2)
            writer = threading.Thread(target=offer_all)
            writer.start()
            try:
                watch.until("300 decisions", lambda: len(watch.records) >= 600)
                first.kill()
                killed = time.monotonic()
                watch.until("all decisions", lambda: lives(second) and decided(watch) >= set(names), 40)
                took = time.monotonic() - killed
            finally:
                stop.set()
                writer.join()
            watch.to_end()
            assert owned(second) == PARTITIONS
        finally:
            code = second.stop()
    assert code == 0
    assert Counter(d.interaction_id for d in watch.of(ROUTED)) == dict.fromkeys(names, 1)
    assert Counter(d.interaction_id for d in watch.of(INTERACTION_EVENTS)) == dict.fromkeys(names, 1)
    assert {d.disposition for d in watch.of(ROUTED)} == {Disposition.ROUTE}
    print(f"all decided {took:.1f} s after the kill of one of two routers")


def lives(router: ServiceProcess) -> bool:
    assert router.process is not None
    assert router.process.poll() is None, router.tail()
    return True


def decided(watch: Watch) -> set[str]:
    return {(record.key or b"").decode() for record in watch.records if record.topic == ROUTED.name}


def owned(router: ServiceProcess) -> float:
    text = httpx.get(f"http://127.0.0.1:{router.port()}/metrics").text
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("trunkline_partitions_owned{")
    )


def test_an_offer_without_a_key_or_under_a_foreign_one_is_decided_under_its_own(room: Settings, tenant: str) -> None:
    from runtime.kafka import Writer

    writer = Writer(room, "test")
    names = [f"{tenant}-{number}" for number in range(3)]
    for name, key in zip(names, (None, b"foreign", b"\xff\xfe"), strict=True):
        writer.write_bytes(OFFERED.name, key, CODEC.encode(offered(name, tenant)))
    writer.close()
    with Watch(room, ROUTED) as watch:
        for name in names:
            watch.decision(name)
        keys = {record.key for record in watch.records}
    assert {name.encode() for name in names} <= keys


def test_contacts_that_spill_over_go_to_people_by_permit_and_the_others_wait(room: Settings, tenant: str) -> None:
    hold = ChannelAnswer(channel=Channel.CHAT, answer=Answer.HOLD)
    notice = ChannelNotice(channel=Channel.CHAT, notice="please_wait")
    said = Spillover(metered=True, channels=(hold,), notices=(notice,), hold_seconds=60.0)
    permits = (2, 0, 3, 1)
    with Watch(room, ROUTED) as watch:
        publish_policy(room, msgspec.structs.replace(policy(tenant), spillover=said))
        offer_until(room, watch, tenant, "confidence_contained", 20)
        publish_transition(room, transition(tenant, BreakerState.OPEN, 1, version="7"))
        offer_until(room, watch, tenant, "breaker_open", 20)
        expiry = real_now() + 60 * SECOND
        rows = SpareCapacity(
            tenant=tenant, queue="retail", revision=1, spare_contacts_per_minute=60.0, permits=permits,
            expires_at=expiry, occurred_at=real_now(),
        )  # fmt: skip
        write(room, SPARE, rows)
        offer_until(room, watch, tenant, "spillover", 20)
        names = ids(f"{tenant}-spilled", 80)
        write(room, OFFERED, *(offered(name, tenant) for name in names))
        watch.until("80 decisions", lambda: {d.interaction_id for d in watch.of(ROUTED, tenant=tenant)} >= set(names))
        metered = [d for d in watch.of(ROUTED, tenant=tenant) if d.load.spare is not None]
    by_permit = [decision for decision in metered if "spare" in reasons(decision)]
    assert Counter(decision.offered_partition for decision in by_permit) == {0: 2, 2: 3, 3: 1}
    assert {decision.disposition for decision in by_permit} == {Disposition.ROUTE}
    held = [decision for decision in metered if decision not in by_permit]
    assert {(d.disposition, d.load.spare, d.notice) for d in held} == {(Disposition.HOLD, 0, "please_wait")}
    assert all(decision.hold_until == decision.decided_at + 60 * SECOND for decision in held)
    assert all(decision.epochs[SPARE.name] >= 0 for decision in metered)
