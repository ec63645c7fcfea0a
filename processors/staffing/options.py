"""Options by which commands are told a load and what is owed to it: one spelling and one default of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from processors.staffing.logic.erlang import Targets


class Range(click.ParamType):
    """A finite number in a range; the refusal says which numbers make sense."""

    name = "number"

    def __init__(self, is_good: Callable[[float], bool], wanted: str) -> None:
        self._is_good = is_good
        self._wanted = wanted

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; fails where it is none, or out of range."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and self._is_good(number)):
            self.fail(f"{value} is not {self._wanted}", param, ctx)
        return number


COUNT = Range(lambda number: number >= 0, "a number, 0 or more")
SECONDS = Range(lambda number: number > 0, "seconds above 0")
SHARE = Range(lambda number: 0 <= number <= 1, "a share from 0 to 1, such as 0.8 for 80 %")
_MINUTES = Range(lambda number: number > 0, "minutes above 0, such as 30")
_TIME = Range(lambda number: number >= 0, "seconds, 0 or more")
_BUSY = Range(lambda number: 0 < number <= 1, "a share above 0, at most 1, such as 0.85 for 85 %")
_AWAY = Range(lambda number: 0 <= number < 1, "a share from 0 to under 1, such as 0.3 for 30 %")

_Decorator = Callable[[Any], Any]

INTERVAL_MINUTES = click.option(
    "--interval-minutes", type=_MINUTES, default=30.0, show_default=True, help="length of the interval"
)
_GOALS: tuple[_Decorator, ...] = (
    click.option("--service-level", type=SHARE, default=0.8, show_default=True, help="share to be answered in time"),
    click.option("--within-seconds", type=_TIME, default=20.0, show_default=True, help="in that time"),
    click.option(
        "--max-occupancy", type=_BUSY, default=0.85, show_default=True, help="share of agents' time on contacts"
    ),
    click.option("--max-asa-seconds", type=SECONDS, help="average wait of the answered, at most"),
    click.option(
        "--max-abandonment", type=SHARE, help="share that leaves unanswered, at most; needs --patience-seconds"
    ),
    click.option("--patience-seconds", type=SECONDS, help="mean time after which callers leave  [default: never]"),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 100),
        default=1,
        show_default=True,
        help="chats that an agent has at once; --aht-seconds is then how long a chat lasts beside the others",
    ),
    click.option(
        "--shrinkage", type=_AWAY, default=0.3, show_default=True, help="share of paid time away from contacts"
    ),
)


def contacts(about: str, *, required: bool) -> _Decorator:
    """Return the option of how many contacts come in the interval."""
    return click.option("--contacts", type=COUNT, required=required, help=about)


def aht_seconds(*, required: bool) -> _Decorator:
    """Return the option of people's handle time."""
    return click.option("--aht-seconds", type=SECONDS, required=required, help="average handle time: talk and wrap")


class Goals(NamedTuple):
    """What is owed to contacts, how patient they are, and how people work: the options of `goals`."""

    service_level: float
    within_seconds: float
    max_occupancy: float
    max_asa_seconds: float | None
    max_abandonment: float | None
    patience_seconds: float | None
    concurrency: int
    shrinkage: float

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Goals:
        """Take the options of `goals` out of a command's, checked against each other."""
        found = cls(**{name: options.pop(name) for name in cls._fields})
        if found.max_abandonment is not None and found.patience_seconds is None:
            raise click.UsageError(
                "--max-abandonment without --patience-seconds asks for nothing: give the patience, or leave it out"
            )
        return found

    @property
    def patience(self) -> float:
        """Mean seconds after which who waits leaves, infinite for never."""
        return math.inf if self.patience_seconds is None else self.patience_seconds

    def targets(self) -> Targets:
        """Return what agents must reach."""
        from processors.staffing.logic.erlang import Targets  # noqa: PLC0415 - `--help` need not load scipy

        return Targets(
            service_level=self.service_level,
            within_seconds=self.within_seconds,
            max_occupancy=self.max_occupancy,
            max_asa_seconds=math.inf if self.max_asa_seconds is None else self.max_asa_seconds,
            max_abandonment=1.0 if self.max_abandonment is None else self.max_abandonment,
        )


def goals(command: Any) -> Any:
    """Give a command the options of what is owed, for `Goals.taken_from`."""
    for option in reversed(_GOALS):
        command = option(command)
    return command
