"""What looks like a value and is none: numbers of things, amounts, days, addresses on a network."""

from __future__ import annotations

import random
from collections.abc import Callable

from bench.planted_values import card_number, digits, grouped, with_luhn

_CURRENCIES = {
    "en_US": "$#", "en_GB": "\u00a3#", "de_DE": "# \u20ac", "fr_FR": "# \u20ac", "es_ES": "# \u20ac", "it_IT": "# euro",
    "nl_NL": "\u20ac #", "pl_PL": "# z\u0142", "sv_SE": "# kr", "pt_BR": "R$ #", "en_IN": "\u20b9#", "en_CA": "$#",
}  # fmt: skip
_POSTCODES = {
    "en_US": ("XXXXX", "XXXXX-XXXX"), "en_GB": ("SW1A 1AA", "M1X 4BT"), "de_DE": ("XXXXX",), "fr_FR": ("7X0XX",),
    "es_ES": ("2X0XX",), "it_IT": ("0X1XX",), "nl_NL": ("1XXX AB",), "pl_PL": ("0X-XXX",), "sv_SE": ("1XX XX",),
    "pt_BR": ("0XXXX-XXX",), "en_IN": ("56XXXX", "56X XXX"), "en_CA": ("K1A 0B1",),
}  # fmt: skip


def decoy(locale: str, drawn: random.Random) -> tuple[str, str]:
    """Return what it is called, a key of `Speech.decoys`, and how it is written."""
    name = drawn.choice(tuple(_DECOYS))
    return name, _DECOYS[name](locale, drawn)


def _order(_locale: str, drawn: random.Random) -> str:
    return digits(
        drawn.choice((
            "YXXXXXX", "YXXXXXXX", "YXXXXXXXX", "YXXXXXXXXX", "YXXXXXXXXXX", "YXXXXXXXXXXX", "1XX-YXXXXXX-XXXXXXX",
            "ORD-2024-00XXXX", "#YXXXXXX", "2024-XXXXXX", "A-YXXXXXXX", "YXXX-XXXX-XXXX", "SO00XXXXXXX", "00XXXXXXXX",
            "YXX-XXX-XXX", "YXX XXX XXXX", "W-10XXXXXXX/2", "YX/XXXXXX",
        )),
        drawn,
    )  # fmt: skip


def _amount(locale: str, drawn: random.Random) -> str:
    if locale.startswith("en"):
        number = digits(
            drawn.choice(("YX.XX", "YXX.XX", "Y,XXX.XX", "YXX,XXX.00", "Y,XXX,XXX.XX", "YXXX", "YXXXXXXX")), drawn
        )
    else:
        number = digits(
            drawn.choice(
                ("YX,XX", "YXX,XX", "Y.XXX,XX", "YXX.XXX,XX", "Y XXX,XX", "Y XXX XXX", "YXX XXX XXX", "YX.XXX.XXX")
            ),
            drawn,
        )
    return _CURRENCIES[locale].replace("#", number)


def _day(locale: str, drawn: random.Random) -> str:
    day, month, year = drawn.randrange(1, 29), drawn.randrange(1, 13), drawn.randrange(1955, 2027)
    forms = [f"{year}-{month:02}-{day:02}", f"{day:02}/{month:02}/{year}", f"{day}/{month}/{year % 100:02}"]
    forms += [f"{month:02}/{day:02}/{year}"] if locale in ("en_US", "en_CA") else [f"{day:02}.{month:02}.{year}"]
    forms += [f"{year}-{month:02}-{day:02} 10:{day:02}", f"{day:02}.{month:02}.{year} 14:{day:02}:{month:02}"]
    forms += [f"{year}{month:02}{day:02}", f"{day:02}-{month:02}-{year}", f"{day} {month:02} {year}"]
    return drawn.choice(forms)


def _time(_locale: str, drawn: random.Random) -> str:
    return digits(drawn.choice(("1X:3X", "0Y:1X", "1X.4X", "1X:0X - 1X:5X", "08:00-12:00", "1X:1X:2X")), drawn)


def _parcel(_locale: str, drawn: random.Random) -> str:
    return digits(
        drawn.choice((
            "1Z 999 AA1 XX XXXX XXXX", "1ZXXXAXX0XXXXXXXXX", "YXXX XXXX XXXX", "YXXXXXXXXXXX",
            "9400 1XXX XXXX XXXX XXXX XX", "00340434XXXXXXXXXXXX", "JD01460000XXXXXXXX", "RBXXXXXXXXXGB",
            "9612 0XXX XXXX XXXX XXXX", "YXXXXXXXXXXXXX", "JJFI6XXXXXXXXXXXXXXX", "CXXXXXXXXDE", "JVGLXXXXXXXXXX",
        )),
        drawn,
    )  # fmt: skip


def _device(_locale: str, drawn: random.Random) -> str:
    imei = with_luhn(digits(drawn.choice(("35XXXXXXXXXXXX", "86XXXXXXXXXXXX", "01XXXXXXXXXXXX")), drawn))
    serial = digits(
        drawn.choice(("SN-YXXX-XXXX-XX", "SN 8812-3XXX-9XX", "C02XG0XXJHD5", "YXXXXXXXXXX", "5CD1XXXXXX")), drawn
    )
    return drawn.choice((imei, f"{imei[:2]}-{imei[2:8]}-{imei[8:14]}-{imei[14]}", serial))


def _network(_locale: str, drawn: random.Random) -> str:
    numbers = [drawn.randrange(1, 255) for _ in range(4)]
    return drawn.choice(
        (".".join(map(str, numbers)), f"192.168.{numbers[0]}.{numbers[1]}:8080", "fe80::1ff:fe23:4567:890a")
    )


def _version(_locale: str, drawn: random.Random) -> str:
    return digits(
        drawn.choice(("Y.1X.X", "v1.X.XX-rc2", "10.15.7.1XXX", "2024.1X.0X", "117.0.59YX.132", "Y.0.XXXX.2XXXX")), drawn
    )


def _post(locale: str, drawn: random.Random) -> str:
    return digits(drawn.choice(_POSTCODES[locale]), drawn)


def _flight(_locale: str, drawn: random.Random) -> str:
    return digits(drawn.choice(("LH YXX", "BA2XXX", "AF 1XX0", "U2 84XX", "DL4XX")), drawn)


def _policy(_locale: str, drawn: random.Random) -> str:
    return digits(
        drawn.choice((
            "POL-YXXXXXXX", "YX/XXXXXXX-01", "HH 12 XXX XXX", "KV-2023-XXXXXX", "YXXXXXXXX", "P0XXXXXXXX",
            "YXX.XXX.XXX-X",
            "12.3XXX.XXXX", "YXXXXXXXXXX",
        )),
        drawn,
    )  # fmt: skip


def _wrong_card(_locale: str, drawn: random.Random) -> str:
    """Return a card whose last digit is wrong."""
    number = card_number(drawn)
    return grouped(number[:-1] + str((int(number[-1]) + drawn.randrange(1, 10)) % 10), drawn)


def _instant(_locale: str, drawn: random.Random) -> str:
    return digits(drawn.choice(("17XXXXXXXX", "17XXXXXXXXXXX", "17XXXXXXXXXXXXXX", "2024110XT1X3X00Z")), drawn)


def _count(_locale: str, drawn: random.Random) -> str:
    return digits(drawn.choice(("Y", "YX", "YXX", "Y-Y", "YX %", "YXXX")), drawn)


_DECOYS: dict[str, Callable[[str, random.Random], str]] = {
    "order": _order,
    "amount": _amount,
    "day": _day,
    "time": _time,
    "parcel": _parcel,
    "device": _device,
    "network": _network,
    "version": _version,
    "post": _post,
    "flight": _flight,
    "policy": _policy,
    "card": _wrong_card,
    "instant": _instant,
    "count": _count,
}
