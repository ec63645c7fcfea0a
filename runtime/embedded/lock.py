"""Writes the list of jars and their sums anew: `python -m runtime.embedded.lock`, when Kafka's version moves.

jgo resolves what the coordinates below need and fetches it; read what changed before you commit it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver

from runtime.embedded.jars import sha256_of

COORDINATES = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")


def resolved_list(repository: Path) -> str:
    """Return the list for `COORDINATES`, by way of a local repository that may hold files already."""
    context = MavenContext(resolver=PythonResolver(), repo_cache=repository)
    wanted = [context.create_dependency(coordinates) for coordinates in COORDINATES]
    inputs, transitive = context.resolver.resolve(wanted)
    needed = [*inputs, *(each for each in transitive if each.scope in {"compile", "runtime"})]
    paths = sorted({Path(each.artifact.resolve()) for each in needed})
    lines = [f"{sha256_of(path)}  {path.relative_to(repository).as_posix()}" for path in paths]
    return "\n".join([f"# {' + '.join(COORDINATES)}, resolved by jgo; `python -m runtime.embedded.lock`", *lines, ""])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        Path(__file__).with_name("jars.sha256").write_text(resolved_list(Path(scratch)))
