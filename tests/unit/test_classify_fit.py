import numpy as np
import pytest
import scipy.sparse

from router.classify import fit
from router.classify.features import count_features
from router.classify.fit import Problem, all_unseen_margins, fitted, unseen_margins
from router.classify.margins import NEVER
from router.classify.network import UNITS, train_network

WORDS = {"bill": ("pay", "bill", "invoice"), "roam": ("abroad", "roaming", "spain"), "oos": ("weather", "joke", "moon")}
FILLERS = ("please", "now", "then", "today", "again", "maybe")


@pytest.fixture(scope="module")
def problem() -> Problem:
    said = [(f"{word} {filler}", intent) for intent, words in WORDS.items() for word in words for filler in FILLERS]
    intents = tuple(sorted(WORDS))
    labels = np.array([intents.index(intent) for _text, intent in said], dtype=np.int64)
    return Problem(count_features([text for text, _intent in said]), labels, intents, intents.index("oos"))


def test_fits_say_the_same_side_by_side_as_one_after_the_other(problem):
    groups = [np.arange(start, problem.labels.size, 3) for start in range(3)]
    lines: list[str] = []
    alone = all_unseen_margins(problem, groups, side_by_side=False, progress=lines.append)
    beside = all_unseen_margins(problem, groups, side_by_side=True, progress=lines.append)
    assert all(np.array_equal(one, other) for one, other in zip(alone, beside, strict=True))
    assert lines == [f"fit {number} of 3 measured on what it had not seen" for number in (1, 2, 3)] * 2


def test_what_was_held_out_is_mostly_understood(problem):
    held_out = np.arange(0, problem.labels.size, 3)
    assert (unseen_margins(problem, held_out).argmax(axis=1) == problem.labels[held_out]).mean() > 0.9


def test_an_intent_of_which_nothing_was_seen_is_never_given(problem):
    borders = fitted(problem, np.flatnonzero(problem.labels != problem.out_of_scope))
    assert borders.bias[problem.out_of_scope] == np.float32(NEVER)
    held_out = np.flatnonzero(problem.labels == problem.out_of_scope)
    assert unseen_margins(problem, held_out)[:, problem.out_of_scope].max() < NEVER / 2


def test_the_network_alone_learns_what_no_line_can_tell():
    # Two features: the first intent where either is there, the second where both are, or neither.
    cases = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float32)
    repeated = np.repeat(cases, 40, axis=1) / np.sqrt(40.0)  # as 40 features each, for most are left out at random
    labels = np.array([0, 0, 1, 1], dtype=np.int64)
    features = scipy.sparse.csr_matrix(np.tile(repeated, (50, 1)))
    network = train_network(features, np.tile(labels, 50), 2, seed=1)
    hidden = np.maximum(repeated @ network.embeddings + network.hidden_bias, 0)
    assert ((hidden @ network.outputs + network.bias).argmax(axis=1) == labels).all()


def test_the_network_of_a_seed_is_always_the_same():
    features = scipy.sparse.random(30, 200, density=0.2, format="csr", random_state=1)
    labels = np.arange(30) % 3
    one, same, other = (train_network(features, labels, 3, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(left, right) for left, right in zip(one, same, strict=True))
    assert not np.array_equal(one.embeddings, other.embeddings)
    assert one.embeddings.shape == (200, UNITS)


def test_features_are_left_alone_by_training():
    features = scipy.sparse.random(30, 200, density=0.2, format="csr", random_state=1)
    before = features.toarray()
    train_network(features, np.arange(30) % 3, 3, seed=1)
    assert np.array_equal(features.toarray(), before)


def test_the_network_makes_a_difference(problem, monkeypatch):
    held_out = np.arange(0, problem.labels.size, 3)
    both = unseen_margins(problem, held_out)
    monkeypatch.setattr(fit, "NETWORK_SHARE", 0.0)
    assert not np.allclose(unseen_margins(problem, held_out), both)
