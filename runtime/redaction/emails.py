"""E-mail addresses, as they are written and as they are said: `name (at) domain.com`, `name at domain dot com`.

Both are found from their `at` on, to the left and to the right, within the lengths that RFC 5321 allows: so a text is
read once, whatever it holds.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from runtime.redaction.kinds import Kind, Span

_LOCAL_ROOM, _SAID_ROOM = 64, 96
"""Characters before the `at`: RFC 5321, 4.5.3.1.1, and as much again for what dots take when they are said."""
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_TOP = r"(?:[^\W\d_A-Z]{2,24}|[A-Z]{2,24}|[A-Z][a-z]{1,3}|xn--[a-z0-9]{2,40})"
"""Letters of one case, or Com: after `shop.com.Thanks` the address ends with com."""
_local_back = re.compile(r"[\w.+%&'~-]*[\w+%&~-]").match
_domain = re.compile(rf"(?:{_LABEL}\.){{1,8}}{_TOP}(?![\w-])").match

_AT = "at|\u00e4t|arroba|arobase|chiocciola|apenstaartje|ma\u0142pa|snabel-a|snabela|klammeraffe"
_DOT = "dot|punkt|punto|point|punt|kropka|ponto|prick"
_SIGN = "underscore|dash|hyphen|minus|plus|unterstrich|bindestrich|tiret|gui[o\u00f3]n|trattino|streepje"
_TOPS = (
    "com|net|org|info|biz|edu|gov|io|co|me|app|dev|eu|uk|ie|us|ca|au|nz|in|za|de|at|ch|fr|be|es|mx|ar|cl|it|nl|pl|cz|sk"
    "|pt|br|se|no|dk|fi|lu|gr|hu|ro|jp|cn|sg|hk"
)
_HOSTS = "gmail|googlemail|hotmail|yahoo|outlook|icloud|gmx|aol|protonmail|live|msn|web|t-online|orange|libero|wp|uol"
_NAME = r"[\w+-][\w.+'-]{0,63}"
_DOTTED = rf"(?: ?[(\[{{] ?(?:{_DOT}|\.) ?[)\]}}] ?| (?:{_DOT}) |\.)"


def _cases(words: str) -> str:
    """Return a pattern of words in small letters, in capitals and with one: faster than IGNORECASE."""
    listed = words.split("|")
    letters = dict.fromkeys(word[0] for word in listed)
    rests = [(letter, [word[1:] for word in listed if word[0] == letter]) for letter in letters]
    return "|".join(
        f"[{letter}{letter.upper()}](?:{'|'.join([*rest, *(each.upper() for each in rest)])})" for letter, rest in rests
    )


_sign_of_speech = re.compile(
    rf"[ (\[{{<] ?(?:{_cases(_AT)}|@)(?: ?[)\]}}>]| [\w-]{{1,63}}+(?:\.[A-Za-z]|[ (\[{{]{{1,2}}(?:{_cases(_DOT)})\b))"
).search
_AT_SAID = re.compile(rf" ?[(\[{{<] ?(?:{_AT}|@) ?[)\]}}>] ?| (?:{_AT}) ", re.IGNORECASE)
_said_domain = re.compile(
    rf"(?P<host>[^\W_](?:[\w-]{{0,61}}[^\W_])?)(?P<rest>(?:{_DOTTED}{_LABEL}){{0,3}}{_DOTTED}(?:{_TOPS}))(?![\w-])",
    re.IGNORECASE,
).match
_said_local = re.compile(
    rf"{_NAME}(?:(?: (?:{_DOT}|{_SIGN}) | ?[(\[{{] ?(?:{_DOT}) ?[)\]}}] ?){_NAME}){{0,5}}\Z",
    re.IGNORECASE,
).search
_no_name = re.compile(
    "(?:look|looking|me|it|us|you|him|her|them|here|there|is|was|are|am|be|bought|ordered|found|shop|order|orders|online"
    "|site|website|page|store|app|account|prices?|work|works|working|available|live|help|support|one|ones|item|items"
    "|sold|listed|seen|saw|up|still|only|now|again|this|that|these|those|product|products|things?|stuff|.*'(?:m|re|s|ve|ll|d|t))",
    re.IGNORECASE,
).fullmatch
_is_name = re.compile(r"\w[._+]\w| ").search
_known_host = re.compile(_HOSTS, re.IGNORECASE).fullmatch
_dot_to_write = re.compile(rf" ?[(\[{{] ?(?:{_DOT}|\.) ?[)\]}}] ?| (?:{_DOT}) ", re.IGNORECASE)
_sign_to_write = re.compile(rf" ({_SIGN}) ", re.IGNORECASE)
_UNDERSCORE = ("underscore", "unterstrich")


def are_said(text: str) -> bool:
    """Return whether there is a sign of addresses that are said."""
    low = text.lower()
    possible = (  # one look for each: a third of the time of a pattern
        " at " in low
        or "at)" in low
        or "at]" in low
        or "at}" in low
        or "at>" in low
        or "@)" in low
        or "@]" in low
        or "arroba" in low
        or "arobase" in low
        or "chiocciola" in low
        or "snabel" in low
        or "apenstaartje" in low
        or "klammeraffe" in low
        or (not low.isascii() and ("ma\u0142pa" in low or " \u00e4t " in low))
    )
    return possible and _sign_of_speech(text) is not None


def emails(text: str, *, said: bool) -> list[Span]:
    """Return the addresses in a text, in order. said: also those that are said, of which there was a sign."""
    found = list(_written(text)) if "@" in text else []
    if not said:
        return found
    return sorted([*found, *_said(text, found)], key=lambda span: span.start)


def written_email(written: str) -> str:
    """Return an address as it is written, in small letters, also where it was said."""
    at = _AT_SAID.search(written)
    if at is None:
        return written.casefold()
    local, domain = written[: at.start()], written[at.end() :]
    signs = _sign_to_write.sub(_sign, _dot_to_write.sub(".", local))
    return f"{signs}@{_dot_to_write.sub('.', domain)}".casefold()


def _sign(said: re.Match[str]) -> str:
    word = said[1].casefold()
    return "_" if word in _UNDERSCORE else "+" if word == "plus" else "-"


def _written(text: str) -> Iterator[Span]:
    done, at = 0, text.find("@")
    while at >= 0:
        back = _local_back(text[max(done, at - _LOCAL_ROOM) : at][::-1])
        domain = _domain(text, at + 1) if back is not None else None
        if back is not None and domain is not None:
            local = back[0][::-1].lstrip("'.&%~+-")
            if local:
                yield Span(Kind.EMAIL, at - len(local), domain.end())
                done = domain.end()
        at = text.find("@", max(done, at + 1))


def _said(text: str, written: Sequence[Span]) -> Iterator[Span]:
    """Yield the addresses that are said, between those that are written."""
    walls = [Span(Kind.EMAIL, 0, 0), *written, Span(Kind.EMAIL, len(text), len(text))]
    starts = [wall.start for wall in walls]
    done = 0
    for at in _AT_SAID.finditer(text):
        beyond = bisect_left(starts, at.end(), 1)
        done, until = max(done, walls[beyond - 1].end), walls[min(beyond, len(walls) - 1)].start
        domain = _said_domain(text, at.end(), until) if at.start() >= done else None
        if domain is None:
            continue
        local = _said_local(text[max(done, at.start() - _SAID_ROOM) : at.start()])
        if local is not None and _is_address(local[0], at[0], domain):
            yield Span(Kind.EMAIL, at.start() - len(local[0]), domain.end())
            done = domain.end()


def _is_address(local: str, at: str, domain: re.Match[str]) -> bool:
    """Return whether somebody is at a domain: `look at shop.com` and `I found it at shop dot com` are no addresses."""
    if at.strip()[0] in "([{<":
        return True
    if _no_name(local) is not None:
        return False
    return " " in domain["rest"] or _known_host(domain["host"]) is not None or _is_name(local) is not None
