"""`trunkline policy`: write, check, apply, compare and take back what a tenant wants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.clock import now
from runtime.errors import SettingsError
from runtime.once import look_at, write_once
from runtime.options import BY, TOOL, with_settings
from runtime.settings import Settings
from schemas.control import Policy
from schemas.envelope import iso_time
from schemas.topics import CLOCK, POLICY, Effect

if TYPE_CHECKING:
    from router.policy.document import Document
    from router.policy.history import Applied

_SOURCE = "policy"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_BASES = click.option(
    "--base",
    "bases",
    type=_FILE,
    multiple=True,
    help="file of a policy that FILE extends, for one that is not applied yet; may be given more than once",
)
_EXAMPLE = """\b
Example:
  trunkline policy validate acme.yaml
  trunkline policy apply acme.yaml --reason "refunds to the new agent"
  trunkline policy history acme
  trunkline policy rollback acme --to 3 --reason "too many refunds escalated"
"""


@click.group(epilog=_EXAMPLE)
def policy() -> None:
    """Say what a tenant wants: AI agents, queues, thresholds.

    A policy is a document in YAML, one per tenant; docs/policy.md explains it. The one applied last stands: routers
    obey it from their next batch on, and each decision names in epochs.policy the record by which it was taken.
    """


@policy.command()
@click.argument("files", type=_FILE, nargs=-1, required=True)
@_BASES
def validate(files: tuple[Path, ...], bases: tuple[Path, ...]) -> None:
    """Check the policies in FILES, without Kafka; every mistake is named with its file, line, path and remedy."""
    from router.policy.document import PolicyDocumentError, load_policy  # noqa: PLC0415 - `--help` need not load it

    failed = []
    for file in files:
        try:
            made = load_policy(file, (*bases, *files))
        except PolicyDocumentError as problem:
            failed.append(str(problem))
        else:
            click.echo(f"{file}: valid; {_summary(made)}")
    if failed:
        raise PolicyDocumentError("\n".join(failed))


@policy.command()
@click.argument("file", type=_FILE)
@with_settings(*TOOL)
@_BASES
@BY
@click.option("--reason", default="", help="why, for the history")
@click.option("--dry-run", is_flag=True, help="show what would change, and change nothing")
def apply(settings: Settings, file: Path, bases: tuple[Path, ...], by: str, reason: str, *, dry_run: bool) -> None:
    """Put the policy in FILE to work, once it is found valid, and show what it changes.

    One that changes nothing is not applied again. One that extends another tenant's policy takes that as it stands
    now: when the other changes, apply this again.
    """
    from router.policy.document import differences, document_of, load_policy  # noqa: PLC0415 - as above
    from router.policy.history import read_history  # noqa: PLC0415

    history = read_history(settings)

    def standing(tenant: str) -> Document:
        if tenant not in history:
            raise SettingsError(f"{file} extends {tenant!r}, which has no policy: apply that first, or give its --base")
        return document_of(history[tenant][-1].policy)

    when = now(look_at(settings, _SOURCE, (CLOCK,)))
    made = load_policy(file, bases, standing, occurred_at=when, by=by, reason=reason)
    before = history.get(made.tenant, [])
    changes = differences(document_of(before[-1].policy) if before else {}, document_of(made))
    if before and not changes:
        click.echo(f"{made.tenant}: nothing changes, revision {before[-1].policy.revision} stands")
        return
    click.echo("\n".join(changes))
    if dry_run:
        click.echo(f"{made.tenant}: not applied (--dry-run)")
        return
    _write(settings, made, before)


@policy.command()
@click.argument("tenant")
@with_settings(*TOOL)
@click.option("--revision", type=int, help="an earlier one  [default: the one that stands]")
@click.option("--full", is_flag=True, help="with what has its default")
@click.option("--json", "as_json", is_flag=True, help="as JSON in place of YAML")
def show(settings: Settings, tenant: str, revision: int | None, *, full: bool, as_json: bool) -> None:
    """Print the policy of TENANT as a document, which `apply` takes again."""
    from router.policy.document import document_of, to_yaml  # noqa: PLC0415 - as above

    document = document_of(_revision(_history(settings, tenant), tenant, revision).policy, full=full)
    click.echo(json.dumps(document, indent=2) if as_json else to_yaml(document), nl=as_json)


@policy.command()
@click.argument("tenant")
@click.argument("before", type=int)
@click.argument("after", type=int, required=False)
@with_settings(*TOOL)
def diff(settings: Settings, tenant: str, before: int, after: int | None) -> None:
    """Show what changed in the policy of TENANT from revision BEFORE to AFTER, by default the one that stands."""
    from router.policy.document import differences, document_of  # noqa: PLC0415 - as above

    history = _history(settings, tenant)
    one, other = _revision(history, tenant, before), _revision(history, tenant, after)
    lines = differences(document_of(one.policy), document_of(other.policy))
    click.echo("\n".join(lines) if lines else f"{tenant}: no difference")


@policy.command()
@click.argument("tenant", required=False)
@with_settings(*TOOL)
def history(settings: Settings, tenant: str | None) -> None:
    """List the policies of TENANT, newest first: revision, epoch, when (UTC), who, why; else the tenants with one."""
    from router.policy.history import read_history  # noqa: PLC0415 - as above

    if tenant is None:
        for name, applied in sorted(read_history(settings).items()):
            click.echo(f"{name}: revision {applied[-1].policy.revision}; {_summary(applied[-1].policy)}")
        return
    for each in reversed(_history(settings, tenant)):
        made = each.policy
        told = (f"revision {made.revision}", f"epoch {each.offset}", iso_time(made.occurred_at), made.changed_by or "-")
        click.echo("  ".join((*told, made.reason)).rstrip())


@policy.command()
@click.argument("tenant")
@with_settings(*TOOL)
@click.option("--to", type=int, help="revision to go back to  [default: the one before the one that stands]")
@BY
@click.option("--reason", required=True, help="why, for the history")
def rollback(settings: Settings, tenant: str, to: int | None, by: str, reason: str) -> None:
    """Apply an earlier revision of TENANT's policy again, as a new one: the history stays."""
    import msgspec  # noqa: PLC0415 - as above

    from router.policy.document import differences, document_of  # noqa: PLC0415

    applied = _history(settings, tenant)
    if to is None and len(applied) == 1:
        raise SettingsError(f"{tenant!r} has had one policy only, so there is none to go back to; apply another")
    target = applied[-2] if to is None else _revision(applied, tenant, to)
    made = msgspec.structs.replace(
        target.policy,
        occurred_at=now(look_at(settings, _SOURCE, (CLOCK,))),
        changed_by=by,
        reason=f"back to revision {target.policy.revision}: {reason}",
    )
    click.echo("\n".join(differences(document_of(applied[-1].policy), document_of(made))))
    _write(settings, made, applied)


@policy.command()
def schema() -> None:
    """Print the JSON Schema of a policy document, for editors that check and complete as you write.

    \b
    Example, for editors that use the YAML language server:
      trunkline policy schema > policy.schema.json
      # yaml-language-server: $schema=policy.schema.json     (first line of acme.yaml)
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    from router.policy.model import json_schema  # noqa: PLC0415 - as above

    click.echo(json.dumps(json_schema(), indent=2))


def _history(settings: Settings, tenant: str) -> list[Applied]:
    from router.policy.history import read_history  # noqa: PLC0415 - as above

    found = read_history(settings)
    if tenant not in found:
        names = ", ".join(sorted(found)) or "none"
        raise SettingsError(f"{tenant!r} has no policy; tenants with one: {names}")
    return found[tenant]


def _revision(applied: Sequence[Applied], tenant: str, revision: int | None) -> Applied:
    """Return the policy of a revision, the last of that number; None is the one that stands."""
    found = [each for each in applied if revision in (None, each.policy.revision)]
    if not found:
        numbers = ", ".join(str(each.policy.revision) for each in applied)
        raise SettingsError(f"{tenant!r} has no revision {revision}; there are {numbers}")
    return found[-1]


def _write(settings: Settings, made: Policy, before: Sequence[Applied]) -> None:
    import msgspec  # noqa: PLC0415 - as above

    revision = 1 + max((each.policy.revision for each in before), default=0)
    write_once(settings, _SOURCE, Effect(POLICY, msgspec.structs.replace(made, revision=revision)))
    click.echo(f"{made.tenant}: revision {revision} applied; {_summary(made)}")


def _summary(made: Policy) -> str:
    counts = ((made.endpoints, "AI agent"), (made.queues, "queue"), (made.matrix, "matrix row"))
    return ", ".join(f"{len(items)} {noun}{'' if len(items) == 1 else 's'}" for items, noun in counts)
