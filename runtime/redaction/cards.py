"""Payment cards: 13 to 19 digits of a network that issues so many, right by Luhn."""

from __future__ import annotations

import re

from runtime.redaction.checks import luhn
from runtime.redaction.clusters import Cluster

FEWEST, MOST = 13, 19
_NETWORKS = (
    ("Visa", "4", (13, 16, 19)),
    ("Mastercard", "5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),
    ("American Express", "3[47]", (15,)),
    ("Diners Club", "30[0-59]|3[689]", (14, 16)),
    ("JCB", "352[89]|35[3-8]", (16, 17, 18, 19)),
    ("Discover", "6011|64[4-9]|65", (16, 17, 18, 19)),
    ("UnionPay", "62", (16, 17, 18, 19)),
    ("RuPay, Elo, Hipercard, Dankort", "50|60|63", (16, 19)),
    ("Maestro", "5[06-8]|6[0137-9]", (16, 17, 18, 19)),
    ("Mir", "220[0-4]", (16, 17, 18, 19)),
)
"""Name, first digits, and how many there are: the networks' own ranges, as ISO/IEC 7812 gives them out."""
_LENGTHS = {
    length: re.compile("|".join(f"(?:{first})" for _, first, lengths in _NETWORKS if length in lengths)).match
    for length in range(FEWEST, MOST + 1)
}
_USUAL = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (8, 8), (4, 4, 4, 3), (4, 4, 5)}
"""How cards are printed and read out."""
_UNUSUAL_DIGITS = (15, 16)
_MOST_GROUPS, _LARGEST = 8, 8
"""Groups of a card that is not grouped as usual, and digits of one."""
_separators = re.compile(r"[0-9]+(?:(?: ?[-.] ?| )[0-9]+)*").fullmatch
_exempt = re.compile("[-:,]").match
"""What may come behind a card: 4111-1111-1111-1111-123, a list with commas."""
_CERTAIN = re.compile("4|5[1-5]|2[3-6]|3[47]|6011|65|62")
"""Networks whose bare 15 and 16 digits are taken out of logs too."""


def card_at(cluster: Cluster, first: int, *, strict: bool = False) -> int | None:
    """Return the last group of the card that begins with group `first`, None where there is none.

    strict: as a log has it, in the groups that cards are printed in, or 15 or 16 digits of the great networks.
    """
    start = cluster.groups[first][0]
    if (
        cluster.groups[-1][1] - start < FEWEST
        or not "2" <= cluster.text[start] <= "6"
        or not _may_begin(cluster, start)
    ):
        return None
    lasts, count = [], 0
    for last in range(first, min(len(cluster.groups), first + _MOST_GROUPS)):
        group = cluster.groups[last]
        count += group[1] - group[0]
        if count > MOST:
            break
        if count >= FEWEST:
            lasts.append(last)
    return next((last for last in reversed(lasts) if _is_card(cluster, first, last, strict=strict)), None)


def _may_begin(cluster: Cluster, start: int) -> bool:
    """Return whether no word, decimal or plus comes right before."""
    if start <= cluster.taken:
        return True
    before = cluster.text[max(0, start - 2) : start]
    return not (before[-1].isalnum() or before[-1] in "+_" or (before[-1] in ".," and before[0] in "0123456789]"))


def _is_card(cluster: Cluster, first: int, last: int, *, strict: bool) -> bool:
    digits = cluster.digits(first, last)
    if _LENGTHS[len(digits)](digits) is None or not luhn(digits):
        return False
    end = cluster.groups[last][1]
    if cluster.joined_after(end) and _exempt(cluster.text, end) is None:
        return False
    return _is_grouped(cluster, first, last, digits, strict=strict)


def _is_grouped(cluster: Cluster, first: int, last: int, digits: str, *, strict: bool) -> bool:
    """Return whether the groups are those of a card and not a part of a longer row of groups."""
    if first == last:
        return not strict or (len(digits) in _UNUSUAL_DIGITS and _CERTAIN.match(digits) is not None)
    sizes = cluster.sizes(first, last)
    if _separators(cluster.text, cluster.groups[first][0], cluster.groups[last][1]) is None:
        return False
    if sizes in _USUAL:
        return not cluster.fours_before(first)
    return (
        not strict
        and not cluster.left_over(first)
        and len(digits) in _UNUSUAL_DIGITS
        and min(sizes) > 1
        and max(sizes) <= _LARGEST
    )
