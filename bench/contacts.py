"""What the benchmarks run on: a model of a realistic size, contacts, and policies that go with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import scipy.sparse

from bench.language import CORPUS_SEED, Language
from router.classify.evidence import EVIDENCE, evidence
from router.classify.features import count_features
from router.classify.margins import Borders, MarginModel
from router.classify.network import UNITS
from router.classify.result import OUT_OF_SCOPE
from router.classify.store import save_model
from router.classify.vocabulary import feature_matrix, vocabulary_of
from runtime.clock import real_now
from schemas.codec import Codec
from schemas.control import Endpoint, HumanQueue, Policy
from schemas.envelope import Envelope, Packed
from schemas.fields import Channel
from schemas.interactions import Offered, Thresholds
from schemas.topics import OFFERED, Effect

INTENTS = 150
CORPUS_TEXTS = 15_000
"""100 for each of 150 intents, as CLINC150 has; in all, whatever the intents are, so that the vocabulary stays."""
CONFIDENT_SHARE, CONFIDENT = 0.75, 0.75
"""Three of four contacts are as sure as the threshold of AI with a person watching asks for."""
_OFFERS_SEED, _TUNING_SEED, _TUNING_TEXTS = 41, 42, 2_000
_OUTSIDE_LOG_ODDS = -3.0
_CHANNELS = tuple(Channel)
_QUEUES, _ENDPOINTS = 5, 6
MOST_AT_ONCE = 1_000_000
"""Contacts that are offered here never end, so agents must have room for all of them."""
_HUMAN_ONLY_EVERY = 8
"""One intent of eight belongs to people, as do 6 of the 26 of the demonstration; most contacts are for an agent."""


def intent_names(intents: int) -> list[str]:
    """Return the names of intents, out of scope not among them."""
    return [f"intent_{number:04d}" for number in range(intents)]


def bench_model(folder: Path, intents: int = INTENTS) -> Path:
    """Write a model of so many intents and out-of-scope to `folder`; return its path.

    Nothing is trained: the weights of an intent are the mean of its texts' features (Rocchio's nearest
    centroid), and confidence grows with the gap to the runner-up: CONFIDENT_SHARE of new texts reach CONFIDENT.
    """
    language = Language(intents)
    labels = _spread(CORPUS_TEXTS, intents)
    counts = count_features(list(language.utterances(labels)))
    vocabulary = vocabulary_of(counts, CORPUS_TEXTS)
    features = feature_matrix(counts, CORPUS_TEXTS, vocabulary, vocabulary.slots())
    columns = np.array(labels) % (intents + 1)  # -1, out of scope, is the last column
    member = scipy.sparse.csr_matrix((np.ones(len(columns)), (np.arange(len(columns)), columns)))
    weights = (features.T @ member).toarray() / np.bincount(columns)
    model = MarginModel(
        name=f"bench{intents}",
        intents=(*intent_names(intents), OUT_OF_SCOPE),
        corpus_sha256="made up",
        # Hidden units that make as much work as trained ones, and have no say.
        borders=Borders(
            vocabulary=vocabulary,
            weights=np.concatenate((weights, np.resize(weights, (len(weights), UNITS))), axis=1).astype(np.float16),
            bias=np.zeros(intents + 1, dtype=np.float32),
            hidden_bias=np.zeros(UNITS, dtype=np.float32),
            outputs=np.zeros((UNITS, intents + 1), dtype=np.float32),
        ),
        right=np.zeros(EVIDENCE + 1),
        outside=np.append(np.zeros(EVIDENCE), _OUTSIDE_LOG_ODDS),
    )
    path = folder / f"{model.name}.npz"
    save_model(_calibrated(model, language, intents), path)
    return path


def offers(count: int, tenants: int = 1, intents: int = INTENTS, *, at: int | None = None) -> Iterator[Packed]:
    """Yield records for the topic of offers: ids `bench-0` on, tenants `bench-0` on in turn.

    at: when the first was offered, UTC microseconds; now, if None. All else is the same at each call.
    """
    first = real_now() if at is None else at
    texts = Language(intents).utterances(_spread(count, intents, _OFFERS_SEED), _OFFERS_SEED)
    envelope = Envelope(Codec(), "bench")
    for number, text in enumerate(texts):
        offered = Offered(
            interaction_id=f"bench-{number}",
            tenant=f"bench-{number % tenants}",
            channel=_CHANNELS[number % len(_CHANNELS)],
            text=text,
            occurred_at=first + number,
        )
        yield envelope.pack(Effect(OFFERED, offered))


def write_contacts(path: Path, contacts: Iterable[Packed]) -> None:
    """Write keys and values to a file, for processes that take them from memory."""
    path.write_bytes(msgspec.msgpack.encode([(packed.key, packed.value) for packed in contacts]))


def read_contacts(path: Path) -> list[tuple[bytes, bytes]]:
    """Return what `write_contacts` wrote."""
    return msgspec.msgpack.decode(path.read_bytes(), type=list[tuple[bytes, bytes]])


def policies(tenants: int = 1, intents: int = INTENTS) -> list[Policy]:
    """Return a policy per tenant: queues of people, AI agents that share intents, some intents for people alone."""
    names = intent_names(intents)
    human_only = tuple(names[::_HUMAN_ONLY_EVERY])
    for_agents = [name for name in names if name not in set(human_only)]
    # Each agent has a share of the intents, and its neighbour's too: every intent has two agents.
    shares = [for_agents[at::_ENDPOINTS] for at in range(_ENDPOINTS)]
    endpoints = tuple(
        Endpoint(
            endpoint=f"agent-{at}",
            provider=f"provider-{at // 2}",
            version="1.0.0",
            intents=tuple(sorted({*shares[at], *shares[at - 1]})),
            max_concurrent=MOST_AT_ONCE,
        )
        for at in range(_ENDPOINTS)
    )
    queues = tuple(HumanQueue(queue=f"queue-{at}", intents=tuple(names[at::_QUEUES])) for at in range(_QUEUES))
    return [
        Policy(
            tenant=f"bench-{tenant}",
            revision=1,
            thresholds=Thresholds(contained=0.92, assisted=CONFIDENT),
            endpoints=endpoints,
            queues=queues,
            default_queue="queue-0",
            human_only_intents=human_only,
            occurred_at=real_now(),
        )
        for tenant in range(tenants)
    ]


def _spread(count: int, intents: int, seed: int = CORPUS_SEED) -> list[int]:
    """Return `count` intents from -1 (out of scope) on, equally often, in any order."""
    labels = np.arange(count) % (intents + 1)
    spread: list[int] = np.random.default_rng(seed).permutation(np.where(labels == intents, -1, labels)).tolist()
    return spread


def _calibrated(model: MarginModel, language: Language, intents: int) -> MarginModel:
    """Return the model as sure of new texts as it ought to be."""
    texts = list(language.utterances(_spread(_TUNING_TEXTS, intents, _TUNING_SEED), _TUNING_SEED))
    borders = model.borders
    features = feature_matrix(count_features(texts), len(texts), borders.vocabulary, borders.vocabulary.slots())
    margins = borders.margins((features @ borders.weights.astype(np.float32)).astype(np.float32))
    gaps = evidence(margins, model.intents.index(OUT_OF_SCOPE)).columns[:, 1]
    slope = 1.0 / float(gaps.std())
    enough = float(np.quantile(gaps, 1.0 - CONFIDENT_SHARE))
    right = np.zeros(EVIDENCE + 1)
    right[1], right[-1] = slope, np.log(CONFIDENT / (1.0 - CONFIDENT)) - slope * enough
    return dataclasses.replace(model, right=right)
