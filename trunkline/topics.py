"""`trunkline topics create|list|asyncapi`."""

from __future__ import annotations

from pathlib import Path

import click

from runtime.admin import create_topics
from runtime.options import with_settings
from runtime.settings import Settings
from schemas.topics import TOPICS, Layout, Topic
from trunkline.asyncapi import as_yaml


@click.group()
def topics() -> None:
    """Create or list the topics of the registry: what is not in it does not exist."""


@topics.command()
@with_settings("bootstrap", "prefix")
@click.option(
    "--partitions", type=click.IntRange(1), help="partitions of keyed topics; fixed at creation  [default: 24]"
)
@click.option("--replication", type=click.IntRange(1), help="replication factor  [default: the broker's own]")
def create(settings: Settings, partitions: int | None, replication: int | None) -> None:
    """Create the topics that are missing; those that are there are left as they are."""
    changes = {"keyed_partitions": partitions, "replication": replication}
    settings = settings.model_copy(update={name: value for name, value in changes.items() if value is not None})
    created, present = create_topics(settings)
    for name in sorted(created):
        click.echo(f"created {name}")
    click.echo(f"{len(created)} topics created, {len(present)} were there, on {settings.bootstrap}")


@topics.command("list")
@click.option("--markdown", is_flag=True, help="as the table in docs/topics.md")
def list_(*, markdown: bool) -> None:
    """List the topics, who writes them and who reads them."""
    if markdown:
        click.echo(as_markdown(), nl=False)
        return
    for topic in TOPICS:
        click.echo(f"{topic.name:26} {_kind(topic):34} {', '.join(topic.writers)} -> {', '.join(topic.readers)}")


@topics.command("asyncapi")
@click.option("--into", type=click.Path(dir_okay=False, path_type=Path), help="write it to this file")
def asyncapi_(into: Path | None) -> None:
    """Describe the topics that others use as an AsyncAPI 3.0 document (YAML), with the schema of every record.

    Clients in many languages are generated from it, and documentation.

    Example: trunkline topics asyncapi --into trunkline.asyncapi.yaml
    """
    if into is None:
        click.echo(as_yaml(), nl=False)
        return
    into.write_text(as_yaml(), encoding="utf-8")
    click.echo(f"wrote {into}")


def as_markdown() -> str:
    """Return docs/topics.md."""
    lines = [
        "# Topics",
        "",
        "Generated from `schemas/topics.py` by `trunkline topics list --markdown`. A prefix can be put before every",
        "name (`--prefix`). Values are Avro in single-object encoding. CloudEvents 1.0 attributes are in the headers",
        "`ce_*`, but for inboxes, which only services of ours read. A topic with dead letters has a second one,",
        "`<name>.dlq`: the record's own key and bytes, and in the headers `dlq_topic`, `dlq_partition`, `dlq_offset`,",
        "`dlq_stage`, `dlq_reason`, `dlq_error`. Besides these, `schemas` (compacted, JSON) holds every schema by its",
        "fingerprint. Restricted topics hold customers' own words: give them, and their dead letters, an ACL of",
        "their own.",
        "",
        "| topic | key | records | what | written by -> read by | kind |",
        "|---|---|---|---|---|---|",
    ]
    for topic in TOPICS:
        records = ", ".join(kind.__name__ for kind in topic.types)
        users = f"{', '.join(topic.writers)} -> {', '.join(topic.readers)}"
        lines.append(f"| {topic.name} | {topic.key} | {records} | {topic.about} | {users} | {_kind(topic)} |")
    return "\n".join(lines) + "\n"


def _kind(topic: Topic) -> str:
    words = ["1 partition" if topic.layout is Layout.CONTROL else "keyed"]
    words += ["compacted"] if topic.compacted else []
    words += ["kept for ever"] if topic.retention_ms < 0 else []
    words += ["dead letters"] if topic.dead_letters else []
    words += ["restricted"] if topic.restricted else []
    return ", ".join(words)
