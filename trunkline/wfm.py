"""`trunkline wfm`: what workforce planners ask. Each package brings its own commands; a row here mounts one."""

from __future__ import annotations

import click

from trunkline.lazy import Commands, LazyGroup

_COMMANDS: Commands = {
    "staffing": ("processors.staffing.cli", "staffing", "Agents for a load and a target, or what agents give."),
    "report": ("wfm_bridge.report_cli", "report", "A day by queue: plan against actual, by stream."),
}


@click.group(cls=LazyGroup, commands_by_name=lambda: _COMMANDS)
def wfm() -> None:
    """Answer what workforce planners ask."""
