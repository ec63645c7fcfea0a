"""`trunkline models assign|list|remove`: which tenant is classified by which model."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from runtime.clock import now
from runtime.errors import SettingsError
from runtime.once import look_at, write_once
from runtime.options import TOOL, with_settings
from runtime.settings import Settings
from schemas.control import ModelAssignment
from schemas.envelope import iso_time
from schemas.topics import ANY_TENANT, CLOCK, MODELS, Effect

_SOURCE = "models"
_TOPICS = (MODELS, CLOCK)


@click.group()
def models() -> None:
    """Choose which tenant's contacts are classified by which model, while the routers run.

    TENANT is a tenant's id, or '*' (in quotes) for every tenant without a model of its own. A tenant with neither
    has the router's own model: its --model, else the seed model. Routers take a new model between two batches,
    within seconds; each decision names its model, and in epochs.models the record that assigned it.

    \b
    Example:
      trunkline models assign acme /models/acme.npz
      trunkline models assign '*' /models/telephone.npz
      trunkline models list
      trunkline models remove acme
    """  # noqa: D301 - \b is click's mark for lines that stay as they are


@models.command()
@click.argument("tenant")
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_settings(*TOOL)
@click.option(
    "--classifier",
    default="trunkline",
    show_default=True,
    help="what opens the file: Trunkline's own, or an entry point of the group trunkline.classifiers",
)
@click.option(
    "--location",
    help="absolute path or file URL under which the routers see the file  [default: MODEL_FILE's path here]",
)
def assign(settings: Settings, tenant: str, model_file: Path, classifier: str, location: str | None) -> None:
    """Have the contacts of TENANT classified by the model in MODEL_FILE from now on.

    The file is opened and checked here, and its version written to the topic `models`. Each router loads it from
    the same path (or from --location) and checks that it is that very version: one that finds another file, or a
    damaged one, keeps the model that it had and says so in its log and in trunkline_models_refused_total. So put a
    new model into a new file, and leave it there: a router reads it again when it starts.
    """
    from router.classify.plugins import open_model  # noqa: PLC0415 - `--help` need not load numpy
    from router.models import model_path  # noqa: PLC0415

    seen_at = location or str(model_file.absolute())
    model_path(seen_at)
    version = open_model(classifier, model_file).version
    fields = {
        "tenant": tenant,
        "model": version,
        "location": seen_at,
        "classifier": classifier,
        "occurred_at": now(look_at(settings, _SOURCE, _TOPICS)),
    }
    try:
        assignment = msgspec.convert(fields, ModelAssignment)
    except msgspec.ValidationError as problem:
        raise click.UsageError(f"this is no assignment: {problem}; shorten or fill what it names") from problem
    write_once(settings, _SOURCE, Effect(MODELS, assignment))
    click.echo(f"{_whom(tenant)}: {version}, from {seen_at}")


@models.command("list")
@with_settings(*TOOL)
def list_(settings: Settings) -> None:
    """List the assignments that stand: tenant, model, classifier, file, since when (UTC).

    That is what was assigned. What a router works with is in its log, and on every decision.
    """
    assigned = look_at(settings, _SOURCE, _TOPICS).of(MODELS)
    if not assigned:
        click.echo("no model is assigned: every tenant has the routers' own", err=True)
    rows = [
        (tenant, each.model, each.classifier, each.location, iso_time(each.occurred_at))
        for tenant, each in sorted(assigned.items())
    ]
    widths = [max(len(row[column]) for row in rows) if rows else 0 for column in range(5)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@models.command()
@click.argument("tenant")
@with_settings(*TOOL)
def remove(settings: Settings, tenant: str) -> None:
    """Take back the assignment of TENANT: from now on it has the model of '*', else the routers' own."""
    assigned = look_at(settings, _SOURCE, _TOPICS).of(MODELS)
    if tenant not in assigned:
        names = ", ".join(sorted(assigned)) or "none"
        raise SettingsError(f"{tenant!r} has no model assigned, so there is nothing to remove; those with one: {names}")
    write_once(settings, _SOURCE, Effect(MODELS, None, tenant))
    click.echo(f"{_whom(tenant)}: {assigned[tenant].model} is taken back")


def _whom(tenant: str) -> str:
    return "every tenant without a model of its own" if tenant == ANY_TENANT else tenant
