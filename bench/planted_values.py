"""Values as people of a locale write them: right by their checks, in the spellings that one meets."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from faker import Faker

from runtime.redaction import Kind
from runtime.redaction.checks import verhoeff

_BRANDS = (
    ("4", 16), ("4", 16), ("4", 16), ("51", 16), ("53", 16), ("55", 16), ("2221", 16), ("2680", 16), ("34", 15),
    ("37", 15), ("6011", 16), ("65", 16), ("36", 14), ("3530", 16), ("62", 16), ("5018", 16), ("6759", 16),
    ("6304", 19),
)  # fmt: skip
_GROUPINGS = {14: ((4, 6, 4),), 15: ((4, 6, 5),), 16: ((4, 4, 4, 4), (4, 4, 4, 4), (8, 8)), 19: ((4, 4, 4, 4, 3),)}
_PHONES = """
en_US: (A) E-XXXX, (A) E-XXXX, A-E-XXXX, A-E-XXXX, A.E.XXXX, A E XXXX, AEXXXX, +1 A E XXXX, +1-A-E-XXXX,
+1 (A) E-XXXX, 1-A-E-XXXX, +1AEXXXX, (A)E-XXXX, A-E-XXXX x4XX, (A) E-XXXX ext. 2XX, 001-A-E-XXXX, +1.A.E.XXXX,
1 (A) E-XXXX
en_GB: 020 7XXX XXXX, (020) 7XXX XXXX, 0161 4XX XXXX, 01632 96XXXX, (01632) 96XXXX, 07YXX XXXXXX, 07YXX XXX XXX,
07Y XXX XXXXX, +44 7YXX XXXXXX, +44 (0)20 7XXX XXXX, 0044 7YXX XXXXXX, 07YXXXXXXXX, +447YXXXXXXXX, 0800 XXX XXXX,
020-7XXX-XXXX, +44 20 7XXX XXXX, 0207 XXX XXXX, +44 (0) 7YXX XXX XXX
de_DE: 030 YXXXXXX, 030/YXXXXXX, 0171 YXXXXXX, 0171/YXXXXXX, 0151-YXXXXXXX, 089 YX XX XX XX, (040) YXX XX-XX,
+49 30 YXXXXXX, +49 (0)171 YXXXXXX, 0049 171 YXXXXXX, +49171YXXXXXX, 0171YXXXXXX, 0221 / YXX XXXX, 06131 YXXXXX,
0160 YXX XX XX, +49 (0) 89 / YXXXXX-XX, +49-170-YXXXXXX, 069 YXXX XXX
fr_FR: 06 XX XX XX XX, 06 XX XX XX XX, 07.XX.XX.XX.XX, 06XXXXXXXX, +33 6 XX XX XX XX, +33 (0)6 XX XX XX XX,
0033 6 XX XX XX XX, 06-XX-XX-XX-XX, 01 4X XX XX XX, 04.9X.XX.XX.XX, +336XXXXXXXX, 0800 XXX XXX
es_ES: 6XX XXX XXX, 6XX XX XX XX, 91 YXX XX XX, +34 6XX XXX XXX, +346XXXXXXXX, 6XXXXXXXX, 93 YXX XX XX,
0034 6XX XXX XXX, 9YX XX XX XX, 6XX-XXX-XXX, 7YX.XXX.XXX, +34 91 YXX XX XX, 900 XXX XXX
it_IT: 3YX XXXXXXX, 3YX XXX XXXX, 3YXXXXXXXX, 06 YXXXXXXX, 02 YXXXXXX, +39 3YX XXXXXXX, +39 06 YXXXXXXX,
055 YXXXXX, 3YX-XXXXXXX, 0039 3YX XXXXXXX, +393YXXXXXXXX, 3YX XX XX XXX, 011/YXXXXXX
nl_NL: 06-YXXXXXXX, 06 YXXXXXXX, 06 YX XX XX XX, 06YXXXXXXX, 020-YXXXXXX, 010 YXX XX XX, +31 6 YXXXXXXX,
+31 (0)6 YXXXXXXX, 0031 6 YXXXXXXX, +31 20 YXX XXXX, 0113-YXXXXX, +316YXXXXXXX, (020) YXX XX XX
pl_PL: 5YX XXX XXX, 6YX XXX XXX, 7YX-XXX-XXX, 22 YXX XX XX, +48 5YX XXX XXX, +485YXXXXXXX, 6YXXXXXXX,
(22) YXX XX XX, 0048 6YX XXX XXX, +48 22 YXX XX XX, 12 YXX XX XX
sv_SE: 070-YXX XX XX, 08-YXX XXX XX, +46 70 YXX XX XX, 070YXXXXXX, 073-YXXXXXX, 031-YXX XX XX, 0046 70 YXX XX XX,
+46 (0)70-YXX XX XX, 072 YXX XX XX, +4670YXXXXXX, 040-YX XX XX
pt_BR: (11) 9YXXX-XXXX, 11 9YXXX-XXXX, (21) 3XXX-XXXX, +55 11 9YXXX-XXXX, 119YXXXXXXX, +55 (11) 9YXXX-XXXX,
0800 XXX XXXX, (31) 9YXXX XXXX, +5511 9YXXX-XXXX, (41)9YXXX-XXXX
en_IN: 9XXXXXXXXX, 98XXX XXXXX, +91 98XXX XXXXX, +91-97XXXXXXXX, 022-2XXXXXXX, 080 4XXX XXXX, +9198XXXXXXXX,
098XXXXXXXX, 0091 98XXX XXXXX, 87XXX-XXXXX, 988 XXX XXXX, (022) 2XXX XXXX
"""
"""Locale: patterns; X any digit, Y one of 2-9; A an area and E an exchange of North America."""
_PATTERN = re.compile("([a-z]{2}_[A-Z]{2}): ([^:]*)(?=\\n[a-z]{2}_|\\n$)")
_PHONE_PATTERNS = {locale: re.split(r",\s", patterns) for locale, patterns in _PATTERN.findall(_PHONES)}
_AREAS = {
    "en_US": ("212", "415", "312", "617", "702", "305", "206", "404", "512", "303", "919", "646"),
    "en_CA": ("416", "514", "604", "403", "613", "902", "647", "778"),
}
_SAID = {
    "en": ("at", "dot"), "de": ("at", "punkt"), "fr": ("arobase", "point"), "es": ("arroba", "punto"),
    "it": ("chiocciola", "punto"), "nl": ("at", "punt"), "pl": ("ma\u0142pa", "kropka"), "sv": ("snabel-a", "punkt"),
    "pt": ("arroba", "ponto"),
}  # fmt: skip
_WITHOUT_IBAN = ("en_US", "en_CA", "en_IN")
"""Whose customers have none: they give one abroad."""
_STEUER_LENGTH = 11


def value(kind: Kind, locale: str, faker: Faker, drawn: random.Random) -> str:
    """Return a value of a kind in one of its spellings."""
    if kind is Kind.CARD:
        return _card(drawn)
    if kind is Kind.IBAN:
        return _iban(faker.iban() if locale not in _WITHOUT_IBAN else _british_iban(drawn), drawn)
    if kind is Kind.EMAIL:
        return _email(locale, faker, drawn)
    return _phone(locale, drawn) if kind is Kind.PHONE else _NATIONAL[locale](faker, drawn)


def digits(pattern: str, drawn: random.Random) -> str:
    """Return a pattern with a digit for each X, and one of 2-9 for each Y."""
    return "".join(
        [
            drawn.choice("0123456789") if sign == "X" else drawn.choice("23456789") if sign == "Y" else sign
            for sign in pattern
        ]
    )


def with_luhn(number: str) -> str:
    """Return a number with its check digit by Luhn, counted from the right."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (1 if place % 2 else 2)
        total += doubled - 9 if doubled > 9 else doubled
    return f"{number}{-total % 10}"


def card_number(drawn: random.Random) -> str:
    """Return the digits of a card that is right."""
    prefix, length = drawn.choice(_BRANDS)
    return with_luhn(digits(prefix + "X" * (length - 1 - len(prefix)), drawn))


def grouped(number: str, drawn: random.Random) -> str:
    """Return a card's digits as they are written: three in ten at once, the others in groups."""
    if drawn.random() < 0.3:
        return number
    sizes, sign = drawn.choice(_GROUPINGS[len(number)]), drawn.choice((" ", " ", " ", "-", "-", "."))
    return sign.join(_cut(number, sizes))


def _cut(text: str, sizes: tuple[int, ...]) -> list[str]:
    parts = []
    for size in sizes:
        parts.append(text[:size])
        text = text[size:]
    return parts


def _card(drawn: random.Random) -> str:
    return grouped(card_number(drawn), drawn)


def _british_iban(drawn: random.Random) -> str:
    account = drawn.choice(("BARC", "LOYD", "NWBK", "HBUK")) + digits("XXXXXXXXXXXXXX", drawn)
    moved = int("".join(str(int(sign, 36)) for sign in f"{account}GB00"))
    return f"GB{98 - moved % 97:02}{account}"


def _iban(number: str, drawn: random.Random) -> str:
    fours = [number[at : at + 4] for at in range(0, len(number), 4)]
    return drawn.choice((
        number, number, " ".join(fours), " ".join(fours), "-".join(fours), number.lower(), " ".join(fours).lower(),
        f"{number[:2]} {number[2:]}",
    ))  # fmt: skip


def _email(locale: str, faker: Faker, drawn: random.Random) -> str:
    at, dot = _SAID[locale[:2]]
    first, last = (part.lower() for part in faker.user_name().partition(".")[::2])
    last = last or faker.domain_word().partition("-")[0].lower()
    local = drawn.choice(
        (f"{first}.{last}", f"{first}.{last}", f"{first}{drawn.randrange(100)}", f"{first}_{last}", first)
    )
    host = drawn.choice(
        (faker.free_email_domain(), faker.domain_name(), f"mail.{faker.domain_name()}", "kunden.firma.co.uk")
    )
    way = drawn.random()
    if way < 0.08:
        return f"{local} (at) {host}".replace(".", f" ({dot}) " if drawn.random() < 0.5 else ".")
    if way < 0.16:
        return f"{local} {at} {host}".replace(".", f" {dot} ")
    if way < 0.20:
        return f"{local}[at]{host}"
    local += f"+{faker.domain_word()}" if way < 0.3 else ""
    return f"{local}@{host}".upper() if way > 0.96 else f"{local}@{host}"


def _phone(locale: str, drawn: random.Random) -> str:
    pattern = drawn.choice(_PHONE_PATTERNS["en_US" if locale == "en_CA" else locale])
    if locale in _AREAS:
        exchange = digits("YXX", drawn)
        exchange = "555" if exchange.endswith("11") else exchange
        pattern = pattern.replace("A", drawn.choice(_AREAS[locale])).replace("E", exchange)
    return digits(pattern, drawn)


def _spelled(number: str, sizes: tuple[int, ...], signs: tuple[str, ...], drawn: random.Random) -> str:
    return drawn.choice(signs).join(_cut(number, sizes))


def _nino(drawn: random.Random) -> str:
    number = drawn.choice(("AB", "CE", "JK", "PW", "SX", "YZ", "HL")) + digits("XXXXXX", drawn) + drawn.choice("ABCD")
    return drawn.choice(
        (number, " ".join(_cut(number, (2, 2, 2, 2, 1))), number.lower(), f"{number[:2]} {number[2:8]} {number[8]}")
    )


def _steuer_id(drawn: random.Random) -> str:
    chosen = drawn.sample("0123456789", 9)
    chosen.append(drawn.choice(chosen))
    drawn.shuffle(chosen)
    if chosen[0] == "0":
        chosen = chosen[1:] + chosen[:1] if chosen[1] != "0" else chosen[2:] + chosen[:2]
    product = 10
    for digit in chosen:
        product = ((int(digit) + product) % 10 or 10) * 2 % _STEUER_LENGTH
    number = "".join(chosen) + str((_STEUER_LENGTH - product) % 10)
    return _spelled(number, (2, 3, 3, 3), ("", " "), drawn)


def _aadhaar(drawn: random.Random) -> str:
    """Return a number whose last digit is found by trying all ten."""
    number = digits("YXXXXXXXXXX", drawn)
    number += next(last for last in "0123456789" if verhoeff(number + last))
    return _spelled(number, (4, 4, 4), (" ", " ", "", "-"), drawn)


def _dni(faker: Faker, drawn: random.Random) -> str:
    number = faker.nie() if drawn.random() < 0.4 else faker.nif()
    dashed = f"{number[:-1]}-{number[-1]}"
    dotted = f"{number[:2]}.{number[2:5]}.{number[5:8]}-{number[8]}"
    return drawn.choice((number, number, dashed, number.lower(), dashed if number[0] in "XYZ" else dotted))


def _personnummer(faker: Faker, drawn: random.Random) -> str:
    short = faker.ssn()
    return drawn.choice((short, short, short.replace("-", ""), f"19{short}", f"19{short}".replace("-", "")))


_NATIONAL: dict[str, Callable[[Faker, random.Random], str]] = {
    "en_US": lambda faker, drawn: _spelled(faker.ssn().replace("-", ""), (3, 2, 4), ("-", "-", " ", ""), drawn),
    "en_GB": lambda _faker, drawn: _nino(drawn),
    "de_DE": lambda _faker, drawn: _steuer_id(drawn),
    "fr_FR": lambda faker, drawn: _spelled(faker.ssn(), (1, 2, 2, 2, 3, 3, 2), ("", " "), drawn),
    "es_ES": _dni,
    "it_IT": lambda faker, drawn: drawn.choice((str, str, str.lower, lambda code: " ".join(_cut(code, (3, 3, 5, 5)))))(
        faker.ssn()
    ),
    "nl_NL": lambda faker, drawn: _spelled(faker.ssn(), (3, 3, 3), ("", "", " ", "."), drawn),
    "pl_PL": lambda faker, _drawn: faker.pesel(),
    "sv_SE": _personnummer,
    "pt_BR": lambda faker, drawn: drawn.choice((faker.cpf(), faker.cpf().replace(".", "").replace("-", ""))),
    "en_IN": lambda _faker, drawn: _aadhaar(drawn),
    "en_CA": lambda faker, drawn: _spelled(faker.ssn().replace(" ", ""), (3, 3, 3), ("-", " ", ""), drawn),
}
