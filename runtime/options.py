"""Command-line options that become Settings: one spelling of each, for every command."""

from __future__ import annotations

import datetime as dt
import functools
import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from runtime.errors import SettingsError
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
    "delivery": click.option(
        "--delivery",
        type=click.Choice(["exactly_once", "at_least_once"]),
        help=f"{Settings.model_fields['delivery'].description}",
    ),
    "port": click.option("--port", type=click.IntRange(0, 65535), help=f"{Settings.model_fields['port'].description}"),
    "allow_private": click.option(
        "--allow-private", metavar="NETWORKS", help=f"{Settings.model_fields['allow_private'].description}"
    ),
    "require_keys": click.option(
        "--require-keys/--no-require-keys", default=None, help=f"{Settings.model_fields['require_keys'].description}"
    ),
}

TOOL = ("bootstrap", "prefix")
"""Options of commands that talk to Kafka."""
BY = click.option(
    "--by", default=getpass.getuser, show_default="the name you are logged in with", help="who orders this"
)
"""Of commands that others can look up."""
SERVICE = ("bootstrap", "redis_url", "prefix", "slot", "data", "host", "port")
"""Options of service processes."""


class Moment(click.ParamType):
    """A moment in ISO 8601, as UTC microseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the moment; fails where the text is none."""
        if isinstance(value, int):
            return value
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write it as 2026-12-01T08:00:00Z", param, ctx)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
        return int(aware.timestamp() * 1_000_000)


def settings_of(chosen: Mapping[str, Any]) -> Settings:
    """Return the settings with these options; what is None comes from the environment or is the default.

    Raises SettingsError where a value makes no sense; click has checked options, so it is a variable's.
    """
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as problem:
        wrong = [
            f"TRUNKLINE_{str(error['loc'][0]).upper()} is {error['input']!r}: {error['msg']}"
            for error in problem.errors()
        ]
        raise SettingsError(f"{'; '.join(wrong)}. Correct the variable, or unset it for the default.") from problem


def with_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command these options, and its function a first argument `settings`.

    An option that is not given comes from `TRUNKLINE_<NAME>`, else from the default.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(**given: Any) -> Any:
            chosen = {name: given.pop(name) for name in names}
            return function(settings_of(chosen), **given)

        for name in reversed(names):
            command = _OPTIONS[name](command)
        return command

    return decorate
