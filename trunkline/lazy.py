"""A group of commands that loads each command's module when it is called: `--help` stays quick."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import click

Commands: TypeAlias = Mapping[str, tuple[str, str, str]]
"""By name: module, attribute, and the line that `--help` shows."""


class LazyGroup(click.Group):
    """`commands_by_name` is asked when commands are: they may depend on where this runs."""

    def __init__(self, *arguments: Any, commands_by_name: Callable[[], Commands], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._commands_by_name = commands_by_name

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names, in the order given."""
        return list(self._commands_by_name())

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Load the command; None where there is none of that name."""
        known = self._commands_by_name()
        if name not in known:
            return None
        module, attribute, _ = known[name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the lines that the table has, without loading a module."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, _, about) in self._commands_by_name().items()])
