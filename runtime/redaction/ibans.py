"""Bank accounts by ISO 13616: a country, two check digits, and as much of letters and digits as the country has."""

from __future__ import annotations

import functools
import re

from runtime.redaction.checks import mod_97

_REGISTRY = """
AD 8n12c, AE 19n, AL 8n16c, AT 16n, AZ 4a20c, BA 16n, BE 12n, BG 4a6n8c, BH 4a14c, BI 23n, BR 23n1a1c,
BY 4c4n16c, CH 5n12c, CR 18n, CY 8n16c, CZ 20n, DE 18n, DJ 23n, DK 14n, DO 4c20n, EE 16n, EG 25n, ES 20n, FI 14n,
FK 2a12n, FO 14n, FR 10n11c2n, GB 4a14n, GE 2a16n, GI 4a15c, GL 14n, GR 7n16c, GT 24c, HN 4a20n, HR 17n, HU 24n,
IE 4a14n, IL 19n, IQ 4a15n, IS 22n, IT 1a10n12c, JO 4a4n18c, KW 4a22c, KZ 3n13c, LB 4n20c, LC 4a24c, LI 5n12c,
LT 16n, LU 3n13c, LV 4a13c, LY 21n, MC 10n11c2n, MD 20c, ME 18n, MK 3n10c2n, MN 16n, MR 23n, MT 4a5n18c,
MU 4a19n3a, NI 4a20n, NL 4a10n, NO 11n, OM 3n16c, PK 4a16c, PL 24n, PS 4a21c, PT 21n, QA 4a21c, RO 4a16c, RS 18n,
RU 14n15c, SA 2n18c, SC 4a20n3a, SD 14n, SE 20n, SI 15n, SK 20n, SM 1a10n12c, SO 19n, ST 21n, SV 4a20n, TL 19n,
TN 20n, TR 6n16c, UA 6n19c, VA 18n, VG 4a16n, XK 16n, YE 4a4n18c
"""
STRUCTURES = dict(each.split() for each in _REGISTRY.split(","))
"""Country -> what follows the check digits, as the IBAN registry writes it: n digits, a letters, c either."""
_CLASSES = {"n": "[0-9]", "a": "[A-Za-z]", "c": "[0-9A-Za-z]"}
_PART = re.compile("([0-9]+)([nac])")
_SIGNS = re.compile("[ .-]")
_SEPARATORS = (" ", "-")


def iban_at(text: str, at: int, taken: int, until: int) -> tuple[int, int] | None:
    """Return start and end of the IBAN in text[taken:until] whose check digits stand at `at`, or None."""
    apart = text[at - 1 : at] in _SEPARATORS
    start = at - (3 if apart else 2)
    if start < taken or (start and text[start - 1].isalnum()):
        return None
    written = text[start : start + 2]
    country = written.upper()
    if country not in STRUCTURES or (apart and written != country):
        return None
    whole = _pattern(country).match(text, at, until)
    if whole is None or not mod_97(_SIGNS.sub("", country + whole[0]).upper()):
        return None
    return start, whole.end()


@functools.cache
def _pattern(country: str) -> re.Pattern[str]:
    """Return the pattern of a country's check digits and account, each sign with or without a separator before it."""
    parts = [f"(?:[ .-]?{_CLASSES[each]}){{{count}}}" for count, each in _PART.findall(STRUCTURES[country])]
    return re.compile(f"[0-9]{{2}}{''.join(parts)}(?![0-9A-Za-z])")
