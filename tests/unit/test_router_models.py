"""The router's set of models: what is in effect for whom, what is loaded, refused, shared and let go."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.memory import MemoryAtOnce, MemoryWindows
from router.app import Router
from router.classify.corpus import Utterance
from router.classify.errors import ModelError
from router.classify.margins import MarginClassifier, MarginModel
from router.classify.plugins import classifier_names, open_model
from router.classify.result import OUT_OF_SCOPE, Classifications, Classifier
from router.classify.store import save_model
from router.classify.train import train
from router.limits import Capacity, Limits
from router.models import Models, model_path
from runtime.kafka import Record
from runtime.metrics import METRICS
from runtime.snapshot import Snapshot
from runtime.step import Batch
from schemas.codec import Codec
from schemas.control import ModelAssignment
from schemas.interactions import Classification, Decision
from schemas.topics import CLOCK, MODELS, OFFERED, ROUTED
from tests.models import biased
from tests.offers import NOW, offered, policy, snapshot

CODEC = Codec()
TEXTS = ("pay my bill", "phone in spain", "nice weather", "", "my bill in spain")
TENANTS = ("acme", "bolt", "cape", "dune")
PLUGIN = '''
import pathlib, threading
import numpy as np
from router.classify.result import Classifications

go = threading.Event()
go.set()
opened = []

class Said:
    """Finds the intent that its file names, unless the file says how it is to misbehave."""

    def __init__(self, text):
        self.text = text

    def classify(self, texts):
        count = len(texts) - (self.text == "short")
        if self.text == "raises":
            raise ZeroDivisionError("a foreign slip")
        if self.text == "mute":
            return None
        sure = np.full(count, 7.0 if self.text == "too sure" else 0.5)
        none = np.zeros(count, dtype=np.int32)
        return Classifications(
            intent=none, confidence=sure, runner_up=none, runner_up_gap=np.zeros(count), out_of_scope=np.zeros(count),
            intents=(self.text,), model="whatever it likes",
        )

def open_file(path):
    opened.append(path)
    go.wait(10)
    text = pathlib.Path(path).read_text()
    if text == "unreadable":
        raise KeyError("weights")
    return object() if text == "useless" else Said(text)
'''


@pytest.fixture(scope="module")
def trained() -> MarginModel:
    corpus = [
        Utterance(f"{text} {filler}", intent)
        for intent, text in [("pay_bill", "pay my bill"), ("roaming", "phone in spain"), (OUT_OF_SCOPE, "nice weather")]
        for filler in ("please", "now", "then", "again", "today")
    ]
    return train(corpus, "own")


@pytest.fixture(scope="module")
def files(trained: MarginModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model files that differ in what they say."""
    folder = tmp_path_factory.mktemp("models")
    paths = {}
    for number, name in enumerate("abc"):
        paths[name] = folder / f"{name}.npz"
        save_model(biased(trained, name, 0.2 * number), paths[name])
    return paths


@pytest.fixture(scope="module")
def alone(trained: MarginModel, files: dict[str, Path]) -> dict[str | None, Classifier]:
    """The classifiers of the files, and under None the router's own."""
    opened = {name: open_model("trunkline", path).classifier for name, path in files.items()}
    return {None: MarginClassifier(trained), **opened}


class Guard:
    def ask(self, keys: Sequence[str], values: Sequence[str]) -> None: ...

    def others(self) -> dict[int, str] | None:
        return {}


@pytest.fixture
def router(trained: MarginModel) -> Iterator[Router]:
    made = Router(CODEC, MarginClassifier(trained), Guard(), Limits(MemoryWindows()), Capacity(MemoryAtOnce(), 4))
    yield made
    made.models.close()


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package of someone else's, as an installer leaves it, with the classifier `said`."""
    site = tmp_path / "site"
    about = site / "said-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "said_plugin.py").write_text(PLUGIN)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: said\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[trunkline.classifiers]\nsaid = said_plugin:open_file\ngone = no_such:x\n")
    monkeypatch.syspath_prepend(str(site))
    import said_plugin  # type: ignore[import-not-found]

    yield said_plugin
    del sys.modules["said_plugin"]


def version_of(path: Path, classifier: str = "trunkline") -> str:
    return open_model(classifier, path).version


def assigned(tenant: str, path: Path, **changes: Any) -> ModelAssignment:
    fields = {"tenant": tenant, "location": str(path), "occurred_at": NOW, **changes}
    if "model" not in fields:
        fields["model"] = version_of(path, fields.get("classifier", "trunkline"))
    return ModelAssignment(**fields)


class Topic:
    """The topic `models`, as the router follows it: `offset` is that of the record written last."""

    def __init__(self, router: Router) -> None:
        self.router, self.models = router, router.models
        self.offset, self.snapshot = -1, Snapshot()

    def write(self, tenant: str, assignment: ModelAssignment | None) -> int:
        self.offset += 1
        self.snapshot = self.snapshot.with_record(MODELS, tenant, assignment, self.offset)
        self.models.note(self.snapshot)
        return self.offset

    def assign(self, tenant: str, path: Path, **changes: Any) -> int:
        return self.write(tenant, assigned(tenant, path, **changes))

    def in_effect(self, tenant: str) -> tuple[str, int]:
        choice = self.models.choices(self.snapshot).of(tenant)
        return choice.model.version, choice.epoch

    def settled(self, tenant: str) -> tuple[str, int]:
        self.models.load_all(self.snapshot)
        return self.in_effect(tenant)


@pytest.fixture
def topic(router: Router) -> Topic:
    return Topic(router)


def own_version(trained: MarginModel) -> str:
    return f"own-{trained.content_sha256()[:12]}"


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not come"
        time.sleep(0.005)


def sample(name: str, **labels: str) -> float:
    return METRICS.registry.get_sample_value(name, labels) or 0.0


# Which model for whom.


def test_a_tenant_has_its_own_model_else_that_of_all_others_else_the_router_s(
    topic: Topic, files: dict[str, Path], trained: MarginModel
) -> None:
    assert topic.settled("acme") == (own_version(trained), -1)
    mine = topic.assign("acme", files["a"])
    assert topic.settled("acme") == (version_of(files["a"]), mine)
    assert topic.in_effect("bolt") == (own_version(trained), -1)
    others = topic.assign("*", files["b"])
    assert topic.settled("bolt") == (version_of(files["b"]), others)
    assert topic.in_effect("acme") == (version_of(files["a"]), mine), "what others get is not mine"


def test_an_assignment_taken_back_leaves_the_model_of_all_others_then_the_router_s(
    topic: Topic, files: dict[str, Path], trained: MarginModel
) -> None:
    topic.assign("acme", files["a"])
    others = topic.assign("*", files["b"])
    topic.settled("acme")
    topic.write("acme", None)
    assert topic.in_effect("acme") == (version_of(files["b"]), others)
    topic.write("*", None)
    assert topic.in_effect("acme") == (own_version(trained), -1)


def test_records_read_at_one_go_have_the_offset_of_their_own(topic: Topic, files: dict[str, Path]) -> None:
    offsets = [topic.assign(tenant, files[name]) for tenant, name in (("acme", "a"), ("bolt", "b"), ("acme", "c"))]
    assert topic.settled("acme") == (version_of(files["c"]), offsets[2])
    assert topic.in_effect("bolt") == (version_of(files["b"]), offsets[1])


def test_records_of_other_topics_and_tenants_change_nothing(topic: Topic, files: dict[str, Path]) -> None:
    first = topic.assign("acme", files["a"])
    before = topic.settled("acme")
    topic.snapshot = topic.snapshot.with_record(CLOCK, "clock", None, 40)
    topic.assign("bolt", files["b"])
    assert topic.settled("acme") == before == (version_of(files["a"]), first)


def test_the_same_assignment_written_again_is_in_effect_by_its_new_record(topic: Topic, files: dict[str, Path]) -> None:
    topic.assign("acme", files["a"])
    topic.settled("acme")
    again = topic.assign("acme", files["a"])
    assert topic.settled("acme") == (version_of(files["a"]), again)


@pytest.mark.parametrize("text", ["{path}", "file://{path}", "file://localhost{path}"])
def test_a_location_is_a_path_or_a_file_url(topic: Topic, files: dict[str, Path], text: str) -> None:
    topic.assign("acme", files["a"], location=text.format(path=files["a"]))
    assert topic.settled("acme")[0] == version_of(files["a"])


def test_a_file_url_is_decoded() -> None:
    assert model_path("file:///models/b%20c.npz") == Path("/models/b c.npz")


@pytest.mark.parametrize("text", ["a.npz", "https://example.org/a.npz", "s3://models/a.npz", "file://host/a.npz"])
def test_a_location_of_another_kind_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ModelError, match="absolute path nor a file URL: assign"):
        model_path(text)


# Loading.


def test_a_model_is_loaded_in_a_thread_and_in_effect_at_the_next_batch_after(
    topic: Topic, plugin: Any, tmp_path: Path, trained: MarginModel
) -> None:
    path = written(tmp_path, "roaming")
    version = version_of(path, "said")
    plugin.go.clear()
    offset = topic.assign("acme", path, classifier="said", model=version)
    for _ in range(3):
        began = time.perf_counter()
        assert topic.in_effect("acme") == (own_version(trained), -1)
        assert time.perf_counter() - began < 1.0, "a batch does not wait for a model"
    plugin.go.set()
    wait_for(lambda: topic.in_effect("acme") == (version, offset))


def test_an_assignment_that_was_replaced_while_it_loaded_is_never_in_effect(
    topic: Topic, plugin: Any, tmp_path: Path, files: dict[str, Path], trained: MarginModel
) -> None:
    slow = written(tmp_path, "roaming")
    version = version_of(slow, "said")
    plugin.opened.clear()
    plugin.go.clear()
    topic.assign("acme", slow, classifier="said", model=version)
    topic.in_effect("acme")
    wait_for(lambda: bool(plugin.opened))
    last = topic.assign("acme", files["a"])
    removed = topic.assign("bolt", files["b"])
    topic.in_effect("acme")
    topic.write("bolt", None)
    plugin.go.set()
    assert topic.settled("acme") == (version_of(files["a"]), last)
    assert topic.in_effect("bolt") == (own_version(trained), -1), f"record {removed} was taken back"


def test_of_a_long_history_the_last_models_alone_are_loaded(topic: Topic, plugin: Any, tmp_path: Path) -> None:
    paths = [written(tmp_path, f"intent_{number}") for number in range(5)]
    versions = [version_of(path, "said") for path in paths]
    plugin.opened.clear()
    for path, version in zip(paths, versions, strict=True):
        topic.assign("acme", path, classifier="said", model=version)
    assert topic.settled("acme") == (versions[-1], 4)
    assert plugin.opened == [paths[-1]]


def test_tenants_share_a_model_and_it_is_let_go_with_the_last_of_them(
    topic: Topic, files: dict[str, Path], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.npz"
    copy.write_bytes(files["a"].read_bytes())
    topic.assign("acme", files["a"])
    topic.assign("bolt", copy)
    topic.settled("acme")
    choices = topic.models.choices(topic.snapshot)
    assert choices.of("acme").model is choices.of("bolt").model
    held = weakref.ref(choices.of("acme").model)
    del choices
    topic.assign("acme", files["b"])
    topic.settled("acme")
    assert held() is not None
    topic.write("bolt", None)
    topic.in_effect("bolt")
    gc.collect()
    assert held() is None
    assert sample("trunkline_models_in_use") == 2


def test_the_router_s_own_model_is_not_loaded_again_when_it_is_assigned(
    topic: Topic, trained: MarginModel, tmp_path: Path
) -> None:
    path = tmp_path / "own.npz"
    save_model(trained, path)
    topic.assign("acme", path)
    topic.settled("acme")
    choices = topic.models.choices(topic.snapshot)
    assert choices.of("acme").model is choices.of("bolt").model
    assert (choices.of("acme").epoch, choices.of("bolt").epoch) == (0, -1)


# What cannot be used.


def test_a_file_that_cannot_be_used_leaves_what_was_and_names_tenant_file_and_remedy(
    topic: Topic, files: dict[str, Path], tmp_path: Path, plugin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    good = topic.assign("acme", files["a"])
    topic.settled("acme")
    damaged = tmp_path / "damaged.npz"
    content = bytearray(files["b"].read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    bad = [
        assigned("acme", damaged, model=version_of(files["b"])),
        assigned("acme", tmp_path / "absent.npz", model="absent-000000000000"),
        assigned("acme", files["b"], model=version_of(files["c"])),
        assigned("acme", files["b"], classifier="nobody", model="nobody-000000000000"),
        assigned("acme", files["b"], classifier="gone", model="gone-000000000000"),
        assigned("acme", files["b"], classifier="said", model="said-000000000000"),
        assigned("acme", written(tmp_path, "unreadable"), classifier="said", model="said-000000000000"),
        assigned("acme", Path("relative.npz"), model="relative-000000000000"),
    ]
    for number, assignment in enumerate(bad):
        before = sample("trunkline_models_refused_total", tenant="acme")
        caplog.clear()
        topic.write("acme", assignment)
        assert topic.settled("acme") == (version_of(files["a"]), good), number
        assert sample("trunkline_models_refused_total", tenant="acme") == before + 1
        (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        for word in (
            "tenant acme",
            assignment.location,
            f"stays with {version_of(files['a'])}",
            "models assign 'acme'",
        ):
            assert word in line, (number, line)
    repaired = topic.assign("acme", files["b"])
    assert topic.settled("acme") == (version_of(files["b"]), repaired)


def test_a_first_model_that_cannot_be_used_leaves_the_model_of_all_others(
    topic: Topic, files: dict[str, Path], tmp_path: Path
) -> None:
    others = topic.assign("*", files["b"])
    topic.write("acme", assigned("acme", tmp_path / "absent.npz", model="absent-000000000000"))
    assert topic.settled("acme") == (version_of(files["b"]), others)


# Classifiers of others.


def written(folder: Path, text: str) -> Path:
    path = folder / f"{text.replace(' ', '_')}.said"
    path.write_text(text)
    return path


def test_a_classifier_of_others_is_found_by_name_and_its_version_is_of_the_file(plugin: Any, tmp_path: Path) -> None:
    assert classifier_names() == ["trunkline", "gone", "said"]
    one, other = written(tmp_path, "roaming"), written(tmp_path, "pay_bill")
    version = version_of(one, "said")
    assert version.startswith("said-")
    assert version != version_of(other, "said")
    moved = tmp_path / "moved"
    moved.write_text("roaming")
    assert version_of(moved, "said") == version


def test_a_classifier_that_is_not_there_is_refused_with_those_that_are(plugin: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no classifier 'sad' is installed: there are trunkline, gone, said; install"):
        open_model("sad", written(tmp_path, "roaming"))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("said", "unreadable", r"'said' \(said_plugin:open_file\) does not open .*KeyError"),
        ("said", "useless", "gave object for .*no method `classify`"),
        ("gone", "roaming", r"'gone' \(no_such:x\) does not open .*ModuleNotFoundError.* mend the package"),
    ],
)
def test_what_a_foreign_package_raises_is_an_error_of_ours(
    plugin: Any, tmp_path: Path, name: str, text: str, says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        open_model(name, written(tmp_path, text))


def test_a_foreign_file_that_is_not_there_is_named(plugin: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent.said cannot be read: .* give a model file"):
        open_model("said", tmp_path / "absent.said")


def test_rows_of_a_foreign_classifier_bear_the_version_that_was_assigned(
    topic: Topic, plugin: Any, tmp_path: Path
) -> None:
    topic.assign("acme", written(tmp_path, "roaming"), classifier="said")
    version, _ = topic.settled("acme")
    rows, by_model = topic.models.rows(topic.models.choices(topic.snapshot).of("acme").model, TEXTS)
    assert by_model
    assert {(row.model, row.intent, row.confidence) for row in rows} == {(version, "roaming", 0.5)}


@pytest.mark.parametrize("slip", ["raises", "short", "mute", "too sure"])
def test_where_a_foreign_classifier_fails_the_router_s_own_takes_its_contacts(
    topic: Topic, plugin: Any, tmp_path: Path, trained: MarginModel, slip: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic.assign("acme", written(tmp_path, slip), classifier="said")
    version, _ = topic.settled("acme")
    before = sample("trunkline_model_fallbacks_total", model=version)
    model = topic.models.choices(topic.snapshot).of("acme").model
    for _ in range(3):
        rows, by_model = topic.models.rows(model, TEXTS)
        assert not by_model
        assert rows == MarginClassifier(trained).classify(TEXTS).rows()
    assert sample("trunkline_model_fallbacks_total", model=version) == before + 3 * len(TEXTS)
    lines = [
        record.getMessage()
        for record in caplog.records
        if version in record.getMessage() and "fails" in record.getMessage()
    ]
    assert len(lines) == 1, "one line in a while"
    assert "mend its classifier" in lines[0]


def test_the_router_s_own_model_has_nobody_to_stand_in_for_it() -> None:
    class Broken:
        def classify(self, texts: Sequence[str]) -> Classifications:
            raise MemoryError

    models = Models(Broken())
    with pytest.raises(MemoryError):
        models.rows(models.choices(Snapshot()).of("acme").model, TEXTS)


# A batch.


def decided(topic: Topic, contacts: Sequence[tuple[str, str, Classification | None]]) -> list[Decision]:
    """The decisions on a batch of (tenant, text, classification)."""
    offers = [
        offered(f"c-{number}", tenant=tenant, text=text, classification=brought)
        for number, (tenant, text, brought) in enumerate(contacts)
    ]
    records = [Record(OFFERED.name, 0, at, b"k", CODEC.encode(offer)) for at, offer in enumerate(offers)]
    topic.router.begin()
    packed = topic.router.step(Batch(records, topic.snapshot, NOW))
    return [CODEC.decode(each.value) for each in packed if each.topic == ROUTED.name]  # type: ignore[misc]


contacts = st.lists(
    st.tuples(
        st.sampled_from(TENANTS),
        st.sampled_from(TEXTS),
        st.none() | st.just(Classification(intent="loan", confidence=0.8, model="theirs")),
    ),
    min_size=1,
    max_size=30,
)
writes = st.lists(st.tuples(st.sampled_from([*TENANTS, "*"]), st.sampled_from(["a", "b", "c", None])), max_size=8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=writes, batch=contacts)
def test_each_contact_has_what_its_tenant_s_model_says_of_it_alone_and_the_batch_keeps_its_order(
    writes: list[tuple[str, str | None]],
    batch: list[tuple[str, str, Classification | None]],
    files: dict[str, Path],
    alone: dict[str | None, Classifier],
) -> None:
    topic = Topic(Router(CODEC, alone[None], Guard(), Limits(MemoryWindows()), Capacity(MemoryAtOnce(), 4)))
    stands: dict[str, tuple[str, int]] = {}
    for offset, (tenant, name) in enumerate(writes):
        topic.write(tenant, assigned(tenant, files[name]) if name else None)
        stands = {**stands, tenant: (name, offset)} if name else {k: v for k, v in stands.items() if k != tenant}
    topic.settled("acme")
    decisions = decided(topic, batch)
    topic.models.close()
    assert [d.interaction_id for d in decisions] == [f"c-{number}" for number in range(len(batch))]
    for (tenant, text, brought), decision in zip(batch, decisions, strict=True):
        name, epoch = stands.get(tenant) or stands.get("*") or (None, -1)
        (row,) = [brought] if brought else alone[name].classify([text]).rows()
        assert decision.epochs["models"] == epoch
        assert (decision.model, decision.intent, decision.confidence) == (row.model, row.intent, row.confidence)


def test_the_epochs_of_the_other_topics_stay_as_they_are(topic: Topic, files: dict[str, Path]) -> None:
    topic.snapshot = snapshot(of=policy())
    topic.assign("acme", files["a"])
    topic.assign("bolt", files["b"])
    topic.settled("acme")
    batch = [("acme", "pay", None), ("bolt", "pay", None), ("cape", "pay", None)]
    decisions = decided(topic, batch)
    assert [d.epochs for d in decisions] == [
        {
            "policy": 0, "breakers.transitions": -1, "commands": -1, "wfm.availability": -1, "wfm.spare": -1,
            "clock": -1, "models": epoch,
        }
        for epoch in (0, 1, -1)
    ]  # fmt: skip


def test_where_a_model_fails_its_contacts_alone_are_decided_by_the_router_s_own(
    topic: Topic, plugin: Any, tmp_path: Path, files: dict[str, Path], trained: MarginModel
) -> None:
    topic.assign("acme", written(tmp_path, "raises"), classifier="said")
    good = topic.assign("bolt", files["b"])
    topic.settled("acme")
    batch = [(tenant, text, None) for text in TEXTS for tenant in ("acme", "bolt")]
    decisions = decided(topic, batch)
    assert len(decisions) == len(batch), "no dead letter"
    assert {(d.tenant, d.model, d.epochs["models"]) for d in decisions} == {
        ("acme", own_version(trained), -1),
        ("bolt", version_of(files["b"]), good),
    }


def test_a_model_of_all_tenants_that_fails_leaves_the_router_s_own(
    topic: Topic, plugin: Any, tmp_path: Path, trained: MarginModel
) -> None:
    topic.assign("*", written(tmp_path, "raises"), classifier="said")
    topic.settled("acme")
    (decision,) = decided(topic, [("acme", "pay my bill", None)])
    assert (decision.model, decision.epochs["models"]) == (own_version(trained), -1)


def test_many_batches_beside_a_loading_model_lose_none(
    topic: Topic, files: dict[str, Path], trained: MarginModel
) -> None:
    """What the loop does while models come and go: every batch is whole, and by one model."""
    turns = threading.Event()
    seen = set()
    for number in range(12):
        offset = topic.assign("acme", files["abc"[number % 3]])
        for _ in range(5):
            decisions = decided(topic, [("acme", text, None) for text in TEXTS])
            assert len(decisions) == len(TEXTS)
            ((model, epoch),) = {(d.model, d.epochs["models"]) for d in decisions}
            assert epoch == -1 or model == version_of(files["abc"[epoch % 3]])
            seen.add(epoch)
            turns.wait(0.002)
    assert topic.settled("acme") == (version_of(files["abc"[offset % 3]]), offset)
    assert len(seen) > 2
