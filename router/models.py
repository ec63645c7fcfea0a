"""The router's set of models: which tenant is classified by which, swapped between batches.

Assignments come with the snapshots of the topic `models`. A model is loaded in a thread, checked against its
assignment, and put to use at the next batch; one that cannot be used changes nothing but a log and a metric. A model
is in memory once, however many tenants have it, and is let go when the last of them has another.
"""

from __future__ import annotations

import dataclasses
import logging
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import msgspec

from router.classify.errors import ModelError
from router.classify.plugins import BUILT_IN, open_model
from router.classify.result import Classifier
from runtime.control import ControlFollower
from runtime.metrics import METRICS
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.transaction import Complaints
from schemas.codec import Codec
from schemas.control import ModelAssignment
from schemas.interactions import Classification
from schemas.topics import ANY_TENANT, MODELS, Topic

log = logging.getLogger(__name__)

UNASSIGNED = -1
"""Epoch of a decision by the router's own model: no assignment is in effect."""


@dataclasses.dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Model:
    """A model in memory. `foreign`: its classifier is not ours, so what it says is checked."""

    version: str
    classifier: Classifier
    foreign: bool = False

    def rows(self, texts: Sequence[str]) -> list[Classification]:
        """Return a classification per text; a foreign classifier raises whatever it provokes, ours nothing."""
        made = self.classifier.classify(texts)
        if not self.foreign:
            return made.rows()
        rows = dataclasses.replace(made, model=self.version).rows()
        if len(rows) != len(texts):
            raise ModelError(f"{self.version} gave {len(rows)} rows for {len(texts)} texts: it must give one for each")
        return msgspec.convert(msgspec.to_builtins(rows), list[Classification])


class Choice(NamedTuple):
    """The model in effect for a tenant, and the offset of the record that assigned it (UNASSIGNED: none did)."""

    model: Model
    epoch: int


class Choices(NamedTuple):
    """The choices of one batch: by tenant, and for every other tenant."""

    by_tenant: Mapping[str, Choice]
    others: Choice

    def of(self, tenant: str) -> Choice:
        """Return the model in effect for a tenant."""
        return self.by_tenant.get(tenant, self.others)


class _Wanted(NamedTuple):
    assignment: ModelAssignment
    offset: int


class _Loading(NamedTuple):
    wanted: _Wanted
    model: Future[Model]


class Models:
    """The models of one router. All but the loading happens in the router's own thread."""

    def __init__(self, own: Classifier) -> None:
        """Take the router's own classifier: for tenants without an assignment, and where an assigned one fails."""
        self._own = Model(str(getattr(own, "version", "")), own)
        self._instances: weakref.WeakValueDictionary[tuple[str, str], Model] = weakref.WeakValueDictionary()
        self._instances[BUILT_IN, self._own.version] = self._own
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="models")
        self._complaints = Complaints("router")
        self._read: Mapping[str, ModelAssignment] = Snapshot().of(MODELS)
        self._wanted: dict[str, _Wanted] = {}
        self._changed: set[str] = set()
        self._loading: dict[str, _Loading] = {}
        self._in_effect: dict[str, Choice] = {}
        self._choices = self._chosen()

    def note(self, snapshot: Snapshot) -> None:
        """Note what a snapshot assigns. Offsets are exact where each record of `models` is noted by itself."""
        read = snapshot.of(MODELS)
        if read is self._read:
            return
        for tenant in {*read, *self._read}:
            if read.get(tenant) is self._read.get(tenant):
                continue
            self._changed.add(tenant)
            if tenant in read:
                self._wanted[tenant] = _Wanted(read[tenant], snapshot.epoch(MODELS))
            else:
                del self._wanted[tenant]
        self._read = read

    def choices(self, snapshot: Snapshot) -> Choices:
        """Return the choices for the next batch, with what was loaded by now; does not wait."""
        self.note(snapshot)
        if self._changed:
            self._follow()
        if self._loading:
            self._adopt()
        return self._choices

    def load_all(self, snapshot: Snapshot) -> None:
        """Load what is assigned, and return when it is in effect or refused."""
        self.choices(snapshot)
        wait([loading.model for loading in self._loading.values()])
        self._adopt()

    def close(self) -> None:
        """End the thread; what it has not loaded yet it need not load."""
        self._loader.shutdown(cancel_futures=True)

    def rows(self, model: Model, texts: Sequence[str]) -> tuple[list[Classification], bool]:
        """Return a classification per text, and whether they are the model's.

        They are those of the router's own model where it failed: good contacts are no dead letters.
        """
        try:
            return model.rows(texts), True
        except Exception as problem:
            if model is self._own:
                raise
            METRICS.model_fallbacks.labels(model.version).inc(len(texts))
            self._complaints.say(
                f"the model {model.version} fails ({problem!r}): {len(texts)} contacts are classified by the router's "
                f"own, {self._own.version}; mend its classifier, or assign another with 'trunkline models assign'"
            )
            return self._own.rows(texts), False

    def _follow(self) -> None:
        """Begin to load what is newly assigned, and end what is no longer."""
        for tenant in self._changed:
            superseded = self._loading.pop(tenant, None)
            if superseded is not None:
                superseded.model.cancel()
            wanted = self._wanted.get(tenant)
            if wanted is not None:
                self._loading[tenant] = _Loading(wanted, self._loader.submit(self._load, wanted.assignment))
            elif self._in_effect.pop(tenant, None) is not None:
                log.info("tenant %s has no model of its own any more", tenant)
        self._changed.clear()
        self._choices = self._chosen()

    def _load(self, assignment: ModelAssignment) -> Model:
        """Return the model of an assignment; runs in the thread, and raises ModelError."""
        name = assignment.classifier, assignment.model
        known = self._instances.get(name)
        if known is not None:
            return known
        path = model_path(assignment.location)
        opened = open_model(assignment.classifier, path)
        if opened.version != assignment.model:
            raise ModelError(f"{path} holds {opened.version}, and {assignment.model} was assigned")
        model = Model(opened.version, opened.classifier, foreign=assignment.classifier != BUILT_IN)
        self._instances[name] = model
        return model

    def _adopt(self) -> None:
        """Put to use what was loaded."""
        done = {tenant: loading for tenant, loading in self._loading.items() if loading.model.done()}
        for tenant, (wanted, loaded) in done.items():
            del self._loading[tenant]
            problem = loaded.exception()
            if problem is not None:
                self._refuse(tenant, wanted, problem)
                continue
            self._in_effect[tenant] = Choice(loaded.result(), wanted.offset)
            log.info("tenant %s: model %s is in use, by record %d", tenant, wanted.assignment.model, wanted.offset)
        if done:
            self._choices = self._chosen()

    def _refuse(self, tenant: str, wanted: _Wanted, problem: BaseException) -> None:
        METRICS.models_refused.labels(tenant).inc()
        assignment, stays = wanted.assignment, self._choices.of(tenant)
        log.error(
            "tenant %s: model %s in %s cannot be used: %s. It stays with %s. Put the right file there, for all "
            "routers, and assign it again: trunkline models assign '%s' FILE",
            tenant, assignment.model, assignment.location, problem, stays.model.version, tenant,
        )  # fmt: skip

    def _chosen(self) -> Choices:
        by_tenant = dict(self._in_effect)
        others = by_tenant.pop(ANY_TENANT, Choice(self._own, UNASSIGNED))
        METRICS.models_in_use.set(len({choice.model for choice in (*by_tenant.values(), others)}))
        return Choices(by_tenant, others)


class ModelsFollower(ControlFollower):
    """Follows control topics, and tells `models` of each record of its topic by itself.

    A snapshot has one offset per topic, and a decision names the very record that assigned its model.
    """

    def __init__(self, settings: Settings, service: str, topics: Sequence[Topic], codec: Codec, models: Models) -> None:
        super().__init__(settings, service, topics, codec)
        self._models = models

    def applied(self, topic: Topic) -> None:
        """Tell the models."""
        if topic is MODELS:
            self._models.note(self.snapshot)


def model_path(location: str) -> Path:
    """Return the path of a location, itself or as a file URL; raise ModelError where it is neither."""
    parts = urlsplit(location)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(url2pathname(parts.path))
    if location.startswith("/"):
        return Path(location)
    raise ModelError(f"{location!r} is neither an absolute path nor a file URL: assign the model with one of these")
