"""Outcomes of AI contacts, from lines."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from router.thresholds.outcomes import Outcome, Wanted, outcome_of, read_lines
from runtime.errors import SettingsError
from schemas.fields import Channel, Handling, Pool
from schemas.interactions import Closed
from tests.thresholds_truth import closed

ANY = Wanted()
HEAD = b"intent,channel,segment,confidence,resolved\n"


def lines(*events: Closed) -> list[bytes]:
    return [msgspec.json.encode(each) for each in events]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (True, False)),
        ({"handling": Handling.AI_ASSISTED, "pool": Pool.AI_ASSISTED}, (True, False)),
        ({"resolved": False}, (False, False)),
        ({"handling": Handling.AI_ESCALATED}, (False, True)),
        ({"handling": Handling.AI_ESCALATED, "resolved": None}, (False, True)),
        ({"pool": Pool.HUMAN_EXCLUSIVE, "handling": Handling.HUMAN_ONLY}, "not begun by AI"),
        ({"pool": Pool.HUMAN_EXCLUSIVE, "handling": Handling.AI_ESCALATED}, "not begun by AI"),
        ({"pool": None, "confidence": None}, "closed before pool and confidence were kept"),
        ({"confidence": None}, "of unknown confidence"),
        ({"handling": Handling.ABANDONED, "resolved": None}, "abandoned"),
        ({"handling": Handling.DEFLECTED}, "deflected"),
        ({"resolved": None}, "not known to be resolved or not"),
    ],
)
def test_a_closed_contact_says_whether_ai_resolved_it_or_why_it_does_not_say(changes: Any, expected: Any) -> None:
    found = outcome_of(closed(**changes))
    assert ((found.resolved, found.escalated) if isinstance(found, Outcome) else found) == expected


def test_lines_are_read_as_tail_prints_them_and_what_is_left_out_is_counted() -> None:
    whole = {"topic": "interactions.closed", "type": "Closed", "event": msgspec.to_builtins(closed(segment="gold"))}
    abandoned = closed(handling=Handling.ABANDONED, resolved=None)
    read = read_lines([b"\n", *lines(closed()), json.dumps(whole).encode(), *lines(abandoned, abandoned)], ANY)
    assert read.found == [
        Outcome("refund", Channel.CHAT, "standard", 0.9, True),
        Outcome("refund", Channel.CHAT, "gold", 0.9, True),
    ]
    assert read.left_out == {"abandoned": 2}


def test_contacts_of_other_tenants_and_of_earlier_days_are_passed_over() -> None:
    given = lines(closed(), closed(tenant="other", segment="x"), closed(closed_at=99, segment="old"))
    read = read_lines(given, Wanted("acme", since=100))
    assert [each.segment for each in read.found] == ["standard"]
    assert read.left_out == {"closed before --since": 1}
    with pytest.raises(SettingsError, match="there are contacts of 'acme' and of 'other': choose with --tenant"):
        read_lines(given, ANY)


def test_a_csv_is_read_whatever_the_order_of_its_columns() -> None:
    given = b'\xef\xbb\xbfchannel,intent,segment,resolved,confidence,more\nchat,"refund, late",gold,TRUE,0.5,x\n'
    given += b"voice,refund,,0,1,\r\n"
    assert read_lines(given.splitlines(keepends=True), Wanted("acme")).found == [
        Outcome("refund, late", Channel.CHAT, "gold", 0.5, True),
        Outcome("refund", Channel.VOICE, "", 1.0, False, escalated=True),
    ]


def test_nothing_is_no_outcomes() -> None:
    assert read_lines([b"", b" \n"], ANY).found == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([*lines(closed()), b"{no json\n"], "line 2 is no closed contact: .*; a line is as `trunkline tail"),
        ([b'{"intent": "refund"}\n'], "line 1 is no closed contact: Object missing required field"),
        ([b'{"intent": "\xff"}\n'], "line 1 is no closed contact"),
        ([b"intent,channel\n"], "line 1 names the columns intent, channel: a CSV of outcomes has intent,channel,"),
        ([HEAD, b"a,chat,s,0.5\n"], "line 2 has 4 values for 5 columns; mend that line"),
        ([HEAD, b"\n", b"a,fax,s,0.5,1\n"], "line 3: there is no channel 'fax'; there are voice, chat"),
        ([HEAD, b"a,chat,s,0.5,maybe\n"], "line 2: resolved is 'maybe'; write 1 or true, 0 or false"),
        ([HEAD, b"a,chat,s,nan,1\n"], "line 2: confidence is 'nan'; write a number from 0 to 1"),
        ([HEAD, b"a,chat,s,1.5,1\n"], "line 2: confidence is '1.5'; write a number from 0 to 1"),
        ([HEAD, b",chat,s,0.5,1\n"], "line 2: intent is missing; name it"),
        ([HEAD, b"a,chat,s\xff,0.5,1\n"], "line 2 cannot be read: .*UTF-8"),
    ],
)
def test_a_line_that_makes_no_sense_is_named_with_the_remedy(given: list[bytes], says: str) -> None:
    with pytest.raises(SettingsError, match=says.replace("intent,channel,", "intent, channel, ")):
        read_lines(given, ANY)


def test_a_csv_has_no_times() -> None:
    with pytest.raises(SettingsError, match="a CSV of outcomes has no times: leave --since away"):
        read_lines([HEAD, b"a,chat,s,0.5,1\n"], Wanted(since=5))
