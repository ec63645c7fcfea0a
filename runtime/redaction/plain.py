"""A text as the rules read it: digits, letters, spaces, dashes and signs of other scripts as their ASCII likes.

What is written in full-width digits, with non-breaking spaces or with a dash from a word processor is the same number.
Nothing of this reaches the text that is kept: the rules' spans are carried back to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# U+0660 Arabic, 06F0 Persian, 0966 Devanagari, 09E6 Bengali, ..., FF10 full-width, 1D7CE and on: mathematical.
_ZEROS = (
    *(0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66),
    *(0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x17E0, 0x1810, 0xFF10, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6),
)
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_SIGNS = {
    "\uff20": "@",
    "\ufe6b": "@",
    "\uff0e": ".",
    "\u2024": ".",
    "\uff0b": "+",
    "\uff08": "(",
    "\uff09": ")",
    "\uff0f": "/",
    "\u2215": "/",
    "\u2044": "/",
    "\uff1a": ":",
    "\uff0c": ",",
}
_CAPITALS, _SMALLS = 0xFF21, 0xFF41
_LIKES: dict[int, str] = {
    **{zero + digit: str(digit) for zero in _ZEROS for digit in range(10)},
    **{ord(space): " " for space in _SPACES},
    **{ord(dash): "-" for dash in _DASHES},
    **{ord(sign): like for sign, like in _SIGNS.items()},
    **{_CAPITALS + letter: chr(ord("A") + letter) for letter in range(26)},
    **{_SMALLS + letter: chr(ord("a") + letter) for letter in range(26)},
}
_MATHEMATICAL, _BEYOND = 0x1D7CE, 0x10000
"""Where mathematical digits begin, fifty of them; a set with such high ones in it is looked through one by one."""
# What takes no room: soft hyphen, zero-width spaces and joiners, marks of direction, what makes a digit a key.
_INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe0f\ufeff\u20e3"
_odd = re.compile(f"[{''.join(chr(point) for point in _LIKES if point < _BEYOND)}{_INVISIBLE}]").search
_beyond = re.compile(f"[{chr(_MATHEMATICAL)}-{chr(_MATHEMATICAL + 49)}]").search
_invisible = re.compile(f"[{_INVISIBLE}]").search
_VISIBLE = re.compile(f"[^{_INVISIBLE}]")

Places = Sequence[int]


def plain(text: str) -> tuple[str, Places | None]:
    """Return a text with likes in place of what is odd in it, and for each character its place in `text`.

    None: each has the place that it had. Invisible characters are left out.
    """
    if text.isascii():
        return text, None
    if _odd(text) is None and _beyond(text) is None:
        return text, None
    places = None
    if _invisible(text) is not None:
        places = [match.start() for match in _VISIBLE.finditer(text)]
        text = "".join([text[place] for place in places])
    return text.translate(_LIKES), places
