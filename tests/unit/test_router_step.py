"""The router's step on a batch: offers in, decisions out, with a classifier and a guard made for the test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from bench.memory import MemoryAtOnce, MemoryWindows
from router.app import Router
from router.classify.result import Classifications
from router.decide.decision import decision_id
from router.limits import Capacity, Limits
from runtime.kafka import Record
from runtime.metrics import METRICS
from runtime.snapshot import Snapshot
from runtime.step import Batch
from schemas.codec import Codec
from schemas.envelope import Packed
from schemas.fields import BreakerState, Channel, Disposition, Pool
from schemas.interactions import Classification, Classified, Decision, Offered
from schemas.rules import Answer, ChannelAnswer, Spillover
from schemas.topics import CLASSIFIED, INTERACTION_EVENTS, OFFERED, ROUTED
from tests.offers import NOW, SECOND, breaker, offered, policy, recovering, snapshot, spare, with_spare

CODEC = Codec()
DLQ = OFFERED.dead_letter_name


class WordClassifier:
    """The intent is the text's first word, with full confidence; it remembers what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def classify(self, texts: Sequence[str]) -> Classifications:
        self.batches.append(list(texts))
        intents = tuple(text.split()[0] for text in texts)
        count = len(texts)
        return Classifications(
            intent=np.arange(count, dtype=np.int32),
            confidence=np.ones(count),
            runner_up=np.arange(count, dtype=np.int32),
            runner_up_gap=np.ones(count),
            out_of_scope=np.zeros(count),
            intents=intents,
            model="words",
        )


class MemoryGuard:
    """Redis's part in a dictionary; `down` is its outage."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}
        self.down = False

    def ask(self, keys: Sequence[str], values: Sequence[str]) -> None:
        firsts = [self.seen.setdefault(key, value) for key, value in zip(keys, values, strict=True)]
        self.answer = {n: first for n, (first, value) in enumerate(zip(firsts, values, strict=True)) if first != value}

    def others(self) -> dict[int, str] | None:
        return None if self.down else self.answer


class Bench:
    """A router and what it wrote."""

    def __init__(self) -> None:
        self.classifier, self.guard = WordClassifier(), MemoryGuard()
        self.router = self.fresh_router()
        self.snapshot = snapshot()

    def fresh_router(self) -> Router:
        return Router(CODEC, self.classifier, self.guard, Limits(MemoryWindows()), Capacity(MemoryAtOnce(), 4))

    def step(self, *records: Record, now: int = NOW) -> list[Packed]:
        """A batch that is not committed yet."""
        self.router.begin()
        return self.router.step(Batch(records, self.snapshot, now))

    def run(self, *records: Record, now: int = NOW) -> list[Packed]:
        """A batch, committed."""
        packed = self.step(*records, now=now)
        self.router.kept()
        self.router.sealed()
        self.router.committed()
        return packed


@pytest.fixture
def bench() -> Bench:
    return Bench()


def record(offer: Offered | bytes | None, offset: int, partition: int = 0) -> Record:
    value = CODEC.encode(offer) if isinstance(offer, Offered) else offer
    key = offer.interaction_id.encode() if isinstance(offer, Offered) else b"k"
    return Record(OFFERED.name, partition, offset, key, value)


def contact(name: str, text: str = "balance please", **changes: Any) -> Offered:
    return offered(name, text=text, **changes)


def decisions(packed: Sequence[Packed]) -> list[Decision]:
    return [_decision(each) for each in packed if each.topic == ROUTED.name]


def _decision(packed: Packed) -> Decision:
    event = CODEC.decode(packed.value)
    assert isinstance(event, Decision)
    return event


def on(packed: Sequence[Packed], topic: str) -> list[Packed]:
    return [each for each in packed if each.topic == topic]


def test_an_offer_becomes_its_classification_and_its_decision(bench: Bench) -> None:
    packed = bench.run(record(contact("c-1"), 5, partition=2))
    assert [each.topic for each in packed] == [CLASSIFIED.name, ROUTED.name, INTERACTION_EVENTS.name]
    assert {each.key for each in packed} == {b"c-1"}
    (decision,) = decisions(packed)
    assert decision.decision_id == decision_id("c-1", 2, 5)
    assert (decision.pool, decision.intent, decision.model) == (Pool.AI_CONTAINED, "balance", "words")
    assert decision.decided_at == NOW
    classified = CODEC.decode(packed[0].value)
    assert isinstance(classified, Classified)
    assert classified.classification.intent == "balance"


def test_a_decision_goes_to_the_acd_and_to_sessions_with_the_same_bytes(bench: Bench) -> None:
    packed = bench.run(record(contact("c-1"), 0), record(contact("c-2", "complaint again"), 1))
    routed, inbox = on(packed, ROUTED.name), on(packed, INTERACTION_EVENTS.name)
    assert [(each.key, each.value) for each in routed] == [(each.key, each.value) for each in inbox]
    assert len(routed) == 2


def test_the_malformed_records_of_a_batch_are_its_dead_letters_and_the_rest_are_decided(bench: Bench) -> None:
    good = CODEC.encode(contact("c-0"))
    bad = [b"\x00random", good[:-1], good[:2] + b"unheard." + good[10:], None]
    batch = [record(contact("c-1"), 0), *[record(b, 1 + n) for n, b in enumerate(bad)], record(contact("c-2"), 9)]
    packed = bench.run(*batch)
    letters = on(packed, DLQ)
    assert [letter.value for letter in letters] == bad
    assert [dict(letter.headers)["dlq_reason"].decode() for letter in letters] == [
        "unknown_framing", "truncated", "unknown_schema", "empty",
    ]  # fmt: skip
    assert [dict(letter.headers)["dlq_offset"] for letter in letters] == [b"1", b"2", b"3", b"4"]
    assert [decision.interaction_id for decision in decisions(packed)] == ["c-1", "c-2"]


def test_a_batch_of_nothing_but_malformed_records_asks_neither_classifier_nor_guard(bench: Bench) -> None:
    packed = bench.run(record(b"x", 0), record(None, 1))
    assert [each.topic for each in packed] == [DLQ, DLQ]
    assert (bench.classifier.batches, bench.guard.seen) == ([], {})


def test_an_empty_batch_makes_nothing(bench: Bench) -> None:
    assert bench.run() == []
    assert bench.router.wake_seconds(bench.snapshot) is None


def test_the_same_interaction_twice_in_a_batch_is_decided_once(bench: Bench) -> None:
    packed = bench.run(record(contact("c-1"), 3), record(contact("c-1"), 4), record(contact("c-2"), 5))
    first, again, other = decisions(packed)
    assert (first.disposition, other.disposition) == (Disposition.ROUTE, Disposition.ROUTE)
    assert (again.disposition, again.pool) == (Disposition.REPEAT, None)
    assert again.first_decision_id == first.decision_id


def test_a_repeat_in_a_later_batch_and_on_another_partition_names_the_first_decision(bench: Bench) -> None:
    (first,) = decisions(bench.run(record(contact("c-1"), 3, partition=1)))
    bench.router = bench.fresh_router()
    (again,) = decisions(bench.run(record(contact("c-1"), 0, partition=3)))
    assert again.first_decision_id == first.decision_id


def test_a_repeat_goes_to_the_acd_only(bench: Bench) -> None:
    bench.run(record(contact("c-1"), 3))
    packed = bench.run(record(contact("c-1"), 4))
    assert [each.topic for each in packed] == [ROUTED.name]


def test_the_same_record_stepped_again_after_an_abort_is_decided_again_and_is_no_repeat(bench: Bench) -> None:
    batch = [record(contact("c-1"), 3), record(contact("c-1"), 4)]
    aborted = bench.step(*batch)
    again = bench.run(*batch)
    assert again == aborted


def test_the_same_record_read_by_the_successor_of_a_crashed_router_gets_the_same_decision_id(bench: Bench) -> None:
    (lost,) = decisions(bench.step(record(contact("c-1"), 3)))
    bench.router = bench.fresh_router()
    (decision,) = decisions(bench.run(record(contact("c-1"), 3), now=NOW + 12 * SECOND))
    assert decision.disposition is Disposition.ROUTE
    assert decision.decision_id == lost.decision_id


@pytest.mark.parametrize(("one", "other"), [(("a/b", "c"), ("a", "b/c")), (("a", "c"), ("b", "c"))])
def test_the_same_id_at_two_tenants_is_two_contacts(bench: Bench, one: tuple[str, str], other: tuple[str, str]) -> None:
    offers = [contact(name, tenant=tenant) for tenant, name in (one, other)]
    packed = bench.run(*[record(offer, n) for n, offer in enumerate(offers)])
    assert [decision.disposition for decision in decisions(packed)] == [Disposition.ROUTE, Disposition.ROUTE]


def test_with_the_guard_down_contacts_are_decided_and_say_so(bench: Bench) -> None:
    bench.guard.down = True
    first, again = decisions(bench.run(record(contact("c-1"), 0), record(contact("c-1"), 1)))
    assert (first.load.store_down, again.load.store_down) == (True, True)
    assert (first.disposition, again.disposition) == (Disposition.ROUTE, Disposition.ROUTE)
    assert METRICS.registry.get_sample_value("trunkline_offer_guard_down") == 1

    bench.guard.down = False
    (after,) = decisions(bench.run(record(contact("c-2"), 2)))
    assert after.load.store_down is False
    assert METRICS.registry.get_sample_value("trunkline_offer_guard_down") == 0


def test_a_classification_that_came_with_the_offer_is_used_and_the_rest_are_classified_at_once(bench: Bench) -> None:
    given = Classification(intent="loan", confidence=0.8, runner_up_gap=0.25, model="theirs")
    packed = bench.run(
        record(contact("c-1", "balance one"), 0),
        record(contact("c-2", "balance two", classification=given), 1),
        record(contact("c-3", "card_lost three"), 2),
    )
    assert bench.classifier.batches == [["balance one", "card_lost three"]]
    assert [(d.intent, d.model, d.confidence) for d in decisions(packed)] == [
        ("balance", "words", 1.0),
        ("loan", "theirs", 0.8),
        ("card_lost", "words", 1.0),
    ]
    classified: Any = CODEC.decode(on(packed, CLASSIFIED.name)[1].value)
    assert classified.classification == given


def test_where_every_offer_brought_its_intent_the_classifier_is_left_alone(bench: Bench) -> None:
    given = Classification(intent="loan", confidence=0.8)
    bench.run(record(contact("c-1", classification=given), 0))
    assert bench.classifier.batches == []


def test_a_time_that_cannot_be_is_corrected_and_counted(bench: Bench) -> None:
    before = METRICS.registry.get_sample_value("trunkline_times_corrected_total") or 0.0
    (decision,) = decisions(bench.run(record(contact("c-1", occurred_at=1), 0)))
    assert decision.offered_at == NOW
    assert METRICS.registry.get_sample_value("trunkline_times_corrected_total") == before + 1


def test_a_control_record_changes_the_next_batch(bench: Bench) -> None:
    (before,) = decisions(bench.run(record(contact("c-1", "card_lost now"), 0)))
    bench.snapshot = snapshot(breaker("vega", BreakerState.OPEN))
    (after,) = decisions(bench.run(record(contact("c-2", "card_lost now"), 1)))
    assert (before.pool, after.pool) == (Pool.AI_CONTAINED, Pool.HUMAN_EXCLUSIVE)
    assert (before.epochs["breakers.transitions"], after.epochs["breakers.transitions"]) == (-1, 0)


def test_without_any_policy_contacts_go_to_people(bench: Bench) -> None:
    bench.snapshot = Snapshot()
    (decision,) = decisions(bench.run(record(contact("c-1"), 0)))
    assert decision.pool is Pool.HUMAN_EXCLUSIVE


def probes(packed: Sequence[Packed]) -> list[bool]:
    return [decision.endpoint is not None for decision in decisions(packed)]


def lost_cards(count: int, start: int = 0, partition: int = 0) -> list[Record]:
    return [record(contact(f"p{partition}-{n}", "card_lost"), n, partition) for n in range(start, start + count)]


def test_a_partition_spends_its_permits_and_records_how_many_were_left(bench: Bench) -> None:
    bench.snapshot = snapshot(recovering("vega", permits=(2, 0, 1)))
    packed = bench.run(*lost_cards(3))
    assert probes(packed) == [True, True, False]
    assert [d.load.probe_permits for d in decisions(packed)] == [{"vega": 2}, {"vega": 1}, {"vega": 0}]
    assert probes(bench.run(*lost_cards(1, start=3))) == [False]
    assert probes(bench.run(*lost_cards(1, partition=1), *lost_cards(2, partition=2))) == [False, True, False]
    assert probes(bench.run(*lost_cards(1, partition=7))) == [False], "a partition that was given none"


def test_an_aborted_batch_spent_no_permit(bench: Bench) -> None:
    bench.snapshot = snapshot(recovering("vega", permits=(1,)))
    assert probes(bench.step(*lost_cards(2))) == [True, False]
    assert probes(bench.run(*lost_cards(2))) == [True, False]
    assert probes(bench.run(*lost_cards(1, start=2))) == [False]


def test_permits_end_with_their_expiry(bench: Bench) -> None:
    bench.snapshot = snapshot(recovering("vega", permits=(5,), seconds=60))
    assert probes(bench.run(*lost_cards(1), now=NOW + 59 * SECOND)) == [True]
    assert probes(bench.run(*lost_cards(1, start=1), now=NOW + 60 * SECOND)) == [False]


def test_a_repeat_spends_no_permit(bench: Bench) -> None:
    bench.snapshot = snapshot(recovering("vega", permits=(2,)))
    first, *_ = lost_cards(1)
    packed = bench.run(first, msgspec.structs.replace(first, offset=1), *lost_cards(1, start=2))
    assert probes(packed) == [True, False, True]


def test_a_contact_that_ai_may_not_have_spends_no_permit(bench: Bench) -> None:
    bench.snapshot = snapshot(recovering("vega", permits=(1,)), of=policy(human_only_intents=("balance",)))
    assert probes(bench.run(record(contact("c-1"), 0), *lost_cards(1, start=1))) == [False, True]


def test_a_partition_that_was_lost_is_forgotten(bench: Bench) -> None:
    bench.snapshot = snapshot(recovering("vega", permits=(1, 1)))
    bench.run(*lost_cards(1), *lost_cards(1, partition=1))
    bench.router.dropped(frozenset({0}))
    packed = bench.run(*lost_cards(1, start=1), *lost_cards(1, start=1, partition=1))
    assert probes(packed) == [True, False]


def metered(*rows: Any) -> Snapshot:
    """Vega is out, and staffing says how much room there is among the people of `cards`."""
    said = Spillover(metered=True, channels=(ChannelAnswer(channel=Channel.CHAT, answer=Answer.CALLBACK),))
    return with_spare(snapshot(breaker("vega", BreakerState.OPEN), of=policy(spillover=said)), *rows)


def spilled(packed: Sequence[Packed]) -> list[bool]:
    """Which contacts went to people; the others are called back."""
    made = decisions(packed)
    assert {decision.disposition for decision in made} <= {Disposition.ROUTE, Disposition.CALLBACK}
    return [decision.disposition is Disposition.ROUTE for decision in made]


def test_a_partition_sends_people_as_many_as_staffing_says_and_records_how_many_were_left(bench: Bench) -> None:
    bench.snapshot = metered(spare(permits=(2, 0, 1)))
    packed = bench.run(*lost_cards(3))
    assert spilled(packed) == [True, True, False]
    assert [d.load.spare for d in decisions(packed)] == [2, 1, 0]
    assert spilled(bench.run(*lost_cards(1, start=3))) == [False]
    assert spilled(bench.run(*lost_cards(1, partition=1), *lost_cards(2, partition=2))) == [False, True, False]


def test_a_new_row_of_staffing_s_has_permits_of_its_own_and_those_of_the_last_one_are_void(bench: Bench) -> None:
    bench.snapshot = metered(spare(permits=(3,)))
    assert spilled(bench.run(*lost_cards(2))) == [True, True]
    bench.snapshot = metered(spare(permits=(1,), revision=2))
    assert spilled(bench.run(*lost_cards(3, start=2))) == [True, False, False]


def test_when_a_row_has_run_out_contacts_go_by_what_wfm_says_again(bench: Bench) -> None:
    bench.snapshot = metered(spare(permits=(0,), seconds=10))
    (before,) = decisions(bench.run(*lost_cards(1), now=NOW + 9 * SECOND))
    (after,) = decisions(bench.run(*lost_cards(1, start=1), now=NOW + 10 * SECOND))
    assert (before.disposition, before.load.spare) == (Disposition.CALLBACK, 0)
    assert (after.disposition, after.load.spare) == (Disposition.ROUTE, None)


def test_an_aborted_batch_spent_no_permit_for_people_and_a_repeat_spends_none(bench: Bench) -> None:
    bench.snapshot = metered(spare(permits=(2,)))
    assert spilled(bench.step(*lost_cards(1))) == [True]
    first, *_ = lost_cards(1)
    packed = bench.run(first, msgspec.structs.replace(first, offset=1), *lost_cards(2, start=2))
    assert [d.disposition for d in decisions(packed)] == [
        Disposition.ROUTE, Disposition.REPEAT, Disposition.ROUTE, Disposition.CALLBACK,
    ]  # fmt: skip


def test_a_contact_that_ai_has_or_that_was_for_people_anyway_spends_no_permit(bench: Bench) -> None:
    bench.snapshot = metered(spare(permits=(1,)), spare(permits=(1,), queue="retail"))
    packed = bench.run(record(contact("c-1"), 0), record(contact("c-2", "complaint again"), 1), *lost_cards(1, start=2))
    assert [(d.endpoint is None, d.load.spare) for d in decisions(packed)] == [(False, 1), (True, None), (True, 1)]
    assert spilled(bench.run(*lost_cards(1, start=3))) == [False]


def test_probes_and_room_are_asked_for_together(bench: Bench) -> None:
    said = Spillover(metered=True, channels=(ChannelAnswer(channel=Channel.CHAT, answer=Answer.CALLBACK),))
    made = snapshot(recovering("vega", permits=(1,)), of=policy(spillover=said))
    bench.snapshot = with_spare(made, spare(permits=(1,)))
    packed = decisions(bench.run(*lost_cards(3)))
    assert [(d.endpoint, d.load.probe_permits["vega"], d.load.spare) for d in packed] == [
        ("vega", 1, 1), (None, 0, 1), (None, 0, 0),
    ]  # fmt: skip


def test_an_agent_whose_breaker_caps_it_gets_no_more_contacts_at_once(bench: Bench) -> None:
    bench.snapshot = snapshot(breaker("vega", BreakerState.CLOSED, most_at_once=2))
    packed = decisions(bench.run(*lost_cards(4)))
    assert [d.endpoint for d in packed] == ["vega", "vega", None, None]
    assert packed[-1].load.full == ("vega",)


def test_decisions_keep_the_order_of_the_batch(bench: Bench) -> None:
    names = [f"c-{n}" for n in range(50)]
    packed = bench.run(*[record(contact(name), n) for n, name in enumerate(names)])
    assert [decision.interaction_id for decision in decisions(packed)] == names


def test_a_record_packed_by_the_router_carries_its_source(bench: Bench) -> None:
    classified, routed, told = (dict(packed.headers) for packed in bench.run(record(contact("c-1"), 0)))
    assert classified["ce_source"] == routed["ce_source"] == b"/trunkline/router"
    assert classified["ce_id"] != routed["ce_id"]
    assert told == {}, "an inbox takes no attributes"


def test_an_offer_out_of_its_bounds_is_a_dead_letter(bench: Bench) -> None:
    empty = CODEC.encode(msgspec.structs.replace(contact("c-1"), tenant=""))
    (letter,) = bench.run(record(empty, 0))
    assert dict(letter.headers)["dlq_reason"] == b"invalid_fields"
