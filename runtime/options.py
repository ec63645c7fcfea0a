"""Command-line options that become Settings: one spelling of each, for every command."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from runtime.settings import Settings

_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "bootstrap": click.option("--bootstrap", help=f"{Settings.model_fields['bootstrap'].description}"),
    "redis_url": click.option("--redis-url", help=f"{Settings.model_fields['redis_url'].description}"),
    "prefix": click.option("--prefix", help=f"{Settings.model_fields['prefix'].description}"),
    "slot": click.option("--slot", type=click.IntRange(min=0), help=f"{Settings.model_fields['slot'].description}"),
    "data": click.option(
        "--data", type=click.Path(path_type=Path), help=f"{Settings.model_fields['data'].description}"
    ),
    "host": click.option("--host", help=f"{Settings.model_fields['host'].description}"),
    "port": click.option("--port", type=click.IntRange(0, 65535), help=f"{Settings.model_fields['port'].description}"),
}

TOOL = ("bootstrap", "prefix")
"""Options of commands that talk to Kafka."""
SERVICE = ("bootstrap", "redis_url", "prefix", "slot", "data", "host", "port")
"""Options of service processes."""


def with_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command these options, and its function a first argument `settings`.

    An option that is not given comes from `TRUNKLINE_<NAME>`, else from the default.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(**given: Any) -> Any:
            chosen = {name: given.pop(name) for name in names}
            return function(Settings(**{k: v for k, v in chosen.items() if v is not None}), **given)

        for name in reversed(names):
            command = _OPTIONS[name](command)
        return command

    return decorate
