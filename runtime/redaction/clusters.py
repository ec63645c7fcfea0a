"""Digits that stand together: groups of them with no more between than spaces, dashes, dots, slashes and brackets.

A value is a window of whole groups. Whether it is one is told by the window itself, by what stands before it and by
the sign right after it, never by the groups that follow: so what is left when a value is taken out is judged as it
was, and a text that was redacted once has nothing more to take.
"""

from __future__ import annotations

import re

from runtime.redaction.context import Before
from runtime.redaction.kinds import Kind

_group = re.compile("[0-9]+").finditer
_joined_on = re.compile("[^\\W\\d]|_|[-.:_][0-9]|,[0-9]{1,2}(?![0-9])").match
_token_joined_on = re.compile(rf"[-.:_,]\[(?:{Kind.CARD}|{Kind.PHONE}|{Kind.NATIONAL_ID})[:\]]").match
_PRICED = "$\u20ac\u00a3\u00a5\u20b9"
_SIGNED = f"{_PRICED}_#"
"""What makes the digits behind it an amount, or the end of a name."""
_unit = re.compile(rf"[{_PRICED}%]|[^\W\d_]+(?! ?[0-9])").match
_UNIT_WORDS = """
eur euro euros usd dollar dollars gbp pound pounds pln zł złotych sek nok dkk kr kronor inr rupees brl reais chf
kg km kwh mb gb points miles
"""
_UNITS = frozenset(_UNIT_WORDS.split())
_four_more = re.compile("[ .-][0-9]{4}(?![0-9])").match
_code = re.compile(r"[A-Za-z][0-9]+ \Z").search
_CODE_ROOM = 8
_FOUR, _GROUP_THAT_COUNTS, _ROW = 4, 3, 3


class Cluster:
    """The groups of digits at text[start:end].

    until: where the value begins that is known to come next; what stands there is not looked at. taken: where the
    last value ends that was taken before. passed: the group after a date or an address. next_card: groups before it
    begin no card. before: returns what stands before a place.
    """

    __slots__ = ("before", "groups", "next_card", "passed", "taken", "text", "until")

    def __init__(self, text: str, start: int, end: int, taken: int, until: int, before: Before) -> None:
        self.text = text
        self.groups = [match.span() for match in _group(text, start, end)]
        self.taken = taken
        self.until = until
        self.passed = 0
        self.next_card = 0
        self.before = before

    def digits(self, first: int, last: int) -> str:
        """Return the digits of groups first to last."""
        text = self.text
        return "".join([text[start:end] for start, end in self.groups[first : last + 1]])

    def sizes(self, first: int, last: int) -> tuple[int, ...]:
        """Return how many digits each group has."""
        return tuple([end - start for start, end in self.groups[first : last + 1]])

    def left_over(self, first: int) -> int:
        """Return the digits of the group before that is nobody's, a space, dash or dot away; 0 where there is none."""
        if not first:
            return 0
        start, end = self.groups[first - 1]
        near = end >= self.groups[first][0] - 1 and start >= self.taken and first > self.passed
        near = near and not self.text[start - 1 : start].isalpha()
        return end - start if near else 0

    def fours_before(self, first: int) -> bool:
        """Return whether groups of four stand before a group, nobody's, and nothing else for three groups."""
        at = first
        while at > first - _ROW and self.left_over(at) == _FOUR:
            at -= 1
        return at < first and (at == first - _ROW or not self.left_over(at))

    def in_a_row(self, first: int, last: int, beyond: int) -> bool:
        """Return whether other groups stand beside these: a group of three or more before, or fours after fours.

        beyond: the next group with which a card begins.
        """
        if self.left_over(first) >= _GROUP_THAT_COUNTS:
            return True
        if last == first or last + 1 == beyond or self.sizes(last - 1, last) != (_FOUR, _FOUR):
            return False
        return _four_more(self.text, self.groups[last][1], self.until) is not None

    def joined_before(self, start: int) -> bool:
        """Return whether what begins here is the end of a word, a code, a path, a decimal or an amount."""
        if start <= self.taken:
            return False
        sign, other = self.text[start - 1], self.text[start - 2 : start - 1]
        if sign == " ":
            return (other in _PRICED and other != "") or (other.isdigit() and self._is_code(start))
        if sign.isalnum() or sign in _SIGNED:
            return True
        if sign == "-":
            return other == "]" or other.isalnum()
        if sign == "/":
            return other == "]" or other.isalpha()
        return sign in ".,:" and (other == "]" or other.isdigit())

    def _is_code(self, start: int) -> bool:
        """Return whether the word before is one of letters and digits, as in 1Z 999 AA1 01 2345 6784."""
        return _code(self.text, max(self.taken, start - _CODE_ROOM), start) is not None

    def joined_after(self, end: int) -> bool:
        """Return whether a word, a code, a time or a decimal goes on where this ends."""
        return _joined_on(self.text, end, self.until) is not None or _token_joined_on(self.text, end) is not None

    def counted_after(self, end: int) -> bool:
        """Return whether a currency or a unit follows, so that this is an amount."""
        unit = _unit(self.text, end + 1 if self.text[end : end + 1] == " " else end, self.until)
        return unit is not None and (unit[0] in _PRICED or unit[0] == "%" or unit[0].lower() in _UNITS)
