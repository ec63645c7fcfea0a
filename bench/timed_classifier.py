"""One classifier in a process of its own: how long it takes to load and to classify, and its memory, as JSON.

`python -m bench.timed_classifier`. Nothing is imported at the top that the classifier would import itself.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

BATCH_SIZES = (1, 16, 64, 256, 500, 2000)
_WARM_UP_TEXTS, _LEAST_TEXTS, _LEAST_BATCHES = 4_000, 2_000, 10
_QUICK = 10
_SEED = 43


def main() -> None:
    """Load a model, classify, and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m bench.timed_classifier", description=__doc__)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--intents", required=True, type=int, help="of the model")
    parser.add_argument("--quick", action="store_true", help=f"one text in {_QUICK}")
    given = parser.parse_args()
    print(json.dumps(timed(given.model, given.intents, quick=given.quick)))


def timed(path: Path, intents: int, *, quick: bool) -> dict[str, Any]:
    """Return the figures of a model. Every text is classified once: what it says has not been heard before."""
    began = time.perf_counter()
    from router.classify.margins import MarginClassifier  # noqa: PLC0415 - the import is timed
    from router.classify.store import load_model  # noqa: PLC0415

    imported = time.perf_counter()
    classifier = MarginClassifier(load_model(path))
    loaded = time.perf_counter()

    import psutil  # noqa: PLC0415

    from bench.language import Language  # noqa: PLC0415

    sizes = {size: max(_LEAST_TEXTS, size * _LEAST_BATCHES) // (_QUICK if quick else 1) for size in BATCH_SIZES}
    said = [number % (intents + 1) - 1 for number in range(_WARM_UP_TEXTS + sum(sizes.values()))]
    texts = Language(intents).utterances(said, _SEED)
    classifier.classify(list(itertools.islice(texts, _WARM_UP_TEXTS)))
    microseconds, single_ms = {}, []
    for size, count in sizes.items():
        batches = [list(itertools.islice(texts, size)) for _ in range(max(1, count // size))]
        seconds = []
        for batch in batches:
            start = time.perf_counter()
            classifier.classify(batch).rows()
            seconds.append(time.perf_counter() - start)
        microseconds[size] = sum(seconds) / (len(batches) * size) * 1e6
        if size == 1:
            single_ms = sorted(second * 1e3 for second in seconds)
    return {
        "import_seconds": imported - began,
        "load_seconds": loaded - imported,
        "resident_megabytes": psutil.Process().memory_info().rss / 1e6,
        "microseconds": microseconds,
        "p50_ms": single_ms[len(single_ms) // 2],
        "p99_ms": single_ms[int(len(single_ms) * 0.99)],
    }


if __name__ == "__main__":
    main()
