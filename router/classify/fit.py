"""Learning the borders of intents from some texts of a corpus, and the margins of the others under them.

A fit is a support vector machine for each intent against the rest, and a network beside them. Nothing is drawn but from
seeds, and each fit runs on one thread, so a fit comes out the same alone or beside others, in this process or another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from router.classify.features import Counts, Ints
from router.classify.margins import NEVER, Borders
from router.classify.network import train_network
from router.classify.vocabulary import Floats32, feature_matrix, vocabulary_of

PENALTY = 4.0
"""scikit-learn's C. CLINC150's validation set: accuracy 0.935 at 2, 0.936 at 4 and 8."""
NETWORK_SHARE = 0.1
"""What the network's logits count for beside the machines' margins: its best was 0.05 to 0.2 on all corpora tried."""
SEED = 7
"""Any fixed number."""
_TOLERANCE = 1e-2
"""liblinear's; a hundredth of it takes half as long again and changes no figure."""


class Problem(NamedTuple):
    """What is to be learnt. labels: int64[n], places in `intents`, of which `out_of_scope` is one."""

    counts: Counts
    labels: Ints
    intents: tuple[str, ...]
    out_of_scope: int


def fitted(problem: Problem, rows: Ints) -> Borders:
    """Return the borders that some texts teach, weights in float32; intents that none of them has get NEVER."""
    counts, labels, intents = _rows_of(problem, rows), problem.labels[rows], len(problem.intents)
    vocabulary = vocabulary_of(counts, rows.size)
    features = feature_matrix(counts, rows.size, vocabulary, vocabulary.slots())
    with threadpool_limits(limits=1):
        machine = LinearSVC(C=PENALTY, tol=_TOLERANCE, random_state=SEED).fit(features, labels)
        network = train_network(features, labels, intents, SEED)
    coefficients, intercepts = machine.coef_, machine.intercept_
    if len(machine.classes_) == 2:  # noqa: PLR2004 - then one border serves both
        coefficients, intercepts = np.concatenate((-coefficients, coefficients)), np.append(-intercepts, intercepts)
    weights = np.zeros((vocabulary.buckets.size, intents + network.hidden_bias.size), dtype=np.float32)
    weights[:, machine.classes_] = coefficients.T
    weights[:, intents:] = network.embeddings
    bias = np.full(intents, NEVER, dtype=np.float32)
    # What all logits of a text have in common says nothing.
    bias[machine.classes_] = intercepts + NETWORK_SHARE * (network.bias - network.bias.mean())[machine.classes_]
    outputs = NETWORK_SHARE * (network.outputs - network.outputs.mean(axis=1, keepdims=True))
    return Borders(vocabulary, weights, bias, network.hidden_bias, outputs.astype(np.float32))


def unseen_margins(problem: Problem, held_out: Ints) -> Floats32:
    """Return float32[h, intents], the margins of some texts under a fit of the others."""
    borders = fitted(problem, np.setdiff1d(np.arange(problem.labels.size), held_out))
    vocabulary = borders.vocabulary
    features = feature_matrix(_rows_of(problem, held_out), held_out.size, vocabulary, vocabulary.slots())
    return borders.margins((features @ borders.weights).astype(np.float32))


def all_unseen_margins(
    problem: Problem, groups: Sequence[Ints], *, side_by_side: bool, progress: Callable[[str], None]
) -> list[Floats32]:
    """Return the unseen margins of each group of texts, of fits one after the other or in processes side by side."""
    workers = min(len(os.sched_getaffinity(0)), len(groups)) if side_by_side else 1
    fits = joblib.Parallel(n_jobs=workers, return_as="generator")(
        joblib.delayed(unseen_margins)(problem, group) for group in groups
    )
    found = []
    for number, margins in enumerate(fits, start=1):
        found.append(margins)
        progress(f"fit {number} of {len(groups)} measured on what it had not seen")
    return found


def _rows_of(problem: Problem, rows: Ints) -> Counts:
    """Return the features of some texts, numbered anew; rows ascend."""
    counts = problem.counts
    number = np.full(problem.labels.size, -1, dtype=np.int64)
    number[rows] = np.arange(rows.size)
    mine = number[counts.rows] >= 0
    return Counts(number[counts.rows[mine]], counts.buckets[mine], counts.counts[mine])
