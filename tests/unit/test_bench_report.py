"""The benchmarks' own arithmetic, without a stopwatch: the slope, the report, and what subjects are fed."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import trunkline.cli
from bench import hotpath
from bench.cli import SUITES
from bench.contacts import CONFIDENT, bench_model, offers, policies, read_contacts, write_contacts
from bench.core import CoreTimes, MemoryGuard, consumed, make_core, time_core, world
from bench.language import Language
from bench.report import Report, Row
from bench.subject import Run, Sample, SubjectError, slope
from router.classify.margins import MarginClassifier
from router.classify.store import load_model
from runtime.clock import real_now
from runtime.step import Batch
from schemas.codec import Codec
from schemas.fields import Pool
from schemas.interactions import Decision, Offered
from schemas.topics import OFFERED, ROUTED

INTENTS = 150


def looks(*offsets: int, cpu_per_second: float = 0.5) -> list[Sample]:
    """A look every second."""
    return [Sample(float(at), offset, {"subject": at * cpu_per_second}) for at, offset in enumerate(offsets)]


# The slope.


def test_the_rate_is_that_between_a_tenth_and_nine_tenths_and_neither_the_start_nor_the_end_counts() -> None:
    # seconds   0  1  2    3    4  ...  11   12   13 (a last, slow transaction)
    # offsets   0  0  0  100  200  ... 900  950 1000
    samples = looks(0, 0, 0, *range(100, 1000, 100), 950, 1000)

    per_second, cpu = slope(samples, contacts=1000)

    assert per_second == pytest.approx(100)
    assert cpu["subject"] == pytest.approx(0.5 / 100 * 1000)  # half a CPU second a second, at 100 contacts


def test_offsets_that_control_markers_take_are_no_contacts() -> None:
    samples = looks(*range(7, 1107, 110))

    per_second, _ = slope(samples, contacts=900)

    assert per_second == pytest.approx(100)


def test_times_between_two_looks_are_interpolated() -> None:
    per_second, _ = slope([Sample(0.0, 0, {}), Sample(1.0, 1000, {})], contacts=1000)

    assert per_second == pytest.approx(1000)


def test_a_process_that_a_look_met_for_the_first_time_has_used_its_cpu_since_then() -> None:
    samples = [Sample(0.0, 0, {}), *(Sample(float(at), at * 100, {"child": float(at)}) for at in range(1, 11))]

    assert slope(samples, contacts=1000)[1]["child"] == pytest.approx(10.0)


def test_an_output_that_never_grew_has_no_rate() -> None:
    with pytest.raises(SubjectError, match="nothing was written"):
        slope(looks(5, 5, 5), contacts=10)


# The report.


def test_a_report_is_a_table_a_json_file_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        Row("router", (90.0, 110.0, 100.0), 5000, {"subject": 0.05, "broker": 0.02}, 250.0, "exactly once"),
        Row("peer", (20.0, 25.0, 40.0), 300),
    ]

    Report("hotpath", "Offered to routed", "contacts/s", rows, "router", {"router_per_second": 100.0}).publish(tmp_path)

    data = json.loads((tmp_path / "hotpath.json").read_text())
    assert data["router_per_second"] == 100.0
    peer = data["rows"][1]
    assert (peer["median"], peer["lowest"], peer["highest"], peer["ratio"]) == (25.0, 20.0, 40.0, 0.25)
    assert {"cores", "cpu", "kafka", "python", "confluent_kafka", "librdkafka"} <= data["machine"].keys()
    assert (tmp_path / "hotpath.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("router", "90 - 110", "0.25", "5,000", "0.050", "exactly once"))


def test_a_report_can_draw_its_own_picture_and_needs_no_reference(tmp_path: Path) -> None:
    drawn: list[object] = []

    Report("scale", "Flat", "microseconds", [Row("one", (1.0,))], draw=drawn.append).publish(tmp_path)

    assert len(drawn) == 1
    assert json.loads((tmp_path / "scale.json").read_text())["rows"][0]["ratio"] is None


def test_every_suite_that_is_offered_is_there() -> None:
    assert {"hotpath", "classifier"} <= set(SUITES)


def test_the_hot_path_says_what_was_lost_and_how_the_router_stands_to_each_peer() -> None:
    taking_part = hotpath.entries(Path("model"))
    rates = {entry.field: 1000.0 * place for place, entry in enumerate(taking_part, start=1)}
    runs = {
        entry.field: [Run(entry.subject.name, 400, rates[entry.field], {"subject": 0.5}, 90.0, lost=1, doubled=2)] * 3
        for entry in taking_part
    }

    fields = hotpath.report(taking_part, runs, [CoreTimes(400, 50.0, 40.0)] * 3, {}).fields

    assert rates.items() <= fields.items()
    assert (fields["core_per_second"], fields["core_microseconds"]) == (20_000, 50)
    assert fields["ratios"]["router_to_core"] == pytest.approx(0.05)
    assert set(fields["lost"].values()) == {3}
    assert set(fields["doubled"].values()) == {6}


def test_the_hot_path_has_every_field_that_others_read() -> None:
    names = {"router", "ceiling", "faust", "quix", "quix_passthrough", "loop_passthrough", "kafka_streams_passthrough"}

    assert {entry.field for entry in hotpath.entries(Path("model"))} == {f"{name}_per_second" for name in names}


def test_an_installed_package_has_no_benchmarks_and_says_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "bench" in CliRunner().invoke(trunkline.cli.root, ["--help"]).output

    monkeypatch.setattr(trunkline.cli, "_in_checkout", lambda: False)

    assert "bench" not in CliRunner().invoke(trunkline.cli.root, ["--help"]).output
    refused = CliRunner().invoke(trunkline.cli.root, ["bench", "hotpath"])
    assert refused.exit_code == 2
    assert "in a checkout of the repository" in refused.output


# What the subjects are fed.


def test_contacts_are_the_same_at_each_call_and_all_different() -> None:
    one, again = list(offers(300, tenants=3, at=0)), list(offers(300, tenants=3, at=0))

    assert one == again
    assert len({contact.value for contact in one}) == 300
    events = [Codec().decode(contact.value, OFFERED.types) for contact in one]
    assert [event.interaction_id for event in events if isinstance(event, Offered)] == [
        f"bench-{n}" for n in range(300)
    ]
    assert Counter(event.tenant for event in events if isinstance(event, Offered)) == {
        f"bench-{n}": 100 for n in range(3)
    }


def test_contacts_survive_their_file(tmp_path: Path) -> None:
    contacts = list(offers(20))

    write_contacts(tmp_path / "contacts", contacts)

    assert read_contacts(tmp_path / "contacts") == [(contact.key, contact.value) for contact in contacts]


def test_the_made_up_language_is_of_the_size_of_a_real_corpus() -> None:
    # CLINC150: 8.3 words and 40 characters a text, of which 2.6 % of the words are new after 12,000 texts.
    labels = [number % INTENTS for number in range(15_000)]
    texts = list(Language(INTENTS).utterances(labels))
    heard = {word for text in texts[:12_000] for word in text.split()}
    later = [word for text in texts[12_000:] for word in text.split()]

    assert 7.5 < np.mean([len(text.split()) for text in texts]) < 9.0
    assert 36 < np.mean([len(text) for text in texts]) < 44
    assert 0.02 < np.mean([word not in heard for word in later]) < 0.035


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bench_model(tmp_path_factory.mktemp("models"), INTENTS)


def test_the_model_has_the_vocabulary_of_a_real_one_and_is_sure_of_three_contacts_in_four(model: Path) -> None:
    loaded = load_model(model)
    texts = list(Language(INTENTS).utterances([number % INTENTS for number in range(2_000)], seed=5))

    sure = np.mean(MarginClassifier(loaded).classify(texts).confidence >= CONFIDENT)

    assert len(loaded.intents) == INTENTS + 1
    assert 80_000 < loaded.borders.vocabulary.buckets.size < 120_000  # CLINC150's: 91,236
    assert 0.70 < sure < 0.82


def test_most_contacts_take_the_path_to_an_ai_agent_and_none_is_a_repeat(model: Path) -> None:
    core, snapshot = make_core(model), world(policies(2, INTENTS))
    records = consumed((contact.key or b"", contact.value or b"") for contact in offers(1_000, tenants=2))

    core.begin()
    made = core.step(Batch(records, snapshot, real_now()))

    decisions = [Codec().decode(packed.value, ROUTED.types) for packed in made if packed.topic == ROUTED.name]
    pools = Counter(decision.pool for decision in decisions if isinstance(decision, Decision))
    assert pools.total() == 1_000
    assert set(pools) == set(Pool)
    assert pools[Pool.AI_CONTAINED] + pools[Pool.AI_ASSISTED] > 500


def test_the_core_is_timed_over_every_record(model: Path) -> None:
    records = consumed((contact.key or b"", contact.value or b"") for contact in offers(700))

    times = time_core(make_core(model), records, world(policies(1, INTENTS)))

    assert times.contacts == 700
    assert times.wall_microseconds > 0


def test_every_intent_that_ai_may_handle_has_two_agents() -> None:
    policy = policies(1, INTENTS)[0]
    agents = Counter(itertools.chain.from_iterable(endpoint.intents for endpoint in policy.endpoints))

    assert set(agents.values()) == {2}
    assert len(agents) + len(policy.human_only_intents) == INTENTS
    assert not set(agents) & set(policy.human_only_intents)


def test_the_guard_in_memory_knows_a_repeat_from_the_same_offer_read_again() -> None:
    guard = MemoryGuard()

    guard.ask(["a", "b"], ["0:1", "0:2"])
    assert guard.others() == {}
    guard.ask(["b", "a"], ["0:9", "0:1"])
    assert guard.others() == {0: "0:2"}
