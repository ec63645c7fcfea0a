"""Small plots over the buckets of a day as SVG: stacked bars, lines in steps, shaded times. Pure.

Own drawing, because a page of these needs some rectangles and a path, and matplotlib is an extra.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 960, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 8, 24
_TICKS = 4
_LABEL_WIDTH = 44
"""Pixels that a label such as 09:15 needs, with the space to the next."""


class Series(NamedTuple):
    """A value for each bucket, None where there is none. `colour`: as CSS has it."""

    name: str
    colour: str
    values: Sequence[float | None]


class Shade(NamedTuple):
    """A time that is shaded: from and to, in buckets from the left."""

    name: str
    start: float
    end: float


class Plot(NamedTuple):
    """A plot. `labels`: of the buckets. `bars` are stacked, `lines` run in steps."""

    title: str
    labels: Sequence[str]
    bars: Sequence[Series] = ()
    lines: Sequence[Series] = ()
    shades: Sequence[Shade] = ()


def drawn(plot: Plot) -> str:
    """Return a plot as an SVG element."""
    drawing = _Drawing(plot)
    return "\n".join(
        (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(plot.title)}">',
            *drawing.shades(),
            *drawing.grid(),
            *drawing.bars(),
            *drawing.lines(),
            *drawing.labels(),
            "</svg>",
        )
    )


class _Drawing:
    """A plot and its scale: `x` of buckets from the left, `y` of values from the bottom."""

    def __init__(self, plot: Plot) -> None:
        self._plot = plot
        stacks = [sum(value or 0.0 for value in each) for each in zip(*(bar.values for bar in plot.bars), strict=True)]
        values = (value for line in plot.lines for value in line.values if value is not None)
        self._most = max([1.0, *stacks, *values])
        self._bucket = (_WIDTH - _LEFT - _RIGHT) / max(1, len(plot.labels))

    def _x(self, buckets: float) -> float:
        return _LEFT + buckets * self._bucket

    def _y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self._most * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self) -> Iterator[str]:
        step = _step(self._most)
        for tick in range(int(self._most / step) + 1):
            y = self._y(tick * step)
            yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
            yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick * step:g}</text>'

    def labels(self) -> Iterator[str]:
        every = max(1, math.ceil(_LABEL_WIDTH / self._bucket))
        for at in range(0, len(self._plot.labels), every):
            if self._x(at) + _LABEL_WIDTH <= _WIDTH:
                yield f'<text x="{self._x(at):.1f}" y="{_HEIGHT - 6}">{escape(self._plot.labels[at])}</text>'

    def shades(self) -> Iterator[str]:
        for each in self._plot.shades:
            width = max(1.0, (each.end - each.start) * self._bucket)
            yield (
                f'<rect class="out" x="{self._x(each.start):.1f}" y="{_TOP}" width="{width:.1f}" '
                f'height="{_HEIGHT - _TOP - _BOTTOM}"><title>{escape(each.name)}</title></rect>'
            )

    def bars(self) -> Iterator[str]:
        for at, label in enumerate(self._plot.labels):
            below = 0.0
            for series in self._plot.bars:
                value = series.values[at] or 0.0
                if value:
                    top = self._y(below + value)
                    yield (
                        f'<rect x="{self._x(at + 0.1):.1f}" y="{top:.1f}" width="{self._bucket * 0.8:.1f}" '
                        f'height="{self._y(below) - top:.1f}" fill="{series.colour}">'
                        f"<title>{escape(f'{label} {series.name}: {value:g}')}</title></rect>"
                    )
                below += value

    def lines(self) -> Iterator[str]:
        for series in self._plot.lines:
            path, is_on = "", False
            for at, value in enumerate(series.values):
                if value is not None:
                    path += f"{'L' if is_on else 'M'}{self._x(at):.1f} {self._y(value):.1f}H{self._x(at + 1):.1f}"
                is_on = value is not None
            if path:
                yield (
                    f'<path fill="none" stroke="{series.colour}" stroke-width="2" d="{path}">'
                    f"<title>{escape(series.name)}</title></path>"
                )


def _step(most: float) -> float:
    """Return the distance of the lines across: 1, 2 or 5 times a power of ten, of which at most four reach `most`."""
    power = 10.0 ** math.floor(math.log10(most / _TICKS))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * _TICKS >= most)
