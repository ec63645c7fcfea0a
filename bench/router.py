"""Throughput of one router process as it stands: `make bench`.

Contacts are preloaded on four partitions of an embedded broker; the router is started on them, exactly
once, with its model, guard and decision records. The rate is taken between the first and the last
commit that a read-committed consumer sees, so the start of the process does not count. Runs are
repeated within one call, each on topics of its own; the figure to quote is the median.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runtime.admin import create_topics
from runtime.clock import real_now
from runtime.embedded import EmbeddedServices
from runtime.kafka import Reader, Writer
from runtime.settings import Settings
from schemas.fields import Channel
from schemas.interactions import Offered
from schemas.topics import OFFERED, POLICY, ROUTED, Effect
from simulator.policies import demo_policy

REPORT = Path("build/bench/router.json")
UTTERANCES = Path(__file__).parent.parent / "simulator" / "utterances.csv"


def preload(settings: Settings, contacts: int) -> None:
    """Write the policy and the contacts."""
    texts = [row["text"] for row in csv.DictReader(UTTERANCES.open(encoding="utf-8"))]
    writer = Writer(settings, "bench")
    writer.write(Effect(POLICY, demo_policy(real_now())))
    for number in range(contacts):
        offered = Offered(
            interaction_id=f"bench-{number}",
            tenant="demo",
            channel=Channel.CHAT,
            text=texts[number % len(texts)],
            occurred_at=real_now(),
        )
        writer.write(Effect(OFFERED, offered))
        if number % 1000 == 0:
            writer.poll()
    writer.flush(120)


def measure(settings: Settings, contacts: int) -> float:
    """Run a router until every contact is decided; return contacts per second."""
    argv = [
        sys.executable,
        "-m",
        "trunkline",
        "router",
        "--bootstrap",
        settings.bootstrap,
        "--data",
        str(settings.data),
    ]
    argv += ["--redis-url", settings.redis_url, "--prefix", settings.prefix, "--port", "0"]
    reader = Reader(settings, [ROUTED.name], start="beginning")
    log = settings.data / f"{settings.prefix}router.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    seen, first_at, first_count, last_at = 0, 0.0, 0, 0.0
    with log.open("wb") as output, subprocess.Popen(argv, stdout=output, stderr=output) as router:
        try:
            while seen < contacts:
                count = len(reader.read(10_000, 0.1))
                if count:
                    last_at = time.perf_counter()
                    if seen == 0:
                        first_at, first_count = last_at, count
                    seen += count
                if router.poll() is not None:
                    raise SystemExit(f"the router ended:\n{log.read_text()[-2000:]}")
        finally:
            router.terminate()
            router.wait(20)
            reader.close()
    return (seen - first_count) / (last_at - first_at)


def main() -> None:
    """Print the rates and write them to build/bench/router.json."""
    parser = argparse.ArgumentParser(prog="python -m bench.router", description=__doc__)
    parser.add_argument("--contacts", type=int, default=40_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedServices(Path(folder)) as stores:
        rates = []
        for run in range(arguments.runs):
            settings = Settings(
                bootstrap=stores.kafka.bootstrap,
                redis_url=stores.redis.url,
                prefix=f"bench{run}.",
                data=Path(folder) / "data",
                keyed_partitions=4,
            )
            create_topics(settings)
            preload(settings, arguments.contacts)
            rates.append(measure(settings, arguments.contacts))
            print(f"run {run + 1}: {rates[-1]:,.0f} contacts/s", flush=True)
    median = statistics.median(rates)
    print(f"router, one process, exactly once: {median:,.0f} contacts/s (median of {len(rates)})")
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(
        json.dumps({"router_per_second": median, "runs": rates, "contacts": arguments.contacts}, indent=2)
    )


if __name__ == "__main__":
    main()
