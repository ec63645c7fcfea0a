"""The options that every peer takes, and the names of what it reads and writes."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from schemas.topics import OFFERED, ROUTED


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """Where a peer finds its broker and keeps its files; `model` is None where no core runs."""

    peer: str
    bootstrap: str
    prefix: str
    data: Path
    model: Path | None

    @property
    def group(self) -> str:
        """Consumer group of this peer in this run: no other peer's offsets are taken for its own."""
        return f"{self.prefix}{self.peer}"

    @property
    def offered(self) -> str:
        """Topic to read, as the broker calls it."""
        return self.topic(OFFERED.name)

    @property
    def routed(self) -> str:
        """Topic to write to where nothing is decided, as the broker calls it."""
        return self.topic(ROUTED.name)

    def topic(self, name: str) -> str:
        """Return the broker's name of a topic of the registry."""
        return self.prefix + name


def read_options(peer: str, description: str, argv: Sequence[str] | None = None, *, with_core: bool = False) -> Options:
    """Return the options of a peer from its command line; exits where one is missing."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.peers.{peer}", description=description)
    parser.add_argument("--bootstrap", required=True, help="Kafka, host:port")
    parser.add_argument("--prefix", required=True, help="put before topic and group names")
    parser.add_argument("--data", required=True, type=Path, help="folder for local files")
    if with_core:
        parser.add_argument("--model", required=True, type=Path, help="the classifier's model")
    given = parser.parse_args(argv)
    given.data.mkdir(parents=True, exist_ok=True)
    return Options(peer, given.bootstrap, given.prefix, given.data.absolute(), getattr(given, "model", None))
