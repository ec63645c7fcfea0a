"""Telephone numbers: with a country's code, or as each country writes its own.

A number after + or 00 is told by its country's code and length (ITU-T E.164). One without is told by a trunk 0 and its
length, by a grouping that is a country's custom, or by the words before it. None is one after words that name an order
or an amount.
"""

from __future__ import annotations

import enum
import re

from runtime.redaction.clusters import Cluster
from runtime.redaction.context import Said
from runtime.redaction.country_codes import is_number

FEWEST, _MOST = 7, 18
"""Digits of a number; 15 at most by E.164, and 00 and a trunk 0 before them."""
_TRUNK, _TRUNK_BARE = (9, 13), (9, 11)
"""Digits of a national number with its 0, in groups and at once: 02 123 45 67 in Belgium, 07758/48304011 in
Austria."""
_CALLED, _BRACKETED = (7, 11), (8, 11)
"""Digits of a number that the words before it call one; of one whose area stands in brackets."""
_AREA = (2, 5)
_ZIP_AND_FOUR = (5, 4)
_MOST_GROUPS = 8
_CUSTOMS = {
    (3, 3, 4): r"[2-9]",  # North America, Italian and Indian mobiles
    (1, 3, 3, 4): r"1\D+[2-9]\d\d\D+[2-9]|8\D+[3489]",  # North America; Russia
    (1, 3, 3, 2, 2): r"8\D+[3489]",
    (3, 3, 2, 2): r"[3-9]",
    (3, 3, 3): r"[2-9]\d\d(?!\D+000\D+000)",  # Poland, Czechia, Spain, Portugal
    (3, 2, 2, 2): r"[6-9]",  # Spain
    (2, 3, 2, 2): r"[1-9][1-9]",  # Spain, Poland
    (2, 3, 4): r"2[12] ",  # Portugal
    (2, 2, 2, 2): r"[2-9]\d \d\d \d\d |0[1-9]-\d\d \d\d ",  # Denmark, Norway; Stockholm
    (3, 3, 2): r"0\d\d-\d{3} ",  # Sweden
    (3, 2, 3): r"[49]\d\d \d\d ",  # Norwegian mobiles
    (2, 5, 4): r"[1-9][1-9]\D+9",  # Brazilian mobiles
    (2, 4, 4): r"[1-9][1-9]\)? ?[2-9]\d{3}-",  # Brazil
    (3, 4, 4): r"1[3-9]",  # Chinese mobiles
    (3, 2, 2, 3): r"3[2-9]",  # Italian mobiles
    (3, 7): r"3[2-9]",
    (5, 5): r"[6-9]",  # Indian mobiles
    (9,): r"[67]|5[0137]|88",  # Spanish and Polish mobiles
    (10,): r"[2-9](?!11)\d\d[2-9]|3[2-9]|[6-9]",  # North America, Italian and Indian mobiles
    (11,): r"(?:1[1-9]|2[12478]|3[1-578]|4[1-9]|5[1345]|6[1-9]|7[134579]|[89][1-9])9[1-9]",  # Brazilian mobiles
}
"""Sizes of groups -> how the number begins, as it is written, where that is enough to tell a telephone number."""
_CUSTOM = {sizes: re.compile(f"(?:{begins})", re.ASCII).match for sizes, begins in _CUSTOMS.items()}
_dotted_threes = re.compile(r"(?![67])[0-9]{3}\.[0-9]{3}\.[0-9]{3}(?![0-9])").match
"""An amount in most of Europe, but for mobiles of Spain."""
_separators = re.compile(r"[+(]{0,2} ?[0-9]+(?:\)?(?: ?[-./] ?| )?\(?[0-9]+)*\)?").fullmatch
_no_value = re.compile(
    r"(?:19|20)[0-9]{2}([-./ ])(?:0[1-9]|1[0-2])\1[0-3][0-9](?![0-9]|[-./][0-9])"  # 2024-05-01
    r"|[0-3]?[0-9]([-./ ])[0-3]?[0-9]\2(?:19|20)[0-9]{2}(?![0-9]|[-./][0-9])"  # 01.05.2024
    r"|[0-3]?[0-9]([-./])[0-3]?[0-9]\3[0-9]{2}(?![0-9]|[-./][0-9])"  # 1/5/24
    r"|(?:0[1-9]|1[0-2])/[0-9]{2}(?![0-9/])"  # 08/27, until when a card is good
    r"|(?!0[1-9]|756|1\.[2-9][0-9]{2}\.[2-9][0-9]{2}\.[0-9]{4}(?![0-9])|[6-9][0-9]{2}(?:\.[0-9]{2}){3}(?![0-9]))"
    r"[0-9]{1,4}(?:\.[0-9]{1,5}){3,5}(?![0-9])"  # 10.0.0.1, and not 06.12.34.56.78, an AHV number, 1.202.555.0147
).match
_MOST_NO_VALUE = 6
_compact_date = re.compile("(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9]").fullmatch
_extension = re.compile(
    r"[ ,;]{0,2}\(?(?:ext(?:ension)?|x|durchwahl|dw|poste|anexo|interno|ramal|toestel|tst|wewn?|ankn)\.?:? ?#?"
    r"[0-9]{1,6}(?![0-9A-Za-z])\)?",
    re.IGNORECASE,
).match
_exit = re.compile("00(?!0)|011(?![01])").match
_NO_DIGIT = re.compile(r"[^0-9]+")
_EXTENSION_ON = re.compile(r"[^0-9+().\-/ ].*", re.DOTALL)
_OPENING = ("+", "(", " ")
_OPENINGS = ("(+ ", "(+", "+(", "+ ", "+", "(")


class _Told(enum.Enum):
    """How a number is told without its context."""

    NOT = enum.auto()
    IF_CALLED = enum.auto()
    """By the words before it alone."""
    YES = enum.auto()
    """By its form, unless the words before it speak of something else."""


def phone_at(cluster: Cluster, first: int, beyond: int, *, strict: bool = False) -> tuple[int, int, int] | None:
    """Return last group, start and end of the number that begins with group `first` and ends before group `beyond`.

    strict: only with a plus and in groups. None where there is no number.
    """
    start = _start(cluster, first)
    plus = "+" in cluster.text[start : cluster.groups[first][0]]
    if (strict and not plus) or cluster.joined_before(start):
        return None
    if not plus and cluster.before(start).said is Said.NAMED:
        return None
    for last in reversed(_lasts(cluster, first + strict, beyond, first)):
        told = _told(cluster, start, first, last, plus=plus)
        if told is _Told.NOT:
            continue
        end = _end(cluster, start, last)
        if end is not None and (plus or _is_meant(cluster, start, (first, last, beyond), told)):
            return last, start, end
    return None


def no_value_until(cluster: Cluster, first: int) -> int:
    """Return the group after a date, a version or an IP address that begins with a group; the group where none does."""
    start = cluster.groups[first][0]
    found = _no_value(cluster.text, start) if cluster.text[start - 1 : start] != "+" else None
    if found is None:
        return first
    return first + sum(1 for _, end in cluster.groups[first : first + _MOST_NO_VALUE] if end <= found.end())


def dialled(written: str) -> str:
    """Return the digits that a number is dialled by: without signs, the 00 of a plus, a trunk 0 in brackets."""
    number = _EXTENSION_ON.sub("", written)
    digits = _NO_DIGIT.sub("", number.replace("(0)", ""))
    if "+" not in number:
        prefix = _exit(digits)
        digits = digits[prefix.end() :] if prefix is not None and is_number(digits[prefix.end() :]) else digits
    return digits + _NO_DIGIT.sub("", written[len(number) :])


def _start(cluster: Cluster, first: int) -> int:
    """Return where a number begins: with the plus or the bracket before its first group."""
    start = cluster.groups[first][0]
    near = cluster.text[start - 1 : start]
    if near not in _OPENING or (near == " " and cluster.text[start - 2 : start - 1] != "+"):
        return start
    before = cluster.text[max(cluster.taken, start - 3) : start]
    return start - next((len(opening) for opening in _OPENINGS if before.endswith(opening)), 0)


def _lasts(cluster: Cluster, least: int, beyond: int, first: int) -> list[int]:
    """Return the groups, `least` or later, with which a number that begins with group `first` can end."""
    lasts, count = [], 0
    for last in range(first, min(beyond, first + _MOST_GROUPS)):
        start, end = cluster.groups[last]
        count += end - start
        if count > _MOST:
            break
        if count >= FEWEST and last >= least:
            lasts.append(last)
    return lasts


def _told(cluster: Cluster, start: int, first: int, last: int, *, plus: bool) -> _Told:
    """Return how a number of groups first to last is told."""
    if plus:
        return _Told.YES if is_number(_without_trunk(cluster, first, last)) else _Told.NOT
    digits, sizes = cluster.digits(first, last), cluster.sizes(first, last)
    begin = cluster.groups[first][0]
    custom = _CUSTOM.get(sizes)
    if custom is not None and custom(cluster.text, begin) is not None:
        return _Told.YES if _dotted_threes(cluster.text, begin) is None else _Told.IF_CALLED
    if digits[0] == "0":
        return _told_by_zeros(cluster, first, last, digits)
    if cluster.text[start] == "(" and _is_bracketed(digits, sizes):
        return _Told.YES
    called = (_within(len(digits), _CALLED) and min(sizes) > 1) or (len(sizes) == 1 and is_number(digits))
    called = called and not (len(sizes) == 1 and _compact_date(digits) is not None)
    return _Told.IF_CALLED if called else _Told.NOT


def _is_bracketed(digits: str, sizes: tuple[int, ...]) -> bool:
    """Return whether a number whose first group stands in brackets is one behind an area's or a country's code."""
    return len(sizes) > 1 and _within(sizes[0], _AREA) and (_within(len(digits), _BRACKETED) or is_number(digits))


def _told_by_zeros(cluster: Cluster, first: int, last: int, digits: str) -> _Told:
    """Return how a number is told that begins with 00, 011 or a trunk 0."""
    sizes = cluster.sizes(first, last)
    prefix = _exit(digits[: sizes[0]] + " ")
    if prefix is not None and is_number(_without_trunk(cluster, first, last)[prefix.end() :]):
        return _Told.YES if len(sizes) > 1 or digits[1] == "0" else _Told.IF_CALLED
    if digits[1] == "0":
        return _Told.NOT
    if _is_trunk(cluster, last, digits, sizes):
        return _Told.YES
    return _Told.IF_CALLED if _within(len(digits), _CALLED) and min(sizes) > 1 else _Told.NOT


def _is_trunk(cluster: Cluster, last: int, digits: str, sizes: tuple[int, ...]) -> bool:
    """Return whether a number that begins with one 0 is as long as a national one, and grouped as one."""
    if len(sizes) == 1:
        return _within(len(digits), _TRUNK_BARE)
    if sizes == _ZIP_AND_FOUR:
        return False
    alone = sizes[-1] == 1 and cluster.text[cluster.groups[last][0] - 1] != "-"
    return _within(len(digits), _TRUNK) and not alone and sizes[0] <= _AREA[1] + 1


def _without_trunk(cluster: Cluster, first: int, last: int) -> str:
    """Return the digits of groups first to last without a trunk 0 in brackets, which is not dialled from abroad."""
    text = cluster.text
    groups = cluster.groups[first : last + 1]
    return "".join([text[start:end] for start, end in groups if end > start + 1 or text[start - 1 : end + 1] != "(0)"])


def _end(cluster: Cluster, start: int, last: int) -> int | None:
    """Return where a number ends, with its extension; None where it is a part of something else."""
    end = cluster.groups[last][1]
    if _separators(cluster.text, start, end) is None:
        return None
    extension = _extension(cluster.text, end, cluster.until)
    if extension is not None:
        return extension.end()
    return None if cluster.joined_after(end) or cluster.counted_after(end) else end


def _is_meant(cluster: Cluster, start: int, groups: tuple[int, int, int], told: _Told) -> bool:
    """Return whether what stands around a number lets it be one. groups: its first, its last, the next of a card."""
    if cluster.in_a_row(*groups):
        return False
    return told is _Told.YES or cluster.before(start).said is Said.CALLED


def _within(count: int, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= count <= bounds[1]
