"""A day as plain text: the words and figures, which the page of the day shows too. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from schemas.fields import MICROS_PER_SECOND, Handling
from wfm_bridge.report.day import Basis, Bucket, Day, Figures, QueueDay, added, span_of
from wfm_bridge.report.plans import Expected

STREAMS = {
    Handling.AI_CONTAINED: "AI contained",
    Handling.AI_ASSISTED: "AI assisted",
    Handling.AI_ESCALATED: "AI escalated",
    Handling.HUMAN_ONLY: "people alone",
    Handling.DEFLECTED: "deflected",
    Handling.ABANDONED: "abandoned",
    Handling.IN_PROGRESS: "not over yet",
}
"""What becomes of contacts, in the order in which it is told."""
COLUMNS = (
    "from",
    "plan",
    "people",
    "diff",
    "AHT plan",
    "AHT",
    "agents",
    "needed",
    "offered",
    *STREAMS.values(),
    "AI out",
)
_SHORT = ("contained", "assisted", "escalated", "alone", "deflected", "abandoned", "open")
_HEADS = (*COLUMNS[:9], *_SHORT, COLUMNS[-1])
_BASES = {
    Basis.PLAN: "plan is WFM's (wfm.plans)",
    Basis.WEEK_BEFORE: "no plan of this day's contacts: plan is what came on the same weekday of the week before",
    Basis.NOTHING: "no plan of this day's contacts, and nothing came on the same weekday of the week before",
}


def clock(at: int, zone: ZoneInfo) -> str:
    """Return the local time of an instant, UTC microseconds, as 09:15."""
    return dt.datetime.fromtimestamp(at // MICROS_PER_SECOND, zone).strftime("%H:%M")


def title(day: Day) -> str:
    """Return the heading of a day."""
    return f"{day.tenant}, {day.date:%A} {day.date.isoformat()}, {day.zone.key}"


def until(day: Day) -> str:
    """Return until when there are figures, of a day that is not over; else nothing."""
    is_over = span_of(day.date, day.zone).end <= day.now
    return "" if is_over else f"the day is not over: figures until {clock(day.now, day.zone)}"


def outage_lines(day: Day) -> list[str]:
    """Return a line for each outage."""
    return [
        f"{each.agent} {clock(each.start, day.zone)}-{clock(each.end, day.zone)}, {each.reason}" for each in day.outages
    ]


def stream_rows(figures: Figures) -> list[tuple[str, str, str]]:
    """Return name, contacts and share of each stream."""
    shares = ((state, figures.states.get(state, 0)) for state in STREAMS)
    return [
        (STREAMS[state], f"{count:,}", share(count / figures.offered if figures.offered else None))
        for state, count in shares
    ]


def summary(queue: QueueDay, day: Day) -> list[str]:
    """Return what is to be said of a queue's day before its table."""
    total, planned, errors = queue.total, queue.planned, queue.errors(day.now)
    lines = [_BASES[queue.basis]]
    came = f"people had {total.people.offered:,} of {total.offered:,} contacts offered"
    lines.append(came if planned.contacts is None else f"{came}; planned {planned.contacts:,.1f}")
    if errors.buckets:
        lines.append(
            f"difference by {day.grain}, over {errors.buckets}: WAPE {share(errors.wape)}, MAPE {share(errors.mape)}, "
            f"bias {share(errors.bias, sign='+')}"
        )
    wanted = "" if planned.aht_seconds is None else f"; planned {seconds(planned.aht_seconds)} s"
    lines.append(f"people's AHT {seconds(total.aht_seconds)} s{wanted}")
    lines.append(f"containment {share(total.containment)}")
    return lines


def rows(queue: QueueDay, day: Day) -> list[list[str]]:
    """Return a row under COLUMNS for each bucket that has begun or is planned."""
    told = (bucket for bucket in queue.buckets if bucket.start < day.now or bucket.planned != Expected())
    return [_cells(bucket, day.zone, day.now) for bucket in told]


def _cells(bucket: Bucket, zone: ZoneInfo, now: int) -> list[str]:
    """Return the row of a bucket; of one that has not begun, its plan alone."""
    planned, actual = bucket.planned, bucket.actual
    figures = [
        number(planned.contacts),
        f"{actual.people.offered}",
        number(None if planned.contacts is None else actual.people.offered - planned.contacts, sign="+"),
        seconds(planned.aht_seconds),
        seconds(actual.aht_seconds),
        number(planned.agents),
        number(bucket.required),
        f"{actual.offered}",
        *(f"{actual.states.get(state, 0)}" for state in STREAMS),
        ", ".join(bucket.out),
    ]
    if bucket.start >= now:
        figures = [text if at in (0, 3, 5, 6) else "" for at, text in enumerate(figures)]
    return [clock(bucket.start, zone), *figures]


def text(day: Day) -> Iterator[str]:
    """Yield the lines of a day."""
    yield title(day)
    if ends := until(day):
        yield f"  {ends}"
    for line in outage_lines(day):
        yield f"  AI out: {line}"
    everything = added(queue.total for queue in day.queues)
    yield f"  {'all queues':<14}{everything.offered:>9,}  offered; containment {share(everything.containment)}"
    for name, contacts, part in stream_rows(everything):
        yield f"  {name:<14}{contacts:>9}  {part}"
    for queue in day.queues:
        yield ""
        yield queue.queue
        for line in summary(queue, day):
            yield f"  {line}"
        yield from _table([list(_HEADS), *rows(queue, day)])


def _table(lines: list[list[str]]) -> Iterator[str]:
    widths = [max(len(line[at]) for line in lines) for at in range(len(_HEADS) - 1)]
    for line in lines:
        figures = "  ".join(value.rjust(width) for value, width in zip(line[:-1], widths, strict=True))
        yield f"  {figures}  {line[-1]}".rstrip()


def share(value: float | None, *, sign: str = "") -> str:
    """Return a share in per cent."""
    return "-" if value is None else f"{value * 100:{sign}.1f} %"


def number(value: float | None, *, sign: str = "") -> str:
    """Return a number of contacts or people; whole ones without a decimal."""
    return "-" if value is None else f"{round(value, 1) + 0.0:{sign}.1f}".removesuffix(".0")


def seconds(value: float | None) -> str:
    """Return whole seconds."""
    return "-" if value is None else f"{value:.0f}"
