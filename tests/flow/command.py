"""The command `trunkline` as a person starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PATIENCE_SECONDS = 60.0
ENV = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}


def trunkline(*arguments: str, given: str | bytes = "", **env: str) -> subprocess.CompletedProcess[str]:
    data = given.encode() if isinstance(given, str) else given
    done = subprocess.run(
        [sys.executable, "-m", "trunkline", *arguments], input=data, capture_output=True, check=False,
        timeout=PATIENCE_SECONDS, env={**ENV, **env},
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def answered(*arguments: str) -> dict[str, Any]:
    """What a command that must succeed prints as one JSON object."""
    done = trunkline(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def together(commands: Sequence[Sequence[str]]) -> list[subprocess.CompletedProcess[str]]:
    """Run commands side by side, for most of them wait."""
    with ThreadPoolExecutor(max(1, len(commands))) as threads:
        return list(threads.map(lambda command: trunkline(*command), commands))
