"""`trunkline sessions`: the service, and the story of one contact."""

from __future__ import annotations

import importlib
import json

import click

from runtime.errors import TrunklineError
from runtime.options import SERVICE, TOOL, with_settings
from runtime.service import service
from runtime.settings import Settings


class UnknownContactError(TrunklineError):
    """The topics hold nothing of a contact."""


@click.group(invoke_without_command=True)
@with_settings(*SERVICE)
@click.pass_context
def sessions(context: click.Context, settings: Settings) -> None:
    """Follow contacts from their decision to their end; report outcomes, feedback and volumes.

    Without a command it is the service: it runs until SIGTERM; start one process per slot. `trunkline sessions show`
    prints what happened to one contact.
    """
    if context.invoked_subcommand is not None:
        return
    app = importlib.import_module("processors.sessions.app")  # a command loads its own libraries only
    with service("sessions", settings) as process:
        app.run(settings, process)


@sessions.command()
@click.argument("interaction_id")
@with_settings(*TOOL)
@click.option("--json", "as_json", is_flag=True, help="one JSON line for each chapter, with the event that it is from")
def show(settings: Settings, interaction_id: str, *, as_json: bool) -> None:
    """Print the whole story of the contact INTERACTION_ID in order.

    Decisions, turns, triggers, transfers, verdicts, how long it was held and why no more, feedback, versions.

    It is read from the topics (7 days of them), so it needs the right to read interactions.events. What people said is
    redacted before it is shown. Turns are numbered EPOCH.NUMBER: the epoch grows whenever the contact leaves the agent
    that has it.
    """
    from processors.sessions import story  # noqa: PLC0415 - a command loads its own libraries only
    from runtime.redaction import redactor_of  # noqa: PLC0415
    from runtime.schemas_topic import PublishedSchemas  # noqa: PLC0415
    from schemas.codec import Codec  # noqa: PLC0415

    codec = Codec(PublishedSchemas(settings).fetch)
    chapters = story.read_story(settings, interaction_id, redactor_of(settings), codec)
    if not chapters:
        raise UnknownContactError(
            f"no topic holds contact {interaction_id!r}: check the id and --prefix; topics keep 7 days"
        )
    if as_json:
        for chapter in chapters:
            click.echo(json.dumps(chapter.as_json(), ensure_ascii=False))
        return
    for line in story.lines(chapters):
        click.echo(line)
