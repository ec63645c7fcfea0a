"""`trunkline tail` and `trunkline produce`: a topic as JSON lines, for a person at the terminal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from runtime.errors import TrunklineError
from runtime.kafka import Reader, Record, Writer
from runtime.options import TOOL, with_settings
from runtime.schemas_topic import PublishedSchemas
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.lines import event_of_line
from schemas.topics import BY_NAME, SCHEMAS_NAME, Effect


@click.command()
@click.argument("topic")
@with_settings(*TOOL)
@click.option("--from-beginning", is_flag=True, help="start with the oldest record, not with the next one")
@click.option("--until-idle", type=click.FloatRange(min=0.0), help="end when no record came for so many seconds")
def tail(settings: Settings, topic: str, until_idle: float | None, *, from_beginning: bool) -> None:
    """Print the committed records of TOPIC as JSON lines: place, type, key, event.

    Works on every topic of `trunkline topics list` and on their dead letters (`<name>.dlq`), whose
    headers say what was wrong and whose bytes are shown in hexadecimal where they do not decode.
    """
    _known_name(topic)
    reader = Reader(settings, [topic], start="beginning" if from_beginning else "end")
    codec = Codec(PublishedSchemas(settings).fetch)
    try:
        for record in _records(reader, until_idle):
            sys.stdout.write(json.dumps(_as_json(record, codec), ensure_ascii=False) + "\n")
            sys.stdout.flush()
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    finally:
        reader.close()


def _known_name(name: str) -> None:
    base = name.removesuffix(".dlq")
    if name == SCHEMAS_NAME or (base in BY_NAME and (base == name or BY_NAME[base].dead_letters)):
        return
    raise click.BadParameter(
        f"{name!r} is no topic of Trunkline; `trunkline topics list` names them", param_hint="TOPIC"
    )


def _records(reader: Reader, until_idle: float | None) -> Iterator[Record]:
    last = time.monotonic()
    while True:
        records = reader.read(500, 0.1)
        yield from records
        if records:
            last = time.monotonic()
        elif until_idle is not None and reader.at_end() and time.monotonic() - last >= until_idle:
            return


def _as_json(record: Record, codec: Codec) -> dict[str, Any]:
    out: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key.decode(errors="replace") if record.key is not None else None,
    }
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    if record.topic.endswith(".dlq"):
        out["dead_letter"] = {name.removeprefix("dlq_"): v for name, v in headers.items() if name.startswith("dlq_")}
    if record.topic == SCHEMAS_NAME:
        return {**out, "schema": json.loads(record.value or b"null")}
    if record.value is None:
        return {**out, "event": None}
    try:
        event = codec.decode(record.value)
    except DecodeError as problem:
        return {**out, "undecodable": problem.reason, "bytes": record.value.hex()}
    return {**out, "type": type(event).__name__, "event": msgspec.to_builtins(event)}


@click.command()
@click.argument("topic")
@with_settings(*TOOL)
def produce(settings: Settings, topic: str) -> None:
    """Read JSON lines from standard input, validate and encode them, write them to TOPIC.

    A line is an event, as `trunkline tail` prints it under "event" (or its whole line). Where the topic
    carries several types, add "type". Nothing of a line that is not valid is written: the line's
    number and what is wrong go to standard error, and the exit code is 1.
    """
    target = BY_NAME.get(topic)
    if target is None:
        raise click.BadParameter(
            f"{topic!r} is no topic of Trunkline; `trunkline topics list` names them", param_hint="TOPIC"
        )
    writer = Writer(settings, "produce")
    Reader(settings, [topic], start="end").close()  # says so where broker or topic are missing
    sent = refused = 0
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if not line.strip():
            continue
        try:
            writer.write(Effect(target, event_of_line(line, target)))
            writer.poll()
            sent += 1
        except (TrunklineError, msgspec.MsgspecError, UnicodeDecodeError) as problem:
            refused += 1
            click.echo(f"line {number} is not written: {problem}", err=True)
    writer.close()
    click.echo(f"{sent} records written to {settings.topic(topic)}, {refused} lines refused", err=True)
    if refused:
        sys.exit(1)
