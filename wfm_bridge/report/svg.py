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
_LEAST_LABEL = 44
"""Pixels that a label such as 09:15 needs."""


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
    return "\n".join(
        (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(plot.title)}">',
            *_shaded(plot),
            *_grid(plot),
            *_bars(plot),
            *_lines(plot),
            *_labels(plot),
            "</svg>",
        )
    )


def _most(plot: Plot) -> float:
    stacks = [
        sum(value or 0.0 for value in values) for values in zip(*(each.values for each in plot.bars), strict=True)
    ]
    return max([1.0, *stacks, *(value for each in plot.lines for value in each.values if value is not None)])


def _step(most: float) -> float:
    """Return the distance of the lines across: 1, 2 or 5 times a power of ten, of which about four reach `most`."""
    power = 10.0 ** math.floor(math.log10(most / _TICKS))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * _TICKS >= most)


def _x(plot: Plot, buckets: float) -> float:
    return _LEFT + buckets * (_WIDTH - _LEFT - _RIGHT) / max(1, len(plot.labels))


def _y(plot: Plot, value: float) -> float:
    return _HEIGHT - _BOTTOM - value / _most(plot) * (_HEIGHT - _TOP - _BOTTOM)


def _grid(plot: Plot) -> Iterator[str]:
    step = _step(_most(plot))
    for tick in range(int(_most(plot) / step) + 1):
        y = _y(plot, tick * step)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick * step:g}</text>'


def _labels(plot: Plot) -> Iterator[str]:
    every = max(1, math.ceil(_LEAST_LABEL / (_x(plot, 1) - _x(plot, 0))))
    for at in range(0, len(plot.labels), every):
        yield f'<text x="{_x(plot, at):.1f}" y="{_HEIGHT - 6}">{escape(plot.labels[at])}</text>'


def _shaded(plot: Plot) -> Iterator[str]:
    for each in plot.shades:
        x, end = _x(plot, each.start), _x(plot, each.end)
        yield (
            f'<rect class="out" x="{x:.1f}" y="{_TOP}" width="{max(1.0, end - x):.1f}" '
            f'height="{_HEIGHT - _TOP - _BOTTOM}"><title>{escape(each.name)}</title></rect>'
        )


def _bars(plot: Plot) -> Iterator[str]:
    width = (_x(plot, 1) - _x(plot, 0)) * 0.8
    for at, label in enumerate(plot.labels):
        below = 0.0
        for series in plot.bars:
            value = series.values[at] or 0.0
            if value:
                top = _y(plot, below + value)
                yield (
                    f'<rect x="{_x(plot, at + 0.1):.1f}" y="{top:.1f}" width="{width:.1f}" '
                    f'height="{_y(plot, below) - top:.1f}" fill="{series.colour}">'
                    f"<title>{escape(f'{label} {series.name}: {value:g}')}</title></rect>"
                )
            below += value


def _lines(plot: Plot) -> Iterator[str]:
    for series in plot.lines:
        path, is_on = [], False
        for at, value in enumerate(series.values):
            if value is not None:
                y = _y(plot, value)
                path.append(f"{'L' if is_on else 'M'}{_x(plot, at):.1f} {y:.1f}H{_x(plot, at + 1):.1f}")
            is_on = value is not None
        if path:
            yield (
                f'<path fill="none" stroke="{series.colour}" stroke-width="2" d="{"".join(path)}">'
                f"<title>{escape(series.name)}</title></path>"
            )
