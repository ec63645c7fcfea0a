"""The seam: a text goes in, the same text without its customers' values comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from runtime.redaction.kinds import Redacted, Span
from runtime.redaction.plain import Places, plain
from runtime.redaction.rules import find
from runtime.redaction.tokens import TOKEN, Tokens

Finder = Callable[[str], Iterable[Span]]
"""Finds further values in a text; where they overlap with those of the rules, the rules win."""


class Redactor:
    """Puts tokens in the place of values, the same token for the same value under the same key.

    key: the installation's own, of any length; None gives tokens that tell the kind alone. also: what finds names and
    places. Redacting what was redacted changes nothing, as long as `also` finds nothing new in it.
    """

    def __init__(self, key: bytes | None, also: Finder | None = None) -> None:
        self._tokens = Tokens(key)
        self._also = also

    def text(self, text: str) -> str:
        """Return a customer's or agent's text without its values."""
        seen, places = (text, None) if text.isascii() else plain(text)
        spans = self._spans(seen)
        return self._without(text, seen, places, spans) if spans else text

    def found(self, text: str) -> Redacted:
        """Return the text as `text` does, with how many values of each kind there were, and where."""
        seen, places = plain(text)
        spans = self._spans(seen)
        there = tuple([Span(span.kind, *_there(span, places)) for span in spans])
        return Redacted(self._without(text, seen, places, spans), Counter(span.kind for span in spans), there)

    def log_line(self, text: str) -> str:
        """Return a line of a log without what can be nothing else than a customer's value.

        That is e-mail addresses, IBANs, cards, telephone numbers with a plus and in groups, and national numbers that
        have letters and a check digit. Instants, offsets, ids and numbers of any other kind stay as they are.
        """
        seen, places = plain(text)
        spans = find(seen, strict=True)
        return self._without(text, seen, places, spans) if spans else text

    def _spans(self, seen: str) -> Sequence[Span]:
        spans = find(seen)
        return spans if self._also is None else _with_others(seen, spans, self._also(seen))

    def _without(self, text: str, seen: str, places: Places | None, spans: Iterable[Span]) -> str:
        parts, done = [], 0
        for span in spans:
            start, end = _there(span, places)
            parts += [text[done:start], self._tokens.token(span.kind, seen[span.start : span.end])]
            done = end
        return "".join([*parts, text[done:]])


def _there(span: Span, places: Places | None) -> tuple[int, int]:
    """Return a span's start and end in the text as it came."""
    return (span.start, span.end) if places is None else (places[span.start], places[span.end - 1] + 1)


def _with_others(seen: str, spans: Sequence[Span], others: Iterable[Span]) -> Sequence[Span]:
    """Return the rules' spans and those others that touch neither them, nor each other, nor a token."""
    taken = [(span.start, span.end) for span in spans] + [match.span() for match in TOKEN.finditer(seen)]
    found = list(spans)
    for other in sorted(others, key=lambda span: (span.start, -span.end)):
        if all(end <= other.start or other.end <= start for start, end in taken):
            taken.append((other.start, other.end))
            found.append(other)
    return sorted(found, key=lambda span: span.start)
