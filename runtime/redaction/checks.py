"""Check digits: what tells a number that somebody was given from digits that happen to be as many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_DOUBLED = {str(digit): sum(divmod(2 * digit, 10)) for digit in range(10)}
_TIMES = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
"""The multiplication of the dihedral group D5, by which Verhoeff (1969) checks."""
_MOVED = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def luhn(digits: str) -> bool:
    """Return whether the last digit is right by Luhn (ISO/IEC 7812-1): cards, SIN, personnummer."""
    return (sum(map(int, digits[::-2])) + sum(map(_DOUBLED.__getitem__, digits[-2::-2]))) % 10 == 0


def mod_97(letters_and_digits: str) -> bool:
    """Return whether an IBAN in capitals is right by ISO 7064 mod 97-10: the country and its check moved to the end."""
    moved = letters_and_digits[4:] + letters_and_digits[:4]
    return int("".join([str(int(character, 36)) for character in moved])) % 97 == 1


def mod_11_10(digits: str) -> bool:
    """Return whether the last digit is right by ISO 7064 mod 11,10: the German Steuer-ID."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (product + int(digits[-1])) % 10 == 1


def mod_11_2(digits: str) -> bool:
    """Return whether the last sign, a digit or X for ten, is right by ISO 7064 mod 11-2: China's number."""
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2 % 11
    return (total + (10 if digits[-1] in "Xx" else int(digits[-1]))) % 11 == 1


def verhoeff(digits: str) -> bool:
    """Return whether the last digit is right by Verhoeff: Aadhaar."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_TIMES[check][int(_MOVED[place % 8][int(digit)])])
    return check == 0


def weighed(digits: str, weights: Sequence[int]) -> int:
    """Return the sum of the first digits, each times its weight."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def is_day(day: int, month: int) -> bool:
    """Return whether a month has the day, in some year."""
    return 1 <= month <= len(_MONTH_DAYS) and 1 <= day <= _MONTH_DAYS[month - 1]


def all_same(digits: Iterable[str]) -> bool:
    """Return whether there is one digit only, as in 111.111.111-11: right by many checks, and nobody's."""
    return len(set(digits)) == 1
