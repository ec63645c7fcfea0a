"""The command that runs a suite: `make bench SUITE=hotpath`, `trunkline bench hotpath`."""

from __future__ import annotations

import importlib
import importlib.util
import signal
import sys
from pathlib import Path

import click

from bench.options import Options

_KNOWN = (
    "hotpath",
    "latency",
    "scale",
    "kill",
    "decide",
    "classifier",
    "quality",
    "sessions",
    "redaction",
    "health",
    "spillover",
    "staffing",
)
SUITES = tuple(name for name in _KNOWN if importlib.util.find_spec(f"bench.{name}"))
"""A suite is a module of this package with `run(options: Options) -> Report`."""


@click.command(help="Measure Trunkline on this machine, beside its limit and its peers. It starts its own broker.")
@click.argument("suite", type=click.Choice(SUITES), default="hotpath")
@click.option(
    "--contacts", type=click.IntRange(min=1000), help="contacts to preload, in place of the suite's own number"
)
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="repetitions of each subject")
@click.option("--quick", is_flag=True, help="small sizes, one repetition: to see that it works")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/bench"),
    show_default=True,
    help="folder for SUITE.json and SUITE.png",
)
def bench(suite: str, contacts: int | None, runs: int, quick: bool, out: Path) -> None:  # noqa: FBT001 - click's way
    """Run a suite, print its table and write its files."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # 128 + 15, as a shell has it: what was started is stopped
    options = Options(contacts=contacts, runs=runs, quick=quick, out=out)
    report = importlib.import_module(f"bench.{suite}").run(options)
    report.publish(out)
