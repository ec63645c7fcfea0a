"""The one reading of a text that finds all values: from left to right, the most specific first where two overlap.

A text without digits and `at` signs is left after one look. What passes the gate is taken in this order: e-mail
addresses; IBANs and national numbers with letters; then, in each cluster of digits and from its first group on, a card,
a national number, a telephone number. Pure: the same text gives the same spans.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort

from runtime.redaction.cards import card_at
from runtime.redaction.clusters import Cluster
from runtime.redaction.context import ROOM, WALL, Context, context
from runtime.redaction.emails import are_said, emails
from runtime.redaction.ibans import iban_at
from runtime.redaction.id_search import id_at, lettered_ids
from runtime.redaction.kinds import Kind, Span
from runtime.redaction.phones import no_value_until, phone_at
from runtime.redaction.tokens import TOKEN

_FEWEST = 7
"""Digits of the shortest value that has no letters."""
_LOOK_AHEAD = 8
"""Groups of a telephone number, at most: a card that begins within them comes first."""
_gate = re.compile(
    r"[0-9](?:"
    rf"((?:[ .\-/()]{{0,3}}[0-9]){{{_FEWEST - 1},}}+)"  # a cluster of digits: what all below is not
    r"|(?:[ -]?[0-9]){5}(?:[ -]?[A-Da-d]\b|[-+A-FU-Ya-fu-y][0-9]{3})"  # NINO, Corsica's NIR, henkilotunnus
    r"|(?<=[A-Za-z][0-9])[0-9][ -]?[A-Za-z]{1,8}[ -]?[0-9]"  # IBANs with the bank in letters
    r"|(?<=[A-Za-z] [0-9])[0-9] ?[A-Z]{4} ?[0-9]"
    r"|[0-9][A-Za-z][0-9]{2}"  # codice fiscale
    r"|[LMNPQRSTUV]?[A-EHLMPRST][0-9LMNPQRSTUV]{2} ?[A-Z]"  # the same with letters for digits
    r")"
).search


def find(text: str, *, strict: bool = False) -> list[Span]:
    """Return all values in a plain text, in order and apart from each other.

    strict: only what cannot be an offset, an instant or an id: for logs.
    """
    said = not strict and are_said(text)
    if not said and _gate(text) is None and "@" not in text:
        return []
    return _Reading(text, said=said, strict=strict).spans()


class _Reading:
    """A text under way: what was found so far, and the tokens that it came with."""

    __slots__ = ("_found", "_last", "_strict", "_text", "_walls")

    def __init__(self, text: str, *, said: bool, strict: bool) -> None:
        self._text = text
        self._strict = strict
        self._found = emails(text, said=said)
        tokens = [match.span() for match in TOKEN.finditer(text)] if "[" in text else []
        self._walls = sorted([*tokens, *((span.start, span.end) for span in self._found)])
        """Start and end of values and tokens, in order."""
        self._last: tuple[int, Context] | None = None

    def spans(self) -> list[Span]:
        """Return all values, in order."""
        start = 0
        for wall_start, wall_end in tuple(self._walls):
            self._read(start, wall_start)
            start = wall_end
        self._read(start, len(self._text))
        return sorted(self._found, key=lambda span: span.start)

    def _read(self, at: int, end: int) -> None:
        """Find all values in text[at:end], which has none of those known so far."""
        while (hit := _gate(self._text, at, end)) is not None:
            at = self._pass(hit, at, end)

    def _pass(self, hit: re.Match[str], taken: int, until: int) -> int:
        """Find what there is where the gate was passed; return where to go on. taken: where the last value ends."""
        start, end = hit.span()
        iban = iban_at(self._text, start, taken, until)
        if iban is not None:
            self._take(Kind.IBAN, *iban)
            return iban[1]
        of_digits = hit.lastindex is not None
        if of_digits and not self._has_letters(start, end, until):
            return self._read_cluster(start, end, taken, until)
        for found in lettered_ids(self._text, start, end, (taken, until), strict=self._strict):
            self._take(Kind.NATIONAL_ID, *found)
            if of_digits and start < found[0]:
                self._read_cluster(start, found[0], taken, found[0])
            start = taken = found[1]
        if not of_digits:
            return max(start, hit.start() + 1)
        return self._read_cluster(start, end, taken, until) if start < end else start

    def _has_letters(self, start: int, end: int, until: int) -> bool:
        """Return whether a letter touches a cluster of digits, so that it may be a part of the number."""
        before = self._text[max(0, start - 2) : start].rstrip("-")
        return before[-1:].isalpha() or self._text[end : min(end + 2, until)].lstrip("-")[:1].isalpha()

    def _read_cluster(self, start: int, end: int, taken: int, until: int) -> int:
        """Find the values of digits alone at text[start:end]; return where the cluster or its last value ends."""
        cluster = Cluster(self._text, start, end, taken, until, self._before)
        groups = cluster.groups
        first = 0
        while first < len(groups) and end - groups[first][0] >= _FEWEST:
            first = max(self._value(cluster, first), first + 1)
        return max(end, cluster.taken)

    def _value(self, cluster: Cluster, first: int) -> int:
        """Take the value that begins with a group, if there is one; return the group after it, else the group."""
        strict = self._strict
        last = card_at(cluster, first, strict=strict)
        if last is not None:
            return self._take_groups(cluster, Kind.CARD, first, last)
        passed = no_value_until(cluster, first) if len(cluster.groups) > 1 else first
        if passed > first:
            cluster.passed = passed
            return passed
        beyond = self._next_card(cluster, first)
        last = None if strict else id_at(cluster, first, beyond)
        if last is not None:
            return self._take_groups(cluster, Kind.NATIONAL_ID, first, last)
        phone = phone_at(cluster, first, beyond, strict=strict)
        if phone is None:
            return first
        last, start, end = phone
        self._take(Kind.PHONE, start, end)
        cluster.taken = end
        return last + 1

    def _next_card(self, cluster: Cluster, first: int) -> int:
        """Return the next group with which a card begins: what comes before must end before it."""
        groups = cluster.groups
        if cluster.next_card <= first:
            cluster.next_card = first + 1
        last = min(len(groups), first + _LOOK_AHEAD)
        while cluster.next_card < last and card_at(cluster, cluster.next_card, strict=self._strict) is None:
            cluster.next_card += 1
        return cluster.next_card if cluster.next_card < last else len(groups)

    def _take_groups(self, cluster: Cluster, kind: Kind, first: int, last: int) -> int:
        self._take(kind, cluster.groups[first][0], cluster.groups[last][1])
        cluster.taken = cluster.groups[last][1]
        return last + 1

    def _take(self, kind: Kind, start: int, end: int) -> None:
        self._found.append(Span(kind, start, end))
        insort(self._walls, (start, end))

    def _before(self, start: int) -> Context:
        """Return what stands before a place, every value in it as one sign: the same when it is a token by then."""
        if self._last is not None and self._last[0] == start:
            return self._last[1]
        parts: list[str] = []
        room, end, wall = ROOM, start, bisect_left(self._walls, (start,)) - 1
        while room > 0:
            wall_start, wall_end = self._walls[wall] if wall >= 0 else (0, 0)
            begin = max(wall_end, end - room)
            parts.append(self._text[begin:end])
            if wall < 0 or begin > wall_end or begin == 0:
                break
            parts.append(WALL)
            room -= end - begin + 1
            end, wall = wall_start, wall - 1
        found = context("".join(reversed(parts)))
        self._last = (start, found)
        return found
