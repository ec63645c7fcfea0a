"""Redaction by rules: each kind in its spellings, what only looks like it, tokens, logs, and the choice by settings."""

from __future__ import annotations

import logging
import re

import pydantic
import pytest

from bench.planted import LOCALES, planted
from runtime.errors import SettingsError
from runtime.redaction import Kind, Redactor, redactor_of
from runtime.redaction.context import Said, context
from runtime.redaction.ibans import STRUCTURES
from runtime.redaction.ids import IDS, NationalId, Needs
from runtime.redaction.logs import RedactingFormatter
from runtime.redaction.presidio import MODELS, names_and_places
from runtime.service import configure_logging
from runtime.settings import Settings

KEY = b"0123456789abcdef"
TOKEN = re.compile(r"\[(\w+):[0-9a-f]{8}\]")


def kinds(text: str) -> list[tuple[str, str]]:
    """Kind and written form of each value that is found."""
    return [(str(span.kind), text[span.start : span.end]) for span in Redactor(None).found(text).spans]


def found(kind: Kind, written: str, around: str = "well, {} it is") -> bool:
    """Whether a text has this value, whole, and no other."""
    return kinds(around.format(written)) == [(str(kind), written)]


# Cards.

CARDS = (
    *("4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111", "4111 1111-1111 1111"),
    *("41111111 11111111", "5555555555554444", "2223003122003222", "378282246310005", "3782 822463 10005"),
    *("30569309025904", "6011111111111117", "3530111333300000", "6200000000000005", "6759649826438453"),
    *("4222222222222", "6304 1122 3344 5566 005"),
)


@pytest.mark.parametrize("card", CARDS)
def test_a_card_is_found_in_the_groups_that_people_write(card: str) -> None:
    assert found(Kind.CARD, card)


@pytest.mark.parametrize("card", CARDS)
def test_a_card_with_another_last_digit_is_left(card: str) -> None:
    wrong = card[:-1] + str((int(card[-1]) + 1) % 10)
    assert not [kind for kind, _ in kinds(f"well, {wrong} it is") if kind == "card"]


@pytest.mark.parametrize(
    "number", ["1234567812345670", "9111111111111111", "7012345678901231", "0000000000000000", "40000000000000002"]
)
def test_digits_of_no_network_or_of_a_length_that_it_does_not_have_are_no_card(number: str) -> None:
    assert kinds(f"well, {number} it is") == []


def test_a_card_is_found_beside_its_date_and_code_and_after_a_telephone_number() -> None:
    assert kinds("4111 1111 1111 1111 08/27 123") == [("card", "4111 1111 1111 1111")]
    assert kinds("020 7946 0958 4111 1111 1111 1111") == [("phone", "020 7946 0958"), ("card", "4111 1111 1111 1111")]


# IBANs.

IBANS = (
    *(
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "de89 3704 0044 0532 0130 00",
        "GB82 WEST 1234 5698 7654 32",
    ),
    *("GB82WEST12345698765432", "FR14 2004 1010 0505 0001 3M02 606", "NL91-ABNA-0417-1643-00", "NO9386011117947"),
    *("MT84MALT011000012345MTLCAST001S", "IT60 X054 2811 1010 0000 0123 456", "DE 89370400440532013000"),
)


@pytest.mark.parametrize("iban", IBANS)
def test_an_iban_is_found_in_any_case_and_grouping(iban: str) -> None:
    assert found(Kind.IBAN, iban)


@pytest.mark.parametrize("iban", IBANS)
def test_an_iban_with_other_check_digits_is_left(iban: str) -> None:
    at = next(at for at, sign in enumerate(iban) if sign.isdigit())
    wrong = iban[:at] + str((int(iban[at]) + 1) % 10) + iban[at + 1 :]
    assert "iban" not in [kind for kind, _ in kinds(f"well, {wrong} it is")]


def test_every_country_of_the_registry_has_a_length_that_it_can_have() -> None:
    for country, structure in STRUCTURES.items():
        account = sum(int(count) for count in re.findall(r"[0-9]+", structure))
        assert 11 <= account <= 30, country


# E-mail addresses.


@pytest.mark.parametrize(
    "address",
    [
        *("anna@example.com", "anna.b-c_d+shop@mail.example.co.uk", "ANNA@EXAMPLE.COM", "o'neil@example.ie"),
        *("4111111111111111@example.com", "m\u00fcller@b\u00fccher.de", "anna@example.museum"),
        *(
            "anna (at) example (dot) com",
            "anna[at]example.com",
            "anna {at} example.com",
            "anna at example dot com",
            "anna dot b at gmail.com",
        ),
        *("o'neil at example dot ie", "a" * 30 + " at example dot com"),
        *("anna punkt b at firma punkt de", "ana arroba empresa punto es", "anne arobase exemple point fr"),
    ],
)
def test_an_address_is_found_as_it_is_written_and_as_it_is_said(address: str) -> None:
    assert found(Kind.EMAIL, address)


@pytest.mark.parametrize(
    "text",
    [
        *("look at shop.com", "I found it at shop dot com", "be there at 5", "meet me at the dot in the middle"),
        *("@anna", "anna@localhost", "anna @ example", "3 @ 4.50", "a@b", "at gmail dot com", "I'm at gmail.com"),
    ],
)
def test_what_is_at_a_place_or_a_time_is_no_address(text: str) -> None:
    assert kinds(text) == []


def test_an_address_ends_before_the_point_and_the_sentence_behind_it() -> None:
    assert kinds("to anna@example.com.") == [("email", "anna@example.com")]
    assert kinds("to anna@example.com.Thanks") == [("email", "anna@example.com")]
    assert kinds("<anna@example.com>, 'bob@example.org'") == [
        ("email", "anna@example.com"),
        ("email", "bob@example.org"),
    ]


# Telephone numbers.

PHONES = (
    *("+1 202 555 0147", "+12025550147", "(202) 555-0147", "202-555-0147", "202.555.0147", "2025550147"),
    *("202-555-0147 x89", "(202) 555-0147 ext. 12", "1-202-555-0147", "001-202-555-0147", "+44 20 7946 0958"),
    *("020 7946 0958", "(0161) 496 0000", "07911 123456", "+44 (0)20 7946 0958", "0044 7911 123456", "07911123456"),
    *("030 1234567", "030/1234567", "0171-1234567", "(040) 123 45-67", "+49 (0) 89 / 123456-78", "0049 171 1234567"),
    *("06 12 34 56 78", "06.12.34.56.78", "0612345678", "+33 6 12 34 56 78", "612 345 678", "612 34 56 78"),
    *("91 123 45 67", "347 1234567", "06 12345678", "06-12345678", "010 123 45 67", "22 123 45 67", "070-123 45 67"),
    *("08-123 456 78", "(11) 91234-5678", "11 91234-5678", "98765 43210", "9876543210", "+91-98765-43210"),
)


@pytest.mark.parametrize("phone", PHONES)
def test_a_telephone_number_is_found_as_each_country_writes_it(phone: str) -> None:
    assert found(Kind.PHONE, phone)


@pytest.mark.parametrize("phone", PHONES)
def test_a_number_that_is_called_an_order_is_no_telephone_number_unless_it_has_a_plus(phone: str) -> None:
    assert (kinds(f"my order number is {phone}") != []) is phone.startswith("+")


@pytest.mark.parametrize("number", ["5550147", "12 34 56 78", "12345678", "555-0147", "1234 5678"])
def test_a_short_number_is_one_where_the_words_before_it_say_so(number: str) -> None:
    assert kinds(f"it is {number} now") == []
    assert found(Kind.PHONE, number, "call me back on {} now")


@pytest.mark.parametrize(
    "text",
    [
        *("my order is 4471829003", "Bestellnummer 0171 1234567", "la commande 06 12 34 56 78", "pedido 612345678"),
        *(
            "$2025550147",
            "2025550147 EUR",
            "612 345 678 kr",
            "\u20ac 612.345.678",
            "1.234.567,89 \u20ac",
            "2,025,550,147",
        ),
        *("2024-05-01 10:30", "01.05.2024 14:30", "05/01/2024", "from 08:00-12:00", "192.168.100.200", "10.15.7.1234"),
        *("version 117.0.5938.132", "ZIP 12345-6789", "INV-2024-000123", "POL-12345678", "9400 1118 9956 1234 5678 90"),
        *(
            "1Z 999 AA1 01 2345 6784",
            "parcel 9612 0196 5401 2345 6789",
            "ISBN 978-3-16-148410-0",
            "IMEI 490154203237518",
        ),
        *("1718000000", "1718000000123456", "https://shop.com/orders/2025550147", "flight BA2490 at 10", "+5 degrees"),
        *("550e8400-e29b-41d4-a716-446655440000", "114-3941689-8772232", "SO0012345678", "0001234567", "A2025550147"),
    ],
)
def test_orders_amounts_days_addresses_and_codes_are_left(text: str) -> None:
    assert kinds(text) == []


def test_the_last_words_before_a_number_count_and_only_for_the_first_number_behind_them() -> None:
    assert kinds("about order 44718, call 2025550147") == [("phone", "2025550147")]
    assert kinds("my order. It's 2025550147") == [("phone", "2025550147")]
    assert kinds("order 4471829 and 2025550147") == [("phone", "2025550147")]
    assert kinds("call me about order 2025550147") == []
    assert context("call me, my order is ").said is Said.NAMED


# National numbers.


@pytest.mark.parametrize("number", IDS, ids=lambda number: f"{number.country} {number.example}")
def test_every_national_number_of_the_list_is_found_after_its_words(number: NationalId) -> None:
    named = number.words[0].partition("\\")[0].replace("?", "") if number.words else "it"
    around = f"well, {named} {{}} it is"
    assert found(Kind.NATIONAL_ID, number.example, around)
    assert found(Kind.NATIONAL_ID, number.example.lower(), around)


@pytest.mark.parametrize("number", IDS, ids=lambda number: f"{number.country} {number.example}")
def test_a_number_that_others_look_like_is_left_after_words_for_another_thing(number: NationalId) -> None:
    told = (str(Kind.NATIONAL_ID), number.example) in kinds(f"the invoice {number.example} is")
    assert told is (number.needs is Needs.NOTHING)


@pytest.mark.parametrize(
    "text",
    [
        *("000-12-3456", "666-12-3456", "912-12-3456", "536-00-8145", "536-22-0000", "BG123456C", "AB123456E"),
        *("12345678A", "X1234567A", "RSSMRA85T10A562T", "811228-9875", "130-692-545", "2341 2341 2347", "S1234567E"),
        *("390.533.447-06", "2 69 05 49 588 157 81", "756.9217.0769.86", "131052-308U", "1234567A", "85.07.30-033.29"),
    ],
)
def test_a_national_number_that_cannot_have_been_given_out_is_left(text: str) -> None:
    assert "national_id" not in [kind for kind, _ in kinds(f"it is {text} so")]


# Text of other scripts.


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("\uff14\uff11\uff11\uff11 1111 1111 1111", Kind.CARD),
        ("4111\u00a01111\u202f1111\u20091111", Kind.CARD),
        ("4111\u20131111\u20111111\u22121111", Kind.CARD),
        ("41\u200b11 1111 1111 1111", Kind.CARD),
        ("\u0660\u0661\u0662-\u0663\u0664\u0665\u0666\u0667\u0668\u0669", Kind.PHONE),
        ("202\u2013555\u20130147", Kind.PHONE),
        ("\U0001d7dc\U0001d7d9\U0001d7d9\U0001d7d9 1111 1111 1111", Kind.CARD),
        ("anna\uff20example.com", Kind.EMAIL),
        ("\uff24\uff25\uff18\uff19 3704 0044 0532 0130 00", Kind.IBAN),
    ],
)
def test_digits_spaces_and_dashes_of_other_scripts_are_read_and_the_rest_is_untouched(written: str, kind: Kind) -> None:
    text = f"caf\u00e9\u00a0\u2013 na\u00efve \u2026 {written}\u00a0\u2014 \u4f60\u597d \U0001f600"
    redacted = Redactor(None).text(text)
    assert redacted == text.replace(written, f"[{kind}]")


# Tokens.


def test_the_same_value_has_the_same_token_however_it_is_written() -> None:
    redactor = Redactor(KEY)
    for spellings in (
        ("4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("DE89370400440532013000", "de89 3704 0044 0532 0130 00"),
        (
            "Anna.B@Example.com",
            "anna.b@example.com",
            "anna (dot) b (at) example (dot) com",
            "anna dot b at example dot com",
        ),
        ("+44 20 7946 0958", "0044 20 7946 0958", "+44 (0)20 7946 0958"),
        ("12345678Z", "12345678-z", "12.345.678-Z"),
    ):
        tokens = {redactor.text(spelling) for spelling in spellings}
        assert len(tokens) == 1, spellings
        assert TOKEN.fullmatch(tokens.pop())


def test_tokens_differ_by_value_by_kind_and_by_key_and_have_no_digits_without_a_key() -> None:
    one, other = Redactor(KEY), Redactor(KEY[::-1])
    card = "4111111111111111"
    assert one.text(card) != one.text("5555555555554444")
    assert one.text(card) != other.text(card)
    assert Redactor(b"k" * 100).text(card) != Redactor(b"k" * 64).text(card)
    assert Redactor(None).text(f"{card} and anna@example.com") == "[card] and [email]"


def test_counts_and_spans_say_what_was_there_and_never_the_value() -> None:
    found = Redactor(KEY).found("anna@example.com, bob@example.com or 202-555-0147")
    assert found.counts == {Kind.EMAIL: 2, Kind.PHONE: 1}
    assert [span.start for span in found.spans] == [0, 18, 37]
    assert "anna" not in repr(found)
    assert "0147" not in repr(found)


# Logs.


@pytest.mark.parametrize(
    "line",
    [
        *("offset 4471829003 of interactions.offered-3", "at 1718000000123456 for 202-555-0147", "0171 1234567"),
        *("2026-11-03T10:00:00.123Z INFO runtime.loop: 16,000 records", "id 12345678901 pesel 44051401359"),
        *("trace 4bf92f3577b34da6a3ce929d0e0e4736 span 12345678a", "localhost:9092/1 [thrd:app]", "BA2490 AB123456C"),
        *("1718000000123456789 ns", "4532015112830366123", "user at gmail dot com", "+12025550147", "536-22-8145"),
    ],
)
def test_a_log_keeps_its_instants_offsets_and_ids(line: str) -> None:
    assert Redactor(KEY).log_line(line) == line


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("anna@example.com", "email"),
        ("DE89370400440532013000", "iban"),
        ("4111 1111 1111 1111", "card"),
        ("4111111111111111", "card"),
        ("+49 171 1234567", "phone"),
        ("12345678Z", "national_id"),
        ("RSSMRA85T10A562S", "national_id"),
    ],
)
def test_a_log_loses_what_can_be_nothing_else(value: str, kind: str) -> None:
    assert (
        TOKEN.sub(r"<\1>", Redactor(KEY).log_line(f"cannot use {value!r}: offset 12"))
        == f"cannot use '<{kind}>': offset 12"
    )


def test_a_formatter_redacts_messages_and_tracebacks() -> None:
    formatter = RedactingFormatter(Redactor(None), "%(levelname)s %(message)s")
    try:
        int("anna@example.com")
    except ValueError as problem:
        record = logging.makeLogRecord({"msg": "%s failed", "args": ("4111 1111 1111 1111",), "levelname": "ERROR"})
        record.exc_info = (type(problem), problem, problem.__traceback__)
    said = formatter.format(record)
    assert said.startswith("ERROR [card] failed\nTraceback")
    assert said.endswith("ValueError: invalid literal for int() with base 10: '[email]'")
    assert "anna" not in said


def test_a_service_logs_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    configure_logging(Settings(log_level="WARNING"))
    (handler,) = root.handlers
    assert isinstance(handler.formatter, RedactingFormatter)
    record = logging.makeLogRecord({"name": "runtime.loop", "levelname": "ERROR", "msg": "to anna@example.com"})
    record.created, record.msecs = 0.0, 7.0
    assert handler.format(record) == "1970-01-01T00:00:00.007Z ERROR runtime.loop: to [email]"


# The choice.


def test_the_settings_choose_the_key_and_the_rules_are_the_default() -> None:
    with_key = redactor_of(Settings(redaction_key=pydantic.SecretStr("a key of twenty bytes")))
    assert TOKEN.fullmatch(with_key.text("anna@example.com"))
    assert redactor_of(Settings()).text("anna@example.com") == "[email]"


def test_a_short_key_is_refused_and_not_told() -> None:
    with pytest.raises(SettingsError, match="TRUNKLINE_REDACTION_KEY has 6 bytes") as refusal:
        redactor_of(Settings(redaction_key=pydantic.SecretStr("secret")))
    assert "secret" not in str(refusal.value)


def test_presidio_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "presidio_analyzer", None)
    with pytest.raises(SettingsError, match=r"trunkline\[presidio\]"):
        redactor_of(Settings(redaction="presidio"))


def test_presidio_finds_names_and_places_beside_what_the_rules_find() -> None:
    pytest.importorskip("presidio_analyzer")
    util = pytest.importorskip("spacy").util
    installed = [model for model in MODELS if util.is_package(model)]
    if not installed:
        pytest.skip("no English model of spaCy is installed")
    redactor = Redactor(None, names_and_places(*installed))
    said = redactor.text("Please call John Smith in London on 020 7946 0958")
    assert said == "Please call [name] in [place] on [phone]"


# What is planted.


def test_planted_lines_are_those_of_their_seed_and_have_their_values_where_they_say() -> None:
    lines = list(planted(300, 7))
    assert lines == list(planted(300, 7))
    assert lines != list(planted(300, 8))
    assert {line.locale for line in lines} == set(LOCALES)
    for line in lines:
        assert [line.text[value.start : value.end] for value in line.values] == [value.value for value in line.values]
    assert {value.kind for line in lines for value in line.values} == set(Kind) - {Kind.NAME, Kind.PLACE}
