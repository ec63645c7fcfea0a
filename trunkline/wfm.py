"""`trunkline wfm`: what workforce planners ask and say. Each package brings its own commands; a row here mounts one."""

from __future__ import annotations

import click

from trunkline.lazy import Commands, LazyGroup

_COMMANDS: Commands = {
    "staffing": ("processors.staffing.cli", "staffing", "Agents for a load and a target, or what agents give."),
    "what-if": ("trunkline.what_if.cli", "what_if", "People required as AI is, and as it might be."),
    "report": ("wfm_bridge.report_cli", "report", "A day by queue: plan against actual, by stream."),
    "availability": ("wfm_bridge.inbound.cli", "availability", "How many people a queue has now."),
    "plan": ("wfm_bridge.inbound.cli", "plan", "What is planned for queues, by interval."),
    "schedule": ("wfm_bridge.inbound.cli", "schedule", "Who works when, as numbers of people."),
}


@click.group(cls=LazyGroup, commands_by_name=lambda: _COMMANDS)
def wfm() -> None:
    """Answer what workforce planners ask, and take what they say."""
