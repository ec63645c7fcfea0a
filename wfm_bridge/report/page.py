"""A day as one HTML page that needs nothing else: no script, no font, no picture from elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from schemas.fields import Handling
from wfm_bridge.report import words
from wfm_bridge.report.day import Basis, Day, QueueDay, added
from wfm_bridge.report.svg import Plot, Series, Shade, drawn

_COLOURS = {
    Handling.AI_CONTAINED: "#0072b2",
    Handling.AI_ASSISTED: "#56b4e9",
    Handling.AI_ESCALATED: "#e69f00",
    Handling.HUMAN_ONLY: "#009e73",
    Handling.DEFLECTED: "#cc79a7",
    Handling.ABANDONED: "#d55e00",
    Handling.IN_PROGRESS: "#bbbbbb",
}
"""Told apart also by those who do not see red from green (Okabe and Ito, Color Universal Design, 2008)."""
_PEOPLE, _PLAN, _AGENTS, _NEEDED = "#009e73", "#000000", "#0072b2", "#d55e00"
_STYLE = """
body { font: 14px/1.4 sans-serif; margin: 2em auto; max-width: 1100px; padding: 0 1em; color: #222; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 2px 8px; text-align: right; border-bottom: 1px solid #ddd; }
td:last-child, th:last-child, td:first-child, th:first-child { text-align: left; }
svg { width: 100%; } svg text { font: 11px sans-serif; fill: #555; }
.grid { stroke: #e5e5e5; } .out { fill: #d55e00; opacity: 0.15; }
.key span { display: inline-block; width: 0.9em; height: 0.9em; margin: 0 0.3em 0 1em; vertical-align: -0.1em; }
.wide { overflow-x: auto; }
"""


def page(day: Day) -> str:
    """Return the page of a day."""
    heading = escape(words.title(day))
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{heading}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{heading}</h1>",
            *_over_all(day),
            *(line for queue in day.queues for line in _queue(queue, day)),
            "</body></html>",
            "",
        )
    )


def _over_all(day: Day) -> Iterator[str]:
    ends = words.until(day)
    if ends:
        yield f"<p>{escape(ends)}</p>"
    everything = added(queue.total for queue in day.queues)
    contained = words.share(everything.containment)
    yield f"<p>{everything.offered:,} contacts offered; containment {contained}</p>"
    yield from _table(("stream", "contacts", "share"), words.stream_rows(everything))
    lines = words.outage_lines(day)
    if lines:
        yield "<p>AI agents that were out:</p><ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _queue(queue: QueueDay, day: Day) -> Iterator[str]:
    yield f"<h2>{escape(queue.queue)}</h2>"
    yield "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in words.summary(queue, day)) + "</ul>"
    for plot in _plots(queue, day):
        yield f"<h3>{escape(plot.title)}</h3>"
        yield _key(plot)
        yield drawn(plot)
    yield "<h3>figures</h3>"
    yield '<div class="wide">'
    yield from _table(words.COLUMNS, words.rows(queue, day))
    yield "</div>"


def _plots(queue: QueueDay, day: Day) -> Iterator[Plot]:
    buckets = queue.buckets
    labels = [words.clock(bucket.start, day.zone) for bucket in buckets]
    shades = _shades(queue, day)
    began = [bucket.start < day.now for bucket in buckets]
    plan = "the week before" if queue.basis is Basis.WEEK_BEFORE else "plan"
    people = [float(bucket.actual.people.offered) for bucket in buckets]
    planned = [bucket.planned.contacts for bucket in buckets]
    yield Plot(
        "contacts for people",
        labels,
        bars=[Series("people", _PEOPLE, people)],
        lines=[Series(plan, _PLAN, planned)],
        shades=shades,
    )
    streams = [
        Series(name, _COLOURS[state], [float(bucket.actual.states.get(state, 0)) for bucket in buckets])
        for state, name in words.STREAMS.items()
    ]
    yield Plot("all contacts by stream", labels, bars=streams, shades=shades)
    handled = [bucket.actual.aht_seconds if is_past else None for bucket, is_past in zip(buckets, began, strict=True)]
    expected = [bucket.planned.aht_seconds for bucket in buckets]
    lines = [Series("people's AHT", _PEOPLE, handled), Series(plan, _PLAN, expected)]
    yield Plot("handle time, seconds", labels, lines=lines, shades=shades)
    agents = [bucket.planned.agents for bucket in buckets]
    needed = [bucket.required for bucket in buckets]
    if any(value is not None for value in (*agents, *needed)):
        lines = [Series("planned", _AGENTS, agents), Series("needed, as staffing told", _NEEDED, needed)]
        yield Plot("people in seats", labels, lines=lines, shades=shades)


def _shades(queue: QueueDay, day: Day) -> list[Shade]:
    first, last = queue.buckets[0].start, queue.buckets[-1].end
    scale = len(queue.buckets) / (last - first)
    return [
        Shade(f"{each.agent} out: {each.reason}", (each.start - first) * scale, (each.end - first) * scale)
        for each in day.outages
        if each.touches(queue.queue, first, last)
    ]


def _key(plot: Plot) -> str:
    names = (f'<span style="background:{each.colour}"></span>{escape(each.name)}' for each in (*plot.bars, *plot.lines))
    return f'<p class="key">{"".join(names)}</p>'


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "<table><tr>" + "".join(f"<th>{escape(name)}</th>" for name in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row) + "</tr>"
    yield "</table>"
