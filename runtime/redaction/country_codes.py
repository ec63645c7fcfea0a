"""Country calling codes (ITU-T E.164) and how long the numbers behind them are."""

from __future__ import annotations

_TABLE = """
1 10-10, 7 10-10, 20 8-10, 27 9-9, 30 10-10, 31 9-9, 32 8-9, 33 9-9, 34 9-9, 36 8-9, 39 8-11, 40 9-9, 41 9-9,
43 7-12, 44 9-10, 45 8-8, 46 7-9, 47 8-8, 48 9-9, 49 7-11, 51 8-9, 52 10-11, 53 6-8, 54 10-11, 55 10-11, 56 9-9,
57 10-10, 58 10-10, 60 8-10, 61 9-9, 62 8-12, 63 8-10, 64 8-10, 65 8-8, 66 8-9, 81 9-10, 82 8-10, 84 9-10,
86 10-11, 90 10-10, 91 10-10, 92 9-10, 93 9-9, 94 9-9, 95 7-10, 98 10-10, 351 9-9, 352 6-11, 353 7-9, 354 7-9,
358 6-10, 359 7-9, 370 8-8, 371 8-8, 372 7-8, 380 9-9, 385 8-9, 386 8-8, 420 9-9, 421 9-9, 852 8-8, 971 8-9,
972 8-9, 966 8-9, 234 8-10, 254 9-9
"""
"""A code, and the fewest and most digits behind it."""


def _read() -> dict[str, tuple[int, int]]:
    lengths = {}
    for each in _TABLE.split(","):
        code, bounds = each.split()
        least, most = bounds.split("-")
        lengths[code] = (int(least), int(most))
    return lengths


_LENGTHS = _read()
_OTHER = (5, 10)
"""Digits behind a code of three that the table does not have."""
_TENS = [
    "21",
    "22",
    "23",
    "24",
    "25",
    "26",
    "29",
    "35",
    "37",
    "38",
    "42",
    "50",
    "59",
    "67",
    "68",
    "69",
    "80",
    "85",
    "87",
    "88",
    "96",
    "97",
    "99",
]
"""First two digits of codes of three."""
_LONG = 3
_NO_TRUNK = ("39", "378", "225", "241", "242")
"""Where a number behind the code may begin with 0: elsewhere it is the trunk 0, which is not dialled there."""


def is_number(digits: str) -> bool:
    """Return whether digits are a country's code and as many behind it as the country has."""
    code = _code(digits)
    if code is None:
        return False
    national = digits[len(code) :]
    if national[:1] == "0" and code not in _NO_TRUNK:
        national = national[1:]
    least, most = _LENGTHS.get(code, _OTHER)
    return least <= len(national) <= most


def _code(digits: str) -> str | None:
    if digits[:2] in _TENS:
        return digits[:_LONG]
    return next((digits[:size] for size in (1, 2) if digits[:size] in _LENGTHS), None)
