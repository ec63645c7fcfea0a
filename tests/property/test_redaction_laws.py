"""Redaction: it changes nothing twice, nothing beside its spans, misses no plain value, never raises, is linear."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.planted import planted
from bench.planted_values import card_number, grouped
from runtime.redaction import Kind, Redactor
from runtime.redaction.checks import mod_97
from runtime.redaction.ids import IDS
from runtime.redaction.plain import plain

REDACTOR = Redactor(b"a key for the laws")
LINES = [line.text for line in planted(400, 11)]
VALUES = [*(each.example for each in IDS), *(value.value for line in planted(600, 12) for value in line.values)]
GLUE = (
    *(" ", "", "-", ".", "/", " - ", "  ", ", ", ": ", "(", ")", " +", "+", "\n", "@", " at ", "_", "#", "x", "$", "|"),
    *("[", "]", " or ", " call ", " order ", " ssn ", " bsn ", "%", " eur ", ":", "a", "DE", "AB ", "00", "0", " x12"),
    *(
        "[card]",
        "[phone:12345678]",
        "[name]",
        "\u00a0",
        "\u2013",
        "\uff14",
        "\u200b",
        "2024-05-01",
        "10.0.0.1",
        " dot ",
    ),
)
NUMBERS = st.text("0123456789", min_size=1, max_size=17)
# Values beside numbers, with everything between them that joins, parts or names them.
CROWDED = st.lists(st.sampled_from(VALUES) | NUMBERS | st.sampled_from(GLUE), max_size=9).map("".join)
SPARSE = st.text("0123456789 -./()+@,:abx[]", max_size=60) | st.text("47 -.", max_size=60)
ANY_TEXT = st.text(st.characters(), max_size=80) | st.sampled_from(LINES) | CROWDED | SPARSE
LETTERS = st.text("abcdefghij klmnopqrstuvwyz", max_size=30)


@settings(max_examples=500)
@given(ANY_TEXT)
@example("GB72 LOYD 4300 0743 8119 23+491712798549: 2024-05-01.")
@example("2221 9032 7209 003000775627045 GB84EHWY56590872859051+")
@example("381941745+536228145,4.19.50woodleon dot phillips at mail dot webb-edwards dot org,802900a@b.co+")
@example("[phone:12345678]4431 0008 6680 9180DEolof46@example.com")
@example("0196 5401 2345 4111111111111111")
@example("bsn @517-33-3894+GB91-YPUL-1373-7532-9796-1910.0.0.190515928638191abkroker (at) geissler.com order 260")
def test_redacting_what_was_redacted_changes_nothing(text):
    for redactor in (REDACTOR, Redactor(None)):
        once = redactor.text(text)
        assert redactor.text(once) == once
        assert redactor.found(once).spans == ()
        logged = redactor.log_line(text)
        assert redactor.log_line(logged) == logged


@settings(max_examples=150)
@given(ANY_TEXT)
def test_spans_are_apart_and_the_text_beside_them_is_as_it_was(text):
    found = REDACTOR.found(text)
    assert found.text == REDACTOR.text(text)
    assert sum(found.counts.values()) == len(found.spans)
    done, rest = 0, found.text
    for span in found.spans:
        assert done <= span.start < span.end <= len(text)
        before = text[done : span.start]
        assert rest.startswith(before)
        token, rest = rest[len(before) :].split("]", 1)
        assert token.startswith(f"[{span.kind}:")
        done = span.end
    assert rest == text[done:]


@settings(max_examples=150)
@given(st.text(st.characters(), max_size=60))
def test_a_plain_reading_is_as_long_as_its_places_and_points_back(text):
    seen, places = plain(text)
    assert len(seen) == (len(text) if places is None else len(places))
    for at, sign in enumerate(seen):
        original = text[at if places is None else places[at]]
        assert sign == original or sign.isascii()


@given(st.integers(0, 10**9), LETTERS, LETTERS)
def test_a_card_is_found_in_any_surroundings_of_letters_and_spaces(seed, before, after):
    drawn = random.Random(seed)
    card = grouped(card_number(drawn), drawn)
    text = f"{before} {card} {after}"
    assert (Kind.CARD, len(before) + 1, len(before) + 1 + len(card)) in REDACTOR.found(text).spans


@given(
    st.text("0123456789", min_size=18, max_size=18), LETTERS, LETTERS, st.sampled_from(["", " ", "-"]), st.booleans()
)
def test_an_iban_is_found_in_any_surroundings_of_letters_and_spaces(account, before, after, sign, small):
    check = next(f"{check:02}" for check in range(2, 99) if mod_97(f"DE{check:02}{account}"))
    number = f"DE{check}{account}"
    iban = sign.join(number[at : at + 4] for at in range(0, len(number), 4))
    iban = iban.lower() if small else iban
    text = f"{before} {iban} {after}"
    assert (Kind.IBAN, len(before) + 1, len(before) + 1 + len(iban)) in REDACTOR.found(text).spans


@given(
    st.from_regex(r"[a-z0-9]([a-z0-9._+-]{0,20}[a-z0-9])?@([a-z0-9]{1,9}\.){1,3}(com|de|museum)", fullmatch=True),
    LETTERS,
    LETTERS,
)
def test_an_address_is_found_in_any_surroundings_of_letters_and_spaces(address, before, after):
    text = f"{before} {address} {after}"
    assert (Kind.EMAIL, len(before) + 1, len(before) + 1 + len(address)) in REDACTOR.found(text).spans


def seconds(text: str) -> float:
    """The shortest of three readings."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        REDACTOR.text(text)
        times.append(time.thread_time() - start)
    return min(times)


@pytest.mark.parametrize(
    "piece",
    [
        *("1", "1-", "12 ", "1 2 3 ", "12/12/", "a@", "a@a.", "a@b.co ", "4111 1111 1111 1111 ", "4111111111111112 "),
        *(" at ", "a at b dot ", "a dot ", "dot-", " (at) ", "DE89", "GB82WEST", "a1", "(1)", "+1", "00", "0049 "),
        *("020 7946 0958 ", "1.1.1.1.", "AB12", "AB 12 34 56 ", "RSSMRA85T10A562S", "X1234567", "ssn 1 ", "5555 "),
        *(
            "order 123 456 7890 ",
            "[",
            "[card]",
            "[card:12345678] 1234567 ",
            "1234567,12 ",
            "1 ext",
            "\u200b1",
            "\uff11",
        ),
        *("2341 2341 2346 ", "a@b.co at ", "a_", "a%"),
    ],
)
def test_ten_times_the_text_takes_about_ten_times_as_long(piece):
    short, long = ((piece * (size // len(piece) + 1))[:size] for size in (10_000, 100_000))
    # 10 where it is linear, 100 where it is quadratic; what takes less than 20 ms is too short to tell.
    assert seconds(long) < 40 * max(seconds(short), 0.02 / 10)
