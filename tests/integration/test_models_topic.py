"""Models assigned on the topic `models`: a router process on a real broker and a real Redis, and the commands."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from router.classify.corpus import Utterance
from router.classify.margins import MarginModel
from router.classify.plugins import open_model
from router.classify.result import OUT_OF_SCOPE
from router.classify.store import save_model
from router.classify.train import train
from router.models_cli import models as command
from runtime.clock import real_now
from runtime.settings import Settings
from schemas.control import ModelAssignment
from schemas.fields import Disposition
from schemas.interactions import Decision
from schemas.topics import MODELS, OFFERED, ROUTED
from tests.flow.steps import Watch, ids, offered, write
from tests.models import biased
from tests.support.services import ServiceProcess

pytestmark = pytest.mark.xdist_group("models_topic")

TEXTS = ("pay my bill", "phone in spain", "nice weather")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model files: `own` is the router's, the others differ in what they say."""
    folder = tmp_path_factory.mktemp("models")
    corpus = [
        Utterance(f"{text} {filler}", intent)
        for intent, text in zip(("pay_bill", "roaming", OUT_OF_SCOPE), TEXTS, strict=True)
        for filler in ("please", "now", "then", "again", "today")
    ]
    own = train(corpus, "own")
    return {name: saved(own, name, number, folder) for number, name in enumerate(("own", "a", "b", "c"))}


def saved(model: MarginModel, name: str, number: int, folder: Path) -> Path:
    path = folder / f"{name}.npz"
    save_model(biased(model, name, 0.2 * number), path)
    return path


def version(path: Path) -> str:
    return open_model("trunkline", path).version


@contextlib.contextmanager
def routing(settings: Settings, own: Path) -> Iterator[ServiceProcess]:
    router = ServiceProcess(settings, "router", arguments=("--model", str(own)))
    try:
        yield router.start().wait_ready()
    finally:
        if router.process is not None and router.process.poll() is None:
            router.stop()


def commanded(settings: Settings, *arguments: str) -> Result:
    at = ("--bootstrap", settings.bootstrap, "--prefix", settings.prefix)
    return CliRunner().invoke(command, [arguments[0], *at, *arguments[1:]])


def assign(settings: Settings, tenant: str, path: Path) -> None:
    done = commanded(settings, "assign", tenant, str(path))
    assert done.exit_code == 0, done.output


def offer(settings: Settings, tenant: str, names: list[str]) -> None:
    contacts = [
        offered(name, tenant, text=TEXTS[number % len(TEXTS)], classification=None) for number, name in enumerate(names)
    ]
    write(settings, OFFERED, *contacts)


def decided_by(settings: Settings, watch: Watch, tenant: str, model: str, seconds: float = 20.0) -> Decision:
    """Offer contacts until one is decided by a model; return its decision."""
    for number in range(int(seconds * 20)):
        name = f"{tenant}-{model}-{number}"
        offer(settings, tenant, [name])
        decision = watch.decision(name)
        if decision.model == model:
            return decision
    raise AssertionError(f"no contact of {tenant} was decided by {model}; the last one was by {decision.model}")


def assignments(watch: Watch) -> dict[int, ModelAssignment]:
    """Offset -> assignment, of all that was read."""
    records = [record for record in watch.records if record.topic == MODELS.name and record.value]
    return dict(zip([record.offset for record in records], watch.of(MODELS), strict=True))


def assert_consistent(watch: Watch, own: str) -> None:
    """Each decision names a record of `models` that is its tenant's (or everyone's) and says its model; or none."""
    written = assignments(watch)
    for decision in watch.of(ROUTED):
        epoch = decision.epochs[MODELS.name]
        if epoch == -1:
            assert decision.model == own
        else:
            assert decision.model == written[epoch].model
            assert written[epoch].tenant in (decision.tenant, "*")


def test_two_tenants_of_one_batch_are_decided_by_models_of_their_own(
    settings: Settings, files: dict[str, Path]
) -> None:
    for tenant, name in (("acme", "a"), ("bolt", "b"), ("*", "c"), ("dune", "c")):
        assign(settings, tenant, files[name])
    assert commanded(settings, "remove", "dune").exit_code == 0
    tenants = ("acme", "bolt", "cape", "dune")
    names = {tenant: ids(tenant, 100) for tenant in tenants}
    contacts = [
        offered(names[tenant][number], tenant, text=TEXTS[number % 3], classification=None)
        for number in range(100) for tenant in tenants
    ]  # fmt: skip
    write(settings, OFFERED, *contacts)
    with routing(settings, files["own"]), Watch(settings, ROUTED, MODELS) as watch:
        watch.until("400 decisions", lambda: len(watch.of(ROUTED)) >= 400)
        watch.to_end()
    decisions = watch.of(ROUTED)
    assert Counter(d.interaction_id for d in decisions) == dict.fromkeys(
        [n for each in names.values() for n in each], 1
    )
    assert {(d.tenant, d.model, d.epochs[MODELS.name]) for d in decisions} == {
        ("acme", version(files["a"]), 0),
        ("bolt", version(files["b"]), 1),
        ("cape", version(files["c"]), 2),
        ("dune", version(files["c"]), 2),
    }
    for number, tenant in enumerate(("acme", "bolt", "cape")):
        alone = open_model("trunkline", files["abc"[number]]).classifier.classify(TEXTS).rows()
        said = {d.interaction_id: (d.intent, d.confidence) for d in decisions if d.tenant == tenant}
        assert said == {name: (alone[at % 3].intent, alone[at % 3].confidence) for at, name in enumerate(names[tenant])}


def test_a_swap_under_traffic_loses_and_doubles_nothing_and_each_decision_names_its_model(
    settings: Settings, files: dict[str, Path]
) -> None:
    names, stop = ids("swap", 1500), threading.Event()

    def offer_all() -> None:
        for at in range(0, len(names), 15):
            offer(settings, ("acme", "bolt")[at // 15 % 2], list(names[at : at + 15]))
            if stop.wait(0.02):
                return

    with routing(settings, files["own"]), Watch(settings, ROUTED, MODELS) as watch:
        offering = threading.Thread(target=offer_all)
        offering.start()
        try:
            for number in range(6):
                assign(settings, "acme", files["abc"[number % 3]])
                at_least = 150 * (number + 1)
                watch.until(f"{at_least} decisions", lambda least=at_least: len(watch.of(ROUTED)) >= least)
            watch.until("all decisions", lambda: len(watch.of(ROUTED)) >= len(names))
        finally:
            stop.set()
            offering.join()
        watch.to_end()
    decisions = watch.of(ROUTED)
    assert Counter(d.interaction_id for d in decisions) == dict.fromkeys(names, 1)
    assert {d.disposition for d in decisions} == {Disposition.ROUTE}
    assert_consistent(watch, version(files["own"]))
    assert {d.model for d in decisions if d.tenant == "bolt"} == {version(files["own"])}
    assert len({d.epochs[MODELS.name] for d in decisions if d.tenant == "acme"}) >= 4, "swaps met traffic"
    for partition in range(settings.keyed_partitions):
        epochs = [d.epochs[MODELS.name] for d in decisions if d.tenant == "acme" and d.offered_partition == partition]
        assert epochs == sorted(epochs), "no swap is taken back"


def test_a_damaged_file_leaves_the_last_good_model_and_is_counted(
    settings: Settings, files: dict[str, Path], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.npz"
    content = bytearray(files["b"].read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    refused = ModelAssignment(
        tenant="acme", model=version(files["b"]), location=str(damaged), occurred_at=real_now()
    )  # fmt: skip
    with routing(settings, files["own"]) as router, Watch(settings, ROUTED, MODELS) as watch:
        assign(settings, "acme", files["a"])
        decided_by(settings, watch, "acme", version(files["a"]))
        write(settings, MODELS, refused)
        counted = 'trunkline_models_refused_total{tenant="acme"} 1.0'
        metrics = f"http://127.0.0.1:{router.port()}/metrics"
        number = 0
        while counted not in httpx.get(metrics).text:
            number += 1
            assert number < 200, router.tail()
            offer(settings, "acme", [f"beside-{number}"])
            watch.decision(f"beside-{number}")
        offer(settings, "acme", ["after"])
        after = watch.decision("after")
        (line,) = [line for line in router.log.read_text().splitlines() if "cannot be used" in line]
        assign(settings, "acme", files["b"])
        repaired = decided_by(settings, watch, "acme", version(files["b"]))
    assert (after.model, after.epochs[MODELS.name]) == (version(files["a"]), 0)
    assert repaired.epochs[MODELS.name] == 2
    for word in ("tenant acme", str(damaged), "trunkline models assign 'acme' FILE"):
        assert word in line


def test_a_restart_comes_back_with_the_assigned_models(settings: Settings, files: dict[str, Path]) -> None:
    with routing(settings, files["own"]) as router, Watch(settings, ROUTED, MODELS) as watch:
        assign(settings, "acme", files["a"])
        assign(settings, "bolt", files["b"])
        decided_by(settings, watch, "acme", version(files["a"]))
        decided_by(settings, watch, "bolt", version(files["b"]))
        router.kill()
        assign(settings, "acme", files["c"])
        offer(settings, "acme", ["acme-first"])
        offer(settings, "bolt", ["bolt-first"])
        offer(settings, "cape", ["cape-first"])
        router.start().wait_ready()
        firsts = [watch.decision(f"{tenant}-first") for tenant in ("acme", "bolt", "cape")]
    assert [(first.model, first.epochs[MODELS.name]) for first in firsts] == [
        (version(files["c"]), 2),
        (version(files["b"]), 1),
        (version(files["own"]), -1),
    ]


def test_the_commands_assign_list_and_take_back(settings: Settings, files: dict[str, Path], tmp_path: Path) -> None:
    nothing = commanded(settings, "list")
    assert (nothing.exit_code, "no model is assigned" in nothing.output) == (0, True)
    done = commanded(settings, "assign", "*", str(files["a"]))
    assert done.output == f"every tenant without a model of its own: {version(files['a'])}, from {files['a']}\n"
    assert commanded(settings, "assign", "acme", str(files["b"]), "--location", "file:///models/b.npz").exit_code == 0
    rows = [line.split() for line in commanded(settings, "list").output.splitlines()]
    assert [row[:4] for row in rows] == [
        ["*", version(files["a"]), "trunkline", str(files["a"])],
        ["acme", version(files["b"]), "trunkline", "file:///models/b.npz"],
    ]
    assert commanded(settings, "remove", "acme").output == f"acme: {version(files['b'])} is taken back\n"
    assert len(commanded(settings, "list").output.splitlines()) == 1

    junk = tmp_path / "junk.npz"
    junk.write_bytes(b"junk")
    refusals = {
        ("remove", "acme"): "those with one: *",
        ("assign", "acme", str(junk)): "is no model or is damaged",
        ("assign", "acme", str(files["a"]), "--classifier", "nobody"): "there are trunkline",
        ("assign", "acme", str(files["a"]), "--location", "b.npz"): "neither an absolute path nor a file URL",
        ("assign", "", str(files["a"])): "$.tenant",
    }
    for arguments, says in refusals.items():
        refused = commanded(settings, *arguments)
        assert refused.exit_code != 0, arguments
        assert says in f"{refused.output}{refused.exception}", arguments
    assert len(commanded(settings, "list").output.splitlines()) == 1, "nothing that was refused is written"
