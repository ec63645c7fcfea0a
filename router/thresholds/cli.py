"""`trunkline thresholds`: what the outcomes of AI contacts say of a policy's thresholds and phases. Changes nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.errors import SettingsError
from runtime.options import TOOL, with_settings
from runtime.settings import Settings

if TYPE_CHECKING:
    from router.thresholds.outcomes import Outcomes
    from schemas.control import Policy

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_COST = click.FloatRange(min=0.0)
_GAIN = click.FloatRange(min=0.0, max=1.0)
_EXAMPLE = """\b
Example, in which a wrong answer costs as much as four contacts that people handle:
  trunkline thresholds fit --tenant acme --wrong 20 --human 5 --escalation 6 --out acme.yaml
  trunkline policy apply acme.yaml --dry-run
From files, without Kafka:
  trunkline tail interactions.closed --from-beginning --until-idle 2 > closed.jsonl
  trunkline thresholds fit closed.jsonl --policy acme.yaml --wrong 20 --human 5 --escalation 6
  trunkline thresholds phases closed.jsonl --policy acme.yaml
"""


def _outcomes(function: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.argument("outcomes", type=click.File("rb"), required=False),
        with_settings(*TOOL),
        click.option("--tenant", help="whose contacts  [default: the only one in OUTCOMES]"),
        click.option("--since", metavar="TIME", help="only contacts closed from then on, as 2026-12-01T00:00:00Z"),
        click.option(
            "--policy",
            "file",
            type=_FILE,
            help="document of the policy  [default, with the topic: the one that stands]",
        ),
        click.option("--base", "bases", type=_FILE, multiple=True, help="file of a policy that FILE extends"),
        click.option("--json", "as_json", is_flag=True, help="as JSON, with all figures"),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(epilog=_EXAMPLE)
def thresholds() -> None:
    """Find the thresholds that cost least, and the phases that are over, from what became of AI's contacts.

    Both propose; `trunkline policy apply` is a person's act.
    """


@thresholds.command(epilog=_EXAMPLE)
@_outcomes
@click.option("--wrong", type=_COST, required=True, help="cost of a wrong answer that AI alone gave")
@click.option("--human", type=_COST, required=True, help="cost of a contact that a person handles")
@click.option("--escalation", type=_COST, required=True, help="cost of a contact that AI began and a person finished")
@click.option("--watching", type=_COST, help="cost of watching AI in one  [default: a fifth of --human]")
@click.option("--ai-cost", type=_COST, default=0.0, show_default=True, help="cost of AI itself per contact")
@click.option("--least-gain", type=_GAIN, default=0.005, show_default=True, help="saving that is worth a row")
@click.option("--extrapolate", is_flag=True, help="go below the lowest confidence that was seen")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="write the policy with them to this file")
def fit(
    settings: Settings, outcomes: Any, tenant: str | None, since: str | None, file: Path | None,
    bases: tuple[Path, ...], wrong: float, human: float, escalation: float, watching: float | None, ai_cost: float,
    least_gain: float, out: Path | None, *, extrapolate: bool, as_json: bool,
) -> None:  # fmt: skip
    """Propose thresholds of least expected cost, from OUTCOMES, - for standard input, else interactions.closed.

    OUTCOMES are JSON lines of closed contacts, as `trunkline tail` prints them, or a CSV with the columns
    intent,channel,segment,confidence,resolved. Without --policy, one of --tenant stands only where the topic is read.
    AI alone costs --ai-cost, and --wrong where it does not resolve; watched it costs --watching more, and --escalation
    where it does not.

    A row of the matrix is proposed where it saves more than --least-gain of its contacts' cost. Ends in [] are 90 %
    intervals. Without an outcome nobody knows: no threshold goes below the lowest confidence that AI was given there.
    """
    from router.thresholds.costs import Costs, default_watching  # noqa: PLC0415 - `--help` need not load scipy
    from router.thresholds.fit import Standing, propose  # noqa: PLC0415
    from router.thresholds.report import proposal_json, proposal_lines  # noqa: PLC0415

    policy = _policy(settings, file, bases, tenant if outcomes is None else None, needed=out is not None)
    _same_tenant(policy, tenant)
    read = _read(settings, outcomes, tenant or (policy.tenant if policy else None), since)
    watching = default_watching(human) if watching is None else watching
    if not all(map(math.isfinite, (wrong, human, escalation, watching, ai_cost))):
        raise SettingsError("a cost is no finite number: give amounts of money, in one currency")
    costs = Costs(wrong=wrong, human=human, escalation=escalation, watching=watching, ai=ai_cost)
    standing = Standing(policy.thresholds, policy.matrix) if policy else None
    made = propose(read.found, costs, standing, least_gain=least_gain, extrapolate=extrapolate)
    if as_json:
        click.echo(json.dumps(proposal_json(made, read.left_out), indent=2))
    else:
        click.echo("\n".join(proposal_lines(made, read.left_out)))
    if out is not None and policy is not None:
        from router.thresholds.written import document_with  # noqa: PLC0415 - as above

        out.write_text(document_with(_tree(file, policy), made), encoding="utf-8")
    where = out or "FILE"
    click.echo(f"nothing is changed: `trunkline policy apply {where}` is yours to give", err=True)


@thresholds.command(epilog=_EXAMPLE)
@_outcomes
def phases(
    settings: Settings, outcomes: Any, tenant: str | None, since: str | None, file: Path | None,
    bases: tuple[Path, ...], *, as_json: bool,
) -> None:  # fmt: skip
    """Show how each intent stands in its phase of supervision, and propose the next where its criteria are met.

    OUTCOMES as for `fit`. Criteria are the policy's: supervision.phases.PHASE.promote. What AI resolved is counted at
    the lower end of its 95 % interval. Give --since, the day when the phase began: older contacts count too otherwise.
    """
    from router.thresholds.phases import intent_phases  # noqa: PLC0415 - as above
    from router.thresholds.report import phase_json, phase_lines  # noqa: PLC0415

    policy = _policy(settings, file, bases, tenant if outcomes is None else None, needed=True)
    assert policy is not None  # noqa: S101 - it is needed
    _same_tenant(policy, tenant)
    found = intent_phases(_read(settings, outcomes, tenant or policy.tenant, since).found, policy)
    click.echo(json.dumps(phase_json(found), indent=2) if as_json else "\n".join(phase_lines(found)))
    click.echo("nothing is changed: put what you agree with into the policy, and `trunkline policy apply` it", err=True)


def _policy(
    settings: Settings, file: Path | None, bases: tuple[Path, ...], tenant: str | None, *, needed: bool
) -> Policy | None:
    """Return the policy of a file, else a tenant's that stands; None where neither is named and none is needed."""
    from router.policy.document import load_policy  # noqa: PLC0415 - as above
    from router.policy.history import read_history  # noqa: PLC0415

    if file is not None:
        policy = load_policy(file, bases)
        if tenant not in (None, policy.tenant):
            raise SettingsError(
                f"{file} is the policy of {policy.tenant!r}, not of {tenant!r}: leave one of the two away"
            )
        return policy
    if tenant is None:
        if needed:
            raise SettingsError("there is no policy to go by: give its document with --policy, or name --tenant")
        return None
    history = read_history(settings)
    if tenant not in history:
        raise SettingsError(f"{tenant!r} has no policy; tenants with one: {', '.join(sorted(history)) or 'none'}")
    return history[tenant][-1].policy


def _same_tenant(policy: Policy | None, tenant: str | None) -> None:
    if policy is not None and tenant not in (None, policy.tenant):
        raise SettingsError(
            f"--policy is that of {policy.tenant!r}, and --tenant is {tenant!r}: leave one of them away"
        )


def _read(settings: Settings, lines: Any, tenant: str | None, since: str | None) -> Outcomes:
    from router.thresholds.outcomes import Wanted, gathered, read_lines  # noqa: PLC0415 - as above
    from runtime.reading import events  # noqa: PLC0415
    from schemas.interactions import Closed  # noqa: PLC0415
    from schemas.topics import CLOSED  # noqa: PLC0415

    wanted = Wanted(tenant, _instant(since))
    if lines is None and tenant is None:
        raise SettingsError("whose contacts? Name --tenant, or give OUTCOMES: a file, or - for standard input")
    if lines is None:
        closed = events(settings, [CLOSED], partial(click.echo, err=True))
        read = gathered((event for event in closed if isinstance(event, Closed)), wanted)
    else:
        read = read_lines(lines, wanted)
    if not read.found:
        told = ", ".join(f"{count} {why}" for why, count in sorted(read.left_out.items())) or "no contact at all"
        raise SettingsError(
            f"nothing is known of what AI resolved ({told}): it takes contacts that AI began and that were closed"
        )
    return read


def _instant(since: str | None) -> int:
    from schemas.hours import instant  # noqa: PLC0415 - as above

    if since is None:
        return 0
    try:
        return instant(since)
    except ValueError as problem:
        raise SettingsError(f"--since: {problem}; write it as 2026-12-01T00:00:00Z") from problem


def _tree(file: Path | None, policy: Policy) -> Any:
    """Return the document to write a proposal into: the file's own, with its comments, else the standing policy's."""
    from router.policy.document import document_of, read_source  # noqa: PLC0415 - as above

    return read_source(file).tree if file is not None else document_of(policy)
