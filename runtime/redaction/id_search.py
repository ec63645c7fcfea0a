"""Finds national numbers of the list `runtime.redaction.ids` in a text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence

from runtime.redaction.clusters import Cluster
from runtime.redaction.context import Context, Said, words
from runtime.redaction.ids import IDS, NationalId, Needs

_SIGNS = re.compile(r"[ ./+-]")


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    """A national number as it is looked for."""

    id: NationalId
    written: Callable[[str], re.Match[str] | None]
    named: Callable[[str], re.Match[str] | None]

    def is_right(self, written: str) -> bool:
        """Return whether a text is such a number, whole."""
        return self.written(written) is not None and self.id.check(_SIGNS.sub("", written).upper())

    def is_meant(self, context: Context) -> bool:
        """Return whether the words before it let it be this number."""
        if self.id.needs is Needs.NOTHING or (self.id.needs is Needs.NO_OTHER and context.said is Said.NOTHING):
            return True
        return self.named(context.text) is not None


def _rule(each: NationalId) -> _Rule:
    named = words(each.words)
    return _Rule(each, re.compile(each.pattern, re.ASCII | re.IGNORECASE).fullmatch, named)


class _Rules:
    """The rules of numbers with as many digits."""

    def __init__(self, rules: Sequence[_Rule]) -> None:
        self._all = rules
        self._unnamed = [rule for rule in rules if rule.id.needs is not Needs.WORDS]
        self._sure = [rule for rule in rules if rule.id.needs is Needs.NOTHING]

    def of(self, context: Context, *, named: bool) -> Sequence[_Rule]:
        """Return those that the words before a number let it be. named: they speak of a national number."""
        if named:
            return [rule for rule in self._all if rule.is_meant(context)]
        return self._unnamed if context.said is Said.NOTHING else self._sure


def _by_digits() -> dict[int, _Rules]:
    """Return the rules of numbers that are digits alone, by how many."""
    rules = [(sum(map(str.isdigit, each.example)), _rule(each)) for each in IDS if not has_letters(each)]
    return {count: _Rules([rule for digits, rule in rules if digits == count]) for count, _ in rules}


def has_letters(each: NationalId) -> bool:
    """Return whether letters are a part of the number."""
    return any(map(str.isalpha, each.example))


_BY_DIGITS = _by_digits()
_named = words(dict.fromkeys(word for each in IDS for word in each.words))
_MOST, _MOST_GROUPS = max(_BY_DIGITS), 7
"""Digits of a number, and groups: 2 69 05 49 588 157 80."""
_LETTERED = [_rule(each) for each in IDS if has_letters(each)]
_lettered = re.compile(
    rf"(?<![A-Za-z0-9_])(?:{'|'.join(rule.id.pattern for rule in _LETTERED)})(?![A-Za-z0-9_])", re.ASCII | re.IGNORECASE
).search
_ROOM_BEFORE, _ROOM_AFTER = 20, 16
"""Characters around digits within which a number with letters begins and ends: 1 85 05 2A 006 084 35."""


def id_at(cluster: Cluster, first: int, beyond: int) -> int | None:
    """Return the last group of the national number that begins with group `first` and ends before group `beyond`."""
    lasts, count = [], 0
    for last in range(first, min(beyond, first + _MOST_GROUPS)):
        group = cluster.groups[last]
        count += group[1] - group[0]
        if count > _MOST:
            break
        if count in _BY_DIGITS:
            lasts.append((last, count))
    start = cluster.groups[first][0]
    if not lasts or cluster.joined_before(start) or cluster.text[start - 1 : start] == "+":
        return None
    context = cluster.before(start)
    named = _named(context.text) is not None
    for last, count in reversed(lasts):
        rules = _BY_DIGITS[count].of(context, named=named)
        if rules and _is_id(cluster, first, last, beyond, rules):
            return last
    return None


def _is_id(cluster: Cluster, first: int, last: int, beyond: int, rules: Sequence[_Rule]) -> bool:
    start, end = cluster.groups[first][0], cluster.groups[last][1]
    written = cluster.text[start:end]
    right = [rule for rule in rules if rule.is_right(written)]
    if not right or cluster.joined_after(end) or cluster.counted_after(end):
        return False
    return any(rule.id.needs is Needs.NOTHING for rule in right) or not cluster.in_a_row(first, last, beyond)


def lettered_ids(text: str, start: int, end: int, room: tuple[int, int], *, strict: bool) -> Iterator[tuple[int, int]]:
    """Yield start and end of each national number with letters that has a part in the digits at text[start:end].

    room: where the value before ends and the one behind begins. strict: in capitals, and with a check digit.
    """
    at, until = max(room[0], start - _ROOM_BEFORE), min(room[1], end + _ROOM_AFTER)
    while (found := _lettered(text, at, until)) is not None and found.start() < end:
        cut = found.end() == until and text[until : until + 1].isalnum()
        if not cut and _is_lettered(found[0], strict=strict):
            yield found.span()
            at = found.end()
        else:
            at = found.start() + 1


def _is_lettered(written: str, *, strict: bool) -> bool:
    if strict and written != written.upper():
        return False
    return any(rule.is_right(written) for rule in _LETTERED if not (strict and rule.id.country == "GB"))
