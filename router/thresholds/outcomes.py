"""What became of the contacts that AI began, from `Closed` events or from a CSV."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from runtime.errors import SettingsError
from schemas.errors import DecodeError
from schemas.fields import CONTAINED, Channel, Handling, Pool
from schemas.interactions import Closed
from schemas.lines import event_of_line
from schemas.topics import CLOSED

COLUMNS = ("intent", "channel", "segment", "confidence", "resolved")
_TRUTHS = {"1": True, "true": True, "0": False, "false": False}
_AI = (Pool.AI_CONTAINED, Pool.AI_ASSISTED)


class Outcome(NamedTuple):
    """What became of one contact that AI began.

    `resolved`: by AI, without a person to finish it. `escalated`: a person finished it; of a CSV, which does not say,
    each that is not resolved.
    """

    intent: str
    channel: Channel
    segment: str
    confidence: float
    resolved: bool
    escalated: bool = False


class Outcomes(NamedTuple):
    """Outcomes, and how many contacts were left out, by why."""

    found: list[Outcome]
    left_out: Counter[str]


class Wanted(NamedTuple):
    """Which contacts: of a tenant, None for the only one there is; closed at an instant (UTC microseconds) or later."""

    tenant: str | None = None
    since: int = 0


def outcome_of(closed: Closed) -> Outcome | str:
    """Return the outcome of a contact, or why it says nothing of AI."""
    if closed.pool not in _AI:
        return "not begun by AI" if closed.pool is not None else "closed before pool and confidence were kept"
    if closed.confidence is None:
        return "of unknown confidence"
    if closed.handling in (Handling.ABANDONED, Handling.DEFLECTED):
        return str(closed.handling)
    escalated = closed.handling not in CONTAINED
    if not escalated and closed.resolved is None:
        return "not known to be resolved or not"
    resolved = closed.resolved is True and not escalated
    return Outcome(closed.intent, closed.channel, closed.segment, closed.confidence, resolved, escalated)


def read_lines(lines: Iterable[bytes], wanted: Wanted) -> Outcomes:
    """Return the outcomes in JSON lines of `Closed`, or in a CSV, whose first line names its columns.

    A CSV is taken to be of the tenant that is wanted. Raises SettingsError for the first line that is neither, with its
    number; for lines of several tenants where none is wanted; and for a CSV where an instant is, for it has no times.
    """
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    first = next(numbered, None)
    if first is None:
        return Outcomes([], Counter())
    every = itertools.chain([first], numbered)
    if first[1].lstrip().startswith(b"{"):
        return gathered(_closed_of(every), wanted)
    if wanted.since:
        raise SettingsError("a CSV of outcomes has no times: leave --since away, or give JSON lines")
    return Outcomes(list(_of_csv(every)), Counter())


def gathered(events: Iterable[Closed], wanted: Wanted) -> Outcomes:
    """Return the outcomes among closed contacts; raises SettingsError for several tenants where none is wanted."""
    found, left_out = [], Counter[str]()
    tenant = wanted.tenant
    for closed in events:
        if tenant is None:
            tenant = closed.tenant
        if closed.tenant != tenant:
            if wanted.tenant is None:
                raise SettingsError(f"there are contacts of {tenant!r} and of {closed.tenant!r}: choose with --tenant")
            continue
        outcome = outcome_of(closed) if closed.closed_at >= wanted.since else "closed before --since"
        if isinstance(outcome, str):
            left_out[outcome] += 1
        else:
            found.append(outcome)
    return Outcomes(found, left_out)


def _closed_of(numbered: Iterable[tuple[int, bytes]]) -> Iterator[Closed]:
    for number, line in numbered:
        try:
            event = event_of_line(line, CLOSED)
        except (DecodeError, msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise SettingsError(
                f"line {number} is no closed contact: {problem}; a line is as `trunkline tail {CLOSED.name}` prints it"
            ) from problem
        assert isinstance(event, Closed)  # noqa: S101 - the only type of the topic
        yield event


def _of_csv(numbered: Iterator[tuple[int, bytes]]) -> Iterator[Outcome]:
    head, line = next(numbered)
    names = [name.strip() for name in _cells(head, line)]
    if not set(COLUMNS) <= set(names):
        raise SettingsError(
            f"line {head} names the columns {', '.join(names)}: a CSV of outcomes has {', '.join(COLUMNS)}; JSON lines "
            f"begin with {{, as `trunkline tail {CLOSED.name}` prints them"
        )
    for number, row in numbered:
        values = _cells(number, row)
        if len(values) != len(names):
            raise SettingsError(f"line {number} has {len(values)} values for {len(names)} columns; mend that line")
        yield _of_row(number, dict(zip(names, values, strict=True)))


def _cells(number: int, line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8-sig").rstrip("\r\n")]))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise SettingsError(f"line {number} cannot be read: {problem}; save the file as a CSV in UTF-8") from problem


def _of_row(number: int, row: dict[str, str]) -> Outcome:
    said = {name: row[name].strip() for name in COLUMNS}
    channels = ", ".join(Channel)
    if said["channel"] not in list(Channel):
        raise SettingsError(f"line {number}: there is no channel {said['channel']!r}; there are {channels}")
    resolved = _TRUTHS.get(said["resolved"].lower())
    if resolved is None:
        raise SettingsError(f"line {number}: resolved is {said['resolved']!r}; write 1 or true, 0 or false")
    try:
        confidence = float(said["confidence"])
    except ValueError:
        confidence = -1.0
    if not 0.0 <= confidence <= 1.0:
        raise SettingsError(f"line {number}: confidence is {said['confidence']!r}; write a number from 0 to 1")
    if not said["intent"]:
        raise SettingsError(f"line {number}: intent is missing; name it")
    return Outcome(said["intent"], Channel(said["channel"]), said["segment"], confidence, resolved, not resolved)
